"""Monitoring over HTTP: rates, errors and latencies, operators' ratings, and load tests of tools."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field

from engine.surface.commands import CancelLoadTest, RateCall, StartLoadTest
from engine.surface.queries import GetLoadTest, Monitor, Page
from engine.surface.rows import LoadTestRow, MonitorRow
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import Id, SecondsOrNull, Time, TimeOrNull, Usd, moment_or_day
from huntaze_console.api.problems import invalid
from huntaze_console.api.shapes import AnswerShape, RequestShape

_LOOK = 0.05  # real seconds between looks at a load test
_RUNNING = "running"


class MonitoringRequest(RequestShape):
    kind: Literal["endpoint", "tool", "provider", "model"] = "tool"
    from_: str | None = Field(default=None, alias="from", max_length=64)
    """Inclusive: ISO 8601 with an offset, or a day in the costs' time zone. Default: an hour before `to`."""
    to: str | None = Field(default=None, max_length=64)
    """Exclusive. Default: now."""
    step: Literal["", "minute", "hour"] = ""
    """A row for each bucket instead of one a name."""


class MonitoringLine(AnswerShape):
    """One endpoint, tool, provider or model. Quantiles are at most 1 % off."""

    kind: str
    name: str
    at: Time
    calls: int
    errors: int
    refused: int
    """The asker's own doing (4xx; a call its caller left): no error."""
    fallbacks: int
    error_rate: float
    fallback_rate: float | None
    per_minute: float
    p50_seconds: SecondsOrNull
    p95_seconds: SecondsOrNull
    p99_seconds: SecondsOrNull
    first_p50_seconds: SecondsOrNull
    """To the first byte, of what was streamed."""
    first_p95_seconds: SecondsOrNull
    rating: float | None
    """The mean of the operators' ratings, 1 to 5."""
    ratings: int


class Monitoring(AnswerShape):
    as_of: str
    rows: list[MonitoringLine]


class RatingRequest(RequestShape):
    score: Annotated[int, Field(ge=1, le=5, strict=True)]


class Rating(AnswerShape):
    summary: str
    attempt_id: str
    score: int


class TestToolsRequest(RequestShape):
    """Real calls through the whole engine, booked like any other."""

    tool: Id
    count: Annotated[int, Field(ge=1, le=200, strict=True)] = 20
    concurrency: Annotated[int, Field(ge=1, le=32, strict=True)] = 5


class ToolCall(AnswerShape):
    number: int
    outcome: str
    target: str
    duration_seconds: SecondsOrNull
    failed: list[str]
    attempts: int
    cost_usd: Usd
    unpriced: int
    input_tokens: int
    output_tokens: int
    trace_id: str


class ToolTest(AnswerShape):
    """What came of a load test. The quantiles are exact, of the answered calls."""

    test_id: str
    tool: str
    state: str
    count: int
    concurrency: int
    started_at: Time
    ended_at: TimeOrNull
    answered: int
    fallbacks: int
    answered_by: dict[str, int]
    errors: dict[str, int]
    p50_seconds: SecondsOrNull
    p95_seconds: SecondsOrNull
    longest_seconds: SecondsOrNull
    cost_usd: Usd
    unpriced: int
    input_tokens: int
    output_tokens: int
    calls: list[ToolCall]


async def monitoring(call: Call) -> web.Response:
    wanted = call.query(MonitoringRequest)
    zone = ZoneInfo(call.desk.snapshot().engine.time_zone)
    start, end = _instant("from", wanted.from_, zone), _instant("to", wanted.to, zone)
    page: Page[MonitorRow] = await call.desk.query(Monitor(kind=wanted.kind, from_=start, to=end, step=wanted.step))
    return answer(Monitoring(as_of=page.as_of, rows=[_line(row) for row in page.rows]))


async def rate(call: Call) -> web.Response:
    wanted = await call.body(RatingRequest)
    done = await call.desk.submit(RateCall(call_id=call.part("attempt_id"), score=wanted.score, actor=ACTOR))
    return answer(Rating.model_validate({"summary": done.summary, **done.data}))


async def test_tools(call: Call) -> web.Response:
    """Start, wait, report. Who hangs up has it cancelled: nobody would read what it still costs."""
    wanted = await call.body(TestToolsRequest)
    command = StartLoadTest(tool=wanted.tool, count=wanted.count, concurrency=wanted.concurrency, actor=ACTOR)
    test_id: str = (await call.desk.submit(command)).data["test_id"]
    try:
        while (row := await _test(call, test_id)).state == _RUNNING:
            if call.request.transport is None or call.request.transport.is_closing():
                break
            await asyncio.sleep(_LOOK)
    finally:
        if row.state == _RUNNING:
            await call.desk.submit(CancelLoadTest(test_id=test_id, actor=ACTOR))
    return answer(_report(row))


async def _test(call: Call, test_id: str) -> LoadTestRow:
    row: LoadTestRow = (await call.desk.query(GetLoadTest(test_id=test_id))).rows[0]
    return row


def _instant(name: str, text: str | None, zone: ZoneInfo) -> int | None:
    if text is None:
        return None
    try:
        return moment_or_day(text, zone)
    except ValueError as error:
        raise invalid(f"{name} {error}", field=name) from error


def _line(row: MonitorRow) -> MonitoringLine:
    return MonitoringLine.model_validate(
        {
            **_fields(row, MonitoringLine),
            "p50_seconds": row.p50,
            "p95_seconds": row.p95,
            "p99_seconds": row.p99,
            "first_p50_seconds": row.first_p50,
            "first_p95_seconds": row.first_p95,
        }
    )


def _report(row: LoadTestRow) -> ToolTest:
    calls = [
        ToolCall.model_validate({**_fields(one, ToolCall), "duration_seconds": one.duration, "cost_usd": one.cost})
        for one in row.calls
    ]
    return ToolTest.model_validate(
        {
            **_fields(row, ToolTest),
            "p50_seconds": row.p50,
            "p95_seconds": row.p95,
            "longest_seconds": row.longest,
            "cost_usd": row.cost,
            "calls": calls,
        }
    )


def _fields(row: object, shape: type[AnswerShape]) -> Mapping[str, object]:
    """What the row and the shape call by the same name."""
    return {name: getattr(row, name) for name in shape.model_fields if hasattr(row, name)}
