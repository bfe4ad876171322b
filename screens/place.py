"""What every screen is: a status line, a body, a line of keys; and how it asks, tells and confirms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerState

from engine.kernel.errors import CommandRefused, HuntazeError
from engine.surface.commands import Command
from engine.surface.rows import AuditRow
from screens.drawing import Line
from screens.feed import Feed
from screens.formatting import age, clean, clock
from screens.keys import named, spelled
from screens.prompt import Prompt
from screens.source import ConsoleOptions, Link, Source
from screens.view import View
from screens.widgets.keybar import Key, KeyBar
from screens.widgets.replaybar import ReplayBar
from screens.widgets.statusbar import StatusBar


class Console(App[int]):
    """The app as its screens know it."""

    def __init_subclass__(cls, **how: Any) -> None:
        cls.BINDINGS = named(cls.__dict__.get("BINDINGS", []))
        super().__init_subclass__(**how)

    source: Source
    options: ConsoleOptions
    feed: Feed
    done_last: tuple[str, AuditRow] | None = None  # what this console did that can be undone, and in which history
    came_from: tuple[str, ...] = ()  # places that `:` led away from

    @property
    def undoable(self) -> AuditRow | None:
        """What this console did last, where it can be undone; nothing of another history than the one in sight."""
        epoch, row = self.done_last or ("", None)
        return row if epoch == self.feed.view.snapshot.epoch else None

    async def action_return(self) -> None:
        """Go back to where `:` was typed."""
        raise NotImplementedError

    def tell(self, text: str, *, severity: str = "information") -> None:
        """A notice that goes away by itself. The text may be from outside."""
        raise NotImplementedError

    def broke(self, error: BaseException) -> None:
        """Log a fault of the console's own and say so; the screens go on."""
        raise NotImplementedError

    def worked(self, event: Worker.StateChanged) -> None:
        """A question that failed is told; anything else that did is a fault of ours, which is told and logged."""
        error = event.worker.error
        if event.state is not WorkerState.ERROR or error is None:
            return
        if isinstance(error, HuntazeError):
            self.tell(str(error), severity="error")
        else:
            self.broke(error)


class Place(Prompt, Screen[None]):
    """A screen of the console. `title` stands in the status line; `place` is the numbered place it belongs to."""

    title_text = ""
    place = ""
    first_keys: tuple[str, ...] = ()
    begins_way = False  # `:` opened it over another screen, which is no part of the way to it
    BINDINGS: ClassVar[list[BindingType]] = named(
        [Binding("escape", "back", "back"), Binding("ctrl+r", "reload", "read again", show=False)]
    )
    DEFAULT_CSS = "Place { background: $background; color: $foreground; }"

    def __init_subclass__(cls, **how: Any) -> None:
        cls.BINDINGS = named(cls.__dict__.get("BINDINGS", []))
        super().__init_subclass__(**how)

    # ── to be filled in ─────────────────────────────────────────────────────────────────────────────────────────────

    def body(self) -> ComposeResult:
        """The widgets between the status line and the keys."""
        yield from ()

    def paint(self, view: View) -> None:
        """Show a moment. Called when something shown may have changed."""

    def action_reload(self) -> None:
        """Ask the engine again for what is not in the snapshot."""

    def start_over(self) -> None:
        """Forget what was read, which is not so any more, and read it anew."""
        self.action_reload()

    @property
    def heading(self) -> str:
        """The way here, its steps parted by ` › `."""
        return self.title_text

    @property
    def tally(self) -> str:
        """How many rows there are, for a screen that lists some."""
        return ""

    # ── what a screen can do ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def console(self) -> Console:
        return cast("Console", self.app)

    @property
    def view(self) -> View:
        return self.console.feed.view

    def compose(self) -> ComposeResult:
        yield StatusBar()
        yield from self.body()
        yield ReplayBar()
        yield KeyBar()

    def show(self, view: View) -> None:
        """Paint everything for a moment."""
        self.paint(view)
        self.query_one(StatusBar).show(self.trail(), self.tally, view)  # after it: it counts what is painted
        self.query_one(ReplayBar).show(view)
        self.show_keys()

    def trail(self) -> tuple[str, ...]:
        """The steps that led here, as the screens below tell them. One of another place begins a way of its own, as
        does one that `:` opened."""
        steps: list[str] = []
        for screen in self.app.screen_stack:
            if isinstance(screen, Place):
                own = screen.heading.split(" › ")
                if screen.begins_way or (steps and own[0] != steps[0]):
                    steps = []
                steps += [step for step in own if step not in steps]
            if screen is self:
                break
        return tuple(steps)

    def show_keys(self) -> None:
        above = self.app.screen
        keys = asked_keys(above) if isinstance(above, ModalScreen) else self.keys()
        self.query_one(KeyBar).show(keys, self.place)

    def keys(self) -> tuple[Key, ...]:
        """The keys that work here and now, from the bindings themselves."""
        found: list[Key] = []
        seen: set[str] = set()
        for key, active in self.active_bindings.items():
            binding = active.binding
            if not binding.show or not active.enabled or binding.action in seen:
                continue
            seen.add(binding.action)
            own = active.node is not self.app
            group = "here" if own else "place" if binding.action.startswith("place(") else "everywhere"
            found.append(Key(spelled(key), binding.description, key, group))
        return tuple(sorted(found, key=self._rank))

    def _rank(self, key: Key) -> int:
        """What the screen is for comes first, filter and back come last."""
        if key.label in self.first_keys:
            return 0
        return 2 if key.label in ("filter", "back") else 1

    def on_screen_suspend(self) -> None:
        self.show_keys()

    def on_screen_resume(self) -> None:
        self.show(self.console.feed.now())

    def on_descendant_focus(self) -> None:
        self.show_keys()

    def on_resize(self, event: events.Resize) -> None:
        """Higher, there is a line for the places; smaller, other keys may work."""
        if self.is_current:
            self.show_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back":
            return len(self.app.screen_stack) > 1 or bool(self.console.came_from)
        if action == "reload":
            return type(self).action_reload is not Place.action_reload
        return True

    async def action_back(self) -> None:
        """To the screen below as it was left; from a place that `:` led to, to the one it led away from."""
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        else:
            await self.console.action_return()

    @property
    def may_act(self) -> bool:
        """Can a command be given: the link is up, it may write, and what is seen is not frozen?"""
        return self.view.link.up and not self.view.link.read_only

    def send(self, command: Command, then: Callable[[], None] | None = None) -> None:
        """Tell the engine; its answer becomes a notice, and the screen reads again. The one gate of all that acts."""
        if not self.may_act:
            self.console.tell(f"{why_none_acts(self.view.link)}: nothing was changed.", severity="warning")
            return
        self.run_worker(self._send(command, then), group="commands", exit_on_error=False)

    async def _send(self, command: Command, then: Callable[[], None] | None) -> None:
        try:
            done = await self.console.source.submit(command)
        except HuntazeError as error:
            self.console.tell(str(error), severity="error")
            return
        self.console.tell(done.summary)
        if then is not None:
            then()
        self.action_reload()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        self.console.worked(event)


def asked_keys(question: ModalScreen[Any]) -> tuple[Key, ...]:
    """The keys of a question over a screen: no other does anything then."""
    found: dict[str, Key] = {}
    for key, active in question.active_bindings.items():
        binding = active.binding
        if binding.show and active.enabled:
            found.setdefault(binding.action, Key(spelled(key), binding.description, key, "here"))
    return tuple(found.values())


def why_none_acts(link: Link) -> str:
    """Why no command can be given over a link that is down or only looked at."""
    if link.replay is not None:
        return "What is past can only be looked at"
    return "This console may only look (read-only)" if link.read_only else "There is no link to the engine"


def as_of(view: View) -> Line:
    """The age of what is shown, for a panel's title; nothing while it is fresh."""
    if view.stale_for is None:
        return ()
    return ((f"as of {clock(view.link.since, view.zone)}, {age(view.stale_for)} old", "warn"),)


def waiting_lines(view: View, what: str) -> Sequence[Line]:
    """The loading state: what is awaited and what the engine says about it."""
    note = clean(view.link.note) or "waiting for the engine's first answer"
    return (((f" {what}: {note}", "dim"),),)


def refusal(error: Exception) -> str:
    """An error as an operator reads it."""
    if isinstance(error, CommandRefused) and error.field:
        return clean(f"{error.field}: {error}")
    return clean(str(error))
