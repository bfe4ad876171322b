"""The sampler looks at the queues when something was written, and leaves an idle database alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from engine.queue import Depth, JobStore
from engine.runtime import Projector, Sampler
from engine.storage import Database
from engine.surface.snapshot import Snapshot
from tests.fakes import ManualClock


class Queues:
    """Depths that are told; how often they were asked for."""

    def __init__(self) -> None:
        self.now = Depth()
        self.asked = 0

    async def depth(self, queue: str) -> Depth:
        self.asked += 1
        return self.now


async def test_an_idle_database_is_left_alone_and_a_change_is_told(tmp_path: Path) -> None:
    queues = Queues()
    async with Database.open(tmp_path / "huntaze.db") as database:
        projector = Projector(Snapshot(epoch="e1"))
        database.on_commit(projector.observe)
        clock = ManualClock()
        sampler = Sampler(database, cast(JobStore, queues), projector, clock, ("work",))
        projector.snapshot = replace(
            projector.snapshot, money=replace(projector.snapshot.money, day_ends=clock.now() * 2)
        )

        async def settled() -> int:
            for _ in range(3):
                await sampler.sample()
            return queues.asked

        before = await settled()
        assert await settled() == before
        queues.now = replace(queues.now, ready=3)
        await database.write(cast(Any, lambda tx: None))
        await settled()

        assert projector.snapshot.queues["work"].ready == 3
        asked = queues.asked
        assert asked > before
        assert await settled() == asked
