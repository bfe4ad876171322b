"""A place that is one table: rows from the snapshot or a query, a head above, below a foot about the chosen row."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from engine.kernel.errors import HuntazeError
from engine.surface.queries import Query
from screens.drawing import BLANK, Line, cut
from screens.formatting import clean, clock, count, wrap
from screens.place import Place, waiting_lines
from screens.view import View
from screens.widgets.board import Board
from screens.widgets.table import Column, Table

R = TypeVar("R")
_READ_AGAIN = 2.0  # seconds between two readings while the engine moves
_TRY_AGAIN = 5.0  # seconds after a failed one
_PAGE = 200  # rows asked for at once
_KEPT_FRESH = 2_000  # rows read again by themselves; of a longer list only these


class FilterInput(Input):
    """Where `/` types. Esc empties and leaves it, enter keeps it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "clear the filter", priority=True)]
    DEFAULT_CSS = """
    FilterInput, FilterInput:focus {
        dock: bottom; height: 1; border: none; padding: 0 1; background: $surface; display: none;
    }
    FilterInput.shown { display: block; }
    """

    def action_close(self) -> None:
        self.value = ""
        self.remove_class("shown")
        self.screen.query_one(Table).focus()


class Listing(Place, Generic[R]):
    """Fill in `columns`, `key_of`, `words_of`, and either `rows_of` or `question`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "filter", "filter")]
    DEFAULT_CSS = """
    Listing Table { height: 1fr; }
    Listing #head, Listing #foot { height: 0; overflow-y: hidden; }
    """
    empty = "nothing here"

    def __init__(self) -> None:
        super().__init__()
        self.read: tuple[R, ...] = ()
        self._next: str | None = None
        self._done = False  # has a reading come back?
        self._error = ""
        self._error_at = 0
        self._read_seq = -1
        self._read_at = 0.0
        self._asked = 0  # a reading that was asked for before the last one is thrown away
        self._timer_set = False
        self._cut_off = False  # was the link down when last looked at?

    # ── to be filled in ─────────────────────────────────────────────────────────────────────────────────────────────

    def columns(self) -> Sequence[Column[R]]:
        raise NotImplementedError

    def key_of(self, row: R) -> str:
        raise NotImplementedError

    def words_of(self, row: R) -> str:
        """What the filter looks at."""
        raise NotImplementedError

    def rows_of(self, view: View) -> Sequence[R]:
        """What is shown: by itself, what was read."""
        return self.read

    def question(self) -> Query | None:
        """What to ask the engine; None where everything is in the snapshot."""
        return None

    def head(self, view: View, width: int) -> Sequence[Line]:
        return ()

    def foot(self, row: R, view: View, width: int) -> Sequence[Line]:
        return ()

    def open(self, row: R) -> None:
        """Enter."""

    # ── painting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def body(self) -> ComposeResult:
        yield Board(id="head")
        yield Table[R](self.columns(), key=self.key_of, words=self.words_of)
        yield Board(id="foot")
        field = FilterInput(id="filter")
        field.cursor_blink = False
        yield field

    @property
    def table(self) -> Table[R]:
        return cast("Table[R]", self.query_one(Table))

    @property
    def row(self) -> R | None:
        """The row under the cursor."""
        return self.table.row

    def on_mount(self) -> None:
        self.table.focus()

    def paint(self, view: View) -> None:
        self._keep_fresh(view)
        rows = self.rows_of(view) if view.loaded else ()
        self.table.show(rows, view, message=self._message(view))
        self._paint_around(view)

    def _paint_around(self, view: View) -> None:
        width = self.app.size.width
        head = [*self.head(view, width), *self._troubles(view)] if view.loaded else []
        self._fill("#head", head)
        row = self.row
        self._fill("#foot", self.foot(row, view, width) if row is not None and view.loaded else ())

    def _fill(self, name: str, lines: Sequence[Line]) -> None:
        board = self.query_one(name, Board)
        board.styles.height = len(lines)
        board.paint(lambda width, _height: [cut(line, width) for line in lines])

    def _message(self, view: View) -> Sequence[Line]:
        """What stands below the heading while there are no rows."""
        if not view.loaded:
            return waiting_lines(view, self.title_text.capitalize())
        reading = self.question() is not None and not self._done
        if self._error and reading:
            help_ = "What is not read anew still holds. It is tried again by itself; ^r tries now."
            return (BLANK, *self._folded(f"✖ {self._error}", "bad"), *self._folded(help_, "dim"))
        if reading:
            return (BLANK, *self._folded(f"reading since {clock(view.now, view.zone)} …", "dim"))
        if self.table.filter:
            return (BLANK, *self._folded("nothing matches; esc in the filter shows all", "dim"))
        return (BLANK, *self._folded(self.empty, "dim"))

    def _folded(self, text: str, tone: str) -> list[Line]:
        return [((f"  {part}", tone),) for part in wrap(text, max(20, self.app.size.width - 4))]

    def _troubles(self, view: View) -> Sequence[Line]:
        lines: list[Line] = []
        if self._error and self.read:
            lines.append(((f"  as of {clock(self._error_at, view.zone)}: {self._error}", "warn"),))
        table = self.table
        if table.filter:
            found = f"  {count(len(table.rows))} of {count(table.total)} match "
            lines.append(((found, "dim"), (clean(self.query_one(FilterInput).value), "accent")))
        return lines

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _keep_fresh(self, view: View) -> None:
        """Read again when the engine moved on, but not more often than every two seconds; at once when it is back."""
        if self.question() is None or view.frozen_for is not None:
            return
        if not view.link.up:
            self._cut_off = True
            if not self._done:
                self._error, self._error_at = clean(view.link.note, longest=300) or "no link to the engine", view.now
            return
        if self._cut_off:
            self._cut_off = False
            self.action_reload()
            return
        if self._timer_set or (not self._error and self._read_seq == view.snapshot.seq):
            return
        pause = _TRY_AGAIN if self._error else _READ_AGAIN if self._done else 0.0
        wait = self._read_at + pause - time.monotonic()
        if wait <= 0:
            self.action_reload()
        else:
            self._timer_set = True
            self.set_timer(wait, self._due)

    def _due(self) -> None:
        self._timer_set = False
        if self.is_current:
            self._keep_fresh(self.view)

    def start_over(self) -> None:
        """The question changed: forget what was read."""
        self.read, self._next, self._done, self._error = (), None, False, ""
        self.action_reload()
        self.show(self.view)

    def action_reload(self) -> None:
        if self.question() is None:
            return
        self._read_at, self._read_seq = time.monotonic(), self.view.snapshot.seq
        self._asked += 1
        wanted = max(_PAGE, min(len(self.read), _KEPT_FRESH))
        self.run_worker(self._read(wanted, self._asked), group="reading", exclusive=True, exit_on_error=False)

    async def _read(self, wanted: int, asked: int, *, on: bool = False) -> None:
        """Read pages until there are enough rows. `on` goes on behind what was read."""
        question = self.question()
        if question is None:
            return
        rows: list[Any] = list(self.read) if on else []
        cursor = self._next if on else ""
        try:
            while cursor is not None and len(rows) < wanted:
                page = await self.console.source.query(_paged(question, cursor, wanted - len(rows)))
                rows += page.rows
                cursor = page.next
        except HuntazeError as error:
            self._error, self._error_at = clean(str(error), longest=300), self.view.now
        else:
            if asked != self._asked:
                return
            self.read, self._next, self._done, self._error = tuple(rows), cursor, True, ""
        if self.is_current:
            self.show(self.view)

    def on_table_ended(self) -> None:
        if self._next is not None and "reading" not in {w.group for w in self.workers if w.is_running}:
            self.run_worker(
                self._read(len(self.read) + _PAGE * 5, self._asked, on=True), group="reading", exit_on_error=False
            )

    # ── moving about ────────────────────────────────────────────────────────────────────────────────────────────────

    def on_table_moved(self) -> None:
        if self.is_current:
            self._paint_around(self.view)
            self.show_keys()

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.open(event.row)

    def action_filter(self) -> None:
        field = self.query_one(FilterInput)
        field.add_class("shown")
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self.table.narrow(event.value)
            self.paint(self.view)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            self.table.focus()

    def action_back(self) -> None:
        field = self.query_one(FilterInput)
        if field.has_class("shown"):
            field.action_close()
        else:
            super().action_back()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back" and self.is_mounted and self.query_one(FilterInput).has_class("shown"):
            return True
        return super().check_action(action, parameters)


def _paged(question: Query, cursor: str, missing: int) -> Query:
    if not hasattr(question, "cursor"):
        return question
    return replace(question, cursor=cursor, limit=max(1, min(missing, 1_000)))  # type: ignore[call-arg]


def plain(get: Callable[[Any], str], tone: str = "plain") -> Callable[[Any, View], tuple[str, str]]:
    """A column of outside text."""
    return lambda row, _view: (clean(get(row), longest=300), tone)


def number(get: Callable[[Any], int]) -> Callable[[Any, View], tuple[str, str]]:
    """A column of counts, nothing dimmed."""
    return lambda row, _view: (count(get(row)), "plain" if get(row) else "dim")
