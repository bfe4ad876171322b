"""Books under several budgets at once, in a process that kills itself with SIGKILL at a named point's n-th time.

Reads lines of `database start point n` and forks for each, so that a run costs no start of Python: the child opens the
database, recovers what the one before it left, and makes calls until its point is reached. Answers each line with how
the child ended.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.costs import (
    Attempt,
    BudgetRule,
    CostSettings,
    Dimensions,
    Ledger,
    PriceOverride,
    Pricer,
    Settlement,
)
from engine.kernel.errors import BudgetRefused
from engine.kernel.values import SECOND, AttemptId, Instant, NanoUSD
from engine.providers.port import Usage
from engine.storage import Database, Tx

POINTS = (
    "hold-unwritten",  # the hold's rows are written, its commit is not
    "hold-committed",  # the hold is on disk, no byte has left
    "call-under-way",  # the provider has the call
    "call-answered",  # the answer is here, nothing of it is written
    "settlement-unwritten",  # the settlement's rows are written, its commit is not
    "settlement-committed",  # the commit stands
    "checkpoint",  # before the log is folded into the database
    "checkpointed",  # right after
)
RULES = (
    BudgetRule(kind="global", window="day", limit=NanoUSD(900_000)),
    BudgetRule(kind="global", window="hour", limit=NanoUSD(40_000)),
    BudgetRule(kind="campaign", key="cmp_0", limit=NanoUSD(90_000), actions=("clamp", "stop")),
    BudgetRule(kind="account", key="acc_1", window="month", limit=NanoUSD(150_000)),
    BudgetRule(kind="provider", key="own", limit=NanoUSD(10_000_000)),
)
_PRICE = PriceOverride(
    provider="own", model="m", from_day=date(2026, 1, 1), input=Decimal("0.001"), output=Decimal("0.001")
)
_WAL = 64 << 10  # bytes, so that checkpoints come often
_PACE = 11 * SECOND  # that a call moves the clock, so that windows end in the middle of calls
_CALLS, _AT_ONCE = 400, 12


class Stepping:
    """A clock that every call moves on."""

    def __init__(self, start: int) -> None:
        self.instant = start

    def now(self) -> Instant:
        return Instant(self.instant)

    async def sleep_until(self, instant: int) -> None:
        while self.instant < instant:
            await asyncio.sleep(0.001)

    def socket_timeout(self, duration: int) -> float:
        return duration / SECOND

    def allowance(self, duration: int) -> int:
        return duration


class Doom:
    """Ends the process where it is told to."""

    def __init__(self, point: str, count: int) -> None:
        self._point = point
        self._left = count

    def meet(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def pricer() -> Pricer:
    return Pricer(CostSettings(overrides=(_PRICE,)))


async def run(path: Path, start: int, doom: Doom, prices: Pricer) -> None:
    fold = Database._bound_wal

    def folded(self: Database, connection: Any) -> None:
        doom.meet("checkpoint")
        fold(self, connection)
        doom.meet("checkpointed")

    Database._bound_wal = folded  # type: ignore[method-assign]
    async with Database.open(path, readers=1, wal_limit=_WAL) as database:
        clock, chance = Stepping(start), random.Random(start)
        ledger = _Doomed(database, prices, clock, least_output=10)
        ledger.doom = doom
        await ledger.recover(clock.now())
        await ledger.adopt(RULES)
        numbers = iter(range(_CALLS))

        async def work() -> None:
            for number in numbers:
                clock.instant += _PACE
                await _call(database, ledger, prices, clock, chance, doom, f"att_{start}_{number:04d}")

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())


class _Doomed(Ledger):
    """A ledger whose holds pass a point before their commit."""

    doom: Doom

    def _insert(self, tx: Tx, attempt: Attempt, names: Sequence[str]) -> tuple[int, Attempt]:
        made = super()._insert(tx, attempt, names)
        self.doom.meet("hold-unwritten")
        return made


async def _call(
    database: Database,
    ledger: Ledger,
    prices: Pricer,
    clock: Stepping,
    chance: random.Random,
    doom: Doom,
    attempt_id: str,
) -> None:
    read, write, now = chance.randint(100, 900), chance.randint(20, 1_500), clock.now()
    where = Dimensions("own", "m", "message", f"cmp_{chance.randint(0, 2)}", account_id=f"acc_{chance.randint(0, 2)}")
    attempt = Attempt(
        id=AttemptId(attempt_id),
        dimensions=where,
        opened_at=now,
        worst_case=prices.worst_case("own", "m", input_tokens=read, max_output_tokens=write, at=now),
        input_tokens_bound=read,
        max_output_tokens=write,
    )
    try:
        attempt = await ledger.open(attempt, deadline=now)
    except BudgetRefused:
        return
    doom.meet("hold-committed")
    await asyncio.sleep(0)
    doom.meet("call-under-way")
    await asyncio.sleep(0)
    doom.meet("call-answered")
    usage = Usage(input_tokens=read // 2, output_tokens=chance.randint(0, attempt.max_output_tokens))
    settlement = Settlement(outcome="ok", ended_at=clock.now(), usage=usage)

    def settle(tx: Tx) -> None:
        ledger.settle(tx, attempt, settlement)
        doom.meet("settlement-unwritten")

    await database.write(settle)
    doom.meet("settlement-committed")


def main() -> None:
    prices = pricer()
    prices.worst_case("own", "m", input_tokens=1, max_output_tokens=1, at=Instant(0))
    for line in sys.stdin:
        path, start, point, count = line.split()
        child = os.fork()
        if child == 0:
            asyncio.run(run(Path(path), int(start), Doom(point, int(count)), prices))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
