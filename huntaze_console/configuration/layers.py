"""Where settings come from: layers of nested tables, each value with the place that said it, laid over one another."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from huntaze_console.configuration.shape import Path

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(
    r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*="""
)
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Nested tables, and for each path in them who said it: `config.toml:12`, `OPENAI_BASE_URL`, `--port`."""

    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[Path, str] = field(default_factory=dict)
    source: str = ""  # for paths without a place of their own

    def place(self, path: Path) -> str:
        """Who said the value at a path, or the nearest table above it."""
        for length in range(len(path), 0, -1):
            if found := self.places.get(path[:length]):
                return found
        return self.source


def of_pairs(pairs: Iterable[tuple[Path, Any, str]], source: str) -> Layer:
    """A layer of single values, each with its place."""
    values: dict[str, Any] = {}
    places: dict[Path, str] = {}
    for path, value, place in pairs:
        *tables, last = map(str, path)
        table = values
        for name in tables:
            below = table.setdefault(name, {})
            if not isinstance(below, dict):
                below = table[name] = {}
            table = below
        table[last] = value
        places[path] = place
    return Layer(values=values, places=places, source=source)


def of_toml(text: str, source: str) -> Layer:
    """The layer of a TOML text. Raises tomllib.TOMLDecodeError."""
    values = tomllib.loads(text)
    places = {path: f"{source}:{line}" for path, line in _lines(text).items()}
    return Layer(values=values, places=places, source=source)


def merged(layers: Iterable[Layer], source: str) -> Layer:
    """The layers laid over one another, the last on top. Tables join; everything else replaces what was below."""
    values: dict[str, Any] = {}
    places: dict[Path, str] = {}
    for layer in layers:
        values = _joined(values, layer.values)
        places |= layer.places
    return Layer(values=values, places=places, source=source)


def _joined(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(below)
    for name, value in above.items():
        under = joined.get(name)
        joined[name] = _joined(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return joined


def _lines(text: str) -> dict[Path, int]:
    """The line of every table header and key; good enough for a message, the parser being tomllib."""
    found: dict[Path, int] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    quotes = ""
    for number, line in enumerate(text.splitlines(), 1):
        if quotes:
            quotes = "" if line.count(quotes) % 2 else quotes
            continue
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            found[(*table, *_parts(assignment[1]))] = number
            quotes = next((mark for mark in ('"""', "'''") if line.count(mark) % 2), "")
    return found


def _parts(dotted: str) -> Path:
    return tuple(next(filter(None, part), "") for part in _PART.findall(dotted))
