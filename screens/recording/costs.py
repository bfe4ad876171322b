"""What a recording tells of costs: its own calls, and of the month before them the sums that were recorded with it.

A period is known whole where it begins within the recording, or with a day of the recorded month. Of any other that
began before, the part since the recording's start is told, and said to be that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from engine.events import CallSettled
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.periods import day_bounds, day_of, month_bounds
from engine.kernel.values import MINUTE, Instant, to_datetime
from engine.surface.courses import Grid
from engine.surface.decoding import decode
from engine.surface.histories import cost_grid
from engine.surface.queries import CostBreakdown, CostHistory, Page
from engine.surface.rows import BreakdownRow, CostCourseRow
from screens.recording.beside import SUMMED_BY
from screens.recording.reading import Answered, Recording
from screens.recording.refusing import not_recorded
from screens.recording.tally import FIGURES, WHO, Counted, Who, add, figures, who

_COST, _CALLS, _FAILED = (FIGURES.index(name) for name in ("cost", "calls", "failed_calls"))
_TIMES = ("day", "hour")
_MOST_GROUPS = 50  # courses beside the whole, the dearest


@dataclass(frozen=True, slots=True)
class Before:
    """What was spent before the recording began: sums by day and who up to a minute, and the calls since then."""

    position: int
    since: int  # where the first of its days begins
    until: int
    days: tuple[tuple[str, Who, list[int]], ...]
    calls: tuple[CallSettled, ...]


class Costs:
    """Answers about costs. Every one is of a moment: a position, and the recording's time then."""

    def __init__(self, recording: Recording, counted: Counted) -> None:
        self._recording, self._counted = recording, counted

    @cached_property
    def _befores(self) -> tuple[Before, ...]:
        read = [_before(self._recording, one) for one in self._recording.answered["sums"]]
        return tuple(one for one in read if one is not None)

    @property
    def known_from(self) -> int:
        """From when on every call is known."""
        first = self._befores[0] if self._befores else None
        return first.until if first is not None and first.position == 0 else self._recording.began

    # ── sums ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def breakdown(self, query: CostBreakdown, position: int, now: int, zone: ZoneInfo) -> Page[BreakdownRow]:
        by = _dimensions(query.by)
        from_ = query.from_ if query.from_ is not None else month_bounds(now, zone)[0]
        to = query.to if query.to is not None else now
        if from_ >= to:
            raise CommandRefused(Refusal.INVALID, "the period ends before it begins", field="from")
        groups, since = self._sums(by, from_, to, position, zone)
        times = [name for name in by if name in _TIMES]
        rows = [_row(by, key, sums) for key, sums in groups.items()]
        rows.sort(key=lambda row: ([row.dimensions[name] for name in times], -row.cost, list(row.dimensions.values())))
        return Page(tuple(rows), since=since)

    def _sums(
        self, by: Sequence[str], from_: int, to: int, position: int, zone: ZoneInfo
    ) -> tuple[dict[tuple[str, ...], list[int]], int]:
        """Figures by group of every minute that a period touches; and since when they are known, if that is later."""
        first, last = from_ // MINUTE * MINUTE, -(-to // MINUTE) * MINUTE
        groups: dict[tuple[str, ...], list[int]] = {}
        before = None if from_ >= self.known_from else self._before_days(by, first, last, position, zone)
        since = self.known_from if from_ < self.known_from and before is None else 0
        if since and last <= since:
            raise not_recorded()
        for minute, one, sums in self._parts(before, first, position):
            if first <= minute < last:
                key = tuple(_value(name, minute, one, zone) for name in by)
                add(groups.setdefault(key, [0] * len(FIGURES)), sums)
        if before is not None:
            begun, ended = day_of(Instant(first), zone), day_of(Instant(last - 1), zone)
            for day, one, sums in before.days:
                if begun <= day <= ended:
                    key = tuple(day if name == "day" else one[WHO.index(name)] for name in by)
                    add(groups.setdefault(key, [0] * len(FIGURES)), sums)
        return groups, since

    def _before_days(self, by: Sequence[str], first: int, last: int, position: int, zone: ZoneInfo) -> Before | None:
        """The newest sums before a moment, if the period is made of whole days of theirs and what came after them."""
        before = next((one for one in reversed(self._befores) if one.position <= position), None)
        if before is None or not set(by) <= set(SUMMED_BY) or first < before.since:
            return None
        whole = first == day_bounds(Instant(first), zone)[0]
        ends = last >= before.until or last == day_bounds(Instant(last), zone)[0]
        return before if whole and ends else None

    def _parts(self, before: Before | None, first: int, position: int) -> Iterator[tuple[int, Who, list[int]]]:
        """Each minute's figures: all that the recording holds, or what followed the sums of before."""
        base = before or (self._befores[0] if self._befores and self._befores[0].position == 0 else None)
        for call in base.calls if base is not None else ():
            yield call.at - call.at % MINUTE, who(call), figures(call)
        begun, until = (before.position, before.until) if before is not None else (0, first)
        for tally in self._counted.until(position, until, after=begun):
            for (minute, one), sums in tally.sums.items():
                if minute >= until or before is None:
                    yield minute, one, sums

    # ── courses ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def history(self, query: CostHistory, position: int, now: int, zone: ZoneInfo) -> Page[CostCourseRow]:
        by, where = _dimensions(query.by), dict(query.where)
        if any(name in _TIMES for name in (*by, *_dimensions(tuple(where)))):
            raise CommandRefused(Refusal.INVALID, "a history is cut into steps of time already", field="by")
        asked = cost_grid(query, now)
        cut = since_known(asked, self.known_from)
        end = cut.start + cut.step * cut.count
        members, wanted = [WHO.index(name) for name in by], [(WHO.index(name), value) for name, value in where.items()]
        groups: dict[tuple[str, ...], list[list[int]]] = {}
        fine = cut.step % MINUTE or cut.start % MINUTE
        for at, one, sums in self._calls(cut, position) if fine else self._parts(None, cut.start, position):
            if cut.start <= at < end and all(one[index] == value for index, value in wanted):
                key = tuple(one[index] for index in members)
                _put(groups.setdefault(key, _empty(cut)), (at - cut.start) // cut.step, sums)
        earlier: dict[tuple[str, ...], int] = {}
        if query.from_ is not None and cut != asked and not where:
            earlier = self._earlier(by, asked.start, end, groups, position, zone)
        whole = _empty(cut)
        for course in groups.values():
            for values, more in zip(whole, course, strict=True):
                add(values, more)
        rows = [_course({}, whole, cut, sum(earlier.values()))]
        courses = [(key, groups.get(key, _empty(cut)), earlier.get(key, 0)) for key in (groups | earlier if by else ())]
        courses.sort(key=lambda each: (-sum(each[1][0]) - each[2], -sum(each[1][1]), each[0]))
        rows += [_course(_named(by, key), course, cut, before) for key, course, before in courses[:_MOST_GROUPS]]
        return Page(tuple(rows), since=0 if cut == asked else cut.start)

    def _calls(self, cut: Grid, position: int) -> Iterator[tuple[int, Who, list[int]]]:
        """Call by call, for steps finer than a minute."""
        start = self._recording.position(cut.start - MINUTE)  # instants are not quite in the order of the log
        calls: list[CallSettled] = list(self._befores[0].calls) if self._befores and start == 0 else []
        found = (one.event for _, one in self._recording.found(start, position, b"CallSettled"))
        calls += [event for event in found if isinstance(event, CallSettled)]
        return ((call.at, who(call), figures(call)) for call in calls)

    def _earlier(
        self,
        by: Sequence[str],
        first: int,
        last: int,
        told: Mapping[tuple[str, ...], list[list[int]]],
        position: int,
        zone: ZoneInfo,
    ) -> dict[tuple[str, ...], int]:
        """What each group had cost in a period before the steps that are told, where that is known."""
        groups, since = self._sums(by, first, last, position, zone)
        return {} if since else {key: sums[_COST] - sum(told.get(key, ((),))[0]) for key, sums in groups.items()}


def since_known(asked: Grid, known_from: int) -> Grid:
    """The steps of which something is known. Raises CommandRefused where there are none."""
    passed = max(0, (known_from - asked.start) // asked.step)
    if passed >= asked.count:
        raise not_recorded()
    return Grid(Instant(asked.start + passed * asked.step), asked.step, asked.count - passed)


def _before(recording: Recording, answered: Answered) -> Before | None:
    """Sums of before as they were recorded; None for what makes no sense."""
    rows, head = list(recording.rows_of(answered)), answered.head
    if not {"since", "until", "calls"} <= head.keys() or head["calls"] > len(rows):
        return None
    sums, calls = rows[: len(rows) - head["calls"]], rows[len(rows) - head["calls"] :]
    try:
        days = tuple(_day(decode(BreakdownRow, row)) for row in sums)
        settled = tuple(decode(CallSettled, call) for call in calls)
    except (ValueError, KeyError):
        return None
    return Before(answered.position, head["since"], head["until"], days, settled)


def _day(row: BreakdownRow) -> tuple[str, Who, list[int]]:
    named = row.dimensions
    return named["day"], tuple(named.get(name, "") for name in WHO), [getattr(row, name) for name in FIGURES]


def _dimensions(names: Sequence[str]) -> tuple[str, ...]:
    unknown = next((name for name in names if name not in (*WHO, *_TIMES)), None)
    if unknown is not None:
        raise CommandRefused(Refusal.INVALID, f"costs cannot be grouped by {unknown!r}", field="by")
    return tuple(dict.fromkeys(names))


def _value(name: str, minute: int, one: Who, zone: ZoneInfo) -> str:
    if name == "day":
        return day_of(Instant(minute), zone)
    if name == "hour":
        return to_datetime(minute).astimezone(zone).replace(minute=0).isoformat(timespec="minutes")
    return one[WHO.index(name)]


def _row(by: Sequence[str], key: tuple[str, ...], sums: Sequence[int]) -> BreakdownRow:
    return BreakdownRow(dimensions=_named(by, key), **dict(zip(FIGURES, sums, strict=True)))


def _named(by: Sequence[str], key: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(by, key, strict=True))


def _empty(cut: Grid) -> list[list[int]]:
    return [[0] * cut.count for _ in range(3)]


def _put(course: list[list[int]], slot: int, sums: Sequence[int]) -> None:
    for values, figure in zip(course, (_COST, _CALLS, _FAILED), strict=True):
        values[slot] += sums[figure]


def _course(dimensions: Mapping[str, str], course: list[list[int]], cut: Grid, before: int) -> CostCourseRow:
    cost, calls, failed = map(tuple, course)
    return CostCourseRow(
        dimensions=dimensions, at=cut.start, step=cut.step, cost=cost, calls=calls, failed=failed, before=before
    )
