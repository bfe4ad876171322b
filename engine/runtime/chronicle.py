"""The desk's part that tells how things went: courses of spend, queues and latencies, and one task's attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.costs import attempts_of, spend_history
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, Instant
from engine.queue import JobStore
from engine.runtime.depths import depth_history
from engine.storage import Database
from engine.surface import queries
from engine.surface.queries import Page, Query
from engine.surface.rows import AttemptRow, CostCourseRow, MonitorCourseRow, PriorityRow, QueueCourseRow
from engine.telemetry import Figures, Kind, Monitor

MOST_POINTS = 240
LONGEST = 92 * DAY  # nanoseconds
_STEPS = (
    *(each * SECOND for each in (1, 5, 15)), *(each * MINUTE for each in (1, 5, 15)),
    *(each * HOUR for each in (1, 3, 6, 12, 24)),
)  # fmt: skip
_BY_SECONDS = 4 * MINUTE  # up to so long a span is cut finer than minutes
_FINE = 6 * HOUR  # up to so long a span of latencies is cut into minutes: each is a histogram to read


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal steps that a span is cut into, the last one under way."""

    start: Instant
    step: int
    count: int


def grid(end: int, span: int, *, finest: int, start: int | None = None) -> Grid:
    """At most `MOST_POINTS` steps, the shortest allowed: over the last `span`, or from `start` on.

    Without a start the steps lie on round times, so that a figure stays in its step as time goes on.
    Raises CommandRefused for a span of nothing, or one longer than is kept.
    """
    span = end - start if start is not None else span
    if not 0 < span <= LONGEST:
        raise CommandRefused(Refusal.INVALID, f"a span is at most {LONGEST // DAY} days, and not empty", field="span")
    most = MOST_POINTS if start is None else MOST_POINTS - 1  # the first step may begin a little before the start
    step = next(each for each in _STEPS if each >= finest and -(-span // each) <= most)
    if start is None:
        count = max(1, span // step)
        return Grid(Instant((end // step + 1 - count) * step), step, count)
    first = start - start % min(step, MINUTE)
    return Grid(Instant(first), step, max(1, -(-(end - first) // step)))


class Chronicle:
    """Queries for `EngineDesk.extend`."""

    def __init__(self, database: Database, monitor: Monitor, jobs: JobStore, clock: Clock) -> None:
        self._database = database
        self._monitor = monitor
        self._jobs = jobs
        self._clock = clock
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.CostHistory: self._costs,
            queries.QueueHistory: self._queues,
            queries.MonitorHistory: self._figures,
            queries.ListPriorities: self._priorities,
            queries.GetTrace: self._trace,
        }

    async def _costs(self, query: queries.CostHistory) -> Page[CostCourseRow]:
        end = query.to if query.to is not None else self._clock.now()
        span = query.span if query.from_ is None else end - query.from_
        cut = grid(end, query.span, finest=SECOND if span <= _BY_SECONDS else MINUTE, start=query.from_)
        async with self._database.view() as reader:
            found = await spend_history(reader, query.by, cut.start, cut.step, cut.count, query.where)
        return Page(
            tuple(
                CostCourseRow(
                    dimensions=one.dimensions,
                    at=cut.start,
                    step=cut.step,
                    cost=one.cost,
                    calls=one.calls,
                    failed=one.failed,
                )
                for one in found
            )
        )

    async def _queues(self, query: queries.QueueHistory) -> Page[QueueCourseRow]:
        cut = grid(self._clock.now(), query.span, finest=MINUTE)
        async with self._database.reader() as reader:
            found = await depth_history(reader, query.queue, cut.start, cut.step, cut.count)
        return Page(tuple(QueueCourseRow(queue=one.queue, at=cut.start, step=cut.step, **one.figures) for one in found))

    async def _figures(self, query: queries.MonitorHistory) -> Page[MonitorCourseRow]:
        cut = grid(self._clock.now(), query.span, finest=MINUTE if query.span <= _FINE else HOUR)
        end = cut.start + cut.step * cut.count
        found = await self._monitor.figures(Kind(query.kind), cut.start, end, step=cut.step, coarse=cut.step >= HOUR)
        wanted = [one for one in found if not query.name or one.name == query.name]
        return Page(await asyncio.to_thread(_courses, wanted, query.kind, cut))

    async def _priorities(self, query: queries.ListPriorities) -> Page[PriorityRow]:
        names = [query.queue] if query.queue else await self._jobs.queues()
        found = [(name, one) for name in names for one in await self._jobs.priorities(name)]
        return Page(
            tuple(
                PriorityRow(
                    queue=name,
                    priority=one.priority.name.lower(),
                    ready=one.ready,
                    delayed=one.delayed,
                    leased=one.leased,
                    oldest_at=one.oldest_at,
                )
                for name, one in found
            )
        )

    async def _trace(self, query: queries.GetTrace) -> Page[AttemptRow]:
        if not query.trace_id:
            raise CommandRefused(Refusal.INVALID, "a trace is found by its id", field="trace_id")
        async with self._database.reader() as reader:
            return Page(await attempts_of(reader, query.trace_id, query.at))


def _courses(found: Sequence[Figures], kind: str, cut: Grid) -> tuple[MonitorCourseRow, ...]:
    """One row a name, the most called first. Reading quantiles out of histograms takes a while: not on the loop."""
    slots: dict[str, dict[int, Figures]] = {}
    for one in found:
        slot = (one.at - cut.start) // cut.step
        if 0 <= slot < cut.count:
            slots.setdefault(one.name, {})[slot] = one
    rows = [_course(kind, name, parts, cut) for name, parts in slots.items()]
    return tuple(sorted(rows, key=lambda row: (-sum(row.calls), row.name)))


def _course(kind: str, name: str, parts: Mapping[int, Figures], cut: Grid) -> MonitorCourseRow:
    series = [parts[slot].series if slot in parts else None for slot in range(cut.count)]
    nothing: tuple[int | None, ...] = (None, None, None)
    quantiles = [each.whole.quantiles(0.5, 0.95, 0.99) if each is not None else nothing for each in series]
    return MonitorCourseRow(
        kind=kind,
        name=name,
        at=cut.start,
        step=cut.step,
        calls=tuple(each.calls if each is not None else 0 for each in series),
        errors=tuple(each.errors if each is not None else 0 for each in series),
        p50=tuple(each[0] for each in quantiles),
        p95=tuple(each[1] for each in quantiles),
        p99=tuple(each[2] for each in quantiles),
    )
