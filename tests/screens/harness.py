"""Runs the console over a scripted source and reads what stands on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from textual.events import Key
from textual.pilot import Pilot

from screens.app import ConsoleApp
from screens.source import ConsoleOptions, Source
from tests.screens.scripted import ScriptedSource


@dataclass
class Console:
    """A running console: press keys, then look."""

    app: ConsoleApp
    pilot: Pilot[Any]
    log: list[str] = field(default_factory=list)

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.app.simulate_key(key)
            await self.settle()

    async def type(self, text: str) -> None:
        names = {" ": "space", "{": "left_curly_bracket", "}": "right_curly_bracket"}
        for letter in text:
            self.app.post_message(Key(names.get(letter, letter), letter))
        await self.settle()

    async def settle(self) -> None:
        """Let messages, workers, the feed and the layout come to rest: until nothing shown changes any more."""
        await self._turn()
        await self._at_rest(5.0)
        self.app.feed.tick()
        before: list[str] = []
        still = 0
        while still < 2:
            await self._turn()
            await self.pilot.pause(0.009)  # Textual lays out and paints on a timer of 1/60 s
            now = self.lines()
            still = still + 1 if now == before else 0
            before = now

    async def _at_rest(self, patience: float) -> None:
        """Until every key is answered, and what was asked of the engine as well."""
        give_up = time.monotonic() + patience
        while not self.app.answered or any(worker.is_running for worker in self.app.workers):
            if time.monotonic() > give_up:
                return
            await asyncio.sleep(0.001)

    async def _turn(self) -> None:
        for _ in range(40):
            await asyncio.sleep(0)

    def lines(self) -> list[str]:
        """The rendered characters, line by line, blanks at the end cut off."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    def text(self) -> str:
        return "\n".join(self.lines())

    @property
    def keys(self) -> dict[str, str]:
        """What the key line offers: key to label."""
        shown = self.app.screen.keys()  # type: ignore[attr-defined]
        return {key.key: key.label for key in shown}

    @property
    def notices(self) -> Sequence[str]:
        return [notice.text for notice in self.app.notices]


@asynccontextmanager
async def console(
    source: Source | str = "normal", *, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[Console]:
    """An open console; a fault of its own fails the test."""
    log: list[str] = []
    found = ScriptedSource(source) if isinstance(source, str) else source
    app = ConsoleApp(found, options=ConsoleOptions(log=log.append, **options))
    async with app.run_test(size=size) as pilot:
        running = Console(app, pilot, log)
        await running.settle()
        yield running
    assert log == []
