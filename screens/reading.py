"""How a listing's rows are read from the engine, kept fresh, and read on behind the cursor. Nothing is painted here."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from textual.worker import Worker

from engine.kernel.errors import HuntazeError
from screens.formatting import clean
from screens.paging import PAGE, Pages, pages_of
from screens.place import Place
from screens.view import View

if TYPE_CHECKING:  # what can be asked is loaded when something is asked
    from engine.surface.queries import Page, Query

R = TypeVar("R")
Wanted = tuple[tuple[str, ...], str]  # a filter and an order, as the engine takes them
_READ_AGAIN = 2.0  # seconds between two readings while the engine moves
_TRY_AGAIN = 5.0  # seconds after a failed one
_KEPT_FRESH = 2_000  # rows read again by themselves; of a longer list only these
_READ_WHOLE = 20_000  # rows read to filter or sort a list that the engine does not arrange


class Reading(Place, Generic[R]):
    """`read` is what came of a question that is read from its start on. Of one with an `offset`, which the engine
    filters and sorts, `pages` holds those in sight."""

    def __init__(self) -> None:
        super().__init__()
        self.read: tuple[R, ...] = ()
        self.pages: Pages[R] = Pages()
        self.done = False  # has a reading come back?
        self.error = ""
        self.error_at = 0
        self.next: str | None = None  # where the rows behind those read begin
        self.unfiltered = 0  # rows there were when nothing was filtered
        self._answered: Wanted | None = None  # the filter and the order that `pages` are the answer to
        self._arranges = True  # until an engine of an older kind shows that it does not
        self._read_seq = -1
        self._read_at = 0.0
        self._asked = 0  # a reading that was asked for before the last one is thrown away
        self._timer_set = False
        self._cut_off = False  # was the link down when last looked at?

    # ── to be filled in ─────────────────────────────────────────────────────────────────────────────────────────────

    def question(self) -> Query | None:
        """What to ask the engine; None where everything is in the snapshot."""
        return None

    def key_of(self, row: R) -> str:
        """What a row is known by."""
        raise NotImplementedError

    def in_sight(self) -> range:
        """The numbers of the rows on the screen."""
        raise NotImplementedError

    def asked_for(self) -> Wanted:
        """The filter and the order as the engine takes them."""
        raise NotImplementedError

    # ── when to read ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def arranged(self) -> bool:
        """Does the engine filter and sort?"""
        return self._arranges and hasattr(self.question(), "offset")

    @property
    def answered(self) -> bool:
        """Are the rows that are here those of the present filter and order, whoever found them?"""
        return not self.arranged or self._answered == self.asked_for()

    def keep_fresh(self, view: View) -> None:
        """Read again when the engine moved on, but not more often than every two seconds; at once when it is back."""
        if self.question() is None or view.frozen_for is not None:
            return
        if not view.link.up:
            self._cut_off = True
            if not self.done:
                self.error, self.error_at = clean(view.link.note, longest=300) or "no link to the engine", view.now
            return
        if self._cut_off:
            self._cut_off, self._arranges = False, True
            self.action_reload()
            return
        if self._timer_set or (not self.error and self._read_seq == view.snapshot.seq):
            return
        pause = _TRY_AGAIN if self.error else _READ_AGAIN if self.done else 0.0
        wait = self._read_at + pause - time.monotonic()
        if wait <= 0:
            self.action_reload()
        else:
            self._timer_set = True
            self.set_timer(wait, self._due)

    def _due(self) -> None:
        self._timer_set = False
        if self.is_current:
            self.keep_fresh(self.view)

    def start_over(self) -> None:
        """The question changed: forget what was read."""
        self.read, self.next, self.done, self.error = (), None, False, ""
        self.pages, self.unfiltered, self._answered = Pages(), 0, None
        self.action_reload()
        self.show(self.view)

    def action_reload(self) -> None:
        if self.question() is None:
            return
        self._read_at, self._read_seq = time.monotonic(), self.view.snapshot.seq
        self._asked += 1
        whole, pages = partial(self._read, self._asked), partial(self._read_pages, self._asked, anew=True)
        self._begin(pages if self.arranged else whole, instead=True)

    def rearranged(self) -> None:
        """The filter or the order changed."""
        if self.arranged:
            self._narrow()
            self._asked += 1
            self._begin(partial(self._read_pages, self._asked, anew=True, top=True), instead=True)
        elif self.next is not None:
            self._read_on(_READ_WHOLE)

    def _narrow(self) -> None:
        """Where all rows of the last filter are here, and this one only says more: find them here, and at once.

        What the words mean is the engine's own; its answer comes behind it and stands.
        """
        from engine.surface.finding import matching, narrower

        find, order = self.asked_for()
        rows = [row for _, row in self.pages.held()] if self.pages.total <= PAGE else []
        if self._answered is None or len(rows) < self.pages.total:
            return
        before, ordered = self._answered
        if order == ordered and narrower(find, before):
            found: list[Any] = matching(rows, find)  # type: ignore[arg-type] # deliveries: see `arranged`
            self.pages, self._answered = Pages[R]().taking(0, found, len(found)), (find, order)

    def came_near_the_end(self) -> None:
        if self.next is not None:
            self._read_on(len(self.read) + PAGE * 5)

    def scrolled(self) -> None:
        """Rows came into sight that may not be here yet."""
        if self.arranged and self.done and self.pages.missing(self._around()) and not self._is_reading:
            self._begin(partial(self._read_pages, self._asked))

    def _read_on(self, wanted: int) -> None:
        if not self._is_reading:
            self._begin(partial(self._read_behind, wanted, self._asked))

    def _begin(self, work: Callable[..., Coroutine[None, None, None]], *, instead: bool = False) -> None:
        """Read in the background; `instead` of what is being read. Given as a function: one not begun is never owed."""
        _: Worker[Any] = self.run_worker(work, group="reading", exclusive=instead, exit_on_error=False)

    @property
    def _is_reading(self) -> bool:
        return any(worker.group == "reading" and worker.is_running for worker in self.workers)

    # ── reading from the start on ───────────────────────────────────────────────────────────────────────────────────

    async def _read(self, asked: int) -> None:
        """Read again what was read; of a longer list its first rows, the others staying as they are."""
        wanted = max(PAGE, min(len(self.read), _KEPT_FRESH))
        found = await self._rows((), "", wanted)
        if found is None or asked != self._asked:
            return
        rows, cursor = found
        if cursor is None:  # all there is; what was read need not be what is listed
            self._take(rows, None)
            return
        fresh = {self.key_of(row) for row in rows}
        behind = [row for row in self.read[len(rows) :] if self.key_of(row) not in fresh]
        self._take((*rows, *behind), self.next if behind else cursor)

    async def _read_behind(self, wanted: int, asked: int) -> None:
        """Go on behind what was read until there are enough rows."""
        found = await self._rows(self.read, self.next, wanted)
        if found is not None and asked == self._asked:
            self._take(*found)

    async def _rows(
        self, rows: Sequence[R], cursor: str | None, wanted: int
    ) -> tuple[tuple[R, ...], str | None] | None:
        found = list(rows)
        while cursor is not None and len(found) < wanted:
            page = await self._ask(cursor=cursor, limit=max(1, min(wanted - len(found), 1_000)))
            if page is None:
                return None
            found += page.rows
            cursor = page.next
        return tuple(found), cursor

    def _take(self, rows: tuple[R, ...], cursor: str | None) -> None:
        self.read, self.next, self.done, self.error = rows, cursor, True, ""
        if self.is_current:
            self.show(self.view)

    # ── reading the pages in sight ──────────────────────────────────────────────────────────────────────────────────

    def _around(self) -> range:
        """The rows in sight and a screenful before and behind them."""
        seen = self.in_sight()
        return range(max(0, seen.start - len(seen)), min(self.pages.total, seen.stop + len(seen)))

    async def _read_pages(self, asked: int, *, anew: bool = False, top: bool = False) -> None:
        """Read the pages in sight that are missing; all of them `anew`. `top`: those of another filter or order."""
        how = self.asked_for()
        while True:
            wanted = (
                [0] if top else list(pages_of(self._around())) or [0] if anew else self.pages.missing(self._around())
            )
            if not wanted:
                return
            known: Pages[R] = Pages() if anew else self.pages
            for number in wanted:
                known_now = await self._page(number, known, asked, how)
                if known_now is None:
                    return
                known = known_now
            if anew and not top and how[0] and await self._count() is None:
                return
            self.pages, self._answered, self.done, self.error = known, how, True, ""
            anew = top = False
            if self.is_current:
                self.show(self.view)

    async def _page(self, number: int, known: Pages[R], asked: int, how: Wanted) -> Pages[R] | None:
        find, order = how
        page = await self._ask(find=find, order=order, offset=number * PAGE, limit=PAGE)
        if page is None or asked != self._asked or how != self.asked_for():  # another filter will ask for itself
            return None
        if page.total is None:  # an engine that knows nothing of offsets
            self._arranges = False
            self.action_reload()
            return None
        if not find:
            self.unfiltered = page.total
        return known.taking(number, page.rows, page.total)

    async def _count(self) -> int | None:
        """How many rows there are unfiltered, counted after those that a filter found: it is never fewer."""
        page = await self._ask(find=(), order="", offset=0, limit=1)
        if page is not None and page.total is not None:
            self.unfiltered = page.total
        return None if page is None else self.unfiltered

    async def _ask(self, **how: Any) -> Page[R] | None:
        """A page of the answer; None when it failed."""
        question = self.question()
        if question is None:
            return None
        used = {name: value for name, value in how.items() if hasattr(question, name)}
        try:
            return await self.console.source.query(replace(question, **used))
        except HuntazeError as error:
            self.error, self.error_at = clean(str(error), longest=300), self.view.now
            if self.view.link.replay is not None:  # what was read is of another moment, perhaps one yet to come
                self.read, self.pages, self.next, self.done = (), Pages(), None, False
        if self.is_current:
            self.show(self.view)
        return None
