"""Small real implementations of the ports, for tests."""

from __future__ import annotations

import asyncio
import heapq
import itertools

from engine.kernel.values import SECOND, Instant, NanoUSD
from engine.orchestrator.task import Answer, Task
from engine.storage import Database

MORNING = Instant(1_795_161_600 * SECOND)  # 2026-11-20T08:00:00Z


async def settle_as_the_meter_does(database: Database, task: Task, answer: Answer, cost: NanoUSD) -> None:
    """Settle an answer with what is to be written with it, and wait only where its caller wrote something."""
    write = task.conclude(answer) if task.conclude is not None else None
    if write is None:
        database.submit(lambda tx: None, lingers=True)
    else:
        await database.write(lambda tx: write(tx, cost))


class ManualClock:
    """A clock whose time moves only when told; or, with `auto`, also when everything sleeps.

    Told: `await clock.advance(duration)` wakes the sleepers it passes one after the other, in their order, and lets
    each run before the next. `jump` sets the time at once, as a suspended machine sees it.

    `auto`: when no sleeper came or went for `patience` real seconds, time jumps to the next one. The patience is for
    work on threads (a commit, a reader); a test without any may set 0: it then waits for a few passes of the loop.
    """

    def __init__(self, start: int = MORNING, *, auto: bool = False, patience: float = 0.002) -> None:
        self._now = start
        self._auto = auto
        self._patience = patience
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._moves = 0  # sleepers that came or went: while this changes, something is awake

    def now(self) -> Instant:
        return Instant(self._now)

    def socket_timeout(self, duration: int) -> float:
        return duration / SECOND

    def allowance(self, duration: int) -> int:
        return duration

    @property
    def sleepers(self) -> int:
        """How many wait for this clock."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep_until(self, instant: int) -> None:
        if instant <= self._now:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (instant, next(self._order), future))
        self._watch()
        try:
            await future
        finally:
            self._watch()

    async def advance(self, duration: int) -> None:
        """Move time on by `duration` nanoseconds, waking sleepers at their own instants."""
        await self.advance_to(self._now + duration)

    async def advance_to(self, instant: int) -> None:
        """Move time on to the instant, waking sleepers at theirs."""
        await settle()
        while (due := self._next()) is not None and due <= instant:
            self.jump(due - self._now)
            await settle()
        self.jump(instant - self._now)

    def jump(self, duration: int, *, wake: bool = True) -> None:
        """Set the time on at once; whoever should have woken wakes together, late.

        Without `wake` they sleep on: a machine that was suspended tells the time before its timers fire.
        """
        self._now += duration
        while wake and self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def _next(self) -> int | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _watch(self) -> None:
        """Look again after the patience: if nothing moved meanwhile, everything sleeps."""
        if not self._auto:
            return
        self._moves += 1
        loop = asyncio.get_running_loop()
        if self._patience:
            loop.call_later(self._patience, self._jump_if_idle, self._moves, 0)
        else:
            loop.call_soon(self._jump_if_idle, self._moves, _PASSES)

    def _jump_if_idle(self, moves: int, passes: int) -> None:
        if moves != self._moves:
            return
        if passes:
            asyncio.get_running_loop().call_soon(self._jump_if_idle, moves, passes - 1)
        elif (due := self._next()) is not None:
            self.jump(due - self._now)


_PASSES = 20


async def settle(passes: int = _PASSES) -> None:
    """Let every task that can run do so. Work on threads needs real waiting instead."""
    for _ in range(passes):
        await asyncio.sleep(0)
