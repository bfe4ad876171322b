"""A place that is one table: rows from the snapshot or a query, a head above, below a foot about the chosen row.

A question with an `offset` is one the engine filters and sorts itself: of its rows only the pages in sight are read,
however many there are. Of every other one the rows are read on behind the cursor, and all of them (up to a bound) as
soon as they are filtered or sorted, so that no row is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input

from screens.drawing import BLANK, Line, cut
from screens.formatting import clean, clock, count, wrap
from screens.place import waiting_lines
from screens.reading import Reading
from screens.view import View
from screens.widgets.board import Board
from screens.widgets.table import Column, Table

R = TypeVar("R")


class FilterInput(Input):
    """Where `/` types. Esc empties and leaves it, enter keeps it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "clear the filter", priority=True)]
    DEFAULT_CSS = """
    FilterInput, FilterInput:focus {
        dock: bottom; height: 1; border: none; padding: 0 1; background: $surface; display: none;
    }
    FilterInput.shown { display: block; }
    """

    virtual_size = Reactive(Size(0, 0))  # how long the text is: nothing is laid out anew for a letter

    def action_close(self) -> None:
        self.value = ""
        self.remove_class("shown")
        self.screen.query_one(Table).focus()


class Listing(Reading[R]):
    """Fill in `columns`, `key_of`, `words_of`, and either `rows_of` or `question`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "filter", "filter")]
    DEFAULT_CSS = """
    Listing Table { height: 1fr; }
    Listing #head, Listing #foot { height: 0; overflow-y: hidden; }
    """
    empty = "nothing here"
    _sought = ""  # the row the cursor goes to once it is here

    # ── to be filled in ─────────────────────────────────────────────────────────────────────────────────────────────

    def columns(self) -> Sequence[Column[R]]:
        raise NotImplementedError

    def words_of(self, row: R) -> str:
        """What the filter looks at."""
        raise NotImplementedError

    def rows_of(self, view: View) -> Sequence[R]:
        """What is shown: by itself, what was read."""
        return self.read

    def stands_last(self, row: R) -> bool:
        """Does a row stand below the others in whatever order?"""
        return False

    def head(self, view: View, width: int) -> Sequence[Line]:
        return ()

    def foot(self, row: R, view: View, width: int) -> Sequence[Line]:
        return ()

    def open(self, row: R) -> None:
        """Enter."""

    # ── painting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def body(self) -> ComposeResult:
        yield Board(id="head")
        opens = type(self).open is not Listing.open
        yield Table[R](self.columns(), key=self.key_of, words=self.words_of, last=self.stands_last, opens=opens)
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
        self.keep_fresh(view)
        rows: Sequence[Any] = self.pages if self.arranged else self.rows_of(view)
        self.table.show(rows if view.loaded else (), view, message=self._message(view), arranged=self.arranged)
        if self._sought and self.table.seek(self._sought):
            self._sought = ""
        self._paint_around(view)

    @property
    def tally(self) -> str:
        """How many rows, beside the title, and as of when while they are not refreshed: `12 of 1,000, as of 14:31`."""
        since = f"as of {clock(self.view.link.since, self.view.zone)}" if self.view.stale_for is not None else ""
        return ", ".join(part for part in (self._rows_told, since if self.table.rows else "") if part)

    @property
    def _rows_told(self) -> str:
        """`12 of 1,000`, `1,000`, `200+` while there are more to read."""
        table = self.table
        if self.question() is not None and not (self.done and self.answered):
            return ""
        more = "+" if self.next is not None else ""
        found = count(len(table.rows))
        if not table.filter:
            return f"{found}{more}"
        every = self.unfiltered if self.arranged else table.total
        return f"{found} of {count(every)}{more}" if every >= len(table.rows) and every else f"{found} found"

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
        reading = self.question() is not None and not self.done
        if self.error and reading:
            help_ = "What is not read anew still holds. It is tried again by itself; ^r tries now."
            return (BLANK, *self._folded(f"✖ {self.error}", "bad"), *self._folded(help_, "dim"))
        if reading:
            return (BLANK, *self._folded(f"reading since {clock(view.now, view.zone)} …", "dim"))
        if self.table.filter:
            return (BLANK, *self._folded("nothing matches; esc in the filter shows all", "dim"))
        return (BLANK, *self._folded(self.empty, "dim"))

    def _folded(self, text: str, tone: str) -> list[Line]:
        return [((f"  {part}", tone),) for part in wrap(text, max(20, self.app.size.width - 4))]

    def _troubles(self, view: View) -> Sequence[Line]:
        lines: list[Line] = []
        if self.error and (self.done or self.table.rows):
            what = f"as of {clock(self.error_at, view.zone)}" if self.done else "not all is here"
            lines.append(((f"  {what}: {self.error}", "warn"),))
        if self.table.filter:
            found = f"  {self._rows_told or 'looking for what does'} match ".replace(" found match", " match")
            lines.append(((found, "dim"), (clean(self.table.filter), "accent")))
        return lines

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def in_sight(self) -> range:
        return self.table.in_sight

    def asked_for(self) -> tuple[tuple[str, ...], str]:
        table = self.table
        order = "" if table.order is None else table.columns[table.order].field
        find = []
        for term in table.terms:
            field = "" if term.column is None else table.columns[term.column].field
            find.append(f"{'-' if term.absent else ''}{field + ':' if field else ''}{term.word}")
        return tuple(find), f"-{order}" if order and table.descending else order

    def on_table_ended(self) -> None:
        self.came_near_the_end()

    def on_table_scrolled(self) -> None:
        self.scrolled()

    def on_table_arranged(self) -> None:
        self.rearranged()
        if self.is_current:
            self.show(self.view)

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

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            self.table.focus()

    async def action_back(self) -> None:
        field = self.query_one(FilterInput)
        if field.has_class("shown"):
            field.action_close()
        else:
            await super().action_back()

    def look_for(self, text: str = "", key: str = "") -> None:
        """Filter by a text, or put the cursor on the row with a key as soon as it is here."""
        field = self.query_one(FilterInput)
        if text:
            field.add_class("shown")
            field.value = text
        elif key and field.has_class("shown"):
            field.action_close()
        self._sought = key
        self.show(self.view)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back" and self.is_mounted and self.query_one(FilterInput).has_class("shown"):
            return True
        if action == "reload" and self.question() is None and type(self).action_reload is Reading.action_reload:
            return False
        return super().check_action(action, parameters)


def plain(get: Callable[[Any], str], tone: str = "plain") -> Callable[[Any, View], tuple[str, str]]:
    """A column of outside text."""
    return lambda row, _view: (clean(get(row), longest=300), tone)


def number(get: Callable[[Any], int]) -> Callable[[Any, View], tuple[str, str]]:
    """A column of counts, nothing dimmed."""
    return lambda row, _view: (count(get(row)), "plain" if get(row) else "dim")
