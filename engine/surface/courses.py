"""Rows that tell how things went: courses in equal steps of time, priorities, and one task's attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCourseRow:
    """Spend of one group in equal steps of time, oldest first; no dimensions: everything together."""

    dimensions: Mapping[str, str]
    at: int  # where the first step begins
    step: int  # nanoseconds
    cost: tuple[int, ...]
    calls: tuple[int, ...]
    failed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCourseRow:
    """A queue in equal steps of time, oldest first: the highest of each step, None for one in which nobody looked."""

    queue: str
    at: int
    step: int  # nanoseconds
    ready: tuple[int | None, ...]
    delayed: tuple[int | None, ...]
    leased: tuple[int | None, ...]
    parked: tuple[int | None, ...]
    dead: tuple[int | None, ...]
    waited: tuple[int | None, ...]  # nanoseconds that the longest waiting ready job had waited


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorCourseRow:
    """An endpoint, tool, provider or model in equal steps of time, oldest first. Quantiles are nanoseconds."""

    kind: str
    name: str
    at: int
    step: int  # nanoseconds
    calls: tuple[int, ...]
    errors: tuple[int, ...]
    p50: tuple[int | None, ...]  # None for a step without a measured call; so too the next two
    p95: tuple[int | None, ...]
    p99: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityRow:
    """What one priority of a queue holds."""

    queue: str
    priority: str  # urgent, high, normal, low, bulk
    ready: int
    delayed: int
    leased: int
    oldest_at: int | None  # when the longest waiting ready job became ready


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One attempt of a task, ended or under way."""

    attempt_id: str
    began_at: int
    ended_at: int | None  # None: under way
    provider: str
    model: str
    tool: str
    outcome: str  # ok, an error class, or interrupted; empty while under way
    basis: str
    cost: int | None  # None: unpriced, or under way
    held: int | None  # what it may yet cost; None when it ended, or where no price is known
    held_by: tuple[str, ...]  # the budgets that hold it, such as campaign:cmp_1 total
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    rating: float | None  # the mean of operators' ratings, 1 to 5
    shared_by: int  # how many its bill was split among; 0: one paid it alone
