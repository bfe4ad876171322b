"""What the engine says of itself: its log, the newest at the bottom, by level; followed until told not to; in full."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType

from engine.kernel.errors import HuntazeError
from engine.surface.queries import ListLogs
from engine.surface.rows import LogRow
from screens.drawing import BLANK, Line, Span, cut, state
from screens.formatting import age, clean, clock, clock_exact, count, plural, stamp, wrap
from screens.listing import Listing
from screens.place import as_of
from screens.record import Field, Record, field_lines
from screens.view import View
from screens.widgets.table import Column

KEPT = 2_000  # records; engine.log in the state directory keeps more
_AT_ONCE = 500  # records asked for at a time
_LOOK = 1.5  # seconds between two looks at what is new: a log says nothing by itself
_FOOT = 3  # lines of a long message shown under the table
Level = Literal["", "info", "warning", "error"]
_LEVELS: tuple[Level, ...] = ("", "info", "warning", "error")
_FOLLOWS = "following"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, and which of the engines seen from here wrote it: each counts its records from 1."""

    engine: int
    row: LogRow


class LogsScreen(Listing[Entry]):
    """A bounded part of the log. While it follows, the cursor stands on the newest record; scrolling up stops that."""

    title_text = place = "logs"
    first_keys = ("stop following", "follow")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "level", "level"),
        Binding("f", "stop_following", "stop following"),
        Binding("f", "follow", "follow"),
    ]

    def __init__(self, about: str = "") -> None:
        super().__init__()
        self._about = about  # what it is filtered by at first
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._held: deque[Entry] = deque(maxlen=KEPT)  # what came while nobody followed
        self._shown: tuple[Entry, ...] = ()
        self._level: Level = ""
        self._stopped = ""  # why it does not follow; empty while it does
        self._seen: int | None = None  # the newest record taken in; None before the first look
        self._engine = 0
        self._started_at = 0
        self._top = 0.0  # where the table was scrolled to
        self._looking = False
        self._round = 0  # an answer to an earlier question is thrown away

    @property
    def heading(self) -> str:
        return f"logs › {self._level} and above" if self._level else "logs"

    @property
    def empty(self) -> str:  # type: ignore[override]
        if self._level:
            return f"nothing was logged at {self._level} or above; l shows the other levels"
        return "nothing was logged yet"

    # ── taking in ───────────────────────────────────────────────────────────────────────────────────────────────────

    def on_mount(self) -> None:
        super().on_mount()
        self.look_for(self._about)
        self.set_interval(_LOOK, self._look)
        self._look()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._look()

    def action_reload(self) -> None:
        self._look()

    def start_over(self) -> None:
        """Of another source nothing that was read is so any more."""
        self._started_at = 0
        self._forget()
        self._look()

    def _forget(self) -> None:
        self._entries.clear()
        self._held.clear()
        self._shown, self._seen, self._stopped, self.done, self.error = (), None, "", False, ""
        self._round += 1

    def _look(self) -> None:
        view = self.view
        if self._looking or not self.is_current or view.frozen_for is not None or not view.link.up:
            return
        self._looking = True
        self.run_worker(self._ask_on(view), group="logs", exit_on_error=False)

    async def _ask_on(self, view: View) -> None:
        """The records since the last look; of another engine, all that it has."""
        if view.link.replay is not None and self._entries and self._entries[-1].row.at > view.now:
            self._forget()  # the recording was turned back: none of this was said yet
        started_at = view.snapshot.engine.started_at
        if self._started_at and started_at != self._started_at and self._seen is not None:
            self._engine, self._seen = self._engine + 1, 0
        self._started_at = started_at
        asked = self._round
        try:
            page = await self.console.source.query(ListLogs(level=self._level, limit=_AT_ONCE, after=self._seen))
        except HuntazeError as error:
            self.error, self.error_at = clean(str(error), longest=300), view.now
            page = None
        finally:
            self._looking = False
        if page is not None and asked == self._round:
            self._take_in(page.rows)
        if self.is_current and (page is None or page.rows or not self.done):
            self.done = self.done or page is not None
            self.show(self.view)
        if page is not None and len(page.rows) == _AT_ONCE:
            self._look()

    def _take_in(self, rows: Sequence[LogRow]) -> None:
        self.error = ""
        fresh = [Entry(self._engine, row) for row in rows]
        self._seen = rows[-1].seq if rows else self._seen or 0
        if self._stopped:
            self._held.extend(fresh)
        elif fresh:
            self._entries.extend(fresh)
            self._shown = tuple(self._entries)

    def paint(self, view: View) -> None:
        super().paint(view)
        if not self._stopped and self.table.rows:
            self.table.action_edge(1)

    # ── following ───────────────────────────────────────────────────────────────────────────────────────────────────

    def on_table_moved(self) -> None:
        table = self.table
        if table.cursor < len(table.rows) - 1 and not table.filter:
            self._stop("you went up")
        super().on_table_moved()

    def on_table_scrolled(self) -> None:
        """A wheel leaves the cursor where it is. Whoever goes up wants to read: nothing moves until `f`."""
        table = self.table
        before, self._top = self._top, table.scroll_y
        if self._top < min(before, table.max_scroll_y - 1):
            self._stop("you went up")

    def on_table_arranged(self) -> None:
        if self.table.order is not None:
            self._stop("another order was asked for")
        super().on_table_arranged()

    def _stop(self, why: str) -> None:
        if not self._stopped:
            self._stopped = why
            if self.is_current:
                self.show(self.view)

    def action_stop_following(self) -> None:
        self._stop("you said so")

    def action_follow(self) -> None:
        self._stopped = ""
        self._entries.extend(self._held)
        self._held.clear()
        self._shown = tuple(self._entries)
        if self.table.order is not None:
            self.table.order_by(None)
        self.show(self.view)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("follow", "stop_following"):
            return (action == "follow") is bool(self._stopped)
        return super().check_action(action, parameters)

    def action_level(self) -> None:
        self._level = _LEVELS[(_LEVELS.index(self._level) + 1) % len(_LEVELS)]
        self._forget()
        self.show(self.view)
        self._look()

    # ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def tally(self) -> str:
        every = count(len(self._shown)) if self.done else ""
        return f"{count(len(self.table.rows))} of {every}" if every and self.table.filter else every

    def rows_of(self, view: View) -> Sequence[Entry]:
        return self._shown

    def columns(self) -> Sequence[Column[Entry]]:
        return (
            Column(title="at", width=8, paint=lambda one, view: (clock_exact(one.row.at, view.zone), "dim")),
            Column(title="level", width=10, paint=lambda one, _: _badge(one.row.level), sort=_rank),
            Column(title="who", width=12, weight=1, need=70, paint=_who, sort=lambda one: one.row.area),
            Column(title="what", width=24, weight=5, paint=_what),
        )

    def key_of(self, row: Entry) -> str:
        return f"{row.engine}:{row.row.seq}"

    def words_of(self, row: Entry) -> str:
        said = row.row
        return f"{said.level} {said.area} {said.message} {said.error} {_fields(said)}"

    def head(self, view: View, width: int) -> Sequence[Line]:
        levels: list[Span] = [("  show ", "dim")]
        for level in _LEVELS:
            levels += [(_name(level), "chosen" if level == self._level else "dim"), ("  ", "plain")]
        return cut((self._state(view), ("  ", "plain"), *as_of(view)), width), cut(tuple(levels), width)

    def _state(self, view: View) -> Span:
        held = f", {plural(len(self._held), 'newer record')} held back" if self._held else ""
        if view.frozen_for is not None:
            return "  ‖ frozen with the whole console", "warn"
        if not view.link.up:
            return "  ‖ no link to the engine: nothing new comes until it is back", "warn"
        if self._stopped:
            return f"  ‖ not following, for {self._stopped}{held}; f follows again", "warn"
        return f"  ● {_FOLLOWS}, newest at the bottom · {count(len(self._entries))} kept", "ok"

    def foot(self, row: Entry, view: View, width: int) -> Sequence[Line]:
        said = row.row
        text = " ".join(part for part in (said.message, f"[{said.error}]" if said.error else "", _fields(said)) if part)
        lines = wrap(clean(text, longest=width * _FOOT), max(10, width - 4))
        return [BLANK, *(((f"  {line}", "plain"),) for line in lines[:_FOOT])]

    def _message(self, view: View) -> Sequence[Line]:
        """Loading and failing, for what is read here without `question`."""
        if view.loaded and not self.done and self.error:
            help_ = "It is tried again by itself; ^r tries now. Until then: engine.log in its state directory."
            return (BLANK, *self._folded(f"✖ {self.error}", "bad"), *self._folded(help_, "dim"))
        if view.loaded and not self.done:
            reading = f"reading since {clock(view.now, view.zone)} …" if view.link.up else "waiting for the link"
            return (BLANK, *self._folded(reading, "dim"))
        return super()._message(view)

    def open(self, row: Entry) -> None:
        self.app.push_screen(LogRowScreen(row.row))


class LogRowScreen(Record):
    """One record in full: every field, and the places an exception passed."""

    place = "logs"

    def __init__(self, row: LogRow) -> None:
        super().__init__()
        self._row = row

    @property
    def heading(self) -> str:
        return f"logs › record {self._row.seq}"

    def lines(self, view: View, width: int) -> Sequence[Line]:
        row = self._row
        glyph, tone, word = _level(row.level)
        ago = age(max(0, view.now - row.at))
        fields: list[Field | None] = [
            None,
            ("level", f"{glyph} {word}", tone),
            ("at", f"{stamp(row.at, view.zone)} {view.snapshot.engine.time_zone}, {ago} ago"),
            ("who", row.area),
            None,
            ("what", row.message),
            *((clean(name, longest=40), value) for name, value in row.fields.items()),
        ]
        if row.error:
            fields += [None, ("broke", row.error, "bad")]
            fields += [("by way of" if at == 0 else "", place) for at, place in enumerate(row.trace)]
        return field_lines(fields, width)


def _level(level: str) -> tuple[str, str, str]:
    """Glyph, tone and word of a level."""
    if level == "debug":
        return "·", "dim", "debug"
    if level == "error":
        return "✖", "bad", "error"
    glyph, tone, word = state(level)
    return glyph, tone, clean(word, longest=20)


def _badge(level: str) -> Span:
    glyph, tone, word = _level(level)
    return f"{glyph} {word}", tone


def _rank(entry: Entry) -> int:
    order = ("debug", "info", "warning", "error", "critical")
    return order.index(entry.row.level) if entry.row.level in order else 0


def _name(level: Level) -> str:
    return f"{level} and above" if level and level != "error" else level or "everything"


def _who(entry: Entry, _view: View) -> Span:
    """The module, without what all of them begin with."""
    return clean(entry.row.area.removeprefix("engine."), longest=80), "dim"


def _what(entry: Entry, _view: View) -> Span:
    row = entry.row
    broke = f" [{row.error}]" if row.error else ""
    return clean(f"{row.message}{broke} {_fields(row)}", longest=400), "plain" if row.level != "debug" else "dim"


def _fields(row: LogRow) -> str:
    return " ".join(f"{name}={value}" for name, value in row.fields.items())
