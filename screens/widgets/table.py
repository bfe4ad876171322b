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

from screens.drawing import BLANK, Line, Span, cell, cut, padded
from screens.view import View
from screens.widgets.board import strip_of, style_of

R = TypeVar("R")
_GAP: Span = ("  ", "plain")
_SPARE_ROWS = 50  # rows below the cursor when more are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[R]):
    """One column: `width` in cells, or with a `weight` the least of a share in what is left. `need` is the least table
    width at which it is shown."""

    title: str
    width: int
    paint: Callable[[R, View], Span | Line]
    sort: Callable[[R], Any] | None = None
    right: bool = False
    weight: int = 0
    need: int = 0


class Table(ScrollView, Generic[R]):
    """Rows under a heading with a cursor, a sort order and a filter. Rows are known by a key, so the cursor stays on
    its row when others come and go."""

    DEFAULT_CSS = """
    Table { background: $background; color: $foreground; overflow-x: hidden; overflow-y: auto; scrollbar-size: 1 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "step(-1)", "up", show=False),
        Binding("down,j", "step(1)", "down", show=False),
        Binding("pageup", "page(-1)", "a page up", show=False),
        Binding("pagedown", "page(1)", "a page down", show=False),
        Binding("home,g", "edge(0)", "first row", show=False),
        Binding("end,G", "edge(1)", "last row", show=False),
        Binding("enter", "choose", "open", show=False),
        Binding("o", "order", "order by the next column", show=False),
        Binding("O", "turn", "reverse the order", show=False),
    ]

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

    can_focus = True

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], str],
        words: Callable[[R], str],
        id: str | None = None,  # noqa: A002 - Textual's word
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._key, self._words = key, words
        self._all: Sequence[R] = ()
        self.rows: Sequence[R] = ()
        self._view = View()
        self._painted: dict[int, Line] = {}
        self._cursor_key = ""
        self.cursor = 0
        self.order: int | None = None
        self.descending = False
        self.filter = ""
        self._message: tuple[Line, ...] = ()

    # ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────

    def show(self, rows: Sequence[R], view: View, *, message: Sequence[Line] = ()) -> None:
        """Take rows and the moment they are shown for. `message` stands below the heading where there are none."""
        same = rows is self._all or rows == self._all
        self._view, self._message = view, tuple(message)
        if not same:
            self._all = rows
            self._arrange()
        self._repaint()

    def narrow(self, text: str) -> None:
        """Show only the rows that contain a text."""
        self.filter = text.casefold()
        self._arrange()
        self._repaint()

    @property
    def total(self) -> int:
        """Rows before the filter."""
        return len(self._all)

    @property
    def row(self) -> R | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def _arrange(self) -> None:
        rows = self._all
        if self.filter:
            rows = [row for row in rows if self.filter in self._words(row).casefold()]
        sort = self.columns[self.order].sort if self.order is not None else None
        if sort is not None:
            rows = sorted(rows, key=sort, reverse=self.descending)
        self.rows = rows
        was = self._cursor_key
        found = next((at for at, row in enumerate(rows) if self._key(row) == was), None) if was else None
        self._place(self.cursor if found is None else found, told=found is None)

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
        width, height = self.scrollable_content_region.size
        if not width:
            return
        size = Size(width, max(len(self.rows), len(self._message) if not self.rows else 0) + 1)
        if size != self.virtual_size:
            self.virtual_size = size
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

    def watch_has_focus(self, _has_focus: bool) -> None:
        super().watch_has_focus(_has_focus)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = self._painted.get(y)
        if line is None:
            line = self._line(y, width)
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
        line: list[Span] = [("▌" if at == self.cursor and self.has_focus else " ", "accent")]
        for column, room in self._widths(width):
            line += _cells(column.paint(row, self._view), room, right=column.right)
            line.append(_GAP)
        return tuple(line)

    def _heading(self, width: int) -> Line:
        line: list[Span] = [(" ", "plain")]
        for column, room in self._widths(width):
            chosen = self.order is not None and column is self.columns[self.order]
            arrow = ("▼" if self.descending else "▲") if chosen else ""
            line += [cell(column.title + arrow, room, "chosen" if chosen else "dim", right=column.right), _GAP]
        return tuple(line)

    def _widths(self, width: int) -> list[tuple[Column[R], int]]:
        """Columns and their widths: the one that needs most room goes first where they do not fit."""
        shown = [column for column in self.columns if column.need <= width]
        while (taken := sum(column.width + 2 for column in shown) - 1) > width and any(c.need for c in shown):
            shown.remove(max(shown, key=lambda column: column.need))
        left = max(0, width - taken)
        weight = sum(column.weight for column in shown) or 1
        return [(column, column.width + left * column.weight // weight) for column in shown]

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

    def action_choose(self) -> None:
        if self.row is not None:
            self.post_message(self.Chosen(self.row))

    def action_order(self) -> None:
        """Sort by the next column that can be sorted, then as the rows came."""
        able = [at for at, column in enumerate(self.columns) if column.sort is not None]
        after = [at for at in able if self.order is None or at > self.order]
        self.order = after[0] if after else None
        self.descending = self.order is not None and self.columns[self.order].right
        self._arrange()
        self._repaint()
        self.refresh()

    def action_turn(self) -> None:
        self.descending = not self.descending
        self._arrange()
        self._repaint()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        at = event.y - 1 + round(self.scroll_y)
        if event.y == 0 or at >= len(self.rows):
            return
        again = at == self.cursor
        self._go(at)
        if again:
            self.action_choose()


def _cells(painted: Span | Line, room: int, *, right: bool) -> list[Span]:
    if painted and isinstance(painted[0], str):
        text, tone = painted  # a single span
        return [cell(str(text), room, str(tone), right=right)]
    line: Line = painted
    return list(padded(cut(line, room), room))
