"""What the ledger promises: one entry a call, whatever happened to it, and an amount that says how it is known."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.costs import (
    Attempt,
    Basis,
    CostSettings,
    Dimensions,
    Ledger,
    PriceOverride,
    Pricer,
    Settlement,
)
from engine.events import CallSettled
from engine.kernel.errors import StorageError
from engine.kernel.values import DAY, MINUTE, SECOND, AttemptId, Instant, NanoUSD
from engine.providers.port import Usage
from engine.storage import Database
from tests.fakes import MORNING, ManualClock

PRICE = PriceOverride(
    provider="own", model="m", from_day=date(2026, 1, 1), input=Decimal("1"), output=Decimal("2"), cached=Decimal("0.1")
)
SETTINGS = CostSettings(overrides=(PRICE,))
USAGE = Usage(input_tokens=100, cached_tokens=40, output_tokens=10, reasoning_tokens=4)
COST = 60 * 1_000 + 40 * 100 + 10 * 2_000  # nano-dollars
WORST = 500 * 1_000 + 50 * 2_000


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "huntaze.db", readers=1) as opened:
        yield opened


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, Pricer(SETTINGS), ManualClock())


def attempt(number: int = 1, model: str = "m", **changes: Any) -> Attempt:
    at = changes.pop("opened_at", MORNING)
    worst = Pricer(SETTINGS).worst_case("own", model, input_tokens=500, max_output_tokens=50, at=at)
    return Attempt(
        id=AttemptId(f"att_{number:04d}"),
        dimensions=Dimensions("own", model, "message", **changes),
        opened_at=at,
        worst_case=worst,
        input_tokens_bound=500,
        max_output_tokens=50,
        job_id="job_1",
        trace_id="trace_1",
    )


def ended(outcome: str = "ok", **changes: Any) -> Settlement:
    return Settlement(outcome=outcome, ended_at=Instant(MORNING + 2 * SECOND), **changes)


async def rows(database: Database, sql: str) -> list[dict[str, Any]]:
    async with database.reader() as reader:
        return [dict(row) for row in await reader.rows(sql)]


async def test_reported_usage_is_measured_and_exact(database: Database, ledger: Ledger) -> None:
    call = attempt(campaign_id="cmp_1", account_id="acc_1", tenant_id="ten_1", user_id="usr_1")

    await ledger.open(call)
    cost = await database.write(lambda tx: ledger.settle(tx, call, ended(usage=USAGE, model_reported="m-2026")))

    (entry,) = await rows(database, "SELECT * FROM ledger")
    assert cost == COST
    assert entry == {
        "number": 1,
        "id": "att_0001",
        "timestamp": "2026-11-20T08:00:02.000000000Z",
        "at": MORNING + 2 * SECOND,
        "provider": "own",
        "model": "m",
        "tool": "message",
        "campaign_id": "cmp_1",
        "account_id": "acc_1",
        "tenant_id": "ten_1",
        "user_id": "usr_1",
        "trace_id": "trace_1",
        "job_id": "job_1",
        "outcome": "ok",
        "basis": "measured",
        "cost": COST,
        "input_tokens": 100,
        "cached_tokens": 40,
        "cache_write_tokens": 0,
        "output_tokens": 10,
        "reasoning_tokens": 4,
        "price_source": "override",
        "price_date": "2026-01-01",
        "model_reported": "m-2026",
        "duration": 2 * SECOND,
    }
    assert await rows(database, "SELECT * FROM attempts") == []


async def test_the_attempt_is_durable_before_the_call(database: Database, ledger: Ledger) -> None:
    await ledger.open(attempt())

    (row,) = await rows(database, "SELECT id, worst_cost, job_id FROM attempts")
    assert row == {"id": "att_0001", "worst_cost": WORST, "job_id": "job_1"}


async def test_what_may_have_been_billed_is_estimated_at_its_worst(database: Database, ledger: Ledger) -> None:
    call = attempt()
    await ledger.open(call)

    cost = await database.write(lambda tx: ledger.settle(tx, call, ended("timeout")))

    (entry,) = await rows(database, "SELECT basis, cost, input_tokens, output_tokens FROM ledger")
    assert cost == WORST
    assert entry == {"basis": "estimated", "cost": WORST, "input_tokens": 500, "output_tokens": 50}


async def test_what_was_certainly_not_billed_costs_a_measured_zero(database: Database, ledger: Ledger) -> None:
    call = attempt(model="unknown")
    await ledger.open(call)

    cost = await database.write(lambda tx: ledger.settle(tx, call, ended("authentication", billed=False)))

    (entry,) = await rows(database, "SELECT basis, cost, input_tokens, output_tokens FROM ledger")
    assert cost == 0
    assert entry == {"basis": "measured", "cost": 0, "input_tokens": 0, "output_tokens": 0}


@pytest.mark.parametrize("usage", [USAGE, None])
async def test_an_unknown_price_is_never_zero(database: Database, ledger: Ledger, usage: Usage | None) -> None:
    call = attempt(model="unknown")
    await ledger.open(call)

    cost = await database.write(lambda tx: ledger.settle(tx, call, ended(usage=usage)))

    (entry,) = await rows(database, "SELECT basis, cost, price_source FROM ledger")
    (sums,) = await rows(database, "SELECT calls, cost, unpriced FROM rollup_hours")
    assert cost is None
    assert entry == {"basis": "unpriced", "cost": None, "price_source": "no price known"}
    assert sums == {"calls": 1, "cost": 0, "unpriced": 1}


async def test_settling_again_changes_nothing(database: Database, ledger: Ledger) -> None:
    call = attempt()
    await ledger.open(call)
    first = await database.write(lambda tx: ledger.settle(tx, call, ended(usage=USAGE)))

    again = await database.write(lambda tx: ledger.settle(tx, call, ended("timeout")))

    assert again == first == COST
    assert await rows(database, "SELECT calls, cost FROM rollup_minutes") == [{"calls": 1, "cost": COST}]
    assert len(await database.events_after(0)) == 1


async def test_an_attempt_opened_again_after_its_end_is_not_charged_again(database: Database, ledger: Ledger) -> None:
    call = attempt()
    await ledger.open(call)
    await database.write(lambda tx: ledger.settle(tx, call, ended(usage=USAGE)))
    await ledger.open(call)

    await ledger.recover(Instant(MORNING + MINUTE))

    assert await rows(database, "SELECT cost FROM ledger") == [{"cost": COST}]
    assert await rows(database, "SELECT * FROM attempts") == []


async def test_settling_what_was_never_opened_is_an_error(database: Database, ledger: Ledger) -> None:
    with pytest.raises(StorageError, match="att_0001 was never opened"):
        await database.write(lambda tx: ledger.settle(tx, attempt(), ended(usage=USAGE)))


async def test_a_settlement_stands_or_falls_with_its_callers_transaction(database: Database, ledger: Ledger) -> None:
    call = attempt()
    await ledger.open(call)

    def fail(tx: Any) -> None:
        ledger.settle(tx, call, ended(usage=USAGE))
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(fail)

    assert await rows(database, "SELECT * FROM ledger") == []
    assert len(await rows(database, "SELECT * FROM attempts")) == 1


async def test_the_settlement_is_told_as_an_event(database: Database, ledger: Ledger) -> None:
    call = attempt(campaign_id="cmp_1")
    await ledger.open(call)
    await database.write(lambda tx: ledger.settle(tx, call, ended("server_error")))

    (recorded,) = await database.events_after(0)

    assert isinstance(recorded.event, CallSettled)
    assert (recorded.event.attempt_id, recorded.event.outcome, recorded.event.basis, recorded.event.cost) == (
        "att_0001",
        "server_error",
        Basis.ESTIMATED,
        WORST,
    )


async def test_an_entry_is_never_changed(database: Database, ledger: Ledger) -> None:
    call = attempt()
    await ledger.open(call)
    await database.write(lambda tx: ledger.settle(tx, call, ended(usage=USAGE)))

    with pytest.raises(Exception, match="never changed"):
        await database.write(lambda tx: tx.execute("UPDATE entries SET cost = 0"))


async def test_attempts_of_a_killed_process_are_charged_once_at_their_worst(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "huntaze.db", readers=1) as database:
        before = Ledger(database, Pricer(SETTINGS), ManualClock())
        await asyncio.gather(*(before.open(attempt(number)) for number in range(300)))
    async with Database.open(tmp_path / "huntaze.db", readers=1) as database:
        after = Ledger(database, Pricer(CostSettings()), ManualClock())  # the price is gone; the attempt still knows it

        charged = await after.recover(Instant(MORNING + DAY))
        again = await after.recover(Instant(MORNING + 2 * DAY))

        (sums,) = await rows(database, "SELECT count(*) AS n, sum(cost) AS cost, max(at) AS at FROM ledger")
        (kinds,) = await rows(database, "SELECT DISTINCT basis, outcome, job_id, duration FROM ledger")
        assert (charged, again) == (300, 0)
        assert sums == {"n": 300, "cost": 300 * WORST, "at": MORNING + DAY}
        assert kinds == {"basis": "estimated", "outcome": "interrupted", "job_id": "job_1", "duration": 0}


async def test_an_attempt_whose_task_was_lost_is_charged_after_the_lease(database: Database, ledger: Ledger) -> None:
    await ledger.open(attempt(1))
    await ledger.open(attempt(2, opened_at=Instant(MORNING + 10 * MINUTE)))

    swept = await ledger.sweep(Instant(MORNING + 16 * MINUTE))

    assert swept == 1
    assert await rows(database, "SELECT id FROM attempts") == [{"id": "att_0002"}]


async def test_an_open_that_is_cancelled_leaves_nothing_behind(database: Database, ledger: Ledger) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ledger.open(attempt()))
        await asyncio.sleep(0)
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await database.write(lambda tx: None)  # whatever was on its way has committed by now

    assert await rows(database, "SELECT * FROM attempts") == []


async def test_a_combination_seen_before_is_found_again(database: Database, ledger: Ledger) -> None:
    for number, campaign in enumerate(("cmp_1", "cmp_2", "cmp_1", "cmp_2")):
        call = attempt(number, campaign_id=campaign)
        await ledger.open(call)
        await database.write(lambda tx, call=call: ledger.settle(tx, call, ended(usage=USAGE)))

    found = await rows(database, "SELECT campaign_id FROM ledger ORDER BY id")
    assert [row["campaign_id"] for row in found] == ["cmp_1", "cmp_2", "cmp_1", "cmp_2"]


async def test_opening_again_after_an_unknown_commit_is_harmless(database: Database, ledger: Ledger) -> None:
    await ledger.open(attempt())
    await ledger.open(attempt())

    assert len(await rows(database, "SELECT * FROM attempts")) == 1


async def test_the_outbox_takes_what_is_booked_while_the_sync_is_on(database: Database) -> None:
    async def run(number: int, *, outbox: bool, at: int) -> None:
        ledger = Ledger(database, Pricer(SETTINGS), ManualClock(), outbox=outbox)
        await ledger.recover(Instant(at))
        call = attempt(number)
        await ledger.open(call)
        settlement = Settlement(outcome="ok", ended_at=Instant(at), usage=USAGE)
        await database.write(lambda tx: ledger.settle(tx, call, settlement))

    queued = "SELECT id FROM ledger_outbox JOIN entries ON number = entry ORDER BY number"
    await run(1, outbox=True, at=MORNING - 40 * DAY)
    await run(2, outbox=False, at=MORNING - 31 * DAY)
    await run(3, outbox=False, at=MORNING - 29 * DAY)
    while_off = await rows(database, queued)
    await run(4, outbox=True, at=MORNING)

    assert [row["id"] for row in while_off] == ["att_0001"]
    assert [row["id"] for row in await rows(database, queued)] == ["att_0001", "att_0003", "att_0004"]


async def test_a_combination_of_a_failed_transaction_is_not_remembered(database: Database, ledger: Ledger) -> None:
    call = attempt(1, campaign_id="cmp_1")
    await database.write(lambda tx: ledger.set_limit(tx, "campaign", "cmp_1", NanoUSD(1)))
    with pytest.raises(Exception, match="budget"):
        await ledger.open(call)

    await database.write(lambda tx: ledger.set_limit(tx, "campaign", "cmp_1", None))
    await ledger.open(call)

    assert len(await rows(database, "SELECT * FROM attempts a JOIN combinations c ON c.id = a.combination")) == 1
