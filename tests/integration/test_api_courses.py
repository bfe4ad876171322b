"""How things went, over real sockets: every answer is checked against the schema that the document promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.kernel.values import MINUTE, SECOND
from engine.surface.queries import CostHistory, GetTrace, QueueHistory
from engine.surface.rows import QueueCourseRow
from tests.integration.test_api_desk import FakeDesk, serving
from tests.screens.scripted import NOW, attempts, cost_courses

COURSE = QueueCourseRow(
    queue="sending", at=NOW, step=MINUTE, ready=(None, 3), delayed=(None, 0), leased=(None, 1), parked=(None, 0),
    dead=(None, 2), waited=(None, 90 * SECOND),
)  # fmt: skip


async def test_spend_is_told_in_steps_as_exact_money(tmp_path: Path) -> None:
    desk = FakeDesk(answers={CostHistory: tuple(cost_courses(CostHistory(by=("provider",))))})
    async with serving(tmp_path, desk) as served:
        reply = await served.client.get("/api/v2/costs/history?by=provider&seconds=3600")

    assert desk.asked == [CostHistory(by=("provider",), span=3_600 * SECOND)]
    whole = reply.json()["rows"][0]
    assert whole["dimensions"] == {}
    assert whole["step_seconds"] == 60
    assert whole["cost_usd"][0] == "0.0096"


async def test_a_queues_course_says_where_nobody_looked(tmp_path: Path) -> None:
    desk = FakeDesk(answers={QueueHistory: (COURSE,)})
    async with serving(tmp_path, desk) as served:
        reply = await served.client.get("/api/v2/queue/history?queue=sending")

    (row,) = reply.json()["rows"]
    assert row["ready"] == [None, 3]
    assert row["waited_seconds"] == [None, 90]


async def test_a_trace_tells_its_attempts(tmp_path: Path) -> None:
    desk = FakeDesk(answers={GetTrace: tuple(attempts(GetTrace(trace_id="trc_1")))})
    async with serving(tmp_path, desk) as served:
        reply = await served.client.get(
            "/api/v2/traces/trc_1?at=2026-11-20T14:32:05Z", route="/api/v2/traces/{trace_id}"
        )

    assert desk.asked == [GetTrace(trace_id="trc_1", at=NOW)]
    assert [each["outcome"] for each in reply.json()["attempts"]] == ["timeout", "timeout", "ok", ""]
    assert reply.json()["attempts"][3]["held_by"] == ["campaign:cmp_1 total"]
    assert reply.json()["attempts"][3]["held_usd"] == "0.009"


@pytest.mark.parametrize("query", ["seconds=59", "seconds=99999999999", "by=provider&by=model", "at=yesterday"])
async def test_a_span_that_means_nothing_is_refused_by_name(tmp_path: Path, query: str) -> None:
    path = "/api/v2/traces/t" if query.startswith("at") else "/api/v2/costs/history"
    route = "/api/v2/traces/{trace_id}" if query.startswith("at") else path
    async with serving(tmp_path, FakeDesk()) as served:
        reply = await served.client.get(f"{path}?{query}", route=route)

    assert reply.status in (400, 422)
    assert reply.json()["field"] == query.partition("=")[0]
