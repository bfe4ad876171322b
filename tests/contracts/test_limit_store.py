"""What every LimitStore promises. `STORES` names them: another one is held to the same promises by one more line."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.events import SlotSettled, SlotTaken
from engine.kernel.errors import CommitUnknown, StorageError
from engine.kernel.values import MICROSECOND, SECOND
from engine.limiter import AccountLimit, Admission, LimiterSettings, LimitStore, Reason, Refusal
from engine.limiter.local import LocalLimiter
from engine.limiter.redis_slots import RedisLimiter
from engine.storage import Database
from engine.storage.redis import RedisClient, RedisFailure
from tests.fakes import ManualClock
from tests.redis_server import RedisServer, server_clock

WIDTH, TIMEOUT = 60 * SECOND, 30 * SECOND
SETTINGS = LimiterSettings(
    messages=2, width=WIDTH, send_timeout=TIMEOUT, accounts={"vip": AccountLimit(messages=3, width=10 * SECOND)}
)


@dataclass
class Bench:
    """A store on a place that lasts; opened again there, it is the restarted one. `fail` makes its writes fail.

    `tick` is the least difference between two instants that the store knows.
    """

    store: LimitStore
    clock: ManualClock
    fail: Callable[[Exception | None], None]
    configure: Callable[[LimiterSettings], None]
    tick: int = 1


@asynccontextmanager
async def local(_: RedisServer, folder: Path, clock: ManualClock) -> AsyncIterator[Bench]:
    async with Database.open(folder / "limits.db", readers=1, synchronous="OFF") as database:
        failing = FailingDatabase(database)
        limiter = LocalLimiter(failing, clock, SETTINGS, {})  # type: ignore[arg-type]
        await limiter.load()

        def configure(settings: LimiterSettings) -> None:
            limiter.configure(settings, {})

        yield Bench(limiter, clock, failing.fail, configure)


@asynccontextmanager
async def redis(server: RedisServer, folder: Path, clock: ManualClock) -> AsyncIterator[Bench]:
    client = RedisClient(server.url, 5)
    failing = FailingRedis(client)
    async with Database.open(folder / "limits.db", readers=1, synchronous="OFF") as database:
        time = server_clock(server, clock)
        limiter = RedisLimiter(failing, database, clock, SETTINGS, {}, time=time)  # type: ignore[arg-type]
        await limiter.load()

        def configure(settings: LimiterSettings) -> None:
            limiter.configure(settings, {})

        yield Bench(limiter, clock, failing.fail, configure, MICROSECOND)
    await client.close()


class FailingRedis:
    """A Redis that cannot be reached on request."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._error: Exception | None = None

    def fail(self, error: Exception | None) -> None:
        self._error = RedisFailure("Redis: no connection") if error is not None else None

    async def run(self, *script: Any) -> Any:
        if self._error is not None:
            raise self._error
        return await self._client.run(*script)


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


Open = Callable[[RedisServer, Path, ManualClock], AbstractAsyncContextManager[Bench]]
STORES: dict[str, Open] = {"local": local, "redis": redis}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=sorted(STORES))
def opened(
    request: pytest.FixtureRequest, running: RedisServer, tmp_path: Path
) -> Callable[[ManualClock], AbstractAsyncContextManager[Bench]]:
    running.forget()
    return lambda clock: STORES[request.param](running, tmp_path, clock)


Opened = Callable[[ManualClock], AbstractAsyncContextManager[Bench]]


async def fill(bench: Bench, account: str = "anna") -> None:
    for number in range(2):
        assert isinstance(await bench.store.reserve(account, f"{account}{number}"), Admission)


async def test_the_limit_holds_while_sends_are_in_flight(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)
        bench.clock.jump(TIMEOUT + WIDTH)

        refusal = await bench.store.reserve("anna", "third")

        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.WINDOW_FULL
        assert refusal.retry_at is None or refusal.retry_at > bench.clock.now()
        assert bench.store.free("anna") == 0


async def test_a_slot_is_free_one_window_after_its_send_completed(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)
        bench.clock.jump(5 * SECOND)
        await bench.store.complete("anna", "anna0")
        frees = bench.clock.now() + WIDTH + bench.tick

        assert await bench.store.reserve("anna", "third") == Refusal(Reason.WINDOW_FULL, frees)
        bench.clock.jump(WIDTH)
        assert isinstance(await bench.store.reserve("anna", "third"), Refusal)
        bench.clock.jump(bench.tick)
        assert await bench.store.reserve("anna", "third") == Admission("third")


async def test_after_a_time_out_it_is_held_one_send_time_out_longer(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)

        await bench.store.complete("anna", "anna0", timed_out=True)
        await bench.store.complete("anna", "anna1", timed_out=True)

        frees = bench.clock.now() + WIDTH + TIMEOUT + bench.tick
        assert await bench.store.reserve("anna", "third") == Refusal(Reason.WINDOW_FULL, frees)


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
            Reason.WINDOW_FULL, bench.clock.now() + 10 * SECOND + bench.tick
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
        assert await bench.store.reserve("anna", "third") == Refusal(Reason.WINDOW_FULL, held + bench.tick)
        clock.jump(TIMEOUT + WIDTH + bench.tick)
        assert await bench.store.reserve("anna", "third") == Admission("third")


async def test_what_was_completed_or_released_is_so_after_a_restart(opened: Opened) -> None:
    clock = ManualClock()
    async with opened(clock) as bench:
        await fill(bench)
        await bench.store.complete("anna", "anna0")
        await bench.store.release("anna", "anna1")

    async with opened(clock) as bench:
        assert bench.store.free("anna") == 1
        clock.jump(WIDTH + bench.tick)
        assert bench.store.free("anna") == 2


@pytest.mark.parametrize("error", [CommitUnknown("the disk is gone"), sqlite3.OperationalError("disk is full")])
async def test_unsure_is_closed(opened: Opened, error: Exception) -> None:
    """A reservation that could not be made durable is a refusal, and the limit holds though it may have been taken."""
    async with opened(ManualClock()) as bench:
        bench.fail(error)
        refusal = await bench.store.reserve("anna", "first")
        bench.fail(None)

        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.UNSURE
        assert refusal.retry_at is not None
        assert refusal.retry_at > bench.clock.now()
        assert bench.store.free("anna") < 2
        bench.clock.jump(TIMEOUT + WIDTH + bench.tick)
        assert bench.store.free("anna") == 2


async def test_an_end_that_could_not_be_written_holds_the_slot_longer(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)
        bench.fail(CommitUnknown("the disk is gone"))

        for end in (bench.store.complete, bench.store.release):
            with pytest.raises(StorageError):
                await end("anna", "anna0")
        bench.fail(None)

        bench.clock.jump(TIMEOUT + WIDTH)
        assert isinstance(await bench.store.reserve("anna", "third"), Refusal)
        bench.clock.jump(bench.tick)
        assert isinstance(await bench.store.reserve("anna", "third"), Admission)


async def test_a_cancelled_reservation_leaves_the_limit_whole(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(bench.store.reserve("anna", "first"))
            await asyncio.sleep(0)
            waiting.cancel()

        assert bench.store.free("anna") < 2
        bench.clock.jump(TIMEOUT + WIDTH + bench.tick)
        assert bench.store.free("anna") == 2


async def test_a_throttled_account_slows_to_half_and_recovers_but_never_beyond_its_limit(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        for _ in range(5):  # of one window: they say one thing
            await bench.store.throttled("anna")

        assert bench.store.free("anna") == 1
        assert isinstance(await bench.store.reserve("anna", "one"), Admission)
        assert isinstance(await bench.store.reserve("anna", "two"), Refusal)
        await bench.store.complete("anna", "one")
        bench.clock.jump(11 * WIDTH)
        await fill(bench)
        assert isinstance(await bench.store.reserve("anna", "third"), Refusal)


async def test_a_lower_limit_binds_at_once(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await bench.store.reserve("anna", "first")

        bench.configure(LimiterSettings(messages=1, width=WIDTH, send_timeout=TIMEOUT))

        assert bench.store.free("anna") == 0
        assert isinstance(await bench.store.reserve("anna", "second"), Refusal)


async def test_who_waits_for_an_account_is_woken_by_the_end_of_a_send(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        await fill(bench)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(bench.store.changed("anna"))
            await asyncio.sleep(0)
            await bench.store.release("anna", "anna0")


async def test_the_local_store_lets_nobody_in_while_a_send_does_not_end(tmp_path: Path) -> None:
    """Its own process is alive, so the send is: it is over when it says so, however long that takes."""
    clock = ManualClock()
    async with Database.open(tmp_path / "limits.db", readers=1, synchronous="OFF") as database:
        limiter = LocalLimiter(database, clock, SETTINGS, {})
        for slot in ("one", "two"):
            await limiter.reserve("anna", slot)
        clock.jump(10 * WIDTH)

        assert await limiter.reserve("anna", "three") == Refusal(Reason.WINDOW_FULL, None)
        assert limiter.opens_at("anna") is None


async def test_the_local_store_takes_a_slot_it_could_not_write_as_taken(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Database.open(tmp_path / "limits.db", readers=1, synchronous="OFF") as database:
        failing = FailingDatabase(database)
        limiter = LocalLimiter(failing, clock, SETTINGS, {})  # type: ignore[arg-type]
        held = clock.now() + TIMEOUT + WIDTH
        failing.fail(CommitUnknown("the disk is gone"))

        assert await limiter.reserve("anna", "first") == Refusal(Reason.UNSURE, held)
        assert limiter.free("anna") == 1


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
