"""What was spent, by whom, on what and when: queries over the sums, and the entries behind them.

Any span is exact to the minute. It is cut into whole hours, answered from the hourly sums, and the minutes at its
ends; so are days, months and hours of the operator's zone, whatever its offset. No query adds entries up.
Every function takes a `Reader`; give it a `Database.view()` where several answers must agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.periods import day_bounds, day_of, month_bounds
from engine.kernel.values import HOUR, MINUTE, Instant, NanoUSD, to_datetime
from engine.storage import Reader

_MINUTES_AN_HOUR = HOUR // MINUTE
_MOST_ROWS = 1_000
_MOST_SPANS = 10_000


class Dimension(StrEnum):
    """What costs can be grouped by. Days and hours are those of the zone that the query names."""

    PROVIDER = "provider"
    MODEL = "model"
    TOOL = "tool"
    CAMPAIGN = "campaign"
    ACCOUNT = "account"
    TENANT = "tenant"
    USER = "user"
    DAY = "day"
    HOUR = "hour"


_TIMES = (Dimension.DAY, Dimension.HOUR)
_COLUMNS: Mapping[Dimension, str] = {
    Dimension.PROVIDER: "provider",
    Dimension.MODEL: "model",
    Dimension.TOOL: "tool",
    Dimension.CAMPAIGN: "campaign_id",
    Dimension.ACCOUNT: "account_id",
    Dimension.TENANT: "tenant_id",
    Dimension.USER: "user_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums over calls. Amounts are nano-dollars; unpriced calls are counted and are part of no amount."""

    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: NanoUSD = NanoUSD(0)  # noqa: RUF009 - an integer
    measured: NanoUSD = NanoUSD(0)  # noqa: RUF009
    estimated: NanoUSD = NanoUSD(0)  # noqa: RUF009
    measured_input_tokens: int = 0
    measured_output_tokens: int = 0
    unpriced_calls: int = 0

    @property
    def cost_per_call(self) -> NanoUSD | None:
        """The mean of the priced calls, rounded down; None without one."""
        priced = self.calls - self.unpriced_calls
        return NanoUSD(self.cost // priced) if priced else None


@dataclass(frozen=True, slots=True)
class Row:
    """The sums of one group, and what it has in common: a value for each dimension asked for."""

    dimensions: Mapping[str, str]
    figures: Figures


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Groups over a span: times ascending, then the dearest first."""

    total: Figures
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Today and this month in the costs' zone, whole and by provider."""

    day: str
    today: Figures
    month: Figures
    today_by_provider: Mapping[str, Figures]
    month_by_provider: Mapping[str, Figures]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which entries to list; what is empty or None matches all. `from_` is inclusive, `to` exclusive."""

    dimensions: Mapping[Dimension, str] = field(default_factory=dict)
    outcome: str = ""
    basis: str = ""
    trace_id: str = ""
    from_: Instant | None = None
    to: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One ledger entry."""

    id: str
    at: Instant
    timestamp: str
    provider: str
    model: str
    tool: str
    campaign_id: str
    account_id: str
    tenant_id: str
    user_id: str
    trace_id: str
    job_id: str
    outcome: str
    basis: str
    cost: NanoUSD | None
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    price_source: str
    price_date: str
    model_reported: str
    duration: int


@dataclass(frozen=True, slots=True)
class Calls:
    """A page of entries, newest first; `next` is the cursor of the following page."""

    rows: tuple[Call, ...]
    next: str | None


async def stats(reader: Reader, now: Instant, zone: ZoneInfo) -> Stats:
    """What today and this month have cost so far."""
    _, tomorrow = day_bounds(now, zone)
    today = await breakdown(reader, (Dimension.PROVIDER,), day_bounds(now, zone)[0], tomorrow, zone)
    month = await breakdown(reader, (Dimension.PROVIDER,), month_bounds(now, zone)[0], tomorrow, zone)
    return Stats(
        day=day_of(now, zone),
        today=today.total,
        month=month.total,
        today_by_provider={row.dimensions["provider"]: row.figures for row in today.rows},
        month_by_provider={row.dimensions["provider"]: row.figures for row in month.rows},
    )


async def breakdown(
    reader: Reader, by: Sequence[Dimension | str], from_: Instant, to: Instant, zone: ZoneInfo | None = None
) -> Breakdown:
    """Sums over [from_, to), exact to the minute, grouped by any dimensions; days and hours are cut in `zone` (UTC).

    Raises CommandRefused for an unknown dimension, or for more days or hours than anybody reads.
    """
    wanted = _dimensions(by)
    spans = list(islice(_spans(wanted, from_, to, zone or ZoneInfo("UTC")), _MOST_SPANS + 1))
    if len(spans) > _MOST_SPANS:
        raise CommandRefused(
            Refusal.INVALID, f"more than {_MOST_SPANS:,} periods are too many for one answer", field="from"
        )
    found = await reader.rows(_sums_by(wanted), (_pieces(spans),))
    rows = [_row(row, wanted, [label for label, _, _ in spans]) for row in found]
    return Breakdown(_total([row.figures for row in rows]), tuple(rows))


async def campaign_costs(reader: Reader, campaign_ids: Sequence[str]) -> dict[str, Figures]:
    """What campaigns have cost since they began; those without a call are left out."""
    found = await reader.rows(
        f"SELECT c.campaign_id, {_SUMS} FROM combinations c JOIN rollup_hours r ON r.combination = c.id"
        " WHERE c.campaign_id IN (SELECT value FROM json_each(?)) GROUP BY c.campaign_id",
        (orjson.dumps(list(campaign_ids)).decode(),),
    )
    return {row["campaign_id"]: _figures(row) for row in found}


async def minutes(
    reader: Reader, count: int, now: Instant, by: Sequence[Dimension | str] = (Dimension.PROVIDER,)
) -> dict[str, tuple[tuple[Instant, NanoUSD], ...]]:
    """Cost by minute over the `count` UTC minutes up to and with that of `now`, for each provider (joined by "/" for
    several dimensions): the start of each minute that saw a call, ascending, and its nano-dollars."""
    wanted = _dimensions(by)
    key = " || '/' || ".join(f"c.{_COLUMNS[dimension]}" for dimension in wanted)
    last = now // MINUTE
    found = await reader.rows(
        f"SELECT {key} AS name, r.minute, sum(r.cost) AS cost FROM rollup_minutes r"
        " JOIN combinations c ON c.id = r.combination WHERE r.minute > ? AND r.minute <= ?"
        " GROUP BY name, r.minute ORDER BY name, r.minute",
        (last - count, last),
    )
    history: dict[str, list[tuple[Instant, NanoUSD]]] = {}
    for row in found:
        history.setdefault(row["name"], []).append((Instant(row["minute"] * MINUTE), row["cost"]))
    return {name: tuple(entries) for name, entries in history.items()}


async def calls(reader: Reader, where: CallFilter, cursor: str = "", limit: int = 100) -> Calls:
    """Entries that match, newest first, at most 1,000; `cursor` is the `next` of the page before.

    Raises CommandRefused for a cursor that no page gave.
    """
    limit = max(1, min(limit, _MOST_ROWS))
    before = _cursor(cursor)
    if where.dimensions:
        rows = await _calls_of_some(reader, where, before, limit + 1)
    else:
        rows = await _calls_between(reader, where, before, where.from_ or 0, where.to or _EVER, "", limit + 1)
    found = tuple(Call(**{name: row[name] for name in _CALL_FIELDS}) for row in rows[:limit])
    more = f"{rows[limit - 1]['at']}.{rows[limit - 1]['number']}" if len(rows) > limit else None
    return Calls(found, more)


# ── spans ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_Span = tuple[str, int, int]  # local start of its hour, first minute, minute after the last (since the epoch)


def _dimensions(by: Sequence[Dimension | str]) -> tuple[Dimension, ...]:
    try:
        return tuple(dict.fromkeys(Dimension(name) for name in by))
    except ValueError as error:
        known = ", ".join(Dimension)
        raise CommandRefused(
            Refusal.INVALID, f"costs cannot be grouped so: {error}", field="by", remedy=f"Known: {known}"
        ) from error


def _spans(by: Sequence[Dimension], from_: Instant, to: Instant, zone: ZoneInfo) -> Iterator[_Span]:
    """The periods to keep apart, each with its label; a time in the middle of a minute takes the whole minute in."""
    first, last = from_ // MINUTE, -(-to // MINUTE)
    if Dimension.HOUR in by:
        cuts = _local_hours(first, last, zone)
    elif Dimension.DAY in by:
        cuts = _local_days(first, last, zone)
    else:
        cuts = iter((first, last))
    for start, end in pairwise(cuts):
        if start < end:
            yield (
                to_datetime(start * MINUTE).astimezone(zone).replace(minute=0).isoformat(timespec="minutes"),
                start,
                end,
            )


def _local_days(first: int, last: int, zone: ZoneInfo) -> Iterator[int]:
    """The first minute, every midnight of the zone in between, the last."""
    at = first
    while at < last:
        yield at
        at = max(at + 1, day_bounds(at * MINUTE, zone)[1] // MINUTE)
    yield last


def _local_hours(first: int, last: int, zone: ZoneInfo) -> Iterator[int]:
    """The first minute, every full hour of the zone's clocks in between, the last."""
    at = first
    while at < last:
        yield at
        local = to_datetime(at * MINUTE).astimezone(zone)
        at += _MINUTES_AN_HOUR - local.minute
    yield last


def _pieces(spans: Sequence[_Span]) -> str:
    """Spans as a JSON array of [index, kind, first, after the last]: whole hours as such, what is left as minutes."""
    pieces = [(index, *piece) for index, (_, first, last) in enumerate(spans) for piece in _split(first, last)]
    return orjson.dumps(pieces).decode()


def _split(first: int, last: int) -> Iterator[tuple[str, int, int]]:
    hour, end = -(-first // _MINUTES_AN_HOUR), last // _MINUTES_AN_HOUR
    if hour >= end:
        yield "minute", first, last
        return
    yield "hour", hour, end
    if first < hour * _MINUTES_AN_HOUR:
        yield "minute", first, hour * _MINUTES_AN_HOUR
    if end * _MINUTES_AN_HOUR < last:
        yield "minute", end * _MINUTES_AN_HOUR, last


# ── sums ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_SUMMED: Mapping[str, str] = {
    "calls": "calls",
    "failed": "failed_calls",
    "input_tokens": "input_tokens",
    "cached_tokens": "cached_tokens",
    "output_tokens": "output_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cost": "cost",
    "measured": "measured",
    "estimated": "estimated",
    "measured_input": "measured_input_tokens",
    "measured_output": "measured_output_tokens",
    "unpriced": "unpriced_calls",
}
_SUMS = ", ".join(f"sum(r.{column}) AS {name}" for column, name in _SUMMED.items())
_FIELDS = tuple(_SUMMED.values())


def _sums_by(by: Sequence[Dimension]) -> str:
    """The query of a breakdown. Sums are formed by combination first, so that the join meets each only once."""
    columns = ", ".join(_SUMMED)
    groups = [f"c.{_COLUMNS[dimension]}" for dimension in by if dimension not in _TIMES]
    return f"""
        WITH pieces AS MATERIALIZED (
            SELECT value ->> 0 AS span, value ->> 1 AS kind, value ->> 2 AS first, value ->> 3 AS last
            FROM json_each(?)
        ), parts AS (
            SELECT p.span, r.combination, {columns} FROM pieces p
            CROSS JOIN rollup_hours r ON p.kind = 'hour' AND r.hour >= p.first AND r.hour < p.last
            UNION ALL
            SELECT p.span, r.combination, {columns} FROM pieces p
            CROSS JOIN rollup_minutes r ON p.kind = 'minute' AND r.minute >= p.first AND r.minute < p.last
        ), r AS (
            SELECT span, combination, {", ".join(f"sum({column}) AS {column}" for column in _SUMMED)}
            FROM parts GROUP BY span, combination
        )
        SELECT {", ".join(["r.span", *groups])}, {_SUMS} FROM r JOIN combinations c ON c.id = r.combination
        GROUP BY {", ".join(["r.span", *groups])} ORDER BY {", ".join(["r.span", "sum(r.cost) DESC", *groups])}
    """


def _row(row: Any, by: Sequence[Dimension], labels: Sequence[str]) -> Row:
    label = labels[row["span"]]
    values = {
        dimension.value: _time_label(dimension, label) if dimension in _TIMES else row[_COLUMNS[dimension]]
        for dimension in by
    }
    return Row(values, _figures(row))


def _time_label(dimension: Dimension, label: str) -> str:
    """The day, which an hour's label begins with, or the hour."""
    return label[: len("2026-11-20")] if dimension is Dimension.DAY else label


def _figures(row: Any) -> Figures:
    return Figures(**{name: row[name] for name in _FIELDS})


def _total(rows: Sequence[Figures]) -> Figures:
    return Figures(**{name: sum(getattr(figures, name) for figures in rows) for name in _FIELDS})


# ── entries ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_EVER = (1 << 63) - 1
_CALL_FIELDS = tuple(Call.__dataclass_fields__)
_CALL_DIMENSIONS = ", ".join(f"c.{column}" for column in _COLUMNS.values())


def _cursor(cursor: str) -> tuple[int, int]:
    """The time and number that the next page's entries stand before."""
    if not cursor:
        return _EVER, 0
    try:
        at, number = cursor.split(".")
        return int(at), int(number)
    except ValueError as error:
        raise CommandRefused(Refusal.INVALID, "this cursor does not come from a page", field="cursor") from error


async def _calls_of_some(reader: Reader, where: CallFilter, before: tuple[int, int], limit: int) -> list[Any]:
    """The hourly sums say in which hours to look, so a rare dimension does not mean reading the whole ledger."""
    condition = " AND ".join(f"{_COLUMNS[Dimension(name)]} = ?" for name in where.dimensions)
    combinations = await reader.rows(f"SELECT id FROM combinations WHERE {condition}", tuple(where.dimensions.values()))
    members = orjson.dumps([row["id"] for row in combinations]).decode()
    first, last = where.from_ or 0, min(where.to or _EVER, before[0] + 1)
    hours = await reader.rows(
        "SELECT DISTINCT hour FROM rollup_hours WHERE combination IN (SELECT value FROM json_each(?))"
        " AND hour >= ? AND hour <= ? ORDER BY hour DESC",
        (members, first // HOUR, last // HOUR),
    )
    found: list[Any] = []
    for hour in (row["hour"] for row in hours):
        start, end = max(first, hour * HOUR), min(last, (hour + 1) * HOUR)
        found += await _calls_between(reader, where, before, start, end, members, limit - len(found))
        if len(found) >= limit:
            break
    return found


async def _calls_between(
    reader: Reader, where: CallFilter, before: tuple[int, int], first: int, last: int, members: str, limit: int
) -> list[Any]:
    conditions = ["e.at >= ?", "e.at < ?", "(e.at, e.number) < (?, ?)"]
    values: list[Any] = [first, last, *before]
    if members:
        conditions.append("e.combination IN (SELECT value FROM json_each(?))")
        values.append(members)
    for name in ("outcome", "basis", "trace_id"):
        if wanted := getattr(where, name):
            conditions.append(f"e.{name} = ?")
            values.append(wanted)
    return await reader.rows(
        f"SELECT e.*, {_CALL_DIMENSIONS} FROM entries e CROSS JOIN combinations c ON c.id = e.combination"
        f" WHERE {' AND '.join(conditions)} ORDER BY e.at DESC, e.number DESC LIMIT ?",
        (*values, limit),
    )
