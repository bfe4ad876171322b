"""What each event says to a person: one sentence, and how much it matters. The text is not cleaned yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine import events
from engine.events import Event
from engine.surface.snapshot import Snapshot
from screens.drawing import state
from screens.formatting import clock_exact, moment, money_short, percent, plural, price
from screens.view import View

Said = tuple[str, str]
"""The words, and their tone: bad and warn matter, dim does not."""


def told(event: Event, view: View) -> Said:
    """What an event says. Of a kind unknown here, its name in words."""
    teller = _TELLERS.get(type(event))
    return teller(event, view) if teller is not None else (split(type(event).__name__), "dim")


def split(name: str) -> str:
    """EngineStarted → engine started."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _campaign(campaign_id: str, view: View) -> str:
    return _named(view.snapshot, campaign_id)


def _named(snapshot: Snapshot, campaign_id: str) -> str:
    known = snapshot.campaigns.get(campaign_id)
    return known.name if known else campaign_id


# ── calls and money ─────────────────────────────────────────────────────────────────────────────────────────────────


def _call(event: events.CallSettled, _view: View) -> Said:
    what = price(event.cost) if event.outcome == "ok" else event.outcome.replace("_", " ")
    return f"{event.provider} {event.model} {event.tool} {what}", "plain" if event.outcome == "ok" else "warn"


def _fallback(event: events.FallbackTaken, _view: View) -> Said:
    why = event.reason.replace("_", " ")
    return f"fell back to {event.provider} {event.model}: {event.failed_provider} {why}", "warn"


def _reused(event: events.AnswerReused, _view: View) -> Said:
    saved = f", {price(event.saved)} saved" if event.saved else ""
    return f"{event.tool} answered from what is kept{saved}", "ok"


def _shared(event: events.CallsShared, _view: View) -> Said:
    return f"{event.tool}: one call answered {event.callers:,} who asked the same", "ok"


def _level(event: events.ServiceLevelChanged, _view: View) -> Said:
    tone = "ok" if event.level == "full" else "warn"
    return f"{event.tool} is served at the level {event.level}: {event.reason}", tone


def _budget(event: events.BudgetWarned, view: View) -> Said:
    name = _campaign(event.key, view) if event.scope == "campaign" else event.key
    whose = f"{event.scope} {name}".strip()
    used = percent(event.spent, event.limit)
    tone = "bad" if event.percent >= 100 else "warn"
    return f"budget {whose}, {event.window}: {event.percent} % reached, {used} of {money_short(event.limit)}", tone


def _budget_set(event: events.BudgetChanged, view: View) -> Said:
    name = _campaign(event.key, view) if event.scope == "campaign" else event.key
    whose = f"{event.scope} {name}".strip()
    now = f"is {money_short(event.limit)}" if event.limit is not None else "is gone"
    return f"budget {whose}, {event.window} {now}", "accent"


def _route(event: events.RouteChanged, _view: View) -> Said:
    return f"{event.tool} is routed {event.strategy} over {event.chain} by {event.actor}", "accent"


def _breaker(event: events.BreakerChanged, _view: View) -> Said:
    words = f"breaker {event.state.replace('_', ' ')}: {event.provider} {event.model} {event.reason}"
    return words, state(event.state)[1]


def _rated(event: events.CallRated, _view: View) -> Said:
    return f"{event.actor} rated an answer of {event.provider} {event.model} {event.score} of 5", "plain"


def _drill(event: events.DrillEnded, _view: View) -> Said:
    left = f", {plural(event.unserved, 'tool')} unserved" if event.unserved else ""
    words = f"drill: {event.down} down, {event.taken_over} of {plural(event.tools, 'tool')} taken over{left}"
    return words, "warn" if event.unserved else "ok"


def _flag(event: events.FlagChanged, _view: View) -> Said:
    return f"flag {event.name}: {event.before} → {event.after} by {event.actor}", "accent"


# ── queues, accounts and campaigns ──────────────────────────────────────────────────────────────────────────────────


def _queue(event: events.QueueSampled, _view: View) -> Said:
    words = f"{event.queue}: {event.ready:,} ready, {event.leased:,} leased, {event.delayed:,} delayed"
    return words + (f", {event.dead:,} dead" if event.dead else ""), "dim"


def _died(event: events.JobDied, _view: View) -> Said:
    return f"job {event.job_id} of {event.queue} died: {event.cause}", "bad"


def _adapted(event: events.LimitAdapted, view: View) -> Said:
    slower = f"{event.layer} {event.key} throttled: {event.allowed:,} of {event.limit:,} a window for now"
    return f"{slower}, whole again at {clock_exact(event.whole_at, view.zone)}", "warn"


def _delivery(event: events.DeliveryMoved, _view: View) -> Said:
    _, tone, word = state(event.after)
    return f"{event.account_id} → {event.fan_id} {word} {event.reason}", tone


def _deliveries(event: events.DeliveriesMoved, view: View) -> Said:
    _, tone, word = state(event.after)
    return f"{_campaign(event.campaign_id, view)}: {plural(event.count, 'message')} {word} {event.reason}", tone


def _moved(event: events.CampaignMoved, view: View) -> Said:
    words = f"campaign {_campaign(event.campaign_id, view)} {event.after.replace('_', ' ')} {event.reason}"
    return words, "bad" if event.after == "failed" else "accent"


def _step(event: events.WorkflowStepMoved, view: View) -> Said:
    tone = "bad" if event.after == "failed" else "dim"
    return f"campaign {_campaign(event.campaign_id, view)}: step {event.step} {event.after}", tone


# ── alerts and people ───────────────────────────────────────────────────────────────────────────────────────────────


def _opened(event: events.AlertOpened, _view: View) -> Said:
    return f"alert: {event.summary}", state(event.severity)[1]


def _updated(event: events.AlertUpdated, _view: View) -> Said:
    return f"alert: {event.summary}", state(event.severity)[1]


def _unsent(event: events.NotificationFailed, _view: View) -> Said:
    again = "given up" if event.final else "tried again"
    return f"a notice by {event.channel} failed, {again}: {event.error}", "bad" if event.final else "warn"


def _action(event: events.ActionTaken, _view: View) -> Said:
    tone = "accent" if event.outcome in ("done", "ok") else "warn"
    return f"{event.actor} by {event.via}: {event.summary or split(event.action)}", tone


def _sync(event: events.LedgerSyncSampled, _view: View) -> Said:
    words = f"DynamoDB copy {event.state}, {event.unsynced:,} unsynced {event.error}"
    return words, {"failing": "bad", "behind": "warn"}.get(event.state, "dim")


def _broker(event: events.BrokerLinkChanged, _view: View) -> Said:
    return f"MQTT broker {event.state} {event.error}", "ok" if event.state == "connected" else "warn"


def _silenced(event: events.AlertsSilenced, view: View) -> Said:
    what = " ".join(part for part in (event.severity, event.rule, event.subject) if part) or "every alert"
    return f"{event.actor} silenced {what} until {clock_exact(event.ends_at, view.zone)}: {event.reason}", "warn"


def _scheduled(event: events.CampaignScheduled, view: View) -> Said:
    when = moment(event.starts_at, view.now, view.zone)
    return f"campaign {_campaign(event.campaign_id, view)} starts {when}, by {event.actor}", "accent"


def _thresholds(event: events.ThresholdsChanged, _view: View) -> Said:
    day, month = (money_short(limit) if limit is not None else "none" for limit in (event.day, event.month))
    return f"thresholds: {day} a day, {month} a month, by {event.actor}", "accent"


def _shadow(event: events.ShadowChanged, _view: View) -> Said:
    on = f"{event.provider} {event.model} is tried on {event.percentage:g} % of {event.tool}"
    return (on if event.percentage else f"{event.provider} {event.model} is no longer tried on {event.tool}"), "accent"


def _compared(event: events.ShadowCompared, _view: View) -> Said:
    return f"{event.tool}: {event.shadow_provider} {event.shadow_model} on trial: {event.outcome}", "dim"


def _concurrency(event: events.ConcurrencyChanged, _view: View) -> Said:
    return f"{event.stage}: {event.concurrency:,} of {event.ceiling:,} tasks at once: {event.reason}", "dim"


def _rejected(event: events.SettingsRejected, _view: View) -> Said:
    return f"settings rejected: {event.error}", "bad"


def _as(words: Callable[[Any], str], tone: str) -> Callable[[Any, View], Said]:
    """A teller whose tone never differs."""
    return lambda event, _view: (words(event), tone)


_TELLERS: Mapping[type[Event], Callable[[Any, View], Said]] = {
    events.CallSettled: _call, events.FallbackTaken: _fallback, events.AnswerReused: _reused,
    events.CallsShared: _shared, events.ServiceLevelChanged: _level, events.BudgetWarned: _budget,
    events.BudgetChanged: _budget_set, events.RouteChanged: _route, events.BreakerChanged: _breaker,
    events.CallRated: _rated, events.DrillEnded: _drill, events.FlagChanged: _flag,
    events.QueueSampled: _queue, events.JobDied: _died, events.LimitAdapted: _adapted,
    events.DeliveryMoved: _delivery, events.DeliveriesMoved: _deliveries, events.CampaignMoved: _moved,
    events.WorkflowStepMoved: _step, events.AlertOpened: _opened, events.AlertUpdated: _updated,
    events.NotificationFailed: _unsent, events.ActionTaken: _action, events.LedgerSyncSampled: _sync,
    events.BrokerLinkChanged: _broker, events.SettingsRejected: _rejected, events.AlertsSilenced: _silenced,
    events.CampaignScheduled: _scheduled, events.ThresholdsChanged: _thresholds, events.ShadowChanged: _shadow,
    events.ShadowCompared: _compared, events.ConcurrencyChanged: _concurrency,
    events.SilenceEnded: _as(lambda event: f"a silence ended{f', by {event.actor}' if event.actor else ''}", "accent"),
    events.AlertUnacknowledged: _as(lambda event: f"{event.actor} took an acknowledgement back", "accent"),
    events.CampaignCreated: _as(lambda event: f"campaign {event.name} created, {event.fans:,} fans", "accent"),
    events.AlertResolved: _as(lambda _: "an alert is resolved", "ok"),
    events.AlertAcknowledged: _as(lambda event: f"{event.actor} acknowledged an alert", "accent"),
    events.AccountSeen: _as(lambda event: f"account {event.name} may send {event.limit:,} a window", "dim"),
    events.AccountPaused: _as(lambda event: f"account {event.account_id} paused: {event.reason}", "warn"),
    events.AccountResumed: _as(lambda event: f"account {event.account_id} sends again, by {event.actor}", "ok"),
    events.SendingHalted: _as(lambda event: f"sending halted by {event.actor}", "bad"),
    events.SendingResumed: _as(lambda event: f"sending resumed by {event.actor}", "ok"),
    events.SlotTaken: _as(lambda event: f"{event.account_id} took a slot", "dim"),
    events.SlotSettled: _as(lambda event: f"{event.account_id} settled a slot", "dim"),
    events.AnswersKept: _as(lambda event: f"{event.tool}: {plural(event.answers, 'answer')} kept", "dim"),
    events.EngineStarted: _as(lambda event: f"engine started: {event.kind} {event.node} {event.version}", "ok"),
    events.EngineDraining: _as(lambda event: f"engine draining: {event.reason}", "warn"),
    events.EngineStopped: _as(lambda event: f"engine stopped, {event.parked:,} jobs handed back", "warn"),
    events.PeriodTurned: _as(lambda event: f"a new day began: {event.day}", "dim"),
    events.SettingsReloaded: _as(lambda event: f"settings taken: {event.changed}", "accent"),
    events.NotificationSent: _as(lambda event: f"a notice went out by {event.channel}: {event.kind}", "dim"),
    events.KeyCreated: _as(lambda event: f"key {event.name} {event.prefix} created by {event.actor}", "accent"),
    events.KeyRevoked: _as(lambda event: f"key {event.name} {event.prefix} revoked by {event.actor}", "accent"),
}  # fmt: skip
