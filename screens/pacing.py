"""When the screen may be painted again: a budget of bytes and of processor time, and whether the link is slow.

What the last paintings cost decides when the next one comes, so a dear screen is painted more seldom and a cheap one as
often as it changes. Keys are none of this: what an operator's key changes is painted at once, and only counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What paintings may cost over time, and how often they come at most."""

    bytes: float  # a second
    share: float  # of a core
    least: float  # seconds between two paintings


FULL = Rate(bytes=24_000, share=0.045, least=0.25)
LOW = Rate(bytes=3_000, share=0.03, least=1.0)
FREE = Rate(bytes=1e18, share=1e18, least=0.0)  # where there is no terminal to spare
_MOST_OWED = 4.0  # seconds: whatever keys cost, what is shown is never older than this for want of budget
_ANSWERED_WITHIN = 1.0  # seconds after a key in which the engine's answer to it comes

_WATCHED = 10.0  # seconds over which the waiting of writes is judged
_SLOW_FROM = 3.0  # seconds of waiting in them: the terminal takes less than it is given
_FAST_BELOW = 0.3
_HELD = 60.0  # seconds after which a link that was slow is tried again; doubled each time it was slow once more
_LONGEST_HELD = 3_600.0
_BACKLOG = 16_000  # bytes the terminal has not taken, beyond which nothing more is painted for it


class Meter:
    """Counts what goes to the terminal. One thread queues, another writes; each changes only numbers of its own."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.queued = 0  # bytes
        self._written = 0
        self._waits: deque[tuple[float, float]] = deque(maxlen=1_000)  # when a write ended, how long it took
        self._writing_since: float | None = None

    def queue(self, size: int) -> None:
        self.queued += size

    def begin(self) -> None:
        self._writing_since = self._clock()

    def end(self, size: int) -> None:
        """A write is over: so many bytes of what was queued have gone to the terminal."""
        now, since = self._clock(), self._writing_since
        self._written += size
        self._writing_since = None
        if since is not None and now - since > 0.001:
            self._waits.append((now, now - since))

    @property
    def backlog(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return max(0, self.queued - self._written)

    def waited(self, span: float) -> float:
        """Seconds of the last `span` that writes spent waiting for the terminal."""
        now, since = self._clock(), self._writing_since
        begun = min(span, now - since) if since is not None else 0.0
        return begun + sum(min(took, span - (now - ended)) for ended, took in tuple(self._waits) if now - ended < span)


class Pacer:
    """Two leaking buckets, one of bytes and one of processor time: painting fills them, time empties them."""

    def __init__(self, clock: Callable[[], float], processor: Callable[[], float], meter: Meter) -> None:
        self._clock, self._processor, self._meter = clock, processor, meter
        self.rate = FULL
        self._at, self._bytes_seen, self._processor_seen = clock(), meter.queued, processor()
        self._bytes = self._time = 0.0
        self._painted_at = self._acted_at = float("-inf")
        self._is_charged = False

    def acted(self) -> None:
        """The operator pressed a key: what comes of it is not kept waiting for the budget."""
        self._acted_at = self._clock()

    @property
    def answering(self) -> bool:
        """Whether what changes now answers a key, and the terminal keeps up."""
        return self._clock() - self._acted_at < _ANSWERED_WITHIN and self._meter.backlog <= _BACKLOG

    def painted(self) -> None:
        """A painting begins now. What the thread does until the next question is its cost; looking on is not."""
        self._painted_at, self._processor_seen, self._is_charged = self._clock(), self._processor(), True

    def wait(self) -> float:
        """Seconds until the budget allows the next painting; 0 when it may be now."""
        now, sent = self._clock(), self._meter.queued
        worked = self._processor() - self._processor_seen if self._is_charged else 0.0
        passed, rate = now - self._at, self.rate
        self._bytes = max(0.0, self._bytes - passed * rate.bytes) + sent - self._bytes_seen
        self._time = max(0.0, self._time - passed * rate.share) + worked
        self._at, self._bytes_seen, self._is_charged = now, sent, False
        self._bytes = min(self._bytes, _MOST_OWED * rate.bytes)
        self._time = min(self._time, _MOST_OWED * rate.share)
        if self._meter.backlog > _BACKLOG:
            return rate.least
        least = max(0.0, self._painted_at + rate.least - now)
        if self.answering:
            return least
        owed = max(self._bytes / rate.bytes, self._time / rate.share, least)
        return min(owed, max(0.0, self._painted_at + _MOST_OWED - now))


class SlowLink:
    """Says whether the terminal takes less than it is given, from how long writes wait for it."""

    def __init__(self, clock: Callable[[], float], meter: Meter) -> None:
        self._clock, self._meter = clock, meter
        self.slow = False
        self._until = 0.0
        self._held = self._next_held = _HELD

    def look(self) -> bool:
        """True when it has just changed."""
        now = self._clock()
        if self._meter.waited(_WATCHED) >= _SLOW_FROM:
            changed, self.slow = not self.slow, True
            if changed:
                self._held, self._next_held = self._next_held, min(self._next_held * 2, _LONGEST_HELD)
            self._until = now + self._held
            return changed
        if self.slow and now >= self._until and self._meter.waited(_WATCHED) <= _FAST_BELOW:
            self.slow = False
            return True
        return False
