"""Kept answers, flags, trials and the older shape of a campaign over HTTP, on a real desk; answers as documented."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.orchestrator import CacheMode, Task
from engine.providers import Message, Role
from tests.integration.test_api_desk import Client, serving
from tests.rig import SETTINGS, Rig, fans, rig

FLAGS = "/api/admin/feature-flags"
HYBRID = "use_hybrid_orchestrator"
LEGACY = "/api/campaigns"


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[tuple[Rig, Client]]:
    async with rig(tmp_path) as play, serving(tmp_path / "state", play.desk) as place:  # type: ignore[arg-type]
        play.platform.audience["anna"] = fans(3, tags=("vip",))
        yield play, place.client


# ── flags ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_flags_are_read_and_changed_in_one_shape(tmp_path: Path) -> None:
    wanted = {"enabled": True, "percentage": 25, "allow": ["user_1"]}
    async with served(tmp_path) as (_, client):
        before = (await client.get(FLAGS)).json()["flags"][HYBRID]
        reply = await client.request("PUT", FLAGS, route=FLAGS, token=True, json={"flags": {HYBRID: wanted}})
        after = (await client.get(FLAGS)).json()

    assert (before["enabled"], before["percentage"], before["allow"], before["changed_at"]) == (True, 100, [], None)
    assert reply.status == 200
    assert reply.json()["flags"] == after["flags"]
    assert wanted.items() <= after["flags"][HYBRID].items()
    assert after["flags"][HYBRID]["changed_by"] == "api"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"flags": {"use_magic": {"enabled": True}}}, 404, "the flags are use_hybrid_orchestrator, use_kept_answers"),
        ({"flags": {HYBRID: {"percentage": 101}}}, 400, "less than or equal to 100"),
        ({"flags": {HYBRID: {"percentage": "50"}}}, 400, "integer"),
        ({"flags": {HYBRID: {"enabled": 1}}}, 400, "boolean"),
        ({"flags": {HYBRID: {"share": 1}}}, 400, "share"),
        ({"flags": {}}, 400, "at least 1"),
        ({HYBRID: {}}, 400, "not a field"),
        ({"flags": {HYBRID: {"allow": ["a"], "deny": ["a"]}}}, 400, "allowed and denied"),
    ],
)
async def test_flags_that_make_no_sense_are_refused_with_what_would(
    tmp_path: Path, body: Any, status: int, words: str
) -> None:
    async with served(tmp_path) as (play, client):
        reply = await client.request("PUT", FLAGS, route=FLAGS, token=True, json=body)

        assert reply.status == status
        assert words in reply.body.decode()
        assert await play.rows("SELECT * FROM flags") == []


# ── kept answers ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_kept_answers_are_counted_shown_and_forgotten(tmp_path: Path) -> None:
    async with served(tmp_path) as (play, client):
        assert (await client.get("/api/v2/cache")).json()["day_hit_rate"] is None
        kept = replace(SETTINGS.tools["message"], cache=CacheMode.EXACT)
        play.orchestrator.configure(replace(SETTINGS, tools={"message": kept}))
        task = Task(tool="message", messages=(Message(Role.USER, "hi"),), trace_id="t", tenant_id="acme")
        for _ in range(4):
            await play.orchestrator.complete(task)
        await play.metered.drain()
        found = (await client.get("/api/v2/cache")).json()
        money = play.projector.snapshot.money
        other = await client.post("/api/v2/cache/clear", json={"tenant_id": "other"})
        mine = await client.post("/api/v2/cache/clear", json={"tenant_id": "acme"})
        after = (await client.get("/api/v2/cache")).json()

    assert (found["entries"], found["day_hits"], found["day_misses"], found["day_hit_rate"]) == (1, 3, 1, 0.75)
    assert found["day_saved_usd"] == "0.00006"
    assert (money.today_saved, money.today_hits, money.today_kept) == (60_000, 3, 1)
    assert other.json()["summary"] == "0 kept answers of other are forgotten"
    assert mine.json()["summary"] == "1 kept answers of acme are forgotten"
    assert (after["entries"], after["bytes"], after["day_hits"]) == (0, 0, 3)


# ── trials ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_trial_is_begun_shown_and_ended(tmp_path: Path) -> None:
    path, route = "/api/v2/shadow/message", "/api/v2/shadow/{tool}"
    trial = {"target": "two/m", "percentage": 2.5, "budget_usd": "1.50", "fans": True}
    async with served(tmp_path) as (_, client):
        begun = await client.request("PUT", path, route=route, token=True, json=trial)
        (row,) = (await client.get("/api/v2/shadow")).json()["shadows"]
        refused = await client.request("PUT", path, route=route, token=True, json={"target": "x/y", "percentage": 5})
        await client.request("PUT", path, route=route, token=True, json={"percentage": 0})
        ended = (await client.get("/api/v2/shadow")).json()["shadows"]

    assert begun.json()["summary"] == "two/m is tried on 2.5 % of message, for at most 1.50 USD a day"
    assert (row["tool"], row["target"], row["percentage"], row["budget_usd"]) == ("message", "two/m", 2.5, "1.50")
    assert (row["fans"], row["compared"], row["mean_seconds"], row["mean_likeness"]) == (True, 0, None, None)
    assert (refused.status, refused.json()["field"]) == (400, "budget_usd")
    assert ended == []


# ── the older shape of a campaign ───────────────────────────────────────────────────────────────────────────────────

OLD: dict[str, Any] = {"creatorId": "anna", "message": "Hello {{name}}", "audience": "all"}


async def test_the_older_shape_makes_the_same_campaign(tmp_path: Path) -> None:
    body = {**OLD, "name": "Spring", "autoApprove": True, "budget": 5.25}
    async with served(tmp_path) as (play, client):
        reply = await client.post(LEGACY, json=body)
        made = reply.json()
        status = (await client.get(f"/api/v2/campaigns/status?campaign_id={made['campaignId']}")).json()
        texts = await play.rows("SELECT draft FROM campaigns")

    assert reply.status == 201
    assert made["success"] is True
    assert (made["recipients"], made["estimatedCost"], made["status"]) == (3, "0.00", status["status"])
    assert made["workflowId"] == status["workflow_id"]
    assert reply.headers["Deprecation"] == "true"
    assert "/api/v2/campaigns/hybrid" in reply.headers["Link"]
    assert (status["name"], status["account_id"], status["fans"]) == ("Spring", "anna", 3)
    assert status["budget_usd"] == "5.25"
    assert '"approval":"automatic"' in bytes(texts[0]["draft"]).decode()


@pytest.mark.parametrize(
    ("body", "fans_reached"),
    [
        (OLD, 3),
        ({"creator_id": "anna", "message": "Hello", "audience": "everyone"}, 3),
        ({**OLD, "audience": "tag:vip"}, 3),
        ({"creatorId": "anna", "message": "Hello", "recipients": ["f0", "f2"]}, 2),
        ({"creatorId": "anna", "message": "Hello", "recipients": "f1"}, 1),
        ({**OLD, "type": "ai", "message": "Say hello"}, 3),
        ({**OLD, "scheduled_at": "2026-12-01T10:00:00+01:00", "sendNow": False}, 3),
    ],
)
async def test_either_spelling_and_every_audience_is_taken(tmp_path: Path, body: Any, fans_reached: int) -> None:
    async with served(tmp_path) as (play, client):
        tried = await client.post(LEGACY, json={**body, "dryRun": True})
        assert await play.rows("SELECT * FROM campaigns") == []
        made = await client.post(LEGACY, json=body)

    assert (tried.status, tried.json()["campaignId"], tried.json()["status"]) == (200, None, "dry_run")
    assert (made.status, made.json()["recipients"]) == (201, fans_reached)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"message": " "}, "message must say something"),
        ({"audience": None}, "exactly one of audience and recipients"),
        ({"recipients": ["f1"]}, "exactly one of audience and recipients"),
        ({"audience": "vip"}, "tag:vip"),
        ({"audience": "tag:"}, "names no tag"),
        ({"type": "email"}, "type"),
        ({"budget": -1}, "budget"),
        ({"budget": True}, "budget"),
        ({"creator_id": "anna"}, "creator_id and creatorId are the same"),
        ({"subject": "x"}, "subject is not a field"),
        ({"creatorId": 7}, "creatorId"),
        ({"scheduledAt": "tomorrow"}, "ISO 8601"),
    ],
)
async def test_what_the_older_shape_cannot_mean_is_refused_by_its_name(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    async with served(tmp_path) as (play, client):
        reply = await client.post(LEGACY, json={**OLD, **changes})

        assert reply.status == 400
        assert words in reply.json()["detail"]
        assert await play.rows("SELECT * FROM campaigns") == []


async def test_a_key_makes_a_repeat_of_the_older_shape_safe(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "spring-1"}
    async with served(tmp_path) as (play, client):
        first = await client.post(LEGACY, json=OLD, headers=key)
        again = await client.post(LEGACY, json=OLD, headers=key)
        other = await client.post(LEGACY, json={**OLD, "message": "Other"}, headers=key)

        assert first.json()["campaignId"] == again.json()["campaignId"]
        assert (again.status, other.status) == (201, 409)
        assert len(await play.rows("SELECT * FROM campaigns")) == 1
