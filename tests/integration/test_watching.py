"""Monitoring, load tests and workflows from the command line and over HTTP, on the desk of a real engine's core."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.kernel.errors import ErrorClass, ProviderError
from engine.orchestrator import Task
from engine.providers import Message, Role
from huntaze_console.cli.root import huntaze
from tests.integration.test_api_desk import Served, serving
from tests.integration.test_monitoring import at_work, booked
from tests.rig import Rig, rig

ONE = "/api/v2/workflows/{workflow_id}"
RATING = "/api/v2/calls/{attempt_id}/rating"


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


@asynccontextmanager
async def served(play: Rig, path: Path) -> AsyncIterator[Served]:
    async with serving(path / "state", play.desk, unix=True) as found:  # type: ignore[arg-type]  # any desk will do
        yield found


async def huntaze_(found: Served, *arguments: str) -> Result:
    """The command line, on a thread: the engine's loop has to answer it meanwhile."""
    command = [*arguments, "--state-dir", str(found.directory.path)]
    return await asyncio.to_thread(CliRunner().invoke, huntaze, command, catch_exceptions=False)


async def test_the_command_line_shows_what_passed_and_takes_ratings(play: Rig, tmp_path: Path) -> None:
    play.providers["one"].script = [ProviderError("one", "m", ErrorClass.AUTHENTICATION, "no")]
    await play.orchestrator.complete(Task(tool="message", messages=(Message(Role.USER, "a"),), trace_id="trc_1"))
    await booked(play, 2)
    await play.clock.advance(1_000_000_000)
    async with served(play, tmp_path) as found:
        rated = await huntaze_(found, "rate", "trc_1", "4")
        table = await huntaze_(found, "monitor", "models")
        data = json.loads((await huntaze_(found, "monitor", "models", "--json")).stdout)
        nothing = await huntaze_(found, "monitor", "endpoints")
        nobody = await huntaze_(found, "rate", "att_nobody", "4")

    assert "rated 4 of 5" in rated.stdout
    assert "one/m" in table.stdout
    assert "4.0 (1)" in table.stdout
    rows = {row["name"]: row for row in data["rows"]}
    assert (rows["one/m"]["errors"], rows["two/m"]["rating"]) == (1, 4.0)
    assert rows["two/m"]["p50_seconds"] is None or rows["two/m"]["p50_seconds"] >= 0
    assert "Nothing passed" in nothing.stdout
    assert nobody.exit_code == 3


async def test_a_load_test_says_what_it_costs_before_and_what_came_of_it(play: Rig, tmp_path: Path) -> None:
    async with at_work(play), served(play, tmp_path) as found:
        unasked = await huntaze_(found, "loadtest", "-n", "2")
        plain = await huntaze_(found, "loadtest", "-n", "2", "--calls", "--yes")
        data = json.loads((await huntaze_(found, "loadtest", "-n", "3", "--yes", "--json")).stdout)

        play.providers["one"].script = [ProviderError("one", "m", ErrorClass.INVALID_REQUEST, "no")]
        play.providers["two"].script = [ProviderError("two", "m", ErrorClass.INVALID_REQUEST, "no")]
        failing = await huntaze_(found, "loadtest", "-n", "1", "--yes")

    assert (failing.exit_code, plain.exit_code) == (1, 0)
    assert "invalid_request 1" in failing.stdout.lower()
    assert unasked.exit_code == 2
    assert "--yes" in unasked.stderr
    assert "message: 2 of 2 calls answered" in plain.stdout
    assert (data["state"], data["answered"], data["cost_usd"]) == ("done", 3, "0.00006")
    assert data["p50_seconds"] is not None
    assert len(play.providers["one"].requests) == 6


async def test_workflows_are_shown_step_by_step(play: Rig, tmp_path: Path) -> None:
    campaign_id = await play.create(count=4, prompt="Say hello.", approval="required")
    await play.write(limit=3)
    async with served(play, tmp_path) as found:
        page = await found.client.get("/api/v2/workflows?state=running")
        one = await found.client.get(f"/api/v2/workflows/{campaign_id}", route=ONE)
        missing = await found.client.get("/api/v2/workflows/wf_nobody", route=ONE)
        listed = await huntaze_(found, "workflow", "list")
        shown = await huntaze_(found, "workflow", "show", one.json()["workflow_id"])
        data = json.loads((await huntaze_(found, "workflow", "show", campaign_id, "--json")).stdout)
        nobody = await huntaze_(found, "workflow", "show", "wf_nobody")

    assert [row["campaign_id"] for row in page.json()["rows"]] == [campaign_id]
    assert [step["state"] for step in one.json()["steps"]] == ["done", "running", "running", "waiting", "waiting"]
    assert (missing.status, nobody.exit_code) == (404, 3)
    way = "plan ✔ → generate 3/4 → moderate 3/3 → approve (waits for you: 3) → send …"
    assert way[:40] in listed.stdout
    assert way in shown.stdout
    assert data["steps"][3]["open"] == 3


async def test_monitoring_over_http_keeps_to_its_description(play: Rig, tmp_path: Path) -> None:
    await play.orchestrator.complete(Task(tool="message", messages=(Message(Role.USER, "a"),), trace_id="trc_1"))
    await booked(play, 1)
    await play.clock.advance(1_000_000_000)
    async with served(play, tmp_path) as found:
        found.clock.jump(1_000_000_000)
        hour = await found.client.get("/api/v2/monitoring?kind=tool")
        steps = await found.client.get("/api/v2/monitoring?kind=model&step=minute")
        backwards = await found.client.get("/api/v2/monitoring?from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z")
        rated = await found.client.post("/api/v2/calls/trc_1/rating", route=RATING, json={"score": 5})
        wrong = await found.client.post("/api/v2/calls/trc_1/rating", route=RATING, json={"score": 6})

    assert [(row["name"], row["calls"]) for row in hour.json()["rows"]] == [("message", 1)]
    assert len(steps.json()["rows"]) == 1
    assert (backwards.status, rated.status, wrong.status) == (400, 200, 400)
