"""Who is told, and why not: each stage by example."""

from __future__ import annotations

from dataclasses import replace

from engine.alerts import Alert, AlertSettings, Firing, Kind, Line, Rule, Severity
from engine.alerts.alert import Told
from engine.alerts.history import State
from engine.alerts.pipeline import LINES, Change, Decision, Reason, Step, bundle, plan
from engine.kernel.values import HOUR, MINUTE, SECOND
from tests.fakes import MORNING

SETTINGS = AlertSettings()
FIRING = Firing(
    rule=Rule.BREAKER_OPEN, subject="azure/m", severity=Severity.WARNING, summary="It is open.", since=MORNING
)
OPEN = Alert(
    alert_id="alr_1",
    rule=Rule.BREAKER_OPEN,
    subject="azure/m",
    severity=Severity.WARNING,
    summary="It is open.",
    gist="",
    opened_at=MORNING,
    told=True,
    last=Told(at=MORNING, severity=Severity.WARNING),
)


def steps(*firings: Firing, state: State | None = None, after: int = SECOND, channels: int = 1) -> tuple[Step, ...]:
    names = tuple(f"channel {index}" for index in range(channels))
    return plan(firings, state or State(), SETTINGS, names, MORNING + after)


def decided(*firings: Firing, state: State | None = None, after: int = SECOND) -> tuple[Change, Decision]:
    (step,) = steps(*firings, state=state, after=after)
    return step.change, step.decision


def test_news_go_to_every_channel() -> None:
    change, decision = decided(FIRING)

    assert change is Change.OPEN
    assert decision == Decision(reason=Reason.NEWS, kind=Kind.OPENED, channels=("channel 0",))


def test_an_open_alert_is_told_once() -> None:
    assert steps(FIRING, state=State(alerts=(OPEN,)), after=SETTINGS.throttle) == ()


def test_a_rise_in_severity_goes_at_once() -> None:
    change, decision = decided(replace(FIRING, severity=Severity.CRITICAL), state=State(alerts=(OPEN,)))

    assert (change, decision.kind) == (Change.UPDATE, Kind.ESCALATED)


def test_a_fall_in_severity_is_shown_and_not_told() -> None:
    worse = replace(OPEN, severity=Severity.CRITICAL, last=Told(at=MORNING, severity=Severity.CRITICAL))

    change, decision = decided(FIRING, state=State(alerts=(worse,)))

    assert (change, decision) == (Change.UPDATE, Decision(reason=Reason.ALREADY_TOLD))


def test_another_gist_is_an_update_and_another_wording_is_not() -> None:
    state = State(alerts=(OPEN,))

    assert steps(replace(FIRING, summary="It is still open."), state=state) == ()
    assert decided(replace(FIRING, gist="none left"), state=state)[0] is Change.UPDATE


def test_a_long_open_alert_is_told_again() -> None:
    state = State(alerts=(OPEN,))

    assert steps(FIRING, state=state, after=4 * HOUR - 1) == ()
    assert decided(FIRING, state=state, after=4 * HOUR) == (
        Change.NONE,
        Decision(reason=Reason.STILL_OPEN, kind=Kind.REMINDER, channels=("channel 0",)),
    )


def test_a_resolution_is_told_to_those_who_heard_of_the_problem() -> None:
    assert decided(state=State(alerts=(OPEN,)))[1].kind is Kind.RESOLVED
    assert decided(state=State(alerts=(replace(OPEN, told=False),)))[1].reason is Reason.NEVER_TOLD


def test_what_reopens_within_the_throttle_waits_for_its_end() -> None:
    before = Told(at=MORNING, severity=Severity.WARNING)
    reopened = replace(OPEN, told=False, last=before)

    assert decided(FIRING, state=State(told={FIRING.key: before}))[1].reason is Reason.THROTTLED
    assert steps(FIRING, state=State(alerts=(reopened,)), after=SETTINGS.throttle - 1) == ()
    assert decided(FIRING, state=State(alerts=(reopened,)), after=SETTINGS.throttle)[1].kind is Kind.OPENED


def test_an_acknowledged_alert_tells_nobody_again() -> None:
    state = State(alerts=(replace(OPEN, acknowledged_by="ada"),))

    assert decided(replace(FIRING, severity=Severity.CRITICAL), state=state)[1].reason is Reason.ACKNOWLEDGED
    assert steps(FIRING, state=state, after=5 * HOUR) == ()
    assert decided(state=state) == (Change.RESOLVE, Decision(reason=Reason.ACKNOWLEDGED))


def test_an_error_rate_is_not_told_beside_the_breaker_it_opened() -> None:
    rate = replace(FIRING, rule=Rule.ERROR_RATE)

    reasons = {step.case.key[0]: step.decision.reason for step in steps(FIRING, rate)}

    assert reasons == {Rule.BREAKER_OPEN: Reason.NEWS, Rule.ERROR_RATE: Reason.CAUSE_TOLD}


def test_information_stays_in_the_console() -> None:
    assert decided(replace(FIRING, severity=Severity.INFO))[1].reason is Reason.NOT_ROUTED


def test_without_channels_alerts_still_open_and_resolve() -> None:
    assert [step.change for step in steps(FIRING, channels=0)] == [Change.OPEN]
    assert [step.change for step in steps(state=State(alerts=(OPEN,)), channels=0)] == [Change.RESOLVE]


def test_the_worst_comes_first() -> None:
    critical = replace(FIRING, subject="openai/m", severity=Severity.CRITICAL)

    assert [step.case.key[1] for step in steps(FIRING, critical)] == ["openai/m", "azure/m"]


def test_what_waits_goes_in_one_message_worst_first() -> None:
    lines = [
        Line(
            notice_id=f"n{index}",
            alert_id=f"a{index}",
            kind=Kind.OPENED,
            rule="r",
            subject="s",
            severity=Severity.CRITICAL if index == 2 else Severity.WARNING,
            summary="x",
            opened_at=MORNING,
            at=MORNING + index * MINUTE,
        )
        for index in range(LINES + 5)
    ]

    found = bundle(lines)

    assert [line.notice_id for line in found.lines[:3]] == ["n2", "n0", "n1"]
    assert len(found.lines) == LINES
