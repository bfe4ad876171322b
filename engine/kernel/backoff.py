"""How long to wait before trying again."""

from __future__ import annotations

from dataclasses import dataclass

from engine.kernel.values import SECOND, Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential backoff with full jitter, never below a floor.

    Full jitter alone (AWS Architecture Blog, "Exponential Backoff And Jitter") lets some retries come back at once,
    which a throttled peer cannot bear: hence the floor, and `at_least` for a peer's own Retry-After.
    """

    base: int = SECOND  # nanoseconds; the ceiling of the first wait
    ceiling: int = 60 * SECOND  # nanoseconds; no wait is longer, but for `at_least`
    floor: int = SECOND // 10  # nanoseconds

    def wait(self, attempt: int, chance: Random, *, at_least: int = 0) -> int:
        """Nanoseconds to wait after failed attempt number `attempt` (the first is 1)."""
        top = min(self.ceiling, self.base << min(attempt - 1, 40))
        jittered = self.floor + round(chance.random() * max(0, top - self.floor))
        return max(jittered, at_least)
