"""What each failure calls for, what an outage may cost, and who is waited for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.costs import BudgetRule, Pricer
from engine.events import FallbackTaken
from engine.kernel.backoff import Backoff
from engine.kernel.errors import BudgetRefused, ErrorClass, ProviderError, StorageError
from engine.kernel.values import MINUTE, SECOND, NanoUSD
from engine.orchestrator import (
    Fallback,
    Guarded,
    Metered,
    Orchestrator,
    OrchestratorSettings,
    Outlook,
    RetrySettings,
    Router,
    Target,
    Task,
    Throttles,
    ToolRoute,
)
from engine.orchestrator.retries import Allowance, Course, course_of
from engine.orchestrator.trailing import ROOM, Trailing
from engine.providers import Completion, Message, ModelRequest, Role
from engine.storage import Database, Tx
from huntaze_console.joints import LedgerMeter
from tests.fakes import MORNING, ManualClock, settle
from tests.rig import COST, PRICES, SETTINGS, FakeProvider, Rig, answer, rig

ONE, TWO = Target("one", "m"), Target("two", "m")
A, B = Target("one", "a"), Target("one", "b")


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        chain(made, "one/m", "two/m")
        yield made


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, **changes})


def error(error_class: ErrorClass, name: str = "one", **changes: Any) -> ProviderError:
    return ProviderError(name, "m", error_class, "no", **changes)


def chain(play: Rig, *models: str, short: Target | None = None, **changes: Any) -> None:
    """Give the tool another chain, whose calls pass its breakers and its books and nothing else.

    Of the budgets the router sees that there is none, but no room for `short`.
    """
    settings = replace(SETTINGS, tools={"message": ToolRoute(chain=models)}, **changes)
    meter = LedgerMeter(play.ledger, Pricer(PRICES))
    clock, chance = play.clock, play.chance
    play.metered = Metered(play.providers, meter, play.database, clock, chance, settings)
    play.guarded = Guarded(play.metered, play.database, clock, chance, settings.breaker)
    throttles = Throttles(chance, settings.retry.backoff)
    outlook = Outlook(
        admits_at=play.guarded.admits_at,
        throttled_until=throttles.until,
        worst_cost=lambda target, read, written, now: NanoUSD(COST),
        room=lambda task, target: NanoUSD(0) if target == short else None,
    )
    router = Router(settings, play.metered.serves, play.guarded.admits, clock, chance, outlook)
    trailing = play.metered.trailing
    fallback = Fallback(router, play.guarded, play.guarded, trailing, clock, chance, settings, throttles)
    play.orchestrator = Orchestrator(fallback, router, play.metered.serves, settings)


async def at_last(play: Rig, one: Task) -> Any:
    """The outcome of a task, time moved on for it as far as it sleeps."""
    call = asyncio.ensure_future(play.orchestrator.complete(one))
    while not call.done():
        await asyncio.sleep(0.0005)
        if play.clock.sleepers:
            await play.clock.advance(SECOND)
    return await call


# ── what a failure calls for ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("failure", "course"),
    [
        (error(ErrorClass.RATE_LIMIT, status=429), Course.LATER),
        (error(ErrorClass.RATE_LIMIT, code="own_limit"), Course.NEXT),
        (error(ErrorClass.SERVER_ERROR, status=500), Course.AGAIN),
        (error(ErrorClass.SERVER_ERROR, status=503, retry_after=20.0), Course.LATER),
        (error(ErrorClass.SERVER_ERROR, code="left_alone", retry_after=20.0), Course.NEXT),
        (error(ErrorClass.NETWORK_ERROR), Course.AGAIN),
        (error(ErrorClass.TIMEOUT), Course.NEXT),
        (error(ErrorClass.UNKNOWN), Course.AGAIN),
        (error(ErrorClass.UNKNOWN, code="cut_short"), Course.NEXT),
        (error(ErrorClass.CONTENT_FILTER, status=400), Course.OTHERS),
        (error(ErrorClass.AUTHENTICATION, status=401), Course.OTHERS),
        (error(ErrorClass.AUTHENTICATION, status=402), Course.OTHERS),
        (error(ErrorClass.AUTHENTICATION, status=403), Course.NEXT),
        (error(ErrorClass.INVALID_REQUEST, status=400), Course.NOWHERE),
        (error(ErrorClass.INVALID_REQUEST, status=422), Course.NOWHERE),
        (error(ErrorClass.INVALID_REQUEST, status=200), Course.NOWHERE),
        (error(ErrorClass.INVALID_REQUEST), Course.NOWHERE),
        (error(ErrorClass.INVALID_REQUEST, status=404), Course.NEXT),
        (error(ErrorClass.INVALID_REQUEST, status=413), Course.NEXT),
        (error(ErrorClass.INVALID_REQUEST, status=400, code="context_length_exceeded"), Course.NEXT),
        (error(ErrorClass.INVALID_REQUEST, status=400, code="model_not_found"), Course.NEXT),
        (error(ErrorClass.INVALID_REQUEST, status=400, code="unsupported_parameter"), Course.OTHERS),
        (error(ErrorClass.INVALID_REQUEST, status=301), Course.OTHERS),
        (error(ErrorClass.INVALID_REQUEST, status=405), Course.OTHERS),
    ],
)
def test_each_failure_calls_for_its_course(failure: ProviderError, course: Course) -> None:
    assert course_of(failure, alone=False) is course


@pytest.mark.parametrize("error_class", list(ErrorClass))
def test_nobody_takes_over_from_an_answer_that_has_begun(error_class: ErrorClass) -> None:
    assert course_of(error(error_class, begun=True), alone=True) is Course.NOWHERE


def test_a_time_out_is_repeated_only_where_nobody_else_is_left() -> None:
    assert course_of(error(ErrorClass.TIMEOUT), alone=True) is Course.AGAIN


async def test_a_wrong_key_is_not_tried_on_another_model_of_its_provider(play: Rig) -> None:
    chain(play, "one/a", "one/b", "two/m")
    play.providers["one"].script.append(error(ErrorClass.AUTHENTICATION, status=401, reached=False))

    assert (await play.orchestrator.complete(task())).target == TWO
    assert len(play.providers["one"].requests) == 1


async def test_a_model_that_is_not_there_is_stood_in_for_by_another_of_its_provider(play: Rig) -> None:
    chain(play, "one/a", "one/b")
    play.providers["one"].script.append(error(ErrorClass.INVALID_REQUEST, status=404, reached=False))

    found = await play.orchestrator.complete(task())

    assert (found.target, found.failed) == (B, ("one/a",))


async def test_a_provider_whose_budget_is_spent_is_passed_over(play: Rig) -> None:
    await play.database.write(lambda tx: play.ledger.set_limit(tx, "provider", "one", NanoUSD(1)))

    found = await play.orchestrator.complete(task())

    assert found.target == TWO
    assert not play.providers["one"].requests


async def test_when_no_providers_budget_has_room_the_budget_is_the_reason(play: Rig) -> None:
    for name in ("one", "two"):
        await play.database.write(lambda tx, name=name: play.ledger.set_limit(tx, "provider", name, NanoUSD(1)))

    with pytest.raises(BudgetRefused):
        await play.orchestrator.complete(task())


# ── patience ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_model_without_room_in_its_budget_is_the_last_resort_and_the_ledger_has_the_last_word(
    play: Rig,
) -> None:
    chain(play, "one/m", "two/m", short=ONE)
    play.providers["two"].script += [error(ErrorClass.SERVER_ERROR, "two")] * 2

    answer = await at_last(play, task())

    assert answer.target == ONE
    assert len(play.providers["two"].requests) == 2


@pytest.mark.parametrize("window", ["total", "day"])
async def test_a_last_resort_that_its_budget_refuses_leaves_the_failure_as_it_was(play: Rig, window: str) -> None:
    """A campaign that heard of a budget would stop, or wait for another day, for what may be over in a minute."""
    actions = ("stop",) if window == "total" else ("throttle",)
    rule = BudgetRule(kind="provider", key="one", window=window, limit=NanoUSD(1), actions=actions)
    await play.database.write(lambda tx: play.ledger.set_budget(tx, rule))
    chain(play, "one/m", "two/m", short=ONE)
    play.providers["two"].script += [error(ErrorClass.SERVER_ERROR, "two")] * 2

    with pytest.raises(ProviderError) as raised:
        await at_last(play, task())

    assert (raised.value.provider, raised.value.error_class) == ("two", ErrorClass.SERVER_ERROR)
    assert play.providers["one"].requests == []


async def test_a_throttled_model_is_remembered_by_the_next_task(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, status=429, retry_after=30.0, reached=False))
    await play.orchestrator.complete(task())

    found = await play.orchestrator.complete(task())

    assert found.target == TWO
    assert len(play.providers["one"].requests) == 1


async def test_a_throttled_model_is_asked_again_once_its_time_is_over(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, status=429, retry_after=30.0, reached=False))
    await play.orchestrator.complete(task())

    play.clock.jump(30 * SECOND)

    assert (await play.orchestrator.complete(task())).target == ONE


async def test_another_model_of_a_throttled_provider_is_still_asked(play: Rig) -> None:
    chain(play, "one/a", "one/b")
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, status=429, retry_after=30.0, reached=False))

    assert (await play.orchestrator.complete(task())).target == B
    assert (await play.orchestrator.complete(task())).target == B


async def test_a_quota_that_is_used_up_is_the_whole_providers(play: Rig) -> None:
    chain(play, "one/a", "one/b", "two/m")
    spent = error(ErrorClass.RATE_LIMIT, status=429, code="insufficient_quota", retry_after=30.0, reached=False)
    play.providers["one"].script.append(spent)

    assert (await play.orchestrator.complete(task())).target == TWO
    assert len(play.providers["one"].requests) == 1


async def test_with_all_throttled_the_one_that_is_free_first_is_waited_for(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, status=429, retry_after=9.0, reached=False))
    play.providers["two"].script.append(error(ErrorClass.RATE_LIMIT, "two", status=429, retry_after=4.0, reached=False))
    started = play.clock.now()

    found = await at_last(play, task())

    assert found.target == TWO
    assert play.clock.now() - started <= 5 * SECOND


async def test_with_all_throttled_for_long_it_says_when_to_come_back(play: Rig) -> None:
    for name in ("one", "two"):
        failure = error(ErrorClass.RATE_LIMIT, name, status=429, retry_after=60.0, reached=False)
        play.providers[name].script.append(failure)
    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task())
    play.clock.jump(20 * SECOND)

    with pytest.raises(ProviderError) as caught:  # nobody is asked
        await play.orchestrator.complete(task())

    assert caught.value.error_class is ErrorClass.RATE_LIMIT
    assert caught.value.retry_after == 40.0
    assert [len(play.providers[name].requests) for name in ("one", "two")] == [1, 1]


async def test_an_overload_that_names_its_time_is_remembered_too(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.SERVER_ERROR, status=503, retry_after=30.0))
    await play.orchestrator.complete(task())

    assert (await play.orchestrator.complete(task())).target == TWO
    assert len(play.providers["one"].requests) == 1


async def test_a_throttled_model_is_asked_again_when_the_next_fails_too(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, status=429, retry_after=3.0, reached=False))
    play.providers["two"].script.append(error(ErrorClass.AUTHENTICATION, "two", status=401, reached=False))

    found = await at_last(play, task())

    assert (found.target, found.failed) == (ONE, ("one/m", "two/m"))


async def test_a_429_that_asks_for_no_time_is_not_repeated_at_once(play: Rig) -> None:
    chain(play, "one/m")
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, status=429, retry_after=0.0, reached=False))
    started = play.clock.now()

    await at_last(play, task())

    assert play.clock.now() - started >= SETTINGS.retry.backoff.floor


async def test_no_task_waits_twice_for_a_model_that_throttles_it_again(play: Rig) -> None:
    chain(play, "one/m")
    play.providers["one"].script += [
        error(ErrorClass.RATE_LIMIT, status=429, retry_after=2.0, reached=False) for _ in range(5)
    ]

    with pytest.raises(ProviderError):
        await at_last(play, task())

    assert len(play.providers["one"].requests) == SETTINGS.retry.attempts


async def test_a_limit_of_ours_says_nothing_of_the_provider() -> None:
    throttles = Throttles(random.Random(1), Backoff())

    throttles.note(ONE, error(ErrorClass.RATE_LIMIT, code="own_limit", retry_after=60.0), 0)

    assert throttles.until(ONE) == 0


def test_a_429_without_a_time_is_taken_for_longer_each_time_in_a_row() -> None:
    throttles = Throttles(random.Random(1), Backoff(base=SECOND, ceiling=64 * SECOND, floor=SECOND // 10))
    waits = []
    for _ in range(200):
        throttles.answered(ONE)
        throttles.note(ONE, error(ErrorClass.RATE_LIMIT, status=429), 0)
        for _ in range(5):
            throttles.note(ONE, error(ErrorClass.RATE_LIMIT, status=429), 0)
        waits.append(throttles.until(ONE))

    assert max(waits) > 16 * SECOND
    assert all(SECOND // 10 <= wait <= 64 * SECOND for wait in waits)


async def test_a_model_that_throttled_a_rehearsal_is_still_asked_by_tasks(play: Rig) -> None:
    patience = error(ErrorClass.RATE_LIMIT, status=429, retry_after=30.0)
    play.providers["one"].script.append(patience)

    rehearsed = await at_last(play, task(rehearsal=True, trace_id="loadtest_1"))
    real = await at_last(play, task())
    again = await at_last(play, task(rehearsal=True, trace_id="loadtest_2"))

    assert [one.target for one in (rehearsed, real, again)] == [TWO, ONE, TWO]


async def test_a_rehearsal_leaves_alone_what_throttled_a_task(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.RATE_LIMIT, status=429, retry_after=5.0))

    assert (await at_last(play, task())).target == TWO
    assert (await at_last(play, task(rehearsal=True))).target == TWO
    assert (await at_last(play, task(rehearsal=True, pinned=ONE))).target == ONE  # waited for
    assert play.clock.now() >= MORNING + 5 * SECOND


async def test_the_retries_of_rehearsals_are_not_taken_from_the_tasks(play: Rig) -> None:
    budget = replace(SETTINGS.retry, budget_share=0.0, budget_floor=1)
    chain(play, "one/m", retry=budget)
    script = play.providers["one"].script
    script += [error(ErrorClass.SERVER_ERROR, status=500)] * 2

    with pytest.raises(ProviderError):  # one more try, and no other
        await at_last(play, task(rehearsal=True))
    script.append(error(ErrorClass.SERVER_ERROR, status=500))

    assert (await at_last(play, task())).target == ONE


def test_throttles_of_whatever_clients_name_are_bounded() -> None:
    throttles = Throttles(random.Random(1), Backoff())

    for number in range(5_000):
        throttles.note(Target("one", f"m{number}"), error(ErrorClass.RATE_LIMIT, retry_after=60.0), 0)

    assert len(throttles._until) == 512
    assert throttles.until(Target("one", "m4999")) == 60 * SECOND


# ── what an outage may cost ─────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.tuples(st.integers(0, 20 * SECOND), st.booleans()), min_size=1, max_size=300),
    st.sampled_from([0.0, 0.1, 0.2, 1.0]),
    st.integers(0, 5),
)
def test_in_no_window_are_there_more_extras_than_their_share_and_floor(
    steps: list[tuple[int, bool]], share: float, floor: int
) -> None:
    allowance, now = Allowance(share=share, floor=floor, window=MINUTE), 0
    asked: list[int] = []
    taken: list[int] = []
    for pause, extra in steps:
        now += pause
        if not extra:
            allowance.asked(now)
            asked.append(now)
        elif allowance.take(now):
            taken.append(now)
            requests = sum(at > now - MINUTE for at in asked)
            extras = sum(at > now - MINUTE for at in taken)
            assert extras <= requests * share + floor


def test_an_allowance_remembers_no_more_than_its_window() -> None:
    allowance = Allowance(share=0.2, floor=1, window=MINUTE)

    for number in range(10_000):
        allowance.asked(number * SECOND)
        allowance.take(number * SECOND)

    assert len(allowance._parts) <= 62


def test_what_is_granted_comes_near_the_share() -> None:
    allowance, granted = Allowance(share=0.2, floor=0, window=MINUTE), 0
    for number in range(1_000):
        allowance.asked(number * SECOND // 10)
        granted += allowance.take(number * SECOND // 10)

    assert 190 <= granted <= 200


@pytest.mark.parametrize("tasks", [1, 30, 200])
@pytest.mark.parametrize("failure", [ErrorClass.SERVER_ERROR, ErrorClass.NETWORK_ERROR, ErrorClass.UNKNOWN])
async def test_a_total_outage_is_not_multiplied(tmp_path: Path, tasks: int, failure: ErrorClass) -> None:
    """Every call fails, no breaker helps: each provider gets 1.2 calls a task and the floor at most."""
    retry = RetrySettings(attempts=4, backoff=Backoff(base=SECOND // 100, ceiling=SECOND // 10, floor=SECOND // 1000))
    lenient = replace(SETTINGS.breaker, least_calls=1_000_000)
    clock = ManualClock(auto=True, patience=0.001)
    async with rig(tmp_path, clock=clock) as play:
        chain(play, "one/m", "two/m", retry=retry, breaker=lenient)
        for name in ("one", "two"):
            play.providers[name].script += [error(failure, name, reached=False) for _ in range(tasks * 10)]

        async def fail() -> None:
            with pytest.raises(ProviderError):
                await play.orchestrator.complete(task())

        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(fail())

        calls = [len(play.providers[name].requests) for name in ("one", "two")]

    assert all(tasks <= count <= 1.2 * tasks + retry.budget_floor for count in calls)
    assert sum(calls) > 2 * tasks  # the budget is used, too


async def test_a_retry_that_the_budget_refuses_goes_to_the_next_model_at_once(play: Rig) -> None:
    chain(play, "one/m", "two/m", retry=RetrySettings(budget_floor=0))
    play.providers["one"].script.append(error(ErrorClass.SERVER_ERROR))

    found = await play.orchestrator.complete(task())

    assert found.target == TWO
    assert len(play.providers["one"].requests) == 1
    assert play.clock.sleepers == 0


# ── what is told ────────────────────────────────────────────────────────────────────────────────────────────────────


async def _told(play: Rig) -> list[FallbackTaken]:
    await play.metered.drain()
    return [one.event for one in await play.database.events_after(0) if isinstance(one.event, FallbackTaken)]


async def _shut(play: Rig, target: Target) -> None:
    for _ in range(SETTINGS.breaker.least_calls):
        play.providers[target.provider].script.append(error(ErrorClass.SERVER_ERROR, target.provider))
        with pytest.raises(ProviderError):
            await play.guarded.complete(task(), target)


async def test_a_breaker_that_is_open_further_down_the_chain_is_no_fallback(play: Rig) -> None:
    await _shut(play, TWO)

    assert (await play.orchestrator.complete(task())).target == ONE

    assert await _told(play) == []


async def test_a_rehearsal_tells_of_no_fallback(play: Rig) -> None:
    play.providers["one"].script.append(error(ErrorClass.AUTHENTICATION, reached=False))

    found = await play.orchestrator.complete(task(rehearsal=True))

    assert found.failed == ("one/m",)
    assert await _told(play) == []


async def test_a_provider_taken_down_for_a_drill_is_never_called_nor_booked(play: Rig) -> None:
    with pytest.raises(ProviderError) as caught:
        await play.metered.complete(task(outage="one"), ONE)

    assert caught.value.error_class is ErrorClass.NETWORK_ERROR
    assert not play.providers["one"].requests
    assert await play.rows("SELECT id FROM attempts UNION ALL SELECT id FROM entries") == []


# ── settlements that trail ──────────────────────────────────────────────────────────────────────────────────────────


class Jammed:
    """A database that refuses so many writes before it takes them."""

    def __init__(self, database: Database, refusals: int) -> None:
        self.database = database
        self.refusals = refusals

    def submit(self, write: Any, *, lingers: bool) -> asyncio.Future[Any]:
        if self.refusals > 0:
            self.refusals -= 1
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_exception(StorageError("the disk is full"))
            return future
        return self.database.submit(write, lingers=lingers)

    def hurry(self) -> None:
        self.database.hurry()


def _write(name: str) -> Any:
    def write(tx: Tx) -> None:
        tx.execute("INSERT OR IGNORE INTO meta VALUES (?, 'x')", (name,))

    return write


async def test_a_write_that_failed_is_repeated_until_it_stands(play: Rig) -> None:
    trailing = Trailing(Jammed(play.database, refusals=3))  # type: ignore[arg-type]
    trailing.put(_write("mine"), "a settlement")
    await settle()

    for _ in range(3):
        assert trailing.outstanding == 1
        await trailing.drain()

    assert trailing.outstanding == 0
    assert await play.rows("SELECT * FROM meta WHERE key = 'mine'")


async def test_a_write_is_given_up_at_last_and_said_so(play: Rig, caplog: pytest.LogCaptureFixture) -> None:
    trailing = Trailing(Jammed(play.database, refusals=1_000))  # type: ignore[arg-type]
    trailing.put(_write("mine"), "the settlement of att_1")

    for _ in range(30):
        await settle()
        await trailing.mend()
    await settle()

    assert trailing.outstanding == 0
    assert "the settlement of att_1 was given up" in caplog.text


async def test_what_trails_is_bounded(play: Rig) -> None:
    """With the room full a call waits for its own settlement, and learns that it failed."""
    trailing = play.metered.trailing
    jam = Jammed(play.database, refusals=ROOM)
    trailing._database = jam  # type: ignore[assignment]
    for number in range(ROOM):
        trailing.put(_write(f"m{number}"), "a settlement")
    await settle()
    assert trailing.full

    found = await play.metered.complete(task(), ONE)

    async with play.database.reader() as reader:
        assert await reader.row("SELECT cost FROM ledger WHERE id = ?", (found.attempt_id,)) is not None
    await trailing.drain()
    assert trailing.outstanding == 0


async def test_an_answer_does_not_wait_for_its_settlement_unless_something_is_written_with_it(play: Rig) -> None:
    found = await play.metered.complete(task(), ONE)

    assert play.metered.trailing.outstanding == 1
    assert found.cost == 10 * 1_000 + 5 * 2_000
    await play.metered.drain()

    await play.metered.complete(task(conclude=lambda _: lambda tx, cost: None), ONE)

    assert play.metered.trailing.outstanding == 0


async def test_the_cost_told_before_the_settlement_is_the_one_that_is_booked(play: Rig) -> None:
    outcomes = (answer(), answer(usage=None))
    for step in outcomes:
        play.providers["one"].script.append(step)
        found = await play.metered.complete(task(), ONE)
        (row,) = await play.rows("SELECT cost FROM ledger WHERE id = ?", found.attempt_id)
        assert row["cost"] == found.cost


async def test_a_crash_before_the_settlement_stands_charges_the_hold(tmp_path: Path) -> None:
    """The answer was handed back, the process died: the attempt is open in the file, and the next start charges it."""
    async with rig(tmp_path) as play:
        lost = Jammed(play.database, refusals=1_000)
        play.metered.trailing._database = lost  # type: ignore[assignment]
        await play.metered.complete(task(), ONE)
        await settle()

    async with rig(tmp_path) as again:
        assert await again.ledger.recover(again.clock.now()) == 1
        rows = await again.rows("SELECT outcome, basis, cost FROM ledger")

    assert [(row["outcome"], row["basis"]) for row in rows] == [("interrupted", "estimated")]
    assert rows[0]["cost"] >= 100 * 2_000


async def test_the_wait_for_a_budget_is_no_time_of_the_models(play: Rig) -> None:
    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        async def open(self, call: Any) -> Any:
            play.clock.jump(40 * SECOND)
            return await inner.open(call)

    async def quick(_: ModelRequest) -> Completion:
        play.clock.jump(2 * SECOND)
        return answer()

    inner = LedgerMeter(play.ledger, Pricer(PRICES))
    provider = FakeProvider("one")
    provider.script.append(quick)
    metered = Metered({"one": provider}, Slow(), play.database, play.clock, play.chance, SETTINGS)

    found = await metered.complete(task(), ONE)

    await metered.drain()
    assert found.duration == 2 * SECOND
    (row,) = await play.rows("SELECT duration FROM ledger")
    assert row["duration"] == 2 * SECOND


def test_settings_of_retries_are_within_reason() -> None:
    assert OrchestratorSettings().retry.budget_share == 0.2
