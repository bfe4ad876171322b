"""Alerts last: over restarts, through acknowledgements, for 90 days and no longer."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine.alerts import (
    AlertService,
    AlertSettings,
    ChannelError,
    Notice,
    acknowledge,
    history,
    list_alerts,
    open_alerts,
)
from engine.alerts.sender import ChannelSender
from engine.bus import Bus
from engine.events import (
    AlertAcknowledged,
    AlertOpened,
    AlertResolved,
    AlertUpdated,
    Event,
    NotificationFailed,
    NotificationSent,
)
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, usd
from engine.storage import Database
from engine.surface.queries import ListAlerts
from engine.surface.rows import AlertRow
from engine.surface.snapshot import EngineView, ModelView, MoneyView, Snapshot
from tests.fakes import MORNING, ManualClock

QUIET = Snapshot(
    engine=EngineView(state="running"),
    money=MoneyView(day="2026-11-20", day_ends=MORNING + 400 * DAY, month_ends=MORNING + 400 * DAY),
)
WARM = replace(QUIET, money=replace(QUIET.money, today=usd(45)))  # a warning
HOT = replace(QUIET, money=replace(QUIET.money, today=usd(55)))  # critical
OPEN_BREAKER = replace(
    QUIET,
    models={
        "a/m": ModelView(provider="a", model="m", calls=1, breaker="open"),
        "b/m": ModelView(provider="b", model="m", calls=1),
    },
)


class Box:
    """A channel that keeps what it was given, or refuses it."""

    name = "box"

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.refusal: ChannelError | None = None

    async def send(self, notice: Notice) -> None:
        if self.refusal:
            raise self.refusal
        self.taken.append(notice)

    @property
    def kinds(self) -> list[str]:
        return [line.kind.value for notice in self.taken for line in notice.lines]


class Scene:
    """A database, a clock, a snapshot to set, and services that come and go."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock()
        self.snapshot = QUIET
        self.box = Box()
        self.chance = random.Random(7)
        self.settings = AlertSettings()
        self.service = self._new()
        self.sender = ChannelSender(self.box, database, self.clock, self.chance, lambda: self.settings)

    def _new(self) -> AlertService:
        return AlertService(
            self.database, Bus(), lambda: self.snapshot, self.clock, self.chance, self.settings, [self.box]
        )

    async def restart(self) -> None:
        self.service = self._new()
        await self.service.restore()

    async def see(self, snapshot: Snapshot, *, after: int = 0) -> None:
        self.clock.jump(after)
        self.snapshot = snapshot
        await self.service.look()

    async def send(self) -> None:
        async with self.database.reader() as reader:
            lines = await history.waiting(reader, "box", 20)
        if lines:
            await self.sender.deliver(lines)

    async def rows(self, *, open_only: bool = False) -> Sequence[AlertRow]:
        async with self.database.reader() as reader:
            return (await list_alerts(reader, ListAlerts(open_only=open_only), 0)).rows

    async def acknowledge(self, alert_id: str, actor: str = "ada") -> None:
        await self.database.write(lambda tx: acknowledge(tx, alert_id, actor, self.clock.now()))

    async def events(self) -> list[type[Event]]:
        return [type(recorded.event) for recorded in await self.database.events_after(0)]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with Database.open(tmp_path / "engine.db") as database:
        made = Scene(database)
        await made.service.restore()
        yield made


async def test_an_alert_opens_is_told_rises_and_resolves(scene: Scene) -> None:
    for snapshot in (WARM, HOT, QUIET):
        await scene.see(snapshot, after=SECOND)
        await scene.send()

    (row,) = await scene.rows()
    assert (row.rule, row.severity, row.resolved_at, row.notices) == ("day_cost", "critical", MORNING + 3 * SECOND, 3)
    assert scene.box.kinds == ["opened", "escalated", "resolved"]
    assert await scene.events() == [
        AlertOpened,
        NotificationSent,
        AlertUpdated,
        NotificationSent,
        AlertResolved,
        NotificationSent,
    ]


async def test_looking_again_writes_nothing(scene: Scene) -> None:
    await scene.see(WARM)
    commits = scene.database.commits

    for cent in range(50):
        await scene.see(replace(WARM, money=replace(WARM.money, today=usd(45) + cent)), after=SECOND)

    assert scene.database.commits == commits
    assert await scene.events() == [AlertOpened]


async def test_a_restart_remembers_the_alert_and_its_throttle(scene: Scene) -> None:
    await scene.see(HOT)
    await scene.restart()
    await scene.see(HOT, after=MINUTE)
    await scene.send()

    assert len(await scene.rows()) == 1
    assert scene.box.kinds == ["opened"]


async def test_a_condition_that_went_away_during_the_downtime_resolves(scene: Scene) -> None:
    await scene.see(OPEN_BREAKER)
    await scene.restart()
    await scene.see(QUIET, after=HOUR)
    assert len(await scene.rows(open_only=True)) == 1  # it may come back within a minute

    await scene.see(QUIET, after=MINUTE)
    await scene.send()

    assert await scene.rows(open_only=True) == ()
    assert scene.box.kinds == ["opened", "resolved"]


async def test_the_throttle_survives_a_resolution_and_a_restart(scene: Scene) -> None:
    await scene.see(HOT)
    await scene.see(QUIET, after=SECOND)
    await scene.restart()
    await scene.see(HOT, after=SECOND)
    await scene.see(QUIET, after=SECOND)
    await scene.see(HOT, after=SECOND)
    await scene.send()
    assert scene.box.kinds == ["opened", "resolved"]

    await scene.see(HOT, after=30 * MINUTE)
    await scene.send()

    assert scene.box.kinds == ["opened", "resolved", "opened"]
    assert len(await scene.rows()) == 3


async def test_flapping_survives_a_restart(scene: Scene) -> None:
    for _ in range(3):
        await scene.see(OPEN_BREAKER, after=SECOND)
        await scene.see(QUIET, after=SECOND)
        await scene.restart()
        await scene.see(QUIET, after=SECOND)
        await scene.see(QUIET, after=MINUTE)

    assert len(await scene.rows(open_only=True)) == 1


async def test_an_acknowledged_alert_stays_silent_over_a_restart(scene: Scene) -> None:
    await scene.see(WARM)
    (row,) = await scene.rows()
    await scene.acknowledge(row.alert_id)
    await scene.restart()
    await scene.see(HOT, after=5 * HOUR)
    await scene.see(QUIET, after=SECOND)
    await scene.send()

    (row,) = await scene.rows()
    assert scene.box.taken == []  # not even the notice that waited
    assert (row.acknowledged_by, row.acknowledged_at) == ("ada", MORNING)


async def test_an_acknowledgement_is_heard_by_a_running_service(scene: Scene) -> None:
    await scene.see(WARM)
    await scene.send()
    (row,) = await scene.rows()
    await scene.acknowledge(row.alert_id)
    await scene.see(HOT, after=SECOND)  # the service does not know of it yet: the transaction does
    await scene.send()

    assert scene.box.kinds == ["opened"]
    assert AlertAcknowledged in await scene.events()


async def test_acknowledging_is_refused_for_unknown_known_and_past_alerts(scene: Scene) -> None:
    await scene.see(WARM)
    (row,) = await scene.rows()
    refusals = []
    await scene.acknowledge(row.alert_id)
    for alert_id in ("alr_none", row.alert_id):
        with pytest.raises(CommandRefused) as refused:
            await scene.acknowledge(alert_id)
        refusals.append(refused.value.reason)
    await scene.see(QUIET)
    with pytest.raises(CommandRefused) as refused:
        await scene.acknowledge(row.alert_id)

    assert [*refusals, refused.value.reason] == [Refusal.NOT_FOUND, Refusal.CONFLICT, Refusal.CONFLICT]


async def test_the_first_snapshot_sees_the_open_ones(scene: Scene) -> None:
    await scene.see(HOT)

    async with scene.database.reader() as reader:
        (view,) = await open_alerts(reader, 0)

    assert (view.rule, view.severity, view.opened_at) == ("day_cost", "critical", MORNING)


async def test_the_history_pages_newest_first(scene: Scene) -> None:
    for _ in range(5):
        await scene.see(HOT, after=SECOND)
        await scene.see(QUIET, after=SECOND)

    seen: list[int] = []
    cursor: str | None = ""
    async with scene.database.reader() as reader:
        while cursor is not None:
            page = await list_alerts(reader, ListAlerts(open_only=False, limit=2, cursor=cursor), 0)
            seen += [row.opened_at for row in page.rows]
            cursor = page.next

    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 5


async def test_a_foreign_cursor_is_refused(scene: Scene) -> None:
    async with scene.database.reader() as reader:
        with pytest.raises(CommandRefused) as refused:
            await list_alerts(reader, ListAlerts(cursor="job_1"), 0)

    assert refused.value.reason is Refusal.INVALID


async def test_resolved_alerts_are_kept_for_90_days_and_open_ones_for_good(scene: Scene) -> None:
    await scene.see(HOT)
    await scene.see(OPEN_BREAKER)
    day_cost = MORNING

    kept = await scene.database.write(lambda tx: history.prune(tx, day_cost))
    pruned = await scene.database.write(lambda tx: history.prune(tx, day_cost + 1))

    assert (kept, pruned) == (0, 1)
    assert [row.rule for row in await scene.rows()] == ["breaker_open"]
    async with scene.database.reader() as reader:
        assert len(await reader.rows("SELECT * FROM notices")) == 1


async def test_a_failing_channel_keeps_its_notices_until_they_are_old(scene: Scene) -> None:
    scene.box.refusal = ChannelError("box", "refused", final=False)
    await scene.see(HOT)
    for _ in range(3):
        await scene.send()
    (row,) = await scene.rows()
    assert (row.notices, row.last_notice_error) == (0, "box: refused")
    assert (await scene.events()).count(NotificationFailed) == 1

    scene.clock.jump(DAY)
    await scene.send()
    scene.box.refusal = None
    await scene.send()

    assert scene.box.taken == []
    assert (await scene.events()).count(NotificationFailed) == 2


async def test_a_final_refusal_is_not_repeated(scene: Scene) -> None:
    scene.box.refusal = ChannelError("box", "no such mailbox", final=True)
    await scene.see(HOT)
    await scene.send()
    scene.box.refusal = None
    await scene.send()

    failed = [one.event for one in await scene.database.events_after(0) if isinstance(one.event, NotificationFailed)]
    assert scene.box.taken == []
    assert [event.final for event in failed] == [True]


async def test_other_thresholds_count_from_the_next_look(scene: Scene) -> None:
    await scene.see(WARM)
    scene.service.configure(AlertSettings(day_threshold=usd(500)))
    await scene.see(WARM, after=SECOND)

    assert await scene.rows(open_only=True) == ()
