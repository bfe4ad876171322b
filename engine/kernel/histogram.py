"""A histogram of durations that can be added to others: what p50, p95 and p99 are read from.

Buckets grow by a constant factor γ, so a quantile is off by at most (γ - 1) / (γ + 1) of itself: 1 % (Masson, Rim and
Lee, "DDSketch", 2019, section 2.1). Adding two histograms is adding their counts, so minutes make hours and daemons
make fleets, in any order and without losing anything. The buckets are fixed, and there are at most `BUCKETS` of them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.kernel.values import HOUR, MICROSECOND

RELATIVE_ERROR = 0.01  # of a quantile, for durations between LEAST and MOST
LEAST = 10 * MICROSECOND  # nanoseconds; anything shorter counts as this
MOST = 2 * HOUR  # nanoseconds; anything longer counts as this

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_PER_NEPER = 1 / math.log(_GAMMA)
_LOWEST = math.ceil(math.log(LEAST) * _PER_NEPER)
BUCKETS = math.ceil(math.log(MOST) * _PER_NEPER) - _LOWEST + 1

_PAIR = struct.Struct("<HI")  # bucket, count
_LARGEST_COUNT = (1 << 32) - 1


@dataclass(slots=True)
class Histogram:
    """Counts by bucket. It is added to in place; `merged` makes a new one."""

    counts: dict[int, int] = field(default_factory=dict)

    def record(self, duration: int) -> None:
        """Count a duration in nanoseconds."""
        self.put(bucket_of(duration))

    def put(self, bucket: int) -> None:
        """Count a duration by its bucket, for who has it for several histograms."""
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def add(self, other: Histogram) -> None:
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def quantiles(self, *shares: float) -> tuple[int | None, ...]:
        """For each share (0 to 1, ascending) the duration in nanoseconds at rank ⌈share · count⌉; None of none."""
        total = self.count
        ranks = [max(1, math.ceil(share * total)) for share in shares]
        found: list[int | None] = []
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            while len(found) < len(ranks) and seen >= ranks[len(found)]:
                found.append(middle_of(bucket))
        return (*found, *(None for _ in ranks[len(found) :]))


def bucket_of(duration: int) -> int:
    """The number, from 0, of the bucket a duration falls in."""
    return math.ceil(math.log(min(max(duration, LEAST), MOST)) * _PER_NEPER) - _LOWEST


def middle_of(bucket: int) -> int:
    """The duration, in nanoseconds, that stands for a bucket: no duration in it is further off than RELATIVE_ERROR."""
    return round(2 * _GAMMA ** (bucket + _LOWEST) / (_GAMMA + 1))


def merged(histograms: Iterable[Histogram]) -> Histogram:
    whole = Histogram()
    for histogram in histograms:
        whole.add(histogram)
    return whole


def dump(histogram: Histogram) -> bytes:
    """Six bytes for each bucket in use."""
    pairs = sorted(histogram.counts.items())
    return b"".join(_PAIR.pack(bucket, min(count, _LARGEST_COUNT)) for bucket, count in pairs)


def load(data: bytes) -> Histogram:
    return Histogram(dict(_PAIR.iter_unpack(data)))
