"""The desk's part that tells how things went: courses of spend, queues and latencies, and one task's attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from engine.costs import attempts_of, spend_history
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import HOUR, MINUTE
from engine.queue import JobStore
from engine.runtime.depths import depth_history
from engine.storage import Database
from engine.surface import queries
from engine.surface.courses import Grid, grid
from engine.surface.histories import cost_grid, monitor_grid
from engine.surface.queries import Page, Query
from engine.surface.rates import monitor_course
from engine.surface.rows import AttemptRow, CostCourseRow, MonitorCourseRow, PriorityRow, QueueCourseRow
from engine.telemetry import Figures, Kind, Monitor


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
        cut = cost_grid(query, self._clock.now())
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
        cut = monitor_grid(query, self._clock.now())
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
    rows = [
        monitor_course(kind, name, [parts[slot].series if slot in parts else None for slot in range(cut.count)], cut)
        for name, parts in slots.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-sum(row.calls), row.name)))
