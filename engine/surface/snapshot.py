"""The whole engine at one moment, as small as a screen needs it. Frozen, so a copy may cross threads.

Amounts are nano-dollars, instants and durations nanoseconds of the engine's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MINUTES_KEPT = 60  # minutes of cost history in the snapshot
LATENCIES_KEPT = 100  # newest call durations kept per model, for its p50 and p95


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    node: str = ""
    version: str = ""
    kind: str = ""  # console or daemon
    mode: str = "real"  # real or simulated
    state: str = "starting"  # starting, running, draining, stopped
    started_at: int = 0
    halted_by: str = ""  # who stopped all sending; empty while messages may go out
    halted_at: int = 0
    speed: float = 1.0  # virtual seconds to a real one
    seed: int | None = None  # of the simulated world
    time_zone: str = "UTC"  # of days, months and the times shown
    settings_error: str = ""  # why the newest configuration was rejected; empty when it was taken


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyView:
    """Spend by the costs' calendar. Unpriced calls are counted beside the sums, never inside them as zero."""

    day: str = ""  # 2026-11-20
    day_ends: int = 0
    month_ends: int = 0
    today: int = 0
    month: int = 0
    today_calls: int = 0
    today_tokens: int = 0
    today_estimated: int = 0  # the part of today's sum that is estimated
    today_unpriced: int = 0  # calls
    month_unpriced: int = 0  # calls
    today_saved: int = 0  # by kept answers and shared calls
    today_hits: int = 0  # tasks that a kept answer served
    today_kept: int = 0  # answers kept: tasks that nothing kept could serve
    today_shared: int = 0  # tasks that another's call served
    day_threshold: int | None = None
    month_threshold: int | None = None
    minutes: tuple[tuple[int, int], ...] = ()  # (start of a UTC minute, nano-dollars), ascending; idle ones left out


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """One provider's model today."""

    provider: str
    model: str
    today: int = 0
    month: int = 0
    calls: int = 0  # today
    failed: int = 0  # today
    unpriced: int = 0  # today
    input_tokens: int = 0  # today
    output_tokens: int = 0  # today
    minutes: tuple[tuple[int, int], ...] = ()  # as in MoneyView
    latencies: tuple[int, ...] = ()  # newest last, answered calls only
    outcomes: tuple[bool, ...] = ()  # newest last: did the call answer
    breaker: str = "closed"  # closed, open, half_open
    breaker_reason: str = ""
    breaker_since: int = 0
    breaker_held_by: str = ""  # the operator who holds it so; empty while it moves by itself
    retry_at: int | None = None
    last_error: str = ""  # error class
    last_error_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryView:
    """How a tool's tasks were answered by another model than the first; times run from the failure to the answer."""

    tool: str
    count: int = 0
    last_at: int = 0
    failed: str = ""  # the last one's: provider/model
    target: str = ""
    reason: str = ""  # the error class, breaker_open or throttled
    latencies: tuple[int, ...] = ()  # newest last


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    queue: str
    ready: int = 0
    delayed: int = 0
    leased: int = 0
    parked: int = 0
    dead: int = 0
    oldest_at: int | None = None  # when the longest waiting ready job became ready


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """One account's message window: `slots` maps each taken slot to the instant it frees."""

    account_id: str
    name: str = ""
    limit: int = 10
    window: int = 60_000_000_000
    slots: Mapping[str, int] = field(default_factory=dict)
    paused: str = ""  # why nothing is sent for it; empty while it may send
    slowed_to: int = 0  # messages a window right after its platform throttled it; rises evenly to the limit
    slowed_at: int = 0
    whole_at: int = 0  # when the limit holds again; in the past: it does

    def allowed(self, now: int) -> int:
        """Messages a window at an instant: the limit, or less for a while after the platform throttled the account."""
        if now >= self.whole_at:
            return self.limit
        regained = (self.limit - self.slowed_to) * max(0, now - self.slowed_at) // (self.whole_at - self.slowed_at)
        return min(self.limit, self.slowed_to + regained)

    def free(self, now: int) -> int:
        """Slots free at an instant."""
        return max(0, self.allowed(now) - sum(until > now for until in self.slots.values()))

    def next_free_at(self, now: int) -> int | None:
        """When the next taken slot frees; None while none is taken."""
        return min((until for until in self.slots.values() if until > now), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignView:
    campaign_id: str
    name: str
    account_id: str
    tool: str
    state: str
    reason: str = ""
    created_at: int = 0
    starts_at: int | None = None
    budget: int | None = None
    cost: int = 0
    unpriced: int = 0  # calls
    counts: Mapping[str, int] = field(default_factory=dict)  # deliveries by state

    @property
    def fans(self) -> int:
        """Delivery rows, skipped ones included."""
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        """Deliveries that may still go out by themselves or after an approval."""
        return sum(self.counts.get(state, 0) for state in OPEN_STATES)

    @property
    def unsettled(self) -> int:
        """Sends of one that has ended of which a person must still say whether they arrived."""
        return self.counts.get("uncertain", 0) if self.state in FINAL_CAMPAIGN_STATES else 0


OPEN_STATES = ("pending", "drafted", "approved", "queued", "sending")
FINAL_CAMPAIGN_STATES = frozenset({"finished", "cancelled", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    alert_id: str
    rule: str
    subject: str
    severity: str  # info, warning, critical
    summary: str
    opened_at: int
    acknowledged_by: str = ""
    silenced_until: int | None = None  # while a silence covers it; a time past says that it is over


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceView:
    """What keeps alerts from notifying anybody. What is empty matches every alert; a final `*` any ending."""

    silence_id: str
    rule: str
    subject: str
    severity: str
    reason: str
    actor: str
    created_at: int
    ends_at: int  # in the past: it is over, though nobody said so

    def covers(self, rule: str, subject: str, severity: str) -> bool:
        """Whether an alert is one of those it keeps quiet."""
        asked = ((self.rule, rule), (self.subject, subject), (self.severity, severity))
        return all(matches(pattern, value) for pattern, value in asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncView:
    state: str = "off"  # off, ok, behind, failing
    unsynced: int = 0
    oldest_at: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerView:
    """The link to the MQTT broker."""

    state: str = "off"  # off, connected, away
    since: int = 0
    error: str = ""
    dropped: int = 0  # events it missed since the engine started


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelView:
    """A tool that is not served in full."""

    level: str  # cached, cheaper, template
    reason: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """A budget that reached a threshold in its window, and how it stood then; amounts are nano-dollars."""

    scope: str
    key: str
    window: str
    percent: int  # 50, 80, 100
    limit: int
    spent: int
    resets_at: int | None  # after that it says nothing any more; None for a total


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Where everything stands after event `<epoch>:<seq>`."""

    epoch: str = ""
    seq: int = 0
    at: int = 0  # of the newest event
    engine: EngineView = field(default_factory=EngineView)
    money: MoneyView = field(default_factory=MoneyView)
    models: Mapping[str, ModelView] = field(default_factory=dict)  # by provider/model
    recoveries: Mapping[str, RecoveryView] = field(default_factory=dict)  # by tool
    queues: Mapping[str, QueueView] = field(default_factory=dict)
    accounts: Mapping[str, AccountView] = field(default_factory=dict)
    campaigns: Mapping[str, CampaignView] = field(default_factory=dict)  # live ones and the newest ended
    alerts: Mapping[str, AlertView] = field(default_factory=dict)  # open ones
    silences: Mapping[str, SilenceView] = field(default_factory=dict)  # live ones
    sync: SyncView = field(default_factory=SyncView)
    broker: BrokerView = field(default_factory=BrokerView)
    levels: Mapping[str, LevelView] = field(default_factory=dict)  # by tool; those served in full are left out
    budgets: Mapping[str, BudgetView] = field(default_factory=dict)  # by scope:key:window; those near their limits

    @property
    def event_id(self) -> str:
        return f"{self.epoch}:{self.seq}"


def matches(pattern: str, value: str) -> bool:
    """An empty pattern matches everything, one with a `*` at its end what begins so, any other what it says."""
    return not pattern or value == pattern or (pattern.endswith("*") and value.startswith(pattern[:-1]))


def silenced_until(silences: Iterable[SilenceView], rule: str, subject: str, severity: str) -> int | None:
    """How long the longest silence over an alert lasts; None without one."""
    return max((one.ends_at for one in silences if one.covers(rule, subject, severity)), default=None)


def quantile(samples: tuple[int, ...], q: float) -> int | None:
    """The q-quantile by the nearest rank; None of no samples."""
    if not samples:
        return None
    return sorted(samples)[min(len(samples) - 1, int(q * len(samples)))]


def finish_at(snapshot: Snapshot, account_id: str, waiting: int, now: int) -> int:
    """When `waiting` more messages of an account will have gone out at its limit, nothing else being sent.

    The first free slots go at once; after that a slot comes back each time one of the window's frees.
    """
    account = snapshot.accounts.get(account_id, AccountView(account_id=account_id))
    taken = sorted(until for until in account.slots.values() if until > now)
    opening = [now] * max(0, account.limit - len(taken)) + taken
    rounds, rest = divmod(max(waiting, 1) - 1, account.limit)
    return opening[min(rest, len(opening) - 1)] + rounds * account.window
