"""The form that makes a campaign: fields on the left with what is wrong under each, on the right what it will do."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, TextArea

from engine.kernel.errors import CommandRefused, HuntazeError
from engine.surface.commands import CampaignDraft, CreateCampaign
from engine.surface.effects import MessageRow
from engine.surface.queries import EstimateCampaign, PreviewMessages
from engine.surface.rows import EstimateRow
from screens.acting import Acting
from screens.drafting import TOOLS, Checked, Form, check
from screens.drawing import Line, cell, cut
from screens.facts import account_name
from screens.formatting import clean, moment, wrap
from screens.planning import plan_lines
from screens.steering import start_question
from screens.view import View
from screens.widgets.board import Board, Painter
from screens.widgets.choice import Choice
from screens.widgets.confirm import Confirm

_PAUSE = 0.4  # seconds without a key before the estimate is asked for again
_FANS = 3  # whose messages are shown at once
_REFUSED_FIELDS = {
    "account_id": "account",
    "prompt": "text",
    "template": "text",
    "starts_at": "starts",
    "schedule_at": "starts",
    "budget_usd": "budget",
    "fan_ids": "audience",
}
_LABELS = {
    "name": "name", "account": "account", "audience": "to", "tool": "tool", "kind": "written by",
    "text": "text", "approval": "approval", "budget": "budget, $", "starts": "start",
}  # fmt: skip


class ComposeScreen(Acting):
    """Makes a campaign, and starts it if so asked."""

    title_text = "campaigns › new"
    place = "campaigns"
    composes = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+g", "create(True)", "create and start", priority=True),
        Binding("ctrl+o", "create(False)", "create only", priority=True),
        Binding("tab", "app.focus_next", "next field", priority=True),  # before what is typed behind it is given out
        Binding("shift+tab", "app.focus_previous", "field before", show=False, priority=True),
        Binding("pagedown", "fans(1)", "other fans", priority=True),
        Binding("pageup", "fans(-1)", "fans before", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    ComposeScreen #form { height: 1fr; }
    ComposeScreen #fields { width: 58; padding: 1 1 0 0; scrollbar-size: 1 1; }
    ComposeScreen .field { height: auto; }
    ComposeScreen .label { width: 13; height: 1; }
    ComposeScreen .wrong { height: 0; }
    ComposeScreen Input, ComposeScreen Choice, ComposeScreen TextArea,
    ComposeScreen Input:focus, ComposeScreen TextArea:focus {
        height: 1; border: none; padding: 0 1; background: $surface; width: 1fr;
    }
    ComposeScreen TextArea, ComposeScreen TextArea:focus { height: 5; scrollbar-size: 1 1; }
    ComposeScreen Input:focus, ComposeScreen Choice:focus, ComposeScreen TextArea:focus { background: $primary 25%; }
    ComposeScreen #plan { width: 1fr; }
    ComposeScreen.narrow #form { layout: vertical; }
    ComposeScreen.narrow #fields { width: 100%; height: 15; padding: 0; }
    ComposeScreen.narrow #plan { width: 100%; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._estimate: EstimateRow | None = None
        self._messages: tuple[MessageRow, ...] = ()
        self._skip = 0  # fans before those whose messages are shown
        self._problem = ""
        self._refused: dict[str, str] = {}
        self._touched: set[str] = set()
        self._asking: CampaignDraft | None = None
        self._timer: Timer | None = None
        self._busy = False
        self._nonce = secrets.token_hex(8)

    def body(self) -> ComposeResult:
        accounts = sorted(clean(key, longest=80) for key in self.view.snapshot.accounts)
        with Horizontal(id="form"):
            with VerticalScroll(id="fields", can_focus=False):
                yield from self._fields(accounts)
            yield Board(id="plan")

    def _fields(self, accounts: Sequence[str]) -> ComposeResult:
        first = Form()
        yield from self._input("name", first.name)
        yield from self._input("account", accounts[0] if accounts else "", accounts)
        yield from self._input("audience", first.audience, ("all", "tag ", "fans "))
        yield from self._input("tool", first.tool, TOOLS)
        yield from self._choice("kind", (("prompt", "the model, from a prompt"), ("template", "you, as a template")))
        area = TextArea(
            "", id="text", tab_behavior="focus", show_line_numbers=False, soft_wrap=True, highlight_cursor_line=False
        )
        area.cursor_blink = False
        yield from self._row("text", area)
        yield from self._choice(
            "approval", (("required", "you read each text first"), ("automatic", "none, texts go out"))
        )
        yield from self._input("budget", first.budget)
        yield from self._input("starts", first.starts, ("now", "tomorrow "))

    def _row(self, name: str, field: Widget) -> ComposeResult:
        """The label beside the field, and below them a line that is there only while something is wrong."""
        with Horizontal(classes="field"):
            yield Board(id=f"{name}-label", classes="label still")
            yield field
        yield Board(id=f"{name}-wrong", classes="wrong still")

    def _input(self, name: str, value: str, known: Sequence[str] = ()) -> ComposeResult:
        field = Input(value, id=name, suggester=SuggestFromList(known, case_sensitive=False) if known else None)
        field.cursor_blink = False
        yield from self._row(name, field)

    def _choice(self, name: str, answers: Sequence[tuple[str, str]]) -> ComposeResult:
        yield from self._row(name, Choice(answers, id=name))

    # ── painting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_mount(self) -> None:
        self.query_one("#name", Input).focus()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < 100, "narrow")

    def paint(self, view: View) -> None:
        checked = self._check(view)
        for name, label in _LABELS.items():
            shown = {**(checked.errors if name in self._touched else {}), **self._refused}.get(name, "")
            self.query_one(f"#{name}-label", Board).paint(_line((cell(label, 11, "dim", right=True),)))
            wrong = self.query_one(f"#{name}-wrong", Board)
            wrong.styles.height = 1 if shown else 0
            wrong.paint(_line((cell("", 13), (clean(shown, longest=200), "bad"))))
        self.query_one("#plan", Board).paint(lambda width, _height: self._plan(view, checked, width))

    def _plan(self, view: View, checked: Checked, width: int) -> Sequence[Line]:
        title: Line = ((" WHAT IT WILL DO", "head"), ("  nothing is made before you say so", "dim"))
        if self._problem:
            return (title, *(((f"  {text}", "bad"),) for text in wrap(self._problem, width - 3)))
        if checked.draft is None:
            missing = ", ".join(_LABELS[name] for name in checked.errors)
            return (
                title,
                *(((f"  {text}", "dim"),) for text in wrap(f"shown once these are right: {missing}", width - 3)),
            )
        if self._estimate is None:
            return (title, (("  reckoning …", "dim"),))
        return (title, *plan_lines(self._estimate, self._messages, checked.draft, view, width))

    def _check(self, view: View) -> Checked:
        return check(self._form(), view.now, view.zone)

    def _form(self) -> Form:
        values = {
            name: self.query_one(f"#{name}", Input).value
            for name in _LABELS
            if name not in ("kind", "text", "approval")
        }
        choices = {name: self.query_one(f"#{name}", Choice).value for name in ("kind", "approval")}
        return Form(**values, **choices, text=self.query_one("#text", TextArea).text)

    # ── typing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_input_changed(self, event: Input.Changed) -> None:
        self._typed(event.input.id or "")

    def on_text_area_changed(self) -> None:
        self._typed("text")

    def on_choice_changed(self) -> None:
        self._typed("kind")

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self._touched.add(event.widget.id or "")
        self.paint(self.view)

    def _typed(self, name: str) -> None:
        if name != "name" or self.query_one("#name", Input).value:
            self._touched.add(name)
        self._refused.pop(name, None)
        self._estimate, self._problem, self._messages, self._skip = None, "", (), 0
        self.paint(self.view)
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE, self._reckon)

    def _reckon(self) -> None:
        draft = self._check(self.view).draft
        if draft is not None:
            self.run_worker(self._ask_estimate(draft), group="estimate", exclusive=True, exit_on_error=False)

    async def _ask_estimate(self, draft: CampaignDraft) -> None:
        try:
            rows = (await self.console.source.query(EstimateCampaign(draft=draft))).rows
        except HuntazeError as error:
            self._refuse(error)
        else:
            self._estimate = rows[0] if rows else None
            await self._ask_messages(draft)
        self.paint(self.view)

    async def _ask_messages(self, draft: CampaignDraft) -> None:
        """A few fans' messages. They are an addition: without them the plan stands all the same."""
        with suppress(HuntazeError):
            query = PreviewMessages(draft=draft, skip=self._skip, limit=_FANS)
            self._messages = await self.rows(query)

    def action_fans(self, by: int) -> None:
        """The messages of the next fans, or of those before."""
        draft = self._check(self.view).draft
        reached = self._messages[0].fans if self._messages else 0
        skip = max(0, self._skip + by * _FANS)
        if draft is None or skip >= reached or skip == self._skip:
            return
        self._skip = skip
        self.run_worker(self._show_fans(draft), group="estimate", exclusive=True, exit_on_error=False)

    async def _show_fans(self, draft: CampaignDraft) -> None:
        await self._ask_messages(draft)
        self.paint(self.view)

    def _refuse(self, error: HuntazeError) -> None:
        name = error.field.rpartition(".")[2] if isinstance(error, CommandRefused) else ""
        name = _REFUSED_FIELDS.get(name, name)
        if name in _LABELS:
            self._refused[name] = clean(str(error), longest=200)
        self._problem = clean(str(error), longest=400)

    # ── making it ───────────────────────────────────────────────────────────────────────────────────────────────────

    def action_create(self, start: bool) -> None:
        view = self.view
        checked = self._check(view)
        self._touched.update(_LABELS)
        if checked.draft is None:
            self.paint(view)
            first = next(name for name in _LABELS if name in checked.errors)
            self.query_one(f"#{first}").focus()
            return
        if not self.may_act:
            self.console.tell("Not now: the engine cannot be told anything.", severity="error")
        elif not start:
            self._make(checked.draft, start=False)
        elif self._estimate is None:
            self.console.tell("One moment: the estimate is not there yet.", severity="warning")
        else:
            self._ask_start(checked.draft, self._estimate, view)

    def _ask_start(self, draft: CampaignDraft, estimate: EstimateRow, view: View) -> None:
        question = start_question(
            estimate.fans, account_name(view, draft.account_id), estimate, estimate.finish_at, view
        )
        texts = (
            "Each text waits for your yes before it goes out."
            if draft.approval == "required"
            else "Texts go out unread."
        )
        if draft.starts_at is not None:
            texts = f"It starts {moment(draft.starts_at, view.now, view.zone)}. {texts}"
        typed = clean(draft.name) if estimate.fans > self.console.options.typed_above else ""

        def answered(yes: bool | None) -> None:
            if yes:
                self._make(draft, start=True)

        self.app.push_screen(Confirm(question, detail=texts, typed=typed), answered)

    def _make(self, draft: CampaignDraft, *, start: bool) -> None:
        """Once: a second key while the first is on its way does nothing."""
        if self._busy:
            return
        self._busy = True
        command = CreateCampaign(draft=draft, start=start, actor=self.console.options.actor, key=self.creation_key)
        self.run_worker(self._create(command), group="commands", exit_on_error=False)

    @property
    def creation_key(self) -> str:
        """One for each content of this form, so that pressing again after a lost answer makes nothing twice."""
        content = hashlib.sha256(repr(self._form()).encode()).hexdigest()
        return f"console-{self._nonce}-{content[:16]}"

    async def _create(self, command: CreateCampaign) -> None:
        try:
            done = await self.console.source.submit(command)
        except HuntazeError as error:
            self._busy = False
            self._refuse(error)
            self.console.tell(str(error), severity="error")
            self.paint(self.view)
            return
        self.console.tell(done.summary)
        self.app.pop_screen()


def _line(line: Line) -> Painter:
    return lambda width, _height: (cut(line, width),)
