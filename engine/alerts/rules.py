"""The rules: what of a snapshot is a condition somebody must know of, and since when it holds.

A *condition* is what a rule sees in one snapshot. It *fires* once it lasted its `hold`, and goes on firing until it was
gone for its `clear`; both are kept by a `Memory`, a value, so that the whole is pure. Summaries quote names and reasons
from outside: they are cleaned here, once.

Two rules look at things that wait by design. The sending queue waits for hours at 10 messages a minute, so its age
means nothing; what is judged is whether nothing moves although an account has a free slot. A full window is the
expected state of every larger campaign: it is information, with the time at which the last message leaves, and a
warning only when that is half a day away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from engine.alerts.alert import Alert, Firing, Key, Rule, Severity
from engine.alerts.settings import AlertSettings
from engine.alerts.wording import account_name, count, doublings, listed, model_name, quote, span, tens, usd
from engine.kernel.values import HOUR
from engine.surface.projection import turned
from engine.surface.snapshot import AccountView, ModelView, QueueView, Snapshot, finish_at

_BUDGET_SEVERITY = {50: Severity.INFO, 80: Severity.WARNING, 100: Severity.CRITICAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something a rule sees now."""

    rule: Rule
    subject: str = ""
    severity: Severity
    summary: str
    gist: str = ""
    hold: int = 0  # nanoseconds it must last before it fires
    blink: int = 0  # nanoseconds it may be unseen meanwhile without beginning anew
    clear: int = 0  # nanoseconds it must be gone before it stops firing; 0 for what a person or the calendar ends

    @property
    def key(self) -> Key:
        return self.rule, self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A condition over time."""

    condition: Condition
    since: int
    fired: bool = False
    gone_since: int | None = None  # first look that did not find it any more; None while it is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the looks before this one saw. `openings` are instants, ascending, of the alerts opened of late."""

    held: Mapping[Key, Held] = field(default_factory=dict)
    openings: Mapping[Key, tuple[int, ...]] = field(default_factory=dict)

    @property
    def firings(self) -> tuple[Firing, ...]:
        return tuple(_firing(held) for held in self.held.values() if held.fired)

    @classmethod
    def restored(
        cls, alerts: Iterable[Alert], openings: Mapping[Key, tuple[int, ...]], settings: AlertSettings
    ) -> Memory:
        """Go on where an earlier process stopped: its open alerts fire until their conditions are seen to be gone."""
        held = {
            alert.key: Held(
                condition=Condition(
                    rule=alert.rule,
                    subject=alert.subject,
                    severity=alert.severity,
                    summary=alert.summary,
                    gist=alert.gist,
                    clear=_clear(alert.rule, settings),
                ),
                since=alert.opened_at,
                fired=True,
            )
            for alert in alerts
        }
        return cls(held=held, openings=openings)


def evaluate(snapshot: Snapshot, settings: AlertSettings, now: int, memory: Memory) -> tuple[Firing, ...]:
    """What fires at an instant."""
    return observe(snapshot, settings, now, memory).firings


def observe(snapshot: Snapshot, settings: AlertSettings, now: int, memory: Memory) -> Memory:
    """The memory after a look at a snapshot."""
    seen = {condition.key: condition for condition in conditions(snapshot, settings, now)}
    held = {key: _present(memory.held.get(key), condition, now) for key, condition in seen.items()}
    for key, before in memory.held.items():
        if key not in seen and (kept := _absent(before, memory, settings, now)) is not None:
            held[key] = kept
    openings = dict(memory.openings)
    for key, one in held.items():
        if one.fired and not (key in memory.held and memory.held[key].fired):
            recent = (at for at in openings.get(key, ()) if at > now - settings.flap_window)
            openings[key] = (*recent, now)
    return Memory(held=held, openings=openings)


def conditions(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    """Everything the rules see in a snapshot."""
    for rule in _RULES:
        yield from rule(snapshot, settings, now)


# ── conditions over time ────────────────────────────────────────────────────────────────────────────────────────────


def _present(before: Held | None, condition: Condition, now: int) -> Held:
    since = before.since if before else now
    fired = (before is not None and before.fired) or now - since >= condition.hold
    return Held(condition=condition, since=since, fired=fired)


def _absent(before: Held, memory: Memory, settings: AlertSettings, now: int) -> Held | None:
    """Keep what may only have blinked; None once it is really gone."""
    gone_since = now if before.gone_since is None else before.gone_since
    patience = _patience(before, memory, settings, now) if before.fired else before.condition.blink
    return replace(before, gone_since=gone_since) if now - gone_since < patience else None


def _patience(held: Held, memory: Memory, settings: AlertSettings, now: int) -> int:
    """Nanoseconds a firing condition must be gone. Flap control: much longer for one that keeps coming back."""
    clear = held.condition.clear
    recent = [at for at in memory.openings.get(held.condition.key, ()) if at > now - settings.flap_window]
    return max(clear, settings.flap_clear) if clear and len(recent) >= settings.flaps else clear


def _firing(held: Held) -> Firing:
    condition = held.condition
    return Firing(
        rule=condition.rule,
        subject=condition.subject,
        severity=condition.severity,
        summary=condition.summary,
        since=held.since,
        gist=condition.gist,
    )


def _clear(rule: Rule, settings: AlertSettings) -> int:
    """Nanoseconds a rule's condition must be gone: none where a person or the calendar ends it, not a measurement."""
    if rule is Rule.ERROR_RATE:
        return max(settings.clear, settings.error_window)
    measured = (
        Rule.BREAKER_OPEN,
        Rule.QUEUE_AGE,
        Rule.LIMITER_SATURATED,
        Rule.SYNC_BEHIND,
        Rule.BROKER_AWAY,
        Rule.SERVICE_LEVEL,
    )
    return settings.clear if rule in measured else 0


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _costs(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    money = turned(snapshot.money, now, snapshot.engine.time_zone)
    if condition := _cost(Rule.DAY_COST, "today", money.today, settings.day_threshold, settings):
        yield condition
    if condition := _cost(Rule.MONTH_COST, "this month", money.month, settings.month_threshold, settings):
        yield condition


def _cost(rule: Rule, period: str, spent: int, threshold: int | None, settings: AlertSettings) -> Condition | None:
    if not threshold or spent * 100 < threshold * settings.early_percent:
        return None
    percent = spent * 100 // threshold
    reached = percent >= 100
    meaning = "nothing is stopped by it" if reached else f"{usd(threshold - spent)} are left before it is reached"
    return Condition(
        rule=rule,
        severity=Severity.CRITICAL if reached else Severity.WARNING,
        summary=f"{usd(spent)} were spent {period}, {percent} % of the threshold of {usd(threshold)}: {meaning}.",
        gist=tens(percent),
    )


def _budgets(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    """Hard limits at their thresholds. A campaign says itself when its own total is spent."""
    for name, budget in snapshot.budgets.items():
        over = budget.resets_at is not None and now >= budget.resets_at
        if over or (budget.scope, budget.window) == ("campaign", "total"):
            continue
        whose = quote(f"the {budget.scope} {budget.key}") if budget.key else "everything together"
        span = "in total" if budget.window == "total" else f"this {budget.window}"
        if budget.percent < 100:
            meaning = f"{budget.percent} % of its limit of {usd(budget.limit)} are spent"
        else:
            meaning = f"its limit of {usd(budget.limit)} is used up, and calls that do not fit are held back"
        yield Condition(
            rule=Rule.BUDGET,
            subject=name,
            severity=_BUDGET_SEVERITY.get(budget.percent, Severity.WARNING),
            summary=f"The budget of {whose}: {meaning} {span}.",
            gist=str(budget.percent),
        )


def _unpriced(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    money = turned(snapshot.money, now, snapshot.engine.time_zone)
    if not money.today_unpriced:
        return
    models = [f"{model.provider}/{model.model}" for model in snapshot.models.values() if model.unpriced]
    calls = count(money.today_unpriced, "call")
    yield Condition(
        rule=Rule.UNPRICED_CALLS,
        severity=Severity.WARNING,
        summary=f"{calls} of today have no known price ({listed(models)}): real spending is higher than every sum"
        " shown, until a price is configured.",
        gist=doublings(money.today_unpriced),
    )


# ── providers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _error_rates(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    for model in snapshot.models.values():
        calls, failed = len(model.outcomes), model.outcomes.count(False)
        fresh = now - model.last_error_at < settings.error_window
        if fresh and failed > 1 and calls >= settings.error_least_calls and failed >= settings.error_rate * calls:
            yield _error_rate(model, calls, failed, settings)


def _error_rate(model: ModelView, calls: int, failed: int, settings: AlertSettings) -> Condition:
    critical = failed >= max(settings.error_rate_critical, settings.error_rate) * calls
    percent = failed * 100 // calls
    return Condition(
        rule=Rule.ERROR_RATE,
        subject=model_name(model),
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        summary=f"{failed} of the newest {calls} calls to {model_name(model)} failed ({percent} %, last:"
        f" {quote(model.last_error) or 'unknown'}): its texts come late, or dearer from a fallback.",
        gist=tens(percent),
        clear=_clear(Rule.ERROR_RATE, settings),
    )


def _breakers(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    """Half open counts as open: the probes have not been answered yet."""
    used = [model for model in snapshot.models.values() if model.calls or model.breaker != "closed"]
    none_left = bool(used) and all(model.breaker == "open" for model in used)
    for model in used:
        if model.breaker != "closed":
            yield _breaker(model, settings, none_left=none_left)


def _breaker(model: ModelView, settings: AlertSettings, *, none_left: bool) -> Condition:
    meaning = "no model in use is left, so no text is written" if none_left else "its work goes to the fallbacks"
    reason = f" ({quote(model.breaker_reason)})" if model.breaker_reason else ""
    return Condition(
        rule=Rule.BREAKER_OPEN,
        subject=model_name(model),
        severity=Severity.CRITICAL if none_left else Severity.WARNING,
        summary=f"{model_name(model)} is not called any more{reason}: {meaning}.",
        gist="none left" if none_left else "",
        clear=_clear(Rule.BREAKER_OPEN, settings),
    )


# ── queues ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _queue_ages(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    for queue in snapshot.queues.values():
        if queue.queue in settings.paced_queues:
            if queue.ready and not queue.leased and _could_send(snapshot, now):
                yield _stalled(queue, settings)
        elif queue.ready and queue.oldest_at is not None and now - queue.oldest_at >= settings.queue_age:
            yield _aged(queue, now - queue.oldest_at, settings)


def _could_send(snapshot: Snapshot, now: int) -> bool:
    """Somebody with messages waiting has a free slot and may use it."""
    if snapshot.engine.halted_by or snapshot.engine.state != "running":
        return False
    accounts = (snapshot.accounts.get(account_id) for account_id in _waiting(snapshot))
    return any(account is not None and not account.paused and account.free(now) for account in accounts)


def _stalled(queue: QueueView, settings: AlertSettings) -> Condition:
    return Condition(
        rule=Rule.QUEUE_AGE,
        subject=quote(queue.queue),
        severity=Severity.CRITICAL,
        summary=f"{count(queue.ready, 'message')} of {quote(queue.queue)} may go out and none did for"
        f" {span(settings.queue_age)}, although an account has a free slot: sending stands still.",
        gist="stalled",
        hold=settings.queue_age,
        clear=settings.clear,
    )


def _aged(queue: QueueView, age: int, settings: AlertSettings) -> Condition:
    idle = not queue.leased
    meaning = "and nothing works on it" if idle else f"while {queue.leased:,} are worked on: work comes in faster"
    return Condition(
        rule=Rule.QUEUE_AGE,
        subject=quote(queue.queue),
        severity=Severity.CRITICAL if idle and age >= 2 * settings.queue_age else Severity.WARNING,
        summary=f"Work waits for {span(age)}: the oldest of {count(queue.ready, 'ready job')} of {quote(queue.queue)},"
        f" {meaning}.",
        gist=doublings(age // settings.queue_age),
        hold=settings.hold,
        clear=settings.clear,
    )


def _dead_letters(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    for queue in snapshot.queues.values():
        if queue.dead >= max(1, settings.dead_letters):
            yield Condition(
                rule=Rule.DEAD_LETTERS,
                subject=quote(queue.queue),
                severity=Severity.WARNING,
                summary=f"{count(queue.dead, 'job')} of {quote(queue.queue)} failed for good: what they were for"
                " does not happen until somebody redrives or purges them.",
                gist=doublings(queue.dead),
            )


def _uncertain(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    for campaign in snapshot.campaigns.values():
        if number := campaign.counts.get("uncertain", 0):
            yield Condition(
                rule=Rule.UNCERTAIN_SENDS,
                subject=quote(campaign.campaign_id),
                severity=Severity.WARNING,
                summary=f"{count(number, 'message')} of {quote(campaign.name)} may have arrived or not: none is sent"
                " again until somebody looks on the platform and settles them.",
                gist=doublings(number),
            )


# ── accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _saturated(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    if snapshot.engine.halted_by:
        return
    for account_id, waiting in _waiting(snapshot).items():
        account = snapshot.accounts.get(account_id)
        if account is not None and not account.paused and account.limit and not account.free(now):
            yield _full(snapshot, account, waiting, settings, now)


def _full(snapshot: Snapshot, account: AccountView, waiting: int, settings: AlertSettings, now: int) -> Condition:
    left = max(0, finish_at(snapshot, account.account_id, waiting, now) - now)
    return Condition(
        rule=Rule.LIMITER_SATURATED,
        subject=quote(account.account_id),
        severity=Severity.WARNING if left >= settings.limiter_backlog else Severity.INFO,
        summary=f"{account_name(account)} sends at its limit of {account.limit:,} in {span(account.window)}:"
        f" {count(waiting, 'message')} wait, and the last leaves in about {span(left)}.",
        gist=doublings(left // HOUR),
        hold=settings.limiter_saturated,
        blink=account.window // account.limit,  # a slot frees so often; being seen for a moment it is not unused
        clear=max(settings.clear, account.window),
    )


def _paused(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    waiting = _waiting(snapshot)
    for account in snapshot.accounts.values():
        if account.paused:
            left = waiting.get(account.account_id, 0)
            meaning = f"{count(left, 'message')} wait" if left else "no message waits"
            yield Condition(
                rule=Rule.ACCOUNT_PAUSED,
                subject=quote(account.account_id),
                severity=Severity.CRITICAL if left else Severity.WARNING,
                summary=f"{account_name(account)} sends nothing ({quote(account.paused)}): {meaning} until somebody"
                " resumes it.",
                gist=quote(account.paused),
            )


def _waiting(snapshot: Snapshot) -> Mapping[str, int]:
    """Messages that are ready to go out, by account."""
    found: dict[str, int] = {}
    for campaign in snapshot.campaigns.values():
        queued = campaign.counts.get("queued", 0)
        if queued and campaign.state == "running":
            found[campaign.account_id] = found.get(campaign.account_id, 0) + queued
    return found


# ── the engine itself ───────────────────────────────────────────────────────────────────────────────────────────────


def _sync(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    sync = snapshot.sync
    lag = now - sync.oldest_at if sync.oldest_at is not None else 0
    failing, behind = sync.state == "failing", lag >= settings.sync_lag
    if sync.state == "off" or not (failing or behind):
        return
    happened = f"DynamoDB takes nothing ({quote(sync.error) or 'no reason given'})" if failing else "DynamoDB is behind"
    yield Condition(
        rule=Rule.SYNC_BEHIND,
        severity=Severity.CRITICAL if failing and behind else Severity.WARNING,
        summary=f"{happened}: {count(sync.unsynced, 'ledger entry', 'ledger entries')} wait, the oldest for"
        f" {span(lag)}; none is lost, all stand in the local ledger.",
        gist=f"{sync.state} {doublings(lag // settings.sync_lag)}",
        hold=settings.hold,
        blink=settings.hold,
        clear=settings.clear,
    )


def _broker(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    broker = snapshot.broker
    away = now - broker.since
    if broker.state != "away" or away < settings.broker_away:
        return
    lost = "the oldest events that waited for it were dropped" if broker.dropped else "events wait for it"
    yield Condition(
        rule=Rule.BROKER_AWAY,
        severity=Severity.WARNING,
        summary=f"The MQTT broker is away for {span(away)} ({quote(broker.error) or 'no reason given'}): {lost},"
        " and nothing else depends on it; GET /api/v2/events has them all.",
        gist=str(doublings(away // settings.broker_away)),
        clear=settings.clear,
    )


def _levels(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    for tool, view in snapshot.levels.items():
        template = view.level == "template"
        yield Condition(
            rule=Rule.SERVICE_LEVEL,
            subject=tool,
            severity=Severity.CRITICAL if template else Severity.WARNING,
            summary=f"{quote(tool)} is served worse, at the level {quote(view.level)}: {quote(view.reason)}.",
            gist=view.level,
            hold=0 if template else settings.hold,
            clear=settings.clear,
        )


def _settings(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    if error := quote(snapshot.engine.settings_error):
        yield Condition(
            rule=Rule.SETTINGS_REJECTED,
            severity=Severity.WARNING,
            summary=f"The changed configuration was rejected ({error}): the engine goes on with the one before.",
            gist=error,
        )


def _halted(snapshot: Snapshot, settings: AlertSettings, now: int) -> Iterator[Condition]:
    if actor := quote(snapshot.engine.halted_by):
        waiting = sum(_waiting(snapshot).values())
        yield Condition(
            rule=Rule.SENDING_HALTED,
            severity=Severity.INFO,
            summary=f"All sending was stopped by {actor}: {count(waiting, 'message')} wait until somebody resumes it.",
            gist=actor,
        )


_Rule = Callable[[Snapshot, AlertSettings, int], Iterator[Condition]]
_RULES: tuple[_Rule, ...] = (
    _costs,
    _budgets,
    _unpriced,
    _error_rates,
    _breakers,
    _queue_ages,
    _dead_letters,
    _uncertain,
    _saturated,
    _paused,
    _sync,
    _broker,
    _levels,
    _settings,
    _halted,
)
