"""How a worker sleeps without polling and without missing a job."""

from __future__ import annotations

import asyncio


class Bell:
    """Counts its rings, so that a listener who was busy meanwhile still notices.

    Note `rings`, look for work, and if there is none, `wait` with the number noted: a ring in between ends the wait at
    once. (An `asyncio.Event` that several listeners clear loses rings.)
    """

    __slots__ = ("_waiters", "rings")

    def __init__(self) -> None:
        self.rings = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """On the event loop: wake everybody who waits."""
        self.rings += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, heard: int) -> None:
        """Return once there is a ring that is not among the `heard` ones."""
        while self.rings == heard:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
