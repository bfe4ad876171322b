"""Operators and failing models, at the desk: breakers held across restarts, recoveries shown, outages rehearsed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from engine.events import BreakerChanged, CallSettled, DrillEnded, FallbackTaken
from engine.kernel.errors import CommandRefused, ErrorClass, ProviderError
from engine.kernel.values import SECOND, NanoUSD
from engine.orchestrator import Target, Task
from engine.providers import Message, Role
from engine.surface.commands import ForceBreaker, RunDrill
from engine.surface.queries import ListBreakers, PlanDrill
from engine.surface.snapshot import quantile
from huntaze_console.cli import drill
from huntaze_console.cli.paper import money
from huntaze_console.cli.root import huntaze
from tests.fakes import ManualClock
from tests.integration.test_api_desk import serving
from tests.rig import COST, SETTINGS, Rig, answer, rig

ONE, TWO = Target("one", "m"), Target("two", "m")


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path, clock=ManualClock(auto=True)) as made:
        yield made


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, "fresh": True, **changes})


def failure(name: str = "one", error_class: ErrorClass = ErrorClass.SERVER_ERROR) -> ProviderError:
    return ProviderError(name, "m", error_class, "no", reached=False)


async def shut(play: Rig, target: Target) -> None:
    for _ in range(SETTINGS.breaker.least_calls):
        play.providers[target.provider].script.append(failure(target.provider))
        with pytest.raises(ProviderError):
            await play.guarded.complete(task(), target)


async def force(play: Rig, state: Any, target: Target = ONE) -> str:
    command = ForceBreaker(actor="alice", provider=target.provider, model=target.model, state=state)
    return (await play.desk.submit(command)).summary


async def breakers(play: Rig) -> dict[str, Any]:
    return {f"{row.provider}/{row.model}": row for row in (await play.desk.query(ListBreakers())).rows}


async def events(play: Rig, kind: type) -> list[Any]:
    await play.metered.drain()
    return [one.event for one in await play.database.events_after(0) if isinstance(one.event, kind)]


# ── breakers ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_model_of_a_chain_is_listed_also_before_its_first_call(play: Rig) -> None:
    assert {name: row.state for name, row in (await breakers(play)).items()} == {"one/m": "closed", "two/m": "closed"}


async def test_a_model_held_open_is_asked_by_nobody_until_it_is_given_back(play: Rig) -> None:
    await force(play, "open")
    asked = [(await play.orchestrator.complete(task())).target for _ in range(3)]
    play.clock.jump(3_600 * SECOND)
    later = (await play.orchestrator.complete(task())).target

    await force(play, "auto")

    assert [*asked, later] == [TWO] * 4
    assert not play.providers["one"].requests
    assert (await play.orchestrator.complete(task())).target == ONE


async def test_the_reason_names_the_operator_and_the_screens_see_it(play: Rig) -> None:
    await force(play, "open")

    row = (await breakers(play))["one/m"]
    model = play.desk.snapshot().models["one/m"]

    assert (row.state, row.held_by, row.retry_at) == ("open", "alice", None)
    assert "alice" in row.reason
    assert (model.breaker, model.breaker_held_by, model.retry_at) == ("open", "alice", None)
    assert "alice" in model.breaker_reason


async def test_a_model_held_closed_is_asked_however_often_it_fails(play: Rig) -> None:
    await force(play, "closed")
    for _ in range(3 * SETTINGS.breaker.least_calls):
        play.providers["one"].script.append(failure())
        with pytest.raises(ProviderError):
            await play.guarded.complete(task(), ONE)

    assert play.guarded.admits(ONE)


async def test_with_every_model_held_open_nobody_promises_a_time(play: Rig) -> None:
    await force(play, "open", ONE)
    await force(play, "open", TWO)

    with pytest.raises(ProviderError, match="operator") as caught:
        await play.orchestrator.complete(task())

    assert caught.value.retry_after is None


async def test_a_breaker_of_a_model_that_nobody_asks_is_not_held(play: Rig) -> None:
    with pytest.raises(CommandRefused, match="one/m, two/m"):
        await force(play, "open", Target("one", "gpt-typo"))


async def test_giving_back_what_nobody_held_changes_nothing(play: Rig) -> None:
    assert "nobody held it" in await force(play, "auto")
    assert await events(play, BreakerChanged) == []


@pytest.mark.parametrize("state", ["open", "closed"])
async def test_what_an_operator_holds_survives_a_restart(tmp_path: Path, state: str) -> None:
    async with rig(tmp_path) as play:
        await force(play, state)

    async with rig(tmp_path) as again:
        await again.guarded.load()
        row = (await breakers(again))["one/m"]
        model = again.desk.snapshot().models["one/m"]

    assert (row.state, row.held_by) == (state, "alice")
    assert (model.breaker, model.breaker_held_by) == (state, "alice")


async def test_an_open_breaker_survives_a_restart_with_its_wait_and_its_growth(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        await shut(play, ONE)
        before = play.guarded.admits_at(ONE)
        clock = play.clock

    async with rig(tmp_path, clock=clock) as again:
        await again.guarded.load()
        assert not again.guarded.admits(ONE)
        assert again.guarded.admits_at(ONE) == before
        assert again.desk.snapshot().models["one/m"].breaker == "open"
        clock.jump(before - clock.now())
        again.providers["one"].script.append(failure())
        with pytest.raises(ProviderError):  # the first probe after the restart fails
            await again.guarded.complete(task(), ONE)

        wait = again.guarded.admits_at(ONE) - clock.now()

    assert wait >= 2 * 0.8 * SETTINGS.breaker.open_for


async def test_a_probe_that_died_with_its_process_blocks_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        await shut(play, ONE)
        await play.database.write(lambda tx: tx.execute("UPDATE breakers SET state = 'half_open', retry_at = NULL"))

    async with rig(tmp_path) as again:
        await again.guarded.load()
        assert again.guarded.admits(ONE)
        await again.guarded.complete(task(), ONE)

        assert (await breakers(again))["one/m"].state == "closed"
        assert await again.rows("SELECT * FROM breakers") == []


async def test_the_state_is_kept_in_the_transaction_of_its_event(play: Rig) -> None:
    await shut(play, ONE)

    (row,) = await play.rows("SELECT * FROM breakers")
    (event,) = await events(play, BreakerChanged)

    assert (row["state"], row["reason"], row["retry_at"]) == (event.state, event.reason, event.retry_at)


async def test_breakers_of_whatever_clients_name_are_bounded(play: Rig) -> None:
    for number in range(520):
        await play.guarded.complete(task(rehearsal=False), Target("one", f"m{number}"))

    assert len(play.guarded._breakers) == 512


# ── recoveries ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_recoveries_are_shown_by_tool_and_found_again_after_a_restart(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        for taken in (3, 1, 2):
            play.providers["one"].script.append(failure(error_class=ErrorClass.CONTENT_FILTER))
            play.providers["two"].script.append(_late(play, taken))
            await play.orchestrator.complete(task())
        await play.metered.drain()
        shown = play.desk.snapshot().recoveries["message"]

    async with rig(tmp_path) as again:
        found = again.desk.snapshot().recoveries["message"]

    assert (shown.count, shown.failed, shown.target, shown.reason) == (3, "one/m", "two/m", "content_filter")
    assert (quantile(shown.latencies, 0.5), shown.latencies[-1]) == (2 * SECOND, 2 * SECOND)
    assert found == shown


def _late(play: Rig, seconds: int) -> Any:
    async def answering(_: Any) -> Any:
        play.clock.jump(seconds * SECOND)
        return answer()

    return answering


# ── drills ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def rehearse(play: Rig, down: str, *tools: str) -> dict[str, Any]:
    return dict((await play.desk.submit(RunDrill(actor="alice", down=down, tools=tools))).data)


async def test_a_drill_says_who_takes_over_and_what_that_cost(play: Rig) -> None:
    found = await rehearse(play, "one")

    (part,) = found["tools"]
    assert (part["tool"], part["part"], part["target"], part["cost"]) == ("message", "taken_over", "two/m", COST)
    assert part["took"] > 0  # the wait before the second try at the one that is down
    assert (found["unserved"], found["cost"]) == (0, COST)


async def test_the_provider_that_is_down_is_never_called(play: Rig) -> None:
    await rehearse(play, "one")

    assert not play.providers["one"].requests
    assert len(play.providers["two"].requests) == 1


async def test_a_drill_is_booked_as_what_it_is(play: Rig) -> None:
    await rehearse(play, "one")

    (call,) = await events(play, CallSettled)
    assert (call.tool, call.user_id, call.cost) == ("message", "drill", COST)
    assert call.trace_id.startswith("drill")
    (ended,) = await events(play, DrillEnded)
    assert (ended.down, ended.taken_over, ended.unserved, ended.cost, ended.actor) == ("one", 1, 0, COST, "alice")


async def test_a_drill_moves_no_breaker_no_throttle_and_no_count_of_recoveries(play: Rig) -> None:
    throttled = ProviderError("two", "m", ErrorClass.RATE_LIMIT, "no", status=429, retry_after=3_600.0, reached=False)
    for _ in range(2 * SETTINGS.breaker.least_calls):
        play.providers["two"].script.append(throttled)
        assert (await rehearse(play, "one"))["unserved"] == 1

    assert {row.calls for row in (await breakers(play)).values()} == {0}
    assert await events(play, BreakerChanged) == await events(play, FallbackTaken) == []
    assert play.desk.snapshot().recoveries == {}
    decision = play.orchestrator.decide(task())
    assert {candidate.facts.throttled_until for candidate in decision.candidates} == {0}


async def test_a_tool_that_nobody_would_serve_is_named(play: Rig) -> None:
    play.providers["two"].script.append(failure("two", ErrorClass.AUTHENTICATION))

    found = await rehearse(play, "one")

    (part,) = found["tools"]
    assert (part["part"], found["unserved"]) == ("unserved", 1)
    assert part["error"]


async def test_an_open_breaker_stands_in_the_way_of_a_rehearsal_as_of_an_outage(play: Rig) -> None:
    await shut(play, TWO)

    assert (await rehearse(play, "one"))["unserved"] == 1


async def test_a_tool_that_nobody_serves_anyhow_is_not_called_served(play: Rig) -> None:
    await force(play, "open", ONE)
    await force(play, "open", TWO)

    found = await rehearse(play, "one")

    assert (found["tools"][0]["part"], found["unserved"]) == ("unserved", 1)
    assert not play.providers["two"].requests


async def test_a_drill_keeps_to_the_budgets(play: Rig) -> None:
    await play.database.write(lambda tx: play.ledger.set_limit(tx, "provider", "two", NanoUSD(1)))

    found = await rehearse(play, "one")

    assert (found["unserved"], found["cost"]) == (1, 0)


async def test_a_tool_whose_first_choice_is_another_is_not_affected(play: Rig) -> None:
    (part,) = (await rehearse(play, "two"))["tools"]

    assert (part["part"], part["target"], part["took"]) == ("unaffected", "one/m", 0)


@pytest.mark.parametrize("ask", [RunDrill, PlanDrill])
async def test_an_unknown_provider_is_refused_with_the_known_ones(play: Rig, ask: Any) -> None:
    with pytest.raises(CommandRefused, match="those used are one, two"):
        await (play.desk.submit if ask is RunDrill else play.desk.query)(ask(down="deepsek"))


async def test_an_unknown_tool_is_refused(play: Rig) -> None:
    with pytest.raises(CommandRefused, match="there is no tool"):
        await rehearse(play, "one", "poem")


async def test_a_plan_asks_nobody_and_its_most_covers_what_the_drill_costs(play: Rig) -> None:
    (row,) = (await play.desk.query(PlanDrill(down="one"))).rows
    assert not play.providers["two"].requests

    found = await rehearse(play, "one")

    assert row.models == ("two/m",)
    assert found["cost"] <= row.cost_high


# ── over HTTP and from the command line ─────────────────────────────────────────────────────────────────────────────


async def test_breakers_recoveries_and_drills_over_http(play: Rig, tmp_path: Path) -> None:
    route = "/api/v2/breakers/{provider}/{model}"
    async with serving(tmp_path / "served", play.desk, unix=True) as served:  # type: ignore[arg-type]
        client = served.client
        held = await client.post("/api/v2/breakers/one/m", route=route, json={"state": "open"})
        await play.orchestrator.complete(task())
        await play.metered.drain()
        listed = (await client.get("/api/v2/breakers")).json()["breakers"]
        recovered = (await client.get("/api/v2/recoveries")).json()["recoveries"]
        await client.post("/api/v2/breakers/one/m", route=route, json={"state": "auto"})
        planned = (await client.post("/api/v2/drill", json={"down": "one", "dry_run": True})).json()
        asked = len(play.providers["two"].requests)
        drilled = (await client.post("/api/v2/drill", json={"down": "one"})).json()
        unknown = await client.post("/api/v2/drill", json={"down": "deepsek"})
        nobody = await client.post("/api/v2/breakers/one/x%2Fy", route=route, json={"state": "open"})
        wrong = await client.post("/api/v2/breakers/one/m", route=route, json={"state": "ajar"})

    assert (held.json()["state"], held.json()["held_by"]) == ("open", "api")
    assert [(one["model"], one["state"]) for one in listed] == [("m", "open"), ("m", "closed")]
    assert [(one["tool"], one["reason"]) for one in recovered] == [("message", "breaker_open")]
    assert [(one["models"], one["part"]) for one in planned["tools"]] == [(["two/m"], "planned")]
    assert asked == 1  # the task of before: a dry run asks nobody
    assert (drilled["unserved"], drilled["tools"][0]["part"], drilled["cost_usd"]) == (0, "taken_over", "0.00002")
    assert (unknown.status, nobody.status, wrong.status) == (400, 404, 400)
    assert "one, two" in unknown.json()["detail"]
    assert "one/x/y" in nobody.json()["detail"]


async def test_the_command_line_holds_breakers_and_rehearses(play: Rig, tmp_path: Path) -> None:
    state = tmp_path / "served"

    def run(*words: str) -> Result:
        return CliRunner().invoke(huntaze, [*words, "--state-dir", str(state)], standalone_mode=False)

    async with serving(state, play.desk, unix=True):  # type: ignore[arg-type]
        opened = await asyncio.to_thread(run, "breaker", "open", "two/m")
        listed = await asyncio.to_thread(run, "breaker", "list")
        unserved = await asyncio.to_thread(run, "drill", "--down", "one", "--yes")
        await asyncio.to_thread(run, "breaker", "auto", "two/m")
        served = await asyncio.to_thread(run, "drill", "--down", "one", "--tool", "message", "--yes", "--json")
        silent = await asyncio.to_thread(run, "drill", "--down", "one")
        unknown = await asyncio.to_thread(run, "drill", "--down", "deepsek", "--yes")

    assert "two/m is asked no more" in opened.output
    assert "held open by" in listed.output
    assert (unserved.return_value, served.return_value, unknown.return_value) == (1, None, 2)
    assert "UNSERVED" in unserved.output
    assert "1 of 1 tools would be served by nobody" in unserved.output
    found = json.loads(served.output)
    assert [(row["part"], row["target"]) for row in found["rows"]] == [("taken_over", "two/m")]
    assert isinstance(silent.exception, click.UsageError)
    assert "those used are one, two" in unknown.output


async def test_the_question_states_the_most_it_may_cost(play: Rig) -> None:
    (row,) = (await play.desk.query(PlanDrill(down="one"))).rows

    assert drill._question("one", (row,)) == f"Rehearse one down with 1 real task, at most {money(row.cost_high)}?"
