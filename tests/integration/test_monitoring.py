"""Monitoring from end to end: requests and calls become figures, ratings reach the mean, load tests report and end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from engine.kernel.errors import CommandRefused, ErrorClass, ProviderError, Refusal
from engine.kernel.values import SECOND
from engine.orchestrator import Gauges, GaugeSettings, Task
from engine.providers import Completion, Message, ModelRequest, Role
from engine.storage.directory import Mode, StateDirectory
from engine.surface.commands import CancelLoadTest, RateCall, StartLoadTest
from engine.surface.queries import BoundLoadTest, GetLoadTest, Monitor
from engine.surface.rows import LoadTestRow, MonitorRow
from huntaze_console.api import serve
from huntaze_console.api.measuring import mark_first, measured
from huntaze_console.joints import recall_ratings, teach
from tests.integration.test_api_desk import ANY_PORT
from tests.rig import COST, Rig, answer, rig

HELLO = (Message(Role.USER, "Hello"),)


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


@asynccontextmanager
async def at_work(play: Rig) -> AsyncIterator[None]:
    """The service that carries load tests out, for as long as the block lasts."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(play.tests.run(stop))
        await asyncio.sleep(0)
        try:
            yield
        finally:
            stop.set()


async def rows(play: Rig, kind: str, **rest: object) -> dict[str, MonitorRow]:
    page = await play.desk.query(Monitor(kind=kind, to=play.clock.now() + 1, **rest))  # type: ignore[arg-type]
    return {row.name: row for row in page.rows}


async def booked(play: Rig, calls: int) -> None:
    """Return once so many calls stand in the ledger: a settlement may commit after its answer left."""
    async with asyncio.timeout(5):
        while len(await play.rows("SELECT id FROM ledger")) < calls:
            await asyncio.sleep(0.005)
    await play.database.write(lambda tx: None)  # behind it, the events of the commit before are published


async def ended(play: Rig, test_id: str) -> LoadTestRow:
    while True:
        (row,) = (await play.desk.query(GetLoadTest(test_id=test_id))).rows
        if row.state != "running":
            found: LoadTestRow = row
            return found
        await asyncio.sleep(0.005)


async def started(play: Rig, **fields: Any) -> str:
    return str((await play.desk.submit(StartLoadTest(tool="message", **fields))).data["test_id"])


def refused_by(provider: str) -> ProviderError:
    return ProviderError(provider, "m", ErrorClass.AUTHENTICATION, "the key is wrong")


@asynccontextmanager
async def served(play: Rig, path: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    directory = StateDirectory(path)
    directory.acquire(kind="daemon", mode=Mode.REAL, version="1")
    try:
        async with (
            serve(
                play.desk,
                directory,
                ANY_PORT,
                tcp=True,
                clock=play.clock,
                stop=asyncio.Event(),
                chance=random.Random(1),
                measure=play.monitor.endpoint,
            ) as endpoint,
            aiohttp.ClientSession(
                endpoint.url, headers={"Authorization": f"Bearer {directory.token_path.read_text().strip()}"}
            ) as session,
        ):
            yield session, endpoint.url
    finally:
        directory.release()


async def test_requests_are_counted_by_their_route_and_never_by_their_path(play: Rig, tmp_path: Path) -> None:
    async with served(play, tmp_path / "state") as (session, _):
        for campaign in ("cmp_secret_one", "cmp_secret_two"):
            await session.get(f"/api/v2/campaigns/{campaign}/deliveries")
        await session.get("/nowhere/cmp_secret_three")
        await play.clock.advance(SECOND)

        found = await (await session.get("/api/v2/monitoring?kind=endpoint")).json()

    by_name = {row["name"]: row for row in found["rows"]}
    assert by_name["GET /api/v2/campaigns/{campaign_id}/deliveries"]["calls"] == 2
    assert by_name["(no route)"]["refused"] == 1
    assert "secret" not in str(found)
    assert by_name["(no route)"]["p95_seconds"] > 0
    assert by_name["(no route)"]["first_p50_seconds"] is None


async def test_a_stream_is_measured_to_its_first_byte_and_to_its_end() -> None:
    told: list[tuple[str, int, int, int | None]] = []

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(0.05)
        await response.write(b"done")
        return response

    app = web.Application(middlewares=[measured(lambda *call: told.append(call))])
    app.on_response_prepare.append(mark_first)
    app.router.add_get("/slow", slow)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with aiohttp.ClientSession() as session:
            await (await session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/slow")).read()
    finally:
        await runner.cleanup()

    ((name, status, whole, first),) = told
    assert (name, status) == ("GET /slow", 200)
    assert first is not None
    assert first < 40_000_000 < 50_000_000 <= whole


async def test_measuring_a_request_costs_microseconds(play: Rig) -> None:
    request, response = make_mocked_request("GET", "/"), web.Response()

    async def handler(_: web.Request) -> web.StreamResponse:
        return response

    watch = measured(play.monitor.endpoint)
    rounds = 2_000
    best = min([await _seconds(watch, request, handler, rounds) for _ in range(5)]) / rounds

    assert best < 25e-6  # 3 µs where nothing else runs; the bound only catches something of another order


async def _seconds(watch: object, request: web.Request, handler: object, rounds: int) -> float:
    begun = time.perf_counter()
    for _ in range(rounds):
        await watch(request, handler)  # type: ignore[operator]
    return time.perf_counter() - begun


async def test_a_fallback_counts_for_the_model_that_failed_and_the_tool(play: Rig) -> None:
    play.providers["one"].script = [refused_by("one")]

    await play.orchestrator.complete(Task(tool="message", messages=(Message(Role.USER, "hi"),), trace_id="t"))
    await booked(play, 2)

    (tool,) = (await rows(play, "tool")).values()
    assert (tool.calls, tool.errors, tool.fallbacks, tool.fallback_rate) == (2, 1, 1, 1.0)
    models = await rows(play, "model")
    assert (models["one/m"].error_rate, models["one/m"].fallback_rate) == (1.0, 1.0)
    assert (models["two/m"].error_rate, models["two/m"].fallback_rate) == (0.0, 0.0)


async def test_the_mean_of_ratings_stands_beside_the_figures(play: Rig) -> None:
    one = await play.orchestrator.complete(Task(tool="message", messages=(Message(Role.USER, "a"),), trace_id="trc_1"))
    await play.orchestrator.complete(Task(tool="message", messages=(Message(Role.USER, "b"),), trace_id="trc_2"))
    await booked(play, 2)

    await play.desk.submit(RateCall(call_id=one.attempt_id, score=1))
    await play.desk.submit(RateCall(call_id=one.attempt_id, score=2))  # the same operator thinks again
    await play.desk.submit(RateCall(call_id="trc_2", score=5))

    assert [(rated.model, rated.score) for rated in play.ratings] == [("m", 1), ("m", 2), ("m", 5)]
    row = (await rows(play, "model"))["one/m"]
    assert (row.rating, row.ratings) == (3.5, 2)
    assert (await rows(play, "tool"))["message"].rating == 3.5


@pytest.mark.parametrize(
    ("call_id", "score", "reason"),
    [
        ("att_nobody", 3, Refusal.NOT_FOUND),
        ("", 3, Refusal.NOT_FOUND),
        ("att_nobody", 6, Refusal.INVALID),
        ("att_nobody", 0, Refusal.INVALID),
    ],
)
async def test_what_cannot_be_rated_is_refused(play: Rig, call_id: str, score: int, reason: Refusal) -> None:
    with pytest.raises(CommandRefused) as refused:
        await play.desk.submit(RateCall(call_id=call_id, score=score))

    assert refused.value.reason is reason


async def test_ratings_move_the_routers_opinion_also_after_a_restart(play: Rig) -> None:
    one = await play.orchestrator.complete(Task(tool="message", messages=(Message(Role.USER, "a"),), trace_id="trc_1"))
    await booked(play, 1)
    gauges, again = (Gauges(play.clock, GaugeSettings()) for _ in range(2))
    before = gauges.quality("message", one.target)

    await play.desk.submit(RateCall(call_id=one.attempt_id, score=1))
    teach(gauges)(play.ratings[0])
    await recall_ratings(play.database, again)

    assert gauges.quality("message", one.target) == again.quality("message", one.target) < before


async def test_a_load_test_reports_who_answered_what_failed_and_what_it_cost(play: Rig) -> None:
    play.providers["one"].script = [refused_by("one"), refused_by("one"), answer()]
    async with at_work(play):
        row = await ended(play, await started(play, count=6, concurrency=2))

    assert (row.state, row.answered, row.fallbacks) == ("done", 6, 2)
    assert row.answered_by == {"two/m": 2, "one/m": 4}
    assert row.cost >= 6 * COST  # what failed is booked too
    ledger = await play.rows("SELECT count(*) AS n, sum(cost) AS cost, sum(output_tokens) AS out FROM ledger")
    assert (sum(call.attempts for call in row.calls), row.cost, row.output_tokens) == tuple(ledger[0].values())
    assert [call.number for call in row.calls] == [1, 2, 3, 4, 5, 6]


async def test_no_more_run_at_once_than_was_asked_and_every_prompt_differs(play: Rig) -> None:
    running, most, gate = 0, 0, asyncio.Event()

    async def hold(request: ModelRequest) -> Completion:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return answer()

    play.providers["one"].script = [hold] * 9
    async with at_work(play):
        test_id = await started(play, count=9, concurrency=3)
        while running < 3:
            await asyncio.sleep(0.005)
        gate.set()
        await ended(play, test_id)

    assert most == 3
    texts = [request.messages[-1].text for request in play.providers["one"].requests]
    assert len(set(texts)) == 9


async def test_a_load_test_is_in_the_ledger_and_in_its_report_but_not_in_the_monitoring(play: Rig) -> None:
    await play.orchestrator.complete(Task(tool="message", messages=HELLO, trace_id="trc_1", fresh=True))
    async with at_work(play):
        row = await ended(play, await started(play, count=5))
    await booked(play, 6)

    assert row.answered == 5
    assert (await rows(play, "tool"))["message"].calls == 1
    assert (await rows(play, "model"))["one/m"].calls == 1


async def test_a_cancelled_load_test_ends_and_what_was_under_way_is_booked(play: Rig) -> None:
    async def never(request: ModelRequest) -> Completion:
        await asyncio.Event().wait()
        return answer()

    play.providers["one"].script = [answer(), never, never]
    async with at_work(play):
        test_id = await started(play, count=20, concurrency=2)
        while len(play.providers["one"].requests) < 3:
            await asyncio.sleep(0.005)
        await play.desk.submit(CancelLoadTest(test_id=test_id))
        row = await ended(play, test_id)

    assert row.state == "cancelled"
    assert len(row.calls) == 1
    assert await play.rows("SELECT id FROM attempts") == []
    outcomes = [entry["outcome"] for entry in await play.rows("SELECT outcome FROM ledger ORDER BY outcome")]
    assert outcomes == ["cancelled", "cancelled", "ok"]


async def test_who_hangs_up_on_a_load_test_cancels_it(play: Rig, tmp_path: Path) -> None:
    async def never(request: ModelRequest) -> Completion:
        await asyncio.Event().wait()
        return answer()

    play.providers["one"].script = [never]
    async with at_work(play), served(play, tmp_path / "state") as (session, _):
        with pytest.raises(TimeoutError):
            await session.post(
                "/api/admin/test-tools",
                json={"tool": "message", "count": 1},
                timeout=aiohttp.ClientTimeout(total=0.2),
            )
        async with asyncio.timeout(5):
            while await play.rows("SELECT id FROM attempts"):
                await asyncio.sleep(0.01)

    assert [entry["outcome"] for entry in await play.rows("SELECT outcome FROM ledger")] == ["cancelled"]


async def test_the_report_over_http_says_the_same(play: Rig, tmp_path: Path) -> None:
    async with at_work(play), served(play, tmp_path / "state") as (session, _):
        response = await session.post("/api/admin/test-tools", json={"tool": "message", "count": 3})
        report = await response.json()

    assert response.status == 200
    assert (report["state"], report["answered"], report["cost_usd"]) == ("done", 3, "0.00006")
    assert len(report["calls"]) == 3


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"count": 201}, Refusal.INVALID),
        ({"count": 0}, Refusal.INVALID),
        ({"concurrency": 33}, Refusal.INVALID),
    ],
)
async def test_a_load_test_beyond_the_bounds_is_refused(play: Rig, fields: dict[str, int], reason: Refusal) -> None:
    async with at_work(play):
        with pytest.raises(CommandRefused) as refused:
            await started(play, **fields)

    assert refused.value.reason is reason
    assert play.providers["one"].requests == []


async def test_one_load_test_runs_at_a_time(play: Rig) -> None:
    gate = asyncio.Event()

    async def hold(request: ModelRequest) -> Completion:
        await gate.wait()
        return answer()

    play.providers["one"].script = [hold]
    async with at_work(play):
        test_id = await started(play, count=1)
        with pytest.raises(CommandRefused) as refused:
            await started(play, count=1)
        gate.set()
        await ended(play, test_id)

    assert refused.value.reason is Refusal.CONFLICT


async def test_what_a_load_test_may_cost_covers_every_try_at_every_model(play: Rig) -> None:
    play.providers["one"].script = [ProviderError("one", "m", ErrorClass.SERVER_ERROR, "500")] * 2
    (bound,) = (await play.desk.query(BoundLoadTest(tool="message", count=1))).rows

    async with at_work(play):
        test_id = await started(play, count=1)
        while not play.clock.sleepers:
            await asyncio.sleep(0.005)
        await play.clock.advance(60_000_000_000)
        row = await ended(play, test_id)

    assert bound.cost is not None
    assert 0 < row.cost <= bound.cost


async def test_an_engine_that_does_not_run_refuses_a_load_test(play: Rig) -> None:
    with pytest.raises(CommandRefused) as refused:
        await started(play)

    assert refused.value.reason is Refusal.UNAVAILABLE
