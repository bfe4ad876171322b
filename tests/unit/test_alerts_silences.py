"""Alert silences: what they cover is not told, and told when they end, which they do also over restarts."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.alerts import AlertService, AlertSettings, ChannelError, Rule, create_silence, end_silence, silences
from engine.alerts import unacknowledge as take_back
from engine.alerts.history import acknowledge, waiting
from engine.alerts.sender import ChannelSender
from engine.bus import Bus
from engine.events import AlertsSilenced, SilenceEnded
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, usd
from engine.storage import Database
from engine.surface.commands import SilenceAlerts
from engine.surface.projection import fold
from engine.surface.queries import ListAlerts, ListSilences
from engine.surface.snapshot import EngineView, MoneyView, SilenceView, Snapshot, matches
from tests.fakes import MORNING, ManualClock

QUIET = Snapshot(
    engine=EngineView(state="running"),
    money=MoneyView(day="2026-11-20", day_ends=MORNING + 400 * DAY, month_ends=MORNING + 400 * DAY),
)
WARM = replace(QUIET, money=replace(QUIET.money, today=usd(45)))  # a warning
HOT = replace(QUIET, money=replace(QUIET.money, today=usd(55)))  # critical


class Box:
    """A channel that keeps what it was given, or is down."""

    name = "box"

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.down = False

    async def send(self, notice: Any) -> None:
        if self.down:
            raise ChannelError("box", "down", final=False)
        self.kinds += [line.kind.value for line in notice.lines]


class Scene:
    """A database, a clock, a snapshot to set, and services that come and go."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock, self.box = database, ManualClock(), Box()
        self.snapshot, self.settings, self.chance = QUIET, AlertSettings(), random.Random(7)
        self.sender = ChannelSender(self.box, database, self.clock, self.chance, lambda: self.settings)
        self.made = 0

    async def start(self) -> None:
        self.service = AlertService(
            self.database, Bus(), lambda: self.snapshot, self.clock, self.chance, self.settings, [self.box]
        )
        await self.service.restore()

    async def see(self, snapshot: Snapshot, *, after: int = 0) -> list[str]:
        """What was sent until now."""
        self.clock.jump(after)
        self.snapshot = snapshot
        await self.service.look()
        async with self.database.reader() as reader:
            lines = await waiting(reader, "box", 20)
        if lines:
            await self.sender.deliver(lines)
        return self.box.kinds

    async def silence(self, **fields: Any) -> str:
        given = {"reason": "deploying", "ends_at": self.clock.now() + HOUR, "rule": "day_cost", **fields}
        self.made += 1
        silence_id = f"sil_{self.made}"
        command = SilenceAlerts(actor="ada", **given)
        await self.database.write(lambda tx: create_silence(tx, silence_id, command, self.clock.now()))
        return silence_id

    async def end(self, silence_id: str) -> None:
        await self.database.write(lambda tx: end_silence(tx, silence_id, "ada", self.clock.now()))

    async def silenced_until(self) -> int | None:
        from engine.alerts import list_alerts

        async with self.database.reader() as reader:
            page = await list_alerts(reader, ListAlerts(), self.clock.now())
        return page.rows[0].silenced_until

    async def projected(self) -> Snapshot:
        return fold(Snapshot(), await self.database.events_after(0))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with Database.open(tmp_path / "engine.db", synchronous="OFF") as database:
        made = Scene(database)
        await made.start()
        yield made


async def test_a_silenced_alert_opens_and_shows_and_tells_nobody(scene: Scene) -> None:
    await scene.silence()

    assert await scene.see(HOT) == []

    (view,) = (await scene.projected()).alerts.values()
    assert view.silenced_until == await scene.silenced_until() == MORNING + HOUR


async def test_what_is_still_open_when_a_silence_ends_is_told_then(scene: Scene) -> None:
    await scene.silence()
    await scene.see(HOT)
    assert await scene.see(HOT, after=HOUR - SECOND) == []

    assert await scene.see(HOT, after=SECOND) == ["opened"]

    after = await scene.projected()
    assert after.silences == {}
    assert [view.silenced_until for view in after.alerts.values()] == [None]
    ended = [one.event for one in await scene.database.events_after(0) if isinstance(one.event, SilenceEnded)]
    assert [(one.silence_id, one.actor, one.at) for one in ended] == [("sil_1", "", MORNING + HOUR)]


async def test_what_resolved_under_a_silence_is_never_told(scene: Scene) -> None:
    await scene.silence()
    await scene.see(HOT)
    await scene.see(QUIET, after=MINUTE)

    assert await scene.see(QUIET, after=2 * HOUR) == []


async def test_a_silence_outlasts_a_restart_and_ends_in_its_time(scene: Scene) -> None:
    await scene.silence()
    await scene.see(HOT)
    await scene.start()
    assert await scene.see(HOT, after=MINUTE) == []

    await scene.start()

    assert await scene.see(HOT, after=HOUR) == ["opened"]


async def test_a_silence_that_ended_while_nothing_ran_is_over_with_the_first_look(scene: Scene) -> None:
    await scene.silence()
    await scene.see(HOT)
    scene.clock.jump(3 * HOUR)
    await scene.start()

    assert await scene.see(HOT) == ["opened"]
    assert (await scene.projected()).silences == {}


async def test_ended_early_it_tells_at_once(scene: Scene) -> None:
    silence_id = await scene.silence()
    await scene.see(HOT)
    await scene.end(silence_id)
    await scene.start()

    assert await scene.see(HOT, after=SECOND) == ["opened"]


async def test_a_running_service_hears_of_silences_by_their_events(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "engine.db", synchronous="OFF") as database:
        scene = Scene(database)
        await scene.start()
        silence_id = await scene.silence()
        await scene.see(HOT)
        await scene.end(silence_id)
        recorded = [one for one in await database.events_after(0) if isinstance(one.event, SilenceEnded)]

        scene.service._hear(recorded[0])

        assert await scene.see(HOT, after=SECOND) == ["opened"]


async def test_a_notice_that_still_waits_is_withdrawn_and_said_after_the_silence(scene: Scene) -> None:
    scene.box.down = True
    await scene.see(HOT)
    await scene.silence()
    scene.box.down = False
    await scene.start()
    assert await scene.see(HOT, after=MINUTE) == []

    assert await scene.see(HOT, after=HOUR) == ["opened"]


async def test_what_was_told_before_is_not_told_anew_but_reminded_of(scene: Scene) -> None:
    assert await scene.see(HOT) == ["opened"]
    await scene.silence(ends_at=MORNING + 5 * HOUR)
    await scene.start()
    assert await scene.see(HOT, after=4 * HOUR + MINUTE) == ["opened"]

    assert await scene.see(HOT, after=HOUR) == ["opened", "reminder"]


async def test_what_grew_worse_under_a_silence_is_told_after_it(scene: Scene) -> None:
    await scene.see(WARM)
    await scene.silence()
    await scene.start()
    assert await scene.see(HOT, after=MINUTE) == ["opened"]

    assert await scene.see(HOT, after=HOUR) == ["opened", "escalated"]


async def test_a_silence_of_warnings_lets_what_is_critical_through(scene: Scene) -> None:
    await scene.silence(rule="", severity="warning")
    assert await scene.see(WARM) == []
    assert await scene.silenced_until() is not None

    assert await scene.see(HOT, after=SECOND) == ["opened"]
    assert [view.silenced_until for view in (await scene.projected()).alerts.values()] == [None]


async def test_of_two_silences_the_longer_counts(scene: Scene) -> None:
    await scene.silence()
    await scene.silence(rule="day_*", ends_at=MORNING + 2 * HOUR)
    await scene.see(HOT)
    assert await scene.silenced_until() == MORNING + 2 * HOUR
    assert await scene.see(HOT, after=HOUR + MINUTE) == []

    assert await scene.see(HOT, after=HOUR) == ["opened"]


async def test_a_silence_of_something_else_changes_nothing(scene: Scene) -> None:
    await scene.silence(rule="queue_age")
    await scene.silence(rule="", subject="openai/*")

    assert await scene.see(HOT) == ["opened"]


async def test_an_acknowledgement_that_is_taken_back_notifies_again(scene: Scene) -> None:
    scene.box.down = True
    await scene.see(HOT)
    (alert_id,) = (await scene.projected()).alerts
    await scene.database.write(lambda tx: acknowledge(tx, alert_id, "ada", scene.clock.now()))
    await scene.database.write(lambda tx: take_back(tx, alert_id, "ada", scene.clock.now()))
    scene.box.down = False
    await scene.start()

    assert await scene.see(HOT, after=SECOND) == ["opened"]
    assert [view.acknowledged_by for view in (await scene.projected()).alerts.values()] == [""]


# ── what a silence may be ───────────────────────────────────────────────────────────────────────────────────────────

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rule": ""}, "rule"),
    ({"rule": "*"}, "rule"),
    ({"rule": "", "subject": "*"}, "rule"),
    ({"rule": "no_such_rule"}, "rule"),
    ({"rule": "zz*"}, "rule"),
    ({"rule": "queue*age"}, "rule"),
    ({"rule": "", "subject": "a*b*"}, "subject"),
    ({"rule": "", "subject": "\x1b[31mred"}, "subject"),
    ({"rule": "", "subject": "x" * 201}, "subject"),
    ({"severity": "dire"}, "severity"),
    ({"reason": ""}, "reason"),
    ({"reason": " \u200b\n"}, "reason"),
    ({"reason": "x" * 501}, "reason"),
    ({"ends_at": MORNING}, "ends_at"),
    ({"ends_at": MORNING + 30 * DAY + 1}, "ends_at"),
    ({"ends_at": 2**70}, "ends_at"),
]


@pytest.mark.parametrize(("fields", "field"), WRONG)
async def test_a_silence_says_something_in_particular_and_ends(
    scene: Scene, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(CommandRefused) as caught:
        await scene.silence(**fields)

    assert (caught.value.reason, caught.value.field) == (Refusal.INVALID, field)
    assert (await scene.projected()).silences == {}


async def test_no_more_than_so_many_live_at_once(scene: Scene) -> None:
    for _ in range(silences.MOST):
        await scene.silence()

    with pytest.raises(CommandRefused, match="End one"):
        await scene.silence()


async def test_an_end_is_refused_for_what_is_unknown_or_over(scene: Scene) -> None:
    silence_id = await scene.silence()
    await scene.end(silence_id)

    for name, reason in (("sil_nobody", Refusal.NOT_FOUND), (silence_id, Refusal.CONFLICT)):
        with pytest.raises(CommandRefused) as caught:
            await scene.end(name)
        assert caught.value.reason is reason


async def test_hostile_words_of_a_reason_are_made_harmless(scene: Scene) -> None:
    await scene.silence(reason="\x1b[31mred\u202e\nnext [b]line[/b]")

    (view,) = (await scene.projected()).silences.values()
    assert view.reason == "[31mred next [b]line[/b]"


async def test_silences_are_listed_live_ones_and_all(scene: Scene) -> None:
    await scene.silence(ends_at=MORNING + 3 * HOUR)
    await scene.silence(rule="queue_age", ends_at=MORNING + HOUR)
    await scene.see(HOT)
    await scene.see(HOT, after=2 * HOUR)

    async def listed(**query: Any) -> list[tuple[str, int]]:
        found, cursor = [], ""
        while True:
            async with scene.database.reader() as reader:
                query_ = ListSilences(limit=1, cursor=cursor, **query)
                page = await silences.list_silences(reader, query_, scene.clock.now())
            found += [(row.silence_id, row.matched) for row in page.rows]
            if page.next is None:
                return found
            cursor = page.next

    assert await listed() == [("sil_1", 1)]
    assert await listed(all=True) == [("sil_2", 0), ("sil_1", 1)]


# ── the two ways to match agree ─────────────────────────────────────────────────────────────────────────────────────

patterns = st.sampled_from(["", "*", "a", "a*", "ab", "ab*", "b", "a%", "_*", "é*"])


@given(patterns, patterns, st.sampled_from(["", "a", "ab", "abc", "b", "a%", "éa"]))
def test_an_empty_pattern_matches_all_and_a_star_any_ending(rule: str, subject: str, value: str) -> None:
    view = SilenceView(
        silence_id="s", rule=rule, subject=subject, severity="", reason="", actor="", created_at=0, ends_at=1
    )

    assert view.covers(value, value, "info") == (matches(rule, value) and matches(subject, value))
    assert matches(rule, value) == (
        rule == "" or rule == value or (rule[-1:] == "*" and value[: len(rule) - 1] == rule[:-1])
    )


async def test_the_database_matches_as_the_pipeline_does(scene: Scene) -> None:
    await scene.see(HOT)
    for rule in ("day_cost", "day*", "d*", "month_cost", "m*"):
        await scene.silence(rule=rule)
    async with scene.database.reader() as reader:
        page = await silences.list_silences(reader, ListSilences(), scene.clock.now())
        live = await silences.live(reader, scene.clock.now())

    assert len(page.rows) == 5
    assert {row.silence_id: row.matched for row in page.rows} == {
        one.silence_id: int(one.covers(Rule.DAY_COST, "", "critical")) for one in live
    }
    assert sum(isinstance(one.event, AlertsSilenced) for one in await scene.database.events_after(0)) == 5
