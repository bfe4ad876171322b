"""The pure projection: a snapshot and the next event give the next snapshot.

Embedded, attached and replayed screens all run this same function. An event at or before the snapshot's own sequence
number changes nothing, so repeats are harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from engine import events
from engine.events import Event, Recorded
from engine.kernel.periods import day_bounds, day_of, month_bounds
from engine.kernel.values import MINUTE
from engine.surface import alarms
from engine.surface.snapshot import (
    FINAL_CAMPAIGN_STATES,
    LATENCIES_KEPT,
    MINUTES_KEPT,
    AccountView,
    BrokerView,
    BudgetView,
    CampaignView,
    LevelView,
    ModelView,
    MoneyView,
    QueueView,
    RecoveryView,
    Snapshot,
    SyncView,
)

_ENDED_KEPT = 50  # ended campaigns a snapshot keeps, newest first


def apply(snapshot: Snapshot, recorded: Recorded) -> Snapshot:
    """The snapshot after an event."""
    if recorded.seq <= snapshot.seq:
        return snapshot
    return fold(snapshot, (recorded,))


def fold(snapshot: Snapshot, recorded: Sequence[Recorded]) -> Snapshot:
    """The snapshot after several events, in order: what applying one after the other gives, for less."""
    after, seq, at = snapshot, snapshot.seq, snapshot.at
    for one in recorded:
        if one.seq <= seq:
            continue
        event, seq = one.event, one.seq
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            after = handler(after, event)
        at = max(at, event.at)
    return after if seq == snapshot.seq else replace(after, seq=seq, at=at)


def turned(money: MoneyView, at: int, time_zone: str) -> MoneyView:
    """The money in the period that `at` falls in: today's sums restart with a new day, the month's with a new month."""
    if at < money.day_ends:
        return money
    zone = ZoneInfo(time_zone)
    month_over = at >= money.month_ends
    return replace(
        money,
        day=day_of(at, zone),
        day_ends=day_bounds(at, zone)[1],
        month_ends=month_bounds(at, zone)[1],
        today=0,
        today_calls=0,
        today_tokens=0,
        today_estimated=0,
        today_unpriced=0,
        today_saved=0,
        today_hits=0,
        today_kept=0,
        today_shared=0,
        month=0 if month_over else money.month,
        month_unpriced=0 if month_over else money.month_unpriced,
    )


def add_minute(minutes: tuple[tuple[int, int], ...], at: int, amount: int) -> tuple[tuple[int, int], ...]:
    """Cost history with an amount added to the minute of `at`; minutes older than the kept hour fall out."""
    minute = at - at % MINUTE
    if minutes and minutes[-1][0] == minute:
        return (*minutes[:-1], (minute, minutes[-1][1] + amount))
    if minutes and minutes[-1][0] > minute:
        return tuple((start, sum_ + amount if start == minute else sum_) for start, sum_ in minutes)
    oldest = minute - (MINUTES_KEPT - 1) * MINUTE
    return (*(entry for entry in minutes if entry[0] >= oldest), (minute, amount))


# ── one handler an event ────────────────────────────────────────────────────────────────────────────────────────────


def _engine_started(snapshot: Snapshot, event: events.EngineStarted) -> Snapshot:
    engine = replace(
        snapshot.engine,
        node=event.node,
        version=event.version,
        kind=event.kind,
        mode=event.mode,
        state="running",
        started_at=event.at,
    )
    return replace(snapshot, engine=engine, broker=BrokerView())


def _engine_draining(snapshot: Snapshot, event: events.EngineDraining) -> Snapshot:
    return replace(snapshot, engine=replace(snapshot.engine, state="draining"))


def _engine_stopped(snapshot: Snapshot, event: events.EngineStopped) -> Snapshot:
    return replace(snapshot, engine=replace(snapshot.engine, state="stopped"))


def _sending_halted(snapshot: Snapshot, event: events.SendingHalted) -> Snapshot:
    return replace(snapshot, engine=replace(snapshot.engine, halted_by=event.actor, halted_at=event.at))


def _sending_resumed(snapshot: Snapshot, event: events.SendingResumed) -> Snapshot:
    return replace(snapshot, engine=replace(snapshot.engine, halted_by="", halted_at=0))


def _service_level_changed(snapshot: Snapshot, event: events.ServiceLevelChanged) -> Snapshot:
    levels = {tool: view for tool, view in snapshot.levels.items() if tool != event.tool}
    if event.level != "full":
        levels[event.tool] = LevelView(level=event.level, reason=event.reason, since=event.at)
    return replace(snapshot, levels=levels)


def _settings_reloaded(snapshot: Snapshot, event: events.SettingsReloaded) -> Snapshot:
    return replace(snapshot, engine=replace(snapshot.engine, settings_error=""))


def _settings_rejected(snapshot: Snapshot, event: events.SettingsRejected) -> Snapshot:
    return replace(snapshot, engine=replace(snapshot.engine, settings_error=event.error))


def _period_turned(snapshot: Snapshot, event: events.PeriodTurned) -> Snapshot:
    return _in_period(snapshot, event.at)


def _in_period(snapshot: Snapshot, at: int) -> Snapshot:
    money = turned(snapshot.money, at, snapshot.engine.time_zone)
    if money is snapshot.money:
        return snapshot
    month_over = at >= snapshot.money.month_ends
    models = {
        key: replace(
            model,
            today=0,
            month=0 if month_over else model.month,
            calls=0,
            failed=0,
            unpriced=0,
            input_tokens=0,
            output_tokens=0,
        )
        for key, model in snapshot.models.items()
    }
    return replace(snapshot, money=money, models=models)


def _call_settled(snapshot: Snapshot, event: events.CallSettled) -> Snapshot:
    snapshot = _in_period(snapshot, event.at)
    cost = event.cost or 0
    unpriced = event.cost is None
    key = f"{event.provider}/{event.model}"
    model = snapshot.models.get(key) or ModelView(provider=event.provider, model=event.model)
    return replace(
        snapshot,
        money=_add_to_money(snapshot.money, event, cost, unpriced=unpriced),
        models={**snapshot.models, key: _add_to_model(model, event, cost, unpriced=unpriced)},
        campaigns=_add_to_campaign(snapshot.campaigns, event.campaign_id, cost, unpriced=unpriced),
    )


def _add_to_money(money: MoneyView, event: events.CallSettled, cost: int, *, unpriced: bool) -> MoneyView:
    return replace(
        money,
        today=money.today + cost,
        month=money.month + cost,
        today_calls=money.today_calls + 1,
        today_tokens=money.today_tokens + event.input_tokens + event.output_tokens,
        today_estimated=money.today_estimated + (cost if event.basis == "estimated" else 0),
        today_unpriced=money.today_unpriced + unpriced,
        month_unpriced=money.month_unpriced + unpriced,
        minutes=add_minute(money.minutes, event.at, cost),
    )


def _answers_kept(snapshot: Snapshot, event: events.AnswersKept) -> Snapshot:
    snapshot = _in_period(snapshot, event.at)
    money = snapshot.money
    return replace(snapshot, money=replace(money, today_kept=money.today_kept + event.answers))


def _answer_reused(snapshot: Snapshot, event: events.AnswerReused) -> Snapshot:
    return _saved(snapshot, event.at, event.saved, shared=1) if event.kind == "shared" else _hit(snapshot, event)


def _hit(snapshot: Snapshot, event: events.AnswerReused) -> Snapshot:
    after = _saved(snapshot, event.at, event.saved)
    return replace(after, money=replace(after.money, today_hits=after.money.today_hits + 1))


def _calls_shared(snapshot: Snapshot, event: events.CallsShared) -> Snapshot:
    return _saved(snapshot, event.at, event.saved, shared=event.callers - 1)


def _saved(snapshot: Snapshot, at: int, saved: int | None, *, shared: int = 0) -> Snapshot:
    snapshot = _in_period(snapshot, at)
    money = snapshot.money
    added = replace(money, today_saved=money.today_saved + (saved or 0), today_shared=money.today_shared + shared)
    return replace(snapshot, money=added)


def _add_to_model(model: ModelView, event: events.CallSettled, cost: int, *, unpriced: bool) -> ModelView:
    answered = event.outcome == "ok"
    return replace(
        model,
        today=model.today + cost,
        month=model.month + cost,
        calls=model.calls + 1,
        failed=model.failed + (not answered),
        unpriced=model.unpriced + unpriced,
        input_tokens=model.input_tokens + event.input_tokens,
        output_tokens=model.output_tokens + event.output_tokens,
        minutes=add_minute(model.minutes, event.at, cost),
        latencies=(*model.latencies, event.duration)[-LATENCIES_KEPT:] if answered else model.latencies,
        outcomes=(*model.outcomes, answered)[-LATENCIES_KEPT:],
        last_error=model.last_error if answered else event.outcome,
        last_error_at=model.last_error_at if answered else event.at,
    )


def _add_to_campaign(
    campaigns: Mapping[str, CampaignView], campaign_id: str, cost: int, *, unpriced: bool
) -> Mapping[str, CampaignView]:
    campaign = campaigns.get(campaign_id)
    if campaign is None:
        return campaigns
    changed = replace(campaign, cost=campaign.cost + cost, unpriced=campaign.unpriced + unpriced)
    return {**campaigns, campaign_id: changed}


def _breaker_changed(snapshot: Snapshot, event: events.BreakerChanged) -> Snapshot:
    key = f"{event.provider}/{event.model}"
    model = snapshot.models.get(key) or ModelView(provider=event.provider, model=event.model)
    changed = replace(
        model,
        breaker=event.state,
        breaker_reason=event.reason,
        breaker_since=event.at,
        breaker_held_by=event.held_by,
        retry_at=event.retry_at,
    )
    return replace(snapshot, models={**snapshot.models, key: changed})


def add_recovery(recoveries: Mapping[str, RecoveryView], event: events.FallbackTaken) -> Mapping[str, RecoveryView]:
    """The recoveries with one more of its tool."""
    known = recoveries.get(event.tool) or RecoveryView(tool=event.tool)
    changed = replace(
        known,
        count=known.count + 1,
        last_at=event.at,
        failed=f"{event.failed_provider}/{event.failed_model}",
        target=f"{event.provider}/{event.model}",
        reason=event.reason,
        latencies=(*known.latencies, event.recovery)[-LATENCIES_KEPT:],
    )
    return {**recoveries, event.tool: changed}


def _fallback_taken(snapshot: Snapshot, event: events.FallbackTaken) -> Snapshot:
    return replace(snapshot, recoveries=add_recovery(snapshot.recoveries, event))


def _queue_sampled(snapshot: Snapshot, event: events.QueueSampled) -> Snapshot:
    view = QueueView(
        queue=event.queue,
        ready=event.ready,
        delayed=event.delayed,
        leased=event.leased,
        parked=event.parked,
        dead=event.dead,
        oldest_at=event.oldest_at,
    )
    return replace(snapshot, queues={**snapshot.queues, event.queue: view})


def _account_seen(snapshot: Snapshot, event: events.AccountSeen) -> Snapshot:
    known = snapshot.accounts.get(event.account_id) or AccountView(account_id=event.account_id)
    return _with_account(snapshot, replace(known, name=event.name, limit=event.limit, window=event.window))


def _account_paused(snapshot: Snapshot, event: events.AccountPaused) -> Snapshot:
    return _with_account(snapshot, replace(_account(snapshot, event.account_id), paused=event.reason))


def _account_resumed(snapshot: Snapshot, event: events.AccountResumed) -> Snapshot:
    return _with_account(snapshot, replace(_account(snapshot, event.account_id), paused=""))


def _limit_adapted(snapshot: Snapshot, event: events.LimitAdapted) -> Snapshot:
    if event.layer != "account":
        return snapshot
    known = _account(snapshot, event.key)
    return _with_account(snapshot, replace(known, slowed_to=event.allowed, slowed_at=event.at, whole_at=event.whole_at))


def _slot_changed(snapshot: Snapshot, event: events.SlotTaken | events.SlotSettled) -> Snapshot:
    account = _account(snapshot, event.account_id)
    live = {slot: until for slot, until in account.slots.items() if until > event.at and slot != event.slot_id}
    if event.until > event.at:
        live[event.slot_id] = event.until
    return _with_account(snapshot, replace(account, slots=live))


def _account(snapshot: Snapshot, account_id: str) -> AccountView:
    return snapshot.accounts.get(account_id) or AccountView(account_id=account_id)


def _with_account(snapshot: Snapshot, account: AccountView) -> Snapshot:
    return replace(snapshot, accounts={**snapshot.accounts, account.account_id: account})


def _campaign_created(snapshot: Snapshot, event: events.CampaignCreated) -> Snapshot:
    counts = {"pending": event.fans - event.skipped, "skipped": event.skipped}
    view = CampaignView(
        campaign_id=event.campaign_id,
        name=event.name,
        account_id=event.account_id,
        tool=event.tool,
        state=event.state,
        created_at=event.at,
        starts_at=event.starts_at,
        budget=event.budget,
        counts={state: count for state, count in counts.items() if count},
    )
    return replace(snapshot, campaigns={**snapshot.campaigns, event.campaign_id: view})


def _campaign_moved(snapshot: Snapshot, event: events.CampaignMoved) -> Snapshot:
    campaign = snapshot.campaigns.get(event.campaign_id)
    if campaign is None:
        return snapshot
    if event.after in FINAL_CAMPAIGN_STATES:  # its budget is nobody's concern any more
        own = "campaign", event.campaign_id
        left = {name: view for name, view in snapshot.budgets.items() if (view.scope, view.key) != own}
        snapshot = replace(snapshot, budgets=left)
    changed = {**snapshot.campaigns, event.campaign_id: replace(campaign, state=event.after, reason=event.reason)}
    return replace(snapshot, campaigns=_without_long_ended(changed))


def _campaign_scheduled(snapshot: Snapshot, event: events.CampaignScheduled) -> Snapshot:
    campaign = snapshot.campaigns.get(event.campaign_id)
    if campaign is None:
        return snapshot
    changed = replace(campaign, starts_at=event.starts_at)
    return replace(snapshot, campaigns={**snapshot.campaigns, event.campaign_id: changed})


def _thresholds_changed(snapshot: Snapshot, event: events.ThresholdsChanged) -> Snapshot:
    money = replace(snapshot.money, day_threshold=event.day, month_threshold=event.month)
    return replace(snapshot, money=money)


def _without_long_ended(campaigns: Mapping[str, CampaignView]) -> Mapping[str, CampaignView]:
    """Those with sends that a person must settle stay until somebody did."""
    ended = [view for view in campaigns.values() if view.state in FINAL_CAMPAIGN_STATES and not view.unsettled]
    if len(ended) <= _ENDED_KEPT:
        return campaigns
    dropped = {view.campaign_id for view in sorted(ended, key=lambda view: view.created_at)[:-_ENDED_KEPT]}
    return {key: view for key, view in campaigns.items() if key not in dropped}


def _delivery_moved(snapshot: Snapshot, event: events.DeliveryMoved) -> Snapshot:
    return _move_deliveries(snapshot, event.campaign_id, event.before, event.after, 1)


def _deliveries_moved(snapshot: Snapshot, event: events.DeliveriesMoved) -> Snapshot:
    return _move_deliveries(snapshot, event.campaign_id, event.before, event.after, event.count)


def _move_deliveries(snapshot: Snapshot, campaign_id: str, before: str, after: str, count: int) -> Snapshot:
    campaign = snapshot.campaigns.get(campaign_id)
    if campaign is None:
        return snapshot
    counts = dict(campaign.counts)
    counts[before] = counts.get(before, 0) - count
    counts[after] = counts.get(after, 0) + count
    changed = replace(campaign, counts={state: number for state, number in counts.items() if number > 0})
    return replace(snapshot, campaigns={**snapshot.campaigns, campaign_id: changed})


def _budget_warned(snapshot: Snapshot, event: events.BudgetWarned) -> Snapshot:
    if event.scope == "campaign":
        campaign = snapshot.campaigns.get(event.key)
        if campaign is None or campaign.state in FINAL_CAMPAIGN_STATES:
            return snapshot
    view = BudgetView(
        scope=event.scope,
        key=event.key,
        window=event.window,
        percent=event.percent,
        limit=event.limit,
        spent=event.spent,
        resets_at=event.resets_at,
    )
    return replace(snapshot, budgets={**_running(snapshot.budgets, event.at), _budget_name(event): view})


def _budget_changed(snapshot: Snapshot, event: events.BudgetChanged) -> Snapshot:
    gone = _budget_name(event)
    return replace(snapshot, budgets={name: view for name, view in snapshot.budgets.items() if name != gone})


def _budget_name(event: events.BudgetWarned | events.BudgetChanged) -> str:
    return f"{event.scope}:{event.key}:{event.window}"


def _running(budgets: Mapping[str, BudgetView], at: int) -> Mapping[str, BudgetView]:
    """Those whose window is not over."""
    return {name: view for name, view in budgets.items() if view.resets_at is None or view.resets_at > at}


def _ledger_sync_sampled(snapshot: Snapshot, event: events.LedgerSyncSampled) -> Snapshot:
    view = SyncView(state=event.state, unsynced=event.unsynced, oldest_at=event.oldest_at, error=event.error)
    return replace(snapshot, sync=view)


def _broker_link_changed(snapshot: Snapshot, event: events.BrokerLinkChanged) -> Snapshot:
    since = snapshot.broker.since if snapshot.broker.state == event.state else event.at
    view = BrokerView(state=event.state, since=since, error=event.error, dropped=event.dropped)
    return replace(snapshot, broker=view)


_HANDLERS: Mapping[type[Event], Callable[[Snapshot, Any], Snapshot]] = {
    events.EngineStarted: _engine_started,
    events.EngineDraining: _engine_draining,
    events.EngineStopped: _engine_stopped,
    events.SendingHalted: _sending_halted,
    events.SendingResumed: _sending_resumed,
    events.ServiceLevelChanged: _service_level_changed,
    events.SettingsReloaded: _settings_reloaded,
    events.SettingsRejected: _settings_rejected,
    events.PeriodTurned: _period_turned,
    events.CallSettled: _call_settled,
    events.AnswersKept: _answers_kept,
    events.AnswerReused: _answer_reused,
    events.CallsShared: _calls_shared,
    events.BudgetChanged: _budget_changed,
    events.BudgetWarned: _budget_warned,
    events.BreakerChanged: _breaker_changed,
    events.FallbackTaken: _fallback_taken,
    events.QueueSampled: _queue_sampled,
    events.AccountSeen: _account_seen,
    events.AccountPaused: _account_paused,
    events.AccountResumed: _account_resumed,
    events.LimitAdapted: _limit_adapted,
    events.SlotTaken: _slot_changed,
    events.SlotSettled: _slot_changed,
    events.CampaignCreated: _campaign_created,
    events.CampaignMoved: _campaign_moved,
    events.CampaignScheduled: _campaign_scheduled,
    events.ThresholdsChanged: _thresholds_changed,
    events.DeliveryMoved: _delivery_moved,
    events.DeliveriesMoved: _deliveries_moved,
    events.AlertOpened: alarms.alert_opened,
    events.AlertUpdated: alarms.alert_updated,
    events.AlertAcknowledged: alarms.alert_acknowledged,
    events.AlertUnacknowledged: alarms.alert_unacknowledged,
    events.AlertsSilenced: alarms.alerts_silenced,
    events.SilenceEnded: alarms.silence_ended,
    events.AlertResolved: alarms.alert_resolved,
    events.LedgerSyncSampled: _ledger_sync_sampled,
    events.BrokerLinkChanged: _broker_link_changed,
}
