"""The audit and alert silences as programs and operators use them: over HTTP and from the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.kernel.secret import Secret
from engine.kernel.values import DAY, HOUR, iso
from engine.surface import wire
from engine.surface.commands import HaltSending
from huntaze_console.acting import operator
from huntaze_console.cli.root import huntaze
from screens.sources.line import Address, Line
from tests.fakes import MORNING
from tests.integration.test_api_desk import Served, serving
from tests.rig import Rig, rig

AUDIT = "/api/v2/audit"
SILENCES = "/api/v2/alerts/silences"
LATER = {"ends_at": iso(MORNING + HOUR), "reason": "deploying"}


@dataclass
class Stage:
    play: Rig
    served: Served
    folder: Path

    async def post(self, path: str, *, route: str = "", **more: Any) -> Any:
        return await self.served.client.post(path, route=route or path, **more)

    async def undo(self, number: object) -> Any:
        return await self.post(f"{AUDIT}/{number}/undo", route=f"{AUDIT}/{{audit_id}}/undo")

    async def actions(self, query: str = "") -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = (await self.served.client.get(f"{AUDIT}{query}")).json()["actions"]
        return found

    async def run(self, *arguments: str) -> Result:
        whole = [*arguments, "--state-dir", str(self.folder)]
        return await asyncio.to_thread(lambda: CliRunner(env={"HUNTAZE_CONFIG": ""}).invoke(huntaze, whole))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with rig(tmp_path) as play, serving(tmp_path, play.desk, unix=True) as served:  # type: ignore[arg-type]
        yield Stage(play, served, tmp_path)


async def test_an_action_is_shown_and_undone_over_http(stage: Stage) -> None:
    await stage.post("/api/v2/stop")

    (row,) = await stage.actions()
    assert (row["actor"], row["via"], row["action"], row["undoable"]) == ("api", "api", "halt-sending", True)
    assert (row["before"], row["after"]) == ({"halted": False}, {"halted": True})
    undone = await stage.undo(row["audit_id"])
    assert (undone.status, undone.json()["audit_id"]) == (200, 2)
    assert [one["undone_by"] for one in await stage.actions()] == [None, 2]
    assert stage.play.desk.snapshot().engine.halted_by == ""


@pytest.mark.parametrize(
    ("number", "status"), [("1", 409), ("2", 404), ("0", 404), ("x", 404), ("9" * 40, 404), ("-1", 404)]
)
async def test_an_undo_that_cannot_be_is_a_problem_and_stands_in_the_audit(
    stage: Stage, number: str, status: int
) -> None:
    await stage.post("/api/v2/resume")  # changes nothing

    assert (await stage.undo(number)).status == status

    assert all(row["outcome"] == "refused" for row in (await stage.actions())[:-1])


async def test_the_audit_is_filtered_and_paged_over_http(stage: Stage) -> None:
    for _ in range(3):
        await stage.post("/api/v2/stop")
    await stage.play.desk.submit(HaltSending(actor="anna"))

    assert [row["audit_id"] for row in await stage.actions("?actor=anna")] == [4]
    assert len(await stage.actions("?action=halt-*&actor=api")) == 3
    assert await stage.actions(f"?since={iso(MORNING + HOUR)}") == []
    page = (await stage.served.client.get(f"{AUDIT}?limit=3")).json()
    assert len(page["actions"]) == 3
    assert [row["audit_id"] for row in await stage.actions(f"?cursor={page['next']}")] == [1]
    for wrong in ("?cursor=x", "?since=yesterday", "?limit=0", "?planet=mars"):
        assert (await stage.served.client.get(f"{AUDIT}{wrong}")).status == 400


@pytest.mark.parametrize(
    ("said", "via"), [("console", "console"), ("cli", "cli"), ("engine", "api"), ("gateway", "api"), ("x", "api")]
)
async def test_only_our_own_faces_are_believed_to_be_such(stage: Stage, said: str, via: str) -> None:
    body = {"command": "HaltSending", "fields": {"actor": "anna", "via": "engine"}}

    await stage.post("/api/v2/command", json=body, headers={"X-Huntaze-Via": said})

    assert [row["via"] for row in await stage.actions()] == [via]


async def test_a_console_elsewhere_says_that_it_is_one(stage: Stage) -> None:
    line = Line(Address(socket=stage.served.endpoint.socket), Secret(stage.served.client.token))
    body = wire.dump_command(HaltSending(actor="anna@desk"))

    await asyncio.to_thread(line.ask, "POST", "/api/v2/command", body)

    assert [(row["actor"], row["via"]) for row in await stage.actions()] == [("anna@desk", "console")]


async def test_a_silence_is_made_shown_and_ended_over_http(stage: Stage) -> None:
    made = await stage.post(SILENCES, json={"rule": "queue_*", **LATER})
    assert (made.status, made.json()["covered"]) == (201, 0)

    (shown,) = (await stage.served.client.get(SILENCES)).json()["silences"]
    assert (shown["rule"], shown["reason"], shown["ended_at"]) == ("queue_*", "deploying", None)
    one = f"{SILENCES}/{shown['silence_id']}"
    route = f"{SILENCES}/{{silence_id}}"
    assert (await stage.served.client.request("DELETE", one, route=route, token=True)).status == 200
    assert (await stage.served.client.request("DELETE", one, route=route, token=True)).status == 409
    assert (await stage.served.client.get(SILENCES)).json()["silences"] == []
    assert len((await stage.served.client.get(f"{SILENCES}?all=true")).json()["silences"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        LATER,
        {"rule": "*", **LATER},
        {"rule": "queue_age", "ends_at": None, "reason": "x"},
        {"rule": "queue_age", "ends_at": iso(MORNING + 31 * DAY), "reason": "x"},
        {"rule": "queue_age", "ends_at": iso(MORNING + HOUR)},
        {"severity": "dire", **LATER},
    ],
)
async def test_a_silence_of_everything_or_for_ever_is_refused(stage: Stage, body: dict[str, Any]) -> None:
    assert (await stage.post(SILENCES, json=body)).status == 400

    assert stage.play.desk.snapshot().silences == {}


# ── the command line ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_command_line_shows_who_did_what_and_takes_it_back(stage: Stage) -> None:
    assert (await stage.run("flag", "set", "use_kept_answers", "--off")).exit_code == 0
    row = json.loads((await stage.run("audit", "--action", "set-*", "--json")).output)["rows"][0]
    assert (row["actor"], row["via"], row["undoable"]) == (operator(), "cli", True)
    shown = (await stage.run("audit")).output
    assert "huntaze undo 1" in shown
    assert "with: huntaze undo 1" in (await stage.run("undo")).output
    assert "on, 100 %" in shown

    assert "is undone" in (await stage.run("undo", "1")).output

    assert "with: huntaze undo 2" in (await stage.run("undo")).output
    again = await stage.run("undo", "1")
    assert again.exit_code != 0
    assert "undone already, by 2" in again.output
    assert "undone by 2" in (await stage.run("audit")).output
    assert (await stage.run("audit", "--actor", "nobody")).output == "nothing like that\n"


async def test_the_command_line_silences_and_ends_that(stage: Stage) -> None:
    made = await stage.run(
        "alerts", "silence", "--rule", "queue_*", "--until", iso(MORNING + HOUR), "--reason", "why not"
    )
    assert made.exit_code == 0, made.output
    shown = (await stage.run("alerts", "silences")).output
    assert "rule queue_*" in shown
    assert "why not" in shown
    (silence_id,) = stage.play.desk.snapshot().silences

    assert "is over" in (await stage.run("alerts", "unsilence", silence_id)).output
    assert (await stage.run("alerts", "silences")).output == "nothing is silenced\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rule", "queue_age", "--reason", "x"),
        ("--rule", "queue_age", "--reason", "x", "--for", "2h", "--until", "2026-11-20"),
        ("--rule", "queue_age", "--reason", "x", "--for", "2 fortnights"),
        ("--rule", "queue_age", "--for", "2h"),
    ],
)
async def test_wrong_use_of_silences_is_told_before_anything_is_asked(stage: Stage, arguments: tuple[str, ...]) -> None:
    assert (await stage.run("alerts", "silence", *arguments)).exit_code == 2

    assert await stage.actions() == []


async def test_nobody_without_a_command_is_in_the_audit(stage: Stage) -> None:
    assert (await stage.run("audit")).output == "nothing was asked of the engine yet\n"
    assert (await stage.served.client.get(AUDIT, token=False)).status == 401
