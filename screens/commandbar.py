"""The line that `:` opens at the bottom: what is typed, the likeliest way to go on, and above it all the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from screens.drawing import Line, cell, cut
from screens.prompt import Prompt
from screens.vocabulary import Offer
from screens.widgets.board import Board

Offers = Callable[[str], Sequence[Offer]]
_SHOWN = 10  # ways to go on in sight
_LEFT_BELOW = 12  # rows of the screen that stay in sight at least


class Ghost(Suggester):
    """The likeliest line, if it begins with what is typed."""

    def __init__(self, offers: Offers) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._offers = offers

    async def get_suggestion(self, value: str) -> str | None:
        if not value.strip():
            return None
        return next((offer.line for offer in self._offers(value) if offer.line.startswith(value)), None)


class CommandBar(Prompt, ModalScreen[str]):
    """Answers with the line that was entered, "" for none. `past` are those of before, the newest last.

    `flaw` says why a line means nothing; such a one is not taken, so that it can be mended.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "leave it", priority=True),
        Binding("tab", "complete", "complete", priority=True),
        Binding("up", "choose(-1)", "the one above, or the line before", priority=True),
        Binding("down", "choose(1)", "the one below", priority=True),
    ]
    DEFAULT_CSS = """
    CommandBar { background: transparent; }
    CommandBar > Horizontal { dock: bottom; height: 1; background: $surface; }
    CommandBar > Board { dock: bottom; height: 0; background: $surface; margin: 0 0 1 0; overflow-y: hidden; }
    CommandBar Static { width: 2; color: $primary; }
    CommandBar Input, CommandBar Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    """

    def __init__(self, offers: Offers, flaw: Callable[[str], str], past: Sequence[str] = ()) -> None:
        super().__init__()
        self._offers_of, self._flaw_of, self._past = offers, flaw, tuple(past)
        self._flaw = ""  # of the line that was entered
        self._offers: Sequence[Offer] = ()
        self._chosen = -1  # of the offers; -1: none, what is typed counts
        self._back = 0  # lines gone back in the past

    def compose(self) -> ComposeResult:
        yield Board()
        with Horizontal():
            yield Static(" :", markup=False)
            field = Input(suggester=Ghost(self._offers_of), id="command")
            field.cursor_blink = False
            yield field

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._look()

    def on_input_changed(self, _event: Input.Changed) -> None:
        self._chosen, self._flaw = -1, ""
        self._look()

    def on_resize(self, _event: events.Resize) -> None:
        self._look()

    def on_click(self, event: events.Click) -> None:
        board = self.query_one(Board)
        at = event.screen_y - board.region.y
        if event.screen_y >= board.region.bottom:
            return
        if 0 <= at < len(self._shown()):
            self._enter(self._shown()[at].line)
        else:
            self.dismiss("")

    def _look(self) -> None:
        self._offers = self._offers_of(self.query_one(Input).value)
        self._paint()

    def _room(self) -> int:
        return max(0, min(_SHOWN, self.app.size.height - _LEFT_BELOW))

    def _shown(self) -> Sequence[Offer]:
        first = max(0, self._chosen - self._room() + 1)
        return self._offers[first : first + self._room()]

    def _paint(self) -> None:
        board = self.query_one(Board)
        shown = self._shown()
        chosen = self._offers[self._chosen] if self._chosen >= 0 else None
        flaw: Line = ((f"  {self._flaw}", "warn"),)
        board.styles.height = len(shown) + bool(self._flaw)

        def painted(width: int, _height: int) -> list[Line]:
            lines = [_offered(offer, offer is chosen, width) for offer in shown]
            return [cut(line, width) for line in (*lines, *([flaw] if self._flaw else ()))]

        board.paint(painted)

    # ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def action_complete(self) -> None:
        """Take the chosen way on, or the likeliest; a space behind it lets the next word be offered."""
        if self._offers:
            line = self._offers[max(0, self._chosen)].line
            more = f"{line} "
            self._say(more if " " not in line and self._offers_of(more) else line)

    def action_choose(self, by: int) -> None:
        field = self.query_one(Input)
        walking = self._back or (not field.value and by < 0 and self._chosen < 0)
        if walking and self._past:
            self._back = max(0, min(self._back - by, len(self._past)))
            self._say(self._past[-self._back] if self._back else "")
        elif self._offers:
            self._chosen = max(-1, min(self._chosen + by, len(self._offers) - 1))
            self._paint()

    def _say(self, line: str) -> None:
        field = self.query_one(Input)
        with field.prevent(Input.Changed):
            field.value = line
        self._chosen = -1
        self._look()
        field.cursor_position = len(line)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._enter(self._offers[self._chosen].line if self._chosen >= 0 else event.value.strip())

    def _enter(self, line: str) -> None:
        self._flaw = self._flaw_of(line) if line else ""
        if not self._flaw:
            self.dismiss(line)
            return
        self._say(f"{line} " if " " not in line and self._offers_of(f"{line} ") else line)
        self._paint()

    def action_close(self) -> None:
        self.dismiss("")


def _offered(offer: Offer, chosen: bool, width: int) -> Line:
    mark = "▌" if chosen else " "
    room = min(44, max(16, width // 2))
    return (
        (mark, "accent"),
        cell(offer.line, room, "strong" if chosen else "plain"),
        ("  ", "plain"),
        (offer.about, "dim"),
    )
