"""The engine of this process, on its own thread and loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.events import Recorded
from engine.kernel.values import Instant
from engine.surface.commands import Command, Done
from engine.surface.desk import Desk
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot
from screens.source import Link
from screens.sources.crossing import cross

_KEPT = 1_000  # events; a screen shows a few dozen


class EmbeddedSource:
    """Reads the desk's snapshot as it is; questions and commands cross to the engine's loop.

    `listen` is a service for the engine's task group: without it `recent` stays empty.
    """

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop, clock_now: Callable[[], int]) -> None:
        self._desk, self._loop, self._now = desk, loop, clock_now
        self._recent: tuple[Recorded, ...] = ()  # replaced as a whole, so any thread may read it
        self._since = Instant(clock_now())
        self._up = True

    def snapshot(self) -> Snapshot:
        return self._desk.snapshot()

    def link(self) -> Link:
        now, up = Instant(self._now()), self._loop.is_running()
        if up is not self._up:
            self._up, self._since = up, now
        return Link(attached=False, up=up, since=self._since, now=now, note="" if up else "the engine stopped")

    async def query(self, query: Query) -> Page[Any]:
        return await cross(self._query(query), self._loop)

    async def submit(self, command: Command) -> Done:
        return await cross(self._submit(command), self._loop)

    def recent(self, after: int) -> Sequence[Recorded]:
        return tuple(one for one in self._recent if one.seq > after)

    async def listen(self) -> None:
        """Keep the newest events. Runs on the engine's loop until it is cancelled."""
        with self._desk.subscribe() as listener:
            while True:
                self._recent = (*self._recent, *await listener.get())[-_KEPT:]

    async def _query(self, query: Query) -> Page[Any]:
        return await self._desk.query(query)

    async def _submit(self, command: Command) -> Done:
        return await self._desk.submit(replace(command, via="console"))
