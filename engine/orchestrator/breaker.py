"""Leaves a failing model alone for a while, then tries it with a few calls.

CLOSED counts outcomes in a sliding window; too many failures, or too many slow answers, open it. OPEN refuses until a
jittered wait is over. HALF_OPEN admits some probes, each on a lease: a probe that never reports is written off when its
lease ends. When as many probes as were wanted have answered in good time the breaker closes; one that fails opens it
again for twice as long, and so does an outage that returns within a window of the closing. A straggler, begun before
the breaker opened and ended after, says nothing new and changes nothing.

An operator may hold it open or closed; then nothing else moves it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from engine.kernel.errors import ErrorClass
from engine.kernel.values import Random
from engine.orchestrator.settings import BreakerSettings

COUNTED = frozenset(
    {
        ErrorClass.RATE_LIMIT,
        ErrorClass.AUTHENTICATION,
        ErrorClass.SERVER_ERROR,
        ErrorClass.NETWORK_ERROR,
        ErrorClass.TIMEOUT,
        ErrorClass.UNKNOWN,
    }
)
"""Failures that speak against the model; a refused prompt or a malformed request speaks against the caller."""

NEVER = 1 << 62
"""When a breaker that an operator holds open admits a call: an instant that does not come."""

_GRAINS = 60  # parts of the window; outcomes of one part are kept as one row, so that a busy model costs no more memory


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Change(NamedTuple):
    """The breaker took another state. `retry_at` is when an open one admits its probe; None: not by itself."""

    state: BreakerState
    reason: str
    retry_at: int | None


def held(state: BreakerState, actor: str) -> Change:
    """What holding a breaker makes of it."""
    return Change(state, f"held {'open' if state is BreakerState.OPEN else 'closed'} by {actor}", None)


def given_back(actor: str) -> Change:
    """What letting go of a held breaker makes of it."""
    return Change(BreakerState.CLOSED, f"given back by {actor}: it moves by itself again", None)


@dataclass(slots=True)
class _Part:
    """The outcomes of one part of the window."""

    number: int
    calls: int = 0
    failed: int = 0
    slow: int = 0


@dataclass(slots=True)
class Breaker:
    """One model's breaker. Times are instants; every call passes `now`."""

    settings: BreakerSettings
    chance: Random
    state: BreakerState = BreakerState.CLOSED
    retry_at: int = 0
    trips: int = 0  # openings in a row
    held_by: str = ""  # the operator who holds it as it is; empty while it moves by itself
    reason: str = ""
    changed_at: int = 0
    _parts: deque[_Part] = field(default_factory=deque)
    _calls: int = 0
    _failed: int = 0
    _slow: int = 0
    _leases: list[int] = field(default_factory=list)  # instants at which the probes under way are written off
    _answered: int = 0  # probes since it half opened

    def admits(self, now: int) -> bool:
        """Whether a call would be let through now. Changes nothing."""
        if self.state is BreakerState.CLOSED:
            return True
        return self.admits_at <= now

    @property
    def admits_at(self) -> int:
        """When it lets a call through if nobody reports before; an instant long past while it is closed."""
        if self.state is BreakerState.CLOSED:
            return 0
        if self.held_by:
            return NEVER
        if self.state is BreakerState.OPEN:
            return self.retry_at
        return 0 if len(self._leases) < self.settings.probes else min(self._leases)

    @property
    def idle(self) -> bool:
        """Whether it is closed by itself and nothing lately speaks against the model: forgetting it loses nothing."""
        return self.state is BreakerState.CLOSED and not self.held_by and not self._failed and not self._slow

    def counts(self, now: int) -> tuple[int, int, int]:
        """Calls, failures and slow answers in the window."""
        self._forget(now)
        return self._calls, self._failed, self._slow

    def enter(self, now: int) -> Change | None:
        """A call goes ahead; outside CLOSED it is a probe."""
        if self.state is BreakerState.CLOSED or self.held_by:
            return None
        self._leases = [until for until in self._leases if until > now]
        self._leases.append(now + self.settings.probe_lease)
        if self.state is BreakerState.HALF_OPEN:
            return None
        self._answered = 0
        return self._become(BreakerState.HALF_OPEN, "trying one call", None, now)

    @property
    def probing(self) -> bool:
        """Whether the call that entered last is a probe; it says so when it reports."""
        return self.state is BreakerState.HALF_OPEN

    def leave(self, *, probe: bool) -> None:
        """A call ended without saying anything of the model: a probe's lease is given back."""
        if probe and self._leases:
            self._leases.pop()

    def answered(self, now: int, *, probe: bool, took: int = 0) -> Change | None:
        """A call answered, `took` nanoseconds after it was sent."""
        if self._straggles(probe):
            return None
        slow = took >= self.settings.slow_call
        if self.state is BreakerState.CLOSED:
            self._count(now, failed=False, slow=slow)
            return self._judged(now, "") if slow else None
        if slow:
            return self._open(now, f"the probe answered only after {took / 1e9:.1f} s")
        self.leave(probe=probe)
        self._answered += 1
        if self._answered < self.settings.probes:
            return None
        return self._close(now, "the probe answered")

    def failed(self, now: int, error_class: ErrorClass, *, probe: bool) -> Change | None:
        """A call failed. `Change` when that opened the breaker."""
        if error_class not in COUNTED:
            self.leave(probe=probe)
            return None
        if self._straggles(probe):
            return None
        if self.state is not BreakerState.CLOSED:
            return self._open(now, f"the probe failed: {error_class}")
        self._count(now, failed=True, slow=False)
        return self._judged(now, error_class)

    def hold(self, state: BreakerState, actor: str, now: int) -> Change:
        """An operator holds it open or closed from now on."""
        self.held_by = actor
        self._clear()
        return self._become(*held(state, actor), now)

    def release(self, actor: str, now: int) -> Change | None:
        """An operator lets it move by itself again: closed, with a clean slate. None when nobody held it."""
        if not self.held_by:
            return None
        self.held_by, self.trips = "", 0
        self._clear()
        return self._become(*given_back(actor), now)

    def _straggles(self, probe: bool) -> bool:
        """Whether a call reports that is not the probe this state waits for, or that moves nothing."""
        if self.state is BreakerState.CLOSED:
            return bool(self.held_by)
        return self.state is BreakerState.OPEN or not probe

    def _judged(self, now: int, last: str) -> Change | None:
        """Open it where the window's shares are too high."""
        calls, settings = self._calls, self.settings
        if calls < settings.least_calls:
            return None
        if self._failed and self._failed >= calls * settings.failure_rate:
            by = f", the last with {last}" if last else ""
            return self._open(now, f"{self._failed} of the last {calls} calls failed{by}")
        if self._slow and self._slow >= calls * settings.slow_rate:
            limit = settings.slow_call / 1e9
            return self._open(now, f"{self._slow} of the last {calls} calls took {limit:g} s or more")
        return None

    def _open(self, now: int, reason: str) -> Change:
        if self.state is BreakerState.CLOSED and now - self.changed_at > self.settings.window:
            self.trips = 0
        wait = min(self.settings.open_for << min(self.trips, 20), self.settings.open_at_most)
        self.trips += 1
        self.retry_at = now + round(wait * (0.8 + 0.4 * self.chance.random()))
        self._clear()
        return self._become(BreakerState.OPEN, reason, self.retry_at, now)

    def _close(self, now: int, reason: str) -> Change:
        self._clear()
        return self._become(BreakerState.CLOSED, reason, None, now)

    def _become(self, state: BreakerState, reason: str, retry_at: int | None, now: int) -> Change:
        self.state, self.reason, self.changed_at = state, reason, now
        return Change(state, reason, retry_at)

    def _count(self, now: int, *, failed: bool, slow: bool) -> None:
        self._forget(now)
        number = now * _GRAINS // self.settings.window
        if not self._parts or self._parts[-1].number < number:
            self._parts.append(_Part(number))
        part = self._parts[-1]
        part.calls += 1
        part.failed += failed
        part.slow += slow
        self._calls += 1
        self._failed += failed
        self._slow += slow

    def _forget(self, now: int) -> None:
        """Drop the parts that have left the window."""
        oldest = now * _GRAINS // self.settings.window - _GRAINS
        while self._parts and self._parts[0].number <= oldest:
            part = self._parts.popleft()
            self._calls -= part.calls
            self._failed -= part.failed
            self._slow -= part.slow

    def _clear(self) -> None:
        self._parts.clear()
        self._calls = self._failed = self._slow = 0
        self._leases.clear()
        self._answered = 0
