"""How things went: the steps that a span is cut into, rows in them, priorities, and one task's attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, Instant

MOST_POINTS = 240
LONGEST = 92 * DAY  # nanoseconds
_STEPS = (
    *(each * SECOND for each in (1, 5, 15)), *(each * MINUTE for each in (1, 5, 15)),
    *(each * HOUR for each in (1, 3, 6, 12, 24)),
)  # fmt: skip


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCourseRow:
    """Spend of one group in equal steps of time, oldest first; no dimensions: everything together."""

    dimensions: Mapping[str, str]
    at: int  # where the first step begins
    step: int  # nanoseconds
    cost: tuple[int, ...]
    calls: tuple[int, ...]
    failed: tuple[int, ...]
    before: int = 0  # nano-dollars of what was asked for that lie before the first step: a recording begins there


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
