"""Queries about how things went. Spans and steps are nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from engine.surface.courses import AttemptRow, CostCourseRow, MonitorCourseRow, PriorityRow, QueueCourseRow
from engine.surface.query import Query


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
