"""How many tasks are worked on at once: as many as the models bear, found by trying. Pure.

Additive increase, multiplicative decrease, as in TCP: while work waits and calls take about as long as their
quicker ones, a few more go at once; when providers throttle, or calls take a multiple of that, a share is cut off, and
for a while no other cut follows, since the calls already under way would be counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from engine.orchestrator.settings import TuningSettings

_REST = 2  # looks after a cut without another: about as long as the calls it found under way
_MATTERS = 0.25  # share by which the number must have moved since it was last told


@dataclass(frozen=True, slots=True)
class Load:
    """What calls went through since the last look. `slowness` sums each answer's time over its model's
    quicker ones."""

    answers: int = 0
    slowness: float = 0.0
    failures: int = 0
    throttled: int = 0

    def with_answer(self, slowness: float) -> Load:
        return Load(self.answers + 1, self.slowness + slowness, self.failures, self.throttled)

    def with_failure(self, *, throttled: bool) -> Load:
        return Load(self.answers, self.slowness, self.failures + 1, self.throttled + throttled)

    @property
    def calls(self) -> int:
        return self.answers + self.failures


class Reason(StrEnum):
    """Why the number is what it is."""

    CEILING = "it is as configured"
    THROTTLED = "providers ask for fewer calls"
    SLOW = "calls take a multiple of their usual time"
    ROOM = "work waits and calls are quick"
    STEADY = "nothing asks for a change"
    RESTING = "the last cut has yet to show"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The number of tasks at once, between `least` and `ceiling`. `told` is what was last announced."""

    ceiling: int
    limit: int
    reason: Reason = Reason.CEILING
    rest: int = 0  # looks until another cut is allowed
    told: int = 0

    def under(self, ceiling: int) -> Tuning:
        """With another ceiling: one that was reached is followed, one that was not only bounds."""
        reached = self.limit >= self.ceiling
        limit = ceiling if reached else min(self.limit, ceiling)
        return replace(self, ceiling=ceiling, limit=limit, told=limit if reached else self.told)

    def look(self, load: Load, *, running: int, waiting: int, settings: TuningSettings) -> Tuning:
        """The next number, after a look at what `running` tasks went through while `waiting` more were ready."""
        least = min(settings.least, self.ceiling)
        reason = self._trouble(load, settings)
        if reason is not None:
            if self.rest:
                return replace(self, rest=self.rest - 1, reason=Reason.RESTING)
            # What runs is what the providers felt; a limit far above it would take many cuts to bite.
            cut = int(min(self.limit, max(running, least)) * settings.cut)
            return replace(self, limit=max(least, min(cut, self.limit)), rest=_REST, reason=reason)
        rest = max(0, self.rest - 1)
        if self.limit >= self.ceiling:
            return replace(self, limit=self.ceiling, rest=rest, reason=Reason.CEILING)
        used = running >= self.limit or waiting > 0
        if used and load.answers:
            grown = min(self.ceiling, self.limit + max(1, self.limit // 8))
            return replace(self, limit=max(least, grown), rest=rest, reason=Reason.ROOM)
        return replace(self, limit=max(least, self.limit), rest=rest, reason=Reason.STEADY)

    def _trouble(self, load: Load, settings: TuningSettings) -> Reason | None:
        if load.throttled and load.throttled >= load.calls * settings.throttled:
            return Reason.THROTTLED
        if load.answers and load.slowness > load.answers * settings.tolerance:
            return Reason.SLOW
        return None

    @property
    def worth_telling(self) -> bool:
        """Whether the number moved so far since it was last told that an operator would act otherwise."""
        if self.limit == self.told:
            return False
        return self.limit == self.ceiling or abs(self.limit - self.told) >= max(1, self.told * _MATTERS)
