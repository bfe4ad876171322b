"""Every domain event: facts in the past tense, published after the write that made them true.

Fields are flat values (text, integers, booleans, None), so an event is one JSON object and its schema only ever grows.
`at` is the engine's clock in nanoseconds. No event carries a message's text, a prompt or a secret.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from engine.events.calls import *  # noqa: F403 - they are events as those below
from engine.events.event import Event as Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStarted(Event):
    node: str
    version: str
    kind: str  # console or daemon
    mode: str  # real or simulated


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDraining(Event):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStopped(Event):
    parked: int  # jobs whose work was handed back unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodTurned(Event):
    """A new day began in the costs' time zone; today's sums start at zero, the month's too on its first day."""

    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsReloaded(Event):
    changed: str  # dotted keys, comma-separated


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsRejected(Event):
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingHalted(Event):
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingResumed(Event):
    actor: str


# ── queues and limits ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSampled(Event):
    """A queue's depth, published when it changed. `oldest_at` is when its longest waiting ready job became ready."""

    queue: str
    ready: int
    delayed: int
    leased: int
    parked: int
    dead: int
    oldest_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDied(Event):
    queue: str
    job_id: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSeen(Event):
    account_id: str
    name: str
    limit: int  # messages a window
    window: int  # nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPaused(Event):
    account_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountResumed(Event):
    account_id: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotTaken(Event):
    """A send reserved a slot; if nothing more is heard it frees at `until`."""

    account_id: str
    slot_id: str
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSettled(Event):
    """The send is over: the slot frees at `until`, which is not after now when the send never left."""

    account_id: str
    slot_id: str
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitAdapted(Event):
    """Somebody throttled us: less than the limit is used from now on. `allowed` rises again evenly until `whole_at`."""

    layer: str  # model (the key is provider/model) or account
    key: str
    limit: int  # as configured; of a model without one, what it took in the minute before
    allowed: int
    whole_at: int


# ── campaigns and deliveries ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignCreated(Event):
    campaign_id: str
    name: str
    account_id: str
    tool: str
    state: str
    fans: int  # delivery rows, the skipped ones included
    skipped: int
    budget: int | None  # nano-dollars
    starts_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignMoved(Event):
    campaign_id: str
    before: str
    after: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignScheduled(Event):
    """A campaign that has sent nothing yet starts at another time."""

    campaign_id: str
    starts_at: int
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMoved(Event):
    delivery_id: str
    campaign_id: str
    account_id: str
    fan_id: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesMoved(Event):
    """`count` deliveries of a campaign moved together: it was started, approved, parked or cancelled as a whole."""

    campaign_id: str
    before: str
    after: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStepMoved(Event):
    """A step of a campaign's workflow took another state: waiting, running, done, failed or skipped."""

    workflow_id: str
    campaign_id: str
    step: str
    before: str
    after: str


# ── alerts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertOpened(Event):
    alert_id: str
    rule: str
    subject: str  # what it is about: a provider, an account, a queue; empty for the whole
    severity: str  # info, warning, critical
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertUpdated(Event):
    alert_id: str
    severity: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertAcknowledged(Event):
    alert_id: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertUnacknowledged(Event):
    alert_id: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertResolved(Event):
    alert_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsSilenced(Event):
    """Alerts that match notify nobody until `ends_at`. What is empty matches every alert; a final `*` any ending."""

    silence_id: str
    rule: str
    subject: str
    severity: str
    reason: str
    ends_at: int
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceEnded(Event):
    """A silence ran out, or somebody ended it."""

    silence_id: str
    actor: str  # empty: its time was over


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSent(Event):
    alert_id: str
    channel: str
    kind: str  # opened, reminder, resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFailed(Event):
    alert_id: str
    channel: str
    error: str
    final: bool  # no further try will be made


# ── the audit ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTaken(Event):
    """A command stands in the audit, carried out or refused."""

    audit_id: int
    actor: str
    via: str
    action: str
    subject: str
    outcome: str
    summary: str


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreated(Event):
    key_id: str
    name: str
    prefix: str  # how its secret begins
    tenant_id: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked(Event):
    key_id: str
    name: str
    prefix: str
    actor: str


# ── DynamoDB ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSyncSampled(Event):
    state: str  # off, ok, behind, failing
    unsynced: int
    oldest_at: int | None  # creation of the oldest row still to be synced
    error: str


# ── MQTT ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLinkChanged(Event):
    """The link to the MQTT broker came or went. Events wait for it while it is away, the oldest are dropped."""

    state: str  # connected, away
    error: str
    dropped: int  # events since the engine started


EVENTS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with the durable id it was committed under."""

    seq: int
    event: Event

    @property
    def kind(self) -> str:
        return type(self.event).__name__


def to_fields(event: Event) -> dict[str, Any]:
    """The event's fields as a JSON object."""
    kind: Any = type(event)
    return {name: getattr(event, name) for name in _names(kind)}


def from_fields(kind: str, fields: Mapping[str, Any]) -> Event | None:
    """The event of a kind and its fields; None for a kind this version does not know. Unknown fields are ignored."""
    found: Any = EVENTS.get(kind)
    if found is None:
        return None
    known = _names(found)
    event: Event = found(**{name: value for name, value in fields.items() if name in known})
    return event


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))
