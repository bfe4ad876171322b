"""Publishing never blocks and never fails: a subscriber that falls behind loses events, and is told.

What must not be lost (jobs, money, admission) never travels here. A subscriber that missed something finds `missed` set
and reads the event log, or the snapshot, again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from engine.events import Recorded

DEPTH = 10_000  # events a subscriber may be behind


class Subscription:
    """One listener's bounded buffer. `get` waits for events and returns all there are, oldest first."""

    def __init__(self, depth: int) -> None:
        self._buffer: deque[Recorded] = deque(maxlen=depth)
        self._ready = asyncio.Event()
        self.missed = 0  # events dropped since the subscriber last reset it

    def offer(self, recorded: Sequence[Recorded]) -> None:
        room = (self._buffer.maxlen or 0) - len(self._buffer)
        self.missed += max(0, len(recorded) - room)
        self._buffer.extend(recorded)
        self._ready.set()

    async def get(self) -> list[Recorded]:
        await self._ready.wait()
        self._ready.clear()
        found = list(self._buffer)
        self._buffer.clear()
        return found


class Bus:
    """Fans committed events out, in the order of their sequence numbers, on the engine's loop."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._observers: list[Callable[[Sequence[Recorded]], None]] = []

    def publish(self, recorded: Sequence[Recorded]) -> None:
        for observe in self._observers:
            observe(recorded)
        for subscription in self._subscriptions:
            subscription.offer(recorded)

    def observe(self, observer: Callable[[Sequence[Recorded]], None]) -> None:
        """Call `observer` with each commit's events. It must be quick and must not raise."""
        self._observers.append(observer)

    @contextmanager
    def subscribe(self, depth: int = DEPTH) -> Iterator[Subscription]:
        subscription = Subscription(depth)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
