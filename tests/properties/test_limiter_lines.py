"""Waiting for a limit in virtual time: first come, first served, bounded, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from engine.kernel.errors import BudgetRefused, ErrorClass, ProviderError
from engine.kernel.values import MINUTE, SECOND
from engine.limiter import Layer, Quotas, QuotaSettings, Rates
from engine.limiter.local_quotas import LocalQuotas
from engine.orchestrator import Answer, Limited, OrchestratorSettings, Target, Task, ToolRoute
from engine.providers import Finish, Message, Role, Usage
from engine.storage import Database
from huntaze_console.joints import QuotaBook
from tests.fakes import ManualClock, settle

ONE, TWO = Target("one", "m"), Target("two", "m")
SETTINGS = OrchestratorSettings(
    tools={"message": ToolRoute(chain=("one/m", "two/m"), max_output_tokens=100)}, waiting=50, total=10 * MINUTE
)


def task(user: str = "", *, account: str = "", deadline: int | None = None, text: str = "hello") -> Task:
    messages = (Message(Role.USER, text),)
    return Task(tool="message", messages=messages, trace_id="t", user_id=user, account_id=account, deadline=deadline)


@dataclass
class Inner:
    """The hop behind: notes who came when."""

    clock: ManualClock
    came: list[tuple[str, int]] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)

    async def complete(self, task: Task, target: Target) -> Answer:
        self.came.append((task.user_id or task.account_id, self.clock.now()))
        if self.fails:
            raise self.fails.pop(0)
        usage = Usage(input_tokens=3, output_tokens=7)
        return Answer(text="", target=target, finish=Finish.STOP, usage=usage, attempt_id="a")


@dataclass
class Bench:
    clock: ManualClock
    inner: Inner
    limited: Limited
    quotas: Quotas


@asynccontextmanager
async def bench(
    folder: Path,
    limits: QuotaSettings,
    settings: OrchestratorSettings = SETTINGS,
    spare: Callable[[Task, Target], bool] = lambda task, target: False,
) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with Database.open(folder / "q.db", readers=1, synchronous="OFF") as database:
        quotas = Quotas(LocalQuotas(database, clock), clock, limits, lambda event: None)
        inner = Inner(clock)
        limited = Limited(inner, QuotaBook(quotas, clock, settings), clock, settings, spare)
        yield Bench(clock, inner, limited, quotas)


async def test_who_waits_is_served_in_the_order_of_coming(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(everybody=Rates(requests_minute=3))) as b:
        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(b.limited.complete(task(f"u{number}"), ONE))
                await settle(3)
            for _ in range(4):
                await b.clock.advance(MINUTE + 1)

        assert [who for who, _ in b.inner.came] == [f"u{number}" for number in range(12)]
        assert b.limited.waiting == 0


async def test_rehearsals_that_wait_let_every_task_go_first(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(everybody=Rates(requests_minute=1))) as b:
        await b.limited.complete(task("first"), ONE)
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(b.limited.complete(task(f"test {number}")._replace(rehearsal=True), ONE))
                await settle(3)
            for number in range(3):
                group.create_task(b.limited.complete(task(f"u{number}"), ONE))
                await settle(3)
            for _ in range(7):
                await b.clock.advance(MINUTE + 1)

        assert [who for who, _ in b.inner.came] == ["first", "u0", "u1", "u2", "test 0", "test 1", "test 2"]
        assert b.limited.waiting == 0


async def test_a_newcomer_does_not_pass_a_line_even_when_the_window_opens_as_it_comes(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(everybody=Rates(requests_minute=1))) as b:
        async with asyncio.TaskGroup() as group:
            await b.limited.complete(task("first"), ONE)
            group.create_task(b.limited.complete(task("waits"), ONE))
            await settle()
            b.clock.jump(MINUTE + 1, wake=False)  # it opens, and the one who waits has not woken yet
            group.create_task(b.limited.complete(task("newcomer"), ONE))
            await settle()
            b.clock.jump(0)
            await settle()
            await b.clock.advance(MINUTE + 1)

        assert [who for who, _ in b.inner.came] == ["first", "waits", "newcomer"]


async def test_a_full_user_does_not_hold_up_the_others(tmp_path: Path) -> None:
    limits = QuotaSettings(users_at={"one": Rates(requests_minute=1)})
    async with bench(tmp_path, limits) as b, asyncio.TaskGroup() as group:
        for user in ("ann", "ann", "ann", "bob"):
            group.create_task(b.limited.complete(task(user), ONE))
        await settle()

        assert [who for who, _ in b.inner.came] == ["ann", "bob"]
        for _ in range(2):
            await b.clock.advance(MINUTE + 1)


async def test_nobody_starves_and_no_window_overflows_where_layers_cross(tmp_path: Path) -> None:
    """Users and accounts at random, three layers: everybody gets through, each layer's line in its own order."""
    limits = QuotaSettings(
        everybody=Rates(requests_minute=6),
        users_at={"one": Rates(requests_minute=2)},
        account=Rates(requests_minute=3),
    )
    chance = random.Random(5)
    async with bench(tmp_path, limits, replace(SETTINGS, total=90 * MINUTE, waiting=100)) as b:
        waits: list[int] = []

        async def call(user: str, account: str) -> None:
            began = b.clock.now()
            await b.limited.complete(task(user, account=account), ONE)
            waits.append(b.clock.now() - began)

        async with asyncio.TaskGroup() as group:
            for _ in range(90):
                group.create_task(call(f"u{chance.randrange(6)}", f"a{chance.randrange(3)}"))
                await b.clock.advance(chance.randrange(3 * SECOND))
            for _ in range(60):
                await b.clock.advance(MINUTE)

        assert len(b.inner.came) == 90
        times = [at for _, at in b.inner.came]
        assert all(sum(end - MINUTE <= at <= end for at in times) <= 6 for end in times)
        for user in {who for who, _ in b.inner.came}:
            own = [at for who, at in b.inner.came if who == user]
            assert all(sum(end - MINUTE <= at <= end for at in own) <= 2 for end in own)
        # 90 calls through 6 a minute take 15 minutes; through the fullest user or account at most twice as long
        assert max(waits) <= 30 * MINUTE


async def test_a_line_is_bounded_and_who_finds_it_full_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(everybody=Rates(requests_minute=1)), replace(SETTINGS, waiting=2)) as b:
        await b.limited.complete(task("u"), ONE)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(b.limited.complete(task("u"), ONE)) for _ in range(2)]
            await settle()

            with pytest.raises(ProviderError) as refused:
                await b.limited.complete(task("u"), ONE)
            for one in waiting:
                one.cancel()

        assert refused.value.error_class is ErrorClass.RATE_LIMIT
        assert not refused.value.reached
        assert refused.value.retry_after is not None
        assert b.limited.waiting == 0


async def test_nobody_waits_for_a_window_that_opens_after_the_deadline(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(everybody=Rates(requests_minute=1))) as b:
        await b.limited.complete(task("u"), ONE)

        with pytest.raises(ProviderError) as refused:
            await b.limited.complete(task("u", deadline=b.clock.now() + 30 * SECOND), ONE)

        assert refused.value.retry_after == pytest.approx(60, abs=0.001)


async def test_who_stands_behind_others_leaves_at_its_deadline_and_the_rest_move_up(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(everybody=Rates(requests_minute=1))) as b:
        await b.limited.complete(task("u0"), ONE)
        async with asyncio.TaskGroup() as group:
            for number, patience in enumerate((10, 1.5, 10), start=1):
                deadline = b.clock.now() + round(patience * MINUTE)
                late = b.limited.complete(task(f"u{number}", deadline=deadline), ONE)
                group.create_task(swallow(late))
                await settle(3)
            for _ in range(3):
                await b.clock.advance(MINUTE + 1)

        assert [who for who, _ in b.inner.came] == ["u0", "u1", "u3"]


async def swallow(call: Awaitable[Answer]) -> None:
    with contextlib.suppress(ProviderError):
        await call


async def test_where_another_model_is_free_it_does_not_wait(tmp_path: Path) -> None:
    limits = QuotaSettings(providers={"one": Rates(requests_minute=1)})
    async with bench(tmp_path, limits, spare=lambda task, target: target == ONE) as b:
        await b.limited.complete(task("u"), ONE)

        with pytest.raises(ProviderError) as refused:
            await b.limited.complete(task("u"), ONE)

        assert refused.value.error_class is ErrorClass.RATE_LIMIT
        assert b.limited.opens_at(task("u"), ONE) > b.clock.now()
        assert b.limited.opens_at(task("u"), TWO) <= b.clock.now()


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (ProviderError("one", "m", ErrorClass.NETWORK_ERROR, "no route", reached=False), False),
        (BudgetRefused("day", "no room"), False),
        (ProviderError("one", "m", ErrorClass.SERVER_ERROR, "broke"), True),
        (ProviderError("one", "m", ErrorClass.INVALID_REQUEST, "bad", status=400, reached=False), True),
    ],
)
async def test_a_call_that_never_left_does_not_count(tmp_path: Path, error: Exception, counts: bool) -> None:
    async with bench(tmp_path, QuotaSettings(everybody=Rates(requests_minute=1))) as b:
        b.inner.fails.append(error)
        with pytest.raises(type(error)):
            await b.limited.complete(task("u"), ONE)

        assert (b.limited.opens_at(task("u"), ONE) > b.clock.now()) is counts


async def test_room_given_back_goes_to_the_first_in_line_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(everybody=Rates(requests_minute=1))) as b:
        gate = asyncio.Event()
        came = b.inner.complete

        async def held(task: Task, target: Target) -> Answer:
            if task.user_id == "first":
                await gate.wait()
                raise BudgetRefused("day", "no room")
            return await came(task, target)

        b.inner.complete = held  # type: ignore[method-assign]
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(refused_by_its_budget(b, "first"))
            await settle()
            group.create_task(b.limited.complete(task("second"), ONE))
            await settle()
            gate.set()

        assert b.inner.came == [("second", b.clock.now())]


async def refused_by_its_budget(b: Bench, user: str) -> None:
    with pytest.raises(BudgetRefused):
        await b.limited.complete(task(user), ONE)


async def test_tokens_are_held_at_their_most_and_settled_to_what_was_taken(tmp_path: Path) -> None:
    """At most 100 out and some 20 in; 10 are taken. 240 a minute let two through at once, and then many more."""
    async with bench(tmp_path, QuotaSettings(everybody=Rates(tokens_minute=240))) as b:
        for _ in range(12):
            await b.limited.complete(task("u", deadline=b.clock.now() + SECOND), ONE)

        (use,) = await b.quotas.usage()
        assert use.used == 120


@pytest.mark.parametrize(("rehearsal", "allowed"), [(False, {10, 5}), (True, {10})])
async def test_429s_slow_their_model_down_but_a_rehearsal_teaches_nothing(
    tmp_path: Path, rehearsal: bool, allowed: set[int]
) -> None:
    async with bench(tmp_path, QuotaSettings(providers={"one": Rates(requests_minute=10)})) as b:
        for _ in range(3):
            b.inner.fails.append(
                ProviderError("one", "m", ErrorClass.RATE_LIMIT, "slow down", status=429, reached=False)
            )
            with pytest.raises(ProviderError):
                await b.limited.complete(task("u")._replace(rehearsal=rehearsal), ONE)

        assert {use.allowed for use in await b.quotas.usage()} == allowed
        assert {use.used for use in await b.quotas.usage() if use.bound.layer is Layer.PROVIDER} == {3}
