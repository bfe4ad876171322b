"""The limiter: decisions a second in memory, and durable reservations a second.

    python -m benchmarks.limiter [--seconds 2] [--json]

A decision is one question to an account's window, granted or refused; the window is full most of the time, as it is in
production. A reservation is a slot's whole life: reserved before a send and settled after it, two writes that are both
on disk (`synchronous=FULL`) before the caller goes on. The clock runs ahead, so that each account frees a slot as soon
as somebody asks: what is measured is the limiter and not the limit.
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

from benchmarks.queue import commit_time
from engine.kernel.clock import SystemClock
from engine.kernel.values import SECOND, Instant
from engine.limiter import Admission, LimiterSettings, Window
from engine.limiter.local import LocalLimiter
from engine.storage import Database

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
        for accounts, tasks in itertools.product(ACCOUNTS, TASKS):
            path = Path(directory) / f"{accounts}-{tasks}.db"
            rows.append(asyncio.run(measure_reservations(path, accounts, tasks, options.seconds)))
    if options.json:
        print(json.dumps({"commit_seconds": commit, "decisions": decisions, "rows": [asdict(row) for row in rows]}))
        return 0
    print(f"one durable commit on this disk: {commit * 1e6:,.0f} µs; synchronous=FULL, WAL\n")
    print(f"decisions in memory, one thread: {decisions:,.0f}/s\n")
    print(f"{'accounts':>8} {'tasks':>6} {'reservations/s':>15} {'CPU µs each':>12}")
    for row in rows:
        print(f"{row.accounts:>8} {row.tasks:>6} {row.reservations:>15,.0f} {row.cpu:>12.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
