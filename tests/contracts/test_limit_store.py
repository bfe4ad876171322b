"""What every LimitStore promises. `STORES` names them: another one is held to the same promises by one more line."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.events import SlotSettled, SlotTaken
from engine.kernel.errors import CommitUnknown
from engine.kernel.values import SECOND
from engine.limiter import AccountLimit, Admission, LimiterSettings, LimitStore, Reason, Refusal
from engine.limiter.local import LocalLimiter
from engine.storage import Database
from tests.fakes import ManualClock

WIDTH, TIMEOUT = 60 * SECOND, 30 * SECOND
SETTINGS = LimiterSettings(
    messages=2, width=WIDTH, send_timeout=TIMEOUT, accounts={"vip": AccountLimit(messages=3, width=10 * SECOND)}
)


@dataclass
class Bench:
    """A store on a place that lasts; opened again there, it is the restarted one. `fail` makes its writes fail."""

    store: LimitStore
    clock: ManualClock
    fail: Callable[[Exception | None], None]
    configure: Callable[[LimiterSettings], None]


@asynccontextmanager
async def local(folder: Path, clock: ManualClock) -> AsyncIterator[Bench]:
    async with Database.open(folder / "limits.db", readers=1, synchronous="OFF") as database:
        failing = FailingDatabase(database)
        limiter = LocalLimiter(failing, clock, SETTINGS, {})  # type: ignore[arg-type]
        await limiter.load()

        def configure(settings: LimiterSettings) -> None:
            limiter.configure(settings, {})

        yield Bench(limiter, clock, failing.fail, configure)


class FailingDatabase:
    """A database whose writes fail on request, as a full disk makes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._error: Exception | None = None
        self.reader = database.reader

    def fail(self, error: Exception | None) -> None:
        self._error = error

    async def write(self, write: Any) -> Any:
        if self._error is not None:
            raise self._error
        return await self._database.write(write)


Open = Callable[[Path, ManualClock], AbstractAsyncContextManager[Bench]]
STORES: dict[str, Open] = {"local": local}


@pytest.fixture(params=sorted(STORES))
def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[ManualClock], AbstractAsyncContextManager[Bench]]:
    return lambda clock: STORES[request.param](tmp_path, clock)


Opened = Callable[[ManualClock], AbstractAsyncContextManager[Bench]]


async def fill(bench: Bench, account: str = "anna") -> None:
    for number in range(2):
        assert isinstance(await bench.store.reserve(account, f"{account}{number}"), Admission)


async def test_the_limit_holds_while_sends_are_in_flight(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)
        bench.clock.jump(10 * WIDTH)

        assert await bench.store.reserve("anna", "third") == Refusal(Reason.WINDOW_FULL, None)
        assert bench.store.free("anna") == 0
        assert bench.store.opens_at("anna") is None


async def test_a_slot_is_free_one_window_after_its_send_completed(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)
        bench.clock.jump(5 * SECOND)
        await bench.store.complete("anna", "anna0")
        frees = bench.clock.now() + WIDTH + 1

        assert await bench.store.reserve("anna", "third") == Refusal(Reason.WINDOW_FULL, frees)
        bench.clock.jump(WIDTH)
        assert isinstance(await bench.store.reserve("anna", "third"), Refusal)
        bench.clock.jump(1)
        assert await bench.store.reserve("anna", "third") == Admission("third")


async def test_after_a_time_out_it_is_held_one_send_time_out_longer(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)

        await bench.store.complete("anna", "anna0", timed_out=True)

        assert bench.store.opens_at("anna") == bench.clock.now() + WIDTH + TIMEOUT + 1


async def test_a_released_slot_was_never_used(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)

        await bench.store.release("anna", "anna0")

        assert bench.store.free("anna") == 1
        assert await bench.store.reserve("anna", "third") == Admission("third")


async def test_accounts_do_not_share_a_window(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)

        assert await bench.store.reserve("bella", "b") == Admission("b")


async def test_an_accounts_own_limit_counts(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        for number in range(3):
            assert isinstance(await bench.store.reserve("vip", f"v{number}"), Admission)
            await bench.store.complete("vip", f"v{number}")

        assert await bench.store.reserve("vip", "v3") == Refusal(
            Reason.WINDOW_FULL, bench.clock.now() + 10 * SECOND + 1
        )


async def test_reserving_a_slot_again_is_the_same_slot(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await bench.store.reserve("anna", "same")

        assert await bench.store.reserve("anna", "same") == Admission("same")
        assert bench.store.free("anna") == 1


async def test_of_many_at_once_no_more_than_the_limit_get_through(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        found = await asyncio.gather(*(bench.store.reserve("anna", f"s{number}") for number in range(50)))

        assert sum(isinstance(one, Admission) for one in found) == 2


async def test_a_crash_holds_the_slot_for_the_send_time_out_and_the_window(opened: Opened) -> None:
    clock = ManualClock()
    async with opened(clock) as bench:
        await fill(bench)
    held = clock.now() + TIMEOUT + WIDTH

    async with opened(clock) as bench:
        assert await bench.store.reserve("anna", "third") == Refusal(Reason.WINDOW_FULL, held + 1)
        clock.jump(TIMEOUT + WIDTH + 1)
        assert await bench.store.reserve("anna", "third") == Admission("third")


async def test_what_was_completed_or_released_is_so_after_a_restart(opened: Opened) -> None:
    clock = ManualClock()
    async with opened(clock) as bench:
        await fill(bench)
        await bench.store.complete("anna", "anna0")
        await bench.store.release("anna", "anna1")

    async with opened(clock) as bench:
        assert bench.store.free("anna") == 1
        clock.jump(WIDTH + 1)
        assert bench.store.free("anna") == 2


@pytest.mark.parametrize("error", [CommitUnknown("the disk is gone"), sqlite3.OperationalError("disk is full")])
async def test_unsure_is_closed(opened: Opened, error: Exception) -> None:
    """A reservation that could not be written is a refusal, and takes its slot as if it had been."""
    async with opened(ManualClock()) as bench:
        held = bench.clock.now() + TIMEOUT + WIDTH
        bench.fail(error)
        assert await bench.store.reserve("anna", "first") == Refusal(Reason.UNSURE, held)
        bench.fail(None)

        assert bench.store.free("anna") == 1
        bench.clock.jump(TIMEOUT + WIDTH + 1)
        assert bench.store.free("anna") == 2


async def test_an_end_that_could_not_be_written_holds_the_slot_longer(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)
        bench.fail(CommitUnknown("the disk is gone"))

        for end in (bench.store.complete, bench.store.release):
            with pytest.raises(CommitUnknown):
                await end("anna", "anna0")

        assert bench.store.opens_at("anna") == bench.clock.now() + TIMEOUT + WIDTH + 1


async def test_a_cancelled_reservation_keeps_its_slot_as_a_crash_would(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(bench.store.reserve("anna", "first"))
            await asyncio.sleep(0)
            waiting.cancel()

        assert bench.store.free("anna") == 1
        bench.clock.jump(TIMEOUT + WIDTH + 1)
        assert bench.store.free("anna") == 2


async def test_a_lower_limit_binds_at_once(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await bench.store.reserve("anna", "first")

        bench.configure(LimiterSettings(messages=1, width=WIDTH, send_timeout=TIMEOUT))

        assert bench.store.free("anna") == 0
        assert await bench.store.reserve("anna", "second") == Refusal(Reason.WINDOW_FULL, None)


async def test_who_waits_for_an_account_is_woken_by_the_end_of_a_send(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(bench.store.changed("anna"))
            await asyncio.sleep(0)
            await bench.store.release("anna", "anna0")


async def test_the_local_store_has_the_slot_on_disk_before_it_says_yes(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Database.open(tmp_path / "limits.db", readers=1) as database:
        limiter = LocalLimiter(database, clock, SETTINGS, {})

        await limiter.reserve("anna", "first")
        async with database.reader() as reader:
            (row,) = await reader.rows("SELECT * FROM slots")
        await limiter.complete("anna", "first")
        told = [one.event for one in await database.events_after(0)]

    held = clock.now() + TIMEOUT + WIDTH
    assert tuple(row) == ("first", "anna", held)
    assert SlotTaken(at=clock.now(), account_id="anna", slot_id="first", until=held) in told
    assert SlotSettled(at=clock.now(), account_id="anna", slot_id="first", until=clock.now() + WIDTH) in told
