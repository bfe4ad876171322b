"""One call for all who ask the same at once: its bill, its failures, those who leave, and its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import CallsShared
from engine.kernel.errors import BudgetRefused, ErrorClass, ProviderError
from engine.kernel.values import SECOND, NanoUSD
from engine.orchestrator import (
    Answer,
    CacheMode,
    Coalescer,
    Conclusion,
    Hit,
    OrchestratorSettings,
    Target,
    Task,
    ToolRoute,
)
from engine.orchestrator.coalescer import split
from engine.providers import Chunk, Finish, Message, Role
from engine.storage import Database, Tx
from tests.fakes import ManualClock, settle

SETTINGS = OrchestratorSettings(
    tools={"message": ToolRoute(chain=("one/m",), cache=CacheMode.EXACT), "alone": ToolRoute(chain=("one/m",))},
    total=180 * SECOND,
)
BILL = NanoUSD(1_003)


class Model:
    """The stage behind the coalescer: answers when told to, and settles as the meter does."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tasks: list[Task] = []
        self.gate = asyncio.Event()
        self.failure: BaseException | None = None
        self.cancelled = 0
        self.words = ("Hello ", "there")
        self.between = asyncio.Event()  # passed before the second word
        self.between.set()
        self.settling: asyncio.Event | None = None

    async def complete(self, task: Task) -> Answer:
        self.tasks.append(task)
        try:
            for number, word in enumerate(self.words):
                if task.emit is not None:
                    await task.emit(Chunk(text=word))
                if number == 0:
                    await self.between.wait()
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failure is not None:
            raise self.failure
        if task.emit is not None:
            await task.emit(Chunk(finish=Finish.STOP))
        answer = Answer(
            text="".join(self.words), target=Target("one", "m"), finish=Finish.STOP, usage=None, attempt_id="att_1"
        )
        write = task.conclude(answer) if task.conclude else None
        if self.settling is not None:
            await self.settling.wait()

        if write is not None:
            settle_it = write
            await self.database.write(lambda tx: settle_it(tx, BILL))
        return answer._replace(cost=BILL)


class Stage:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock()
        self.model = Model(database)
        self.coalescer = Coalescer(self.model, database, self.clock, SETTINGS)

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        async with self.database.reader() as reader:
            return [tuple(row) for row in await reader.rows(sql)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        yield Stage(database)


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, **changes})


def noting(name: str) -> Any:
    """A conclusion that writes its share down."""

    def conclude(answer: Answer) -> Conclusion:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            tx.execute("INSERT INTO meta VALUES (?, ?)", (name, str(cost)))

        return write

    return conclude


async def test_fifty_who_ask_the_same_at_once_make_one_call_and_share_its_bill(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(stage.coalescer.complete(task(job_id=f"job_{n}"))) for n in range(50)]
        await settle()
        stage.model.gate.set()
    answers = [one.result() for one in asked]

    assert len(stage.model.tasks) == 1
    assert {answer.text for answer in answers} == {"Hello there"}
    assert sum(answer.cost or 0 for answer in answers) == BILL
    assert answers[0].cost == 20 + BILL % 50
    assert [answer.hit for answer in answers] == [Hit.MISS] + [Hit.SHARED] * 49
    assert {(answer.cost or 0) + (answer.saved or 0) for answer in answers} == {BILL}
    (event,) = [one.event for one in await stage.database.events_after(0)]
    assert isinstance(event, CallsShared)
    assert (event.callers, event.cost, event.saved) == (50, BILL, 49 * BILL)
    assert await stage.rows("SELECT count(*), sum(cost) FROM call_shares") == [(50, BILL)]


@given(st.none() | st.integers(0, 10**12), st.integers(1, 300))
def test_the_shares_sum_to_the_bill_and_differ_by_what_does_not_divide(cost: int | None, callers: int) -> None:
    shares = split(None if cost is None else NanoUSD(cost), callers)

    assert len(shares) == callers
    if cost is None:
        assert set(shares) == {None}
    else:
        assert sum(share or 0 for share in shares) == cost
        assert set(shares[1:]) <= {cost // callers}


async def test_each_callers_conclusion_is_written_with_its_share_and_fails_alone(stage: Stage) -> None:
    def broken(answer: Answer) -> Conclusion:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            tx.execute("INSERT INTO meta VALUES ('half', 'done')")
            raise KeyError("a defect")

        return write

    def worse(answer: Answer) -> Conclusion:
        raise LookupError("before the write")

    stage.model.gate.set()
    found = await asyncio.gather(
        stage.coalescer.complete(task(conclude=noting("first"))),
        stage.coalescer.complete(task(conclude=broken)),
        stage.coalescer.complete(task(conclude=worse)),
        stage.coalescer.complete(task(conclude=noting("last"))),
        return_exceptions=True,
    )

    assert isinstance(found[0], Answer)
    assert isinstance(found[1], KeyError)
    assert isinstance(found[2], LookupError)
    assert isinstance(found[3], Answer)
    rows = await stage.rows("SELECT key, value FROM meta WHERE key IN ('first', 'half', 'last') ORDER BY key")
    assert rows == [("first", "253"), ("last", "250")]


async def test_a_caller_that_leaves_does_not_end_the_call(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(stage.coalescer.complete(task()))
        second = group.create_task(stage.coalescer.complete(task()))
        await settle()
        first.cancel()
        await settle()
        stage.model.gate.set()

    assert first.cancelled()
    assert second.result().cost == BILL
    assert second.result().hit is Hit.MISS  # it is the first of those left, and pays the whole
    assert (len(stage.model.tasks), stage.model.cancelled) == (1, 0)


async def test_the_last_to_leave_ends_the_call_and_the_next_starts_afresh(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(stage.coalescer.complete(task())) for _ in range(3)]
        await settle()
        for one in asked:
            one.cancel()
    assert stage.model.cancelled == 1
    assert stage.coalescer.in_flight == 0

    stage.model.gate.set()
    assert (await stage.coalescer.complete(task())).cost == BILL
    assert len(stage.model.tasks) == 2


async def test_a_failure_reaches_all_once_each_as_its_own_and_the_next_starts_afresh(stage: Stage) -> None:
    stage.model.failure = ProviderError("one", "m", ErrorClass.SERVER_ERROR, "down", retry_after=3.0)
    stage.model.gate.set()

    found = await asyncio.gather(*(stage.coalescer.complete(task()) for _ in range(5)), return_exceptions=True)

    assert len(stage.model.tasks) == 1
    assert len({id(error) for error in found}) == 5
    for error in found:
        assert isinstance(error, ProviderError)
        assert (error.error_class, error.retry_after, str(error)) == (ErrorClass.SERVER_ERROR, 3.0, "one m: down")

    stage.model.failure = None
    assert (await stage.coalescer.complete(task())).text == "Hello there"


async def test_a_budget_of_the_first_callers_refuses_nobody_elses_call(stage: Stage) -> None:
    stage.model.failure = BudgetRefused("campaign", "no room")

    async def clear() -> None:
        await settle()
        stage.model.gate.set()
        await settle(3)
        stage.model.failure = None

    found = await asyncio.gather(
        stage.coalescer.complete(task(campaign_id="a")),
        stage.coalescer.complete(task(campaign_id="a")),
        stage.coalescer.complete(task(campaign_id="b")),
        clear(),
        return_exceptions=True,
    )

    assert isinstance(found[0], BudgetRefused)
    assert isinstance(found[1], BudgetRefused)
    assert isinstance(found[2], Answer)
    assert [one.campaign_id for one in stage.model.tasks] == ["a", "b"]


async def test_each_keeps_to_its_own_deadline(stage: Stage) -> None:
    soon = stage.clock.now() + 5 * SECOND
    async with asyncio.TaskGroup() as group:
        patient = group.create_task(stage.coalescer.complete(task()))
        await settle()
        hurried = group.create_task(_caught(stage.coalescer.complete(task(deadline=soon))))
        await settle()
        await stage.clock.advance(6 * SECOND)
        error = await hurried
        stage.model.gate.set()

    assert isinstance(error, ProviderError)
    assert error.error_class is ErrorClass.TIMEOUT
    assert patient.result().cost == BILL


async def test_the_first_callers_short_deadline_is_not_the_others(stage: Stage) -> None:
    stage.model.failure = ProviderError("one", "m", ErrorClass.TIMEOUT, "late")
    soon = stage.clock.now() + 5 * SECOND
    async with asyncio.TaskGroup() as group:
        hurried = group.create_task(_caught(stage.coalescer.complete(task(deadline=soon))))
        await settle()
        patient = group.create_task(stage.coalescer.complete(task()))
        await settle()
        await stage.clock.advance(6 * SECOND)
        stage.model.gate.set()
        await settle(3)
        stage.model.failure = None

    assert isinstance(hurried.result(), ProviderError)
    assert patient.result().cost == BILL


async def test_who_joins_a_stream_late_gets_it_from_the_beginning_and_a_slow_reader_holds_nobody_up(
    stage: Stage,
) -> None:
    quick: list[str] = []
    slow: list[str] = []
    late: list[str] = []
    resume = asyncio.Event()

    async def read_slowly(piece: Chunk) -> None:
        await resume.wait()
        slow.append(piece.text)

    async with asyncio.TaskGroup() as group:
        group.create_task(stage.coalescer.complete(task(emit=_into(quick))))
        crawling = group.create_task(stage.coalescer.complete(task(emit=read_slowly)))
        await settle()
        whole = group.create_task(stage.coalescer.complete(task()))
        last = group.create_task(stage.coalescer.complete(task(emit=_into(late))))
        await settle()
        stage.model.gate.set()
        assert (await last).text == (await whole).text == "Hello there"
        assert not crawling.done()
        resume.set()

    assert quick == slow == late == ["Hello ", "there", ""]
    assert len(stage.model.tasks) == 1


async def test_one_who_wants_a_stream_of_a_call_without_one_gets_it_in_pieces(stage: Stage) -> None:
    pieces: list[str] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.coalescer.complete(task()))
        await settle()
        group.create_task(stage.coalescer.complete(task(emit=_into(pieces))))
        await settle()
        stage.model.gate.set()

    assert "".join(pieces) == "Hello there"


async def test_a_stream_that_breaks_has_begun_only_for_those_who_read_of_it(stage: Stage) -> None:
    stage.model.failure = ProviderError("one", "m", ErrorClass.NETWORK_ERROR, "cut", begun=True)
    stage.model.gate.set()
    found = await asyncio.gather(
        stage.coalescer.complete(task(emit=_into([]))), stage.coalescer.complete(task()), return_exceptions=True
    )

    assert [getattr(error, "begun", None) for error in found] == [True, False]


async def test_a_reader_that_breaks_leaves_like_any_other(stage: Stage) -> None:
    async def broken(_: Chunk) -> None:
        raise ConnectionResetError

    async with asyncio.TaskGroup() as group:
        gone = group.create_task(_caught(stage.coalescer.complete(task(emit=broken))))
        stays = group.create_task(stage.coalescer.complete(task(emit=_into([]))))
        hasty = group.create_task(
            _caught(stage.coalescer.complete(task(emit=broken, deadline=stage.clock.now() + SECOND)))
        )
        await settle()
        stage.model.gate.set()

    assert isinstance(gone.result(), ConnectionResetError)
    assert isinstance(hasty.result(), ConnectionResetError)
    assert stays.result().cost == BILL


async def test_who_comes_while_the_call_is_settled_shares_it_for_nothing(stage: Stage) -> None:
    stage.model.settling = asyncio.Event()
    stage.model.gate.set()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(stage.coalescer.complete(task(conclude=noting("first"))))
        await settle()
        second = group.create_task(stage.coalescer.complete(task(conclude=noting("second"))))
        await settle()
        stage.model.settling.set()

    assert first.result().cost == BILL
    assert (second.result().cost, second.result().saved, second.result().hit) == (0, BILL, Hit.SHARED)
    rows = await stage.rows("SELECT key, value FROM meta WHERE key IN ('first', 'second') ORDER BY key")
    assert rows == [("first", str(BILL)), ("second", "0")]
    assert len(stage.model.tasks) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"tenant_id": "t2"},
        {"fan_id": "f2"},
        {"fan_id": "f1", "account_id": "bea"},
        {"messages": (Message(Role.USER, "hi!"),)},
        {"fresh": True},
        {"rehearsal": True},
        {"tool": "alone"},
        {"max_output_tokens": 7},
        {"pinned": Target("one", "m")},
        {"schema": {"type": "object"}},
        {"bare": True},
    ],
)
async def test_what_is_not_the_same_is_not_shared(stage: Stage, other: dict[str, Any]) -> None:
    first: dict[str, Any] = {"fan_id": "f1", "account_id": "anna"} if "fan_id" in other else {}
    if other == {"bare": True}:
        routes = {"message": replace(SETTINGS.tools["message"], system="Be kind")}
        stage.coalescer.configure(replace(SETTINGS, tools=routes))
    stage.model.gate.set()

    await asyncio.gather(stage.coalescer.complete(task(**first)), stage.coalescer.complete(task(**{**first, **other})))

    assert len(stage.model.tasks) == 2


async def test_drain_waits_for_a_call_whose_callers_have_all_gone(stage: Stage) -> None:
    stage.model.settling = asyncio.Event()
    stage.model.gate.set()
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(stage.coalescer.complete(task(conclude=noting("paid"))))
        await settle()
        asked.cancel()
        await settle()
        asked.cancel()
    assert stage.coalescer.in_flight == 1

    stage.model.settling.set()
    await stage.coalescer.drain()

    assert stage.model.cancelled == 0


def _into(pieces: list[str]) -> Any:
    async def emit(piece: Chunk) -> None:
        pieces.append(piece.text)

    return emit


async def _caught(asked: Any) -> Any:
    try:
        return await asked
    except Exception as error:  # noqa: BLE001
        return error
