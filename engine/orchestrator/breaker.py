"""Leaves a failing model alone for a while, then tries it with one call.

CLOSED counts outcomes in a sliding window; too many failures open it. OPEN refuses until a jittered wait is over.
HALF_OPEN admits one probe, on a lease: a probe that never reports is written off when its lease ends. A probe that
answers closes the breaker, one that fails opens it again for twice as long. A straggler, begun before the breaker
opened and ended after, says nothing new and changes nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

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


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Change:
    """The breaker took another state. `retry_at` is when an open one admits its probe."""

    state: BreakerState
    reason: str
    retry_at: int | None


@dataclass(slots=True)
class Breaker:
    """One model's breaker. Times are instants; every call passes `now`."""

    settings: BreakerSettings
    chance: Random
    state: BreakerState = BreakerState.CLOSED
    retry_at: int = 0
    _outcomes: deque[tuple[int, bool]] = field(default_factory=deque)
    _failed: int = 0
    _probe_until: int = 0
    _trips: int = 0

    def admits(self, now: int) -> bool:
        """Whether a call would be let through now. Changes nothing."""
        if self.state is BreakerState.CLOSED:
            return True
        if self.state is BreakerState.OPEN:
            return now >= self.retry_at
        return now >= self._probe_until

    @property
    def admits_at(self) -> int:
        """When it lets a call through if nobody reports before; an instant long past while it is closed."""
        return {BreakerState.CLOSED: 0, BreakerState.OPEN: self.retry_at}.get(self.state, self._probe_until)

    def enter(self, now: int) -> Change | None:
        """A call goes ahead; outside CLOSED it is the probe."""
        if self.state is BreakerState.CLOSED:
            return None
        self._probe_until = now + self.settings.probe_lease
        if self.state is BreakerState.HALF_OPEN:
            return None
        self.state = BreakerState.HALF_OPEN
        return Change(self.state, "trying one call", None)

    @property
    def probing(self) -> bool:
        """Whether the call that entered last is a probe; it says so when it reports."""
        return self.state is BreakerState.HALF_OPEN

    def leave(self, *, probe: bool) -> None:
        """A call ended without saying anything of the model: a probe's lease is given back."""
        if probe:
            self._probe_until = 0

    def answered(self, now: int, *, probe: bool) -> Change | None:
        """A call answered."""
        if self._straggles(probe):
            return None
        if self.state is not BreakerState.CLOSED:
            self._trips = 0
            self._forget_all()
            self.state = BreakerState.CLOSED
            return Change(self.state, "the probe answered", None)
        self._count(now, failed=False)
        return None

    def failed(self, now: int, error_class: ErrorClass, *, probe: bool) -> Change | None:
        """A call failed. `Change` when that opened the breaker."""
        if error_class not in COUNTED:
            self.leave(probe=probe)
            return None
        if self._straggles(probe):
            return None
        if self.state is not BreakerState.CLOSED:
            return self._open(now, f"the probe failed: {error_class}")
        self._count(now, failed=True)
        calls = len(self._outcomes)
        if calls < self.settings.least_calls or self._failed < calls * self.settings.failure_rate:
            return None
        return self._open(now, f"{self._failed} of the last {calls} calls failed, the last with {error_class}")

    def _straggles(self, probe: bool) -> bool:
        """Whether a call reports that is not the probe this state waits for."""
        return self.state is BreakerState.OPEN or (self.state is BreakerState.HALF_OPEN and not probe)

    def _open(self, now: int, reason: str) -> Change:
        wait = min(self.settings.open_for << min(self._trips, 20), self.settings.open_at_most)
        self._trips += 1
        self.retry_at = now + round(wait * (0.8 + 0.4 * self.chance.random()))
        self._probe_until = 0
        self._forget_all()
        self.state = BreakerState.OPEN
        return Change(self.state, reason, self.retry_at)

    def _count(self, now: int, *, failed: bool) -> None:
        self._outcomes.append((now, failed))
        self._failed += failed
        while self._outcomes[0][0] <= now - self.settings.window:
            self._failed -= self._outcomes.popleft()[1]

    def _forget_all(self) -> None:
        self._outcomes.clear()
        self._failed = 0
