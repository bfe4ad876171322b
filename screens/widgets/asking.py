"""A small form over a screen: a few fields, what is wrong with each as it is typed, and below what it would do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
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
    at once. A refusal of the engine stands where the effect would, and cannot be confirmed. An effect of other words
    than those typed is dim, and above it stands that it is reckoned anew.
    """

    pause = 0.3  # seconds without a key before the effect is asked for again

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", priority=True),
        Binding("enter", "go", "go on", priority=True),
        Binding("down", "app.focus_next", "next field", show=False),
        Binding("up", "app.focus_previous", "field before", show=False),
        Binding("pagedown", "turn(1)", "further down", show=False, priority=True),
        Binding("pageup", "turn(-1)", "further up", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Ask { align: center middle; background: $background 60%; }
    Ask > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%; margin: 1 0; background: $surface;
        border: round $warning; padding: 0 2; scrollbar-size: 1 1;
    }
    Ask Static { width: 100%; height: auto; }
    Ask Horizontal { height: 1; }
    Ask .label { width: 14; color: $dim; }
    Ask .wrong { color: $error; padding: 0 0 0 14; display: none; }
    Ask .wrong.shown { display: block; }
    Ask Input, Ask Input:focus { width: 1fr; border: none; background: $background; height: 1; padding: 0; }
    Ask #standing { height: 1; color: $dim; }
    Ask #effect.old, Ask #keys { color: $dim; }
    Ask #keys { dock: bottom; padding: 1 0 0 0; }
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
        self._told_for: dict[str, str] | None = None  # the values that what is said of the effect belongs to
        self._effect = ""  # as it was last told
        self._refused = False  # instead of an effect
        self._touched: set[str] = set()
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
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
            if self._preview is not None:
                yield Static("", id="standing")
                yield Static("", id="effect")
            yield Static("", id="keys")

    def on_mount(self) -> None:
        self.query(Input).first().focus()
        self.watch(self.query_one(VerticalScroll), "show_vertical_scrollbar", self._show_keys)
        self._look()

    def _show_keys(self, is_higher: bool) -> None:
        more = "   page down more" if is_higher else ""
        self.query_one("#keys", Static).update(Content(f"enter {self._go}   esc leave it as it is{more}"))

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
        self._stand()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(self.pause, self._look)

    def _errors(self) -> dict[str, str]:
        return dict(self._check(self.values))

    def _mark(self, errors: Mapping[str, str]) -> None:
        """What is wrong, under each field that was typed in."""
        for entry in self._entries:
            wrong = self.query_one(f"#{entry.name}-wrong", Static)
            text = errors.get(entry.name, "") if entry.name in self._touched else ""
            wrong.set_class(bool(text), "shown")
            wrong.update(Content(clean(text, longest=200)))

    def _tell(self, text: str, values: Values | None) -> None:
        """Words on the effect that `values` would have. They take as much room as the longest before them did."""
        effect = self.query_one("#effect", Static)
        effect.styles.min_height = effect.size.height
        effect.update(Content(clean(text, longest=1_000)))
        self._told_for = None if values is None else dict(values)
        self._stand()

    @property
    def _is_told(self) -> bool:
        """Is what stands there the effect of what is typed?"""
        return self._told_for == self._telling

    def _stand(self) -> None:
        """Show whether it is."""
        if self._preview is None:
            return
        awaited = not self._is_told and not self._errors_that_tell()
        self.query_one("#effect").set_class(not self._is_told, "old")
        self.query_one("#standing", Static).update("reckoning …" if awaited else "")

    def _errors_that_tell(self) -> bool:
        return any(name in self._telling for name in self._errors())

    def _look(self, *, going: bool = False) -> None:
        """Ask what it would do, unless a field is wrong. `going`: confirm it too, where that is what was told last."""
        if self._preview is None or (self._is_told and not self._refused):
            return
        if self._errors_that_tell():
            self._tell("", None)
        else:
            reckoning = self._reckon(self._preview, going=going)
            self.run_worker(reckoning, exclusive=True, exit_on_error=False)
        self._stand()

    async def _reckon(self, preview: Preview, *, going: bool) -> None:
        """What comes too late, for words that are typed no more, is not told."""
        values, refused, effect = self._telling, False, ""
        try:
            text = effect = await preview(self.values)
        except CommandRefused as error:
            text, refused = f"✖ {error}", True
        except HuntazeError as error:  # what it would do cannot be said, which is no reason to forbid it
            text = f"Its effect cannot be told: {error}"
        if values != self._telling:
            return
        known, self._effect, self._refused = effect and self._effect == effect, effect, refused
        self._tell(text, values)
        if going and known:
            self.dismiss(self.values)

    def action_go(self) -> None:
        self._touched = {entry.name for entry in self._entries}
        errors = self._errors()
        self._mark(errors)
        if errors:
            self.query_one(f"#{next(iter(errors))}", Input).focus()
        elif self._preview is None or (self._is_told and not self._refused):
            self.dismiss(self.values)
        elif self._timer is not None:  # typed since: show first what this would do, the next enter confirms it
            self._timer.stop()
            self._look(going=True)

    def action_turn(self, by: int) -> None:
        """Through a form that is higher than the terminal."""
        form = self.query_one(VerticalScroll)
        form.scroll_relative(y=by * max(1, form.size.height - 3), animate=False)

    def action_leave(self) -> None:
        self.dismiss(None)
