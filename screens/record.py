"""One thing in full: its fields one under the other."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from screens.drawing import BLANK, Line, cell
from screens.formatting import clean_lines
from screens.place import Place
from screens.view import View
from screens.widgets.board import Board

Field = tuple[str, str] | tuple[str, str, str]  # name, value, tone; the value may be from outside


def field_lines(fields: Sequence[Field | None], width: int, *, label: int = 18) -> list[Line]:
    """Fields as lines, long values folded; None leaves a blank line."""
    lines: list[Line] = []
    for each in fields:
        if each is None:
            lines.append(BLANK)
            continue
        tone = each[2] if len(each) == 3 else "plain"
        for at, text in enumerate(clean_lines(each[1] or "–", max(10, width - label - 4))):
            lines.append((cell(f"  {each[0] if at == 0 else ''}", label + 2, "dim"), (text, tone)))
    return lines


class Record(Place):
    """A screen of lines that scrolls."""

    def body(self) -> ComposeResult:
        board = Board(id="record")
        board.can_focus = True
        yield board

    def on_mount(self) -> None:
        self.query_one("#record", Board).focus()

    def lines(self, view: View, width: int) -> Sequence[Line]:
        raise NotImplementedError

    def paint(self, view: View) -> None:
        self.query_one("#record", Board).paint(lambda width, _height: self.lines(view, width))
