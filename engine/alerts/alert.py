"""What an alert is: its rule, its severity, and what is known of it while it is open."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What is watched. The names are permanent: an operator's mail filter may know them."""

    DAY_COST = "day_cost"
    MONTH_COST = "month_cost"
    BUDGET = "budget"
    UNPRICED_CALLS = "unpriced_calls"
    ERROR_RATE = "error_rate"
    BREAKER_OPEN = "breaker_open"
    QUEUE_AGE = "queue_age"
    DEAD_LETTERS = "dead_letters"
    UNCERTAIN_SENDS = "uncertain_sends"
    LIMITER_SATURATED = "limiter_saturated"
    ACCOUNT_PAUSED = "account_paused"
    SYNC_BEHIND = "sync_behind"
    BROKER_AWAY = "broker_away"
    SERVICE_LEVEL = "service_level"
    SETTINGS_REJECTED = "settings_rejected"
    SENDING_HALTED = "sending_halted"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for information, rising with severity; StrEnum itself would compare the words."""
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}

Key = tuple[Rule, str]  # rule and subject: there is at most one open alert of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A condition that holds and has held long enough. `summary` is one sentence with figures."""

    rule: Rule
    subject: str
    severity: Severity
    summary: str
    since: int  # nanoseconds since the epoch
    gist: str = ""  # the coarse figure whose change makes another summary worth an event

    @property
    def key(self) -> Key:
        return self.rule, self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The newest notice about a problem: when it was queued, and how severe the problem was then."""

    at: int
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An open alert as the database has it."""

    alert_id: str
    rule: Rule
    subject: str
    severity: Severity
    summary: str
    gist: str
    opened_at: int
    acknowledged_by: str = ""
    told: bool = False  # a notice of this very alert was queued
    last: Told | None = None  # the newest notice of its rule and subject, also of an earlier alert

    @property
    def key(self) -> Key:
        return self.rule, self.subject
