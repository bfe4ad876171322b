"""What happens, as it happens: one line an event, the newest at the bottom, held still when told; one event in full."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson
from textual.binding import Binding, BindingType

from engine.events import Recorded, from_fields, to_fields
from engine.kernel.errors import HuntazeError
from engine.surface.queries import ListEvents
from engine.surface.rows import EventRow
from screens.drawing import BLANK, Line, Span, cut
from screens.events import TOPICS, is_quiet, topic_of
from screens.formatting import age, clean, clean_lines, clock_exact, count, plural, stamp
from screens.listing import Listing
from screens.place import as_of
from screens.record import Record, field_lines
from screens.telling import split, told
from screens.view import View
from screens.widgets.table import Column

KEPT = 2_000  # events; the log and `huntaze record` keep the rest
_BEFORE = 500  # events read from the log when the place is opened
_LEVELS = ("all", "worth a look", "warnings", "bad")
_TONES = {"warnings": ("warn", "bad", "badly"), "bad": ("bad", "badly")}


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and what it says."""

    recorded: Recorded
    topic: str
    text: str
    tone: str

    @property
    def quiet(self) -> bool:
        return is_quiet(self.recorded.event)


class StreamScreen(Listing[Entry]):
    """A bounded buffer of events. It follows while the cursor stands on the newest; `p` holds everything back."""

    title_text = place = "events"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "pause"),
        Binding("p", "go_on", "go on"),
        Binding("v", "level", "which matter"),
        Binding("b", "topic", "about what"),
    ]
    first_keys = ("pause", "go on")

    def __init__(self, about: str = "") -> None:
        super().__init__()
        self._about = about  # what it is filtered by at first
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._shown: deque[Entry] = deque(maxlen=KEPT)
        self._epoch = ""
        self._seq = 0  # of the newest event taken in
        self._paused_at: int | None = None  # the engine's newest event when it was paused
        self._missed = 0  # events that came faster than the console looks
        self._level = _LEVELS[0] if about else _LEVELS[1]
        self._topic = ""

    @property
    def heading(self) -> str:
        return f"events › {self._topic}" if self._topic else "events"

    @property
    def empty(self) -> str:  # type: ignore[override]
        if self._topic or self._level != "all":
            return "nothing of this kind happened lately; v and b show more"
        return "nothing happened yet"

    # ── taking in ───────────────────────────────────────────────────────────────────────────────────────────────────

    def on_mount(self) -> None:
        super().on_mount()
        self.look_for(self._about)
        self.run_worker(self._read_before(), group="before", exclusive=True, exit_on_error=False)

    async def _read_before(self) -> None:
        """What the log holds of the time before: the live buffer only knows what came since the console attached."""
        try:
            page = await self.console.source.query(ListEvents(limit=_BEFORE, about=self._about))
        except HuntazeError:
            return  # the live ones come all the same
        oldest = self._entries[0].recorded.seq if self._entries else self._seq + 1
        before = [found for row in page.rows if (found := _recorded(row)) is not None and found.seq < oldest]
        entries = [self._entry(one, self.view) for one in before]
        self._entries = deque([*entries, *self._entries], maxlen=KEPT)
        if entries:
            self._seq = max(self._seq, entries[-1].recorded.seq)
        self._choose()
        if self.is_current:
            self.show(self.view)

    def paint(self, view: View) -> None:
        self._take_in(view)
        table = self.table
        follows = table.cursor >= len(table.rows) - 1
        super().paint(view)
        if follows and table.rows:
            self._to_the_end()

    def _take_in(self, view: View) -> None:
        """The events since the last look, unless something holds them back."""
        if view.snapshot.epoch != self._epoch:  # another engine, or another history of this one
            self._epoch, self._seq, self._missed = view.snapshot.epoch, 0, 0
            self._entries.clear()
            self._shown.clear()
        if self._paused_at is not None or view.frozen_for is not None or view.snapshot.seq == self._seq:
            return
        fresh = self.console.source.recent(self._seq)
        if not fresh:
            return
        if self._seq:
            self._missed += max(0, fresh[0].seq - self._seq - 1)
        self._seq = fresh[-1].seq
        entries = [self._entry(one, view) for one in fresh]
        self._entries.extend(entries)
        self._shown.extend(entry for entry in entries if self._wanted(entry))

    def _entry(self, recorded: Recorded, view: View) -> Entry:
        text, tone = told(recorded.event, view)
        return Entry(recorded, topic_of(recorded.kind), text, tone)

    def _wanted(self, entry: Entry) -> bool:
        if self._topic and entry.topic != self._topic:
            return False
        if self._level == "all":
            return True
        tones = _TONES.get(self._level)
        return entry.tone in tones if tones is not None else not entry.quiet

    def _choose(self) -> None:
        self._shown = deque((entry for entry in self._entries if self._wanted(entry)), maxlen=KEPT)

    # ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────

    def rows_of(self, view: View) -> Sequence[Entry]:
        return tuple(self._shown)

    def head(self, view: View, width: int) -> Sequence[Line]:
        first: list[Span] = [(*self._state(view),), ("  ", "plain"), *as_of(view)]
        if self._missed:
            first.append((f"  {plural(self._missed, 'event')} came too fast to be shown", "warn"))
        second: list[Span] = [("  show ", "dim")]
        for level in _LEVELS:
            second += [(level, "chosen" if level == self._level else "dim"), ("  ", "plain")]
        second.append((" about ", "dim"))
        for topic in ("", *TOPICS):
            second += [(topic or "everything", "chosen" if topic == self._topic else "dim"), ("  ", "plain")]
        return (cut(tuple(first), width), cut(tuple(second), width))

    def _state(self, view: View) -> Span:
        if self._paused_at is not None:
            held = max(0, view.snapshot.seq - self._paused_at)
            return f"  ‖ paused, {plural(held, 'event')} held back", "warn"
        if view.frozen_for is not None:
            return f"  ‖ frozen with the whole console, {plural(view.frozen_events, 'event')} held back", "warn"
        table = self.table
        if table.rows and table.cursor < len(table.rows) - 1:
            behind = len(table.rows) - 1 - table.cursor
            return f"  ● live, {plural(behind, 'event')} below the cursor; end follows again", "accent"
        return f"  ● live, newest at the bottom · {count(len(self._entries))} kept", "ok"

    def columns(self) -> Sequence[Column[Entry]]:
        return (
            Column(title="at", width=8, paint=lambda row, view: (clock_exact(row.recorded.event.at, view.zone), "dim")),
            Column(title="about", width=9, need=70, paint=lambda row, _: (row.topic, "dim")),
            Column(title="what happened", width=30, weight=1, paint=_words),
        )

    def key_of(self, row: Entry) -> str:
        return str(row.recorded.seq)

    def words_of(self, row: Entry) -> str:
        campaign = getattr(row.recorded.event, "campaign_id", "")
        return f"{row.recorded.kind} {row.topic} {row.text} {campaign}"

    # ── acting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, row: Entry) -> None:
        self.app.push_screen(EventScreen(row, self._epoch))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("pause", "go_on"):
            return (action == "go_on") is (self._paused_at is not None)
        return super().check_action(action, parameters)

    def action_pause(self) -> None:
        self._paused_at = self._seq
        self.show(self.view)

    def action_go_on(self) -> None:
        self._paused_at = None
        self.show(self.view)
        self._to_the_end()

    def _to_the_end(self) -> None:
        self.table.action_edge(1)
        self.table.scroll_end(animate=False)  # once the table knows how long it has become

    def action_level(self) -> None:
        self._level = _LEVELS[(_LEVELS.index(self._level) + 1) % len(_LEVELS)]
        self._choose()
        self.show(self.view)

    def action_topic(self) -> None:
        every = ("", *TOPICS)
        self._topic = every[(every.index(self._topic) + 1) % len(every)]
        self._choose()
        self.show(self.view)


def _words(row: Entry, _view: View) -> Span:
    return clean(row.text, longest=300), row.tone


def _recorded(row: EventRow) -> Recorded | None:
    """An event of the log as the live ones are; None of a kind that is not known here."""
    found = from_fields(row.kind, row.fields)
    _, _, seq = row.event_id.rpartition(":")
    return Recorded(int(seq), found) if found is not None and seq.isdigit() else None


class EventScreen(Record):
    """One event in full: its sentence, when, and every field as JSON."""

    place = "events"

    def __init__(self, entry: Entry, epoch: str) -> None:
        super().__init__()
        self._entry, self._epoch = entry, epoch

    @property
    def heading(self) -> str:
        return f"events › {split(self._entry.recorded.kind)}"

    def lines(self, view: View, width: int) -> Sequence[Line]:
        entry, event = self._entry, self._entry.recorded.event
        ago = age(max(0, view.now - event.at))
        facts = field_lines(
            [
                ("said", clean(entry.text, longest=300), entry.tone),
                ("at", f"{stamp(event.at, view.zone)} {view.snapshot.engine.time_zone}, {ago} ago"),
                ("about", entry.topic),
                ("id", f"{self._epoch}:{entry.recorded.seq}"),
            ],
            width,
        )
        return [BLANK, *facts, BLANK, *json_lines(entry.recorded, width)]


def json_lines(recorded: Recorded, width: int) -> list[Line]:
    """The fields as JSON, a field a line, nothing of it able to reach the terminal."""
    body = {"kind": recorded.kind, **to_fields(recorded.event)}
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2, default=str).decode(errors="replace")
    lines: list[Line] = []
    for raw in text.split("\n"):
        bare = raw.lstrip(" ")
        indent = " " * (2 + len(raw) - len(bare))
        lines += [((indent + part, "plain"),) for part in clean_lines(bare, max(10, width - 2 - len(indent)))]
    return lines
