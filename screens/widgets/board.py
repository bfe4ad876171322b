"""A block of lines that repaints only those that changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from screens.cells import roomy
from screens.drawing import BLANK, Line
from screens.theme import NAMES, tones

Painter = Callable[[int, int], Sequence[Line]]
_STYLES = {name: tones(name) for name in NAMES}


def style_of(widget: Widget, tone: str) -> Style:
    """A tone in the theme in use."""
    styles = _STYLES[widget.app.theme.removeprefix("huntaze-")]
    return styles.get(tone) or styles["plain"]


def strip_of(widget: Widget, line: Line, width: int, ground: Style) -> Strip:
    """A line as Textual paints it, exactly `width` cells wide."""
    segments = [Segment(roomy(text), ground + style_of(widget, tone)) for text, tone in line if text]
    return Strip(segments).adjust_cell_length(width, ground)


class Board(ScrollView):
    """Lines made by a painter for the width and height at hand. Scrolls when they do not fit and it may.

    `paint` takes a function from (width, height) to lines; it is called again when the size changes.
    """

    DEFAULT_CSS = """
    Board { background: $background; color: $foreground; overflow-x: hidden; overflow-y: auto; scrollbar-size: 1 1; }
    Board.still { overflow-y: hidden; }
    """

    can_focus = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id, classes=classes)
        self._painter: Painter = lambda _width, _height: ()
        self.lines: tuple[Line, ...] = ()

    def paint(self, painter: Painter) -> None:
        """Take a new painter and show what it says differently."""
        self._painter = painter
        self._renew()

    def _renew(self) -> None:
        """The lines are made even while there is no room: Textual does not always tell when it comes."""
        width, height = self.scrollable_content_region.size
        if not self.is_mounted:
            return
        before, self.lines = self.lines, tuple(self._painter(width or self.app.size.width, height))
        if len(before) != len(self.lines):
            self.virtual_size = Size(width, len(self.lines))
        if not height:
            self.refresh()
        top = round(self.scroll_y)
        for y in range(height):
            if _at(before, y + top) != _at(self.lines, y + top):
                self.refresh(Region(0, y, width, 1))

    def on_resize(self, event: events.Resize) -> None:
        self.lines = ()
        self._renew()
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        line = _at(self.lines, y + round(self.scroll_y))
        return strip_of(self, line, self.size.width, self.rich_style)


def _at(lines: Sequence[Line], y: int) -> Line:
    return lines[y] if y < len(lines) else BLANK
