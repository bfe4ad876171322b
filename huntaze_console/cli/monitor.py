"""The commands that watch the API and the models: monitor, and rate for what an answer was worth."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import click

from engine.kernel.values import HOUR, iso, seconds
from huntaze_console.cli.flags import Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import count, say_json, table
from huntaze_console.cli.reading import tell

if TYPE_CHECKING:
    from engine.surface.rows import MonitorRow

_KINDS: Mapping[str, Literal["endpoint", "tool", "provider", "model"]] = MappingProxyType(
    {"tools": "tool", "models": "model", "providers": "provider", "endpoints": "endpoint"}
)
_QUANTILES = ("p50", "p95", "p99", "first_p50", "first_p95")


@click.command(short_help="Rates, errors, fallbacks and latencies.")
@click.argument("what", type=click.Choice(list(_KINDS)), default="tools")
@click.option("--hours", type=click.FloatRange(min=0, max=2_160, min_open=True), default=1, help="So far back [1].")
@about
def monitor(place: Where, *, what: str, hours: float) -> None:
    """Show what passed through each tool, model, provider or API endpoint: how often, how well and how fast.

    Two days are kept by the minute and 90 by the hour. Percentiles are at most 1 % off.
    """
    from engine.surface.queries import Monitor

    with reading(place) as line:
        page = line.query(Monitor(kind=_KINDS[what], last=round(hours * HOUR)))
    if place.json:
        say_json({"rows": [_plain(row) for row in page.rows], "as_of": page.as_of})
        return
    if not page.rows:
        click.echo(f"Nothing passed through {what} in that time.")
        return
    table(
        (what, "calls", "per min", "errors", "refused", "fallbacks", "p50", "p95", "p99", "first byte", "rating"),
        (
            (
                row.name,
                count(row.calls),
                f"{row.per_minute:.1f}",
                _share(row.errors, row.error_rate),
                count(row.refused),
                "-" if row.fallback_rate is None else _share(row.fallbacks, row.fallback_rate),
                *map(latency, (row.p50, row.p95, row.p99, row.first_p95)),
                f"{row.rating:.1f} ({row.ratings})" if row.rating is not None else "-",
            )
            for row in page.rows
        ),
        right=range(1, 11),
    )


@click.command(short_help="Say what an answer was worth, 1 to 5.")
@click.argument("call_id", metavar="CALL")
@click.argument("score", type=click.IntRange(1, 5))
@about
def rate(place: Where, *, call_id: str, score: int) -> None:
    """Rate the answer of a call from 1 (useless) to 5 (perfect), by its attempt's id or its trace's.

    `huntaze costs --calls` lists the first, and with --json both. Rating it again replaces the rating.
    """
    from engine.surface.commands import RateCall

    tell(place, RateCall(call_id=call_id, score=score))


def latency(duration: int | None) -> str:
    """Nanoseconds for people who compare: 0.8 ms, 45 ms, 1.25 s; `-` for none."""
    if duration is None:
        return "-"
    real = seconds(duration)
    if real >= 1:
        return f"{real:,.2f} s"
    return f"{real * 1000:.0f} ms" if real >= 0.01 else f"{real * 1000:.1f} ms"


def _share(number: int, rate: float) -> str:
    return f"{number:,} ({rate:.1%})" if number else "0"


def _plain(row: MonitorRow) -> dict[str, Any]:
    rest = {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in (*_QUANTILES, "at")}
    times = {f"{name}_seconds": _seconds(getattr(row, name)) for name in _QUANTILES}
    return {**rest, "at": iso(row.at), **times}


def _seconds(duration: int | None) -> float | None:
    return None if duration is None else seconds(duration)
