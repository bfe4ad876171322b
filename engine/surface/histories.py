"""Queries about how things went. Spans and steps are nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from engine.kernel.values import HOUR, MINUTE, SECOND
from engine.surface.courses import (
    AttemptRow,
    CostCourseRow,
    Grid,
    MonitorCourseRow,
    PriorityRow,
    QueueCourseRow,
    grid,
)
from engine.surface.query import Paged, Query
from engine.surface.rows import BudgetRow

_BY_SECONDS = 4 * MINUTE  # up to so long a span of spend is cut finer than minutes
_FINE = 6 * HOUR  # up to so long a span of latencies is cut into minutes: each is a histogram to read


@dataclass(frozen=True, slots=True, kw_only=True)
class CostHistory(Query):
    """Spend in at most 240 equal steps: the whole first, then the 50 dearest groups by the dimensions of `by`."""

    row: ClassVar[type] = CostCourseRow
    span: int = 3_600_000_000_000  # nanoseconds up to now, at most 92 days
    by: tuple[str, ...] = ("provider",)
    from_: int | None = None  # instead of a span
    to: int | None = None  # None: now
    where: Mapping[str, str] = field(default_factory=dict)  # dimension to value


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueHistory(Query):
    """Each queue, or one, in at most 240 equal steps: by the minute for two days, by the hour for 90."""

    row: ClassVar[type] = QueueCourseRow
    queue: str = ""
    span: int = 3_600_000_000_000  # nanoseconds up to now


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorHistory(Query):
    """Calls, errors and latencies in at most 240 equal steps, the most called first; all of a kind, or one name."""

    row: ClassVar[type] = MonitorCourseRow
    kind: Literal["endpoint", "tool", "provider", "model"] = "tool"
    name: str = ""
    span: int = 3_600_000_000_000  # nanoseconds up to now


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPriorities(Query):
    """What each priority of each queue, or of one, holds; the first to go first."""

    row: ClassVar[type] = PriorityRow
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTrace(Query):
    """Every attempt of a task, in the order they began: retries, fallbacks, and what is held for one under way."""

    row: ClassVar[type] = AttemptRow
    trace_id: str  # or the id of one of its attempts
    at: int = 0  # around when it ran, where that is known: it is looked for there first


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBudgetsRow:
    """Every budget as it stood right after an event."""

    seq: int
    budgets: tuple[BudgetRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBudgets(Paged, Query):
    """How the budgets stood with each snapshot that was kept; as `KeptSnapshots`."""

    row: ClassVar[type] = KeptBudgetsRow
    after: int
    to: int
    limit: int = 20


def cost_grid(query: CostHistory, now: int) -> Grid:
    """The steps of an answer. Raises CommandRefused for a span that nobody kept."""
    end = query.to if query.to is not None else now
    span = query.span if query.from_ is None else end - query.from_
    return grid(end, query.span, finest=SECOND if span <= _BY_SECONDS else MINUTE, start=query.from_)


def monitor_grid(query: MonitorHistory, now: int) -> Grid:
    """As `cost_grid`."""
    return grid(now, query.span, finest=MINUTE if query.span <= _FINE else HOUR)
