"""Models on trial: after the answer and never in its way, within a budget of their own, figures only."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.events import ShadowChanged, ShadowCompared
from engine.kernel.errors import BudgetRefused, CommandRefused, ErrorClass, ProviderError
from engine.kernel.values import DAY, SECOND, NanoUSD, usd
from engine.orchestrator import Answer, Hit, Level, Target, Task
from engine.orchestrator.shadow import WAITING, Shadowed, Trial
from engine.orchestrator.similarity import likeness
from engine.providers import Finish, Message, Role
from engine.storage import Database
from engine.surface.commands import SetShadow
from engine.surface.queries import ListShadows
from tests.fakes import ManualClock, settle
from tests.rig import SETTINGS, rig

ONE, TWO = Target("one", "m"), Target("two", "m")
COST, WORST = NanoUSD(300), NanoUSD(1_000)


class Model:
    """Answers real tasks as the chain does, and those on trial from the model that is tried, when it may."""

    def __init__(self) -> None:
        self.rehearsed: list[Task] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.answer: dict[str, Any] = {}

    async def complete(self, task: Task) -> Answer:
        if not task.rehearsal:
            return Answer(**{**_answer("Hello there you", ONE), **self.answer})
        self.rehearsed.append(task)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Answer(**_answer("Hello there", TWO))


def _answer(text: str, target: Target) -> dict[str, Any]:
    return {
        "text": text,
        "target": target,
        "finish": Finish.STOP,
        "usage": None,
        "attempt_id": "att",
        "cost": COST,
        "duration": 2 * SECOND,
    }


class Stage:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock()
        self.model = Model()
        self.stop = asyncio.Event()
        self.shadowed = Shadowed(
            self.model, self.model, lambda task, target: WORST, database, self.clock, random.Random(1), SETTINGS
        )

    async def begin(self, **changes: Any) -> None:
        fields = {"tool": "message", "target": TWO, "percentage": 100.0, "budget": usd(1)}
        await self.shadowed.set(Trial(**{**fields, **changes}), actor="anna")

    async def ask(self, **changes: Any) -> Answer:
        fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "say hello"),), "trace_id": "t"}
        return await self.shadowed.complete(Task(**{**fields, **changes}))

    async def compare(self) -> None:
        """Make the calls that wait, and stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.shadowed.run(self.stop))
            while self.shadowed._queue.qsize():
                await asyncio.sleep(0)
            await settle()
            self.stop.set()
        self.stop.clear()

    async def compared(self) -> list[ShadowCompared]:
        events = [one.event for one in await self.database.events_after(0)]
        return [event for event in events if isinstance(event, ShadowCompared)]

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        async with self.database.reader() as reader:
            return [tuple(row) for row in await reader.rows(sql)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        yield Stage(database)


async def test_the_answer_is_given_before_the_model_on_trial_is_asked(stage: Stage) -> None:
    await stage.begin()

    answer = await stage.ask()

    assert (answer.text, answer.target) == ("Hello there you", ONE)
    assert stage.model.rehearsed == []
    await stage.compare()
    assert len(stage.model.rehearsed) == 1


async def test_a_trial_that_hangs_or_fails_is_never_in_an_answers_way(stage: Stage) -> None:
    await stage.begin()
    stage.model.gate.clear()
    stage.model.failure = ProviderError("two", "m", ErrorClass.SERVER_ERROR, "down")
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.shadowed.run(stage.stop))
        for _ in range(WAITING * 3):
            assert (await stage.ask()).text == "Hello there you"
        await settle()
        assert len(stage.model.rehearsed) <= 4
        assert stage.shadowed.left_out > 0
        stage.stop.set()
        stage.model.gate.set()

    assert {event.outcome for event in await stage.compared()} == {"server_error"}


async def test_what_is_recorded_is_the_difference_and_no_text(stage: Stage) -> None:
    await stage.begin()
    await stage.ask()
    await stage.compare()

    (event,) = await stage.compared()
    assert (event.provider, event.shadow_provider, event.outcome) == ("one", "two", "ok")
    assert (event.duration, event.shadow_duration, event.cost, event.shadow_cost) == (
        2 * SECOND,
        2 * SECOND,
        COST,
        COST,
    )
    assert (event.length, event.shadow_length, event.likeness) == (15, 11, 666)
    assert "Hello" not in repr(event)
    assert await stage.rows("SELECT compared, failed, cost, shadow_cost, likeness FROM shadow_days") == [
        (1, 0, COST, COST, 666)
    ]
    dump = [str(row) for row in await stage.rows("SELECT data FROM events")]
    assert not any("Hello" in line or "say hello" in line for line in dump)


async def test_a_call_on_trial_is_a_rehearsal_that_stands_on_nobodys_budget_and_writes_nothing(stage: Stage) -> None:
    await stage.begin()
    seen: list[str] = []
    await stage.ask(
        tenant_id="t",
        campaign_id="c",
        account_id="a",
        user_id="u",
        job_id="j",
        emit=_into(seen),
        conclude=lambda answer: None,
    )
    await stage.compare()

    (task,) = stage.model.rehearsed
    assert (task.rehearsal, task.fresh, task.pinned) == (True, True, TWO)
    assert (task.conclude, task.emit) == (None, None)
    assert {task.tenant_id, task.campaign_id, task.account_id, task.user_id, task.job_id} == {""}


@pytest.mark.parametrize(
    "private",
    [
        {"fan_id": "f1"},
        {"messages": (Message(Role.USER, "Say hello\nFan: Zoe"),)},
        {"messages": (Message(Role.SYSTEM, "hi"), Message(Role.USER, "write to zoe@example.org"))},
        {"messages": (), "body": {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}},
        {"messages": (), "body": {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi @zoe"}]}]}},
        {"messages": (Message(Role.USER, "long " * 5_000),)},
        {"messages": (), "body": {"messages": [{"role": "user", "content": "call +33 6 12 34 56 78"}]}},
        {"messages": (), "body": {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}},
        {"messages": (), "body": {"messages": [{"role": "user", "name": "zoe", "content": "hi"}]}},
        {"messages": (), "body": {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}},
    ],
)
async def test_prompts_that_may_hold_a_persons_data_stay_out_unless_the_operator_says_otherwise(
    stage: Stage, private: dict[str, Any]
) -> None:
    await stage.begin()
    await stage.ask(**private)
    await stage.compare()
    assert stage.model.rehearsed == []

    await stage.begin(fans=True)
    await stage.ask(**private)
    await stage.compare()
    assert len(stage.model.rehearsed) == 1


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ({"rehearsal": True}, {}),
        ({}, {"hit": Hit.EXACT}),
        ({}, {"level": Level.TEMPLATE}),
        ({}, {"target": TWO}),
        ({"tool": "other"}, {}),
    ],
)
async def test_what_cannot_be_compared_is_not(stage: Stage, task: dict[str, Any], answer: dict[str, Any]) -> None:
    await stage.begin()
    stage.model.answer = answer
    await stage.ask(**task)
    rehearsals = len(stage.model.rehearsed)  # a task that is itself one
    await stage.compare()

    assert len(stage.model.rehearsed) == rehearsals


async def test_the_sample_is_its_share(stage: Stage) -> None:
    await stage.begin(percentage=10.0)
    for _ in range(300):
        await stage.ask()

    assert 15 <= stage.shadowed._queue.qsize() <= 45


@pytest.mark.parametrize("room", [0, 1, 3])
async def test_the_daily_budget_is_never_passed_even_at_the_worst(stage: Stage, room: int) -> None:
    await stage.begin(budget=NanoUSD(WORST * room + COST * 2 if room else WORST - 1))
    stage.model.failure = ProviderError("two", "m", ErrorClass.TIMEOUT, "late")  # may have been billed at its worst
    for _ in range(20):
        await stage.ask()
    await stage.compare()

    assert len(stage.model.rehearsed) == room
    assert stage.shadowed.left_out == 20 - room


async def test_the_budget_is_new_the_next_day_and_known_after_a_restart(stage: Stage) -> None:
    await stage.begin(budget=WORST)
    await stage.ask()
    await stage.ask()
    await stage.compare()
    assert len(stage.model.rehearsed) == 1
    again = Stage(stage.database)
    await again.shadowed.load()
    assert again.shadowed.spent_today("message") == COST

    again.clock.jump(DAY)
    assert again.shadowed.spent_today("message") == 0
    await again.ask()
    await again.compare()
    assert len(again.model.rehearsed) == 1


async def test_a_refusal_by_a_budget_costs_nothing_and_is_counted_as_a_failure(stage: Stage) -> None:
    await stage.begin()
    stage.model.failure = BudgetRefused("global", "no room")
    await stage.ask()
    await stage.compare()

    assert await stage.rows("SELECT compared, failed, shadow_cost FROM shadow_days") == [(0, 1, 0)]
    assert stage.shadowed.spent_today("message") == 0


async def test_stop_lets_what_is_under_way_end_and_leaves_the_rest(stage: Stage) -> None:
    await stage.begin()
    stage.model.gate.clear()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.shadowed.run(stage.stop))
        for _ in range(10):
            await stage.ask()
        await settle()
        stage.stop.set()
        await settle()
        assert not running.done()
        stage.model.gate.set()

    assert len(await stage.compared()) == 4
    assert stage.shadowed.left_out == 6


async def test_a_trial_at_0_percent_is_over(stage: Stage) -> None:
    await stage.begin()
    await stage.begin(percentage=0.0, budget=NanoUSD(0))
    await stage.ask()

    assert stage.shadowed._queue.empty()
    assert await stage.rows("SELECT * FROM shadows") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"tool": "nothing"},
        {"percentage": 101.0},
        {"percentage": -1.0},
        {"budget": NanoUSD(0)},
        {"target": Target("two", "")},
    ],
)
async def test_a_trial_that_makes_no_sense_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    with pytest.raises(CommandRefused):
        await stage.begin(**wrong)

    assert list(stage.shadowed.trials()) == []


async def test_the_desk_begins_a_trial_and_shows_what_came_of_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        command = SetShadow(tool="message", target="two/m", percentage=100.0, budget=usd("0.5"), actor="anna")
        assert "two/m is tried on 100 % of message" in (await play.desk.submit(command)).summary
        task = Task(tool="message", messages=(Message(Role.USER, "hi"),), trace_id="t", campaign_id="cmp_1")
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(play.shadowed.run(stop))
            await play.orchestrator.complete(task)
            while not (await play.desk.query(ListShadows())).rows[0].compared:
                await asyncio.sleep(0.001)
            stop.set()
        (row,) = (await play.desk.query(ListShadows())).rows
        booked = await play.rows("SELECT provider, campaign_id FROM ledger ORDER BY provider")
        told = [one.event for one in await play.database.events_after(0)]

    assert (row.target, row.compared, row.failed, row.likeness) == ("two/m", 1, 0, 1000)
    assert row.spent_today == row.shadow_cost == row.cost > 0
    assert booked == [{"provider": "one", "campaign_id": "cmp_1"}, {"provider": "two", "campaign_id": ""}]
    assert [event.actor for event in told if isinstance(event, ShadowChanged)] == ["anna"]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [("", "", 1000), ("a b", "A, b!", 1000), ("a b", "c", 0), ("a a b", "a b b", 500), ("", "a", 0)],
)
def test_likeness_counts_words_in_common(one: str, other: str, found: int) -> None:
    assert likeness(one, other) == found


def _into(pieces: list[str]) -> Any:
    async def emit(piece: Any) -> None:
        pieces.append(piece.text)

    return emit
