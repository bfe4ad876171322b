"""One of a few values, turned with the arrow keys or the space bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from screens.drawing import Line
from screens.widgets.board import strip_of


class Choice(Widget, can_focus=True):
    """`answers` are (value, words); the first is chosen at the beginning."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space,enter", "turn(1)", "other value"),
        Binding("left", "turn(-1)", "value before", show=False),
    ]

    class Changed(Message):
        """Another value was chosen."""

    def __init__(self, answers: Sequence[tuple[str, str]], *, id: str) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._answers = tuple(answers)
        self._at = 0

    @property
    def value(self) -> str:
        return self._answers[self._at][0]

    def action_turn(self, by: int) -> None:
        self._at = (self._at + by) % len(self._answers)
        self.refresh()
        self.post_message(self.Changed())

    def on_click(self) -> None:
        self.action_turn(1)

    def render_line(self, y: int) -> Strip:
        arrows: Line = (("‹ ", "dim"), (self._answers[self._at][1], "plain"), (" ›", "dim"))
        return strip_of(self, arrows, self.size.width, self.rich_style)
