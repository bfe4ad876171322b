"""What an operator changes while the engine runs, by keys, over the real engine: limits, thresholds, routes, breakers,
flags, trials, silences; what each would do is shown before it is confirmed, and a refusal does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.kernel.values import HOUR, MINUTE, usd
from engine.surface import commands, queries
from engine.surface.commands import SetBudget
from tests.rig import Rig
from tests.screens.harness import Console
from tests.screens.rig_source import LINKS, RigSource, acting, asked, looking, until


@pytest.fixture(params=LINKS)
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Rig, RigSource]]:
    async with acting(tmp_path, request.param) as made:
        yield made


async def go(running: Console, place: str) -> None:
    """To a place that has no number."""
    await running.app.action_place(place)
    await running.settle()


async def retype(running: Console, text: str) -> None:
    """Other words in the field that has the cursor."""
    await running.press("end", "ctrl+u")
    await running.type(text)


def said(text: str) -> str:
    """The words on the screen, however they are folded."""
    return " ".join(text.replace("│", " ").split())


async def one(play: Rig, query: queries.Query) -> Any:
    return (await play.desk.query(query)).rows[0]


async def spent(play: Rig) -> None:
    """A campaign of three fans, the first text paid for."""
    await play.create(prompt="Say hello")
    await play.write(limit=1)
    await play.metered.drain()


async def test_a_limit_is_lowered_with_what_it_would_stop_shown(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await spent(play)
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(50)))
    async with looking(source) as running:
        await go(running, "budgets")
        await until(running, "everything")
        await running.press("e")
        await retype(running, "0.00001")
        shown = said(await until(running, "1 campaign (spring)"))
        assert "limit $50.00 → " in shown, shown

        assert len(source.commands) == 0
        await running.press("enter")
        await until(running, "may spend")

    assert (await one(play, queries.ListBudgets())).limit == usd("0.00001")


async def test_a_limit_that_is_none_is_refused_under_its_field(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(50)))
    async with looking(source) as running:
        await go(running, "budgets")
        await until(running, "everything")
        await running.press("enter")
        await retype(running, "lots")
        await running.press("enter")

        assert "dollars such as 5.00" in running.text()
        await running.press("escape")

    assert source.commands == []


async def test_a_limit_is_given_and_taken_away_and_the_last_act_is_undone(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    async with looking(source) as running:
        await go(running, "budgets")
        await until(running, "no budget is set")
        await running.press("n", "down", "down", "down")
        await running.type("20")
        await until(running, "limit none → $20.00")
        await running.press("enter")
        await until(running, "may spend 20")

        await running.press("x")
        await until(running, "limit $20.00 → none")
        await running.press("y")
        await until(running, "has no limit")
        assert (await play.desk.query(queries.ListBudgets())).rows == ()
        await until(running, "u undoes")
        await running.press("u")
        await until(running, "Put the limit of everything by the day back to $20.00?")
        assert "limit none → $20.00" in asked(running)
        await running.press("y")
        await until(running, "is undone")

    assert (await one(play, queries.ListBudgets())).limit == usd(20)


async def test_a_threshold_is_changed_while_running_and_the_alerts_obey(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await spent(play)
    async with looking(source) as running:
        await go(running, "thresholds")
        await until(running, "$50.00")
        await running.press("e")
        await retype(running, "0.00001")
        await until(running, "an alert would open: critical")
        await running.press("enter")
        await until(running, "An alert is critical from 0.00001 USD")
        await until(running, "operator")

    assert play.obeyed[-1].day_threshold == usd("0.00001")
    assert play.desk.snapshot().money.day_threshold == usd("0.00001")


async def test_an_alert_is_taken_away_by_a_key_that_asks_and_not_by_an_emptied_field(
    stage: tuple[Rig, RigSource],
) -> None:
    play, source = stage
    async with looking(source) as running:
        await go(running, "thresholds")
        await until(running, "$50.00")
        await running.press("e")
        await retype(running, "")
        await running.press("enter")
        await until(running, "dollars such as 50.00")
        await running.press("escape")
        assert source.commands == []

        await running.press("d")
        await until(running, "Alert no more however much a day costs?")
        assert "day $50.00 → none" in asked(running)
        await running.press("y")
        await until(running, "no alert")

    assert play.obeyed[-1].day_threshold is None


async def test_a_route_is_changed_with_who_would_take_it_shown(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    async with looking(source) as running:
        await go(running, "routes")
        await until(running, "message")
        await running.press("e", "down")
        await retype(running, "two/m, one/m")
        shown = said(await until(running, "would take: two/m for message"))
        assert "a text instead of one/m at ~$" in shown
        await running.press("enter")
        await until(running, "is routed fixed over two/m, one/m")

    assert (await one(play, queries.ListRoutes(tool="message"))).chain == ("two/m", "one/m")


async def test_a_route_over_nobody_is_refused_by_the_engine_and_cannot_be_confirmed(
    stage: tuple[Rig, RigSource],
) -> None:
    _, source = stage
    async with looking(source) as running:
        await go(running, "routes")
        await until(running, "message")
        await running.press("e", "down")
        await retype(running, "nobody/m")
        await until(running, "is not a provider")
        await running.press("enter")
        await running.settle()
        assert "is not a provider" in running.text()

    assert source.commands == []


async def test_a_breaker_is_held_open_with_what_moves_shown_and_let_go(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await spent(play)
    async with looking(source) as running:
        await running.press("3")
        await until(running, "one m")
        await running.press("b", "o")
        await until(running, "message would go to two/m")
        await running.press("y")
        await until(running, "is asked no more")
        await running.press("b", "l")
        await until(running, "move by itself again?")
        await running.press("y")
        await until(running, "moves by itself again")

    assert [getattr(command, "state", None) for command in source.commands] == ["open", "auto"]
    assert {row.state for row in (await play.desk.query(queries.ListBreakers())).rows} == {"closed"}


async def test_a_flag_is_switched_off_with_whom_that_touches_shown(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await spent(play)
    async with looking(source) as running:
        await go(running, "flags")
        await until(running, "use_hybrid_orchestrator")
        await running.press("s")
        await until(running, "for 1 → 0 of 1 user")
        await running.press("y")
        await until(running, "✖ off")

    assert not (await one(play, queries.ListFlags())).enabled


async def test_a_trial_is_begun_and_ended(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await spent(play)
    async with looking(source) as running:
        await go(running, "trials")
        await until(running, "no model was tried")
        await running.press("n")
        await running.type("message")
        await running.press("down")
        await running.type("two/m")
        await running.press("down")
        await retype(running, "50")
        await until(running, "would try two/m on")
        await running.press("enter")
        await until(running, "▶ 50 %")
        await running.press("x")
        await until(running, "Nothing is tried on message")

    assert [type(command) for command in source.commands] == [commands.SetShadow] * 2


async def test_alerts_are_silenced_until_a_time_with_those_matched_shown_and_the_silence_ended(
    stage: tuple[Rig, RigSource],
) -> None:
    play, source = stage
    async with looking(source) as running:
        await running.press("7", "s")
        await running.type("breaker_open")
        await until(running, "It would match no alert that is open now.")
        await running.press("down", "down", "down")
        await retype(running, "4 h")
        await running.press("down")
        await running.type("being worked on")
        await running.press("enter")
        await running.press("i")
        await until(running, "breaker_open")
        row = await one(play, queries.ListSilences())
        assert 0 <= row.ends_at - play.clock.now() - 4 * HOUR < MINUTE  # an attached console's clock runs on
        await running.press("x")
        await until(running, "nothing is silenced")

    assert (await play.desk.query(queries.ListSilences())).rows == ()


async def test_a_silence_of_everything_or_for_ever_is_refused(stage: tuple[Rig, RigSource]) -> None:
    _, source = stage
    async with looking(source) as running:
        await running.press("7", "s", "down", "down", "down")
        await retype(running, "90 d")
        await running.press("enter")

        assert "a rule, a subject or a severity" in running.text()
        assert "30 days at most" in running.text()
        await running.press("escape")

    assert source.commands == []


async def test_the_audit_shows_before_and_after_and_puts_back(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(50), actor="mia"))
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(30), actor="mia"))
    async with looking(source) as running:
        await go(running, "audit")
        shown = await until(running, "set-budget")
        assert "mia" in shown
        assert "50" in shown
        assert "→" in shown
        await running.press("enter")
        await until(running, "u undoes it")
        await running.press("u")
        await until(running, "Put the limit of everything by the day back to $50.00?")
        assert "limit $30.00 → $50.00" in asked(running)
        assert "It undoes what mia did at " in asked(running)
        assert "refused if that changed again since" in asked(running)
        await running.press("y")
        await until(running, "is undone")
        await until(running, "undone by 3")
        await running.press("escape")
        await until(running, "undo-action")

    assert (await one(play, queries.ListBudgets())).limit == usd(50)


async def test_what_was_done_is_forgotten_with_the_history_it_stands_in(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(50)))
    async with looking(source) as running:
        await go(running, "budgets")
        await until(running, "everything")
        await running.press("x")
        await until(running, "limit $50.00 → none")
        await running.press("y")
        await until(running, "u undoes")
        assert "u" in running.keys
        source.epoch = "another"
        await running.settle()
        assert "u" not in running.keys
        await running.press("u")

    assert [type(command) for command in source.commands] == [commands.RemoveBudget]


async def test_an_undo_that_came_too_late_is_refused_and_changes_nothing(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(50)))
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(30)))
    async with looking(source) as running:
        await go(running, "audit")
        await until(running, "set-budget")
        await running.press("u")
        await until(running, "Put the limit")
        await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(10)))
        await running.press("y")
        await until(running, "changed again since")

    assert (await one(play, queries.ListBudgets())).limit == usd(10)


async def test_no_act_is_offered_over_a_link_that_may_only_look(stage: tuple[Rig, RigSource]) -> None:
    play, source = stage
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(50)))
    source.read_only = True
    async with looking(source) as running:
        for place in ("budgets", "thresholds", "routes", "flags", "trials", "silences", "audit"):
            await go(running, place)
            assert not {"e", "n", "x", "s", "u", "b"} & running.keys.keys(), place
            await running.press("e", "x", "u")

    assert source.commands == []
