"""The past over HTTP: a snapshot of then, events page by page, compressed for whoever reads that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.events import Recorded
from engine.kernel.values import SECOND, iso
from engine.runtime import Keyframes
from engine.surface import Snapshot, wire
from tests.integration.test_api_desk import serving
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
                assert reply.headers.get("Content-Encoding") in ("gzip", "deflate")
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
