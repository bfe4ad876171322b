"""`huntaze costs`: what was spent, by whom and for what, as a table, as JSON, or for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from engine.kernel.values import SECOND, decimal_usd, iso
from huntaze_console.cli.flags import Ordered, Where, about, alone
from huntaze_console.cli.line import Line, reading
from huntaze_console.cli.paper import Tone, count, moment, money, plain, say, say_csv, say_json, span, table
from huntaze_console.cli.reading import LIMIT, instant_of, present

if TYPE_CHECKING:
    from engine.surface.rows import BreakdownRow
    from engine.surface.snapshot import Snapshot

_DIMENSIONS = ("provider", "model", "tool", "campaign", "account", "tenant", "user", "day", "hour")


@click.group(cls=Ordered, invoke_without_command=True, short_help="What was spent, by whom and for what.")
@click.option("--by", default="provider,model", metavar="DIM,…", help=f"Any of {', '.join(_DIMENSIONS)}.")
@click.option(
    "--from",
    "from_",
    metavar="TIME",
    help="Inclusive; today, 2h for two hours ago, a day, or a time with an offset [this month].",
)
@click.option("--to", metavar="TIME", help="Exclusive [now].")
@click.option("--calls", is_flag=True, help="List single calls, newest first, instead of sums.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV for a spreadsheet, amounts in dollars to the last digit.")
@LIMIT
@about
def costs(place: Where, *, by: str, from_: str | None, to: str | None, calls: bool, as_csv: bool, limit: int) -> None:
    """Show what was spent today and this month, and the sums by provider and model or by other dimensions.

    The dearest come first; below them what belongs to none, such as calls of no campaign. Unpriced calls are counted
    beside the sums, never inside them as zero.
    """
    if not alone():
        return
    if as_csv and place.json:
        raise click.UsageError("--csv and --json are two forms of one answer: choose one")
    with reading(place) as line:
        if calls:
            _calls(place, line, limit, as_csv)
        else:
            _breakdown(place, line, by, from_, to, as_csv)


def _breakdown(place: Where, line: Line, by: str, from_: str | None, to: str | None, as_csv: bool) -> None:
    from engine.surface.queries import CostBreakdown

    snapshot = line.snapshot()
    dimensions = tuple(part.strip() for part in by.split(",") if part.strip())
    unknown = [part for part in dimensions if part not in _DIMENSIONS]
    if unknown:
        raise click.UsageError(f"--by: {unknown[0]} is none of {', '.join(_DIMENSIONS)}")
    zone = snapshot.engine.time_zone
    start, end = (instant_of(*each, zone, present(snapshot)) for each in (("from", from_), ("to", to)))
    query = CostBreakdown(by=dimensions, from_=start, to=end)
    page = line.query(query)
    if place.json:
        rows = [{**row.dimensions, **_measures(row)} for row in page.rows]
        total = sum(row.cost for row in page.rows)
        say_json({**plain(snapshot.money), "total_usd": decimal_usd(total), "as_of": page.as_of, "rows": rows})
        return
    shown = sorted(page.rows, key=_of_none)
    if as_csv:
        _breakdown_csv(dimensions, shown, snapshot)
        return
    _say_money(snapshot)
    names = ("name",) if "campaign" in dimensions else ()
    table(
        (*dimensions, *names, "calls", "failed", "input", "output", "cost", "estimated", "unpriced"),
        (
            (
                *(row.dimensions.get(name) or f"no {name}" for name in dimensions),
                *(_campaign_name(row, snapshot) for _ in names),
                *map(count, (row.calls, row.failed_calls, row.input_tokens, row.output_tokens)),
                money(row.cost),
                money(row.estimated),
                count(row.unpriced_calls),
            )
            for row in shown
        ),
        right=range(len(dimensions) + len(names), len(dimensions) + len(names) + 7),
        dim=[number for number, row in enumerate(shown) if _of_none(row)],
    )


def _measures(row: BreakdownRow) -> dict[str, object]:
    return {name: value for name, value in plain(row).items() if name != "dimensions"}


def _breakdown_csv(dimensions: Sequence[str], rows: Sequence[BreakdownRow], snapshot: Snapshot) -> None:
    names = ("campaign_name",) if "campaign" in dimensions else ()
    say_csv(
        (*dimensions, *names, "calls", "failed_calls", "input_tokens", "output_tokens", "cost_usd", "estimated_usd",
         "unpriced_calls"),
        (
            (
                *(row.dimensions.get(name, "") for name in dimensions),
                *(_campaign_name(row, snapshot, "") for _ in names),
                *(row.calls, row.failed_calls, row.input_tokens, row.output_tokens),
                *(decimal_usd(row.cost), decimal_usd(row.estimated), row.unpriced_calls),
            )
            for row in rows
        ),
    )  # fmt: skip


def _of_none(row: BreakdownRow) -> bool:
    """Is it what belongs to none of the groups?"""
    return bool(row.dimensions) and not any(row.dimensions.values())


def _campaign_name(row: BreakdownRow, snapshot: Snapshot, unknown: str = "-") -> str:
    known = snapshot.campaigns.get(row.dimensions.get("campaign", ""))
    return known.name if known else unknown


def _say_money(snapshot: Snapshot) -> None:
    spent = snapshot.money
    for name, amount, threshold, unpriced in (
        ("today", spent.today, spent.day_threshold, spent.today_unpriced),
        ("month", spent.month, spent.month_threshold, spent.month_unpriced),
    ):
        text = f"{name}  {money(amount)}"
        if threshold:
            text += f" of {money(threshold)} ({100 * amount // threshold} %)"
        if unpriced:
            text += f", and {count(unpriced)} unpriced calls"
        say((text, Tone.BAD) if threshold and amount >= threshold else text)
    say()


def _calls(place: Where, line: Line, limit: int, as_csv: bool) -> None:
    from engine.surface.queries import ListCalls

    page = line.query(ListCalls(limit=limit))
    if place.json:
        say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
        return
    if as_csv:
        say_csv(
            ("at", "provider", "model", "tool", "outcome", "basis", "input_tokens", "output_tokens", "duration_seconds",
             "cost_usd", "attempt_id"),
            (
                (
                    *(iso(row.at), row.provider, row.model, row.tool, row.outcome, row.basis),
                    *(row.input_tokens, row.output_tokens, str(row.duration / SECOND)),
                    *("" if row.cost is None else decimal_usd(row.cost), row.attempt_id),
                )
                for row in page.rows
            ),
        )  # fmt: skip
        return
    zone = line.snapshot().engine.time_zone
    table(
        (f"time ({zone})", "provider", "model", "tool", "outcome", "basis", "input", "output", "took", "cost", "call"),
        (
            (
                moment(row.at, zone),
                row.provider,
                row.model,
                row.tool,
                row.outcome,
                row.basis,
                count(row.input_tokens),
                count(row.output_tokens),
                span(row.duration),
                money(row.cost),
                row.attempt_id,
            )
            for row in page.rows
        ),
        right=range(6, 10),
    )
