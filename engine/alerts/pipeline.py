"""From what fires to who is told: group > silence > dedup > throttle > route > send, each stage pure.

Every case leaves with a decision that names its reason. *Problem notices* (opened, escalated, reminder) of one rule and
subject are a throttle apart, also across a resolution in between, unless the severity rose. A resolve notice follows
only an alert that was told itself, at once and once: so a flapping alert costs at most two notices a throttle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.alerts.alert import Alert, Firing, Key, Rule, Severity, Told
from engine.alerts.channel import Kind, Line, Notice
from engine.alerts.history import State
from engine.alerts.settings import AlertSettings
from engine.surface.snapshot import SilenceView

LINES = 20  # news in one message; what is more waits for the next


class Change(StrEnum):
    """What becomes of the alert itself."""

    OPEN = "open"
    UPDATE = "update"
    RESOLVE = "resolve"
    NONE = "none"


class Reason(StrEnum):
    """Why somebody is told, or nobody."""

    NEWS = "news"
    ESCALATED = "escalated"
    STILL_OPEN = "still_open"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"  # silence
    SILENCED = "silenced"  # silence: an operator wants to hear nothing of it for a while
    CAUSE_TOLD = "cause_told"  # silence: another open alert explains this one
    ALREADY_TOLD = "already_told"  # dedup
    NEVER_TOLD = "never_told"  # dedup: nobody waits for this resolution
    THROTTLED = "throttled"
    NOT_ROUTED = "not_routed"  # not severe enough to leave the console, or there is no channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What belongs to one rule and subject: what fires now, the alert that is open, and what was told before."""

    firing: Firing | None
    alert: Alert | None
    last: Told | None

    @property
    def key(self) -> Key:
        found = self.firing or self.alert
        assert found is not None  # noqa: S101 - a case has at least one
        return found.key

    @property
    def severity(self) -> Severity:
        found = self.firing or self.alert
        assert found is not None  # noqa: S101 - a case has at least one
        return found.severity

    @property
    def risen(self) -> bool:
        """Worse than what was told last."""
        return self.firing is not None and self.last is not None and self.severity.rank > self.last.severity.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`kind` is None where nobody is told."""

    reason: Reason
    kind: Kind | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    case: Case
    change: Change
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the stages look at beside the case."""

    settings: AlertSettings
    channels: tuple[str, ...]
    troubled: frozenset[Key]  # what fires
    now: int
    silences: tuple[SilenceView, ...] = ()  # those that last


_EXPLAINED_BY: Mapping[Rule, Rule] = {Rule.ERROR_RATE: Rule.BREAKER_OPEN}  # same subject: the breaker's notice says it


def plan(
    firings: Sequence[Firing], state: State, settings: AlertSettings, channels: Sequence[str], now: int
) -> tuple[Step, ...]:
    """What to do: one step for each alert that changes or is told, the most severe first."""
    situation = Situation(
        settings=settings,
        channels=tuple(channels),
        troubled=frozenset(firing.key for firing in firings),
        now=now,
        silences=tuple(silence for silence in state.silences if silence.ends_at > now),
    )
    steps = [Step(case=case, change=_change(case), decision=decide(case, situation)) for case in group(firings, state)]
    return tuple(step for step in steps if step.change is not Change.NONE or step.decision.kind is not None)


def group(firings: Sequence[Firing], state: State) -> list[Case]:
    """Bring together what belongs to one rule and subject."""
    firing = {one.key: one for one in firings}
    alerts = {one.key: one for one in state.alerts}
    keys = dict.fromkeys((*firing, *alerts))
    cases = [
        Case(firing=firing.get(key), alert=alerts.get(key), last=_last(alerts.get(key), state, key)) for key in keys
    ]
    return sorted(cases, key=lambda case: (-case.severity.rank, case.key))


def decide(case: Case, situation: Situation) -> Decision:
    """Lead a case through the stages: the first that objects decides."""
    for stage in (_silence, _dedup, _throttle):
        if (reason := stage(case, situation)) is not None:
            return Decision(reason=reason)
    return _route(case, situation)


def bundle(lines: Sequence[Line]) -> Notice:
    """What waits for a channel as one message, the most severe first: an outage of mail ends with few mails."""
    return Notice(tuple(sorted(lines[:LINES], key=lambda line: (-line.severity.rank, line.at, line.notice_id))))


def _last(alert: Alert | None, state: State, key: Key) -> Told | None:
    return alert.last if alert else state.told.get(key)


def _change(case: Case) -> Change:
    if case.firing is None:
        return Change.RESOLVE
    if case.alert is None:
        return Change.OPEN
    known = (case.alert.severity, case.alert.gist)
    return Change.NONE if known == (case.firing.severity, case.firing.gist) else Change.UPDATE


def _silence(case: Case, situation: Situation) -> Reason | None:
    if case.alert and case.alert.acknowledged_by:
        return Reason.ACKNOWLEDGED
    rule, subject = case.key
    if any(silence.covers(rule, subject, case.severity) for silence in situation.silences):
        return Reason.SILENCED
    cause = _EXPLAINED_BY.get(rule)
    if case.firing and cause and (cause, subject) in situation.troubled:
        return Reason.CAUSE_TOLD
    return None


def _dedup(case: Case, situation: Situation) -> Reason | None:
    told = case.alert is not None and case.alert.told
    if case.firing is None:
        return None if told else Reason.NEVER_TOLD
    if not told or case.risen or _reminder_due(case, situation):
        return None
    return Reason.ALREADY_TOLD


def _throttle(case: Case, situation: Situation) -> Reason | None:
    if case.firing is None or case.last is None or case.risen:
        return None
    return Reason.THROTTLED if situation.now < case.last.at + situation.settings.throttle else None


def _route(case: Case, situation: Situation) -> Decision:
    """Who hears it: a resolution whoever heard of the problem, a problem everybody if it is severe enough."""
    if not situation.channels:
        return Decision(reason=Reason.NOT_ROUTED)
    if case.firing is None:
        return Decision(reason=Reason.RESOLVED, kind=Kind.RESOLVED, channels=situation.channels)
    if case.severity.rank < Severity(situation.settings.notify_from).rank:
        return Decision(reason=Reason.NOT_ROUTED)
    reason, kind = _news(case)
    return Decision(reason=reason, kind=kind, channels=situation.channels)


def _news(case: Case) -> tuple[Reason, Kind]:
    if case.alert is None or not case.alert.told:
        return Reason.NEWS, Kind.OPENED
    return (Reason.ESCALATED, Kind.ESCALATED) if case.risen else (Reason.STILL_OPEN, Kind.REMINDER)


def _reminder_due(case: Case, situation: Situation) -> bool:
    wait = max(situation.settings.remind_every, situation.settings.throttle)
    return case.last is not None and situation.now >= case.last.at + wait
