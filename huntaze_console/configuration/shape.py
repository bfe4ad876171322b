"""Asking the sections what may stand where: which keys, whether text, whether a secret."""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from engine.kernel.secret import Secret
from engine.kernel.values import NanoUSD
from engine.orchestrator.settings import TOOLS
from huntaze_console.configuration.kinds import Section
from huntaze_console.configuration.sections import Sections

Path = tuple[str | int, ...]

_TEXTS = (str, Decimal, date, NanoUSD)


def keys(model: type[Section]) -> tuple[str, ...]:
    """The keys a section may hold, as the file spells them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def keys_at(path: Path) -> tuple[str, ...]:
    """The keys that may stand below a path: of a section, or the tools' names; empty where any name may."""
    shape = shape_at(path)
    if isinstance(shape, type) and issubclass(shape, Section):
        return keys(shape)
    return TOOLS if path == ("tools",) else ()


def is_secret(path: Path) -> bool:
    return shape_at(path) is Secret


def takes_text(path: Path) -> bool:
    """Whether the text of an environment variable is the value itself, never a number or a boolean."""
    shape = shape_at(path)
    if get_origin(shape) is Literal:
        return all(isinstance(choice, str) for choice in get_args(shape))
    return shape in _TEXTS or shape is Secret


def takes_words(path: Path) -> bool:
    """Whether a list of texts stands there, which the environment may write with commas."""
    shape = shape_at(path)
    return get_origin(shape) is tuple and get_args(shape)[0] is str


def shape_at(path: Path) -> Any:
    """What stands at a path: a section's class, a mapping, the type of a value; None where nothing may."""
    shape: Any = Sections
    for part in path:
        shape = _plain(_below(shape, part))
    return shape


def _below(shape: Any, part: str | int) -> Any:
    if isinstance(shape, type) and issubclass(shape, Section):
        fields = {field.alias or name: field for name, field in shape.model_fields.items()}
        return fields[str(part)].annotation if part in fields else None
    arguments = get_args(shape)
    if get_origin(shape) is tuple:
        return arguments[0]
    return arguments[1] if get_origin(shape) is Mapping else None


def _plain(shape: Any) -> Any:
    """A type without its checks, and without the None of an optional one."""
    if get_origin(shape) is Annotated:
        return _plain(get_args(shape)[0])
    if get_origin(shape) in (Union, types.UnionType):
        rest = [part for part in get_args(shape) if part is not type(None)]
        return _plain(rest[0])
    return shape
