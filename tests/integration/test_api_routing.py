"""Routes over HTTP: shown, explained, changed, given back; each answer checked against the OpenAPI document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import SECOND, usd
from engine.surface.commands import Done, ResetRoute, SetRoute
from engine.surface.queries import ExplainRoute, ListRoutes
from engine.surface.rows import CandidateRow, RouteRow
from tests.fakes import MORNING
from tests.integration.test_api_desk import FakeDesk, Reply, Served, serving

ROUTE = "/api/v2/routes/{tool}"
ROW = RouteRow(
    tool="message",
    strategy="weighted",
    chain=("openai/gpt-4o-mini", "deepseek/deepseek-chat"),
    weights=(3, 1),
    too_slow=5 * SECOND,
    set_by="ada",
    set_at=MORNING,
    file_strategy="fixed",
    file_chain=("openai/gpt-4o-mini",),
    file_weights=(),
    file_too_slow=None,
)
TAKEN = CandidateRow(
    position=1,
    provider="openai",
    model="gpt-4o-mini",
    verdict="taken",
    flaw="",
    why="number 1 of its chain",
    worst_cost=usd("0.0003"),
    latency=SECOND // 2,
    in_flight=3,
    quality=0.97,
    room=usd(5),
)
PASSED = CandidateRow(
    position=0,
    provider="azure",
    model="gpt-4o",
    verdict="no_key",
    flaw="",
    why="its provider azure has no key here",
    worst_cost=None,
    latency=None,
    in_flight=0,
    quality=0.9,
    room=None,
)


async def ask(served: Served, method: str, tool: str = "message", **more: Any) -> Reply:
    return await served.client.request(method, f"/api/v2/routes/{tool}", route=ROUTE, token=True, **more)


async def test_the_routes_show_what_was_set_and_what_the_file_says(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(answers={ListRoutes: (ROW,)})) as served:
        reply = await served.client.get("/api/v2/routes")

    (route,) = reply.json()["routes"]
    assert route["weights"] == [3, 1]
    assert (route["too_slow_seconds"], route["set_by"]) == (5.0, "ada")
    assert route["file"] == {
        "strategy": "fixed",
        "chain": ["openai/gpt-4o-mini"],
        "weights": [],
        "too_slow_seconds": None,
    }


async def test_a_tool_without_a_route_is_not_found(tmp_path: Path) -> None:
    refusal = CommandRefused(Refusal.NOT_FOUND, "there is no tool 'x'", field="tool")
    async with serving(tmp_path, FakeDesk(answers={ListRoutes: refusal})) as served:
        assert (await ask(served, "GET", "x")).status == 404


async def test_a_change_says_only_what_it_changes(tmp_path: Path) -> None:
    desk = FakeDesk(answers={ListRoutes: (ROW,)}, dones={SetRoute: Done("message is routed weighted")})
    async with serving(tmp_path, desk) as served:
        first = await ask(served, "PUT", json={"strategy": "weighted", "weights": [3, 1], "too_slow_seconds": 2.5})
        await ask(served, "PUT", json={"chain": ["openai/gpt-4o-mini"]})

    assert first.status == 200
    assert first.json()["summary"] == "message is routed weighted"
    assert desk.submitted == [
        SetRoute(actor="api", tool="message", strategy="weighted", weights=(3, 1), too_slow=2_500_000_000),
        SetRoute(actor="api", tool="message", chain=("openai/gpt-4o-mini",)),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"strategy": "quickest"}, "strategy"),
        ({"chain": []}, "chain"),
        ({"chain": ["a/b\x1b"]}, "chain.0"),
        ({"weights": [1.5]}, "weights.0"),
        ({"weights": [-1]}, "weights.0"),
        ({"weights": ["3"]}, "weights.0"),
        ({"too_slow_seconds": -1}, "too_slow_seconds"),
        ({"stratgy": "fixed"}, "stratgy"),
    ],
)
async def test_a_change_that_means_nothing_is_refused_by_field(tmp_path: Path, body: Any, field: str) -> None:
    async with serving(tmp_path) as served:
        reply = await ask(served, "PUT", json=body)

    assert (reply.status, reply.json()["field"]) == (400, field)
    assert served.desk.submitted == []


async def test_a_reset_gives_the_tool_back_to_the_file(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(answers={ListRoutes: (ROW,)})) as served:
        reply = await ask(served, "DELETE")

    assert reply.status == 200
    assert served.desk.submitted == [ResetRoute(actor="api", tool="message")]


async def test_an_explanation_is_asked_with_what_the_task_would_have(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(answers={ExplainRoute: (TAKEN, PASSED)})) as served:
        where = "/api/v2/routes/message/explain?needs=images,schema&strategy=best&characters=9&tenant_id=acme"
        reply = await served.client.get(where, route=f"{ROUTE}/explain")

    assert served.desk.asked == [
        ExplainRoute(tool="message", needs=("images", "schema"), strategy="best", characters=9, tenant_id="acme")
    ]
    first, second = reply.json()["candidates"]
    assert (first["worst_cost_usd"], first["latency_seconds"], first["budget_left_usd"]) == ("0.0003", 0.5, "5.00")
    assert (second["verdict"], second["worst_cost_usd"], second["latency_seconds"]) == ("no_key", None, None)


@pytest.mark.parametrize("asked", ["needs=sound", "strategy=x", "characters=-1", "characters=99999999", "need=images"])
async def test_an_explanation_of_nothing_is_refused(tmp_path: Path, asked: str) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.get(f"/api/v2/routes/message/explain?{asked}", route=f"{ROUTE}/explain")

    assert reply.status == 400
    assert served.desk.asked == []
