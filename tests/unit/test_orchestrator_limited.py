"""Limits in the whole way from a task to its answer: who stands in, who waits, and what a refusal leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import MINUTE, SECOND
from engine.limiter import QuotaSettings, Rates
from engine.orchestrator import Orchestrator, Target, Task
from engine.orchestrator.decision import Verdict
from engine.providers import Message, Role
from tests.fakes import ManualClock
from tests.rig import Rig, join_stages, rig


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path, clock=ManualClock(auto=True)) as found:
        yield found


def joined(play: Rig, limits: QuotaSettings) -> Orchestrator:
    return join_stages(play.metered, play.database, play.clock, play.chance, limits=limits).orchestrator


def task(play: Rig, user: str = "ann", *, within: int = 3 * MINUTE) -> Task:
    messages = (Message(Role.USER, f"hello {play.chance.random()}"),)
    deadline = play.clock.now() + within
    return Task(tool="message", messages=messages, trace_id="t", user_id=user, deadline=deadline, fresh=True)


async def test_a_model_over_its_limit_is_passed_over_and_the_decision_says_why(play: Rig) -> None:
    orchestrator = joined(play, QuotaSettings(providers={"one": Rates(requests_minute=1)}))
    began = play.clock.now()

    answers = [await orchestrator.complete(task(play)) for _ in range(3)]

    assert [answer.target.provider for answer in answers] == ["one", "two", "two"]
    assert play.clock.now() - began < SECOND
    (first, second) = orchestrator.decide(task(play)).candidates
    assert (first.target, first.verdict) == (Target("two", "m"), Verdict.TAKEN)
    assert (second.target, second.verdict) == (Target("one", "m"), Verdict.OVER_LIMIT)


async def test_where_every_model_is_full_the_task_waits_for_the_first_to_open(play: Rig) -> None:
    orchestrator = joined(play, QuotaSettings(everybody=Rates(requests_minute=2)))
    began = play.clock.now()

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(orchestrator.complete(task(play, f"u{number}")))

    assert MINUTE < play.clock.now() - began < MINUTE + SECOND
    assert len(play.providers["one"].requests) == 4


def failing(times: int) -> list[ProviderError]:
    return [ProviderError("two", "m", ErrorClass.SERVER_ERROR, "no", status=500)] * times


@pytest.mark.parametrize("error_class", [ErrorClass.SERVER_ERROR, ErrorClass.TIMEOUT, ErrorClass.CONTENT_FILTER])
async def test_when_the_free_model_fails_the_one_over_its_limit_is_waited_for(
    play: Rig, error_class: ErrorClass
) -> None:
    orchestrator = joined(play, QuotaSettings(providers={"one": Rates(requests_minute=1)}))
    await orchestrator.complete(task(play))
    began = play.clock.now()
    play.providers["two"].script += [ProviderError("two", "m", error_class, "no")] * 2

    answer = await orchestrator.complete(task(play))

    assert answer.target.provider == "one"
    assert 50 * SECOND < play.clock.now() - began < MINUTE + 10 * SECOND


async def test_a_limit_that_opens_too_late_is_not_waited_for_and_the_failure_is_the_answer(play: Rig) -> None:
    orchestrator = joined(play, QuotaSettings(providers={"one": Rates(requests_minute=1)}))
    await orchestrator.complete(task(play))
    began = play.clock.now()
    play.providers["two"].script += failing(2)

    with pytest.raises(ProviderError) as raised:
        await orchestrator.complete(task(play, within=20 * SECOND))

    assert (raised.value.provider, raised.value.error_class) == ("two", ErrorClass.SERVER_ERROR)
    assert play.clock.now() - began < 10 * SECOND
    assert len(play.providers["one"].requests) == 1


async def test_a_short_patience_is_waited_out_before_a_long_limit(play: Rig) -> None:
    orchestrator = joined(play, QuotaSettings(providers={"one": Rates(requests_minute=1)}))
    await orchestrator.complete(task(play))
    began = play.clock.now()
    play.providers["two"].script.append(
        ProviderError("two", "m", ErrorClass.RATE_LIMIT, "no", status=429, retry_after=2.0)
    )

    answer = await orchestrator.complete(task(play))

    assert answer.target.provider == "two"
    assert 2 * SECOND <= play.clock.now() - began < 10 * SECOND


async def test_a_patience_beyond_bearing_is_not_waited_for_where_a_limit_opens_before(play: Rig) -> None:
    orchestrator = joined(play, QuotaSettings(providers={"one": Rates(requests_minute=1)}))
    await orchestrator.complete(task(play))
    play.providers["two"].script.append(
        ProviderError("two", "m", ErrorClass.RATE_LIMIT, "no", status=429, retry_after=600.0)
    )

    assert (await orchestrator.complete(task(play))).target.provider == "one"


async def test_one_users_limit_is_no_word_of_the_provider_on_the_others(play: Rig) -> None:
    limits = QuotaSettings(users_at={name: Rates(requests_minute=1) for name in ("one", "two")})
    orchestrator = joined(play, limits)
    for _ in range(2):
        await orchestrator.complete(task(play, "ann"))
    with pytest.raises(ProviderError) as refused:
        await orchestrator.complete(task(play, "ann", within=5 * SECOND))

    answer = await orchestrator.complete(task(play, "bob"))

    assert refused.value.error_class is ErrorClass.RATE_LIMIT
    assert not refused.value.reached
    assert answer.target.provider == "one"
    assert sum(len(provider.requests) for provider in play.providers.values()) == 3


async def test_a_user_over_the_shipped_limit_does_not_hold_up_work_without_one(play: Rig) -> None:
    orchestrator = joined(play, QuotaSettings(users_at={name: Rates(requests_minute=2) for name in ("one", "two")}))
    began = play.clock.now()

    for _ in range(20):
        await orchestrator.complete(task(play, ""))

    assert play.clock.now() - began < SECOND
