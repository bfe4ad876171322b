"""The past over HTTP: a snapshot of then, events page by page; large answers compressed for consoles elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.events import Recorded
from engine.kernel.errors import EngineUnavailable
from engine.kernel.secret import Secret
from engine.kernel.values import SECOND, iso
from engine.runtime import Keyframes
from engine.surface import Snapshot, wire
from engine.surface.queries import EventHistory, ListCampaigns, Page, Query
from engine.surface.rows import EventRow
from screens.sources import line as lines
from screens.sources.line import Address, Line
from tests.integration.test_api_desk import FakeDesk, serving
from tests.rig import rig

HISTORY = "/api/v2/events/history"
SNAPSHOT = "/api/v2/snapshot"


async def test_a_past_hour_is_read_in_pages_and_its_snapshot_beside_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        seen: dict[int, Snapshot] = {}
        heard: list[Recorded] = []
        one.bus.observe(lambda events: heard.extend(events))
        one.bus.observe(lambda _: seen.update({one.projector.snapshot.seq: one.projector.snapshot}))
        await Keyframes(one.database, lambda: one.projector.snapshot).keep(one.projector.snapshot)
        begun = one.clock.now()
        await one.clock.advance(SECOND)
        await one.create(count=4)
        while await one.write(1):
            await one.clock.advance(SECOND)
        async with serving(tmp_path / "api", one.desk) as served:  # type: ignore[arg-type]
            found: list[dict[str, Any]] = []
            query = {"from": iso(begun), "to": iso(one.clock.now()), "limit": "5"}
            while True:
                reply = await served.client.get(HISTORY, params=query)
                found += reply.json()["events"]
                if reply.json()["next"] is None:
                    break
                query = {"cursor": reply.json()["next"], "limit": "5"}

            seq, then = next((seq, each) for seq, each in seen.items() if seq > heard[len(heard) // 2].seq)
            by_seq = await served.client.get(SNAPSHOT, params={"seq": str(seq)})
            by_time = await served.client.get(SNAPSHOT, params={"at": iso(one.clock.now())})
            now = await served.client.get(SNAPSHOT)

        assert [each["event_id"] for each in found] == [f"e:{each.seq}" for each in heard]
        assert [each["kind"] for each in found] == [each.kind for each in heard]
        assert wire.load_snapshot(by_seq.body) == then
        assert by_time.body == now.body


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"{SNAPSHOT}?at=yesterday", "at"),
        (f"{SNAPSHOT}?seq=-1", "seq"),
        (f"{SNAPSHOT}?seq=1&at=2026-11-20", "seq"),
        (f"{HISTORY}?from=2026-11-20T00:00:00", "from"),
        (f"{HISTORY}?from=2026-11-20&limit=0", "limit"),
        (f"{HISTORY}?from=2026-11-20&to=2026-11-19", "to"),
        (f"{HISTORY}?cursor=x", "cursor"),
        (HISTORY, "from"),
    ],
)
async def test_what_means_nothing_names_the_field(tmp_path: Path, path: str, field: str) -> None:
    async with rig(tmp_path) as one, serving(tmp_path / "api", one.desk) as served:  # type: ignore[arg-type]
        reply = await served.client.get(path, route=path.partition("?")[0])

        assert reply.status in (400, 422)
        assert reply.json()["field"] == field


async def test_a_moment_that_is_not_kept_is_not_found(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, serving(tmp_path / "api", one.desk) as served:  # type: ignore[arg-type]
        reply = await served.client.get(SNAPSHOT, params={"at": "2001-01-01"})

        assert reply.status == 404
        assert "kept" in reply.json()["detail"]


async def test_a_large_answer_is_compressed_for_a_console_elsewhere_and_no_other(tmp_path: Path) -> None:
    rows = tuple(EventRow(event_id=f"e:{seq}", at=seq, kind="AccountSeen", fields={"n": seq}) for seq in range(900))
    desk = FakeDesk(answers={EventHistory: rows, ListCampaigns: ()})
    async with serving(tmp_path, desk) as served:
        token = Secret(served.client.token)
        away = Line(Address(host="127.0.0.1", port=urlsplit(served.endpoint.url).port), token)
        here = Line(Address(socket=served.endpoint.socket), token)

        async def coding(line: Line, query: Query) -> tuple[str | None, Page[Any]]:
            headers, data = await asyncio.to_thread(line.ask, "POST", "/api/v2/query", wire.dump_query(query))
            return headers["Content-Encoding"], wire.load_page(query, data)

        far, near = await coding(away, EventHistory()), await coding(here, EventHistory())
        small = await coding(away, ListCampaigns())

    assert (far[0], near[0], small[0]) == ("gzip", None, None)
    assert far[1].rows == near[1].rows == rows


def test_an_answer_that_is_compressed_beyond_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_LONGEST_ANSWER", 1 << 20)
    bomb, headers = gzip.compress(bytes(4 << 20)), b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(headers + b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with pytest.raises(EngineUnavailable, match="longer than any engine gives"):
            Line(Address(host="127.0.0.1", port=listener.getsockname()[1]), Secret("x")).ask("GET", "/")
    finally:
        thread.join()
        listener.close()
