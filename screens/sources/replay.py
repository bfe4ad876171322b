"""A recording as a source: the same screens over the same projection, at a moment that can be moved."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from engine.events import Recorded
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import Instant
from engine.surface.commands import Command, Done
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot
from screens.recording import Answers, Player, Recording, RecordingError
from screens.source import Link

_RECENT = 1_000  # events; a screen shows a few dozen
_TURN = 0.1  # real seconds between looks while time runs


class ReplaySource:
    """Time runs on a thread of its own, so that fast replays never delay a key. `close` ends it, and the file."""

    def __init__(self, recording: Recording, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.player = Player(recording, clock)
        self._answers = Answers(recording)
        self._leaving, self._wake = False, threading.Event()
        self._broke = ""
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._leaving = True
        self._wake.set()
        self._thread.join(timeout=5)
        self.player.recording.close()

    def wake(self) -> None:
        """Time may have begun to run."""
        self._wake.set()

    def snapshot(self) -> Snapshot:
        return self.player.snapshot

    def link(self) -> Link:
        player = self.player
        return Link(
            attached=False,
            up=True,
            since=Instant(player.recording.began),
            now=Instant(player.now),
            note=self._broke,
            read_only=True,
            replay=player.standing(),
        )

    async def query(self, query: Query) -> Page[Any]:
        return await asyncio.to_thread(lambda: self._answers.answer(query, self.player.moment()))

    async def submit(self, command: Command) -> Done:
        remedy = "Go back to the engine to act"
        raise CommandRefused(Refusal.CONFLICT, "This is a recording: nothing in it can be changed", remedy=remedy)

    def recent(self, after: int) -> Sequence[Recorded]:
        return self.player.recent(after, _RECENT)

    def _run(self) -> None:
        while not self._leaving:
            try:
                runs = self.player.advance()
            except (RecordingError, OSError) as error:
                self._broke, runs = str(error), False
                self.player.pause()
            self._wake.wait(_TURN if runs else None)
            self._wake.clear()
