"""Slows down on being throttled and recovers slowly: additive increase, multiplicative decrease. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from engine.limiter.settings import AdaptiveSettings

WHOLE = 1_000_000  # a share of one, in millionths


@dataclass(slots=True)
class Pace:
    """The share of a limit that is used at present: halved by a throttle, regained a little each window.

    Calls that were under way together are throttled together, and say the same thing: of the throttles within one
    window only the first counts.
    """

    settings: AdaptiveSettings
    width: int  # nanoseconds of the window it slows
    _share: int = WHOLE  # at `_since`, in millionths
    _since: int = 0

    def cut(self, now: int) -> bool:
        """A throttle came. Whether it changed anything."""
        if self._share < WHOLE and now - self._since < self.width:
            return False
        self._share = max(self._floor, self.share(now) // 2)
        self._since = now
        return True

    def share(self, now: int) -> int:
        """Of the limit, in millionths: at least the floor, never more than the whole."""
        if self._share >= WHOLE:
            return WHOLE
        regained = self._step * max(0, now - self._since) // self.width
        return min(WHOLE, self._share + regained)

    def allowed(self, limit: int, now: int) -> int:
        """The limit that holds now: at least 1, never above `limit`."""
        return min(limit, max(1, limit * self.share(now) // WHOLE))

    def whole_at(self) -> int:
        """When the whole limit holds again, if nothing else happens; 0 when it was never cut."""
        if self._share >= WHOLE:
            return 0
        return self._since - (-(WHOLE - self._share) * self.width // self._step)

    @property
    def _floor(self) -> int:
        return max(1, round(self.settings.floor * WHOLE))

    @property
    def _step(self) -> int:
        return max(1, round(self.settings.recovery * WHOLE))
