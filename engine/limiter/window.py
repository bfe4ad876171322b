"""The pure heart of the limiter: an exact sliding window."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from enum import StrEnum

IN_FLIGHT = 1 << 62  # the end of a slot whose send is not over: later than any instant


class Reason(StrEnum):
    WINDOW_FULL = "window_full"
    UNSURE = "unsure"  # the store cannot tell, so nobody gets through


@dataclass(frozen=True, slots=True)
class Admission:
    """A slot was given."""

    slot_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """No slot, and none was spent. `retry_at` is when the next frees; None while all wait for sends to end."""

    reason: Reason
    retry_at: int | None


@dataclass(slots=True)
class Window:
    """At most `limit` sends in any span of `width` nanoseconds, whatever the span's start.

    A slot is occupied from the send it admitted until `width` after that send completed: the receiver counts arrivals,
    so a slot released at the grant would let two bursts meet there. Until it completes a slot's end is IN_FLIGHT. At
    its end it is still occupied: two arrivals exactly one width apart lie in one span of that width.
    """

    limit: int
    width: int  # nanoseconds
    _ends: list[int] = field(default_factory=list)  # ends of the taken slots, ascending
    _slots: dict[str, int] = field(default_factory=dict)  # slot to its end

    def admit(self, slot_id: str, now: int) -> Admission | Refusal:
        """Take a slot, or say when the next one frees. A refusal spends nothing; a slot taken before stays taken."""
        if slot_id in self._slots:
            return Admission(slot_id)
        if (retry_at := self.opens_at(now)) > now:
            return Refusal(Reason.WINDOW_FULL, None if retry_at == IN_FLIGHT else retry_at)
        self._take(slot_id, IN_FLIGHT)
        return Admission(slot_id)

    def opens_at(self, now: int) -> int:
        """When a slot can be had: `now` if at once, IN_FLIGHT if only after a send has ended."""
        self._forget(now)
        surplus = len(self._ends) - self.limit
        if surplus < 0:
            return now
        end = self._ends[surplus]
        return end if end == IN_FLIGHT else end + 1

    def free(self, now: int) -> int:
        """Slots that can be had at once."""
        self._forget(now)
        return max(0, self.limit - len(self._ends))

    def settle(self, slot_id: str, until: int) -> None:
        """The send of a slot is over: it is free after `until`. A slot unknown here is taken until then."""
        self.drop(slot_id)
        self._take(slot_id, until)

    def drop(self, slot_id: str) -> None:
        """Give a slot back at once: its send certainly never left."""
        end = self._slots.pop(slot_id, None)
        if end is not None:
            self._ends.remove(end)

    def _take(self, slot_id: str, until: int) -> None:
        self._slots[slot_id] = until
        insort(self._ends, until)

    def _forget(self, now: int) -> None:
        if not self._ends or self._ends[0] >= now:
            return
        del self._ends[: bisect_left(self._ends, now)]
        self._slots = {slot: end for slot, end in self._slots.items() if end >= now}
