"""The commands that tell how things went: history of spend and of queues, and trace for one task's calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, decimal_usd, iso, seconds
from huntaze_console.cli.flags import Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import count, moment, money, plain, say, say_json, span, table
from huntaze_console.cli.reading import instant_of

if TYPE_CHECKING:
    from engine.surface.rows import CostCourseRow, QueueCourseRow

_UNITS: Mapping[str, int] = MappingProxyType({"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY})
_COLUMNS = 60
_DIGITS = 7
_HIGH = "▁▂▃▄▅▆▇█"


def _nanoseconds(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """A number with its unit: 30m, 24h, 7d."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdigit()) or len(number) > _DIGITS:
        raise click.BadParameter(f"{text!r} is no time such as 30m, 24h or 7d")
    return int(number) * _UNITS[unit]


_OVER = click.option(
    "--over", callback=_nanoseconds, default="24h", metavar="TIME", help="So far back: 1m to 92d [24h]."
)


@click.command(short_help="How spend, or the queues, went over a time.")
@click.argument("what", type=click.Choice(["costs", "queue"]), default="costs")
@_OVER
@click.option("--by", default="provider", metavar="DIM,…", help="Of costs: provider, model, campaign, … [provider].")
@about
def history(place: Where, *, what: str, over: int, by: str) -> None:
    """Show how spend or the queues went: a line for everything and one for each group; with --json every step.

    Each line is drawn as high as its own peak; the column beside it says what that is.

    \b
    Examples:
      huntaze history --over 7d --by model
      huntaze history queue --over 2h
    """
    if what == "costs":
        _costs(place, over, tuple(part.strip() for part in by.split(",") if part.strip()))
    else:
        _queue(place, over)


def _costs(place: Where, over: int, by: tuple[str, ...]) -> None:
    from engine.surface.queries import CostHistory

    with reading(place) as line:
        page = line.query(CostHistory(span=over, by=by))
        zone = line.snapshot().engine.time_zone
    if place.json:
        rows = [{**_steps(row), "cost_usd": [decimal_usd(amount) for amount in row.cost]} for row in page.rows]
        say_json({"rows": rows, "as_of": page.as_of})
        return
    if page.rows:
        _say_span(page.rows[0].at, page.rows[0].step, zone)
    table(
        ("what", "cost", "calls", "failed", "peak of a step", "course"),
        (
            (
                " ".join(row.dimensions.values()) or ("everything" if not row.dimensions else "-"),
                money(sum(row.cost)),
                count(sum(row.calls)),
                count(sum(row.failed)),
                money(max(row.cost, default=0)),
                course(row.cost),
            )
            for row in page.rows
        ),
        right=range(1, 5),
    )


def _queue(place: Where, over: int) -> None:
    from engine.surface.queries import QueueHistory

    with reading(place) as line:
        page = line.query(QueueHistory(span=over))
        zone = line.snapshot().engine.time_zone
    if place.json:
        rows = [{**_steps(row), "waited_seconds": [_seconds(each) for each in row.waited]} for row in page.rows]
        say_json({"rows": rows, "as_of": page.as_of})
        return
    if not page.rows:
        click.echo("No depth was written down in that time: a running engine does, each minute.")
        return
    _say_span(page.rows[0].at, page.rows[0].step, zone)
    table(
        ("queue", "most ready", "most leased", "most dead", "longest wait", "ready, course"),
        (
            (
                row.queue,
                *(count(_most(each)) for each in (row.ready, row.leased, row.dead)),
                span(_most(row.waited)),
                course(row.ready),
            )
            for row in page.rows
        ),
        right=range(1, 5),
    )


@click.command(short_help="Every call of one task.")
@click.argument("trace_id", metavar="TRACE|CALL")
@click.option("--at", metavar="TIME", help="Around when it ran, for an id that does not tell.")
@about
def trace(place: Where, *, trace_id: str, at: str | None) -> None:
    """Show each attempt of a task: retries, fallbacks, what each cost, and what is held for one under way.

    `huntaze costs --calls` lists calls, and with --json the traces they belong to; either id finds the task, however
    long ago it ran, as long as the ledger keeps it.

    \b
    Examples:
      huntaze trace att_01kaesv7e0m2j6m5w9h4p3t8zq
      huntaze trace trc_01kaesv7dz1f0w7c2n8r5k6b4x --json
    """
    from engine.surface.queries import GetTrace

    with reading(place) as line:
        zone = line.snapshot().engine.time_zone
        page = line.query(GetTrace(trace_id=trace_id, at=instant_of("at", at, zone) or 0))
    if place.json:
        rows = [{**plain(row), "held_usd": None if row.held is None else decimal_usd(row.held)} for row in page.rows]
        say_json({"rows": [{name: each for name, each in row.items() if name != "held"} for row in rows]})
        return
    table(
        (f"began ({zone})", "provider", "model", "outcome", "took", "cost", "held by", "call"),
        (
            (
                moment(row.began_at, zone),
                row.provider,
                row.model,
                row.outcome or "under way",
                "-" if row.ended_at is None else span(row.ended_at - row.began_at),
                f"at most {money(row.held)}" if row.ended_at is None else money(row.cost),
                ", ".join(row.held_by) or "-",
                row.attempt_id,
            )
            for row in page.rows
        ),
        right=range(4, 6),
    )


def course(values: Sequence[int | None], columns: int = _COLUMNS) -> str:
    """A course in one line: each column the highest of its part, as high as its part of the peak; a dot: not known."""
    width = max(1, min(columns, len(values)))
    parts = [values[first:after] for first, after in pairwise(at * len(values) // width for at in range(width + 1))]
    highest = [max((each for each in part if each is not None), default=None) for part in parts]
    peak = max((each for each in highest if each is not None), default=0)
    if not values:
        return ""
    return "".join("·" if each is None else " " if not each else _HIGH[(each * 8 - 1) // peak] for each in highest)


def _say_span(at: int, step: int, zone: str) -> None:
    say(f"since {moment(at, zone)} ({zone}), in steps of {span(step)}")


def _steps(row: CostCourseRow | QueueCourseRow) -> dict[str, Any]:
    """A row for a program: money and times are told by the caller, in their own units."""
    found = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    rest = {name: each for name, each in found.items() if name not in ("at", "step", "cost", "waited")}
    return {**rest, "at": iso(row.at), "step_seconds": seconds(row.step)}


def _most(values: Sequence[int | None]) -> int:
    return max((each for each in values if each is not None), default=0)


def _seconds(span_: int | None) -> float | None:
    return None if span_ is None else seconds(span_)
