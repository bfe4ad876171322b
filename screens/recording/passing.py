"""What a recording tells of calls and queues over time: rates, errors, latencies, depths, as the engine counts them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.series import Series
from engine.kernel.values import HOUR, MINUTE
from engine.surface.courses import Grid, grid
from engine.surface.histories import monitor_grid
from engine.surface.queries import Monitor, MonitorHistory, Page, QueueHistory
from engine.surface.rates import monitor_course, monitor_row
from engine.surface.rows import MonitorCourseRow, MonitorRow, QueueCourseRow
from engine.surface.snapshot import QueueView
from screens.recording.costs import since_known
from screens.recording.reading import Recording
from screens.recording.refusing import not_recorded
from screens.recording.tally import Counted

_STEPS = {"minute": MINUTE, "hour": HOUR}


class Passing:
    """Answers of a moment: a position, and the recording's time then. Nothing before the recording is known."""

    def __init__(self, recording: Recording, counted: Counted) -> None:
        self._recording, self._counted = recording, counted

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def monitor(self, query: Monitor, position: int, now: int) -> Page[MonitorRow]:
        end = query.to if query.to is not None else now
        start = query.from_ if query.from_ is not None else end - query.last
        if start >= end:
            raise CommandRefused(Refusal.INVALID, "the period ends before it begins", field="from")
        step = _STEPS.get(query.step)
        began = max(start, self._recording.began)
        found = self._series(query.kind, began, end, step or 0, position)
        length = step or min(end, now) - began
        rows = [monitor_row(query.kind, name, at, series, length) for (at, name), series in found.items()]
        rows.sort(key=lambda row: (row.at, row.name) if step else (-row.calls, row.name))
        return Page(tuple(rows), since=began if began > start else 0)

    def history(self, query: MonitorHistory, position: int, now: int) -> Page[MonitorCourseRow]:
        asked = monitor_grid(query, now)
        cut = since_known(asked, self._recording.began)
        end = cut.start + cut.step * cut.count
        slots: dict[str, dict[int, Series]] = {}
        for (at, name), series in self._series(query.kind, cut.start, end, cut.step, position).items():
            if query.name in ("", name):
                slots.setdefault(name, {})[(at - cut.start) // cut.step] = series
        courses = [
            monitor_course(query.kind, name, [parts.get(slot) for slot in range(cut.count)], cut)
            for name, parts in slots.items()
        ]
        courses.sort(key=lambda row: (-sum(row.calls), row.name))
        return Page(tuple(courses), since=0 if cut == asked else cut.start)

    def _series(self, kind: str, start: int, end: int, step: int, position: int) -> dict[tuple[int, str], Series]:
        """Counts by where their step begins, and name; without a step all from the start's minute on."""
        if kind == "endpoint":
            raise not_recorded("requests to the daemon are")
        first = start // MINUTE * MINUTE
        found: dict[tuple[int, str], Series] = {}
        for tally in self._counted.until(position, first):
            for (minute, of, name), series in tally.rates.items():
                if of == kind and first <= minute < end:
                    at = minute // step * step if step else first
                    found.setdefault((at, name), Series()).add(series)
        return found

    # ── queues ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def depths(self, query: QueueHistory, position: int, now: int) -> Page[QueueCourseRow]:
        asked = grid(now, query.span, finest=MINUTE)
        cut = since_known(asked, self._recording.began)
        start = max(cut.start, self._recording.began)
        known = self._recording.snapshot(min(self._recording.position(start), position)).queues
        courses = {name: _Course(cut, view, start) for name, view in known.items()}
        for tally in self._counted.until(position, start):
            for event in tally.depths:
                view = QueueView(**{name: getattr(event, name) for name in QueueView.__dataclass_fields__})
                if event.queue not in courses:
                    courses[event.queue] = _Course(cut, view, event.at)
                elif event.at >= start:
                    courses[event.queue].go_on(event.at, view)
        rows = [courses[name].row(max(now, cut.start)) for name in sorted(courses) if query.queue in ("", name)]
        return Page(tuple(rows), since=0 if cut == asked else cut.start)


@dataclass(slots=True)
class _Highest:
    """The highest figures of one step."""

    ready: int = 0
    delayed: int = 0
    leased: int = 0
    parked: int = 0
    dead: int = 0
    waited: int = 0

    def take(self, view: QueueView, until: int) -> None:
        for name in ("ready", "delayed", "leased", "parked", "dead"):
            setattr(self, name, max(getattr(self, name), getattr(view, name)))
        if view.oldest_at is not None:
            self.waited = max(self.waited, until - view.oldest_at)


class _Course:
    """A queue through the steps: what it held holds until the next look."""

    def __init__(self, cut: Grid, view: QueueView, since: int) -> None:
        self._cut, self._view, self._since = cut, view, since
        self._steps: dict[int, _Highest] = {}

    def go_on(self, at: int, view: QueueView) -> None:
        self._pass(at)
        self._view, self._since = view, max(self._since, at)

    def row(self, now: int) -> QueueCourseRow:
        self._pass(now)
        steps = [self._steps.get(slot) for slot in range(self._cut.count)]
        figures = {
            name: tuple(None if one is None else getattr(one, name) for one in steps)
            for name in _Highest.__dataclass_fields__
        }
        return QueueCourseRow(queue=self._view.queue, at=self._cut.start, step=self._cut.step, **figures)

    def _pass(self, until: int) -> None:
        """What the queue holds now, it held in every step up to an instant."""
        cut = self._cut
        first, last = ((at - cut.start) // cut.step for at in (self._since, max(self._since, until)))
        for slot in range(max(0, first), min(last, cut.count - 1) + 1):
            ended = min(cut.start + (slot + 1) * cut.step, max(self._since, until))
            self._steps.setdefault(slot, _Highest()).take(self._view, ended)
