"""The limiter: decisions a second in memory and on Redis, beside its peers', and durable reservations a second.

    python -m benchmarks.limiter [--seconds 2] [--json]

A decision is one question to an account's window, granted or refused; the window is full most of the time, as it is in
production. A reservation is a slot's whole life: reserved before a send and settled after it, two writes that are both
on disk (`synchronous=FULL`) before the caller goes on. The clock runs ahead, so that each account frees a slot as soon
as somebody asks: what is measured is the limiter and not the limit.

The peers run in an environment of their own, in the same run, and are asked alike: each key 40 times against 10 in a
minute, one decision in four granted. A call counts in
three windows at once (a user's minute, hour and day), a peer's in one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.environment import measure as measure_peers
from benchmarks.queue import commit_time
from engine.kernel.clock import SystemClock
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, Instant
from engine.limiter import Admission, Bound, Claim, Grant, Layer, LimiterSettings, Measure, QuotaStore, Window
from engine.limiter.local import LocalLimiter
from engine.limiter.local_quotas import LocalQuotas
from engine.limiter.redis_quotas import RedisQuotas
from engine.storage import Database
from engine.storage.redis import RedisClient
from tests.redis_server import RedisServer

ASKED = 40  # times a key: a quarter of them granted
ACCOUNTS = (1, 10, 100)
TASKS = (1, 64, 256)
_LIMIT, _WIDTH = 10, 60 * SECOND


@dataclass(frozen=True)
class Row:
    accounts: int
    tasks: int
    reservations: float  # a second
    cpu: float  # microseconds of user and system time each


class AheadClock(SystemClock):
    """Time that goes a given step further with each look, so that windows never stay full."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step
        self._ahead = 0

    def now(self) -> Instant:
        self._ahead += self._step
        return Instant(super().now() + self._ahead)


def measure_decisions(seconds: float) -> float:
    """Decisions a second of one thread, over 100 accounts in turn, of which one in four is granted."""
    windows = [Window(limit=_LIMIT, width=_WIDTH) for _ in range(100)]
    step = _WIDTH // (_LIMIT * len(windows) * 4)
    now, made, began = 0, 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for window, number in zip(windows, itertools.count(made)):
            now += step
            slot = str(number)
            if isinstance(window.admit(slot, now), Admission):
                window.settle(slot, now + _WIDTH)
        made += len(windows)
    return made / (time.perf_counter() - began)


def windows_of(number: int, count: int) -> tuple[Bound, ...]:
    """The first `count` windows of a user: a minute, an hour, a day."""
    rows = ((MINUTE, 10), (HOUR, 3_000), (DAY, 10_000))[:count]
    return tuple(Bound.of(Layer.USER, f"user{number}", Measure.REQUESTS, width, limit) for width, limit in rows)


async def measure_calls(store: QuotaStore, seconds: float, windows: int, tasks: int = 1) -> float:
    """Decisions a second over fresh users, each asked 40 times; what is granted is on its way to the disk."""
    made, granted, numbers, began = 0, 0, itertools.count((windows * 100 + tasks) * 1_000_000), time.perf_counter()

    async def work() -> None:
        nonlocal made, granted
        while time.perf_counter() - began < seconds:
            claim = Claim(windows_of(next(numbers), windows))
            for _ in range(ASKED):
                decision = await store.reserve(claim)
                granted += isinstance(decision, Grant)
            made += ASKED
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(work())
    assert granted * 4 == made
    return made / (time.perf_counter() - began)


async def measure_local_calls(path: Path, seconds: float) -> dict[str, float]:
    async with Database.open(path) as database:
        found = {}
        for windows in (1, 3):
            store = LocalQuotas(database, SystemClock())
            found[f"calls, {windows} window{'s' * (windows > 1)}"] = await measure_calls(store, seconds, windows)
    return found


async def measure_redis_calls(server: RedisServer, seconds: float) -> dict[str, dict[str, float]]:
    """By windows, then by how many ask at once."""
    server.forget()
    client = RedisClient(server.url, 5, connections=64)
    found: dict[str, dict[str, float]] = {}
    for windows, tasks in itertools.product((1, 3), (1, 64)):
        store = RedisQuotas(client, SystemClock())
        name = f"calls, {windows} window{'s' * (windows > 1)}"
        found.setdefault(name, {})[f"redis, {tasks}"] = await measure_calls(store, seconds, windows, tasks)
    await client.close()
    return found


def measure_beside_peers(folder: Path, seconds: float, decisions: float) -> dict[str, dict[str, float]]:
    """Decisions a second by limiter, then by where it counts: ours first."""
    server = RedisServer(folder)
    server.start()
    try:
        found: dict[str, dict[str, float]] = {"an account's window": {"memory": decisions}}
        for name, figure in asyncio.run(measure_local_calls(folder / "calls.db", seconds)).items():
            found.setdefault(name, {})["memory"] = figure
        for name, figures in asyncio.run(measure_redis_calls(server, seconds)).items():
            found.setdefault(name, {}).update(figures)
        return found | measure_peers("limiters.py", seconds, server.port)
    finally:
        server.kill()


async def measure_reservations(path: Path, accounts: int, tasks: int, seconds: float) -> Row:
    """Tasks that reserve a slot of the next account, and settle it, until the time is over."""
    # Each life looks at the clock four times. A window holds its limit, or the tasks that may meet in it.
    messages = max(_LIMIT, 2 * tasks // accounts + 1)
    clock = AheadClock(_WIDTH // (messages * accounts * 2))
    made, turn = 0, itertools.count()
    async with Database.open(path) as database:
        limiter = LocalLimiter(database, clock, LimiterSettings(messages=messages, width=_WIDTH), {})
        end = time.perf_counter() + seconds

        async def work() -> None:
            nonlocal made
            while time.perf_counter() < end:
                number = next(turn)
                account, slot = f"acc_{number % accounts}", f"slot_{number}"
                if isinstance(await limiter.reserve(account, slot), Admission):
                    await limiter.complete(account, slot)
                    made += 1
                else:
                    await asyncio.sleep(0)

        began, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(work())
        elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Row(accounts, tasks, made / elapsed, cpu / made * 1e6)


def main() -> int:
    parser = argparse.ArgumentParser(description="Limiter decisions a second, and durable reservations a second.")
    parser.add_argument("--seconds", type=float, default=2.0, help="per measurement (default 2)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        commit = commit_time(Path(directory) / "commit.db")
        decisions = max(measure_decisions(options.seconds / 2) for _ in range(3))
        beside = measure_beside_peers(Path(directory), options.seconds / 2, decisions)
        for accounts, tasks in itertools.product(ACCOUNTS, TASKS):
            path = Path(directory) / f"{accounts}-{tasks}.db"
            rows.append(asyncio.run(measure_reservations(path, accounts, tasks, options.seconds)))
    if options.json:
        rest = {"beside": beside, "rows": [asdict(row) for row in rows]}
        print(json.dumps({"commit_seconds": commit, "decisions": decisions, **rest}))
        return 0
    print(f"one durable commit on this disk: {commit * 1e6:,.0f} µs; synchronous=FULL, WAL\n")
    print(f"{'decisions/s':<32} {'memory':>11} {'redis':>9} {'redis, 64 at once':>18}")
    for name, figures in beside.items():
        cells = (f"{figures[key]:,.0f}" if key in figures else "" for key in ("memory", "redis, 1", "redis, 64"))
        print("{:<32} {:>11} {:>9} {:>18}".format(name, *cells))
    print()
    print(f"{'accounts':>8} {'tasks':>6} {'reservations/s':>15} {'CPU µs each':>12}")
    for row in rows:
        print(f"{row.accounts:>8} {row.tasks:>6} {row.reservations:>15,.0f} {row.cpu:>12.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
