"""What an operator does to campaigns and their messages, by keys, over the real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.messaging.platform import Uncertain
from engine.surface import commands
from tests.rig import Rig, answer
from tests.screens.harness import console
from tests.screens.rig_source import LINKS, RigSource, acting, asked, looking, until
from tests.screens.scripted import ScriptedSource


@pytest.fixture(params=LINKS)
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Rig, RigSource]]:
    async with acting(tmp_path, request.param) as made:
        yield made


async def drafted(play: Rig, *texts: str) -> str:
    """A campaign whose texts, one a fan, wait for a yes."""
    campaign_id = await play.create(count=len(texts), prompt="Say hello", approval="required")
    play.providers["one"].script += [answer(text) for text in texts]
    await play.write()
    await play.metered.drain()
    return campaign_id


async def test_a_draft_is_scheduled_with_its_cost_shown_first(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    campaign_id = await play.create(start=False, prompt="Say hello")
    async with looking(source) as running:
        await running.press("6", "t")
        await running.type("tomorrow 09:00")
        shown = await until(running, "Send to 3 fans of anna for")
        assert "Starts" in shown

        await running.press("enter")
        await until(running, "spring is scheduled")

    assert await play.state(campaign_id) == "scheduled"
    (row,) = await play.rows("SELECT starts_at FROM campaigns")
    assert row["starts_at"] > play.clock.now()


async def test_a_start_in_the_past_is_refused_under_its_field_and_nothing_is_done(
    stage: tuple[Rig, RigSource],
) -> None:
    play, source = stage
    campaign_id = await play.create(start=False)
    async with looking(source) as running:
        await running.press("6", "t")
        await running.type("2020-01-01 10:00")
        await running.press("enter")

        assert "this time is past" in running.text()
        await running.press("escape")

    assert source.commands == []
    assert await play.state(campaign_id) == "draft"


async def test_a_large_campaign_is_scheduled_only_by_its_name(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    campaign_id = await play.create(start=False)
    async with looking(source, typed_above=2) as running:
        await running.press("6", "t")
        await running.type("now")
        await running.press("enter")
        assert "type spring" in running.text()
        assert source.commands == []

        await running.type("spring")
        await until(running, "Send to 3 fans")
        await running.press("enter")
        await until(running, "spring is")

    assert await play.state(campaign_id) == "running"


async def test_texts_are_marked_by_their_risk_and_only_the_marked_are_approved(
    stage: tuple[Rig, RigSource],
) -> None:
    play, source = stage
    campaign_id = await drafted(play, "Good morning you", "Come find me at www.example.com", "Miss you already")
    async with looking(source) as running:
        await running.press("6", "enter", "m")
        shown = await until(running, "holds a link or an address")
        assert shown.index("● medium") < shown.index("✔ none found")

        await running.press("down", "x", "home", "space")
        assert "2 texts marked" in running.text()
        await running.press("a")
        assert "Approve 2 marked texts of spring?" in running.text()
        assert "2 messages go out, and cannot be called back." in asked(running)
        assert "Among them 2 without a finding." in running.text()
        await running.press("y")
        await until(running, "2 texts of spring are approved")

    assert await play.states(campaign_id) == {"queued": 2, "drafted": 1}
    (left,) = await play.rows("SELECT text, risk FROM deliveries WHERE state = 'drafted'")
    assert "www.example.com" in left["text"]
    assert left["risk"] == "medium"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_what_is_marked_is_what_is_in_sight(size: tuple[int, int]) -> None:
    async with console(size=size) as running:
        await running.press("6", "enter", "m", "x")
        seen = sum("■" in line for line in running.lines())

        assert f"{seen} texts marked" in running.text()
        await running.press("x")
        assert "0 texts marked" in running.text()


async def test_a_text_that_became_another_is_not_approved(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    campaign_id = await drafted(play, "Good morning you", "Good evening you")
    async with looking(source) as running:
        await running.press("6", "enter", "m", "x", "a")
        await play.database.write(lambda tx: tx.execute("UPDATE deliveries SET text = 'other', digest = 'other'"))
        await running.press("y")
        await until(running, "is not the one you read")

    assert await play.states(campaign_id) == {"drafted": 2}


async def test_marked_texts_are_rejected_with_the_reason_given(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    campaign_id = await drafted(play, "Good morning you", "Good evening you")
    async with looking(source) as running:
        await running.press("6", "enter", "m", "x", "d")
        await running.type("off tone")
        await until(running, "These fans get nothing")
        await running.press("enter")
        await until(running, "2 texts of spring are rejected")

    rows = await play.rows("SELECT state, reason FROM deliveries WHERE campaign_id = ?", campaign_id)
    assert [(row["state"], row["reason"]) for row in rows] == [("rejected", "off tone")] * 2


async def test_the_risk_turns_the_list(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await drafted(play, "Good morning you", "Let us meet me in person", "I promise $20 off")
    async with looking(source) as running:
        await running.press("6", "enter", "m")
        await running.press("v")
        await until(running, "no drafted text of high risk")
        await running.press("v")
        await until(running, "speaks of meeting in person")
        assert "Good morning" not in running.text()


async def test_a_campaign_is_paused_and_resumed_with_how_many_wait(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    campaign_id = await play.create()
    await play.write()
    async with looking(source) as running:
        await running.press("6", "p")
        await until(running, "spring is paused")
        assert await play.state(campaign_id) == "paused"

        await until(running, "r resume")
        for key in ("r", "u"):
            await running.press(key)
            await until(running, "y yes")
            assert "Resume spring? 3 messages wait, until" in asked(running)
            await running.press("n")
        await running.press("r")
        assert "Resume spring? 3 messages wait, until" in asked(running)
        await running.press("y")
        await until(running, "spring is running")

    assert await play.state(campaign_id) == "running"


async def test_uncertain_sends_are_settled_together(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    campaign_id = await play.create()
    await play.write()
    play.platform.script += [Uncertain("no answer came")] * 3
    await play.send()
    assert await play.states(campaign_id) == {"uncertain": 3}
    async with looking(source) as running:
        await running.press("6", "enter", "E", "s")
        assert "Say that all 3 uncertain sends of spring are sent?" in running.text()
        await running.press("y")
        await until(running, "3 messages of spring are sent")

    assert await play.states(campaign_id) == {"sent": 3}


async def test_the_delivery_says_why_nothing_was_sent_and_what_was_looked_at(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await play.create()
    await play.write()
    await play.desk.submit(commands.SuppressFan(account_id="anna", fan_id="f0", reason="by law"))
    async with looking(source) as running:
        await running.press("6", "enter", "home", "enter")
        shown = await until(running, "It will not be sent: suppressed here: by law.")

        for name in ("campaign", "budget", "moderation", "approval", "consent", "sending", "account", "window"):
            assert name in shown


async def test_a_dead_writing_job_is_told_with_its_cause(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await play.create(count=1, prompt="Say hello")
    (lease,) = await play.lease_writing()
    await play.database.write(lambda tx: play.jobs.bury(tx, lease, "the model never answered"))
    async with looking(source) as running:
        await running.press("6", "enter", "enter")
        shown = await until(running, "its job failed for good after 1 tries: the model never answered")

        assert "Redrive or discard its job in the queue." in shown


async def test_nothing_is_offered_over_a_link_that_may_only_look(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await drafted(play, "Good morning you")
    source.read_only = True
    async with looking(source) as running:
        await running.press("6", "enter", "m", "x")
        for key in ("a", "d"):
            assert key not in running.keys
        await running.press("a", "d", "escape", "t", "A")
        assert "Approve" not in running.text()

    assert source.commands == []


@pytest.mark.parametrize("readonly", [True, False])
async def test_who_would_stop_everything_and_may_not_is_told_so(readonly: bool) -> None:
    source = ScriptedSource() if readonly else ScriptedSource("stale")
    why = "This console may only look (read-only)" if readonly else "There is no link to the engine"
    async with console(source, read_only=readonly) as running:
        await running.press("S")
        await until(running, f"{why}: sending goes on.")
        await running.press("colon")
        await running.type("stop")
        await running.press("enter")
        await until(running, f"halt cannot be done here, now. {why}.")

    assert source.submitted == []


async def test_under_a_question_stand_its_keys_and_no_others() -> None:
    async with console() as running:
        await running.press("6", "x")
        assert running.lines()[-2:] == [" y yes  n no", ""]
        await running.press("n", "t")
        assert running.lines()[-2:] == [" esc leave  enter go on", ""]
        await running.press("escape")
        assert "6 campaigns" in running.lines()[-1]


async def test_a_cut_link_takes_the_acts_away(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await drafted(play, "Good morning you")
    async with looking(source) as running:
        await running.press("6", "enter")
        assert "A" in running.keys
        source.up = False
        await running.settle()

        assert "A" not in running.keys
