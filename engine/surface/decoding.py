"""JSON values as the frozen dataclasses of the surface: how a face in another process reads what an engine tells it.

The other side may be newer: fields unknown here are left out, fields it does not send take their defaults. It may also
be wrong: a value of another type than the annotation's is a ValueError, never an object that breaks a screen later.
Made of the standard library alone, since a console is to be there at once.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Decoder = Callable[[Any], Any]


@cache
def decoder(kind: Any) -> Decoder:
    """What turns a JSON value into one of this annotation. The decoder raises ValueError."""
    origin = get_origin(kind)
    if is_dataclass(kind):
        return _of_dataclass(kind)  # type: ignore[arg-type]
    if kind is Any or kind is object:
        return _unchanged
    if origin in (Union, types.UnionType):
        return _of_union(get_args(kind))
    if origin is Literal:
        return _of_words(frozenset(get_args(kind)))
    if origin is tuple:
        return _of_tuple(get_args(kind))
    if origin in _TABLES or kind in _TABLES:
        return _of_table(get_args(kind) or (Any, Any))
    if kind is type(None):
        return _of_words(frozenset({None}))
    return _of_plain(getattr(kind, "__supertype__", kind))


_TABLES = (Mapping, dict)


def decode(kind: Any, value: Any) -> Any:
    """The value as the annotation has it. Raises ValueError."""
    return decoder(kind)(value)


@cache
def members(kind: Any) -> Mapping[str, Decoder]:
    """The decoders of a dataclass's fields."""
    hints = get_type_hints(kind)
    return {field.name: decoder(hints[field.name]) for field in fields(kind)}


def _of_dataclass(kind: type) -> Decoder:
    wanted = [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]
    inner = members(kind)

    def decode_fields(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"{kind.__name__} must be an object")
        for name in wanted:
            if name not in value:
                raise ValueError(f"{kind.__name__} lacks {name}")
        return kind(**{name: inner[name](found) for name, found in value.items() if name in inner})

    return decode_fields


def _of_union(kinds: Iterable[Any]) -> Decoder:
    choices = [decoder(kind) for kind in kinds]

    def decode_either(value: Any) -> Any:
        for choice in choices:
            try:
                return choice(value)
            except ValueError:
                continue
        raise ValueError("the value is of none of the known types")

    return decode_either


def _of_words(words: frozenset[Any]) -> Decoder:
    def decode_word(value: Any) -> Any:
        if not isinstance(value, (str, int, type(None))) or value not in words:
            raise ValueError("the word is not known")
        return value

    return decode_word


def _of_tuple(kinds: tuple[Any, ...]) -> Decoder:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return _of_sequence(kinds[0])
    inner = [decoder(kind) for kind in kinds]

    def decode_parts(value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != len(inner):
            raise ValueError(f"{len(inner)} values were expected")
        return tuple(part(found) for part, found in zip(inner, value, strict=True))

    return decode_parts


def _of_sequence(kind: Any) -> Decoder:
    inner = decoder(kind)

    def decode_all(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ValueError("a list was expected")
        return tuple(map(inner, value))

    return decode_all


def _of_table(kinds: tuple[Any, ...]) -> Decoder:
    key, inner = kinds[0], decoder(kinds[1])

    def decode_table(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("an object was expected")
        return {(int(name) if key is int else name): inner(found) for name, found in value.items()}

    return decode_table


def _of_plain(kind: Any) -> Decoder:
    if kind is float:
        return _number

    def decode_plain(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{getattr(kind, '__name__', kind)} was expected")
        return value

    return decode_plain


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError("a number was expected")
    return float(value)


def _unchanged(value: Any) -> Any:
    return value
