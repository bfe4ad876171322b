"""The event stream over real sockets: resumed, reset, kept alive, and never waiting for a client that does not read."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from engine.kernel.errors import StorageError
from engine.surface import wire
from huntaze_console.api import ApiSettings
from tests.integration.test_api_desk import FakeDesk, Served, serving

EVENTS = "/api/v2/events"
Frame = dict[str, str]


async def _frame(response: aiohttp.ClientResponse) -> Frame:
    """The next event, comments and settings left out."""
    found: Frame = {}
    while True:
        line = (await asyncio.wait_for(response.content.readline(), 5)).decode().rstrip("\n")
        if line and not line.startswith((":", "retry:")):
            name, _, value = line.partition(": ")
            found[name] = value
        elif not line and found:
            return found


def _opened(served: Served, last_event_id: str | None = None) -> Any:
    resume = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    return served.client.session.get(EVENTS, headers={**served.client.authorization, **resume})


async def _listening(served: Served) -> None:
    while served.desk.listeners == 0:
        await asyncio.sleep(0.001)


async def test_a_stream_cut_at_random_shows_every_event_once(tmp_path: Path) -> None:
    chance = random.Random(11)
    last, seen = "e1:0", list[int]()

    async with serving(tmp_path) as served:
        while len(seen) < 400:
            served.desk.happen(chance.randrange(1, 40))
            async with _opened(served, last) as response:
                for _ in range(chance.randrange(0, 60)):
                    if len(seen) == served.desk.newest:
                        served.desk.commit(chance.randrange(1, 4))
                        served.desk.publish()
                    frame = await _frame(response)
                    last = frame["id"]
                    event = wire.load_event(frame["data"].encode())
                    assert event is not None
                    assert (frame["event"], last) == (event.kind, f"e1:{event.seq}")
                    seen.append(event.seq)

    assert seen == list(range(1, len(seen) + 1))


async def test_without_an_id_the_stream_begins_with_what_happens_next(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.desk.happen(5)
        async with _opened(served) as response:
            await _listening(served)
            served.desk.happen()

            assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert (await _frame(response))["id"] == "e1:6"


@pytest.mark.parametrize("last", ["e0:3", "e1:99", "what", "e1:1"])
async def test_what_cannot_be_resumed_is_reset_and_goes_on(tmp_path: Path, last: str) -> None:
    async with serving(tmp_path) as served:
        served.desk.happen(5)
        served.desk.forget(4)
        async with _opened(served, last) as response:
            frame = await _frame(response)
            served.desk.happen()

            assert (frame["event"], frame["id"]) == ("reset", "e1:5")
            assert orjson.loads(frame["data"])["seq"] == 5
            assert (await _frame(response))["id"] == "e1:6"


async def test_a_listener_that_ran_over_is_reset(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(depth=3)) as served, _opened(served) as response:
        await _listening(served)
        served.desk.happen(50)

        assert (await _frame(response))["event"] == "reset"
        served.desk.happen()
        assert (await _frame(response))["id"] == "e1:51"


async def test_silence_carries_a_heartbeat(tmp_path: Path) -> None:
    settings = ApiSettings(port=0, sse_heartbeat=0.02)

    async with serving(tmp_path, settings=settings) as served, _opened(served) as response:
        lines = [await asyncio.wait_for(response.content.readline(), 5) for _ in range(4)]

    assert lines == [b"retry: 1000\n", b"\n", b": still here\n", b"\n"]


async def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    settings = ApiSettings(port=0, sse_patience=0.1)

    async with serving(tmp_path, settings=settings, unix=True) as served:
        reader, writer = await asyncio.open_unix_connection(str(served.endpoint.socket), limit=1)
        token = served.client.token
        writer.write(f"GET {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        await _listening(served)
        served.desk.happen(9_000)
        async with asyncio.timeout(5):
            while served.desk.listeners:
                await asyncio.sleep(0.01)
        writer.transport.abort()
        del reader

        assert (await served.client.get("/api/v2/limits")).status == 200


async def test_a_client_that_does_not_read_is_cut_off_when_its_token_is_revoked(tmp_path: Path) -> None:
    async with serving(tmp_path, unix=True) as served:
        reader, writer = await asyncio.open_unix_connection(str(served.endpoint.socket), limit=1)
        token = served.client.token
        writer.write(f"GET {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        await _listening(served)
        served.desk.happen(9_000)
        served.directory.token_path.unlink()

        async with asyncio.timeout(5):  # its patience alone is 20 seconds
            while served.desk.listeners:
                await asyncio.sleep(0.01)
        writer.transport.abort()
        del reader


async def test_a_client_that_left_is_forgotten(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        async with _opened(served):
            await _listening(served)
        served.desk.happen()
        async with asyncio.timeout(5):
            while served.desk.listeners:
                served.desk.happen()
                await asyncio.sleep(0.001)


async def test_streams_are_counted(tmp_path: Path) -> None:
    async with serving(tmp_path, settings=ApiSettings(port=0, sse_streams=1)) as served, _opened(served):
        await _listening(served)
        refused = await served.client.get(EVENTS)

        assert refused.status == 503
        assert "sse_streams" in refused.json()["remedy"]


async def test_a_log_that_cannot_be_read_ends_the_stream(tmp_path: Path) -> None:
    async with serving(tmp_path, _Broken(StorageError("disk full"))) as served, _opened(served, "e1:1") as response:
        assert await asyncio.wait_for(response.read(), 5) == b"retry: 1000\n\n"


async def test_an_unexpected_error_cuts_the_stream_and_logs_no_words_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = _Broken(RuntimeError("secret words"))

    async with serving(tmp_path, desk) as served, _opened(served, "e1:1") as response:
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(response.read(), 5)

    assert "RuntimeError" in caplog.text
    assert "secret words" not in caplog.text


class _Broken(FakeDesk):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.state = replace(self.state, seq=9)
        self.error = error

    async def events_after(self, seq: int, *, limit: int = 1000) -> Any:
        raise self.error
