"""What the engine keeps of its past: any moment the log still holds, exactly as it was seen then."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.events import Recorded
from engine.kernel.errors import CommandRefused
from engine.kernel.values import DAY, SECOND
from engine.runtime import Keyframes
from engine.runtime.sampling import _forget
from engine.surface import Snapshot
from engine.surface.queries import EventHistory, SnapshotAt
from tests.fakes import ManualClock
from tests.rig import Rig, rig


class Watched:
    """Each snapshot a running engine showed, by its sequence number."""

    def __init__(self, one: Rig) -> None:
        self.seen: dict[int, Snapshot] = {one.projector.snapshot.seq: one.projector.snapshot}
        self._rig = one
        one.bus.observe(self._note)

    def _note(self, recorded: object) -> None:
        snapshot = self._rig.projector.snapshot
        self.seen[snapshot.seq] = snapshot


async def _live(one: Rig, keyframes: Keyframes) -> None:
    """A campaign written and sent, with the clock moving, and snapshots kept meanwhile."""
    await one.create(count=6)
    for _ in range(6):
        await one.write(2)
        await one.clock.advance(SECOND)
        await one.send(2)
        await keyframes.look()
    await one.metered.drain()


async def test_any_event_gives_the_snapshot_the_engine_had_at_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        watched = Watched(one)
        keyframes = Keyframes(one.database, lambda: one.projector.snapshot, every=7)
        await keyframes.keep(one.projector.snapshot)

        await _live(one, keyframes)

        assert len(watched.seen) > 15
        for seq, snapshot in watched.seen.items():
            (found,) = (await one.desk.query(SnapshotAt(seq=seq))).rows
            assert found == snapshot


async def test_a_restart_in_between_is_seen_as_it_was(tmp_path: Path) -> None:
    seen: dict[int, Snapshot] = {}
    clock = ManualClock()
    for _ in range(2):
        async with rig(tmp_path, clock=clock) as one:
            watched = Watched(one)
            keyframes = Keyframes(one.database, lambda: one.projector.snapshot)
            await keyframes.keep(one.projector.snapshot)
            await _live(one, keyframes)
            seen |= watched.seen

    async with rig(tmp_path) as one:
        for seq, snapshot in seen.items():
            (found,) = (await one.desk.query(SnapshotAt(seq=seq))).rows
            assert found == snapshot


async def test_history_gives_every_event_between_two_instants_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        heard: list[Recorded] = []
        one.bus.observe(heard.extend)
        keyframes = Keyframes(one.database, lambda: one.projector.snapshot)
        await keyframes.keep(one.projector.snapshot)
        await _live(one, keyframes)
        from_, to = heard[3].event.at, heard[-4].event.at

        found: list[int] = []
        cursor = ""
        while True:
            page = await one.desk.query(EventHistory(from_=from_, to=to, limit=3, cursor=cursor))
            found += [int(row.event_id.removeprefix("e:")) for row in page.rows]
            if page.next is None:
                break
            cursor = page.next

        assert found == [each.seq for each in heard if from_ < each.event.at <= to]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (SnapshotAt(seq=10**9), "has not happened"),
        (EventHistory(), "from when"),
        (EventHistory(from_=2, to=1), "before it begins"),
        (EventHistory(from_=1, limit=0), "limit"),
        (EventHistory(cursor="x"), "no cursor"),
        (EventHistory(cursor="9" * 60 + "-1"), "no cursor"),
    ],
)
async def test_a_question_that_means_nothing_is_refused(tmp_path: Path, query: SnapshotAt, words: str) -> None:
    async with rig(tmp_path) as one:
        with pytest.raises(CommandRefused, match=words):
            await one.desk.query(query)


async def test_what_is_forgotten_of_the_log_takes_its_snapshots_along(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        keyframes = Keyframes(one.database, lambda: one.projector.snapshot, every=5)
        await keyframes.keep(one.projector.snapshot)
        await _live(one, keyframes)
        begun, middle = one.projector.snapshot.at - 2 * SECOND, one.clock.now()
        await one.clock.advance(DAY)
        await _live(one, keyframes)
        last = one.projector.snapshot

        await one.database.write(lambda tx: _forget(tx, middle + 90 * DAY + SECOND))

        with pytest.raises(CommandRefused, match="not kept") as refused:
            await one.desk.query(SnapshotAt(at=begun))
        assert "after" in refused.value.remedy
        (found,) = (await one.desk.query(SnapshotAt())).rows
        assert found == last
        (first, *_) = await one.rows("SELECT seq FROM keyframes ORDER BY seq")
        (event, *_) = await one.rows("SELECT seq FROM events ORDER BY seq")
        assert first["seq"] >= event["seq"] - 1
