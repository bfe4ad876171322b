"""The pure heart of the quotas: a sliding log that also holds a day's worth of entries in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.kernel.values import MINUTE

NEVER = 1 << 62  # an instant later than any

_BUCKETS = 360  # a window longer than a minute is cut into so many


def grain_of(width: int) -> int:
    """Nanoseconds that share an entry. A minute is kept exactly; an hour in 10 s, a day in 4 min.

    It follows from the width alone, so that entries kept from before mean the same under a new limit.
    """
    return 1 if width <= MINUTE else width // _BUCKETS


@dataclass(slots=True)
class Counter:
    """Amounts in any span of `width` nanoseconds, whatever the span's start.

    Amounts of one grain share an entry, and an entry counts in full until its last possible moment has left the
    window: what is counted is never less than what happened, at most one grain longer. Two moments exactly one width
    apart lie in one span of that width.
    """

    width: int  # nanoseconds
    grain: int  # nanoseconds
    used: int = 0
    _order: deque[int] = field(default_factory=deque)  # stamps, ascending
    _amounts: dict[int, int] = field(default_factory=dict)  # stamp to amount

    @classmethod
    def of(cls, width: int, entries: Iterable[tuple[int, int]] = ()) -> Counter:
        """A counter of a window, with the (stamp, amount) entries that it is known to hold."""
        self = cls(width, grain_of(width))
        for stamp, amount in sorted(entries):
            self._order.append(stamp)
            self._amounts[stamp] = amount
            self.used += amount
        return self

    def opens_at(self, now: int, amount: int, limit: int, ceiling: int) -> int:
        """When `amount` fits under `limit`: `now` if at once, NEVER if it is more than `ceiling`, the whole limit.

        While the limit is lowered (`limit` < `ceiling`), an amount above it fits into an empty window: it would
        otherwise wait for the limit to recover, and everything behind it too.
        """
        order = self._order
        span = self.width + self.grain
        if order and order[0] + span <= now:
            self._forget(now)
        left = self.used
        if left + amount <= limit:
            return now
        if amount > ceiling:
            return NEVER
        for stamp in order:
            if not left:
                break
            left -= self._amounts[stamp]
            if left + amount <= limit or not left:
                return stamp + span
        return now

    def take(self, now: int, amount: int) -> int:
        """Count an amount now, whether it fits or not. Returns the stamp of its entry."""
        stamp = now - now % self.grain
        order, amounts = self._order, self._amounts
        if order and stamp <= order[-1]:  # the clock stepped back: the newest stamp is the time
            stamp = order[-1]
            amounts[stamp] += amount
        else:
            order.append(stamp)
            amounts[stamp] = amount
        self.used += amount
        return stamp

    def adjust(self, stamp: int, by: int) -> int | None:
        """Correct an entry by what turned out since. Returns its amount; None when it left the window already."""
        if stamp not in self._amounts:
            return None
        self._amounts[stamp] += by
        self.used += by
        return self._amounts[stamp]

    def amount(self, stamp: int) -> int:
        """What an entry of the window holds."""
        return self._amounts[stamp]

    def count(self, now: int) -> int:
        """How much is counted now."""
        self._forget(now)
        return self.used

    def frees_at(self, now: int) -> int | None:
        """When the oldest entry leaves; None of an empty window."""
        self._forget(now)
        return self._order[0] + self.width + self.grain if self._order else None

    def __len__(self) -> int:
        return len(self._order)

    def _forget(self, now: int) -> None:
        gone = now - self.width - self.grain
        while self._order and self._order[0] <= gone:
            self.used -= self._amounts.pop(self._order.popleft())
