"""Every key that works on the screen below, made from its bindings, and what the marks mean."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import ModalScreen, Screen

from screens.drawing import BLANK, Line, cell
from screens.keys import spelled
from screens.prompt import Prompt
from screens.registry import REGISTRY
from screens.widgets.board import Board

_LEGEND = (
    ("✔ ok   ◐ degraded, half open   ✖ failing, open, dead   ▶ running   ‖ paused, parked   ✎ waits for approval"),
    ("▲ critical   ● warning   ○ info   ● slot free   ○ slot taken   ? uncertain: sent or not, nobody knows yet"),
)

_FILTER = "/ takes words that all must match, -word for what must not, column:word for one column"


class HelpScreen(Prompt, ModalScreen[None]):
    """Every key that works, in groups; it scrolls where it does not fit."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "close", "back")]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > Board {
        width: 76; max-width: 100%; max-height: 90%; background: $surface; border: round $primary;
    }
    """

    def __init__(self, below: Screen[Any]) -> None:
        super().__init__()
        self._lines = help_lines(below.active_bindings, below)
        self._lines_high = len(self._lines) + 2

    def compose(self) -> ComposeResult:
        board = Board()
        board.can_focus = True
        board.styles.height = self._lines_high
        yield board

    def on_mount(self) -> None:
        board = self.query_one(Board)
        board.paint(lambda _width, _height: self._lines)
        board.focus()

    def action_close(self) -> None:
        self.dismiss()


def help_lines(bindings: dict[str, ActiveBinding], below: Screen[Any]) -> list[Line]:
    """One line an action, with all its keys: what this screen does, how its rows are moved in, where else to go."""
    groups: dict[str, dict[str, list[str]]] = {"HERE": {}, "ROWS": {}, "EVERYWHERE": {}, "PLACES": {}}
    for key, active in bindings.items():
        binding = active.binding
        if not active.enabled or not binding.description[:1].islower():
            continue  # Textual's own are written with a capital
        if active.node is below.app:
            group = "PLACES" if binding.action.startswith("place(") else "EVERYWHERE"
        else:
            group = "HERE" if active.node is below else "ROWS"
        groups[group].setdefault(binding.description, []).append(spelled(key))
    lines: list[Line] = []
    for title, keys in groups.items():
        if keys:
            lines += [((f" {title}", "head"),), *_group(keys), BLANK]
    others = ", ".join(entry.name for entry in REGISTRY if not entry.number)
    more = (f": goes to {others}, and to anything by its name", _FILTER)
    return [*lines, *(((f" {text}", "dim"),) for part in (*more, *_LEGEND) for text in _folded(part))]


def _folded(text: str) -> list[str]:
    from screens.formatting import wrap

    return wrap(text, 70)


def _group(keys: dict[str, list[str]]) -> list[Line]:
    cells = [(cell(" " + ", ".join(names), 12, "key"), cell(what, 25)) for what, names in keys.items()]
    half = (len(cells) + 1) // 2
    rest = [*cells[half:], *[()] * (half * 2 - len(cells))]
    return [(*left, *right) for left, right in zip(cells[:half], rest, strict=True)]
