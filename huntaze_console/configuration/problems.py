"""What is wrong with a configuration, in words: the place that said it, the key, and what would be valid."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from engine.kernel.errors import ConfigError
from huntaze_console.configuration.layers import Layer
from huntaze_console.configuration.shape import Path, keys_at

_KEY_NAMES = 12  # of a section's keys, so many are listed; the rest is in config.toml

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is missing",
        "int_type": "must be a whole number",
        "float_type": "must be a number",
        "string_type": "must be text in quotes",
        "bool_type": "must be true or false",
        "tuple_type": "must be a list",
        "date_type": "must be a day such as 2026-01-31",
        "mapping_type": "must be a table",
        "dict_type": "must be a table",
        "model_type": "must be a table",
        "finite_number": "must be a finite number",
        "string_too_short": "must not be empty",
    }
)


class InvalidSettings(ConfigError):
    """Everything that is wrong with a configuration, at once: `problems`, at least one."""

    def __init__(self, problems: Sequence[ConfigError]) -> None:
        first = problems[0]
        super().__init__(first.source, first.key, first.message)
        self.problems = tuple(problems)
        self.message = "\n".join(map(str, problems))
        if len(problems) > 1:
            self.message = f"{len(problems)} settings are wrong:\n{self.message}"


def problem(layer: Layer, path: Path, message: str, *, remedy: str = "") -> ConfigError:
    """One problem with the value at a path."""
    return ConfigError(layer.place(path), dotted(path), message, remedy=remedy)


def explain(layer: Layer, error: ValidationError, prefix: Path = ()) -> list[ConfigError]:
    """The problems of a section that did not validate."""
    found = [
        _explain(layer, _spelled((*prefix, *detail["loc"])), detail)
        for detail in error.errors(include_url=False, include_input=False)
    ]
    return list({(each.source, each.key): each for each in reversed(found)}.values())[::-1]


def without(values: Mapping[str, Any], paths: Iterable[Path]) -> Mapping[str, Any]:
    """The tables without the values at these paths; where there is none, as for a missing key, without its table."""
    plain = [tuple(part for part in path if part != "[key]") for path in paths]
    doomed = frozenset(path if _holds(values, path) else path[:-1] for path in plain)
    pruned: dict[str, Any] = _pruned(values, doomed)
    return pruned


def _pruned(value: Any, doomed: frozenset[Path], here: Path = ()) -> Any:
    if isinstance(value, Mapping):
        return {key: _pruned(v, doomed, (*here, key)) for key, v in value.items() if (*here, key) not in doomed}
    if isinstance(value, list):
        return [_pruned(v, doomed, (*here, key)) for key, v in enumerate(value) if (*here, key) not in doomed]
    return value


def _holds(values: Any, path: Path) -> bool:
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def dotted(path: Iterable[str | int]) -> str:
    """A path as an operator writes it, names with dots in quotes."""
    return ".".join(f'"{part}"' if "." in str(part) else str(part) for part in path)


def nearest(word: str, valid: Iterable[str]) -> str:
    """`Did you mean …?` for the valid word most like this one, or nothing."""
    folded = {each.lower().replace("-", "_"): each for each in valid}
    match = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1)
    return f"Did you mean {folded[match[0]]}?" if match else ""


def secret_in_file(layer: Layer, path: Path, variable: str) -> ConfigError:
    """A secret written into a configuration file, where backups, chats and screenshots find it."""
    file_key = f"{path[-1]}_file"
    return problem(
        layer,
        path,
        "a secret does not belong into a configuration file",
        remedy=f"Put it into the environment as {variable}, or into a file of mode 0600 named by {file_key}",
    )


def _explain(layer: Layer, path: Path, detail: Any) -> ConfigError:
    kind: str = detail["type"]
    if kind == "extra_forbidden":
        return unknown_key(layer, path)
    if kind == "literal_error":
        return problem(layer, path, f"must be one of {_choices(detail['ctx']['expected'])}")
    message = _WORDS.get(kind)
    if message is None:
        text = str(detail["msg"])
        message = re.sub(r"^(Input|Value) should ", "must ", text)
    return problem(layer, path, message)


def unknown_key(layer: Layer, path: Path) -> ConfigError:
    """A key that means nothing where it stands."""
    valid = keys_at(path[:-1])
    shown = ", ".join(valid[:_KEY_NAMES]) + (" …" if len(valid) > _KEY_NAMES else "")
    hints = [nearest(str(path[-1]), valid), f"Valid here: {shown}" if valid else ""]
    return problem(layer, path, "is not a setting", remedy=" ".join(filter(None, hints)))


def _choices(expected: str) -> str:
    return expected.replace("'", "")


def _spelled(path: Path) -> Path:
    """The path as the file spells it: pydantic marks a table's bad key with a part of its own."""
    return tuple(part for part in path if part != "[key]")
