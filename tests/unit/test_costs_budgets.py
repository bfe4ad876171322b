"""A hard budget is never overspent, and money that is only held is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from engine.costs import (
    Attempt,
    CostSettings,
    Dimensions,
    Ledger,
    PriceOverride,
    Pricer,
    Settlement,
    find_budget,
)
from engine.kernel.errors import BudgetRefused, CommandRefused
from engine.kernel.values import SECOND, AttemptId, Instant, NanoUSD
from engine.providers.port import Usage
from engine.storage import Database
from tests.fakes import MORNING, ManualClock, settle

PRICER = Pricer(
    CostSettings(
        overrides=(
            PriceOverride(
                provider="own", model="m", from_day=date(2026, 1, 1), input=Decimal("0.001"), output=Decimal("0.001")
            ),
        )
    )
)
WORST = 100  # nano-dollars: 100 tokens at most, one nano-dollar each


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "huntaze.db", readers=1) as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(database: Database, clock: ManualClock) -> Ledger:
    return Ledger(database, PRICER, clock)


def attempt(number: int, *, campaign: str = "cmp_1", model: str = "m", tokens: int = WORST) -> Attempt:
    return Attempt(
        id=AttemptId(f"att_{number:04d}"),
        dimensions=Dimensions("own", model, "message", campaign, account_id="acc_1"),
        opened_at=MORNING,
        worst_case=PRICER.worst_case("own", model, input_tokens=tokens, max_output_tokens=0, at=MORNING),
        input_tokens_bound=tokens,
        max_output_tokens=0,
    )


async def give(
    database: Database, limit: int | None, key: str = "cmp_1", *, scope: str = "campaign", ledger: Ledger | None = None
) -> None:
    books = ledger or Ledger(database, PRICER, ManualClock())
    await database.write(lambda tx: books.set_limit(tx, scope, key, None if limit is None else NanoUSD(limit)))


async def end(database: Database, ledger: Ledger, call: Attempt, cost: int | None) -> None:
    """Settle a call at a cost; None: nobody knows what was used."""
    usage = None if cost is None else Usage(input_tokens=cost)
    settlement = Settlement(outcome="ok", ended_at=MORNING, usage=usage)
    await database.write(lambda tx: ledger.settle(tx, call, settlement))


async def state(database: Database, scope: str = "campaign", key: str = "cmp_1") -> tuple[int, int, int]:
    """Limit, spent, held."""
    async with database.reader() as reader:
        found = await find_budget(reader, scope, key)
    assert found is not None
    return found.limit, found.spent, found.held


async def until_waiting(ledger: Ledger, count: int) -> None:
    async with asyncio.timeout(5):
        while ledger.waiting < count:
            await asyncio.sleep(0.001)


async def test_the_worst_case_is_held_and_the_exact_cost_takes_its_place(database: Database, ledger: Ledger) -> None:
    await give(database, 1_000)
    call = attempt(1)

    await ledger.open(call)
    held = await state(database)
    await end(database, ledger, call, 30)

    assert held == (1_000, 0, WORST)
    assert await state(database) == (1_000, 30, 0)


async def test_a_call_whose_end_nobody_saw_costs_its_hold(database: Database, ledger: Ledger) -> None:
    await give(database, 1_000)
    call = attempt(1)
    await ledger.open(call)

    await end(database, ledger, call, None)

    assert await state(database) == (1_000, WORST, 0)


async def test_what_does_not_fit_is_refused_and_leaves_nothing(database: Database, ledger: Ledger) -> None:
    await give(database, WORST - 1)

    with pytest.raises(BudgetRefused, match=r"may cost 0\.0000001 USD and the campaign's budget has") as caught:
        await ledger.open(attempt(1))

    assert not caught.value.waitable
    assert caught.value.scope == "campaign:cmp_1"
    assert await state(database) == (WORST - 1, 0, 0)
    async with database.reader() as reader:
        assert await reader.rows("SELECT * FROM attempts") == []


async def test_an_unknown_price_is_refused_where_there_is_a_budget_and_only_there(
    database: Database, ledger: Ledger
) -> None:
    await give(database, 1_000_000)

    with pytest.raises(BudgetRefused, match="not known") as caught:
        await ledger.open(attempt(1, model="unknown"))
    await ledger.open(attempt(2, model="unknown", campaign="cmp_2"))

    assert not caught.value.waitable


async def test_held_money_is_waited_for_until_it_comes_back(database: Database, ledger: Ledger) -> None:
    await give(database, 150)
    first, second = attempt(1), attempt(2)
    await ledger.open(first)

    async with asyncio.TaskGroup() as group:
        group.create_task(ledger.open(second))
        await until_waiting(ledger, 1)
        await end(database, ledger, first, 10)

    assert await state(database) == (150, 10, WORST)


async def test_a_waiting_call_is_refused_once_the_money_it_waited_for_is_spent(
    database: Database, ledger: Ledger
) -> None:
    await give(database, 150)
    first = attempt(1)
    await ledger.open(first)

    async def opening() -> BudgetRefused:
        with pytest.raises(BudgetRefused) as caught:
            await ledger.open(attempt(2))
        return caught.value

    async with asyncio.TaskGroup() as group:
        refused = group.create_task(opening())
        await until_waiting(ledger, 1)
        await end(database, ledger, first, 60)

    assert not refused.result().waitable
    assert await state(database) == (150, 60, 0)


async def test_waiting_ends_at_the_deadline(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    await give(database, 150)
    await ledger.open(attempt(1))

    async def opening() -> BudgetRefused:
        with pytest.raises(BudgetRefused) as caught:
            await ledger.open(attempt(2), deadline=Instant(MORNING + 5 * SECOND))
        return caught.value

    async with asyncio.TaskGroup() as group:
        refused = group.create_task(opening())
        await until_waiting(ledger, 1)
        await settle()
        await clock.advance(5 * SECOND)

    assert refused.result().waitable
    assert ledger.waiting == 0
    assert await state(database) == (150, 0, WORST)


async def test_first_come_first_served_also_against_smaller_calls(database: Database, ledger: Ledger) -> None:
    await give(database, 200)
    large, small = attempt(1, tokens=100), attempt(2, tokens=60)
    await ledger.open(large)
    await ledger.open(small)
    order: list[int] = []

    async def opening(number: int, tokens: int) -> None:
        call = attempt(number, tokens=tokens)
        await ledger.open(call)
        order.append(number)
        await end(database, ledger, call, 0)

    async with asyncio.TaskGroup() as group:
        group.create_task(opening(3, 180))
        await until_waiting(ledger, 1)
        for number in range(4, 9):
            group.create_task(opening(number, 20))  # would fit beside the two
            await until_waiting(ledger, number - 2)
        await end(database, ledger, small, 0)  # room for the small ones, not for the first in line
        for _ in range(5):
            await database.write(lambda tx: None)
        passed = list(order)
        await end(database, ledger, large, 0)

    assert passed == []
    assert order == [3, 4, 5, 6, 7, 8]


async def test_a_cancelled_wait_gives_its_place_to_the_next(database: Database, ledger: Ledger) -> None:
    await give(database, 200)
    first = attempt(1, tokens=150)
    await ledger.open(first)

    async with asyncio.TaskGroup() as group:
        big = group.create_task(ledger.open(attempt(2, tokens=180)))
        await until_waiting(ledger, 1)
        group.create_task(ledger.open(attempt(3, tokens=20)))
        await until_waiting(ledger, 2)
        big.cancel()

    assert await state(database) == (200, 0, 170)


async def test_more_money_wakes_who_waits(database: Database, ledger: Ledger) -> None:
    await give(database, 150)
    await ledger.open(attempt(1))

    async with asyncio.TaskGroup() as group:
        group.create_task(ledger.open(attempt(2)))
        await until_waiting(ledger, 1)
        await database.write(lambda tx: ledger.set_limit(tx, "campaign", "cmp_1", NanoUSD(300)))

    assert await state(database) == (300, 0, 2 * WORST)


@pytest.mark.parametrize("deadline", [None, Instant(MORNING + 3_600 * SECOND)])
async def test_two_hundred_at_once_never_overspend_and_use_the_budget_up(
    database: Database, ledger: Ledger, deadline: Instant | None
) -> None:
    limit, cost = 3 * WORST + 50, 7
    await give(database, limit)
    most, waitable = 0, list[bool]()

    async def call(number: int) -> bool:
        nonlocal most
        made = attempt(number)
        try:
            await ledger.open(made, deadline=deadline)
        except BudgetRefused as refused:
            waitable.append(refused.waitable)
            return False
        _, spent, held = await state(database)
        most = max(most, spent + held)
        await end(database, ledger, made, cost)
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(number)) for number in range(200)]

    admitted = sum(task.result() for task in tasks)
    assert most <= limit
    assert not any(waitable)
    assert await state(database) == (limit, admitted * cost, 0)
    assert admitted == (limit - WORST) // cost + 1  # until what is left no longer covers a worst case
    assert ledger.waiting == 0


async def test_every_budget_a_call_falls_under_has_room_or_none_is_touched(
    database: Database, clock: ManualClock
) -> None:
    ledger = Ledger(database, PRICER, clock)
    await give(database, 1_000)
    await give(database, WORST, "acc_1", scope="account")
    first = attempt(1)

    await ledger.open(first)
    with pytest.raises(BudgetRefused) as caught:
        await ledger.open(attempt(2), deadline=MORNING)
    both_held = await state(database), await state(database, "account", "acc_1")
    await end(database, ledger, first, 40)

    assert (caught.value.scope, caught.value.waitable) == ("account:acc_1", True)
    assert both_held == ((1_000, 0, WORST), (WORST, 0, WORST))
    assert await state(database) == (1_000, 40, 0)
    assert await state(database, "account", "acc_1") == (WORST, 40, 0)


async def test_a_new_budget_knows_what_was_spent_and_what_is_under_way(database: Database, ledger: Ledger) -> None:
    done, under_way = attempt(1), attempt(2)
    await ledger.open(done)
    await end(database, ledger, done, 30)
    await ledger.open(under_way)

    await give(database, 1_000)
    begun = await state(database)
    await end(database, ledger, under_way, 20)

    assert begun == (1_000, 30, WORST)
    assert await state(database) == (1_000, 50, 0)


async def test_a_budget_taken_away_leaves_no_holds(database: Database, ledger: Ledger) -> None:
    await give(database, 1_000)
    call = attempt(1)
    await ledger.open(call)

    await give(database, None)
    await end(database, ledger, call, 10)

    async with database.reader() as reader:
        assert await find_budget(reader, "campaign", "cmp_1") is None
        assert await reader.rows("SELECT * FROM budgets") == []


async def test_a_call_settles_however_often_its_budget_was_taken_away_and_given_again(
    database: Database, ledger: Ledger
) -> None:
    call = attempt(1)
    await give(database, 1_000)
    await ledger.open(call)

    for _ in range(60):
        await give(database, None)
        await give(database, 1_000)
    await end(database, ledger, call, 10)

    assert await state(database) == (1_000, 10, 0)


async def test_holds_of_a_killed_process_are_charged(tmp_path: Path, clock: ManualClock) -> None:
    async with Database.open(tmp_path / "killed.db", readers=1) as database:
        await give(database, 1_000)
        await Ledger(database, PRICER, clock).open(attempt(1))
    async with Database.open(tmp_path / "killed.db", readers=1) as database:
        await Ledger(database, PRICER, clock).recover(MORNING)

        assert await state(database) == (1_000, WORST, 0)


async def test_an_attempt_taken_back_frees_its_hold(database: Database, ledger: Ledger) -> None:
    await give(database, 150)
    await ledger.open(attempt(1))

    async with asyncio.TaskGroup() as group:
        group.create_task(ledger.open(attempt(2)))
        await until_waiting(ledger, 1)
        await ledger.withdraw(attempt(1))

    assert await state(database) == (150, 0, WORST)


async def test_only_known_scopes_have_budgets(database: Database) -> None:
    with pytest.raises(CommandRefused, match="planet has no budgets"):
        await give(database, 1, "mars", scope="planet")
