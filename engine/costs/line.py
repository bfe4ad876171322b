"""Where calls wait for money, first come, first served, while only time stands in their way.

Each scope that was in somebody's way has a queue, ordered by when the calls came. A call stands in the queues of the
scopes that were in its own way and is tried when it is the first in all of them: whoever came first is first
everywhere, so two calls never wait for one another, and nobody is overtaken by smaller calls for ever.
"""

from __future__ import annotations

import asyncio
import itertools
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from engine.costs.rules import NoRoom
from engine.kernel.clock import Clock
from engine.kernel.values import Instant

T = TypeVar("T")

PLACES = 10_000  # calls that may wait at once; each is a task with its prompt in memory


@dataclass(eq=False, slots=True)
class _Place:
    """One call's place in the line."""

    ticket: int
    names: set[str]  # the queues it stands in
    refusal: NoRoom
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    expired: bool = False


def _ticket(place: _Place) -> int:
    return place.ticket


class Line:
    """Lives on one event loop."""

    def __init__(self, clock: Clock, *, places: int = PLACES, hurry: Callable[[], None] = lambda: None) -> None:
        """`hurry` is called when somebody begins to wait: room that is about to come back is wanted now."""
        self._clock = clock
        self._most = places
        self._hurry = hurry
        self._count = 0
        self._queues: dict[str, list[_Place]] = {}
        self._tickets = itertools.count()
        self._wakes = 0  # a wake between a refusal and the wait for the next one must not be missed

    def __len__(self) -> int:
        """How many calls wait for money."""
        return self._count

    async def admit(self, names: Sequence[str], attempt: Callable[[], Awaitable[T]], deadline: Instant | None) -> T:
        """Await `attempt()` at this call's turns until it is not refused, or the deadline passes.

        `names` are the scopes that cover it. Raises the NoRoom of the last try; one that is not waitable, or that
        waits for a window beyond the deadline, at once.
        """
        ticket, wakes = next(self._tickets), self._wakes
        ahead = [name for name in names if name in self._queues] if self._queues else []
        if not ahead:
            try:
                return await attempt()
            except NoRoom as refused:
                place = self._enter(ticket, refused.names, _worth_waiting(refused, deadline))
                if wakes != self._wakes:
                    place.turn.set()
        else:
            _worth_waiting(self._queues[ahead[0]][0].refusal, deadline)
            refusal = NoRoom(ahead[0], "other calls already wait for this budget", waitable=True)
            place = self._enter(ticket, ahead, refusal)
        try:
            return await self._take_turns(place, attempt, deadline)
        finally:
            self._count -= 1
            self._stand(place, ())

    def stir(self) -> bool:
        """Room is about to come back: whether anybody waits, who is then to be woken. From any thread.

        Who was just refused and does not stand in line yet sees that something has moved.
        """
        self._wakes += 1
        return self._count > 0

    def wake(self, names: Iterable[str]) -> None:
        """There is room again in these scopes: the first in line is tried."""
        self._wakes += 1
        for name in names:
            self._offer(name)

    def _enter(self, ticket: int, names: Sequence[str], refusal: NoRoom) -> _Place:
        if self._count >= self._most:
            raise NoRoom(names[0], f"{self._count:,} calls already wait for money", waitable=True)
        place = _Place(ticket, set(), refusal)
        self._count += 1
        self._join(place, names)
        self._hurry()
        return place

    async def _take_turns(self, place: _Place, attempt: Callable[[], Awaitable[T]], deadline: Instant | None) -> T:
        while True:
            await self._turn(place, deadline)
            if place.expired:
                raise place.refusal
            place.turn.clear()
            wakes = self._wakes
            try:
                return await attempt()
            except NoRoom as refused:
                place.refusal = _worth_waiting(refused, deadline)
                if refused.throttled:  # it may stand there for long, in nobody's way but its own budget's
                    self._stand(place, refused.names)
                else:
                    self._join(place, refused.names)
                if wakes != self._wakes:
                    place.turn.set()

    async def _turn(self, place: _Place, deadline: Instant | None) -> None:
        """Wait for the call's turn, for the window it waits for to be over, or for the deadline."""
        until = min((at for at in (deadline, place.refusal.retry_at) if at is not None), default=None)
        if until is None or place.turn.is_set():
            await place.turn.wait()
            return
        async with asyncio.TaskGroup() as group:
            alarm = group.create_task(self._ring(place, Instant(until), deadline))
            await place.turn.wait()
            alarm.cancel()

    async def _ring(self, place: _Place, at: Instant, deadline: Instant | None) -> None:
        await self._clock.sleep_until(at)
        place.expired = at == deadline
        place.turn.set()

    # ── the queues ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _join(self, place: _Place, names: Iterable[str]) -> None:
        for name in names:
            if name not in place.names:
                place.names.add(name)
                insort(self._queues.setdefault(name, []), place, key=_ticket)

    def _stand(self, place: _Place, names: Iterable[str]) -> None:
        """Stand in these queues and no others; whoever is now first elsewhere is tried."""
        names = set(names)
        left = place.names - names
        self._join(place, names)
        for name in left:
            place.names.discard(name)
            queue = self._queues[name]
            del queue[bisect_left(queue, place.ticket, key=_ticket)]
            if not queue:
                del self._queues[name]
        for name in left:
            self._offer(name)

    def _offer(self, name: str) -> None:
        queue = self._queues.get(name)
        if queue and all(self._queues[other][0] is queue[0] for other in queue[0].names):
            queue[0].turn.set()


def _worth_waiting(refused: NoRoom, deadline: Instant | None) -> NoRoom:
    """The refusal, if waiting for what it says can help in time; else it is raised."""
    beyond = refused.throttled and deadline is not None and (refused.retry_at or deadline) >= deadline
    if not refused.waitable or beyond:
        raise refused
    return refused
