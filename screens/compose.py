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
from textual.suggester import Suggester, SuggestFromList
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, TextArea

from engine.kernel.errors import CommandRefused, HuntazeError
from engine.surface.commands import CampaignDraft, CreateCampaign
from engine.surface.effects import MessageRow
from engine.surface.queries import EstimateCampaign, PreviewMessages
from engine.surface.rows import EstimateRow
from screens.acting import Acting
from screens.drafting import HINTS, TOOLS, Checked, Form, Listed, check, file_named
from screens.drawing import BLANK, Line, cell, cut
from screens.facts import account_name
from screens.fanfile import AudienceSuggester, read
from screens.formatting import clean, moment_there, wrap
from screens.planning import facts_lines, message_lines
from screens.steering import start_question
from screens.view import View
from screens.widgets.board import Board, Painter
from screens.widgets.choice import Choice
from screens.widgets.confirm import Confirm

_PAUSE = 0.4  # seconds without a key before the estimate is asked for again
_FANS = 3  # whose messages are shown at once
_FLAWS = 4  # lines below a field; all of them stand beside the form
_LABELLED = 13  # cells before a field
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
    first_keys = ("create and start", "create only")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+g", "create(True)", "create and start", priority=True),
        Binding("ctrl+o", "create(False)", "create only", priority=True),
        Binding("tab", "app.focus_next", "next", priority=True),  # before what is typed behind it is given out
        Binding("shift+tab", "app.focus_previous", "field before", show=False, priority=True),
        Binding("pagedown", "fans(1)", "other fans", priority=True),
        Binding("pagedown", "read_messages", "messages", priority=True),
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
    ComposeScreen.narrow.reading #fields { height: 2; }
    ComposeScreen.narrow #plan { width: 100%; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._estimate: EstimateRow | None = None
        self._messages: tuple[MessageRow, ...] = ()
        self._skip = 0  # fans before those whose messages are shown
        self._messages_at = 0  # the line of the plan that they begin with
        self._listed: Listed | None = None  # the file of fans read last
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
        yield from self._input("account", accounts[0] if accounts else "", _known(accounts))
        yield from self._input("audience", first.audience, AudienceSuggester())
        yield from self._input("tool", first.tool, _known(TOOLS))
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
        yield from self._input("starts", first.starts, _known(("now", "tomorrow ")))

    def _row(self, name: str, field: Widget) -> ComposeResult:
        """The label beside the field, and below them what is wrong, or while one is there what may be typed."""
        with Horizontal(classes="field"):
            yield Board(id=f"{name}-label", classes="label still")
            yield field
        yield Board(id=f"{name}-wrong", classes="wrong still")

    def _input(self, name: str, value: str, suggester: Suggester | None = None) -> ComposeResult:
        field = Input(value, id=name, suggester=suggester)
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
        flaws = {**{name: text for name, text in checked.errors.items() if name in self._touched}, **self._refused}
        here = self.focused.id if self.focused else ""
        for name, label in _LABELS.items():
            self.query_one(f"#{name}-label", Board).paint(_painted([(cell(label, 11, "dim", right=True),)]))
            text, tone = (flaws[name], "bad") if name in flaws else (_hint(name, view) if name == here else "", "dim")
            below = self.query_one(f"#{name}-wrong", Board)
            room = max(20, (below.size.width or self.app.size.width) - _LABELLED - 2)
            lines = _folded(text, room)
            if len(lines) > _FLAWS:
                lines = [*lines[: _FLAWS - 1], "…"]
            below.styles.height = len(lines)
            below.paint(_painted([(cell("", _LABELLED), (line, tone)) for line in lines]))
        self.query_one("#plan", Board).paint(lambda width, _height: self._plan(view, checked, width))

    def _plan(self, view: View, checked: Checked, width: int) -> Sequence[Line]:
        title: Line = ((" WHAT IT WILL DO", "head"), ("  nothing is made before you say so", "dim"))
        if self._problem:
            return (title, *(((f"  {text}", "bad"),) for text in wrap(self._problem, width - 3)))
        if checked.draft is None:
            missing = ", ".join(_LABELS[name] for name in checked.errors)
            flaws = (
                self._listed.problem if self._listed and self._listed.problem == checked.errors.get("audience") else ""
            )
            return (
                title,
                *(((f"  {text}", "dim"),) for text in wrap(f"shown once these are right: {missing}", width - 3)),
                *(((f"  {text}", "bad"),) for text in _folded(flaws, width - 3)),
            )
        if self._estimate is None:
            return (title, (("  reckoning …", "dim"),))
        lines = [title, *facts_lines(self._estimate, view, width), BLANK]
        self._messages_at = len(lines)
        return (*lines, *message_lines(self._messages, checked.draft, width))

    def _check(self, view: View) -> Checked:
        return check(self._form(), view.now, view.zone, self._listed)

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

    def on_descendant_focus(self) -> None:
        self._end_reading()
        self.paint(self.view)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self._touched.add(event.widget.id or "")
        self.paint(self.view)

    def _typed(self, name: str) -> None:
        if name != "name" or self.query_one("#name", Input).value:
            self._touched.add(name)
        self._refused.pop(name, None)
        self._forget()
        if name == "audience":
            self._listed = None
        self.show(self.view)
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE, self._reckon)

    def _forget(self) -> None:
        """Nothing that was reckoned is so any more."""
        self._estimate, self._problem, self._messages, self._skip = None, "", (), 0
        self._end_reading()

    def action_reload(self) -> None:
        """Reckon anew; a file of fans is read again."""
        self._forget()
        self._listed = None
        self.paint(self.view)
        self._reckon()

    def _reckon(self) -> None:
        self.run_worker(self._look(), group="estimate", exclusive=True, exit_on_error=False)

    async def _look(self) -> None:
        """Read the file that the audience names, where that is still to do, and ask what the draft would do."""
        file = file_named(self._form().audience)
        if file and (self._listed is None or self._listed.file != file):
            self._listed = await read(file)
            self._touched.add("audience")
            self.paint(self.view)
        draft = self._check(self.view).draft
        if draft is not None:
            await self._ask_estimate(draft)

    async def _ask_estimate(self, draft: CampaignDraft) -> None:
        try:
            rows = (await self.console.source.query(EstimateCampaign(draft=draft))).rows
        except HuntazeError as error:
            self._refuse(error)
        else:
            self._estimate = rows[0] if rows else None
            await self._ask_messages(draft)
        self.show(self.view)

    async def _ask_messages(self, draft: CampaignDraft) -> None:
        """A few fans' messages. They are an addition: without them the plan stands all the same."""
        with suppress(HuntazeError):
            query = PreviewMessages(draft=draft, skip=self._skip, limit=_FANS)
            self._messages = await self.rows(query)

    # ── reading the messages ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _plan_board(self) -> Board:
        return self.query_one("#plan", Board)

    @property
    def _in_sight(self) -> bool:
        """Do the messages stand in the plan's part of the screen, or at least begin at its top?"""
        board = self._plan_board
        return len(board.lines) <= board.size.height or board.scroll_y >= min(self._messages_at, board.max_scroll_y)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "read_messages":
            return bool(self._messages) and not self._in_sight
        if action == "fans":
            board, onward = self._plan_board, parameters == (1,)
            before = self.has_class("reading") or self._skip or board.scroll_y
            beyond = board.scroll_y < board.max_scroll_y or self._behind < self._reached
            return bool(self._messages) and self._in_sight and bool(beyond if onward else before)
        return super().check_action(action, parameters)

    @property
    def _reached(self) -> int:
        return self._messages[0].fans if self._messages else 0

    @property
    def _behind(self) -> int:
        """Fans up to the last one whose message is shown."""
        return self._skip + _FANS

    def action_read_messages(self) -> None:
        """Bring the messages into sight; where there is little room they take the fields', but for the one in use."""
        self.add_class("reading")
        self.call_after_refresh(self._to_the_messages)

    def _to_the_messages(self) -> None:
        if self.focused is not None:
            self.focused.scroll_visible(animate=False)
        self._plan_board.scroll_to(y=self._messages_at, animate=False)
        self.call_after_refresh(self.show_keys)

    def _end_reading(self) -> None:
        self.remove_class("reading")
        self._plan_board.scroll_home(animate=False)

    def action_fans(self, by: int) -> None:
        """Further through these fans' messages, then those of the next fans; or back."""
        board = self._plan_board
        page = max(1, board.size.height - 1)
        if by > 0 and board.scroll_y < board.max_scroll_y:
            board.scroll_relative(y=page, animate=False)
        elif by < 0 and board.scroll_y > self._messages_at:
            board.scroll_to(y=max(self._messages_at, board.scroll_y - page), animate=False)
        elif by < 0 and not self._skip:
            self._end_reading()
        else:
            self._turn_to(max(0, self._skip + by * _FANS))
        self.call_after_refresh(self.show_keys)

    def _turn_to(self, skip: int) -> None:
        draft = self._check(self.view).draft
        if draft is None or skip >= self._reached:
            return
        self._skip = skip
        self.run_worker(self._show_fans(draft), group="estimate", exclusive=True, exit_on_error=False)

    async def _show_fans(self, draft: CampaignDraft) -> None:
        await self._ask_messages(draft)
        self.paint(self.view)
        self._to_the_messages()

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
            texts = f"It starts {moment_there(draft.starts_at, view.now, view.zone)}. {texts}"
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
        content = hashlib.sha256(repr((self._form(), self._listed)).encode()).hexdigest()
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
        starts_at, view = command.draft.starts_at, self.view
        kept = "" if command.start or starts_at is None else moment_there(starts_at, view.now, view.zone)
        self.console.tell(f"{done.summary}; once started, it begins at {kept}" if kept else done.summary)
        self.app.pop_screen()


def _hint(name: str, view: View) -> str:
    """What may be typed in a field."""
    return f"{HINTS[name]} ({view.zone.key})" if name == "starts" else HINTS[name]


def _known(words: Sequence[str]) -> Suggester:
    return SuggestFromList(words, case_sensitive=False)


def _folded(text: str, width: int) -> list[str]:
    """A text of several lines, each folded; nothing for none."""
    return [part for line in text.split("\n") for part in wrap(clean(line, longest=400), width)] if text else []


def _painted(lines: Sequence[Line]) -> Painter:
    return lambda width, _height: [cut(line, width) for line in lines]
