"""What every QuotaStore promises, and what the Redis stores do when Redis fails. A real redis-server stands behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.kernel.clock import SystemClock
from engine.kernel.errors import StorageError
from engine.kernel.secret import Secret
from engine.kernel.values import DAY, HOUR, MICROSECOND, MINUTE, SECOND
from engine.limiter import (
    Admission,
    Bound,
    Claim,
    Grant,
    Layer,
    LimiterSettings,
    Measure,
    QuotaReason,
    QuotaRefusal,
    QuotaStore,
    Reason,
    Refusal,
)
from engine.limiter.local_quotas import LocalQuotas
from engine.limiter.redis_quotas import RedisQuotas
from engine.limiter.redis_slots import RedisLimiter
from engine.storage import Database
from engine.storage.redis import RedisClient, RedisFailure, where
from tests.fakes import ManualClock
from tests.redis_server import RedisServer, server_clock


@dataclass
class Bench:
    """A store on a place that lasts. `tick` is the least difference between two instants that it knows."""

    store: QuotaStore
    clock: ManualClock
    tick: int


@asynccontextmanager
async def local(_: RedisServer, folder: Path, clock: ManualClock) -> AsyncIterator[Bench]:
    async with Database.open(folder / "quotas.db", readers=1, synchronous="OFF") as database:
        store = LocalQuotas(database, clock)
        await store.load()
        yield Bench(store, clock, 1)


@asynccontextmanager
async def redis(server: RedisServer, _: Path, clock: ManualClock) -> AsyncIterator[Bench]:
    client = RedisClient(server.url, 5)
    yield Bench(RedisQuotas(client, clock, time=server_clock(server, clock)), clock, MICROSECOND)
    await client.close()


Open = Callable[[RedisServer, Path, ManualClock], AbstractAsyncContextManager[Bench]]
STORES: dict[str, Open] = {"local": local, "redis": redis}
Opened = Callable[[ManualClock], AbstractAsyncContextManager[Bench]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=sorted(STORES))
def opened(request: pytest.FixtureRequest, running: RedisServer, tmp_path: Path) -> Opened:
    running.forget()
    return lambda clock: STORES[request.param](running, tmp_path, clock)


def requests(limit: int, width: int = MINUTE, *, layer: Layer = Layer.GLOBAL, key: str = "k") -> Bound:
    return Bound.of(layer, key, Measure.REQUESTS, width, limit)


def tokens(limit: int, width: int = MINUTE) -> Bound:
    return Bound.of(Layer.GLOBAL, "k", Measure.TOKENS, width, limit)


async def used(bench: Bench, bound: Bound) -> int:
    (use,) = await bench.store.usage([bound])
    return use.used


async def test_a_full_window_refuses_and_says_when_it_opens(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        bound = requests(2)
        for _ in range(2):
            assert isinstance(await bench.store.reserve(Claim((bound,))), Grant)
            bench.clock.jump(SECOND)
        opens = bench.clock.now() - 2 * SECOND + MINUTE + bench.tick

        refusal = await bench.store.reserve(Claim((bound,)))

        assert refusal == QuotaRefusal(QuotaReason.FULL, bound, opens)
        assert bench.store.opens_at(Claim((bound,))) == opens
        bench.clock.jump(opens - bench.clock.now() - bench.tick)
        assert isinstance(await bench.store.reserve(Claim((bound,))), QuotaRefusal)
        bench.clock.jump(bench.tick)
        assert isinstance(await bench.store.reserve(Claim((bound,))), Grant)


@pytest.mark.parametrize("width", [HOUR, DAY])
async def test_a_long_window_frees_no_earlier_and_at_most_a_grain_later(opened: Opened, width: int) -> None:
    async with opened(ManualClock()) as bench:
        bound = requests(1, width)
        await bench.store.reserve(Claim((bound,)))
        began = bench.clock.now()

        refusal = await bench.store.reserve(Claim((bound,)))

        assert isinstance(refusal, QuotaRefusal)
        assert refusal.opens_at is not None
        assert began + width < refusal.opens_at <= began + width + width // 360
        bench.clock.jump(refusal.opens_at - began)
        assert isinstance(await bench.store.reserve(Claim((bound,))), Grant)


async def test_a_claim_counts_in_all_its_windows_or_in_none(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        wide, full = requests(5), requests(1, HOUR, layer=Layer.USER, key="ann")
        await bench.store.reserve(Claim((wide, full)))

        refusal = await bench.store.reserve(Claim((wide, full)))

        assert isinstance(refusal, QuotaRefusal)
        assert refusal.bound == full
        assert await used(bench, wide) == 1


async def test_the_window_that_opens_last_is_named(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        bounds = (requests(1), requests(1, DAY), requests(1, HOUR))
        await bench.store.reserve(Claim(bounds))

        refusal = await bench.store.reserve(Claim(bounds))

        assert isinstance(refusal, QuotaRefusal)
        assert refusal.bound == bounds[1]


async def test_tokens_count_at_their_most_until_they_are_settled(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        bound = tokens(100)
        grant = await bench.store.reserve(Claim((bound,), 80))
        assert isinstance(grant, Grant)
        assert isinstance(await bench.store.reserve(Claim((bound,), 30)), QuotaRefusal)

        await bench.store.settle(grant, 70)

        assert await used(bench, bound) == 70
        assert isinstance(await bench.store.reserve(Claim((bound,), 30)), Grant)


async def test_what_was_never_made_does_not_count(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        bounds = (requests(1), tokens(50, HOUR))
        grant = await bench.store.reserve(Claim(bounds, 50))
        assert isinstance(grant, Grant)

        await bench.store.release(grant)

        assert [use.used for use in await bench.store.usage(bounds)] == [0, 0]
        assert isinstance(await bench.store.reserve(Claim(bounds, 50)), Grant)


async def test_settling_what_left_the_window_changes_nothing(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        bound = tokens(100)
        old = await bench.store.reserve(Claim((bound,), 80))
        assert isinstance(old, Grant)
        bench.clock.jump(2 * MINUTE)
        await bench.store.reserve(Claim((bound,), 60))

        await bench.store.settle(old, 5)

        assert await used(bench, bound) == 60


async def test_more_than_the_whole_limit_is_refused_for_good(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        bound = tokens(100)

        assert await bench.store.reserve(Claim((bound,), 101)) == QuotaRefusal(QuotaReason.TOO_LARGE, bound, None)


async def test_a_lowered_limit_holds_and_still_lets_a_large_call_into_an_empty_window(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        bound = tokens(100)
        assert isinstance(await bench.store.reserve(Claim((bound,), 80, (50,))), Grant)

        assert isinstance(await bench.store.reserve(Claim((bound,), 1, (50,))), QuotaRefusal)


async def test_of_many_at_once_no_more_than_the_limit_get_through(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        claim = Claim((requests(7), requests(9, HOUR)))

        found = await asyncio.gather(*(bench.store.reserve(claim) for _ in range(60)))

        assert sum(isinstance(one, Grant) for one in found) == 7


async def test_what_was_counted_counts_after_a_restart(opened: Opened) -> None:
    clock, bounds = ManualClock(), (requests(2), requests(3, DAY), tokens(500, DAY))
    async with opened(clock) as bench:
        grants = [await bench.store.reserve(Claim(bounds, 100)) for _ in range(2)]
        assert isinstance(grants[0], Grant)
        await bench.store.settle(grants[0], 30)

    async with opened(clock) as bench:
        assert [use.used for use in await bench.store.usage(bounds)] == [2, 2, 130]
        assert isinstance(await bench.store.reserve(Claim(bounds, 100)), QuotaRefusal)
        clock.jump(MINUTE + bench.tick)
        assert isinstance(await bench.store.reserve(Claim(bounds, 100)), Grant)
        assert isinstance(await bench.store.reserve(Claim(bounds, 100)), QuotaRefusal)


async def test_time_that_steps_back_frees_nothing(opened: Opened) -> None:
    async with opened(ManualClock()) as bench:
        bound = requests(2)
        await bench.store.reserve(Claim((bound,)))
        bench.clock.jump(-HOUR)
        await bench.store.reserve(Claim((bound,)))
        bench.clock.jump(MINUTE + SECOND)

        assert isinstance(await bench.store.reserve(Claim((bound,))), QuotaRefusal)


# ── Redis when it fails, on its own clock ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    server.forget()
    yield server
    server.kill()


@dataclass
class Stores:
    client: RedisClient
    quotas: RedisQuotas
    slots: RedisLimiter

    async def closed(self) -> bool:
        """Whether neither store lets anybody through."""
        call = await self.quotas.reserve(Claim((requests(1_000),)))
        send = await self.slots.reserve("anna", f"slot{time.perf_counter_ns()}")
        found = (isinstance(call, Grant), isinstance(send, Admission))
        assert found in ((True, True), (False, False))
        if found[0]:
            return False
        assert isinstance(call, QuotaRefusal)
        assert isinstance(send, Refusal)
        assert (call.reason, send.reason) == (QuotaReason.UNSURE, Reason.UNSURE)
        assert call.opens_at is not None
        assert send.retry_at is not None
        return True


@asynccontextmanager
async def stores(server: RedisServer, folder: Path, settings: LimiterSettings) -> AsyncIterator[Stores]:
    client = RedisClient(server.url, 0.3)
    async with Database.open(folder / "faults.db", readers=1, synchronous="OFF") as database:
        slots = RedisLimiter(client, database, SystemClock(), settings, {})
        yield Stores(client, RedisQuotas(client, SystemClock()), slots)
        await client.close()


ROOMY = LimiterSettings(messages=1_000)


async def test_a_server_never_seen_before_is_shut_for_a_window(server: RedisServer, tmp_path: Path) -> None:
    server.ask("FLUSHALL")
    async with stores(server, tmp_path, ROOMY) as found:
        assert await found.closed()

        send = await found.slots.reserve("anna", "slot")

        assert isinstance(send, Refusal)
        assert send.retry_at is not None
        left = send.retry_at - SystemClock().now()
        assert 89 * SECOND < left <= 90 * SECOND  # a send's time and a window: what the old one's slots may last
        assert found.slots.free("anna") == 0


async def test_a_forgotten_script_is_sent_again(server: RedisServer, tmp_path: Path) -> None:
    async with stores(server, tmp_path, ROOMY) as found:
        assert not await found.closed()
        server.ask("SCRIPT", "FLUSH")

        assert not await found.closed()


async def test_a_killed_server_is_closed_and_a_new_one_quarantined(server: RedisServer, tmp_path: Path) -> None:
    async with stores(server, tmp_path, ROOMY) as found:
        assert not await found.closed()
        server.kill()
        assert await found.closed()
        server.start()  # it kept nothing

        assert await found.closed()
        assert server.ask("HGET", "{huntaze}:slots", "closed_until").startswith("$")


async def test_a_server_that_kept_its_data_is_quarantined_too(tmp_path: Path) -> None:
    """Its last writes may be missing; nobody can tell."""
    server = RedisServer(tmp_path, append_only=True)
    server.start()
    try:
        server.forget()
        async with stores(server, tmp_path, ROOMY) as found:
            assert not await found.closed()
            server.kill()
            server.start()

            assert await found.closed()
    finally:
        server.kill()


async def test_a_hung_server_is_closed_in_time_and_serves_again_when_it_wakes(
    server: RedisServer, tmp_path: Path
) -> None:
    async with stores(server, tmp_path, ROOMY) as found:
        assert not await found.closed()
        server.freeze()
        began = time.monotonic()
        assert await found.closed()
        assert time.monotonic() - began < 2
        with pytest.raises(RedisFailure):
            await found.slots.complete("anna", "slot")
        with pytest.raises(StorageError):
            await found.quotas.usage([requests(5)])
        server.thaw()

        assert not await found.closed()


async def test_a_cancelled_question_leaves_its_answer_to_nobody(server: RedisServer, tmp_path: Path) -> None:
    async with stores(server, tmp_path, ROOMY) as found:
        bound = requests(10_000)
        for wait in range(40):
            asked = asyncio.get_running_loop().create_task(found.quotas.reserve(Claim((bound,))))
            for _ in range(wait % 8):
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait((asked,))

            grant = await found.quotas.reserve(Claim((bound,)))

            assert isinstance(grant, Grant)
            assert len(grant.stamps) == 1
            (use,) = await found.quotas.usage([bound])
            assert wait + 1 <= use.used <= 2 * (wait + 1)


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones(
    server: RedisServer, tmp_path: Path
) -> None:
    async with stores(server, tmp_path, ROOMY) as found:
        bound = requests(10_000)
        assert not await found.closed()
        server.freeze()
        late = asyncio.get_running_loop().create_task(found.quotas.reserve(Claim((bound,))))
        await asyncio.sleep(0.05)  # real: the question is on its way
        late.cancel()
        await asyncio.wait((late,))
        next_one = asyncio.get_running_loop().create_task(found.quotas.usage([bound, bound]))
        await asyncio.sleep(0.05)
        server.thaw()

        first, second = await next_one
        assert first == second


RACER = """
import asyncio, sys
from engine.kernel.clock import SystemClock
from engine.kernel.secret import Secret
from engine.limiter import Bound, Claim, Grant, Layer, Measure
from engine.limiter.redis_quotas import RedisQuotas
from engine.storage.redis import RedisClient

async def main():
    client = RedisClient(Secret(sys.argv[1]), 5)
    store = RedisQuotas(client, SystemClock())
    bounds = tuple(Bound.of(Layer.GLOBAL, "race", Measure.REQUESTS, w * 10**9, n) for w, n in ((60, 50), (3600, 70)))
    found = await asyncio.gather(*(store.reserve(Claim(bounds)) for _ in range(100)))
    print(sum(isinstance(one, Grant) for one in found))
    await client.close()

asyncio.run(main())
"""


def test_two_processes_together_get_no_more_than_the_limit(server: RedisServer) -> None:
    command = [sys.executable, "-c", RACER, server.url.reveal()]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    got = [int(racer.communicate(timeout=30)[0]) for racer in racers]

    assert sum(got) == 50


async def test_two_daemons_share_an_accounts_window(server: RedisServer, tmp_path: Path) -> None:
    limits = LimiterSettings(messages=10)
    async with stores(server, tmp_path, limits) as one, stores(server, tmp_path, limits) as other:
        asked = [
            each.slots.reserve("anna", f"{name}{number}")
            for number in range(20)
            for name, each in (("one", one), ("other", other))
        ]
        found = await asyncio.gather(*asked)

        assert sum(isinstance(each, Admission) for each in found) == 10
        await one.slots.release("anna", next(each.slot_id for each in found if isinstance(each, Admission)))
        assert isinstance(await other.slots.reserve("anna", "again"), Admission)


async def test_keys_expire_and_have_a_name_of_their_own(server: RedisServer, tmp_path: Path) -> None:
    async with stores(server, tmp_path, ROOMY) as found:
        assert not await found.closed()

        keys = [line for line in server.ask("KEYS", "*").splitlines() if line.startswith("{") or ":" in line[1:]]
        assert all(key.startswith("{huntaze}:") for key in keys)
        lasting = {key for key in keys if server.ask("TTL", key).strip() == ":-1"}
        assert lasting == {"{huntaze}:slots", "{huntaze}:quotas"}


@pytest.mark.parametrize("url", ["redis://:hunter2secret@127.0.0.1:1/0", "hunter2secret", "redis://:hunter2secret@h:x"])
async def test_the_address_is_never_shown(url: str) -> None:
    async def ask() -> None:
        await RedisQuotas(RedisClient(Secret(url), 0.3), SystemClock()).usage([requests(1)])

    with pytest.raises(RedisFailure) as failure:
        await ask()

    assert "hunter2" not in str(failure.value) + failure.value.remedy + where(Secret(url))
