"""Answers on paper: values as JSON, and as aligned text that nothing from outside can style or break.

In JSON an amount is a decimal string and its name ends in `_usd`, an instant is ISO 8601 UTC, a duration is seconds and
its name ends in `_seconds`; what is not known is null. Integers of nano-dollars and nanoseconds stay inside.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import click

from engine.kernel.text import clean
from engine.kernel.values import NANOS_PER_USD, SECOND, decimal_usd, iso, to_datetime

_MONEY: Mapping[str, str] = MappingProxyType(
    {name: f"{name}_usd" for name in ("cost", "measured", "estimated", "budget", "day_threshold", "month_threshold")}
    | {name: f"{name}_usd" for name in ("today", "month", "today_estimated")}
    | {"cost_low": "cost_usd_low", "cost_high": "cost_usd_high"}
)
_DURATIONS = frozenset({"duration", "latency", "window"})
_INSTANTS = frozenset({"at", "leased_until", "breaker_since", "day_ends", "month_ends"})
_HIDDEN = frozenset({"minutes", "latencies", "outcomes"})  # history for a screen's curves, not for a program

_CELL = 60  # characters; a longer cell would push the next ones off the line
_WIDE = frozenset("WF")
_FORMULAS = ("=", "+", "-", "@")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Tone(StrEnum):
    """What a state means, for those who see colours; the word beside it says the same."""

    GOOD = "green"
    WARN = "yellow"
    BAD = "red"
    DIM = "bright_black"


def plain(value: Any) -> Any:
    """A value of the surface as JSON takes it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = (_pair(field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: content for name, content in pairs if name not in _HIDDEN}
    if isinstance(value, Mapping):
        return {str(key): plain(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def _pair(name: str, value: Any) -> tuple[str, Any]:
    if name in _MONEY and (value is None or isinstance(value, int)):
        return _MONEY[name], None if value is None else decimal_usd(value)
    if name in _DURATIONS and not isinstance(value, str):
        return f"{name}_seconds", None if value is None else value / SECOND
    if name in _INSTANTS or name.endswith("_at"):
        return name, iso(value) if value else None
    if name == "slots":
        return name, {slot: iso(until) for slot, until in value.items()}
    return name, plain(value)


def say_json(value: Any) -> None:
    """Print a value as JSON in ASCII: what a fan wrote cannot drive the terminal it is looked at in."""
    click.echo(json.dumps(plain(value), indent=2))


def say_csv(headers: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
    """Print rows as CSV (RFC 4180, UTF-8). Texts are cleaned, and none begins as what a spreadsheet would calculate."""
    paper = io.StringIO()
    writer = csv.writer(paper)
    writer.writerow(headers)
    writer.writerows([_uncalculated(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    click.echo(paper.getvalue(), nl=False)


def _uncalculated(text: str) -> str:
    """A text for a spreadsheet's cell; what it would take for a formula begins with an apostrophe instead."""
    shown = clean(text)
    formula = shown.lstrip().startswith(_FORMULAS) and not _NUMBER.fullmatch(shown)
    return f"'{shown}" if formula else shown


def say(*parts: str | tuple[str, Tone]) -> None:
    """Print a line of parts, each cleaned here; those with a tone are coloured where the terminal wants colours."""
    colours = colourful()
    click.echo("".join(_painted(part, colours) for part in parts), color=colours)


def _painted(part: str | tuple[str, Tone], colours: bool) -> str:
    text, tone = part if isinstance(part, tuple) else (part, None)
    text = clean(text, newlines=True)
    return click.style(text, fg=tone.value) if tone and colours else text


def table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = (), dim: Iterable[int] = ()
) -> None:
    """Print rows under headers, columns aligned, those numbered in `right` to the right; the rows in `dim` stand back.

    Cells are cleaned here.
    """
    right, faint = frozenset(right), {0, *(number + 1 for number in dim)}
    grid = [tuple(headers), *(tuple(clean(cell, limit=_CELL) for cell in row) for row in rows)]
    widths = [max(map(width, column)) for column in zip(*grid, strict=True)]
    for number, row in enumerate(grid):
        cells = (_padded(cell, widths[index], right=index in right) for index, cell in enumerate(row))
        line = "  ".join(cells).rstrip()
        say((line, Tone.DIM) if number in faint else line)


def colourful() -> bool:
    """Whether this terminal wants colours: it is one, and NO_COLOR and TERM do not say otherwise."""
    stream = sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width(text: str) -> int:
    """Columns a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in _WIDE) for letter in text
    )


def money(amount: int | None) -> str:
    """An amount for people: cents, or every digit that matters below one; `unpriced` where it is not known."""
    if amount is None:
        return "unpriced"
    if amount % (NANOS_PER_USD // 100) == 0 or abs(amount) >= NANOS_PER_USD:
        return f"${round(amount, -7) / NANOS_PER_USD:,.2f}"
    return f"${decimal_usd(amount)}"


def moment(instant: int | None, zone: str = "UTC") -> str:
    """An instant for people, in a zone, to the second; `-` for none."""
    if not instant:
        return "-"
    where = UTC if zone == "UTC" else ZoneInfo(zone)
    return f"{to_datetime(instant).astimezone(where):%Y-%m-%d %H:%M:%S}"


def span(duration: int) -> str:
    """A duration for people: 0.4 s, 38 s, 12 m 5 s, 3 h 2 m, 2 d 4 h."""
    whole = max(0, duration) // SECOND
    if whole < 10:
        return f"{max(0, duration) / SECOND:.1f} s"
    for size, unit, part, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def count(number: int) -> str:
    return f"{number:,}"


def _padded(text: str, columns: int, *, right: bool) -> str:
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks
