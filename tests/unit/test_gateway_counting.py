"""When a closer count of a call's input is worth its time: when a budget is near, and not before."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine.costs import BudgetRule, Ledger, TokenCounter
from engine.kernel.values import AttemptId, NanoUSD, new_id
from engine.orchestrator import Call, Target, Task
from engine.providers import ModelRequest
from engine.storage import Database
from huntaze_console.joints import LedgerMeter
from tests.fakes import ManualClock
from tests.rig import _pricer

WORST = 1_000 * 1_000 + 100 * 2_000  # nano-dollars, of 1,000 bytes in and 100 tokens out at the rig's prices


class Listening(TokenCounter):
    """Counts half of the bytes, and remembers whether it was worth it."""

    def __init__(self) -> None:
        super().__init__(counting=False)
        self.close: list[bool] = []

    async def bound(self, model: str, request: ModelRequest, by_bytes: int, *, close: bool = True) -> int:
        self.close.append(close)
        return by_bytes // 2 if close else by_bytes


@pytest.mark.parametrize(
    ("limit", "counted"),
    [(None, False), (10_000 * WORST, False), (10_000 * WORST - 1, True), (WORST, True)],
)
async def test_input_is_counted_where_a_budget_is_near(tmp_path: Path, limit: int | None, counted: bool) -> None:
    clock, counter = ManualClock(), Listening()
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        ledger = Ledger(database, _pricer(), clock)
        await ledger.adopt(())
        if limit is not None:
            rule = BudgetRule(kind="user", key="key_1", limit=NanoUSD(limit))
            await database.write(lambda tx: ledger.set_budget(tx, rule))
        meter = LedgerMeter(ledger, _pricer(), counter)

        opened = await meter.open(
            Call(
                attempt_id=AttemptId(new_id("att", clock.now(), random.Random(7))),
                target=Target("one", "m"),
                task=Task(tool="message", messages=(), trace_id="t", user_id="key_1"),
                request=ModelRequest(messages=(), max_output_tokens=100),
                opened_at=clock.now(),
                input_bound=1_000,
            )
        )

    assert counter.close == [counted]
    assert opened.input_bound == (500 if counted else 1_000)
