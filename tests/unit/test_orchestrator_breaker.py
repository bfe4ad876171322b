"""The breaker alone: when it opens, whom it lets through, and how long it waits."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from engine.kernel.errors import ErrorClass
from engine.kernel.values import SECOND
from engine.orchestrator import BreakerSettings
from engine.orchestrator.breaker import Breaker, BreakerState

SETTINGS = BreakerSettings(least_calls=4, open_for=30 * SECOND, open_at_most=100 * SECOND, probe_lease=60 * SECOND)
OUTAGE = ErrorClass.SERVER_ERROR


class Middle:
    """Chance that adds no jitter."""

    def random(self) -> float:
        return 0.5

    def getrandbits(self, k: int, /) -> int:
        return 0

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def broken(now: int = 0) -> Breaker:
    breaker = Breaker(SETTINGS, Middle())
    for _ in range(4):
        breaker.enter(now)
        breaker.failed(now, OUTAGE, probe=False)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_it_opens_at_the_rate_and_not_before() -> None:
    breaker = Breaker(SETTINGS, Middle())
    for _ in range(3):
        breaker.answered(0, probe=False)
    changes = [breaker.failed(0, OUTAGE, probe=False) for _ in range(3)]

    assert changes[:2] == [None, None]
    assert changes[2] is not None
    assert changes[2].state is BreakerState.OPEN
    assert changes[2].retry_at == 30 * SECOND


def test_a_few_failures_say_nothing() -> None:
    breaker = Breaker(SETTINGS, Middle())

    for _ in range(3):
        breaker.failed(0, OUTAGE, probe=False)

    assert breaker.admits(0)


def test_failures_older_than_the_window_are_forgotten() -> None:
    breaker = Breaker(SETTINGS, Middle())
    for _ in range(3):
        breaker.failed(0, OUTAGE, probe=False)

    breaker.failed(SETTINGS.window, OUTAGE, probe=False)

    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("harmless", [ErrorClass.CONTENT_FILTER, ErrorClass.INVALID_REQUEST])
def test_what_speaks_against_the_caller_does_not_count(harmless: ErrorClass) -> None:
    breaker = Breaker(SETTINGS, Middle())

    for _ in range(50):
        breaker.failed(0, harmless, probe=False)

    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("counted", sorted(set(ErrorClass) - {ErrorClass.CONTENT_FILTER, ErrorClass.INVALID_REQUEST}))
def test_every_other_class_counts(counted: ErrorClass) -> None:
    breaker = Breaker(SETTINGS, Middle())

    for _ in range(4):
        breaker.failed(0, counted, probe=False)

    assert breaker.state is BreakerState.OPEN


def test_an_open_breaker_refuses_until_its_wait_is_over_and_then_admits_one_probe() -> None:
    breaker = broken()

    assert not breaker.admits(30 * SECOND - 1)
    assert breaker.admits(30 * SECOND)
    breaker.enter(30 * SECOND)
    assert breaker.probing
    assert not breaker.admits(31 * SECOND)


def test_a_lost_probe_does_not_stick() -> None:
    breaker = broken()
    breaker.enter(30 * SECOND)

    assert not breaker.admits(90 * SECOND - 1)
    assert breaker.admits(90 * SECOND)
    assert breaker.admits_at == 90 * SECOND


def test_a_probe_that_answers_closes_it_with_a_clean_slate() -> None:
    breaker = broken()
    breaker.enter(30 * SECOND)

    change = breaker.answered(31 * SECOND, probe=True)

    assert change is not None
    assert change.state is BreakerState.CLOSED
    assert breaker.failed(31 * SECOND, OUTAGE, probe=False) is None


def test_each_failed_probe_doubles_the_wait_up_to_its_bound() -> None:
    breaker, now, waits = broken(), 0, []
    for _ in range(4):
        waits.append(breaker.retry_at - now)
        now = breaker.retry_at
        breaker.enter(now)
        breaker.failed(now, OUTAGE, probe=True)

    assert waits == [30 * SECOND, 60 * SECOND, 100 * SECOND, 100 * SECOND]


def test_the_wait_is_jittered_within_a_fifth() -> None:
    waits = set()
    for seed in range(200):
        breaker = Breaker(SETTINGS, random.Random(seed))
        for _ in range(4):
            breaker.failed(0, OUTAGE, probe=False)
        waits.add(breaker.retry_at)

    assert len(waits) > 100
    assert 24 * SECOND <= min(waits) < 26 * SECOND
    assert 34 * SECOND < max(waits) <= 36 * SECOND


def test_stragglers_of_one_outage_do_not_lengthen_the_wait() -> None:
    breaker = broken()

    for _ in range(12):  # begun before it opened, ended after
        assert breaker.failed(5 * SECOND, OUTAGE, probe=False) is None

    assert breaker.retry_at == 30 * SECOND


def test_a_straggler_that_answers_does_not_close_an_open_breaker() -> None:
    breaker = broken()

    assert breaker.answered(SECOND, probe=False) is None
    assert not breaker.admits(SECOND)


def test_a_straggler_does_not_give_the_probes_lease_back() -> None:
    breaker = broken()
    breaker.enter(30 * SECOND)

    breaker.leave(probe=False)
    breaker.failed(31 * SECOND, ErrorClass.CONTENT_FILTER, probe=False)

    assert not breaker.admits(32 * SECOND)


def test_a_probe_whose_prompt_is_refused_makes_room_for_the_next() -> None:
    breaker = broken()
    breaker.enter(30 * SECOND)

    assert breaker.failed(31 * SECOND, ErrorClass.CONTENT_FILTER, probe=True) is None

    assert breaker.admits(31 * SECOND)


# ── slow answers ────────────────────────────────────────────────────────────────────────────────────────────────────

SLOW = SETTINGS.slow_call


def test_slow_answers_open_it_at_their_own_rate() -> None:
    breaker = Breaker(SETTINGS, Middle())
    breaker.answered(0, probe=False, took=SLOW - 1)
    changes = [breaker.answered(0, probe=False, took=SLOW) for _ in range(4)]

    assert changes[:3] == [None, None, None]
    assert changes[3] is not None
    assert "4 of the last 5 calls took 45 s or more" in changes[3].reason


def test_an_answer_in_good_time_is_not_slow() -> None:
    breaker = Breaker(SETTINGS, Middle())

    for _ in range(50):
        breaker.answered(0, probe=False, took=SLOW - 1)

    assert breaker.state is BreakerState.CLOSED


def test_a_probe_that_is_slow_opens_it_again() -> None:
    breaker = broken()
    breaker.enter(30 * SECOND)

    change = breaker.answered(80 * SECOND, probe=True, took=50 * SECOND)

    assert change is not None
    assert change.state is BreakerState.OPEN


# ── several probes, returning outages ───────────────────────────────────────────────────────────────────────────────


def test_as_many_probes_as_configured_are_admitted_and_all_must_answer() -> None:
    breaker = Breaker(replace(SETTINGS, probes=3), Middle())
    for _ in range(4):
        breaker.failed(0, OUTAGE, probe=False)
    now = 30 * SECOND

    admitted = 0
    while breaker.admits(now) and admitted < 10:
        breaker.enter(now)
        admitted += 1
    changes = [breaker.answered(now, probe=True) for _ in range(3)]

    assert admitted == 3
    assert changes[:2] == [None, None]
    assert changes[2] is not None
    assert changes[2].state is BreakerState.CLOSED


def test_one_probe_of_several_that_fails_opens_it_again() -> None:
    breaker = Breaker(replace(SETTINGS, probes=3), Middle())
    for _ in range(4):
        breaker.failed(0, OUTAGE, probe=False)
    for _ in range(3):
        breaker.enter(30 * SECOND)

    assert breaker.answered(31 * SECOND, probe=True) is None
    assert breaker.failed(31 * SECOND, OUTAGE, probe=True) is not None

    assert breaker.state is BreakerState.OPEN


def test_an_outage_that_returns_at_once_goes_on_doubling_and_one_that_returns_late_begins_anew() -> None:
    waits = []
    for pause in (SECOND, 10 * SETTINGS.window):
        breaker = broken()
        breaker.enter(30 * SECOND)
        breaker.answered(30 * SECOND, probe=True)
        again = 30 * SECOND + pause
        for _ in range(4):
            breaker.failed(again, OUTAGE, probe=False)
        waits.append(breaker.retry_at - again)

    assert waits == [60 * SECOND, 30 * SECOND]


# ── operators ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_held_open_it_admits_nobody_ever() -> None:
    breaker = Breaker(SETTINGS, Middle())

    change = breaker.hold(BreakerState.OPEN, "alice", 0)

    assert (change.reason, change.retry_at) == ("held open by alice", None)
    assert not breaker.admits(10**18)


def test_held_closed_nothing_opens_it() -> None:
    breaker = broken()
    breaker.hold(BreakerState.CLOSED, "alice", 0)

    for _ in range(50):
        breaker.enter(0)
        assert breaker.failed(0, OUTAGE, probe=False) is None

    assert breaker.admits(0)


def test_given_back_it_begins_with_a_clean_slate() -> None:
    breaker = broken()
    breaker.hold(BreakerState.OPEN, "alice", 0)

    change = breaker.release("bob", SECOND)

    assert change is not None
    assert "bob" in change.reason
    assert breaker.admits(SECOND)
    assert breaker.release("bob", SECOND) is None


def test_a_call_that_began_before_it_was_held_moves_nothing() -> None:
    breaker = Breaker(SETTINGS, Middle())
    breaker.hold(BreakerState.OPEN, "alice", 0)

    assert breaker.answered(SECOND, probe=False) is None
    assert breaker.failed(SECOND, OUTAGE, probe=False) is None

    assert breaker.state is BreakerState.OPEN
