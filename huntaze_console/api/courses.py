"""How things went, over HTTP: spend and queues in equal steps of time, and the attempts of one task."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field

from engine.kernel.values import DAY, SECOND
from engine.surface.queries import CostHistory, GetTrace, Page, QueueHistory
from engine.surface.rows import AttemptRow, CostCourseRow, QueueCourseRow
from huntaze_console.api.call import Call, answer
from huntaze_console.api.fields import Seconds, SecondsOrNull, Time, TimeOrNull, Usd, UsdOrNull, moment_or_day
from huntaze_console.api.problems import invalid
from huntaze_console.api.shapes import AnswerShape, RequestShape

_LONGEST = 92 * DAY // SECOND
Span = Annotated[int, Field(ge=60, le=_LONGEST)]


class CostCourseRequest(RequestShape):
    by: str = Field(default="", max_length=200)
    """Any of provider, model, tool, campaign, account, tenant, user, comma-separated; empty: everything together."""
    seconds: Span = 3_600
    """So far back from now; cut into at most 240 equal steps."""


class QueueCourseRequest(RequestShape):
    queue: str = Field(default="", max_length=200)
    """One queue; empty: every one."""
    seconds: Span = 3_600


class TraceRequest(RequestShape):
    at: str | None = Field(default=None, max_length=64)
    """Around when the task ran, ISO 8601: it is looked for there first. Needed by none but ids that tell no time."""


class CostCourse(AnswerShape):
    """One group's spend, a value a step, oldest first; no dimensions: everything together."""

    dimensions: dict[str, str]
    at: Time
    """Where the first step begins."""
    step_seconds: Seconds
    cost_usd: list[Usd]
    calls: list[int]
    failed: list[int]


class CostCourses(AnswerShape):
    rows: list[CostCourse]
    as_of: str


class QueueCourse(AnswerShape):
    """A queue's highest figures, a value a step, oldest first; null where nobody looked."""

    queue: str
    at: Time
    step_seconds: Seconds
    ready: list[int | None]
    delayed: list[int | None]
    leased: list[int | None]
    parked: list[int | None]
    dead: list[int | None]
    waited_seconds: list[SecondsOrNull]


class QueueCourses(AnswerShape):
    rows: list[QueueCourse]
    as_of: str


class Attempt(AnswerShape):
    """One call of the task; under way while `ended_at` is null."""

    attempt_id: str
    began_at: Time
    ended_at: TimeOrNull
    provider: str
    model: str
    tool: str
    outcome: str
    basis: str
    cost_usd: UsdOrNull
    held_usd: UsdOrNull
    """What it may yet cost, held in the budgets of `held_by`."""
    held_by: list[str]
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    rating: float | None
    shared_by: int
    """How many its bill was split among; 0: one paid it alone."""


class Trace(AnswerShape):
    attempts: list[Attempt]
    as_of: str


async def costs(call: Call) -> web.Response:
    wanted = call.query(CostCourseRequest)
    by = tuple(name.strip() for name in wanted.by.split(",") if name.strip())
    page: Page[CostCourseRow] = await call.desk.query(CostHistory(by=by, span=wanted.seconds * SECOND))
    rows = [
        CostCourse.model_validate(
            {
                "dimensions": dict(row.dimensions),
                "at": row.at,
                "step_seconds": row.step,
                "cost_usd": list(row.cost),
                "calls": list(row.calls),
                "failed": list(row.failed),
            }
        )
        for row in page.rows
    ]
    return answer(CostCourses(rows=rows, as_of=page.as_of))


async def queues(call: Call) -> web.Response:
    wanted = call.query(QueueCourseRequest)
    question = QueueHistory(queue=wanted.queue, span=wanted.seconds * SECOND)
    page: Page[QueueCourseRow] = await call.desk.query(question)
    figures = ("ready", "delayed", "leased", "parked", "dead")
    rows = [
        QueueCourse.model_validate(
            {
                "queue": row.queue,
                "at": row.at,
                "step_seconds": row.step,
                **{name: list(getattr(row, name)) for name in figures},
                "waited_seconds": list(row.waited),
            }
        )
        for row in page.rows
    ]
    return answer(QueueCourses(rows=rows, as_of=page.as_of))


async def trace(call: Call) -> web.Response:
    wanted = call.query(TraceRequest)
    question = GetTrace(trace_id=call.part("trace_id"), at=_instant(call, wanted.at))
    page: Page[AttemptRow] = await call.desk.query(question)
    return answer(Trace(attempts=[_attempt(row) for row in page.rows], as_of=page.as_of))


def _instant(call: Call, text: str | None) -> int:
    if text is None:
        return 0
    try:
        return moment_or_day(text, ZoneInfo(call.desk.snapshot().engine.time_zone))
    except ValueError as error:
        raise invalid(f"at {error}", field="at") from error


def _attempt(row: AttemptRow) -> Attempt:
    same = {name: getattr(row, name) for name in Attempt.model_fields if hasattr(row, name)}
    return Attempt.model_validate({**same, "held_by": list(row.held_by), "cost_usd": row.cost, "held_usd": row.held})
