"""What is counted of one name in one span of time: calls, errors, fallbacks, and how long answers took."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.kernel.histogram import Histogram

_OK = "ok"
_NOBODYS_FAULT = "cancelled"
_BREAKER_OPEN = "breaker_open"


@dataclass(slots=True)
class Series:
    """Counts of one name in one span of time. Added to in place.

    `refused` are the asker's own doing (a 4xx, a call that its caller left) and no errors. `passed` counts how often a
    model was passed over without a call because its breaker was open.
    """

    calls: int = 0
    errors: int = 0
    refused: int = 0
    fallbacks: int = 0
    passed: int = 0
    whole: Histogram = field(default_factory=Histogram)  # to the end of the answer
    first: Histogram = field(default_factory=Histogram)  # to the first byte, of what was streamed

    def add(self, other: Series) -> None:
        self.calls += other.calls
        self.errors += other.errors
        self.refused += other.refused
        self.fallbacks += other.fallbacks
        self.passed += other.passed
        self.whole.add(other.whole)
        self.first.add(other.first)

    def settle(self, outcome: str, bucket: int | None) -> None:
        """Count a call that ended so; its duration by its bucket, None where nobody saw the end."""
        self.calls += 1
        if outcome == _NOBODYS_FAULT:
            self.refused += 1
            return
        self.errors += outcome != _OK
        if bucket is not None:
            self.whole.put(bucket)

    def hand_over(self, reason: str) -> None:
        """Count that another took over, for an error or because the breaker was open."""
        self.fallbacks += 1
        self.passed += reason == _BREAKER_OPEN
