"""The breaker as a machine of states: whatever happens to it, in whatever order, some things always hold."""

from __future__ import annotations

import random

from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.kernel.errors import ErrorClass
from engine.kernel.values import SECOND
from engine.orchestrator import BreakerSettings, BreakerState
from engine.orchestrator.breaker import NEVER, Breaker

PROBES = 2
SETTINGS = BreakerSettings(
    least_calls=4,
    window=10 * SECOND,
    open_for=5 * SECOND,
    open_at_most=40 * SECOND,
    probe_lease=3 * SECOND,
    probes=PROBES,
    slow_call=SECOND,
    slow_rate=0.8,
)


class Machine(RuleBasedStateMachine):
    """Calls come, end well or badly or not at all; operators interfere; time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000 * SECOND
        self.breaker = Breaker(SETTINGS, random.Random(3))
        self.calls: list[bool] = []  # under way: is each a probe
        self.leased: list[int] = []  # when each probe admitted since it half opened is written off
        self.opened = 0

    @rule(duration=st.integers(1, 20 * SECOND))
    def time_passes(self, duration: int) -> None:
        self.now += duration

    @precondition(lambda self: self.breaker.admits(self.now))
    @rule()
    def a_call_begins(self) -> None:
        was = self.breaker.state
        self.breaker.enter(self.now)
        self.calls.append(self.breaker.probing)
        if was is BreakerState.OPEN:
            self.leased = []
        if self.breaker.probing:
            self.leased = [until for until in self.leased if until > self.now] + [self.now + SETTINGS.probe_lease]
            assert len(self.leased) <= PROBES

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), took=st.integers(0, 2 * SECOND))
    def a_call_answers(self, data: st.DataObject, took: int) -> None:
        probe = self._end(data)
        before = self.breaker.state
        change = self.breaker.answered(self.now, probe=probe, took=took)
        if change and change.state is BreakerState.CLOSED:
            assert before is BreakerState.HALF_OPEN
            assert probe
            assert took < SETTINGS.slow_call

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), error_class=st.sampled_from(list(ErrorClass)))
    def a_call_fails(self, data: st.DataObject, error_class: ErrorClass) -> None:
        self.breaker.failed(self.now, error_class, probe=self._end(data))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_call_says_nothing(self, data: st.DataObject) -> None:
        self.breaker.leave(probe=self._end(data))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_call_is_lost(self, data: st.DataObject) -> None:
        """Its task died: nobody ever reports."""
        self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))

    @rule(state=st.sampled_from([BreakerState.OPEN, BreakerState.CLOSED]))
    def an_operator_holds_it(self, state: BreakerState) -> None:
        self.breaker.hold(state, "alice", self.now)
        self.leased = []

    @rule()
    def an_operator_lets_it_go(self) -> None:
        self.breaker.release("alice", self.now)

    def _end(self, data: st.DataObject) -> bool:
        probe = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        if probe and self.leased:
            self.leased.pop()
        return probe

    @invariant()
    def it_never_sticks(self) -> None:
        """Unless an operator holds it open, it admits a call after its longest wait, whatever was lost."""
        if self.breaker.held_by and self.breaker.state is BreakerState.OPEN:
            assert self.breaker.admits_at == NEVER
            return
        longest = max(SETTINGS.open_at_most * 6 // 5, SETTINGS.probe_lease)
        assert self.breaker.admits(self.now + longest)

    @invariant()
    def what_it_says_of_the_next_call_is_true(self) -> None:
        at = self.breaker.admits_at
        assert self.breaker.admits(max(at, self.now))
        if at > self.now:
            assert not self.breaker.admits(self.now)

    @invariant()
    def a_closed_one_has_too_little_against_it(self) -> None:
        calls, failed, slow = self.breaker.counts(self.now)
        assert 0 <= failed + slow <= calls
        assert len(self.breaker._parts) <= 61

    @invariant()
    def a_held_one_stays_as_it_is(self) -> None:
        if self.breaker.held_by:
            assert self.breaker.state is not BreakerState.HALF_OPEN


TestBreaker = Machine.TestCase
TestBreaker.settings = profile(max_examples=60, stateful_step_count=40, deadline=None)
