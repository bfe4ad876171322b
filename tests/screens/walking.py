"""A console on a real terminal that walks over every place there is, behind a hostile world. Run as a program.

It reads attacks as JSON lines from one descriptor, walks once for each, and answers each with a line of where it was.
With `every-key` it also tries every key of every place.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from textual.pilot import Pilot

from screens.app import ConsoleApp
from screens.listing import FilterInput
from screens.place import Place
from screens.registry import NAMES
from screens.source import ConsoleOptions
from screens.terminal import read_terminal
from tests.screens.scripted import ScriptedSource
from tests.screens.test_hostile_text import HostileSource

_LEAVING = frozenset({"q", "escape", "ctrl+c", "space"})
_ANSWERED = frozenset({"S", "B"})  # what they ask and tell is not from outside


class Walk:
    """One console and the world behind it."""

    def __init__(self, asked: int, answers: int, *, every_key: bool) -> None:
        self._every_key = every_key
        self._asked, self._answers = os.fdopen(asked), os.fdopen(answers, "w")
        self._log: list[str] = []
        self._source = ScriptedSource()
        self.app = ConsoleApp(
            self._source, options=ConsoleOptions(terminal=read_terminal(os.environ), log=self._log.append)
        )

    async def run(self, pilot: Pilot[Any]) -> None:
        while line := await asyncio.to_thread(self._asked.readline):
            attack = json.loads(line)
            self.app.source = self.app.feed._source = HostileSource(attack)
            self._log.clear()
            seen = [screen for name in NAMES for screen in await self._visit(name)]
            await self._tell(attack)
            self._answers.write(json.dumps({"seen": seen, "log": self._log}) + "\n")
            self._answers.flush()
        self.app.exit(0)

    async def _visit(self, name: str) -> list[str]:
        """Open a place, drill down, and try each of its keys; the screens that were seen."""
        await self.app.switch_mode(name)
        await self._rest()
        seen = [type(self.app.screen).__name__]
        screen = self.app.screen
        shown = screen.keys() if self._every_key and isinstance(screen, Place) else ()
        keys = [key.press for key in shown if key.group == "here"]
        for key in ("enter", *keys):
            if key in _LEAVING | _ANSWERED:
                continue
            self.app.simulate_key(key)
            await self._rest()
            seen.append(type(self.app.screen).__name__)
            await self._back(name)
        return seen

    async def _back(self, name: str) -> None:
        if isinstance(self.app.focused, FilterInput):
            self.app.simulate_key("escape")
            await self._rest()
        for _ in range(4):
            if len(self.app.screen_stack) == 1 and self.app.current_mode == name:
                return
            if self.app.current_mode != name:
                await self.app.switch_mode(name)
            else:
                await self.app.pop_screen()
        await self._rest()

    async def _tell(self, attack: str) -> None:
        """What else leaves the console: a notice and the clipboard."""
        self.app.tell(attack, severity="error")
        self.app.copy_to_clipboard(attack)
        await self._rest()

    async def _rest(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0.006)
        self.app.pacer.acted()
        self.app.feed.tick()
        await asyncio.sleep(0.018)  # Textual paints on a timer of 1/60 s


def main() -> None:
    walk = Walk(int(sys.argv[1]), int(sys.argv[2]), every_key=sys.argv[3] == "every-key")
    asyncio.run(walk.app.run_async(auto_pilot=walk.run))


if __name__ == "__main__":
    main()
