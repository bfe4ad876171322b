"""A further question of a screen, asked beside its own: a course, a list of budgets. Kept fresh while it is seen."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from engine.kernel.errors import HuntazeError
from engine.surface.queries import Query
from screens.drawing import Line
from screens.formatting import clean, clock
from screens.place import Place
from screens.view import View

R = TypeVar("R")
_AFTER_A_JUMP = 0.15  # seconds between two questions while a replay is moved through
_PATIENCE = 20  # times as long as an answer took passes before the next is asked for
_groups = itertools.count()


class Aside(Generic[R]):
    """What came of a question, and when. `keep` is called with every painting; what comes paints the screen again."""

    def __init__(self, place: Place, ask: Callable[[], Query | None], *, every: float = 4.0) -> None:
        self._place, self._ask, self._every = place, ask, every
        self._group = f"aside-{next(_groups)}"
        self._pause = every
        self._asked_at = 0.0
        self._asked_of = 0  # the moment shown when it was asked
        self._number = 0  # an answer to a question that was asked before the last one is thrown away
        self._waits = False
        self.rows: tuple[R, ...] = ()
        self.read_at = 0  # the engine's time of the newest answer; 0: none came yet
        self.error = ""

    def keep(self, view: View) -> None:
        """Ask again when it is time: not while frozen, not without a link."""
        replay = view.link.replay
        jumped = replay is not None and not replay.playing and view.now != self._asked_of
        if not view.loaded or not view.link.up or view.frozen_for is not None or (self._waits and not jumped):
            return
        pause = _AFTER_A_JUMP if jumped else self._pause
        left = self._asked_at + pause - time.monotonic() if self._asked_at else 0.0
        if left <= 0:
            self._read()
            return
        self._waits = True
        self._place.set_timer(left, self._due)

    def start_over(self) -> None:
        """The question changed: what was read says nothing any more."""
        self.rows, self.read_at, self.error = (), 0, ""
        if self._place.view.link.up:
            self._read()

    def trouble(self, view: View) -> Line:
        """Why what is shown is older than it should be; nothing while all is well."""
        if not self.error:
            return ()
        since = f"as of {clock(self.read_at, view.zone)}: " if self.read_at else ""
        return ((f"{since}{self.error}", "warn"),)

    def _due(self) -> None:
        self._waits = False
        if self._place.is_current:
            self.keep(self._place.view)

    def _read(self) -> None:
        question = self._ask()
        if question is None:
            return
        self._asked_at, self._asked_of = time.monotonic(), self._place.view.now
        self._number += 1
        work = self._answer(question, self._number)
        self._place.run_worker(work, group=self._group, exclusive=True, exit_on_error=False)

    async def _answer(self, question: Query, number: int) -> None:
        try:
            page = await self._place.console.source.query(question)
        except HuntazeError as error:
            self.error = clean(str(error), longest=200)
        else:
            if number != self._number:
                return
            took = time.monotonic() - self._asked_at
            self._pause = max(self._every, took * _PATIENCE)  # an answer that is dear is asked for more seldom
            changed = page.rows != self.rows or not self.read_at
            self.rows, self.read_at, self.error = page.rows, self._place.view.now, ""
            if not changed:
                return
        if self._place.is_current:
            self._place.paint(self._place.view)
