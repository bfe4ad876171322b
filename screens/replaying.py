"""The console as a player of recordings, and as their maker.

While a recording is shown every screen stays what it is: it is given another source. What was shown before, the engine
itself, goes on unseen and is there again when the recording is left.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from engine.kernel.errors import HuntazeError
from engine.kernel.values import MINUTE, to_datetime
from screens.drawing import Span
from screens.formatting import clean, clock
from screens.onterminal import TerminalConsole
from screens.place import Place
from screens.source import Source

if TYPE_CHECKING:
    from screens.recording import Player, Recording, Taping
    from screens.sources.replay import ReplaySource

_HOUR = 60 * MINUTE
_STATUS_EVERY = 1.0  # real seconds between looks at a recording being made


class ReplayingConsole(TerminalConsole):
    """Adds what a recording is played with, and `R`, which makes one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("full_stop", "replay('event_on')", "event on", priority=True, show=False),
        Binding("comma", "replay('event_back')", "event back", priority=True, show=False),
        Binding("right_square_bracket", "replay('minute_on')", "minute on", priority=True),
        Binding("left_square_bracket", "replay('minute_back')", "minute back", priority=True),
        Binding("right_curly_bracket", "replay('ten_on')", "ten minutes on", priority=True, show=False),
        Binding("left_curly_bracket", "replay('ten_back')", "ten minutes back", priority=True, show=False),
        Binding("home", "replay('first_moment')", "beginning", priority=True, show=False),
        Binding("end", "replay('last_moment')", "end", priority=True, show=False),
        Binding("plus,equals_sign", "replay('faster')", "faster", priority=True, show=False),
        Binding("minus", "replay('slower')", "slower", priority=True, show=False),
        Binding("n", "replay('next_mark')", "next mark", priority=True),
        Binding("N", "replay('mark_before')", "mark before", priority=True, show=False),
        Binding("g", "replay_to", "go to a time", priority=True),
        Binding("R", "record", "record", show=False),
    ]

    source: Source
    _live: Source | None = None  # the engine, while a recording is shown over it
    _taping: Taping | None = None
    _read_part: float | None = None  # of a past hour that is being read, 0 to 1

    # ── showing another source ──────────────────────────────────────────────────────────────────────────────────────

    def turn_to(self, source: Source) -> None:
        """Show another source on the screens that are there, from their first ones."""
        self.source = source
        self.feed.turn_to(source)
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.feed.tick()
        for stack in self._screen_stacks.values():
            for screen in stack:
                if isinstance(screen, Place) and screen.is_mounted:
                    screen.start_over()

    @property
    def _replay(self) -> ReplaySource | None:
        """The recording that is shown. Told by its link, so that nothing of it is loaded before there is one."""
        if self.feed.view.link.replay is None and self.source.link().replay is None:
            return None
        found: ReplaySource = self.source  # type: ignore[assignment]
        return found

    def action_past(self, words: str) -> None:
        """Show the past: `14:00`, `14:00 15:00` (an hour, where one time is given), or a recording's file."""
        self.run_worker(self._open_past(words), group="replay", exclusive=True, exit_on_error=False)

    async def _open_past(self, words: str) -> None:
        from screens.recording import instant_of

        live = self._live or self.source
        view = self.feed.view
        try:
            recording = await asyncio.to_thread(_file, words.strip()) if self.options.files else None
            if recording is None:
                now = live.link().now
                begin, _, end = words.strip().replace("–", " ").replace(" to ", " ").partition(" ")
                from_ = instant_of(begin, now=now, zone=view.zone)
                to = instant_of(end, now=now, zone=view.zone) if end.strip() else from_ + _HOUR
                recording = await self._copied(live, from_, min(to, now))
        except HuntazeError as error:
            self.tell(str(error), severity="error")
            return
        self._play(recording, live)

    async def _copied(self, live: Source, from_: int, to: int) -> Recording:
        from screens.recording import copy_past

        zone = self.feed.view.zone
        self.tell(f"Reading {clock(from_, zone)} to {clock(to, zone)} from the engine's log")

        def told(part: float, _size: int) -> None:
            self._read_part = part

        def copy() -> Recording:
            return asyncio.run(copy_past(live.query, from_, to, now=live.link().now, told=told))

        self._read_part = 0.0
        timer = self.set_interval(_STATUS_EVERY, self.feed.touch)
        try:
            return await asyncio.to_thread(copy)
        finally:
            timer.stop()
            self._read_part = None

    def _play(self, recording: Recording, live: Source) -> None:
        self._close_replay()
        self._live = live
        replay: ReplaySource = import_module("screens.sources.replay").ReplaySource(recording)
        self.turn_to(replay)
        self.tell("This is the past. space plays, q goes back to the engine, which went on")

    def action_replay_leave(self) -> None:
        live = self._live
        if live is None:
            return
        self._close_replay()
        self._live = None
        self.turn_to(live)

    def _close_replay(self) -> None:
        replay = self._replay if self._live is not None else None
        if replay is not None:
            replay.close()

    # ── the keys of a replay ────────────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("replay", "replay_to", "replay_leave"):
            here = isinstance(self.screen, Place) and not isinstance(self.focused, Input)
            shown = here and self.is_running and self._replay is not None
            return shown and (action != "replay_leave" or self._live is not None)
        if action == "freeze":
            return self._replay is None
        if action == "record":
            return self._replay is None and self.feed.view.loaded and self.options.files
        return True

    def action_replay(self, what: str) -> None:
        self.run_worker(self._move(what), group="replay-move", exit_on_error=False)

    async def _move(self, what: str) -> None:
        """Move on a thread: a long way may take a moment, and keys go on."""
        replay = self._replay
        if replay is None:
            return
        if await asyncio.to_thread(_MOVES[what], replay.player) is False:
            self.tell("There is no further mark: alerts, breakers, stops and restarts have one")
        replay.wake()
        self._show_moment(replay)

    def _show_moment(self, replay: ReplaySource) -> None:
        self.feed.tick()
        if not replay.player.playing and isinstance(self.screen, Place):
            self.screen.action_reload()

    def action_replay_to(self) -> None:
        from screens.widgets.asking import Ask, Entry

        replay = self._replay
        if replay is None:
            return
        standing, zone = replay.player.standing(), self.feed.view.zone

        def at(text: str) -> int:
            from screens.recording import instant_of

            return instant_of(text, now=standing.now, zone=zone, within=(standing.began, standing.ended))

        def wrong(values: object) -> dict[str, str]:
            try:
                found = at(values["time"])  # type: ignore[index]
            except HuntazeError as error:
                return {"time": str(error)}
            if standing.began - MINUTE <= found <= standing.ended + MINUTE:
                return {}
            return {"time": f"it was recorded from {clock(standing.began, zone)} to {clock(standing.ended, zone)}"}

        def answered(values: object) -> None:
            if values is not None:
                self.run_worker(self._seek(at(values["time"])), exit_on_error=False)  # type: ignore[index]

        entry = Entry(name="time", label="time", hint="14:32, 14:32:05")
        self.push_screen(Ask("Go to which moment of the recording?", (entry,), check=wrong, go="go there"), answered)

    async def _seek(self, at: int) -> None:
        replay = self._replay
        if replay is not None:
            await asyncio.to_thread(replay.player.seek, at)
            self._show_moment(replay)

    # ── making a recording ──────────────────────────────────────────────────────────────────────────────────────────

    def action_record(self) -> None:
        """Start, or stop and say what was recorded."""
        if self._taping is not None:
            self.run_worker(self._stop_recording(), group="recording", exit_on_error=False)
            return
        from screens.recording import RecordingError, Taping

        taping = Taping(self.source, _file_name(self.feed.view.snapshot.engine.node, self.source.link().now))
        try:
            taping.start()
        except RecordingError as error:
            self.tell(str(error), severity="error")
            return
        self._taping = taping
        self.tell(f"Recording into {taping.path.resolve()}; R stops it. Texts of messages are left out")
        self._watch_recording()

    def _watch_recording(self) -> None:
        taping = self._taping
        if taping is None:
            return
        self.feed.touch()
        if taping.going:
            self.set_timer(_STATUS_EVERY, self._watch_recording)
        else:
            self.run_worker(self._stop_recording(), group="recording", exit_on_error=False)

    async def _stop_recording(self) -> None:
        taping, self._taping = self._taping, None
        if taping is None:
            return
        await asyncio.to_thread(taping.stop)
        self.feed.touch()
        size = f"{taping.events:,} events, {_size(taping.size)}, in {taping.path}"
        if taping.failure is not None:
            self.tell(f"The recording ended: {taping.failure}", severity="error")
        elif taping.full:
            self.tell(f"The recording is full and ended: {size}", severity="warning")
        else:
            self.tell(f"Recorded {size}")

    @property
    def recording_note(self) -> tuple[Span, ...]:
        """For the status line: that a recording is being made, how large it is, and what keeps it from going on."""
        taping = self._taping
        reading = () if self._read_part is None else ((f"reading the log {self._read_part:.0%}", "accent"),)
        if taping is None:
            return reading
        if taping.note:
            return (*reading, (f"● rec waits: {clean(taping.note, longest=40)}", "warn"))
        return (*reading, (f"● rec {_size(taping.size)}", "bad"))

    def on_unmount(self) -> None:
        """Leaving closes what is open; a recording keeps what it has."""
        if self._taping is not None:
            self._taping.stop(within=0.5)
        self._close_replay()


Move = Callable[["Player"], "bool | None"]  # False: there was nowhere to go


def _skip(by: int) -> Move:
    return lambda player: player.skip(by)


_MOVES: dict[str, Move] = {
    "play": lambda player: player.toggle(),
    "event_on": lambda player: player.step(1),
    "event_back": lambda player: player.step(-1),
    "minute_on": _skip(MINUTE),
    "minute_back": _skip(-MINUTE),
    "ten_on": _skip(10 * MINUTE),
    "ten_back": _skip(-10 * MINUTE),
    "first_moment": lambda player: player.seek(player.recording.began),
    "last_moment": lambda player: player.seek(player.recording.ended),
    "faster": lambda player: player.faster(1),
    "slower": lambda player: player.faster(-1),
    "next_mark": lambda player: player.next_mark(forward=True),
    "mark_before": lambda player: player.next_mark(forward=False),
}


def _file(words: str) -> Recording | None:
    """The recording of that name; None where there is no such file."""
    from screens.recording import Recording

    path = Path(words).expanduser()
    return Recording(path) if words and path.is_file() else None


def _file_name(node: str, now: int) -> Path:
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", node)[:40].strip(".-") or "engine"
    return Path(f"huntaze-{name}-{to_datetime(now):%Y%m%d-%H%M%S}.rec")


def _size(amount: int) -> str:
    return f"{amount / (1 << 20):.1f} MB" if amount >= 1 << 20 else f"{max(amount, 0) // 1024:,} kB"
