"""The console itself: places, keys, the palette, and what happens when something breaks. Nothing is painted here."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen
from textual.worker import Worker

from engine.surface.commands import HaltSending, ResumeSending
from screens.feed import Feed
from screens.hangup import has_terminal, let_go
from screens.inorder import OrderedConsole
from screens.keys import keymap
from screens.moving import MovingConsole
from screens.noticing import NoticingConsole
from screens.place import Place, why_none_acts
from screens.readonly import LookingOnly
from screens.registry import NAMES, NUMBERED, REGISTRY
from screens.replaying import ReplayingConsole
from screens.source import ConsoleOptions, Source
from screens.view import View

LEFT, CRASHED = 0, 70  # what a run returns: the operator left; a screen broke and the console must be built again
HUNG_UP, TERMINATED = 128 + signal.SIGHUP, 128 + signal.SIGTERM
_REBUILDS = 3  # times a broken console is built again before it gives up


def _actions() -> type[Provider]:
    found: type[Provider] = import_module("screens.palette").Actions
    return found


class ConsoleApp(OrderedConsole, MovingConsole, ReplayingConsole, NoticingConsole):
    """Modes, bindings and the command palette over a source."""

    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {entry.name: entry.build for entry in REGISTRY}
    DEFAULT_MODE = "overview"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_actions}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(entry.number, f"place('{entry.name}')", entry.name) for entry in NUMBERED),
        Binding("c", "compose_campaign", "new campaign"),
        Binding("space", "freeze", "freeze"),
        Binding("space", "replay('play')", "play or pause", priority=True),
        Binding("S", "halt", "stop sending"),
        Binding("S", "resume_sending", "resume sending"),
        Binding("S", "stop_nothing", "stop sending", show=False),
        Binding("colon", "command", "go"),
        Binding("ctrl+p", "command_palette", "every action", show=False),
        Binding("q", "leave", "leave"),
        Binding("q", "replay_leave", "back to the engine", priority=True),
        Binding("question_mark", "help", "help"),
        Binding("ctrl+c", "leave", "leave", show=False),
    ]
    CSS = """
    * { scrollbar-color: $panel; scrollbar-background: $background; scrollbar-color-hover: $primary; }
    Screen { layers: default notices; }
    """

    def __init__(
        self, source: Source, *, options: ConsoleOptions | None = None, notice: str = "", start: str = "overview"
    ) -> None:
        super().__init__(options or ConsoleOptions())
        self.source = LookingOnly(source) if self.options.read_only else source
        self.feed = Feed(self.source, self._show, self.pacer)
        self.set_keymap(keymap(self.options.keys))
        self.failure = ""
        self._notice, self._start = notice, start
        self._had_terminal = has_terminal()

    # ── the feed ────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_mount(self) -> None:
        if self._start != "overview":
            self.switch_mode(self._start)
        if self._notice:
            self.tell(self._notice, severity="error")
        self._look()
        self.call_after_refresh(self.options.shown)

    def _look(self) -> None:
        if self._had_terminal and not has_terminal():  # it hung up without a signal
            self.hang_up()
            self.exit(HUNG_UP)
            return
        if self.options.over():
            self.exit(LEFT)
            return
        self.look_at_link()
        self.set_timer(self.feed.tick(), self._look)

    def hang_up(self) -> None:
        """Let go of the terminal, without waiting for it."""
        let_go(getattr(self._driver, "attrs_before", None))

    def _show(self, view: View) -> None:
        """Paint what is in sight; under a question, too, so that a lost link is seen while it is thought about."""
        shown = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Place)), None)
        if shown is not None and shown.is_mounted:
            shown.show(view)

    # ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def broke(self, error: BaseException) -> None:
        self.options.log(f"the console failed at something: {_where(error)}")
        self.tell(
            f"That did not work ({_where(error)}). The engine is not touched; the log has a line.", severity="error"
        )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        self.worked(event)

    def _handle_exception(self, error: Exception) -> None:
        """A broken screen ends this run; `run_console` builds a new one. Nothing of the values in play is shown."""
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self.failure = _where(error)
        self.options.log(f"the console broke and was built again: {self.failure}")
        self._return_code = CRASHED
        self._return_value = CRASHED
        self._close_messages_no_wait()

    # ── actions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        view = self.feed.view
        if action == "stop_nothing":
            return view.loaded and (view.link.read_only or not view.link.up)
        if action in ("halt", "resume_sending", "compose_campaign"):
            if view.link.read_only or not view.loaded or not view.link.up:
                return False
            if action == "compose_campaign":
                return not getattr(self.screen, "composes", False)
            return (action == "halt") is not bool(view.snapshot.engine.halted_by)
        return super().check_action(action, parameters)

    def action_help(self) -> None:
        from screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))

    def action_compose_campaign(self) -> None:
        self.push_screen(import_module("screens.compose").ComposeScreen())

    def action_freeze(self) -> None:
        self.feed.freeze()
        self.feed.tick()

    def action_halt(self) -> None:
        """Stops at once: nothing is lost by stopping, so nothing is asked."""
        if isinstance(self.screen, Place):
            self.screen.send(HaltSending(actor=self.options.actor))

    def action_stop_nothing(self) -> None:
        """Whoever wants to stop everything must not think that they did."""
        self.tell(f"{why_none_acts(self.feed.view.link)}: sending goes on.", severity="warning")

    def action_resume_sending(self) -> None:
        from screens.questions import resume_all_question
        from screens.widgets.confirm import Confirm

        screen = self.screen

        def answered(yes: bool | None) -> None:
            if yes and isinstance(screen, Place):
                screen.send(ResumeSending(actor=self.options.actor))

        self.push_screen(Confirm(resume_all_question(self.feed.view)), answered)

    async def action_quit(self) -> None:
        """Textual's own way out asks, too."""
        self.action_leave()

    def action_leave(self) -> None:
        if not self.options.drains:
            self.exit(LEFT)
            return
        from screens.widgets.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes:
                self.exit(LEFT)

        self.push_screen(
            Confirm("Leave and stop the engine? It finishes or parks what is in flight; nothing is lost."), answered
        )


def _where(error: BaseException) -> str:
    """The kind and the place of an error, without its message: that may carry a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "screens" in frame.filename] or frames
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{place}"


def run_console(source: Source, *, options: ConsoleOptions | None = None) -> int:
    """Show the console until the operator leaves or the terminal is lost; the exit code. Draining is the caller's."""
    return asyncio.run(show_console(source, options=options))


async def show_console(source: Source, *, options: ConsoleOptions | None = None) -> int:
    """As `run_console`, on a running loop. 0: left; 129: the terminal hung up; 143: terminated; 70: broken for good."""
    notice, start = "", "overview"
    no_colour = "NO_COLOR" in os.environ  # Textual takes it out of the environment
    for _ in range(_REBUILDS + 1):
        if no_colour:
            os.environ["NO_COLOR"] = "1"
        app = ConsoleApp(source, options=options, notice=notice, start=start)
        code = await _run(app, mouse=app.options.mouse)
        if code != CRASHED:
            return code
        start = app.current_mode if app.current_mode in NAMES else "overview"
        notice = f"The screen broke and was built again ({app.failure}). The engine went on; the log has a line."
    return CRASHED


async def _run(app: ConsoleApp, *, mouse: bool) -> int:
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def hung_up() -> None:
        received.append(HUNG_UP)
        app.hang_up()
        app.exit(HUNG_UP)

    def terminated() -> None:
        received.append(TERMINATED)
        app.exit(TERMINATED)

    loop.add_signal_handler(signal.SIGHUP, hung_up)
    loop.add_signal_handler(signal.SIGTERM, terminated)
    try:
        result = await app.run_async(mouse=mouse)
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        loop.remove_signal_handler(signal.SIGTERM)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError  # run_async swallows it
    return (
        received[0]
        if received
        else LEFT
        if result is None and not app.return_code
        else result or app.return_code or LEFT
    )
