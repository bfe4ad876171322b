"""The sums equal what they sum, and every breakdown equals adding the entries up by hand."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.costs import (
    Attempt,
    CallFilter,
    CostSettings,
    Dimension,
    Dimensions,
    Ledger,
    PriceOverride,
    Pricer,
    Settlement,
    breakdown,
    calls,
    campaign_costs,
    minutes,
    stats,
)
from engine.kernel.periods import day_bounds, day_of, month_bounds
from engine.kernel.values import DAY, HOUR, MINUTE, AttemptId, Instant, to_datetime
from engine.providers.port import Usage
from engine.storage import Database
from tests.fakes import MORNING, ManualClock

ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Asia/Kathmandu")]
PRICES = tuple(
    PriceOverride(provider=provider, model="m", from_day=date(2026, 1, 1), input=Decimal(price), output=Decimal("2"))
    for provider, price in (("a", "0.0333"), ("b", "1"))
)
COLUMNS = {
    Dimension.PROVIDER: "provider",
    Dimension.MODEL: "model",
    Dimension.TOOL: "tool",
    Dimension.CAMPAIGN: "campaign_id",
    Dimension.ACCOUNT: "account_id",
    Dimension.TENANT: "tenant_id",
    Dimension.USER: "user_id",
}
names = st.sampled_from(["", "x", "y"])
instants = st.integers(MORNING - 3 * DAY, MORNING).map(Instant) | st.integers(0, 71).map(
    lambda hour: Instant(MORNING - hour * HOUR)
)
tokens = st.integers(0, 5_000)


@st.composite
def made_calls(draw: st.DrawFn) -> list[tuple[Attempt, Settlement]]:
    return [draw(made_call(number)) for number in range(draw(st.integers(0, 12)))]


@st.composite
def made_call(draw: st.DrawFn, number: int) -> tuple[Attempt, Settlement]:
    provider, model = draw(st.sampled_from(["a", "b"])), draw(st.sampled_from(["m", "m", "unknown"]))
    dimensions = Dimensions(provider, model, draw(names), draw(names), draw(names), draw(names), draw(names))
    at = draw(instants)
    worst = PRICER.worst_case(provider, model, input_tokens=5_000, max_output_tokens=5_000, at=at)
    attempt = Attempt(
        id=AttemptId(f"att_{number}"),
        dimensions=dimensions,
        opened_at=at,
        worst_case=worst,
        input_tokens_bound=5_000,
        max_output_tokens=5_000,
    )
    usage = draw(st.none() | st.builds(Usage, input_tokens=tokens, output_tokens=tokens))
    outcome = draw(st.sampled_from(["ok", "timeout"]))
    return attempt, Settlement(
        outcome=outcome, ended_at=at, usage=usage, billed=draw(st.booleans()) or usage is not None
    )


PRICER = Pricer(CostSettings(overrides=PRICES))


async def book(database: Database, made: list[tuple[Attempt, Settlement]]) -> list[dict[str, Any]]:
    ledger = Ledger(database, PRICER, ManualClock())
    for attempt, settlement in made:
        await ledger.open(attempt)
        await database.write(lambda tx, a=attempt, s=settlement: ledger.settle(tx, a, s))
    async with database.reader() as reader:
        return [dict(row) for row in await reader.rows("SELECT * FROM ledger")]


def by_hand(entries: list[dict[str, Any]]) -> Counter[str]:
    """The figures of a set of entries."""
    sums: Counter[str] = Counter()
    for entry in entries:
        measured, estimated = entry["basis"] == "measured", entry["basis"] == "estimated"
        sums["calls"] += 1
        sums["failed_calls"] += entry["outcome"] != "ok"
        for kind in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"):
            sums[kind] += entry[kind]
        sums["cost"] += entry["cost"] or 0
        sums["measured"] += entry["cost"] if measured else 0
        sums["estimated"] += entry["cost"] if estimated else 0
        sums["measured_input_tokens"] += entry["input_tokens"] if measured else 0
        sums["measured_output_tokens"] += entry["output_tokens"] if measured else 0
        sums["unpriced_calls"] += entry["basis"] == "unpriced"
    return sums


def label(entry: dict[str, Any], dimension: Dimension, zone: ZoneInfo) -> str:
    if dimension is Dimension.DAY:
        return day_of(entry["at"], zone)
    if dimension is Dimension.HOUR:
        local = to_datetime(entry["at"]).astimezone(zone).replace(minute=0, second=0, microsecond=0)
        return local.isoformat(timespec="minutes")
    return str(entry[COLUMNS[dimension]])


def nonzero(figures: Any) -> Counter[str]:
    return +Counter(asdict(figures))


@settings(max_examples=40, deadline=None)
@given(
    made=made_calls(),
    by=st.lists(st.sampled_from(list(Dimension)), max_size=4, unique=True),
    zone=st.sampled_from(ZONES),
    span=st.tuples(st.integers(-3 * 1440, 10), st.integers(-3 * 1440, 10)),
)
def test_a_breakdown_equals_adding_the_entries_up(
    made: list[tuple[Attempt, Settlement]], by: list[Dimension], zone: ZoneInfo, span: tuple[int, int]
) -> None:
    from_, to = (Instant(MORNING + minute * MINUTE) for minute in sorted(span))

    async def check() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with Database.open(Path(directory) / "huntaze.db", readers=1, synchronous="OFF") as database:
                entries = await book(database, made)
                async with database.view() as reader:
                    found = await breakdown(reader, by, from_, to, zone)
        inside = [entry for entry in entries if from_ <= entry["at"] < to]
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for entry in inside:
            groups.setdefault(tuple(label(entry, dimension, zone) for dimension in by), []).append(entry)
        got = {tuple(row.dimensions[dimension] for dimension in by): nonzero(row.figures) for row in found.rows}
        assert got == {key: +by_hand(members) for key, members in groups.items()}
        assert nonzero(found.total) == +by_hand(inside)

    asyncio.run(check())


@settings(max_examples=25, deadline=None)
@given(made=made_calls(), zone=st.sampled_from(ZONES), page=st.integers(1, 5), where=st.sampled_from(["", "x"]))
def test_stats_totals_history_and_lists_agree_with_the_entries(
    made: list[tuple[Attempt, Settlement]], zone: ZoneInfo, page: int, where: str
) -> None:
    async def check() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with Database.open(Path(directory) / "huntaze.db", readers=1, synchronous="OFF") as database:
                entries = await book(database, made)
                async with database.view() as reader:
                    found = await stats(reader, MORNING, zone)
                    campaigns = await campaign_costs(reader, ["x", "nobody"])
                    history = await minutes(reader, 600, MORNING)
                    chosen = CallFilter(dimensions={Dimension.CAMPAIGN: where}) if where else CallFilter()
                    listed: list[Any] = []
                    cursor = ""
                    while True:
                        answer = await calls(reader, chosen, cursor, page)
                        listed += answer.rows
                        if answer.next is None:
                            break
                        cursor = answer.next
        today, month = day_bounds(MORNING, zone), month_bounds(MORNING, zone)
        assert nonzero(found.today) == +by_hand([e for e in entries if today[0] <= e["at"] < today[1]])
        assert nonzero(found.month) == +by_hand([e for e in entries if month[0] <= e["at"] < month[1]])
        ours = [entry for entry in entries if entry["campaign_id"] == "x"]
        assert {name: nonzero(figures) for name, figures in campaigns.items()} == (
            {"x": +by_hand(ours)} if ours else {}
        )
        recent = [entry for entry in entries if entry["at"] // MINUTE > MORNING // MINUTE - 600]
        sums: Counter[tuple[str, int]] = Counter()
        for entry in recent:
            sums[entry["provider"], entry["at"] // MINUTE * MINUTE] += entry["cost"] or 0
        assert {(name, at): cost for name, spent in history.items() for at, cost in spent} == dict(sums)
        expected = sorted(ours if where else entries, key=lambda entry: (entry["at"], entry["number"]), reverse=True)
        assert [call.id for call in listed] == [entry["id"] for entry in expected]

    asyncio.run(check())


@settings(max_examples=25, deadline=None)
@given(made=made_calls())
def test_sums_by_minute_and_by_hour_equal_the_entries(made: list[tuple[Attempt, Settlement]]) -> None:
    async def check() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with Database.open(Path(directory) / "huntaze.db", readers=1, synchronous="OFF") as database:
                entries = await book(database, made)
                async with database.view() as reader:
                    for table, unit, width in (("rollup_minutes", "minute", MINUTE), ("rollup_hours", "hour", HOUR)):
                        rows = await reader.rows(f"SELECT * FROM {table} r JOIN combinations c ON c.id = r.combination")
                        got = {_key(row, row[unit]): _sums(row) for row in rows}
                        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
                        for entry in entries:
                            groups.setdefault(_key(entry, entry["at"] // width), []).append(entry)
                        assert got == {key: +by_hand(members) for key, members in groups.items()}

    asyncio.run(check())


def _key(row: Any, period: int) -> tuple[Any, ...]:
    return (period, *(row[column] for column in COLUMNS.values()))


def _sums(row: Any) -> Counter[str]:
    renamed = {
        "failed": "failed_calls",
        "measured_input": "measured_input_tokens",
        "measured_output": "measured_output_tokens",
        "unpriced": "unpriced_calls",
    }
    plain = (
        "calls",
        "input_tokens",
        "cached_tokens",
        "output_tokens",
        "reasoning_tokens",
        "cost",
        "measured",
        "estimated",
    )
    return +Counter({**{name: row[name] for name in plain}, **{new: row[old] for old, new in renamed.items()}})
