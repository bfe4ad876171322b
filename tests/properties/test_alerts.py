"""Whatever happens, and however often the engine restarts: one open alert a problem, and no spam."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.alerts import AlertService, AlertSettings, Notice, acknowledge
from engine.bus import Bus
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, usd
from engine.storage import Database
from engine.surface.snapshot import EngineView, ModelView, MoneyView, QueueView, Snapshot
from tests.fakes import MORNING, ManualClock

RANK = {"info": 0, "warning": 1, "critical": 2}
BASE = Snapshot(
    engine=EngineView(state="running"),
    money=MoneyView(day="2026-11-20", day_ends=MORNING + 400 * DAY, month_ends=MORNING + 400 * DAY),
)

snapshots = st.builds(
    lambda today, breakers, dead, halted: replace(
        BASE,
        engine=replace(BASE.engine, halted_by=halted),
        money=replace(BASE.money, today=usd(today)),
        models={
            name: ModelView(provider=name, model="m", calls=1, breaker=state)
            for name, state in zip("abc", breakers, strict=True)
        },
        queues={"q": QueueView(queue="q", dead=dead)},
    ),
    today=st.sampled_from([0, 41, 49, 50, 70]),
    breakers=st.tuples(*[st.sampled_from(["closed", "closed", "open", "half_open"])] * 3),
    dead=st.sampled_from([0, 0, 1, 5]),
    halted=st.sampled_from(["", "", "eve"]),
)
moments = st.tuples(
    st.sampled_from([SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, 29 * MINUTE, 5 * HOUR]),
    snapshots,
    st.sampled_from(["look", "look", "look", "restart", "acknowledge"]),
)


class Nowhere:
    name = "nowhere"

    async def send(self, notice: Notice) -> None:
        raise AssertionError("no sender runs here")


async def live(path: Path, story: list[tuple[int, Snapshot, str]]) -> list[sqlite3.Row]:
    """Live through a story; every problem notice that was queued, oldest first."""
    clock, chance, now = ManualClock(), random.Random(1), BASE
    async with Database.open(path, readers=1, synchronous="OFF") as database:

        def serve() -> AlertService:
            return AlertService(database, Bus(), lambda: now, clock, chance, AlertSettings(), [Nowhere()])

        service = serve()
        await service.restore()
        for wait, seen, action in story:
            now = seen
            clock.jump(wait)
            if action == "restart":
                service = serve()
                await service.restore()
            await service.look()
            async with database.reader() as reader:
                rows = await reader.rows("SELECT * FROM alerts WHERE resolved_at IS NULL ORDER BY alert_id")
            assert len({(row["rule"], row["subject"]) for row in rows}) == len(rows)
            fresh = [row["alert_id"] for row in rows if not row["acknowledged_by"]]
            if action == "acknowledge" and fresh:
                await database.write(lambda tx, one=fresh[0]: acknowledge(tx, one, "ada", clock.now()))
        async with database.reader() as reader:
            return await reader.rows(
                "SELECT n.*, rule, subject FROM notices n JOIN alerts USING (alert_id) ORDER BY at"
            )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=st.lists(moments, min_size=1, max_size=25))
def test_never_two_open_alerts_of_a_problem_nor_two_notices_in_a_throttle(
    story: list[tuple[int, Snapshot, str]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        notices = asyncio.run(live(Path(directory) / "engine.db", story))

    problems = defaultdict(list)
    for row in notices:
        if row["kind"] != "resolved":
            problems[row["rule"], row["subject"]].append(row)
    for told in problems.values():
        for earlier, later in pairwise(told):
            apart = later["at"] - earlier["at"]
            assert apart >= 30 * MINUTE or RANK[later["severity"]] > RANK[earlier["severity"]]
    ends = [row["alert_id"] for row in notices if row["kind"] == "resolved"]
    assert len(ends) == len(set(ends))
    assert set(ends) <= {row["alert_id"] for row in notices if row["kind"] != "resolved"}
