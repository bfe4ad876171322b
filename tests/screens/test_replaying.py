"""A recording on the console's screens: every key of it, what it may not do, and the way back to the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.events import AlertOpened, BreakerChanged, CallSettled, CampaignCreated, DeliveryMoved, Event
from engine.kernel.errors import CommandRefused
from engine.kernel.values import HOUR, MINUTE, SECOND
from engine.runtime import Keyframes
from engine.surface.commands import HaltSending
from engine.surface.queries import (
    CheckHealth,
    CostBreakdown,
    ListAlerts,
    ListBreakers,
    ListBudgets,
    ListCalls,
    ListCampaigns,
    ListDeliveries,
    ListEvents,
)
from engine.surface.rows import LogRow
from screens.recording import Player, Recording, Tape
from screens.sources.replay import ReplaySource
from tests.properties.test_recording import BEGAN, FIRST, HOSTILE, taped
from tests.rig import rig
from tests.screens.harness import Console, console
from tests.screens.rig_source import RigSource, Within
from tests.screens.scripted import ScriptedSource

LENGTH = 30 * MINUTE


def happenings() -> list[Event]:
    """Half an hour: a call each ten seconds, two alerts and a breaker between."""
    events: list[Event] = []
    for number in range(180):
        at = BEGAN + number * 10 * SECOND
        events.append(
            CallSettled(
                at=at,
                attempt_id=f"att_{number}",
                provider="one",
                model="m",
                tool="message",
                campaign_id="",
                account_id="anna",
                tenant_id="",
                user_id="",
                trace_id="",
                outcome="ok" if number % 2 else "rate_limited",
                basis="measured",
                cost=10_000_000,
                input_tokens=10,
                cached_tokens=0,
                output_tokens=5,
                reasoning_tokens=0,
                duration=SECOND,
            )
        )
        if number in (60, 120):
            summary = f"alert {number} {HOSTILE}"
            events.append(
                AlertOpened(at=at, alert_id=f"a{number}", rule="r", subject="", severity="critical", summary=summary)
            )
        if number == 90:
            events.append(BreakerChanged(at=at, provider="one", model="m", state="open", reason="slow", retry_at=None))
    return events


@pytest.fixture
def file(tmp_path: Path) -> Path:
    taped(tmp_path / "r", happenings(), every=50)
    return tmp_path / "r"


@asynccontextmanager
async def replaying(file: Path, **options: object) -> AsyncIterator[tuple[Console, Player]]:
    source = ReplaySource(Recording(file))
    try:
        async with console(source, **options) as running:  # type: ignore[arg-type]
            yield running, source.player
    finally:
        source.close()


async def until(running: Console, true: Callable[[], bool]) -> None:
    """Moves are made on a thread: wait for what they lead to."""
    for _ in range(200):
        if true():
            break
        await asyncio.sleep(0.01)
    await running.settle()
    assert true()


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        (["]"], 60),
        (["]", "]", "["], 60),
        (["}"], 600),
        (["}", "{"], 0),
        (["end"], 1_791),
        (["end", "home"], 0),
        (["end", "]"], 1_791),
        (["["], 0),
        (["n"], 600),
        (["n", "n"], 900),
        (["n", "n", "N"], 600),
        ([".", "."], 10),
        ([".", ".", ".", ","], 10),
    ],
)
async def test_each_key_leads_to_its_moment(file: Path, keys: list[str], seconds: int) -> None:
    names = {
        "]": "right_square_bracket",
        "[": "left_square_bracket",
        "}": "right_curly_bracket",
        "{": "left_curly_bracket",
        ".": "full_stop",
        ",": "comma",
    }
    async with replaying(file) as (running, player):
        for key in keys:
            before = (player.now, player.position)
            await running.press(names.get(key, key))
            stays = key in ("end", "home", "]", "[")
            await until(running, lambda before=before, stays=stays: stays or (player.now, player.position) != before)

        await until(running, lambda: player.now == BEGAN + seconds * SECOND)

        minute, second = divmod(20 + seconds, 60)
        assert f"14:{13 + minute:02}:{second:02}" in running.lines()[-3]


async def test_space_plays_and_pauses_and_plus_makes_it_faster(file: Path) -> None:
    async with replaying(file) as (running, player):
        assert running.keys["space"] == "play or pause"
        for _ in range(7):
            await running.press("plus")
        await until(running, lambda: player.standing().speed == 64.0)
        await running.press("minus")
        await until(running, lambda: player.standing().speed == 32.0)

        await running.press("space")
        await until(running, lambda: player.position > 1)
        assert "▶ ×32" in running.lines()[-3]
        await running.press("space")
        await until(running, lambda: not player.playing)

        stood = player.now
        await asyncio.sleep(0.15)
        assert player.now == stood
        assert "‖ ×32" in running.lines()[-3]


async def test_g_goes_to_a_time_that_is_typed_and_says_what_was_recorded(file: Path) -> None:
    async with replaying(file) as (running, player):
        await running.press("g")
        await running.type("19:00")
        assert "from 14:13 to 14:43" in running.text()
        await running.press("enter")
        assert player.now == BEGAN
        for _ in range(5):
            await running.press("backspace")
        await running.type("14:20")

        await running.press("enter")

        await until(running, lambda: player.now == BEGAN + 6 * MINUTE + 40 * SECOND)


async def test_the_screens_show_the_moment_and_its_marks(file: Path) -> None:
    async with replaying(file) as (running, _):
        assert "RECORDING" in running.lines()[0]
        assert "2026-09-21 14:13" in running.lines()[0]
        assert running.lines()[-3].count("▲") == 2
        await running.press("n")
        await until(running, lambda: "an alert opened" in running.lines()[-3])

        assert "alert 60" in running.text()
        assert "\x1b" not in running.text()
        assert "\u202e" not in running.text()
        await running.press("n")
        await until(running, lambda: "a breaker changed" in running.lines()[-3])


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12)])
async def test_the_bar_fits_whatever_the_size(file: Path, size: tuple[int, int]) -> None:
    async with replaying(file, size=size) as (running, _):
        bar = next(line for line in running.lines() if "×1" in line)

        assert len(bar) <= size[0]
        assert "14:13:20" in bar


async def test_nothing_acts_in_a_recording(file: Path) -> None:
    """No place offers to; the source would refuse, and is never asked."""
    source = ReplaySource(Recording(file))
    asked: list[object] = []

    async def submit(command: object) -> None:
        asked.append(command)

    source.submit = submit  # type: ignore[assignment, method-assign]
    async with console(source) as running:
        for name in ("overview", "queue", "campaigns", "alerts"):
            await running.app.switch_mode(name)
            await running.settle()
            labels = " ".join(running.keys.values())
            for word in ("new campaign", "stop sending", "freeze", "redrive", "pause a", "acknowledge", "approve"):
                assert word not in labels
        await running.app.switch_mode("alerts")
        await running.press("S", "c", "a", "u", "R")
        assert "RECORDING" in running.lines()[0]
        assert asked == []
    source.close()


async def test_a_command_is_refused_by_the_recording_itself(file: Path) -> None:
    source = ReplaySource(Recording(file))

    with pytest.raises(CommandRefused, match="a recording"):
        await source.submit(HaltSending())

    source.close()


async def test_queries_answer_from_the_events_up_to_the_moment_and_no_further(file: Path) -> None:
    source = ReplaySource(Recording(file))
    source.player.step(125)

    calls = await source.query(ListCalls(where={"provider": "one"}, limit=50))
    more = await source.query(ListCalls(where={"provider": "one"}, limit=500, cursor=str(calls.next)))
    none = await source.query(ListCalls(where={"provider": "two"}))
    opened = await source.query(ListAlerts(open_only=False))
    events = await source.query(ListEvents(limit=3))
    sums = await source.query(CostBreakdown(by=("provider",), from_=BEGAN))
    (breaker,) = (await source.query(ListBreakers())).rows

    settled = [f"att_{number}" for number in range(121, -1, -1)]
    assert [row.attempt_id for row in (*calls.rows, *more.rows)] == settled
    assert more.next is None
    assert none.rows == ()
    assert [row.alert_id for row in opened.rows] == ["a120", "a60"]
    assert [row.kind for row in events.rows] == ["CallSettled", "AlertOpened", "CallSettled"]
    assert (sums.rows[0].cost, sums.rows[0].calls, sums.rows[0].failed_calls) == (1_220_000_000, 122, 61)
    assert breaker.state == "open"
    assert (await source.query(ListCampaigns())).rows == ()
    assert (await source.query(ListDeliveries())).rows == ()
    for from_ in (BEGAN - MINUTE, None):
        month = await source.query(CostBreakdown(by=("provider",), from_=from_))
        assert (month.rows, month.since) == (sums.rows, BEGAN)
    assert sums.since == 0
    for unknown in (CheckHealth(), CostBreakdown(from_=BEGAN - HOUR, to=BEGAN - MINUTE)):
        with pytest.raises(CommandRefused, match="not in the recording"):
            await source.query(unknown)
    source.close()


async def test_costs_that_are_not_known_from_the_start_say_since_when(file: Path) -> None:
    async with replaying(file, size=(120, 40)) as (running, player):
        player.step(120)
        await running.app.action_place("costs")
        await until(running, lambda: "$1.18 recorded since 14:13:20" in running.text())
        assert "of $" not in running.lines()[1]

        await running.press("T", "T")  # the last hour began before the recording, its last quarter did not
        await until(running, lambda: "recorded since" in running.text())
        await running.press("T")
        await until(running, lambda: "the last 15 m, since 14:" in running.text())


async def test_a_recording_of_the_first_format_opens_and_says_what_it_lacks(tmp_path: Path) -> None:
    taped(tmp_path / "r", happenings(), every=50)
    content = (tmp_path / "r").read_bytes().replace(b"HUNTAZE RECORDING 2\n", b"HUNTAZE RECORDING 1\n", 1)
    (tmp_path / "old").write_bytes(content)

    async with replaying(tmp_path / "old") as (running, player):
        player.seek(player.recording.ended)
        assert player.recording.flaw == ""
        for place, words in (
            ("costs", "recorded since"),
            ("logs", "the log of then is not in the recording"),
        ):
            await running.app.action_place(place)
            await until(running, lambda words=words: words in running.text())
        assert "engine.log in its state directory" in running.text()
        with pytest.raises(CommandRefused, match="how the budgets stood is not in the recording"):
            await running.app.source.query(ListBudgets())


async def test_no_row_of_a_later_moment_stands_where_the_recording_tells_none(tmp_path: Path) -> None:
    told = {"campaign_id": "c", "account_id": "anna", "fan_id": "zoe", "before": "pending", "reason": ""}
    made = CampaignCreated(
        at=BEGAN, campaign_id="c", name="spring", account_id="anna", tool="message", state="running",
        fans=1, skipped=0, budget=None, starts_at=None,
    )  # fmt: skip
    moved = DeliveryMoved(at=BEGAN + 5 * MINUTE, delivery_id="d", after="queued", **told)
    taped(tmp_path / "r", [made, moved])

    async with replaying(tmp_path / "r") as (running, _):
        await running.press("end")
        await running.app.action_place("campaigns")
        await until(running, lambda: "spring" in running.text())
        await running.press("enter")
        await until(running, lambda: "zoe" in running.text())
        await running.press("left_curly_bracket")
        await until(running, lambda: "none of its deliveries has moved" in running.text())

        assert "zoe" not in running.text()


async def test_the_log_screen_forgets_what_was_not_said_yet_when_the_recording_is_turned_back(tmp_path: Path) -> None:
    run = FIRST.engine.started_at
    tape = Tape(tmp_path / "r", most_bytes=4 << 20)
    tape.begin(FIRST, BEGAN)
    said = [
        LogRow(
            seq=seq,
            at=BEGAN + seq * MINUTE,
            level="info",
            area="a",
            message=f"said {seq}",
            fields={},
            error="",
            trace=(),
        )
        for seq in (1, 2, 3)
    ]
    tape.answer("log", {"run": run, "last": 3}, said)
    tape.close(BEGAN + 10 * MINUTE)

    async with replaying(tmp_path / "r") as (running, _):
        await running.press("end")
        await running.app.action_place("logs")
        await until(running, lambda: "said 3" in running.text())
        await running.press("home")
        await until(running, lambda: "said" not in running.text())
        await running.press("right_square_bracket", "right_square_bracket")
        await until(running, lambda: "said 2" in running.text())
        assert "said 3" not in running.text()


async def test_the_colon_leads_into_a_recording_and_q_back_to_the_engine(file: Path) -> None:
    live = ScriptedSource()
    async with console(live) as running:
        before = running.lines()[0]
        await running.press("colon")
        await running.type(f"replay {file}")
        await running.press("enter")
        await until(running, lambda: "RECORDING" in running.lines()[0])
        assert running.keys["q"] == "back to the engine"
        await running.press("n")
        await until(running, lambda: running.app.source.snapshot().seq > 41)

        await running.press("q")

        await until(running, lambda: running.lines()[0] == before)
        assert "×1" not in running.text()
        assert running.keys["space"] == "freeze"
        assert live.submitted == []


async def test_nothing_that_the_engine_said_stands_in_a_recording(file: Path) -> None:
    """Rows read before, of a screen that the recording knows nothing of, would be of another time."""
    async with console(ScriptedSource()) as running:
        await running.app.action_place("audit")
        await until(running, lambda: "▌" in running.text())
        running.app.action_past(str(file))
        await until(running, lambda: "RECORDING" in running.lines()[0])
        await until(running, lambda: "not in the recording" in running.text())

        assert "▌" not in "\n".join(running.lines()[:4])


async def test_what_is_no_time_and_no_file_is_said(file: Path) -> None:
    async with console() as running:
        running.app.action_past("tomorrow perhaps")
        await until(running, lambda: bool(running.notices))
        assert "14:00" in running.notices[-1]

        file.write_bytes(file.read_bytes()[:10])
        running.app.action_past(str(file))
        await until(running, lambda: len(running.notices) > 1)
        assert "no recording" in running.notices[-1]
        assert "RECORDING" not in running.lines()[0]


async def test_a_recording_cut_short_says_so_in_its_bar(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-39])

    async with replaying(file) as (running, _):
        assert "ends early" in running.lines()[-3]


async def test_a_key_records_what_happens_and_says_how_large_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with rig(tmp_path) as play:
        await Keyframes(play.database, lambda: play.projector.snapshot).keep(play.projector.snapshot)
        source = RigSource(Within(play))
        async with console(source) as running:
            await running.press("R")
            await until(running, lambda: "● rec" in running.lines()[0])
            (file,) = tmp_path.glob("huntaze-*.rec")
            await play.create(count=3)
            await play.write()
            await running.press("R")
            await until(running, lambda: any("Recorded" in notice for notice in running.notices))

            assert "● rec" not in running.lines()[0]
            with Recording(file) as found:
                assert found.snapshot(found.events) == play.projector.snapshot
                assert found.events > 3
            await running.press("colon")
            await running.type("replay 1m")
            await running.press("enter")
            await until(running, lambda: "RECORDING" in running.lines()[0])


async def test_files_of_this_host_are_not_for_who_is_elsewhere(file: Path) -> None:
    async with console(files=False) as running:
        await running.press("R")
        running.app.action_past(str(file))
        await until(running, lambda: bool(running.notices))

        assert "RECORDING" not in running.lines()[0]
        assert list(Path.cwd().glob("huntaze-*.rec")) == []
