"""A table of any length that draws only the rows in sight, and repaints only those that changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens import filtering
from screens.drawing import BLANK, Line, Span, cell, cut, padded, width_of
from screens.filtering import Term
from screens.keys import named
from screens.paging import Pages
from screens.view import View
from screens.widgets.board import strip_of, style_of
from screens.widgets.widths import GAP, Share, Wishes, shared

R = TypeVar("R")
_GAP: Span = (" " * GAP, "plain")
_SPARE_ROWS = 50  # rows below the cursor when more are asked for
_COMPARED = 2_000  # rows up to which a new list is compared with the old one, row by row
_TEXTS_KEPT = 200_000  # rows whose words are kept for the next letter of a filter
_ABSENT: Line = (("  …", "dim"),)  # a row that is on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[R]):
    """One column: its least `width` in cells, less only of what it does not fill, and its `weight` in what is left; see
    `screens.widgets.widths`. `need` is the least table width at which it is shown. One that `adorns` only draws what
    another says. `field` is what the engine calls it, where it can filter and sort by it itself."""

    title: str
    width: int
    paint: Callable[[R, View], Span | Line]
    sort: Callable[[R], Any] | None = None
    right: bool = False
    weight: int = 0
    need: int = 0
    adorns: bool = False
    field: str = ""


class Table(ScrollView, Generic[R]):
    """Rows under a heading with a cursor, a sort order and a filter. Rows are known by a key, so the cursor stays on
    its row when others come and go."""

    DEFAULT_CSS = """
    Table { background: $background; color: $foreground; overflow-x: hidden; overflow-y: auto; scrollbar-size: 1 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("up,k", "step(-1)", "up", show=False),
            Binding("down,j", "step(1)", "down", show=False),
            Binding("pageup", "page(-1)", "a page up", show=False),
            Binding("pagedown", "page(1)", "a page down", show=False),
            Binding("home,g", "edge(0)", "first row", show=False),
            Binding("end,G", "edge(1)", "last row", show=False),
            Binding("enter", "choose", "open", show=False),
            Binding("o", "order", "order by the next column", show=False),
            Binding("O", "reverse", "reverse the order", show=False),
        ]
    )

    class Chosen(Message):
        """Enter on a row, or a second click."""

        def __init__(self, row: Any) -> None:
            super().__init__()
            self.row = row

    class Moved(Message):
        """The cursor stands on another row; None on an empty table."""

        def __init__(self, row: Any) -> None:
            super().__init__()
            self.row = row

    class Ended(Message):
        """The cursor is near the last row; more may be loaded."""

    class Arranged(Message):
        """The order or the filter changed."""

    class Scrolled(Message):
        """Other rows are in sight."""

    can_focus = True

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], str],
        words: Callable[[R], str],
        last: Callable[[R], bool] = lambda row: False,
        opens: bool = True,
        id: str | None = None,  # noqa: A002 - Textual's word
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._key, self._words, self._last, self._opens = key, words, last, opens
        self._all: Sequence[R] = ()
        self.rows: Sequence[R] = ()
        self._view = View()
        self._painted: dict[int, Line] = {}
        self._wishes = Wishes(len(self.columns))
        self._laid_for: tuple[int | bool | None, ...] = ()
        self._laid: list[tuple[Column[R], int]] = []
        self._cursor_key = ""
        self.cursor = 0
        self.order: int | None = None
        self.descending = False
        self.filter = ""
        self._message: tuple[Line, ...] = ()
        self._texts: dict[int, str] = {}  # what the filter looks at, by the identity of a row in `_all`
        self._is_arranged = False

    # ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────

    def show(self, rows: Sequence[R], view: View, *, message: Sequence[Line] = (), arranged: bool = False) -> None:
        """Take rows and the moment they are shown for. `message` stands below the heading where there are none.

        Rows that are `arranged` are filtered and in order already; one of them may be None while it is on its way.
        """
        same = rows is self._all or (len(rows) <= _COMPARED and not arranged and rows == self._all)
        self._view, self._message, self._is_arranged = view, tuple(message), arranged
        self._wishes.look()
        if not same:
            followed = self.cursor in self.in_sight
            self._all = rows
            self._texts = {}
            self._arrange(told=False)  # whoever shows other rows knows that the cursor may stand on another
            if followed:
                self._into_sight()
        self._repaint()

    def narrow(self, text: str) -> None:
        """Show only the rows that a filter is true of; see `screens.filtering`. Painted when `Arranged` is answered."""
        if text == self.filter:
            return
        self.filter = text
        self._rearrange()

    def order_by(self, column: int | None, *, descending: bool = False) -> None:
        """Sort by a column, or leave the rows as they came; the cursor goes to the first."""
        self.order, self.descending = column, descending
        self.cursor, self._cursor_key = 0, ""
        self._rearrange()

    @property
    def total(self) -> int:
        """Rows before the filter."""
        return len(self._all)

    @property
    def row(self) -> R | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    @property
    def terms(self) -> tuple[Term, ...]:
        """What the filter says."""
        titles = (column.title if column.field or not self._is_arranged else "" for column in self.columns)
        return filtering.parse(self.filter, tuple(titles))

    @property
    def in_sight(self) -> range:
        """The numbers of the rows on the screen, below the heading."""
        top = max(0, round(self.scroll_y))
        return range(top, min(len(self.rows), top + max(1, self.scrollable_content_region.height - 1)))

    def seek(self, key: str) -> bool:
        """Put the cursor on the row with a key; False while there is none."""
        at = self._find(key)
        if at is not None:
            self._go(at)
        return at is not None

    def _rearrange(self) -> None:
        self._wishes.forget()
        self._arrange()
        if self._is_arranged:  # what the engine is asked for now begins at its first row
            self.cursor, self._cursor_key = 0, ""
        self._into_sight()
        self.post_message(self.Arranged())

    def _arrange(self, *, told: bool = True) -> None:
        if self._is_arranged:
            self.rows = self._all
        else:
            self.rows = self._sorted(self._filtered())
        found = self._find(self._cursor_key)
        self._place(self.cursor if found is None else found, told=told and found is None)

    def _filtered(self) -> Sequence[R]:
        return filtering.matching(self._all, self.terms, self._text, self._cell_text) if self.filter else self._all

    def _text(self, row: R) -> str:
        """What the filter looks at, made once for each row that is shown."""
        found = self._texts.get(id(row))
        if found is None:
            found = self._words(row).casefold()
            if len(self._texts) < _TEXTS_KEPT:
                self._texts[id(row)] = found
        return found

    def _cell_text(self, row: R, column: int) -> str:
        painted = self.columns[column].paint(row, self._view)
        if painted and isinstance(painted[0], str):
            return painted[0].casefold()
        return "".join(span[0] for span in painted).casefold()

    def _sorted(self, rows: Sequence[R]) -> Sequence[R]:
        sort = self.columns[self.order].sort if self.order is not None else None
        return rows if sort is None else sorted(sorted(rows, key=sort, reverse=self.descending), key=self._last)

    def _find(self, key: str) -> int | None:
        """The number of the row with a key: where the cursor is or near it, more often than not."""
        if not key:
            return None
        if isinstance(self.rows, Pages):
            return next((at for at, row in self.rows.held() if self._key(row) == key), None)
        if self.cursor < len(self.rows) and self._key(self.rows[self.cursor]) == key:
            return self.cursor
        return next((at for at, row in enumerate(self.rows) if self._key(row) == key), None)

    def _place(self, at: int, *, told: bool = True) -> None:
        self.cursor = max(0, min(at, len(self.rows) - 1))
        row = self.row
        self._cursor_key = self._key(row) if row is not None else ""
        if told:
            self.post_message(self.Moved(row))
        if self.cursor + _SPARE_ROWS >= len(self.rows) and self.rows:
            self.post_message(self.Ended())

    # ── painting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _repaint(self) -> None:
        width, height = self._room, self.size.height
        if not width:
            return
        size = Size(width, self._height)
        if size != self.virtual_size:
            self.virtual_size = size
        self._measure(width)
        before, self._painted = self._painted, {y: self._line(y, width) for y in range(height)}
        for y, line in self._painted.items():
            if before.get(y) != line:
                self.refresh(Region(0, y, width, 1))

    def on_resize(self, event: events.Resize) -> None:
        self._painted = {}
        self._repaint()
        self._into_sight()
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._painted = {}
        self._repaint()
        self.post_message(self.Scrolled())

    def watch_has_focus(self, _has_focus: bool) -> None:
        super().watch_has_focus(_has_focus)
        self._painted = {}
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = self._painted.get(y)
        if line is None:
            line = self._line(y, self._room)
        strip = strip_of(self, line, width, self.rich_style)
        if y and self.rows and y - 1 + round(self.scroll_y) == self.cursor:
            strip = Strip(
                [
                    segment.__class__(
                        segment.text, (segment.style or style_of(self, "plain")) + style_of(self, "cursor")
                    )
                    for segment in strip
                ],
                width,
            )
        return strip

    def _line(self, y: int, width: int) -> Line:
        if y == 0:
            return self._heading(width)
        at = y - 1 + round(self.scroll_y)
        if not self.rows:
            return self._message[at] if at < len(self._message) else BLANK
        if at >= len(self.rows):
            return BLANK
        row = self.rows[at]
        if row is None:
            return _ABSENT
        chosen = at == self.cursor
        mark: Span = ("▌", "accent") if chosen and self.has_focus else (" ", "cursor" if chosen else "plain")
        line: list[Span] = [mark]
        for column, room in self._widths(width):
            line += _cells(column.paint(row, self._view), room, right=column.right)
            line.append(_GAP)
        return tuple(line)

    def _heading(self, width: int) -> Line:
        line: list[Span] = [(" ", "plain")]
        for column, room in self._widths(width):
            title = self._title(column)
            line += [cell(title, room, "dim" if title == column.title else "chosen", right=column.right), _GAP]
        return tuple(line)

    @property
    def _height(self) -> int:
        """Rows with the heading, or what stands where there are none."""
        return 1 + (len(self.rows) or len(self._message))

    @property
    def _room(self) -> int:
        """Cells of a row: all but the scroll bar's, which comes and goes a moment after the rows that it is for."""
        return max(0, self.size.width - (self._height > self.size.height))

    def _measure(self, width: int) -> None:
        """See how wide what is in sight would be."""
        for at, column in enumerate(self.columns):
            if column.need <= width:
                seen = (self.rows[row] for row in self.in_sight)
                cells = (column.paint(row, self._view) for row in seen if row is not None)
                self._wishes.see(at, max((width_of(_as_line(one)) for one in cells), default=0))

    def _widths(self, width: int) -> list[tuple[Column[R], int]]:
        """Columns and their widths, worked out again once one of them holds something else."""
        why = (width, self.order, self.descending, *self._wishes)
        if why != self._laid_for:
            self._laid_for, self._laid = why, self._lay_out(width)
        return self._laid

    def _lay_out(self, width: int) -> list[tuple[Column[R], int]]:
        """The column that needs most room goes first where they do not fit."""
        shown = [at for at, column in enumerate(self.columns) if column.need <= width]
        while self._least(shown) > width and any(self.columns[at].need for at in shown):
            shown.remove(max(shown, key=lambda at: self.columns[at].need))
        wishes = [
            Share(column.width, max(len(self._title(column)), self._wishes[at]), column.weight, column.adorns)
            for at, column in ((at, self.columns[at]) for at in shown)
        ]
        rooms = shared(wishes, width + 1)  # a mark in front, no gap behind the last
        return [(self.columns[at], room) for at, room in zip(shown, rooms, strict=True) if room is not None]

    def _least(self, shown: Sequence[int]) -> int:
        return sum(self.columns[at].width + GAP for at in shown) - 1

    def _title(self, column: Column[R]) -> str:
        chosen = self.order is not None and column is self.columns[self.order]
        return column.title + (("▼" if self.descending else "▲") if chosen else "")

    # ── moving about ────────────────────────────────────────────────────────────────────────────────────────────────

    def _go(self, at: int) -> None:
        before = self.cursor
        self._place(at)
        if before != self.cursor:
            self._into_sight()
            self._repaint()
            top = round(self.scroll_y)
            for row in (before, self.cursor):
                self.refresh(Region(0, row - top + 1, self.size.width, 1))

    def _into_sight(self) -> None:
        room = max(1, self.scrollable_content_region.height - 1)
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + room:
            self.scroll_to(y=self.cursor - room + 1, animate=False, immediate=True)

    def action_step(self, by: int) -> None:
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        self._go(self.cursor + by * max(1, self.size.height - 2))

    def action_edge(self, last: int) -> None:
        self._go(len(self.rows) - 1 if last else 0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "choose":
            return self._opens and self.row is not None
        return True

    def action_choose(self) -> None:
        if self.row is not None:
            self.post_message(self.Chosen(self.row))

    def action_order(self) -> None:
        """Sort by the next column that can be sorted, then as the rows came."""
        able = self._sortable()
        after = [at for at in able if self.order is None or at > self.order]
        order = after[0] if after else None
        self.order_by(order, descending=order is not None and self.columns[order].right)

    def action_reverse(self) -> None:
        """The other way round; without an order, by the first column downwards."""
        if self.order is None:
            able = self._sortable()
            self.order_by(able[0] if able else None, descending=True)
        else:
            self.order_by(self.order, descending=not self.descending)

    def _sortable(self) -> list[int]:
        """Columns in sight that can be sorted by: where the engine does it, those it knows."""
        shown = [column for column, _ in self._widths(self._room)]
        return [at for at, column in enumerate(self.columns) if column in shown and self._sorts(column)]

    def _sorts(self, column: Column[R]) -> bool:
        return bool(column.field) if self._is_arranged else column.sort is not None

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            self._click_heading(event.x)
            return
        at = event.y - 1 + round(self.scroll_y)
        if at >= len(self.rows):
            return
        again = at == self.cursor
        self._go(at)
        if again and self._opens:
            self.action_choose()

    def _click_heading(self, x: int) -> None:
        """Sort by the column whose title is clicked; once more, the other way round."""
        left = 1
        for column, room in self._widths(self._room):
            if left <= x < left + room + len(_GAP[0]) and self._sorts(column):
                at = self.columns.index(column)
                turned = not self.descending if at == self.order else column.right
                self.order_by(at, descending=turned)
                return
            left += room + len(_GAP[0])


def _as_line(painted: Span | Line) -> Line:
    return ((str(painted[0]), str(painted[1])),) if painted and isinstance(painted[0], str) else painted


def _cells(painted: Span | Line, room: int, *, right: bool) -> list[Span]:
    if painted and isinstance(painted[0], str):
        text, tone = painted  # a single span
        return [cell(str(text), room, str(tone), right=right)]
    line: Line = painted
    return list(padded(cut(line, room), room))
