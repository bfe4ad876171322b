"""A question before what costs money or cannot be undone: it says how many and how much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from screens.formatting import clean
from screens.prompt import Prompt


class Confirm(Prompt, ModalScreen[bool]):
    """Yes or no. With `typed` the answer is that word, typed: for acts too large for one key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape", "answer(False)", "no"),
        Binding("q", "answer(False)", "no", show=False),
        Binding("pagedown,down", "turn(1)", "further down", show=False),
        Binding("pageup,up", "turn(-1)", "further up", show=False),
    ]
    DEFAULT_CSS = """
    Confirm { align: center middle; background: $background 60%; }
    Confirm > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%; margin: 1 0; background: $surface;
        border: round $warning; padding: 0 2; scrollbar-size: 1 1;
    }
    Confirm Static { width: 100%; height: auto; }
    Confirm Input, Confirm Input:focus {
        width: 100%; border: none; background: $background; height: 1; padding: 0; margin: 1 0 0 0;
    }
    Confirm Vertical { dock: bottom; width: 100%; height: auto; padding: 1 0 0 0; background: $surface; }
    Confirm #keys { color: $dim; }
    """

    def __init__(self, question: str, *, detail: str = "", typed: str = "") -> None:
        super().__init__()
        self._question, self._detail, self._typed = clean(question), clean(detail), clean(typed)

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(Content(self._question))
            if self._detail:
                yield Static(Content(self._detail))
            with Vertical():
                yield from self._answers()

    def _answers(self) -> ComposeResult:
        if not self._typed:
            yield Static(Content("y yes   n no"), id="keys")
            return
        yield Static(
            Content(f"Type {self._typed} and press enter to go on; esc leaves everything as it is."), id="keys"
        )
        field = Input(id="typed")
        field.cursor_blink = False
        yield field

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (self._typed and parameters == (True,))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Another word answers nothing: it may be a slip."""
        if event.value.strip() == self._typed:
            self.dismiss(True)
        else:
            said = f"That is not {self._typed}. Type it and press enter to go on; esc leaves everything as it is."
            self.query_one("#keys", Static).update(Content(said))

    def action_turn(self, by: int) -> None:
        """Through words that are more than the terminal is high."""
        words = self.query_one(VerticalScroll)
        words.scroll_relative(y=by * max(1, words.size.height - 3), animate=False)

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class Choose(Prompt, ModalScreen[str]):
    """One of a few answers, each by its own key; esc for none of them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "none", "none")]
    DEFAULT_CSS = """
    Choose { align: center middle; background: $background 60%; }
    Choose > Vertical {
        width: 76; max-width: 100%; height: auto; background: $surface; border: round $warning; padding: 0 2;
    }
    Choose Static { width: 100%; height: auto; }
    """

    def __init__(self, question: str, answers: Sequence[tuple[str, str, str]]) -> None:
        """`answers` are (key, value, words)."""
        super().__init__()
        self._question, self._answers = clean(question), tuple(answers)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self._question))
            yield Static(
                Content("\n".join(f"  {key}  {words}" for key, _, words in self._answers) + "\n  esc  leave it")
            )

    def on_key(self, event: events.Key) -> None:
        for key, value, _ in self._answers:
            if event.character == key:
                event.stop()
                self.dismiss(value)

    def action_none(self) -> None:
        self.dismiss("")
