"""Which models asked for patience, and until when: one task's 429 spares the next task a wait."""

from __future__ import annotations

from engine.kernel.backoff import Backoff
from engine.kernel.errors import ProviderError
from engine.kernel.values import Random, nanos
from engine.orchestrator.retries import asks_for_patience
from engine.orchestrator.task import Target

_KEPT = 512  # targets; what clients of the gateway may name is not bounded by the configuration
_WHOLE_PROVIDER = frozenset({"insufficient_quota"})  # said of the account, so every model of it is meant


class Throttles:
    """Remembers per model, or per provider where its account is meant. A limit is one of a model at every provider
    that we know; so another model of the same one is still asked.

    A 429 without Retry-After is taken as one of `backoff`'s waits, longer with each that follows without an answer.
    """

    def __init__(self, chance: Random, backoff: Backoff, *, under: Throttles | None = None) -> None:
        self._chance = chance
        self._under = under
        self.backoff = backoff
        self._until: dict[Target, tuple[int, int]] = {}  # to the instant, and how many 429s came in a row

    def note(self, target: Target, error: ProviderError, now: int) -> None:
        """A model failed; where its provider asks for patience, that throttles it."""
        if not asks_for_patience(error):
            return
        key = Target(target.provider, "") if error.code in _WHOLE_PROVIDER else target
        known, row = self._until.pop(key, (0, 0))
        attempt = 1 if error.retry_after is not None else min(row + 1, 16)
        wait = self.backoff.wait(attempt, self._chance, at_least=nanos(error.retry_after or 0))
        self._until[key] = max(known, now + wait), row + 1
        if len(self._until) > _KEPT:
            del self._until[next(iter(self._until))]

    def answered(self, target: Target) -> None:
        """A model answered: what it asked for before is over."""
        if self._until:
            self._until.pop(target, None)
            self._until.pop(Target(target.provider, ""), None)

    def until(self, target: Target) -> int:
        """When the model may be asked again; an instant past where it may be asked now."""
        known = 0 if self._under is None else self._under.until(target)
        if not self._until:
            return known
        return max(known, *(self._until.get(key, (0, 0))[0] for key in (target, Target(target.provider, ""))))

    def beside(self) -> Throttles:
        """One that knows all that this one comes to know, and learns for itself alone."""
        return Throttles(self._chance, self.backoff, under=self)
