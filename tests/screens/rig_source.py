"""The console over the real engine of tests/rig.py: what a key does is done to a database, not to a script.

Within the engine's process, or attached to it as an operator's own console is: through the server of the API on a unix
socket, with a token.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.widgets import Static

from engine.events import Recorded
from engine.kernel.secret import Secret
from engine.storage.directory import Mode, StateDirectory
from engine.surface.commands import Command, Done
from engine.surface.desk import ViaDesk
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot
from huntaze_console.api import ApiSettings, serve
from screens.source import Link, Source
from screens.sources.line import Address
from screens.sources.remote import RemoteSource
from tests.fakes import ManualClock
from tests.rig import Rig, rig
from tests.screens.harness import Console, console

LINKS = ("within", "attached")  # how a console gets at the engine


class RunningDesk(ViaDesk):
    """The desk of a rig, whose engine would otherwise seem to start for ever."""

    def snapshot(self) -> Snapshot:
        found = super().snapshot()
        return replace(found, engine=replace(found.engine, state="running"))


class Within:
    """The engine in this process."""

    def __init__(self, play: Rig) -> None:
        self._desk, self._clock = RunningDesk(play.desk, "console"), play.clock
        self._loop = asyncio.get_running_loop()

    def snapshot(self) -> Snapshot:
        return self._desk.snapshot()

    def link(self) -> Link:
        now = self._clock.now()
        return Link(attached=False, up=True, since=now, now=now)

    async def query(self, query: Query) -> Page[Any]:
        """Also from a thread of its own, as the past is read."""
        if asyncio.get_running_loop() is self._loop:
            return await self._desk.query(query)
        asked = asyncio.run_coroutine_threadsafe(self._desk.query(query), self._loop)
        return await asyncio.wrap_future(asked)

    async def submit(self, command: Command) -> Done:
        return await self._desk.submit(command)

    def recent(self, after: int) -> Sequence[Recorded]:
        return ()


class RigSource:
    """A source that a test can hold back. `commands` keeps what was asked of the engine, refused or not."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.commands: list[Command] = []
        self.read_only = False
        self.up = True
        self.epoch = ""  # instead of the engine's own

    def snapshot(self) -> Snapshot:
        found = self._source.snapshot()
        return replace(found, epoch=self.epoch or found.epoch)

    def link(self) -> Link:
        link = self._source.link()
        return replace(link, up=link.up and self.up, read_only=link.read_only or self.read_only)

    async def query(self, query: Query) -> Page[Any]:
        return await self._source.query(query)

    async def submit(self, command: Command) -> Done:
        self.commands.append(command)
        return await self._source.submit(command)

    def recent(self, after: int) -> Sequence[Recorded]:
        return self._source.recent(after)


@asynccontextmanager
async def sourced(play: Rig, folder: Path, link: str) -> AsyncIterator[RigSource]:
    """A source of an engine by one of LINKS."""
    if link == "within":
        yield RigSource(Within(play))
        return
    async with attached(play, folder) as source:
        yield RigSource(source)


@asynccontextmanager
async def attached(play: Rig, folder: Path) -> AsyncIterator[RemoteSource]:
    """The engine's API on a unix socket, and a link to it that is up."""
    directory = StateDirectory(folder / "state")
    directory.acquire(kind="daemon", mode=Mode.REAL, version="1.2.3")
    desk, chance = RunningDesk(play.desk, "api"), random.Random(7)
    try:
        async with serve(
            desk, directory, ApiSettings(), tcp=False, clock=play.clock, stop=asyncio.Event(), chance=chance
        ) as endpoint:
            token = Secret(directory.token_path.read_text().strip())
            source = RemoteSource(Address(socket=endpoint.socket), token, chance=chance, version="1.2.3", silence=60.0)
            source.start()
            try:
                async with asyncio.timeout(10):
                    while not source.link().up:
                        await asyncio.sleep(0.01)
                yield source
            finally:
                await asyncio.to_thread(source.close)
    finally:
        directory.release()


@asynccontextmanager
async def acting(
    folder: Path, link: str = "within", *, clock: ManualClock | None = None
) -> AsyncIterator[tuple[Rig, RigSource]]:
    """An engine and a source of it; open the console with `looking` once the engine is as a test wants it."""
    async with rig(folder, clock=clock) as play, sourced(play, folder, link) as source:
        yield play, source


@asynccontextmanager
async def looking(source: RigSource, **options: Any) -> AsyncIterator[Console]:
    async with console(source, **options) as running:
        yield running


def asked(running: Console) -> str:
    """The words of the question or the form that is open, however they are folded."""
    return " ".join(str(words.render()) for words in running.app.screen.query(Static))


async def until(running: Console, words: str, *, turns: int = 100) -> str:
    """The screen once it shows these words; fails with what it shows instead."""
    for _ in range(turns):
        await running.settle()
        if words in running.text() or any(words in notice for notice in running.notices):
            return running.text()
        await running.pilot.pause(0.02)
    raise AssertionError(f"{words!r} never came:\n{running.text()}\n{list(running.notices)}")
