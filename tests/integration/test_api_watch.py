"""The watched snapshot over real sockets, and what a read-only token may do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from engine.surface import wire
from engine.surface.commands import HaltSending
from engine.surface.delta import patched
from engine.surface.queries import ListCampaigns
from engine.surface.snapshot import MoneyView, Snapshot
from huntaze_console.api import ApiSettings
from huntaze_console.tokens import make_token
from tests.integration.test_api_desk import Served, serving

WATCH = "/api/v2/watch"
QUICK = ApiSettings(port=0, watch_every=0.01, watch_beat=0.02)


async def _frame(response: aiohttp.ClientResponse) -> tuple[str, Any]:
    found: dict[str, str] = {}
    while True:
        line = (await asyncio.wait_for(response.content.readline(), 5)).decode().rstrip("\n")
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value
        elif not line and found:
            return found["event"], orjson.loads(found["data"])


def _opened(served: Served, last_event_id: str | None = None) -> Any:
    resume = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    return served.client.session.get(WATCH, headers={**served.client.authorization, **resume})


async def _listening(served: Served) -> None:
    while served.desk.listeners == 0:
        await asyncio.sleep(0.001)


async def test_changes_lead_from_one_snapshot_to_the_next(tmp_path: Path) -> None:
    async with serving(tmp_path, settings=QUICK) as served, _opened(served) as response:
        kind, data = await _frame(response)
        assert kind == "snapshot"
        shown = wire.load_snapshot(orjson.dumps(data["snapshot"]))
        assert shown == served.desk.snapshot()
        await _listening(served)
        events: list[int] = []
        for _ in range(5):
            served.desk.happen(20)
            while shown.seq < served.desk.snapshot().seq:
                kind, data = await _frame(response)
                assert (kind, data["after"]) == ("change", shown.seq)
                shown = patched(shown, data["patch"])
                events += [event["seq"] for event in data["events"]]

        assert shown == served.desk.snapshot()
        assert events == list(range(1, 101))


async def test_many_events_are_one_change_with_the_newest_of_them(tmp_path: Path) -> None:
    async with serving(tmp_path, settings=QUICK) as served, _opened(served) as response:
        await _frame(response)
        await _listening(served)
        served.desk.happen(1_000)
        _, data = await _frame(response)

        assert [event["seq"] for event in data["events"]] == list(range(941, 1_001))
        assert data["skipped"] == 940


async def test_who_comes_back_is_told_what_was_missed_and_how_much_was_left_out(tmp_path: Path) -> None:
    async with serving(tmp_path, settings=QUICK) as served:
        served.desk.happen(700)
        async with _opened(served, "e1:690") as response:
            assert (await _frame(response))[0] == "snapshot"
            _, few = await _frame(response)
        async with _opened(served, "e1:10") as response:
            await _frame(response)
            _, many = await _frame(response)

    assert ([event["seq"] for event in few["events"]], few["skipped"]) == (list(range(691, 701)), 0)
    assert ([event["seq"] for event in many["events"]], many["skipped"]) == (list(range(201, 701)), 190)


async def test_silence_is_broken_by_a_comment(tmp_path: Path) -> None:
    async with serving(tmp_path, settings=QUICK) as served, _opened(served) as response:
        await _frame(response)

        assert await asyncio.wait_for(response.content.readline(), 5) == b":\n"


@pytest.fixture
def looking(tmp_path: Path) -> dict[str, str]:
    token = make_token()
    path = tmp_path / "api-token-read-only"
    path.write_text(token + "\n")
    path.chmod(0o600)
    return {"Authorization": f"Bearer {token}"}


async def test_a_read_only_token_looks_and_changes_nothing(tmp_path: Path, looking: dict[str, str]) -> None:
    async with serving(tmp_path) as served:
        session = served.client.session
        async with session.get("/api/v2/snapshot", headers=looking) as snapshot:
            assert (snapshot.status, snapshot.headers["X-Huntaze-Read-Only"]) == (200, "true")
        json = {"Content-Type": "application/json"}
        query = wire.dump_query(ListCampaigns())
        async with session.post("/api/v2/query", data=query, headers=looking | json) as page:
            assert page.status == 200
        command = wire.dump_command(HaltSending(actor="mia"))
        for path in ("/api/v2/command", "/api/v2/stop"):
            async with session.post(path, data=command, headers=looking | json) as refused:
                problem = await refused.json(content_type=None)
            assert refused.status in (403, 404)
        assert served.desk.submitted == []
        async with session.post("/api/v2/command", data=command, headers=looking | json) as refused:
            problem = await refused.json(content_type=None)
        assert (refused.status, problem["reason"]) == (403, "read_only")
        assert "change nothing" in problem["detail"]


async def test_who_may_only_look_keeps_nobody_out(tmp_path: Path, looking: dict[str, str]) -> None:
    async with serving(tmp_path, settings=ApiSettings(port=0, sse_streams=8)) as served, AsyncExitStack() as stack:

        async def status(headers: Mapping[str, str], session: aiohttp.ClientSession = served.client.session) -> int:
            response: aiohttp.ClientResponse = await stack.enter_async_context(session.get(WATCH, headers=headers))
            return response.status

        assert [await status(looking) for _ in range(10)] == [200, 200] + [503] * 8
        assert [await status(served.client.authorization) for _ in range(7)] == [200] * 6 + [503]
        connector = aiohttp.UnixConnector(str(served.endpoint.socket))
        local = await stack.enter_async_context(aiohttp.ClientSession("http://engine", connector=connector))
        assert await status(served.client.authorization, local) == 200
        assert await status(looking, local) == 503


async def test_a_read_only_token_counts_from_its_making_to_its_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        path, token = tmp_path / "api-token-read-only", make_token()

        async def status() -> int:
            headers = {"Authorization": f"Bearer {token}"}
            async with served.client.session.get("/api/v2/snapshot", headers=headers) as answer:
                return answer.status

        before = await status()
        path.write_text(token)
        path.chmod(0o644)
        open_to_others = await status()
        path.chmod(0o600)
        made = await status()
        path.unlink()

        assert (before, open_to_others, made, await status()) == (401, 401, 200, 401)


async def test_an_answer_says_which_version_and_level_it_is_of_to_those_with_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        async with served.client.session.get("/api/v2/snapshot", headers=served.client.authorization) as known:
            assert known.headers["X-Huntaze-Version"] == served.desk.snapshot().engine.version
            assert known.headers["X-Huntaze-Wire"] == ".".join(map(str, wire.LEVEL))
        async with served.client.session.get("/") as stranger:
            assert "X-Huntaze-Version" not in stranger.headers


async def test_a_command_with_a_field_of_a_newer_face_is_refused_whole(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        body = b'{"command": "HaltSending", "fields": {"actor": "mia", "gently": true}}'
        headers = {**served.client.authorization, "Content-Type": "application/json"}
        async with served.client.session.post("/api/v2/command", data=body, headers=headers) as refused:
            problem = await refused.json(content_type=None)

        assert (refused.status, problem["field"]) == (400, "gently")
        assert served.desk.submitted == []


def test_a_snapshot_of_a_newer_engine_is_read_without_what_is_not_known() -> None:
    known = Snapshot(epoch="e1", seq=3, money=MoneyView(today=5))
    newer = orjson.loads(wire.dump(known)) | {"weather": {"sun": True}}
    newer["money"] = newer["money"] | {"tips": 7}

    assert wire.load_snapshot(orjson.dumps(newer)) == known
    assert patched(known, {"weather": {"whole": 1}, "money": {"fields": {"today": 9, "tips": 8}}}) == replace(
        known, money=MoneyView(today=9)
    )


@pytest.mark.parametrize("data", [b"[]", b'{"seq": "3"}', b'{"money": {"today": 1.5}}', b"{", b'{"models": {"a": {}}}'])
def test_what_is_no_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.load_snapshot(data)
