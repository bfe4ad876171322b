"""kill -9 under load: what was acknowledged is there, what was not is whole or absent.

This file is also the victim: run as a program, it works a queue as fast as it can and says on its output what was
acknowledged. Every completion writes a row of `effects` in its own transaction, so that afterwards each job must be
either still there or in `effects` exactly once.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from engine.events import AccountPaused
from engine.kernel.clock import SystemClock
from engine.kernel.values import MINUTE, Instant, JobId
from engine.queue import Lease, NewJob
from engine.queue.sqlite import SqliteJobStore
from engine.storage import Database, Tx

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "work"
TASKS = 32
KILLS = ("anywhere", "in a transaction", "anywhere", "after a commit", "in a checkpoint", "in a checkpoint", "anywhere")


@dataclass
class Heard:
    """What a victim said before it died."""

    put: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)


def test_acknowledged_jobs_survive_kills(tmp_path: Path) -> None:
    path, chance, heard = tmp_path / "q.db", random.Random(20261120), Heard()

    for number, moment in enumerate(KILLS):
        _run_and_kill(path, number, moment, chance.randrange(150, 1500), heard)
        _check(path, heard)

    assert len(heard.put) > 100 * len(KILLS) / 2


def _run_and_kill(path: Path, number: int, moment: str, after: int, heard: Heard) -> None:
    """Run a victim, hear `after` acknowledgements, kill it, and hear out what it had still said."""
    command = [sys.executable, __file__, str(path), str(number), moment, str(after)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as victim:
        assert victim.stdout is not None
        for count, line in enumerate(_lines(victim.stdout.fileno())):
            said, name = line.split()
            {"put": heard.put, "done": heard.done}[said].add(name)
            if count == after:
                victim.kill()
    assert victim.returncode == -signal.SIGKILL


def _lines(descriptor: int) -> Iterator[str]:
    """Whole lines only: the last may be cut by the kill."""
    rest = b""
    while chunk := os.read(descriptor, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode() for line in lines)


def _check(path: Path, heard: Heard) -> None:
    with closing(sqlite3.connect(path)) as connection:
        there = {row[0] for row in connection.execute("SELECT id FROM jobs")}
        effects = [row[0] for row in connection.execute("SELECT id FROM effects")]
        sequence = [row[0] for row in connection.execute("SELECT seq FROM events ORDER BY seq")]
        told = connection.execute("SELECT count(*) FROM events WHERE kind = 'AccountPaused'").fetchone()[0]
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]

    assert integrity == "ok"
    assert len(effects) == len(set(effects)), "a completion happened twice"
    assert there.isdisjoint(effects), "a job is there although its completion is"
    assert heard.put <= there | set(effects), "an acknowledged put was lost"
    assert heard.done <= set(effects), "an acknowledged completion was lost"
    assert sequence == list(range(1, len(sequence) + 1))
    assert told == len(effects), "an event and the state it reports were torn apart"


# ── the victim ──────────────────────────────────────────────────────────────────────────────────────────────────────


def say(word: str, name: str) -> None:
    os.write(1, f"{word} {name}\n".encode())


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Victim:
    def __init__(self, database: Database, number: int, moment: str, after: int) -> None:
        self.database, self.number, self.moment, self.left = database, number, moment, after // 4
        self.clock = SystemClock()
        self.store = SqliteJobStore(database, self.clock)

    async def work(self) -> None:
        await self.database.write(lambda tx: tx.execute("CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL)"))
        await self.store.recover(self.clock.now())
        async with asyncio.TaskGroup() as tasks:
            for task in range(TASKS):
                tasks.create_task(self.loop(task))

    async def loop(self, task: int) -> None:
        count = 0
        while True:
            count += 1
            await self.put(f"job-{self.number}-{task}-{count}")
            now = self.clock.now()
            for lease in await self.store.lease(QUEUE, now=now, until=now + MINUTE):
                if count % 3:  # leave some behind
                    await self.database.write(functools.partial(self.complete, lease))
                    say("done", lease.job_id)

    async def put(self, name: str) -> None:
        now = self.clock.now()
        job = NewJob(id=JobId(name), queue=QUEUE, payload=os.urandom(200), ready_at=now, max_attempts=1000)
        await self.database.write(lambda tx: self.store.put(tx, job, now))
        say("put", name)

    def complete(self, lease: Lease, tx: Tx) -> None:
        self.store.complete(tx, lease)
        tx.execute("INSERT INTO effects (id) VALUES (?)", (lease.job_id,))
        tx.emit(AccountPaused(at=Instant(lease.put_at), account_id=lease.job_id, reason="test"))
        self.left -= 1
        if self.left == 0 and self.moment == "in a transaction":
            die()
        if self.left == 0 and self.moment == "after a commit":
            tx.after_commit(die)


async def main(path: Path, number: int, moment: str, after: int) -> None:
    # With no room for a WAL every group is checkpointed at once: a random moment then mostly hits a checkpoint.
    limit = 0 if moment == "in a checkpoint" else 64 << 20
    async with Database.open(path, readers=1, wal_limit=limit) as database:
        await Victim(database, number, moment, after).work()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
