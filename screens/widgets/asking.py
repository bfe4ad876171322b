"""A small form over a screen: a few fields, what is wrong with each as it is typed, and below what it would do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Input, Static

from engine.kernel.errors import CommandRefused, HuntazeError
from screens.formatting import clean
from screens.prompt import Prompt

Values = Mapping[str, str]
Check = Callable[[Values], Mapping[str, str]]
Preview = Callable[[Values], Awaitable[str]]

_PAUSE = 0.3  # seconds without a key before the effect is asked for again


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One field: `hint` stands in it while it is empty, `known` completes what is typed.

    A `loose` one changes nothing about the effect, as a reason does not.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    known: tuple[str, ...] = ()
    loose: bool = False


def _no_errors(_values: Values) -> Mapping[str, str]:
    return {}


class Ask(Prompt, ModalScreen["Values | None"]):
    """The values as typed, or None. Enter confirms what the shown effect belongs to, and nothing else.

    `check` says per field what would be right. `preview` asks the engine what it would do; without one enter confirms
    at once. A refusal of the engine stands where the effect would, and cannot be confirmed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", priority=True),
        Binding("enter", "go", "go on", priority=True),
        Binding("down", "app.focus_next", "next field", show=False),
        Binding("up", "app.focus_previous", "field before", show=False),
    ]
    DEFAULT_CSS = """
    Ask { align: center middle; background: $background 60%; }
    Ask > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%; background: $surface; border: round $warning;
        padding: 0 2;
    }
    Ask Static { width: 100%; height: auto; }
    Ask Horizontal { height: 1; }
    Ask .label { width: 14; color: $text-muted; }
    Ask .wrong { color: $error; padding: 0 0 0 14; display: none; }
    Ask .wrong.shown { display: block; }
    Ask Input, Ask Input:focus { width: 1fr; border: none; background: $background; height: 1; padding: 0; }
    Ask #effect { margin: 1 0 0 0; }
    Ask #keys { color: $text-muted; margin: 1 0 0 0; }
    """

    def __init__(
        self,
        question: str,
        entries: Sequence[Entry],
        *,
        check: Check = _no_errors,
        preview: Preview | None = None,
        go: str = "do it",
    ) -> None:
        super().__init__()
        self._question, self._entries, self._go = clean(question), tuple(entries), go
        self._check, self._preview = check, preview
        self._shown_for: dict[str, str] | None = None  # the values that the effect on screen belongs to
        self._effect = ""  # as it was last told
        self._touched: set[str] = set()
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self._question))
            for entry in self._entries:
                with Horizontal():
                    yield Static(Content(entry.label), classes="label")
                    known = [clean(word, longest=200) for word in entry.known]
                    suggester = SuggestFromList(known, case_sensitive=False) if known else None
                    field = Input(clean(entry.value), id=entry.name, placeholder=entry.hint, suggester=suggester)
                    field.cursor_blink = False
                    yield field
                yield Static("", id=f"{entry.name}-wrong", classes="wrong")
            yield Static("", id="effect")
            yield Static(Content(f"enter {self._go}   esc leave it as it is"), id="keys")

    def on_mount(self) -> None:
        self.query(Input).first().focus()
        self._look()

    @property
    def values(self) -> dict[str, str]:
        return {entry.name: self.query_one(f"#{entry.name}", Input).value.strip() for entry in self._entries}

    @property
    def _telling(self) -> dict[str, str]:
        """The values that the effect follows from."""
        values = self.values
        return {entry.name: values[entry.name] for entry in self._entries if not entry.loose}

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value != next(entry.value for entry in self._entries if entry.name == event.input.id):
            self._touched.add(event.input.id or "")
        self._mark(self._errors())
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE, self._look)

    def _errors(self) -> dict[str, str]:
        return dict(self._check(self.values))

    def _mark(self, errors: Mapping[str, str]) -> None:
        """What is wrong, under each field that was typed in."""
        for entry in self._entries:
            wrong = self.query_one(f"#{entry.name}-wrong", Static)
            text = errors.get(entry.name, "") if entry.name in self._touched else ""
            wrong.set_class(bool(text), "shown")
            wrong.update(Content(clean(text, longest=200)))

    def _tell(self, text: str) -> None:
        self.query_one("#effect", Static).update(Content(clean(text, longest=1_000)))

    def _look(self, *, going: bool = False) -> None:
        """Ask what it would do, unless a field is wrong. `going`: confirm it too, where that is what was told last."""
        if self._preview is None or self._shown_for == self._telling:
            return
        self._shown_for = None
        if any(name in self._telling for name in self._errors()):
            self._tell("")
        else:
            self._tell("reckoning …")
            reckoning = self._reckon(self._preview, going=going)
            self.run_worker(reckoning, exclusive=True, exit_on_error=False)

    async def _reckon(self, preview: Preview, *, going: bool) -> None:
        values = self._telling
        try:
            text = await preview(self.values)
        except CommandRefused as error:
            self._tell(f"✖ {error}")
        except HuntazeError as error:  # what it would do cannot be said, which is no reason to forbid it
            self._tell(f"Its effect cannot be told: {error}")
            self._shown_for = values
        else:
            told, self._effect = self._effect, text
            self._tell(text)
            self._shown_for = values
            if going and told == text:
                self.dismiss(self.values)

    def action_go(self) -> None:
        self._touched = {entry.name for entry in self._entries}
        errors = self._errors()
        self._mark(errors)
        if errors:
            self.query_one(f"#{next(iter(errors))}", Input).focus()
        elif self._preview is None or self._shown_for == self._telling:
            self.dismiss(self.values)
        elif self._timer is not None:  # typed since: show first what this would do, the next enter confirms it
            self._timer.stop()
            self._look(going=True)

    def action_leave(self) -> None:
        self.dismiss(None)
