"""The console over the real engine of tests/rig.py: what a key does is done to a database, not to a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.events import Recorded
from engine.surface.commands import Command, Done
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot
from screens.source import Link
from tests.rig import Rig, rig
from tests.screens.harness import Console, console


class RigSource:
    """One engine in this process. `commands` keeps what was asked of it, refused or not."""

    def __init__(self, play: Rig) -> None:
        self.play = play
        self.commands: list[Command] = []
        self.read_only = False
        self.up = True
        self._loop = asyncio.get_running_loop()

    def snapshot(self) -> Snapshot:
        found = self.play.desk.snapshot()
        return replace(found, engine=replace(found.engine, state="running"))

    def link(self) -> Link:
        now = self.play.clock.now()
        return Link(attached=False, up=self.up, since=now, now=now, read_only=self.read_only)

    async def query(self, query: Query) -> Page[Any]:
        """Also from a thread of its own, as the past is read."""
        if asyncio.get_running_loop() is self._loop:
            return await self.play.desk.query(query)
        asked = asyncio.run_coroutine_threadsafe(self.play.desk.query(query), self._loop)
        return await asyncio.wrap_future(asked)

    async def submit(self, command: Command) -> Done:
        self.commands.append(command)
        return await self.play.desk.submit(command)

    def recent(self, after: int) -> Sequence[Recorded]:
        return ()


@asynccontextmanager
async def acting(folder: Path, **options: Any) -> AsyncIterator[tuple[Rig, RigSource]]:
    """An engine and a source of it; open the console with `looking` once the engine is as a test wants it."""
    async with rig(folder) as play:
        yield play, RigSource(play)


@asynccontextmanager
async def looking(source: RigSource, **options: Any) -> AsyncIterator[Console]:
    async with console(source, **options) as running:
        yield running


async def until(running: Console, words: str, *, turns: int = 100) -> str:
    """The screen once it shows these words; fails with what it shows instead."""
    for _ in range(turns):
        await running.settle()
        if words in running.text() or any(words in notice for notice in running.notices):
            return running.text()
        await running.pilot.pause(0.02)
    raise AssertionError(f"{words!r} never came:\n{running.text()}\n{list(running.notices)}")
