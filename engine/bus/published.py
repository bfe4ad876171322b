"""What of an event leaves for a broker. Kinds and fields are named one by one: what is not named stays here.

No text of a message, no prompt, nothing of a fan and no secret is named, nor free text that could quote one (causes,
errors, summaries, the words of people), nor who did it. Whoever may know more asks the HTTP API, with a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine import events
from engine.events import Event, Recorded
from engine.kernel.text import clean

_LONGEST = 200  # characters of a text field

PUBLISHED: Mapping[type[Event], tuple[str, ...]] = MappingProxyType(
    {
        events.EngineStarted: ("at", "node", "version", "kind", "mode"),
        events.EngineDraining: ("at", "reason"),
        events.EngineStopped: ("at", "parked"),
        events.PeriodTurned: ("at", "day"),
        events.SettingsReloaded: ("at",),
        events.SettingsRejected: ("at",),
        events.SendingHalted: ("at",),
        events.SendingResumed: ("at",),
        events.CallSettled: (
            "at",
            "attempt_id",
            "provider",
            "model",
            "tool",
            "campaign_id",
            "account_id",
            "tenant_id",
            "trace_id",
            "outcome",
            "basis",
            "cost",
            "input_tokens",
            "cached_tokens",
            "output_tokens",
            "reasoning_tokens",
            "duration",
        ),
        events.BudgetWarned: ("at", "scope", "key", "window", "percent", "limit", "spent", "held", "resets_at"),
        events.ThresholdsChanged: ("at", "day", "month"),
        events.BudgetChanged: ("at", "scope", "key", "window", "limit"),
        events.FallbackTaken: (
            "at",
            "tool",
            "failed_provider",
            "failed_model",
            "provider",
            "model",
            "reason",
            "recovery",
        ),
        events.AnswersKept: ("at", "tenant_id", "tool", "answers"),
        events.AnswerReused: ("at", "tenant_id", "tool", "kind", "saved"),
        events.CallsShared: ("at", "attempt_id", "tenant_id", "tool", "callers", "cost", "saved"),
        events.FlagChanged: ("at", "name"),
        events.ShadowChanged: ("at", "tool", "provider", "model", "percentage", "budget"),
        events.ShadowCompared: (
            "at",
            "tool",
            "provider",
            "model",
            "shadow_provider",
            "shadow_model",
            "outcome",
            "duration",
            "shadow_duration",
            "cost",
            "shadow_cost",
            "length",
            "shadow_length",
            "likeness",
        ),
        events.BreakerChanged: ("at", "provider", "model", "state", "retry_at"),
        events.ServiceLevelChanged: ("at", "tool", "level", "before", "reason"),
        events.CallRated: ("at", "attempt_id", "tool", "provider", "model", "score"),
        events.RouteChanged: ("at", "tool", "strategy", "chain", "weights", "from_file"),
        events.ConcurrencyChanged: ("at", "stage", "concurrency", "ceiling", "reason"),
        events.DrillEnded: ("at", "down", "tools", "taken_over", "unserved", "cost"),
        events.QueueSampled: ("at", "queue", "ready", "delayed", "leased", "parked", "dead", "oldest_at"),
        events.JobDied: ("at", "queue", "job_id"),
        events.AccountSeen: ("at", "account_id", "limit", "window"),
        events.AccountPaused: ("at", "account_id"),
        events.AccountResumed: ("at", "account_id"),
        events.LimitAdapted: ("at", "layer", "key", "limit", "allowed", "whole_at"),
        events.CampaignCreated: (
            "at",
            "campaign_id",
            "account_id",
            "tool",
            "state",
            "fans",
            "skipped",
            "budget",
            "starts_at",
        ),
        events.CampaignScheduled: ("at", "campaign_id", "starts_at"),
        events.CampaignMoved: ("at", "campaign_id", "before", "after"),
        events.DeliveryMoved: ("at", "delivery_id", "campaign_id", "account_id", "before", "after"),
        events.DeliveriesMoved: ("at", "campaign_id", "before", "after", "count"),
        events.WorkflowStepMoved: ("at", "workflow_id", "campaign_id", "step", "before", "after"),
        events.AlertOpened: ("at", "alert_id", "rule", "subject", "severity"),
        events.AlertUpdated: ("at", "alert_id", "severity"),
        events.AlertAcknowledged: ("at", "alert_id"),
        events.AlertUnacknowledged: ("at", "alert_id"),
        events.AlertResolved: ("at", "alert_id"),
        events.AlertsSilenced: ("at", "silence_id", "rule", "subject", "severity", "ends_at"),
        events.SilenceEnded: ("at", "silence_id"),
        events.NotificationSent: ("at", "alert_id", "channel", "kind"),
        events.NotificationFailed: ("at", "alert_id", "channel", "final"),
        events.LedgerSyncSampled: ("at", "state", "unsynced", "oldest_at"),
        events.BrokerLinkChanged: ("at", "state", "dropped"),
    }
)
"""The kinds that are published, and their fields, in the order in which they are written."""

WITHHELD: Mapping[type[Event], str] = MappingProxyType(
    {
        events.SlotTaken: "two for each message, and the delivery's own events tell that it went out",
        events.SlotSettled: "likewise",
        events.KeyCreated: "who may use the gateway is for those who manage it",
        events.KeyRevoked: "likewise",
        events.ActionTaken: "who did what is for those who may read the audit",
    }
)
"""The kinds that are not, each with its reason."""

_OF_A_PERSON = "user"  # a scope whose key names a person
_NAMING = frozenset({"key", "subject"})


def payload_of(recorded: Recorded) -> dict[str, Any]:
    """A published event as the event stream writes it, with the fields that may leave."""
    event = recorded.event
    fields = {name: _said(event, name) for name in PUBLISHED[type(event)]}
    return {"seq": recorded.seq, "kind": recorded.kind, "fields": fields}


def _said(event: Event, name: str) -> Any:
    value = getattr(event, name)
    if not isinstance(value, str):
        return value
    if name in _NAMING and _names_a_person(event, value):
        return ""
    if len(value) <= _LONGEST and value.isascii() and value.isprintable():
        return value  # as almost all are, a thousand times a second
    return clean(value, limit=_LONGEST)


def _names_a_person(event: Event, value: str) -> bool:
    """A user's budget, or an alert about one: what it is about may be somebody's address."""
    return getattr(event, "scope", "") == _OF_A_PERSON or value.startswith(f"{_OF_A_PERSON}:")
