"""The first snapshot of a run, read from the database; every later one follows from events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

import orjson

from engine.alerts import live_silences, open_alerts
from engine.campaigns import store as campaigns
from engine.costs import EVER, find_budget, list_budgets
from engine.costs.breakdown import Dimension, Figures, breakdown, minutes
from engine.events import FallbackTaken, from_fields
from engine.kernel.periods import day_bounds, day_of, month_bounds
from engine.kernel.values import Instant
from engine.limiter import LimiterSettings
from engine.messaging import switch
from engine.orchestrator import reuse_between, standings
from engine.queue import JobStore
from engine.storage import Database, Reader
from engine.surface.projection import add_recovery
from engine.surface.snapshot import (
    MINUTES_KEPT,
    AccountView,
    BudgetView,
    CampaignView,
    EngineView,
    ModelView,
    MoneyView,
    QueueView,
    RecoveryView,
    Snapshot,
)

_EVENTS_SEARCHED = 20_000  # for recoveries
_LIVE = "SELECT campaign_id FROM campaigns WHERE state NOT IN ('finished', 'cancelled', 'failed')"
_ENDED = """
SELECT * FROM campaigns WHERE state IN ('finished', 'cancelled', 'failed') AND (
  campaign_id IN (
    SELECT campaign_id FROM campaigns WHERE state IN ('finished', 'cancelled', 'failed')
    ORDER BY campaign_id DESC LIMIT ?
  )
  OR EXISTS (
    SELECT 1 FROM deliveries WHERE deliveries.campaign_id = campaigns.campaign_id AND deliveries.state = 'uncertain'
  )
) ORDER BY campaign_id DESC
"""  # the newest, and whichever has sends to be settled
_ENDED_SHOWN = 20  # ended campaigns in the first snapshot, newest first


async def first_snapshot(
    database: Database,
    jobs: JobStore,
    *,
    epoch: str,
    engine: EngineView,
    thresholds: tuple[int | None, int | None],
    limiter: LimiterSettings,
    names: Mapping[str, str],
    now: Instant,
) -> Snapshot:
    """Everything as the tables have it, at one event id. Nothing may be writing yet."""
    zone = ZoneInfo(engine.time_zone)
    async with database.view() as reader:
        halted_by, halted_at = await switch.read_halt(reader)
        snapshot = Snapshot(
            epoch=epoch,
            seq=await reader.seq(),
            at=now,
            engine=replace(engine, halted_by=halted_by, halted_at=halted_at),
            money=await _money(reader, now, zone, thresholds),
            models=await _with_breakers(reader, await _models(reader, now, zone)),
            recoveries=await _recoveries(reader),
            accounts=await _accounts(reader, limiter, names, now),
            campaigns=await _campaigns(reader),
            alerts={view.alert_id: view for view in await open_alerts(reader, now)},
            silences={view.silence_id: view for view in await live_silences(reader, now)},
            budgets=await _budgets(reader, now),
        )
    return replace(snapshot, queues=await _queues(jobs))


async def _budgets(reader: Reader, now: Instant) -> dict[str, BudgetView]:
    live = {row["campaign_id"] for row in await reader.rows(_LIVE)}
    own = [await find_budget(reader, "campaign", campaign_id) for campaign_id in live]
    every = [*await list_budgets(reader, "UTC", now), *(one for one in own if one is not None)]
    found = [one for one in every if one.warned and (one.kind != "campaign" or one.key in live)]
    return {
        f"{one.name}:{one.window}": BudgetView(
            scope=one.kind,
            key=one.key,
            window=one.window,
            percent=one.warned,
            limit=one.limit,
            spent=one.spent,
            resets_at=None if one.ends == EVER else one.ends,
        )
        for one in found
    }


async def _money(reader: Reader, now: Instant, zone: ZoneInfo, thresholds: tuple[int | None, int | None]) -> MoneyView:
    day_start, day_end = day_bounds(now, zone)
    month_start, month_end = month_bounds(now, zone)
    today = (await breakdown(reader, (), day_start, day_end, zone)).total
    month = (await breakdown(reader, (), month_start, day_end, zone)).total
    reuse = await reuse_between(reader, day_start, day_end)
    history: dict[int, int] = {}
    for entries in (await minutes(reader, MINUTES_KEPT, now)).values():
        for start, cost in entries:
            history[start] = history.get(start, 0) + cost
    return MoneyView(
        day=day_of(now, zone),
        day_ends=day_end,
        month_ends=month_end,
        today=today.cost,
        month=month.cost,
        today_calls=today.calls,
        today_tokens=today.input_tokens + today.output_tokens,
        today_estimated=today.estimated,
        today_unpriced=today.unpriced_calls,
        month_unpriced=month.unpriced_calls,
        today_saved=reuse.saved,
        today_hits=reuse.hits,
        today_kept=reuse.kept,
        today_shared=reuse.shared,
        day_threshold=thresholds[0],
        month_threshold=thresholds[1],
        minutes=tuple(sorted(history.items())),
    )


async def _models(reader: Reader, now: Instant, zone: ZoneInfo) -> dict[str, ModelView]:
    by = (Dimension.PROVIDER, Dimension.MODEL)
    day_start, day_end = day_bounds(now, zone)
    month_start, _ = month_bounds(now, zone)
    today = {_key(row.dimensions): row.figures for row in (await breakdown(reader, by, day_start, day_end, zone)).rows}
    month = (await breakdown(reader, by, month_start, day_end, zone)).rows
    history = await minutes(reader, MINUTES_KEPT, now, by)
    return {
        _key(row.dimensions): _model(row.dimensions, today.get(_key(row.dimensions)), row.figures, history)
        for row in month
    }


async def _with_breakers(reader: Reader, models: dict[str, ModelView]) -> dict[str, ModelView]:
    """The models, with those breakers that a run before this one left open or held."""
    for one in await standings(reader):
        key = str(one.target)
        model = models.get(key) or ModelView(provider=one.target.provider, model=one.target.model)
        models[key] = replace(
            model,
            breaker=str(one.state),
            breaker_reason=one.reason,
            breaker_since=one.since,
            breaker_held_by=one.held_by,
            retry_at=one.retry_at,
        )
    return models


async def _recoveries(reader: Reader) -> Mapping[str, RecoveryView]:
    """The newest recoveries, as far as they stand among the last events."""
    found: Mapping[str, RecoveryView] = {}
    since = await reader.seq() - _EVENTS_SEARCHED
    sql = "SELECT data FROM events WHERE seq > ? AND kind = 'FallbackTaken' ORDER BY seq"
    for row in await reader.rows(sql, (since,)):
        event = from_fields("FallbackTaken", orjson.loads(row["data"]))
        if isinstance(event, FallbackTaken):
            found = add_recovery(found, event)
    return found


def _key(dimensions: Mapping[str, str]) -> str:
    return f"{dimensions['provider']}/{dimensions['model']}"


def _model(
    dimensions: Mapping[str, str],
    today: Figures | None,
    month: Figures,
    history: Mapping[str, tuple[tuple[Instant, int], ...]],
) -> ModelView:
    figures = today or Figures()
    return ModelView(
        provider=dimensions["provider"],
        model=dimensions["model"],
        today=figures.cost,
        month=month.cost,
        calls=figures.calls,
        failed=figures.failed_calls,
        unpriced=figures.unpriced_calls,
        input_tokens=figures.input_tokens,
        output_tokens=figures.output_tokens,
        minutes=history.get(_key(dimensions), ()),
    )


async def _accounts(
    reader: Reader, limiter: LimiterSettings, names: Mapping[str, str], now: int
) -> dict[str, AccountView]:
    slots: dict[str, dict[str, int]] = {}
    for row in await reader.rows("SELECT * FROM slots WHERE until > ?", (now,)):
        slots.setdefault(row["account_id"], {})[row["slot_id"]] = row["until"]
    rows = await reader.rows("SELECT account_id, paused FROM accounts ORDER BY account_id")
    return {row["account_id"]: _account(row["account_id"], row["paused"], slots, limiter, names) for row in rows}


def _account(
    account_id: str,
    paused: str,
    slots: Mapping[str, Mapping[str, int]],
    limiter: LimiterSettings,
    names: Mapping[str, str],
) -> AccountView:
    limit = limiter.of(account_id)
    return AccountView(
        account_id=account_id,
        name=names.get(account_id, account_id),
        limit=limit.messages,
        window=limit.width,
        slots=slots.get(account_id, {}),
        paused=paused,
    )


async def _campaigns(reader: Reader) -> dict[str, CampaignView]:
    live = await reader.rows(
        "SELECT * FROM campaigns WHERE state NOT IN ('finished', 'cancelled', 'failed') ORDER BY campaign_id"
    )
    ended = await reader.rows(_ENDED, (_ENDED_SHOWN,))
    views = await campaigns.views_of(reader, [*live, *ended])
    return {view.campaign_id: view for view in views}


async def _queues(jobs: JobStore) -> dict[str, QueueView]:
    found = {}
    for queue in await jobs.queues():
        depth = await jobs.depth(queue)
        found[queue] = QueueView(
            queue=queue,
            ready=depth.ready,
            delayed=depth.delayed,
            leased=depth.leased,
            parked=depth.parked,
            dead=depth.dead,
            oldest_at=depth.oldest_at,
        )
    return found
