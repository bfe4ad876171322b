"""What takes more than one misbehaving provider, or a caller who leaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from engine.kernel.errors import ErrorClass
from tests.faults.playing import EXACT, HURRIED, Case, staged
from tests.faults.server import TEXT, FaultServer
from tests.faults.table import ITS_OWN, STAND_IN

DIALECTS = ("openai", "anthropic")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_when_all_are_down_the_caller_gets_the_last_error_and_every_try_is_booked(
    faults: FaultServer, tmp_path: Path, dialect: str, streamed: bool
) -> None:
    case = Case("all-down", dialect, ("broken", "overloaded", "refused"), streamed=streamed)

    async with staged(faults, tmp_path, dialect, [case]) as stage:
        seen = await stage.ask(case, "t")

        assert seen.given == "network_error"
        assert seen.tries == ("server_error: at most",) * 2
        assert seen.told == ""
        assert await stage.misbooked([case]) == []
        assert len(await stage.rows("SELECT id FROM entries")) == 6


@pytest.mark.parametrize("streamed", [False, True])
async def test_one_bad_deployment_out_of_two_leaves_the_other_serving(
    faults: FaultServer, tmp_path: Path, streamed: bool
) -> None:
    case = Case("deployments", "azure", ("one_bad_deployment",), streamed=streamed, models=("bad", "m"))

    async with staged(faults, tmp_path, "azure", [case]) as stage:
        seen = [await stage.ask(case, f"t{number}") for number in range(3)]

        assert {one.given for one in seen} == {ITS_OWN}
        assert [one.tries for one in seen] == [("server_error: at most", "server_error: at most", "ok: exact")] + [
            ("ok: exact",)
        ] * 2  # its breaker opened, the other's did not
        assert await stage.misbooked([case]) == []


@pytest.mark.parametrize("body", [False, True])
async def test_azures_filter_bills_the_prompt_it_refused(faults: FaultServer, tmp_path: Path, body: bool) -> None:
    case = Case("filter", "azure", ("filtered_prompt", "healthy"), body=body)

    async with staged(faults, tmp_path, "azure", [case]) as stage:
        seen = await stage.ask(case, "t")

        assert seen.given == STAND_IN
        assert seen.tries == ("content_filter: at most",)
        assert await stage.misbooked([case]) == []


@pytest.mark.parametrize(
    ("behaviour", "given", "tries"),
    [
        ("throttled_then_fine", ITS_OWN, ("rate_limit: nothing", "ok: exact")),  # its second is waited out
        ("throttled_absurdly", "rate_limit", ("rate_limit: nothing",)),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_where_no_other_is_left_a_bearable_retry_after_is_waited_out(
    faults: FaultServer, tmp_path: Path, dialect: str, behaviour: str, given: str, tries: tuple[str, ...]
) -> None:
    case = Case("alone", dialect, (behaviour,))
    begun = asyncio.get_running_loop().time()

    async with staged(faults, tmp_path, dialect, [case]) as stage:
        seen = await stage.ask(case, "t")

        assert (seen.given, seen.tries) == (given, tries)
        assert await stage.misbooked([case]) == []
    if seen.error is not None:
        assert seen.error.retry_after == 86_400  # a day at most
    else:
        assert asyncio.get_running_loop().time() - begun >= 1.0


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_caller_who_leaves_in_the_middle_of_a_stream_is_billed_what_came(
    faults: FaultServer, tmp_path: Path, dialect: str, body: bool
) -> None:
    case = Case("leaves", dialect, ("slow_body",), streamed=True, body=body)

    async with staged(faults, tmp_path, dialect, [case]) as stage:
        asking = asyncio.ensure_future(stage.ask(case, "t"))
        async with asyncio.timeout(HURRIED.total / 1e9):
            while not stage.pieces:
                await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        assert await stage.tries(case, "t", "".join(stage.pieces)) == ("cancelled: as received",)
        assert await stage.misbooked([case]) == []


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize("behaviour", ["healthy", "healthy_batch", "healthy_dear"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_same_answer_costs_the_same_streamed_and_not(
    faults: FaultServer, tmp_path: Path, dialect: str, behaviour: str, body: bool
) -> None:
    whole = Case("same", dialect, (behaviour,), body=body)
    streamed = replace(whole, streamed=True)

    async with staged(faults, tmp_path, dialect, [whole, streamed]) as stage:
        answers = [(await stage.ask(case, f"t-{case.streamed}")).answer for case in (whole, streamed)]

        assert {answer.text for answer in answers if answer} == {TEXT}
        (cost,) = {answer.cost for answer in answers if answer}
        if behaviour == "healthy":
            assert cost == EXACT
        else:
            assert cost is not None
            assert cost != EXACT
        assert await stage.misbooked([whole, streamed]) == []


async def test_an_error_says_no_more_than_it_may(faults: FaultServer, tmp_path: Path) -> None:
    case = Case("said", "openai", ("unauthorized",))

    async with staged(faults, tmp_path, "openai", [case]) as stage:
        seen = await stage.ask(case, "t")

    assert seen.error is not None
    assert seen.error.error_class is ErrorClass.AUTHENTICATION
    assert "in its own words" not in str(seen.error)
    assert "sk-not-to-be-shown" not in str(seen.error)
