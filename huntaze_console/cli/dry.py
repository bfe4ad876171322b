"""Dry runs: what a command would do, asked of the engine and said in the console's own words. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.kernel.values import decimal_usd
from huntaze_console.cli.flags import Where
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import plain, say, say_json

if TYPE_CHECKING:
    from engine.surface.queries import Query

F = TypeVar("F", bound=Callable[..., Any])
Words = Callable[[Sequence[Any]], str]
_AMOUNTS = {
    "BudgetEffectRow": ("before", "after", "spent", "held", "left"),
    "ThresholdEffectRow": ("before", "after", "spent"),
    "ThresholdRow": ("limit", "file_limit", "spent"),
    "RouteEffectRow": ("cost_before", "cost_after"),
}
"""What of a row is money where its name alone does not say so."""


def dry(command: F) -> F:
    """Adds --dry-run; the command gets it as `dry_run`."""
    return click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")(command)


def foretell(place: Where, query: Query, words: Words) -> None:
    """Ask what would happen, and say it."""
    with reading(place) as line:
        rows = line.query(query).rows
    if place.json:
        say_json({"dry_run": True, "rows": [in_dollars(row) for row in rows]})
    else:
        say(words(rows))


def foretell_budget(place: Where, query: Query) -> None:
    """The same for a limit: its window ends at a time of the costs' zone."""
    from zoneinfo import ZoneInfo

    from screens.effects import budget_effect

    with reading(place) as line:
        rows, snapshot = line.query(query).rows, line.snapshot()
    if place.json:
        say_json({"dry_run": True, "rows": [in_dollars(row) for row in rows]})
    else:
        say(budget_effect(rows[0], snapshot.at, ZoneInfo(snapshot.engine.time_zone)))


def in_dollars(row: Any) -> dict[str, Any]:
    """A row as JSON takes it, its amounts as decimal strings under names that say so."""
    found: dict[str, Any] = plain(row)
    for name in _AMOUNTS.get(type(row).__name__, ()):
        amount = found.pop(name)
        found[f"{name}_usd"] = None if amount is None else decimal_usd(amount)
    return found
