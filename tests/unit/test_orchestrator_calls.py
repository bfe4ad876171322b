"""From a task to its answer: the books, the breakers' stage and the fallback, over a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.costs import Pricer
from engine.events import BreakerChanged, FallbackTaken
from engine.kernel.errors import BudgetRefused, CommandRefused, ErrorClass, ProviderError
from engine.kernel.values import SECOND, JobId, NanoUSD
from engine.orchestrator import Answer, Conclusion, Metered, Target, Task
from engine.providers import Completion, Finish, Message, ModelRequest, Role
from engine.queue import LeaseLost
from engine.storage import Tx
from huntaze_console.joints import LedgerMeter
from tests.fakes import settle
from tests.rig import COST, PRICES, SETTINGS, FakeProvider, Rig, answer, join_orchestrator, rig

ONE, TWO = Target("one", "m"), Target("two", "m")
WORST = (2 + 16) * 1_000 + 100 * 2_000  # "hi" and what goes around it, and the output's cap


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, **changes})


def error(error_class: ErrorClass, name: str = "one", **changes: Any) -> ProviderError:
    return ProviderError(name, "m", error_class, "no", **changes)


async def ledger(play: Rig) -> list[tuple[Any, ...]]:
    rows = await play.rows("SELECT provider, outcome, basis, cost FROM ledger ORDER BY number")
    return [tuple(row.values()) for row in rows]


async def open_attempts(play: Rig) -> int:
    return len(await play.rows("SELECT id FROM attempts"))


async def events(play: Rig, kind: type) -> list[Any]:
    await play.metered.drain()
    return [one.event for one in await play.database.events_after(0) if isinstance(one.event, kind)]


# ── the books ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_attempt_is_durable_before_the_provider_is_called(play: Rig) -> None:
    seen: list[dict[str, Any]] = []

    async def look(_: ModelRequest) -> Completion:
        seen.extend(await play.rows("SELECT worst_cost, job_id FROM attempts"))
        return answer()

    play.providers["one"].script.append(look)

    await play.metered.complete(task(job_id="job_1"), ONE)

    assert seen == [{"worst_cost": WORST, "job_id": "job_1"}]


async def test_an_answer_is_settled_at_its_measured_cost(play: Rig) -> None:
    found = await play.metered.complete(task(), ONE)

    assert found.cost == COST
    assert await ledger(play) == [("one", "ok", "measured", COST)]
    assert await open_attempts(play) == 0


@pytest.mark.parametrize(
    ("failure", "booked"),
    [
        (error(ErrorClass.TIMEOUT), ("one", "timeout", "estimated", WORST)),
        (error(ErrorClass.NETWORK_ERROR, reached=False), ("one", "network_error", "measured", 0)),
        (error(ErrorClass.RATE_LIMIT, reached=False), ("one", "rate_limit", "measured", 0)),
        (ValueError("a defect of the adapter"), ("one", "unknown", "estimated", WORST)),
    ],
)
async def test_every_failure_is_settled(play: Rig, failure: Exception, booked: tuple[Any, ...]) -> None:
    play.providers["one"].script.append(failure)

    with pytest.raises(type(failure)):
        await play.metered.complete(task(), ONE)

    assert await ledger(play) == [booked]
    assert await open_attempts(play) == 0


async def test_a_cancelled_call_is_settled_at_its_worst(play: Rig) -> None:
    begun = asyncio.Event()

    async def hang(_: ModelRequest) -> Completion:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    play.providers["one"].script.append(hang)
    async with asyncio.TaskGroup() as group:
        call = group.create_task(play.metered.complete(task(), ONE))
        await begun.wait()
        call.cancel()

    assert await ledger(play) == [("one", "cancelled", "estimated", WORST)]


async def test_an_answer_cut_at_its_cap_is_paid_for_and_not_used(play: Rig) -> None:
    play.providers["one"].script.append(answer(finish=Finish.LENGTH))

    with pytest.raises(ProviderError, match="cut at 100 tokens"):
        await play.metered.complete(task(), ONE)

    assert await ledger(play) == [("one", "unknown", "measured", COST)]


async def test_an_answer_without_usage_is_estimated_at_its_worst(play: Rig) -> None:
    play.providers["one"].script.append(answer(usage=None))

    assert (await play.metered.complete(task(), ONE)).cost == WORST


async def test_what_the_answer_is_for_is_written_in_the_transaction_that_settles_it(play: Rig) -> None:
    inside: list[tuple[int, int, NanoUSD | None]] = []

    def conclude(_: Answer) -> Conclusion:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            entries = tx.execute("SELECT count(*) FROM entries").fetchone()[0]
            attempts = tx.execute("SELECT count(*) FROM attempts").fetchone()[0]
            inside.append((entries, attempts, cost))
            tx.execute("INSERT INTO meta VALUES ('mine', 'x')")

        return write

    await play.metered.complete(task(conclude=conclude), ONE)

    assert inside == [(1, 0, COST)]
    assert await play.rows("SELECT value FROM meta WHERE key = 'mine'") == [{"value": "x"}]


@pytest.mark.parametrize("raised", [LeaseLost(JobId("job_1")), KeyError("a defect")])
@pytest.mark.parametrize("early", [True, False])
async def test_a_conclusion_that_fails_leaves_the_call_settled_alone(play: Rig, raised: Exception, early: bool) -> None:
    def conclude(_: Answer) -> Conclusion:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            tx.execute("INSERT INTO meta VALUES ('mine', 'x')")
            raise raised

        if early:
            raise raised
        return write

    with pytest.raises(type(raised)):
        await play.metered.complete(task(conclude=conclude), ONE)

    assert await ledger(play) == [("one", "ok", "measured", COST)]
    assert await play.rows("SELECT value FROM meta WHERE key = 'mine'") == []


async def test_a_call_gets_no_more_time_than_its_task_has_left(play: Rig) -> None:
    deadline = play.clock.now() + 7 * SECOND

    await play.metered.complete(task(deadline=deadline), ONE)

    assert play.providers["one"].requests[0].timeouts.total == 7 * SECOND


async def test_time_spent_waiting_for_the_budget_is_not_given_to_the_call(play: Rig) -> None:
    """Another call's hold fills the budget for four of the task's seven seconds."""
    deadline = play.clock.now() + 7 * SECOND
    await play.database.write(lambda tx: play.ledger.set_limit(tx, "campaign", "c", NanoUSD(WORST)))
    release = asyncio.Event()

    async def slow(_: ModelRequest) -> Completion:
        await release.wait()
        raise error(ErrorClass.NETWORK_ERROR, reached=False)

    play.providers["one"].script.append(slow)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_fails(play, task(campaign_id="c")))
        while not play.providers["one"].requests:
            await asyncio.sleep(0)
        second = group.create_task(play.metered.complete(task(campaign_id="c", deadline=deadline), TWO))
        while not play.ledger.waiting:
            await asyncio.sleep(0)
        play.clock.jump(4 * SECOND, wake=False)
        release.set()
    await first
    await second

    assert play.providers["two"].requests[0].timeouts.total == 3 * SECOND


async def _fails(play: Rig, one: Task) -> None:
    with pytest.raises(ProviderError):
        await play.metered.complete(one, ONE)


async def test_a_call_that_does_not_fit_its_budget_never_leaves(play: Rig) -> None:
    await play.database.write(lambda tx: play.ledger.set_limit(tx, "campaign", "c", NanoUSD(WORST - 1)))

    with pytest.raises(BudgetRefused):
        await play.orchestrator.complete(task(campaign_id="c"))

    assert not play.providers["one"].requests
    assert await open_attempts(play) == 0


# ── the breakers' stage ─────────────────────────────────────────────────────────────────────────────────────────────


async def _open(play: Rig, target: Target = ONE) -> None:
    for _ in range(SETTINGS.breaker.least_calls):
        play.providers[target.provider].script.append(error(ErrorClass.SERVER_ERROR, target.provider))
        with pytest.raises(ProviderError):
            await play.guarded.complete(task(), target)
    assert not play.guarded.admits(target)


async def test_a_cancelled_probe_gives_its_lease_back(play: Rig) -> None:
    await _open(play)
    play.clock.jump(60 * SECOND)
    begun = asyncio.Event()

    async def hang(_: ModelRequest) -> Completion:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    play.providers["one"].script.append(hang)
    async with asyncio.TaskGroup() as group:
        probe = group.create_task(play.guarded.complete(task(), ONE))
        await begun.wait()
        assert not play.guarded.admits(ONE)
        probe.cancel()

    assert play.guarded.admits(ONE)


async def test_a_probe_cancelled_before_its_call_gives_its_lease_back(play: Rig) -> None:
    await _open(play)
    play.clock.jump(60 * SECOND)

    async with asyncio.TaskGroup() as group:
        probe = group.create_task(play.guarded.complete(task(), ONE))
        await asyncio.sleep(0)  # it waits for the event that tells of it
        assert not play.guarded.admits(ONE)
        probe.cancel()

    assert play.guarded.admits(ONE)


async def test_a_probe_that_the_budget_refuses_gives_its_lease_back(play: Rig) -> None:
    await _open(play)
    play.clock.jump(60 * SECOND)
    await play.database.write(lambda tx: play.ledger.set_limit(tx, "campaign", "c", NanoUSD(1)))

    with pytest.raises(BudgetRefused):
        await play.guarded.complete(task(campaign_id="c"), ONE)

    assert play.guarded.admits(ONE)


async def test_a_call_that_its_breaker_shut_out_meanwhile_is_refused_unsent_and_says_nothing_of_the_model(
    play: Rig,
) -> None:
    await _open(play)
    asked = len(play.providers["one"].requests)

    with pytest.raises(ProviderError) as caught:
        await play.guarded.complete(task(), ONE)

    assert (caught.value.code, caught.value.reached) == ("left_alone", False)
    assert len(play.providers["one"].requests) == asked
    assert [event.state for event in await events(play, BreakerChanged)] == ["open"]


async def test_every_change_of_a_breaker_is_told(play: Rig) -> None:
    await _open(play)
    play.clock.jump(60 * SECOND)
    await play.guarded.complete(task(), ONE)

    assert [event.state for event in await events(play, BreakerChanged)] == ["open", "half_open", "closed"]


# ── the fallback ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_of_the_chain_is_asked_first(play: Rig) -> None:
    found = await play.orchestrator.complete(task())

    assert found.target == ONE
    assert await events(play, FallbackTaken) == []


async def test_a_throttled_model_is_left_for_the_next_at_once(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, retry_after=5.0, reached=False))

    found = await play.orchestrator.complete(task())

    assert found.target == TWO
    assert len(play.providers["one"].requests) == 1
    (event,) = await events(play, FallbackTaken)
    assert (event.failed_provider, event.provider, event.reason, event.recovery) == ("one", "two", "rate_limit", 0)


async def test_a_fallback_tells_how_long_the_recovery_took(play: Rig) -> None:
    async def slow(_: ModelRequest) -> Completion:
        play.clock.jump(3 * SECOND)
        return answer()

    play.providers["one"].script.append(error(ErrorClass.AUTHENTICATION, reached=False))
    play.providers["two"].script.append(slow)

    await play.orchestrator.complete(task())

    (event,) = await events(play, FallbackTaken)
    assert event.recovery == 3 * SECOND


@pytest.mark.parametrize("refused", [ErrorClass.INVALID_REQUEST])
async def test_a_malformed_request_is_repeated_nowhere(play: Rig, refused: ErrorClass) -> None:
    play.providers["one"].script.append(error(refused, reached=False))

    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task())

    assert len(play.providers["one"].requests) == 1
    assert not play.providers["two"].requests


async def test_a_refused_prompt_is_tried_elsewhere_but_not_again(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.CONTENT_FILTER))

    assert (await play.orchestrator.complete(task())).target == TWO
    assert len(play.providers["one"].requests) == 1


async def test_an_open_breaker_is_passed_over(play: Rig) -> None:
    await _open(play)
    asked = len(play.providers["one"].requests)

    found = await play.orchestrator.complete(task())

    assert found.target == TWO
    assert len(play.providers["one"].requests) == asked
    assert (await events(play, FallbackTaken))[-1].reason == "breaker_open"


async def test_with_every_breaker_open_it_says_when_to_come_back(play: Rig) -> None:
    await _open(play, ONE)
    play.clock.jump(SECOND)
    await _open(play, TWO)

    with pytest.raises(ProviderError) as caught:
        await play.orchestrator.complete(task())

    wait = caught.value.retry_after
    assert wait is not None
    assert not caught.value.reached
    assert 24 <= wait <= 36
    play.clock.jump(round(wait * SECOND) + 1)
    await play.orchestrator.complete(task())


async def test_a_server_error_is_tried_once_more_before_the_next_model(play: Rig) -> None:
    play.providers["one"].script += [error(ErrorClass.SERVER_ERROR), error(ErrorClass.SERVER_ERROR)]

    async with asyncio.TaskGroup() as group:
        asked = group.create_task(play.orchestrator.complete(task()))
        await _sleeping(play)
        await play.clock.advance(8 * SECOND)
    assert (await asked).target == TWO

    assert len(play.providers["one"].requests) == 2


async def test_a_lone_throttled_model_is_waited_for_as_long_as_it_asks(play: Rig) -> None:
    await _alone(play)
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, retry_after=9.0, reached=False))

    async with asyncio.TaskGroup() as group:
        asked = group.create_task(play.orchestrator.complete(task()))
        await _sleeping(play)
        await play.clock.advance(9 * SECOND - 1)
        assert len(play.providers["one"].requests) == 1
        await play.clock.advance(1)
    assert (await asked).target == ONE


async def test_a_lone_model_that_asks_for_too_much_patience_fails_the_task(play: Rig) -> None:
    await _alone(play)
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, retry_after=11.0, reached=False))

    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task())


async def test_nobody_waits_past_the_deadline(play: Rig) -> None:
    await _alone(play)
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, retry_after=9.0, reached=False))

    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task(deadline=play.clock.now() + 8 * SECOND))

    assert play.clock.sleepers == 0


async def test_a_model_that_took_all_the_time_leaves_none_for_the_next(play: Rig) -> None:
    async def slow(_: ModelRequest) -> Completion:
        play.clock.jump(10 * SECOND)
        raise error(ErrorClass.TIMEOUT)

    play.providers["one"].script.append(slow)

    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task(deadline=play.clock.now() + 10 * SECOND))

    assert not play.providers["two"].requests


async def test_a_task_whose_time_is_over_asks_nobody(play: Rig) -> None:
    with pytest.raises(ProviderError) as caught:
        await play.orchestrator.complete(task(deadline=play.clock.now()))

    assert not caught.value.reached
    assert await ledger(play) == []


async def test_a_retry_does_not_pass_a_breaker_that_opened_meanwhile(play: Rig) -> None:
    await _alone(play)
    play.providers["one"].script.append(error(ErrorClass.SERVER_ERROR))
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(_unanswered(play))
        await _sleeping(play)
        await _open_more(play)
        count = len(play.providers["one"].requests)
        await play.clock.advance(8 * SECOND)
    await asked

    assert len(play.providers["one"].requests) == count


async def _unanswered(play: Rig) -> None:
    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task())


async def _open_more(play: Rig) -> None:
    for _ in range(SETTINGS.breaker.least_calls - 1):
        play.providers["one"].script.append(error(ErrorClass.SERVER_ERROR))
        with pytest.raises(ProviderError):
            await play.guarded.complete(task(), ONE)
    assert not play.guarded.admits(ONE)


async def test_a_tool_without_a_configured_provider_says_so(play: Rig) -> None:
    _chain_of(play, {})

    with pytest.raises(ProviderError, match="one/m: its provider one has no key here; two/m: its provider two has"):
        await play.orchestrator.complete(task())


async def test_an_unknown_tool_is_refused_with_the_known_ones(play: Rig) -> None:
    with pytest.raises(CommandRefused, match="the tools are message"):
        await play.orchestrator.complete(task(tool="poem"))


async def _alone(play: Rig) -> None:
    """Leave the chain with its first model."""
    _chain_of(play, {"one": play.providers["one"]})


def _chain_of(play: Rig, providers: dict[str, FakeProvider]) -> None:
    meter = LedgerMeter(play.ledger, Pricer(PRICES))
    play.metered = Metered(providers, meter, play.database, play.clock, play.chance, SETTINGS)
    play.guarded, play.orchestrator = join_orchestrator(play.metered, play.database, play.clock, play.chance)


async def _sleeping(play: Rig) -> None:
    """Wait until the retry sleeps: a commit on the writer's thread comes before."""
    while not play.clock.sleepers:
        await asyncio.sleep(0)
    await settle()
