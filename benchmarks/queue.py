"""Durable queue operations a second, beside those of huey, persist-queue and litequeue in the same run.

An operation is one put, one lease or one acknowledgement, and it is durable: both sides commit with `synchronous=FULL`
in WAL mode before the caller goes on. Ours are asyncio tasks, each putting a job, leasing one and completing it;
huey's are threads, its own unit, each enqueueing and dequeueing (huey's dequeue deletes the task: it has no lease and
no acknowledgement). persist-queue and litequeue run in an environment of their own: threads that put, take and
acknowledge. The ratio is what to compare between machines.

    python -m benchmarks.queue [--seconds 2] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from huey import SqliteHuey  # type: ignore[import-untyped]

from benchmarks.environment import measure as measure_peers
from engine.kernel.clock import SystemClock
from engine.kernel.values import MINUTE, SECOND, JobId, new_id
from engine.queue import Done, Lease, NewJob, Outcome, Worker
from engine.queue.sqlite import SqliteJobStore
from engine.storage import Database, Tx

TASKS = (1, 64, 256)
QUEUE = "benchmark"
PAYLOAD = os.urandom(100)
BAR_OPS, BAR_RATIO = 35_000, 5.0  # at 256 tasks


@dataclass(frozen=True)
class Row:
    tasks: int
    ops: float  # a second
    ops_a_commit: float
    huey_ops: float  # a second
    persist_ops: float
    lite_ops: float

    @property
    def ratio(self) -> float:
        return self.ops / self.huey_ops


class Ours:
    """`tasks` asyncio tasks put, lease and complete until the time is over."""

    def __init__(self, database: Database, seconds: float) -> None:
        self.clock, self.chance = SystemClock(), random.Random(1)
        self.database, self.store = database, SqliteJobStore(database, self.clock)
        self.end = self.clock.now() + round(seconds * SECOND)
        self.ops = 0

    async def run(self, tasks: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(self.loop())

    async def loop(self) -> None:
        while (now := self.clock.now()) < self.end:
            await self.put(now)
            leases = await self.store.lease(QUEUE, now=self.clock.now(), until=now + MINUTE)
            self.ops += 1
            for lease in leases:
                await self.complete(lease)

    async def put(self, now: int) -> None:
        job = NewJob(id=JobId(new_id("job", now, self.chance)), queue=QUEUE, payload=PAYLOAD, ready_at=now)
        await self.database.write(lambda tx: self.store.put(tx, job, now))
        self.ops += 1

    async def complete(self, lease: Lease) -> None:
        await self.database.write(lambda tx: self.store.complete(tx, lease))
        self.ops += 1


async def measure_ours(path: Path, tasks: int, seconds: float) -> tuple[float, float]:
    """Operations a second, and how many shared a commit."""
    async with Database.open(path) as database:
        ours = Ours(database, seconds)
        started, commits = time.perf_counter(), database.commits
        await ours.run(tasks)
        return ours.ops / (time.perf_counter() - started), ours.ops / (database.commits - commits)


def measure_huey(path: Path, tasks: int, seconds: float) -> float:
    """Operations a second of `tasks` threads that enqueue and dequeue until the time is over."""
    storage = SqliteHuey(filename=str(path), fsync=True, timeout=60).storage
    counts, end = [0] * tasks, time.perf_counter() + seconds

    def loop(number: int) -> None:
        while time.perf_counter() < end:
            storage.enqueue(PAYLOAD)
            storage.dequeue()
            counts[number] += 2

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(tasks)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    storage.close()
    return sum(counts) / elapsed


async def measure_worker(path: Path, concurrency: int, jobs: int) -> float:
    """Jobs a second through a Worker whose handler does nothing: a lease and an acknowledgement each."""
    clock, stop, left = SystemClock(), asyncio.Event(), jobs

    async def handler(lease: Lease) -> Outcome:
        nonlocal left
        left -= 1
        if left == 0:
            stop.set()
        return Done()

    async with Database.open(path) as database:
        store = SqliteJobStore(database, clock)
        now = clock.now()
        fresh = [
            NewJob(id=JobId(f"job_{number:08}"), queue=QUEUE, payload=PAYLOAD, ready_at=now) for number in range(jobs)
        ]
        await asyncio.gather(*(database.write(_putting(store, job, now)) for job in fresh))
        worker = Worker(store, database, clock, random.Random(1), queue=QUEUE, handler=handler, concurrency=concurrency)
        started = time.perf_counter()
        await worker.run(stop)
        return jobs / (time.perf_counter() - started)


def _putting(store: SqliteJobStore, job: NewJob, now: int) -> Callable[[Tx], bool]:
    return lambda tx: store.put(tx, job, now)


def commit_time(path: Path) -> float:
    """Seconds of one durable commit of one row on this disk, the median of 200: the floor of a lone operation."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (x)")
    taken = []
    for _ in range(200):
        started = time.perf_counter()
        connection.execute("INSERT INTO t VALUES (1)")
        taken.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(taken)


def measure(tasks: int, seconds: float) -> Row:
    with tempfile.TemporaryDirectory() as directory:
        ops, ops_a_commit = asyncio.run(measure_ours(Path(directory) / "ours.db", tasks, seconds))
        huey_ops = measure_huey(Path(directory) / "huey.db", tasks, seconds)
        peers = measure_peers("queues.py", directory, tasks, seconds)
    return Row(tasks, ops, ops_a_commit, huey_ops, peers["persist-queue"], peers["litequeue"])


def main() -> int:
    parser = argparse.ArgumentParser(description="Durable queue operations a second, beside huey's.")
    parser.add_argument("--seconds", type=float, default=2.0, help="per measurement (default 2)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as directory:
        commit = commit_time(Path(directory) / "commit.db")
        jobs = asyncio.run(measure_worker(Path(directory) / "worker.db", 256, 20_000))
    rows = [measure(tasks, options.seconds) for tasks in TASKS]
    met = rows[-1].ops >= BAR_OPS and rows[-1].ratio >= BAR_RATIO
    if options.json:
        found = [{**asdict(row), "ratio": row.ratio} for row in rows]
        print(json.dumps({"commit_seconds": commit, "rows": found, "worker_jobs": jobs, "met": met}))
        return 0 if met else 1
    print(f"one durable commit on this disk: {commit * 1e6:,.0f} µs; both sides synchronous=FULL, WAL\n")
    print(f"{'tasks':>6} {'ops/s':>10} {'ops/commit':>11} {'huey':>15} {'persist-queue':>15} {'litequeue':>15}")
    for row in rows:
        peers = (
            f"{theirs:,.0f} ({row.ops / theirs:.1f} x)" for theirs in (row.huey_ops, row.persist_ops, row.lite_ops)
        )
        print("{:>6} {:>10,.0f} {:>11.1f} {:>15} {:>15} {:>15}".format(row.tasks, row.ops, row.ops_a_commit, *peers))
    print(f"\na worker with 256 jobs at a time: {jobs:,.0f} jobs/s")
    print(f"bars at 256 tasks: {BAR_OPS:,} ops/s and {BAR_RATIO:.0f} × huey: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
