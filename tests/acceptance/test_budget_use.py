"""A thousand calls at once against 50 dollars: not a nano-dollar too much, and hardly any left over."""

from __future__ import annotations

import asyncio
import functools
import random
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from engine.costs import (
    Attempt,
    BudgetRule,
    CostSettings,
    Dimensions,
    Ledger,
    PriceOverride,
    Pricer,
    Settlement,
    find_budget,
)
from engine.kernel.errors import BudgetRefused
from engine.kernel.values import SECOND, AttemptId, Instant, NanoUSD, usd
from engine.providers.port import Usage
from engine.storage import Database, Tx
from tests.fakes import ManualClock

LIMIT = usd(50)
CALLS = 1_000
PRICER = Pricer(
    CostSettings(
        overrides=(
            PriceOverride(provider="own", model="m", from_day=date(2026, 1, 1), input=Decimal(1), output=Decimal(1)),
        )
    )
)


@dataclass(frozen=True)
class Sizes:
    """The most a call may cost, and what it costs, in tokens; each drawn between the two."""

    worst: tuple[int, int]
    cost: tuple[int, int]


TIGHT = Sizes((60_000, 70_000), (50_000, 60_000))  # half a dozen cents, most of them used
LOOSE = Sizes((300_000, 450_000), (40_000, 80_000))  # held for far more than they cost


@pytest.mark.parametrize("sizes", [TIGHT, LOOSE], ids=["tight", "loose"])
async def test_nothing_is_overspent_and_nearly_all_is_used(tmp_path: Path, sizes: Sizes) -> None:
    chance = random.Random(50)
    clock = ManualClock(auto=True)
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        ledger = Ledger(database, PRICER, clock)
        await ledger.adopt(())
        for rule in (
            BudgetRule(kind="global", window="day", limit=LIMIT),
            BudgetRule(kind="tenant", key="t", window="total", limit=LIMIT),
        ):
            await database.write(functools.partial(ledger.set_budget, rule=rule))
        most = 0

        def settle(tx: Tx, attempt: Attempt, settlement: Settlement) -> None:
            nonlocal most
            (standing,) = tx.execute("SELECT max(spent + held) FROM budgets").fetchone()
            most = max(most, standing)
            ledger.settle(tx, attempt, settlement)

        async def call(number: int) -> str:
            worst, cost, takes = chance.randint(*sizes.worst), chance.randint(*sizes.cost), chance.randint(1, 20)
            attempt = _attempt(number, worst, clock.now())
            try:
                await ledger.open(attempt)
            except BudgetRefused as refused:
                return "waitable" if refused.waitable else "refused"
            await clock.sleep_until(clock.now() + takes * SECOND)
            settlement = Settlement(outcome="ok", ended_at=clock.now(), usage=Usage(input_tokens=cost))
            await database.write(lambda tx: settle(tx, attempt, settlement))
            return "made"

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call(number)) for number in range(CALLS)]

        ends = [task.result() for task in tasks]
        async with database.reader() as reader:
            found = await find_budget(reader, "global", "", "day")
            row = await reader.row("SELECT sum(cost) AS cost FROM ledger")
        assert found is not None
        assert row is not None
    assert most <= LIMIT
    assert (found.spent, found.held) == (row["cost"], 0)
    assert LIMIT * 99 // 100 <= found.spent <= LIMIT
    assert ends.count("refused") > 0  # there was more to do than money for it
    assert ends.count("waitable") == 0
    assert ledger.waiting == 0


def _attempt(number: int, worst: int, now: Instant) -> Attempt:
    return Attempt(
        id=AttemptId(f"att_{number:04d}"),
        dimensions=Dimensions("own", "m", "message", f"cmp_{number % 7}", tenant_id="t"),
        opened_at=now,
        worst_case=PRICER.worst_case("own", "m", input_tokens=worst, max_output_tokens=0, at=now),
        input_tokens_bound=worst,
        max_output_tokens=0,
    )


def test_the_sizes_ask_for_more_than_the_budget() -> None:
    for sizes in (TIGHT, LOOSE):
        assert sizes.cost[0] + sizes.cost[1] > 2 * LIMIT / NanoUSD(1_000) / CALLS
        assert sizes.worst[1] * 1_000 < LIMIT / 100  # or one call might leave more than a hundredth unused
