"""What waits to be published elsewhere: bounded, oldest first, and honest about what it had to drop."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.events import Event, Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events that were dropped: they lie among the sequence numbers from `first` to `last`, and are `count`."""

    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Everything that happened behind `after`, up to `through`: first the gap, if there is one, then the events."""

    after: int
    through: int
    gap: Gap | None
    events: tuple[Recorded, ...]


class Outbox:
    """Takes committed events in their order and hands them on in batches that join without a seam.

    Only events of `kinds` are kept; the others count as handed on.
    """

    def __init__(self, seq: int, *, most: int, kinds: Collection[type[Event]]) -> None:
        """`seq` is the newest event's before the first that will be offered; `most` is how many are kept."""
        self._waiting: deque[Recorded] = deque()
        self._most = most
        self._kinds = frozenset(kinds)
        self._handed = seq  # everything up to there was handed on
        self._lost: Gap | None = None  # since then
        self.newest = seq
        self.dropped = 0  # of all time

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, recorded: Sequence[Recorded]) -> bool:
        """Keep what is wanted of these; whether anything was. Quick, and never fails."""
        if not recorded:
            return False
        kinds = self._kinds
        wanted = [one for one in recorded if type(one.event) in kinds]
        self.newest = recorded[-1].seq
        self._waiting.extend(wanted)
        for _ in range(len(self._waiting) - self._most):
            self._drop(self._waiting.popleft())
        return bool(wanted)

    def take(self, limit: int) -> Batch | None:
        """The oldest events, at most `limit`; None while there are none. What is taken is the caller's to deliver."""
        if not self._waiting:
            return None
        events = tuple(self._waiting.popleft() for _ in range(min(limit, len(self._waiting))))
        through = events[-1].seq if self._waiting else self.newest
        batch = Batch(after=self._handed, through=through, gap=self._lost, events=events)
        self._handed, self._lost = through, None
        return batch

    def _drop(self, oldest: Recorded) -> None:
        self.dropped += 1
        count = self._lost.count + 1 if self._lost else 1
        self._lost = Gap(first=self._handed + 1, last=oldest.seq, count=count)
