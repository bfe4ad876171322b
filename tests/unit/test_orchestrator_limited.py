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
