"""What the AI calls cost, over HTTP: sums by dimension, and the figures of today and this month."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import get_args
from zoneinfo import ZoneInfo

from aiohttp import web

from engine.kernel.periods import day_bounds, day_of, month_bounds
from engine.kernel.values import NANOS_PER_USD, round_nanos
from engine.surface.queries import CostBreakdown, Page
from engine.surface.rows import BreakdownRow
from engine.surface.snapshot import Snapshot, SyncView, quantile
from huntaze_console.api.call import Call, answer
from huntaze_console.api.fields import moment_or_day
from huntaze_console.api.problems import invalid
from huntaze_console.api.shapes import (
    Breakdown,
    BreakdownLine,
    BreakdownRequest,
    CostStats,
    Dimension,
    ProviderSpend,
    Spend,
    SyncStatus,
    Thresholds,
)

_DIMENSIONS: tuple[str, ...] = get_args(Dimension)


async def breakdown(call: Call) -> web.Response:
    wanted = call.query(BreakdownRequest)
    zone = _zone(call)
    start, end = _instant("from", wanted.from_, zone), _instant("to", wanted.to, zone)
    if start is not None and end is not None and start >= end:
        raise invalid("from must lie before to", field="from")
    page: Page[BreakdownRow] = await call.desk.query(CostBreakdown(by=_dimensions(wanted.by), from_=start, to=end))
    return answer(Breakdown(total_usd=sum(row.cost for row in page.rows), rows=[_line(row) for row in page.rows]))


async def stats(call: Call) -> web.Response:
    """Today and this month from the ledger, thresholds and the sync's lag from the snapshot."""
    now, zone = call.office.clock.now(), _zone(call)
    month = await _by_provider(call, month_bounds(now, zone)[0])
    today = await _by_provider(call, day_bounds(now, zone)[0])
    snapshot = call.desk.snapshot()
    days = {row.dimensions["provider"]: row for row in today.rows}
    return answer(
        CostStats(
            as_of=today.as_of,
            time_zone=zone.key,
            day=day_of(now, zone),
            today=_spend(today.rows),
            month=_spend(month.rows),
            by_provider=[_provider_spend(row, days, snapshot) for row in month.rows],
            thresholds=Thresholds(day_usd=snapshot.money.day_threshold, month_usd=snapshot.money.month_threshold),
            sync=_sync(snapshot.sync, now),
        )
    )


async def _by_provider(call: Call, start: int) -> Page[BreakdownRow]:
    return await call.desk.query(CostBreakdown(by=("provider",), from_=start))


def _zone(call: Call) -> ZoneInfo:
    return ZoneInfo(call.desk.snapshot().engine.time_zone)


def _dimensions(given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(","))
    for name in names:
        if name not in _DIMENSIONS:
            remedy = f"Known: {', '.join(_DIMENSIONS)}"
            raise invalid(f"{name[:100]!r} is not a dimension", field="by", remedy=remedy)
    if len(set(names)) < len(names):
        raise invalid("by names a dimension twice", field="by")
    return names


def _instant(name: str, text: str | None, zone: ZoneInfo) -> int | None:
    if text is None:
        return None
    try:
        return moment_or_day(text, zone)
    except ValueError as error:
        raise invalid(f"{name} {error}", field=name) from error


def _line(row: BreakdownRow) -> BreakdownLine:
    sums = {
        "calls": row.calls,
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": row.cost,
        "measured_usd": row.measured,
        "estimated_usd": row.estimated,
        "measured_input_tokens": row.measured_input_tokens,
        "measured_output_tokens": row.measured_output_tokens,
        "unpriced_calls": row.unpriced_calls,
    }
    return BreakdownLine.model_validate({**row.dimensions, **sums})


def _provider_spend(row: BreakdownRow, days: dict[str, BreakdownRow], snapshot: Snapshot) -> ProviderSpend:
    provider = row.dimensions["provider"]
    models = (model for model in snapshot.models.values() if model.provider == provider)
    latencies = tuple(latency for model in models for latency in model.latencies)
    return ProviderSpend(
        provider=provider,
        today=_spend([days[provider]] if provider in days else []),
        month=_spend([row]),
        latency_p50_seconds=quantile(latencies, 0.5),
        latency_p95_seconds=quantile(latencies, 0.95),
    )


def _spend(rows: Iterable[BreakdownRow]) -> Spend:
    rows = list(rows)
    cost, calls = sum(row.cost for row in rows), sum(row.calls for row in rows)
    unpriced = sum(row.unpriced_calls for row in rows)
    inputs, outputs = sum(row.input_tokens for row in rows), sum(row.output_tokens for row in rows)
    priced = calls - unpriced
    return Spend(
        cost_usd=cost,
        measured_usd=sum(row.measured for row in rows),
        estimated_usd=sum(row.estimated for row in rows),
        calls=calls,
        failed_calls=sum(row.failed_calls for row in rows),
        unpriced_calls=unpriced,
        input_tokens=inputs,
        cached_tokens=sum(row.cached_tokens for row in rows),
        output_tokens=outputs,
        reasoning_tokens=sum(row.reasoning_tokens for row in rows),
        average_cost_usd=round_nanos(Decimal(cost) / NANOS_PER_USD / priced) if priced else None,
        average_input_tokens=inputs / calls if calls else None,
        average_output_tokens=outputs / calls if calls else None,
    )


def _sync(view: SyncView, now: int) -> SyncStatus:
    lag = max(0, now - view.oldest_at) if view.oldest_at is not None else 0
    return SyncStatus.model_validate(
        {"state": view.state, "unsynced": view.unsynced, "lag_seconds": lag, "error": view.error}
    )
