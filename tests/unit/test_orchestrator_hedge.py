"""A second try beside a slow first one: who wins, what the loser costs, and how many there may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.costs import Pricer
from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import SECOND, NanoUSD
from engine.orchestrator import (
    Answer,
    Fallback,
    Guarded,
    HedgeSettings,
    Metered,
    Outlook,
    Router,
    Target,
    Task,
    Throttles,
    ToolRoute,
)
from engine.orchestrator.task import Conclusion
from engine.providers import Chunk, Completion, Message, ModelRequest, Role
from engine.storage import Tx
from huntaze_console.joints import LedgerMeter
from tests.fakes import ManualClock, settle
from tests.rig import COST, PRICES, SETTINGS, Rig, answer, rig

ONE, TWO = Target("one", "m"), Target("two", "m")
AFTER = 2 * SECOND
MANY = HedgeSettings(share=1.0, floor=100)


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path, clock=ManualClock(auto=True, patience=0.03)) as made:
        yield made


def hedged(
    play: Rig,
    bounds: HedgeSettings = MANY,
    after: int | None = AFTER,
    chain: tuple[str, ...] = ("one/m", "two/m"),
    full: Target | None = None,
) -> Fallback:
    """The fallback over breakers and books, for a tool that hedges."""
    route = ToolRoute(chain=chain, max_output_tokens=100, hedge_after=after)
    settings = replace(SETTINGS, tools={"message": route}, hedge=bounds)
    clock, chance = play.clock, play.chance
    meter = LedgerMeter(play.ledger, Pricer(PRICES))
    play.metered = Metered(play.providers, meter, play.database, clock, chance, settings)
    play.guarded = Guarded(play.metered, play.database, clock, chance, settings.breaker)
    outlook = Outlook(opens_at=lambda task, target: clock.now() + SECOND if target == full else 0)
    router = Router(settings, play.metered.serves, play.guarded.admits, clock, chance, outlook)
    throttles = Throttles(chance, settings.retry.backoff)
    return Fallback(router, play.guarded, play.guarded, play.metered.trailing, clock, chance, settings, throttles)


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, **changes})


def after(play: Rig, seconds: float, outcome: Any = None) -> Any:
    """An answer, or an error, that comes so late."""

    async def late(_: ModelRequest) -> Completion:
        await play.clock.sleep_until(play.clock.now() + round(seconds * SECOND))
        if isinstance(outcome, BaseException):
            raise outcome
        return answer() if outcome is None else outcome

    return late


def failure(name: str, error_class: ErrorClass = ErrorClass.AUTHENTICATION) -> ProviderError:
    return ProviderError(name, "m", error_class, "no", reached=False)


async def ledger(play: Rig) -> list[tuple[Any, ...]]:
    rows = await play.rows("SELECT provider, outcome, basis FROM ledger ORDER BY provider")
    return [tuple(row.values()) for row in rows]


async def test_a_quick_first_answer_is_never_hedged(play: Rig) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 1.9))

    assert (await fallback.complete(task())).target == ONE

    assert not play.providers["two"].requests
    assert fallback.hedges.taken == 0


async def test_the_next_model_is_asked_beside_a_slow_one_and_the_first_answer_wins(play: Rig) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 60))
    play.providers["two"].script.append(after(play, 1))
    started = play.clock.now()

    found = await fallback.complete(task())

    assert (found.target, found.cost) == (TWO, COST)
    assert play.clock.now() - started == 3 * SECOND
    assert (fallback.hedges.taken, fallback.hedges.won) == (1, 1)


@pytest.mark.parametrize("chain", [("one/m", "two/m"), ("one/m", "one/n", "two/m")])
async def test_a_model_over_its_limit_is_no_second_try(play: Rig, chain: tuple[str, ...]) -> None:
    """It would wait for room that others could use, for an answer that is on its way."""
    fallback = hedged(play, chain=chain, full=TWO)
    play.providers["one"].script += [after(play, 20), after(play, 30)]

    assert (await fallback.complete(task())).target == ONE

    assert not play.providers["two"].requests
    assert fallback.hedges.taken == len(chain) - 2


async def test_the_loser_is_cancelled_and_billed(play: Rig) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 60))
    play.providers["two"].script.append(after(play, 1))

    await fallback.complete(task())

    assert await ledger(play) == [("one", "cancelled", "estimated"), ("two", "ok", "measured")]
    assert await play.rows("SELECT id FROM attempts") == []


async def test_a_first_one_that_answers_after_all_wins_too(play: Rig) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 3))
    play.providers["two"].script.append(after(play, 60))

    assert (await fallback.complete(task())).target == ONE

    assert await ledger(play) == [("one", "ok", "measured"), ("two", "cancelled", "estimated")]
    assert (fallback.hedges.taken, fallback.hedges.won) == (1, 0)


async def test_a_second_try_that_fails_leaves_the_first_going(play: Rig) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 10))
    play.providers["two"].script.append(failure("two"))

    assert (await fallback.complete(task())).target == ONE


async def test_a_first_try_that_fails_leaves_the_second_going(play: Rig) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 3, failure("one")))
    play.providers["two"].script.append(after(play, 10))

    found = await fallback.complete(task())

    assert (found.target, found.failed) == (TWO, ("one/m",))
    assert len(play.providers["two"].requests) == 1


async def test_when_both_fail_the_firsts_error_is_told(play: Rig) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 3, failure("one")))
    play.providers["two"].script.append(after(play, 10, failure("two", ErrorClass.CONTENT_FILTER)))

    with pytest.raises(ProviderError) as caught:
        await fallback.complete(task())

    assert caught.value.error_class in (ErrorClass.AUTHENTICATION, ErrorClass.CONTENT_FILTER)
    assert [row[1] for row in await ledger(play)] == ["authentication", "content_filter"]


async def test_only_one_answer_concludes(play: Rig) -> None:
    """Both answers are there in the same moment: what the task is for is written once, both calls are paid."""
    fallback = hedged(play)
    written: list[str] = []
    gate = asyncio.Event()

    async def wait(_: ModelRequest) -> Completion:
        await gate.wait()
        return answer()

    def conclude(one: Answer) -> Conclusion:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            written.append(one.attempt_id)

        return write

    for name in ("one", "two"):
        play.providers[name].script.append(wait)
    async with asyncio.TaskGroup() as group:
        call = group.create_task(fallback.complete(task(conclude=conclude)))
        while not play.providers["two"].requests:
            await asyncio.sleep(0.001)
        await settle()
        gate.set()

    assert written == [call.result().attempt_id]
    assert [row[0] for row in await ledger(play)] == ["one", "two"]
    assert {row[1] for row in await ledger(play)} <= {"ok", "cancelled"}


async def test_a_caller_that_leaves_cancels_both(play: Rig) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 600))
    play.providers["two"].script.append(after(play, 600))
    async with asyncio.TaskGroup() as group:
        call = group.create_task(fallback.complete(task()))
        while not play.providers["two"].requests:
            await asyncio.sleep(0.001)
        call.cancel()

    assert await ledger(play) == [("one", "cancelled", "estimated"), ("two", "cancelled", "estimated")]


async def test_hedges_keep_to_their_share(play: Rig) -> None:
    fallback = hedged(play, HedgeSettings(share=0.1, floor=0))
    for _ in range(30):
        play.providers["one"].script.append(after(play, 2.5))

    async with asyncio.TaskGroup() as group:
        for _ in range(30):
            group.create_task(fallback.complete(task()))

    assert 1 <= fallback.hedges.taken <= 3
    assert len(play.providers["two"].requests) == fallback.hedges.taken


@pytest.mark.parametrize("changes", [{"idempotent": False}, {"rehearsal": True}, {"pinned": ONE}])
async def test_what_must_not_be_done_twice_is_not(play: Rig, changes: dict[str, Any]) -> None:
    fallback = hedged(play)
    play.providers["one"].script.append(after(play, 10))

    assert (await fallback.complete(task(**changes))).target == ONE

    assert not play.providers["two"].requests


async def test_a_streamed_task_is_not_hedged() -> None:
    from engine.orchestrator.hedge import may_hedge

    async def emit(_: Chunk) -> None: ...

    assert not may_hedge(task(emit=emit))
    assert may_hedge(task())


async def test_a_tool_hedges_only_where_it_says_so(play: Rig) -> None:
    fallback = hedged(play, after=None)
    play.providers["one"].script.append(after(play, 10))

    assert (await fallback.complete(task())).target == ONE

    assert not play.providers["two"].requests
