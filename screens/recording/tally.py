"""Calls and looks at queues of a recording, counted up to any moment of it.

It is counted in blocks of about a minute. Those that lie wholly before a moment are counted once and kept, within a
bound; of the one that holds it, its events up to the moment are counted for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.events import CallSettled, Event, FallbackTaken, QueueSampled
from engine.kernel.histogram import bucket_of
from engine.kernel.series import Series
from engine.kernel.values import MINUTE
from engine.surface.rows import BreakdownRow
from screens.recording.reading import Recording

WHO = ("provider", "model", "tool", "campaign", "account", "tenant", "user")
FIGURES = tuple(name for name in BreakdownRow.__dataclass_fields__ if name != "dimensions")
_MOST = 300_000  # sums that are kept, some 100 bytes each
_WORDS = (b"CallSettled", b"FallbackTaken", b"QueueSampled")

Who = tuple[str, ...]
"""As `WHO` names them."""


@dataclass(slots=True)
class Tally:
    """Sums by minute (its start) and who; calls by minute, kind and name; looks at queues in their order."""

    sums: dict[tuple[int, Who], list[int]] = field(default_factory=dict)
    rates: dict[tuple[int, str, str], Series] = field(default_factory=dict)
    depths: list[QueueSampled] = field(default_factory=list)

    def count(self, event: Event) -> None:
        minute = event.at - event.at % MINUTE
        if isinstance(event, CallSettled):
            add(self.sums.setdefault((minute, who(event)), [0] * len(FIGURES)), figures(event))
            bucket = bucket_of(event.duration) if event.duration else None
            for kind, name in () if event.rehearsed else _names(event.tool, event.provider, event.model):
                self.rates.setdefault((minute, kind, name), Series()).settle(event.outcome, bucket)
        elif isinstance(event, FallbackTaken):
            for kind, name in _names(event.tool, event.failed_provider, event.failed_model):
                self.rates.setdefault((minute, kind, name), Series()).hand_over(event.reason)

        elif isinstance(event, QueueSampled):
            self.depths.append(event)

    @property
    def size(self) -> int:
        return len(self.sums) + len(self.rates) + len(self.depths)


class Counted:
    """A recording's tallies. Thread-safe; the first question reads the whole file up to its moment."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._blocks = tuple(_blocks(recording))
        self._kept: OrderedDict[int, Tally] = OrderedDict()  # whole blocks, by the position before them
        self._size = 0
        self._part: tuple[int, Tally] = (-1, Tally())  # of the block that holds the moment shown, up to it
        self._lock = threading.Lock()

    def until(self, position: int, since: int = 0, *, after: int = 0) -> Iterator[Tally]:
        """What happened between two positions; blocks that ended before an instant may be left out."""
        start = 0
        for end, latest in self._blocks:
            if start >= position:
                return
            if start < after < end:
                yield self._count(after, min(end, position))
            elif end > after and latest >= since:
                yield self._whole(start, end) if end <= position else self._until(start, position)
            start = end

    def _whole(self, start: int, end: int) -> Tally:
        with self._lock:
            found = self._kept.pop(start, None)
            if found is None:
                found = self._count(start, end)
                self._size += found.size
            self._kept[start] = found
            while self._size > _MOST and len(self._kept) > 1:
                self._size -= self._kept.popitem(last=False)[1].size
            return found

    def _until(self, start: int, position: int) -> Tally:
        with self._lock:
            if self._part[0] != position:
                self._part = (position, self._count(start, position))
            return self._part[1]

    def _count(self, start: int, end: int) -> Tally:
        found = Tally()
        for _, one in self._recording.found(start, end, *_WORDS):
            found.count(one.event)
        return found


def _blocks(recording: Recording) -> Iterator[tuple[int, int]]:
    """The last position of each, and the latest instant up to it."""
    before: tuple[int, int] | None = None
    for end, latest in recording.ends():
        if before is not None and latest // MINUTE != before[1] // MINUTE:
            yield before
        before = end, latest
    if before is not None:
        yield before


def who(event: CallSettled) -> Who:
    return (
        event.provider,
        event.model,
        event.tool,
        event.campaign_id,
        event.account_id,
        event.tenant_id,
        event.user_id,
    )


def figures(event: CallSettled) -> list[int]:
    """What one call adds, as `FIGURES` names it."""
    cost, measured = event.cost or 0, event.basis == "measured"
    told = {
        "calls": 1,
        "input_tokens": event.input_tokens,
        "cached_tokens": event.cached_tokens,
        "output_tokens": event.output_tokens,
        "reasoning_tokens": event.reasoning_tokens,
        "cost": cost,
        "measured": cost if measured else 0,
        "estimated": cost if event.basis == "estimated" else 0,
        "measured_input_tokens": event.input_tokens if measured else 0,
        "measured_output_tokens": event.output_tokens if measured else 0,
        "unpriced_calls": int(event.cost is None),
        "failed_calls": int(event.outcome != "ok"),
    }
    return [told[name] for name in FIGURES]


def add(sums: list[int], more: list[int]) -> None:
    for at, amount in enumerate(more):
        sums[at] += amount


def _names(tool: str, provider: str, model: str) -> tuple[tuple[str, str], ...]:
    return ("tool", tool), ("provider", provider), ("model", f"{provider}/{model}")
