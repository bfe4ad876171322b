"""Where a replay stands: which moment is shown, whether time runs, and how fast.

The clock that runs is the recording's own: at speed 1 an event is shown as long after the one before as it happened.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

from engine.events import Recorded
from engine.kernel.values import SECOND
from engine.surface.snapshot import Snapshot
from screens.recording.reading import Mark, Recording

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_GRAIN = SECOND // 4  # how finely the bar tells the time while it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the replay bar shows. Instants are the recording's."""

    now: int
    began: int
    ended: int
    position: int  # events before this moment
    events: int
    playing: bool
    speed: float
    marks: tuple[Mark, ...]
    mark: str = ""  # the kind of the mark just jumped to
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is shown: so many events, at an instant of the recording, and what they make."""

    position: int
    now: int
    snapshot: Snapshot

    @property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.snapshot.engine.time_zone)
        except (KeyError, ValueError, OSError):
            return ZoneInfo("UTC")


class Player:
    """Thread-safe: one thread plays on, another's keys move it. `clock` is real time in nanoseconds."""

    def __init__(self, recording: Recording, clock: Callable[[], int]) -> None:
        self.recording, self._clock = recording, clock
        self._lock = threading.Lock()
        self._position, self._now = 0, recording.began
        self._snapshot = recording.first
        self._playing, self._speed, self._ran = False, 1.0, clock()
        self._mark = ""
        self._instants = [mark.at for mark in recording.marks]
        self._marks = tuple(recording.marks)

    # ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    @property
    def now(self) -> int:
        return self._now

    @property
    def position(self) -> int:
        return self._position

    @property
    def playing(self) -> bool:
        return self._playing

    def moment(self) -> Moment:
        """What is shown just now, as a whole."""
        with self._lock:
            return Moment(self._position, self._now, self._snapshot)

    def recent(self, after: int, most: int) -> Sequence[Recorded]:
        """The newest events before this moment, past a sequence number."""
        position = self._position
        found = self.recording.between(max(0, position - most), position)
        backward = [index for index, (one, two) in enumerate(pairwise(found), 1) if two.seq <= one.seq]
        return tuple(one for one in found[backward[-1] if backward else 0 :] if one.seq > after)

    def standing(self) -> Standing:
        recording, now = self.recording, self._now
        return Standing(
            now=now - now % _GRAIN if self._playing else now,
            began=recording.began,
            ended=recording.ended,
            position=self._position,
            events=recording.events,
            playing=self._playing,
            speed=self._speed,
            marks=self._marks,
            mark=self._mark,
            flaw=recording.flaw,
        )

    # ── time runs ───────────────────────────────────────────────────────────────────────────────────────────────────

    def advance(self) -> bool:
        """Show what time has brought; False once it stands."""
        with self._lock:
            if not self._playing:
                return False
            ran = self._clock()
            target = self._now + round((ran - self._ran) * self._speed)
            self._ran = ran
            self._mark = ""
            self._show_at(min(target, self.recording.ended))
            if target >= self.recording.ended:
                self._playing = False
            return self._playing

    def toggle(self) -> None:
        """Play, or pause. At the end it plays from the beginning."""
        with self._lock:
            self._ran, self._playing = self._clock(), not self._playing
            if self._playing and self._now >= self.recording.ended:
                self._show(0, self.recording.began)

    def pause(self) -> None:
        with self._lock:
            self._playing = False

    def faster(self, by: int) -> None:
        """So many gears up, or down."""
        with self._lock:
            gear = SPEEDS.index(self._speed) + by
            self._speed = SPEEDS[min(max(gear, 0), len(SPEEDS) - 1)]

    # ── time is moved ───────────────────────────────────────────────────────────────────────────────────────────────

    def step(self, by: int) -> None:
        """So many events on or back, and stand there."""
        with self._lock:
            self._playing = False
            position = min(max(self._position + by, 0), self.recording.events)
            self._show(position, self.recording.at(position))

    def seek(self, at: int) -> None:
        """To an instant, or the nearest that was recorded."""
        with self._lock:
            self._ran, self._mark = self._clock(), ""
            self._show_at(min(max(at, self.recording.began), self.recording.ended))

    def skip(self, by: int) -> None:
        """So many nanoseconds on or back."""
        self.seek(self._now + by)

    def next_mark(self, forward: bool) -> bool:
        """To the next mark, or the one before, and stand there; False when there is none."""
        with self._lock:
            positions = [mark.position for mark in self._marks]
            index = bisect_right(positions, self._position) if forward else bisect_left(positions, self._position) - 1
            if not 0 <= index < len(self._marks):
                return False
            mark = self._marks[index]
            self._playing = False
            self._show(mark.position, mark.at)
            self._mark = mark.kind
            return True

    def _show_at(self, at: int) -> None:
        self._show(self.recording.position(at), at)

    def _show(self, position: int, now: int) -> None:
        self._snapshot = self.recording.snapshot(position)
        self._position, self._now, self._mark = position, now, ""
