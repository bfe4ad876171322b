"""The JobStore over the engine's own SQLite database.

`due` orders the jobs of a state, so that one index serves every question: a ready job's rank, a leased one's end, a
dead one's death, else `ready_at`.
"""

from __future__ import annotations

import asyncio
import builtins
import functools
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.events import JobDied
from engine.kernel.clock import Clock
from engine.kernel.values import DAY, JobId
from engine.queue.bell import Bell
from engine.queue.job import (
    AGEING_STEP,
    Depth,
    JobConflict,
    JobPage,
    JobState,
    JobView,
    LaneDepth,
    Lease,
    LeaseLost,
    NewJob,
    Priority,
    PriorityDepth,
    clean_cause,
    rank,
)
from engine.storage import Database, Tx

DEDUP_WINDOW = DAY
PROMOTED_AT_ONCE = 1000  # delayed jobs; the writer must not stand still for a campaign of 50,000 that falls due
COUNTED_TO = 1000  # ready jobs of a lane: a dispatcher asks often, and only wants to know whether and roughly how many

READY, DELAYED, LEASED, PARKED, DEAD = range(5)
_STATES = (JobState.READY, JobState.DELAYED, JobState.LEASED, JobState.PARKED, JobState.DEAD)
_PRIORITIES = tuple(Priority)
_CURSOR = re.compile(r"([0-4]):(-?[0-8]?[0-9]{1,18}):(-?[0-8]?[0-9]{1,18}):(.+)", re.DOTALL)  # state:due:ready_at:id
_LEASE_RAN_OUT = "the lease ran out: the worker died or stalled"

_PUT = """
    INSERT INTO jobs (id, queue, state, due, ready_at, priority, lane, batch, attempt, max_attempts, fence, put_at,
                      holder, cause, dedup_key, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?, '', '', ?, ?) ON CONFLICT (id) DO NOTHING"""
_LEASE = """
    UPDATE jobs SET state = 2, due = ?, attempt = attempt + 1, fence = fence + 1, holder = ?
    WHERE id IN (SELECT id FROM jobs WHERE queue = ? AND state = 0 {lane} ORDER BY due, ready_at, id LIMIT ?)
    RETURNING id, queue, lane, batch, payload, priority, attempt, fence, due, put_at, max_attempts, dedup_key,
              ready_at"""
_LEASE_ANY, _LEASE_LANE = _LEASE.format(lane=""), _LEASE.format(lane="AND lane = ? AND lane <> ''")
_PROMOTE = """
    UPDATE jobs SET state = 0, due = ready_at + priority * ?
    WHERE id IN (SELECT id FROM jobs WHERE queue = ? AND state = 1 {lane} AND due <= ? ORDER BY due LIMIT ?)"""
_PROMOTE_ANY, _PROMOTE_LANE = _PROMOTE.format(lane=""), _PROMOTE.format(lane="AND lane = ? AND lane <> ''")
_PARKED = "EXISTS (SELECT 1 FROM parked_batches AS held WHERE held.batch = jobs.batch)"
_HAND_BACK = """
    UPDATE jobs SET state = ?, due = ?, ready_at = ?, attempt = ?, cause = coalesce(?, cause), holder = ''
    WHERE id = ? AND fence = ? AND state = 2"""
_REDRIVE = f"""
    UPDATE jobs SET attempt = 0, ready_at = ?,
        (state, due) = (SELECT 3 * parked, ? + priority * ? * (1 - parked) FROM (SELECT {_PARKED} AS parked))
    WHERE queue = ? AND state = 4"""
_LAPSE = f"""
    UPDATE jobs SET holder = '', cause = ?,
        (state, due) = (SELECT 3 * parked, ready_at + priority * ? * (1 - parked) FROM (SELECT {_PARKED} AS parked))
    WHERE id = ?"""
_TAKE_KEY = """
    INSERT INTO job_keys (queue, dedup_key, job_id) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET job_id = excluded.job_id, free_at = NULL WHERE free_at <= ?"""
_BY_PRIORITY = """
    SELECT priority, sum(state = 0), sum(state = 1), sum(state = 2), min(iif(state = 0, ready_at, NULL))
    FROM jobs WHERE queue = ? AND state BETWEEN ? AND ? GROUP BY priority ORDER BY priority"""
_QUEUES = """
    WITH RECURSIVE found (name) AS (
        SELECT min(queue) FROM jobs
        UNION ALL SELECT (SELECT min(queue) FROM jobs WHERE queue > name) FROM found WHERE name IS NOT NULL)
    SELECT name FROM found WHERE name IS NOT NULL"""
_LANES = """
    WITH RECURSIVE found (name) AS (
        SELECT min(lane) FROM jobs WHERE queue = :queue AND lane <> ''
        UNION ALL
        SELECT (SELECT min(lane) FROM jobs WHERE queue = :queue AND lane <> '' AND lane > name)
        FROM found WHERE name IS NOT NULL)
    SELECT name,
        (SELECT count(*) FROM (SELECT 1 FROM jobs
            WHERE queue = :queue AND lane = name AND lane <> '' AND state = 0 LIMIT :most)) AS ready,
        (SELECT min(due) FROM jobs WHERE queue = :queue AND lane = name AND lane <> '' AND state = 1) AS next_ready_at
    FROM found WHERE name IS NOT NULL"""
_NEXT = """
    SELECT min(due) AS due FROM (
        SELECT min(due) AS due FROM jobs WHERE queue = :queue AND state = 1
        UNION ALL SELECT min(due) FROM jobs WHERE queue = :queue AND state = 2)"""
_VIEW = """
    SELECT id, queue, state, due, ready_at, priority, lane, batch, attempt, max_attempts, put_at, holder, cause, payload
    FROM jobs"""


@dataclass(slots=True)
class _Ask:
    """One waiting `lease` call."""

    now: int
    until: int
    limit: int
    answer: asyncio.Future[list[Lease]]


_Key = tuple[str, str | None, str]  # queue, lane, holder: calls that one statement can serve


class SqliteJobStore:
    """See JobStore. `ageing` is what a priority level is worth and `dedup_window` how long a completed job's key stays
    taken, both in nanoseconds."""

    def __init__(
        self, database: Database, clock: Clock, *, ageing: int = AGEING_STEP, dedup_window: int = DEDUP_WINDOW
    ) -> None:
        self._database = database
        self._clock = clock
        self._ageing = ageing
        self._dedup_window = dedup_window
        self._bells: dict[str, Bell] = {}
        self._asks: dict[_Key, list[_Ask]] = {}

    # ── inside somebody's transaction ───────────────────────────────────────────────────────────────────────────────

    def put(self, tx: Tx, job: NewJob, now: int) -> bool:
        if job.dedup_key is not None and (known := self._take_key(tx, job, now)) is not None:
            return known
        state, due = self._place(job.ready_at, job.priority, now)
        if job.batch and _is_parked(tx, job.batch):
            state, due = PARKED, job.ready_at
        added = tx.execute(
            _PUT,
            (
                *(job.id, job.queue, state, due, job.ready_at, int(job.priority), job.lane, job.batch),
                *(job.max_attempts, now, job.dedup_key, job.payload),
            ),
        )
        if added.rowcount == 0:
            _check_same(tx, job)
            return True
        tx.after_commit(self.bell(job.queue).ring)
        return True

    def complete(self, tx: Tx, lease: Lease) -> None:
        gone = tx.execute("DELETE FROM jobs WHERE id = ? AND fence = ? AND state = 2", (lease.job_id, lease.fence))
        if gone.rowcount == 0:
            raise LeaseLost(lease.job_id)
        if lease.dedup_key is not None:
            tx.execute(
                "UPDATE job_keys SET free_at = ? WHERE queue = ? AND dedup_key = ?",
                (self._clock.now() + self._dedup_window, lease.queue, lease.dedup_key),
            )

    def defer(self, tx: Tx, lease: Lease, ready_at: int) -> None:
        self._hand_back(tx, lease, ready_at, attempt=lease.attempt - 1, cause=None)

    def retry(self, tx: Tx, lease: Lease, ready_at: int, cause: str) -> None:
        if lease.attempt >= lease.max_attempts:
            self.bury(tx, lease, cause)
        else:
            self._hand_back(tx, lease, ready_at, attempt=lease.attempt, cause=clean_cause(cause))

    def bury(self, tx: Tx, lease: Lease, cause: str) -> None:
        now, cause = self._clock.now(), clean_cause(cause)
        buried = tx.execute(
            "UPDATE jobs SET state = 4, due = ?, cause = ?, holder = '' WHERE id = ? AND fence = ? AND state = 2",
            (now, cause, lease.job_id, lease.fence),
        )
        if buried.rowcount == 0:
            raise LeaseLost(lease.job_id)
        tx.emit(JobDied(at=now, queue=lease.queue, job_id=lease.job_id, cause=cause))

    def park(self, tx: Tx, batch: str) -> int:
        tx.execute("INSERT INTO parked_batches (batch) VALUES (?) ON CONFLICT DO NOTHING", (batch,))
        return tx.execute(
            "UPDATE jobs SET state = 3, due = ready_at WHERE batch = ? AND batch <> '' AND state IN (0, 1)", (batch,)
        ).rowcount

    def unpark(self, tx: Tx, batch: str, now: int) -> int:
        tx.execute("DELETE FROM parked_batches WHERE batch = ?", (batch,))
        freed = tx.execute(
            """UPDATE jobs SET ready_at = max(ready_at, :now), state = ready_at > :now,
                   due = max(ready_at, :now) + priority * :step * (ready_at <= :now)
               WHERE batch = :batch AND batch <> '' AND state = 3 RETURNING queue""",
            {"batch": batch, "now": now, "step": self._ageing},
        ).fetchall()
        self._ring(tx, freed)
        return len(freed)

    def cancel(self, tx: Tx, batch: str) -> int:
        tx.execute("DELETE FROM parked_batches WHERE batch = ?", (batch,))
        gone = tx.execute(
            "DELETE FROM jobs WHERE batch = ? AND batch <> '' AND state IN (0, 1, 3) RETURNING queue, dedup_key",
            (batch,),
        ).fetchall()
        _free_keys(tx, gone)
        return len(gone)

    def redrive(self, tx: Tx, queue: str, ids: Sequence[JobId] | None, now: int) -> int:
        values = (now, now, self._ageing, queue)
        if ids is None:
            count = tx.execute(_REDRIVE, values).rowcount
        else:
            count = sum(tx.execute(f"{_REDRIVE} AND id = ?", (*values, job_id)).rowcount for job_id in ids)
        tx.after_commit(self.bell(queue).ring)
        return count

    def purge(self, tx: Tx, queue: str, ids: Sequence[JobId] | None) -> int:
        remove, returning = "DELETE FROM jobs WHERE queue = ? AND state = 4", "RETURNING queue, dedup_key"
        if ids is None:
            gone = tx.execute(f"{remove} {returning}", (queue,)).fetchall()
        else:
            found = (tx.execute(f"{remove} AND id = ? {returning}", (queue, job_id)).fetchone() for job_id in ids)
            gone = [row for row in found if row is not None]
        _free_keys(tx, gone)
        return len(gone)

    def expire(self, tx: Tx, now: int) -> int:
        tx.execute("DELETE FROM job_keys WHERE free_at <= ?", (now,))
        queues = [row["name"] for row in tx.execute(_QUEUES).fetchall()]
        return sum(self._expire(tx, queue, now) for queue in queues)

    # ── by themselves ───────────────────────────────────────────────────────────────────────────────────────────────

    async def lease(
        self, queue: str, *, now: int, until: int, limit: int = 1, lane: str | None = None, holder: str = ""
    ) -> builtins.list[Lease]:
        loop = asyncio.get_running_loop()
        ask = _Ask(now, until, limit, loop.create_future())
        key = (queue, lane, holder)
        if (waiting := self._asks.get(key)) is not None:
            waiting.append(ask)
        else:
            self._asks[key] = [ask]
            loop.call_soon(self._send, key)
        try:
            return await ask.answer
        except asyncio.CancelledError:
            if ask.answer.done() and not ask.answer.cancelled() and ask.answer.exception() is None:
                self._return(ask.answer.result())
            raise

    async def extend(self, lease: Lease, until: int) -> Lease:
        def extend(tx: Tx) -> None:
            held = tx.execute(
                "UPDATE jobs SET due = ? WHERE id = ? AND fence = ? AND state = 2", (until, lease.job_id, lease.fence)
            )
            if held.rowcount == 0:
                found = tx.execute("SELECT fence FROM jobs WHERE id = ?", (lease.job_id,)).fetchone()
                raise LeaseLost(lease.job_id, taken_over=found is not None and found["fence"] > lease.fence)

        await self._database.write(extend)
        return replace(lease, until=until)

    async def recover(self, now: int) -> int:
        def recover(tx: Tx) -> int:
            queues = [row["name"] for row in tx.execute(_QUEUES).fetchall()]
            return sum(self._expire(tx, queue, now, everything=True) for queue in queues)

        return await self._database.write(recover)

    def bell(self, queue: str) -> Bell:
        return self._bells.get(queue) or self._bells.setdefault(queue, Bell())

    async def next_ready_at(self, queue: str) -> int | None:
        async with self._database.reader() as reader:
            row = await reader.row(_NEXT, {"queue": queue})
        return row["due"] if row else None

    async def lanes(self, queue: str) -> builtins.list[LaneDepth]:
        async with self._database.reader() as reader:
            rows = await reader.rows(_LANES, {"queue": queue, "most": COUNTED_TO})
        found = [LaneDepth(row["name"], row["ready"], row["next_ready_at"]) for row in rows]
        return [lane for lane in found if lane.ready or lane.next_ready_at is not None]

    async def depth(self, queue: str) -> Depth:
        async with self._database.reader() as reader:
            rows = await reader.rows(
                "SELECT state, count(*) AS jobs, min(ready_at) AS oldest FROM jobs WHERE queue = ? GROUP BY state",
                (queue,),
            )
        counts = {_STATES[row["state"]].value: row["jobs"] for row in rows}
        oldest = next((row["oldest"] for row in rows if row["state"] == READY), None)
        return Depth(**counts, oldest_at=oldest)

    async def priorities(self, queue: str) -> builtins.list[PriorityDepth]:
        async with self._database.reader() as reader:
            rows = await reader.rows(_BY_PRIORITY, (queue, READY, LEASED))
        return [PriorityDepth(_PRIORITIES[row[0]], *row[1:]) for row in map(tuple, rows)]

    async def queues(self) -> builtins.list[str]:
        async with self._database.reader() as reader:
            return [row["name"] for row in await reader.rows(_QUEUES)]

    async def get(self, job_id: JobId) -> JobView | None:
        async with self._database.reader() as reader:
            row = await reader.row(f"{_VIEW} WHERE id = ?", (job_id,))
        return _view(row) if row else None

    async def list(
        self, queue: str, *, state: JobState | None = None, cursor: str | None = None, limit: int = 100
    ) -> JobPage:
        first, last = (READY, DEAD) if state is None else (_STATES.index(state),) * 2
        after = (first, -1, -1, "") if cursor is None else _read_cursor(cursor)
        async with self._database.reader() as reader:
            rows = await reader.rows(
                f"""{_VIEW} WHERE queue = ? AND (state, due, ready_at, id) > (?, ?, ?, ?) AND state <= ?
                    ORDER BY state, due, ready_at, id LIMIT ?""",
                (queue, *after, last, limit + 1),
            )
        page = rows[:limit]
        return JobPage(tuple(_view(row) for row in page), _write_cursor(page[-1]) if len(rows) > limit else None)

    # ── leasing for many callers at once ────────────────────────────────────────────────────────────────────────────

    def _send(self, key: _Key) -> None:
        """Ask the writer once for everybody who has asked in this pass of the loop."""
        asks = self._asks.pop(key)
        try:
            granted = self._database.submit(functools.partial(self._grant, key, asks))
        except Exception as error:  # noqa: BLE001 - handed to those who asked
            for ask in asks:
                _refuse(ask, error)
            return
        granted.add_done_callback(functools.partial(self._hand_out, asks))

    def _grant(self, key: _Key, asks: builtins.list[_Ask], tx: Tx) -> builtins.list[Lease]:
        queue, lane, holder = key
        now, until = max(ask.now for ask in asks), max(ask.until for ask in asks)
        self._expire(tx, queue, now)
        limit = sum(ask.limit for ask in asks)
        if lane is None:
            tx.execute(_PROMOTE_ANY, (self._ageing, queue, now, PROMOTED_AT_ONCE))
            rows = tx.execute(_LEASE_ANY, (until, holder, queue, limit)).fetchall()
        else:
            tx.execute(_PROMOTE_LANE, (self._ageing, queue, lane, now, PROMOTED_AT_ONCE))
            rows = tx.execute(_LEASE_LANE, (until, holder, queue, lane, limit)).fetchall()
        return [_lease(row) for row in self._ranked(rows)]

    def _ranked(self, rows: builtins.list[sqlite3.Row]) -> builtins.list[sqlite3.Row]:
        """RETURNING gives rows in no particular order."""
        return sorted(rows, key=lambda row: (row[12] + row[5] * self._ageing, row[12], row[0]))

    def _hand_out(self, asks: builtins.list[_Ask], granted: asyncio.Future[builtins.list[Lease]]) -> None:
        if (error := granted.exception()) is not None:
            for ask in asks:
                _refuse(ask, error)
            return
        leases, start = granted.result(), 0
        for ask in asks:
            if not ask.answer.done():
                ask.answer.set_result(leases[start : start + ask.limit])
                start += ask.limit
        self._return(leases[start:])

    def _return(self, leases: builtins.list[Lease]) -> None:
        """Give back what was leased for callers who have gone."""
        if leases:

            def give_back(tx: Tx) -> None:
                for lease in leases:
                    self.defer(tx, lease, lease.ready_at)

            self._database.submit(give_back).add_done_callback(lambda done: done.exception())

    # ── moving jobs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _place(self, ready_at: int, priority: int, now: int) -> tuple[int, int]:
        """State and `due` of a job that is neither leased nor parked nor dead."""
        return (READY, rank(ready_at, priority, self._ageing)) if ready_at <= now else (DELAYED, ready_at)

    def _hand_back(self, tx: Tx, lease: Lease, ready_at: int, *, attempt: int, cause: str | None) -> None:
        state, due = self._place(ready_at, lease.priority, self._clock.now())
        if lease.batch and _is_parked(tx, lease.batch):
            state, due = PARKED, ready_at
        back = tx.execute(_HAND_BACK, (state, due, ready_at, attempt, cause, lease.job_id, lease.fence))
        if back.rowcount == 0:
            raise LeaseLost(lease.job_id)
        tx.after_commit(self.bell(lease.queue).ring)

    def _expire(self, tx: Tx, queue: str, now: int, *, everything: bool = False) -> int:
        lapsed = tx.execute(
            f"""SELECT id, attempt >= max_attempts AS spent FROM jobs
                WHERE queue = ? AND state = 2 {"" if everything else "AND due <= ?"}""",
            (queue,) if everything else (queue, now),
        ).fetchall()
        for row in lapsed:
            self._lapse(tx, queue, row["id"], now, spent=bool(row["spent"]))
        if lapsed:
            tx.after_commit(self.bell(queue).ring)
        return len(lapsed)

    def _lapse(self, tx: Tx, queue: str, job_id: JobId, now: int, *, spent: bool) -> None:
        if spent:
            tx.execute(
                "UPDATE jobs SET state = 4, due = ?, cause = ?, holder = '' WHERE id = ?", (now, _LEASE_RAN_OUT, job_id)
            )
            tx.emit(JobDied(at=self._clock.now(), queue=queue, job_id=job_id, cause=_LEASE_RAN_OUT))
            return
        tx.execute(_LAPSE, (_LEASE_RAN_OUT, self._ageing, job_id))

    def _take_key(self, tx: Tx, job: NewJob, now: int) -> bool | None:
        """None if the job may be put; else what `put` answers."""
        if tx.execute(_TAKE_KEY, (job.queue, job.dedup_key, job.id, now)).rowcount:
            return None
        holder = tx.execute(
            "SELECT job_id, free_at FROM job_keys WHERE queue = ? AND dedup_key = ?", (job.queue, job.dedup_key)
        ).fetchone()
        if holder["job_id"] != job.id:
            return False
        return None if holder["free_at"] is None else True

    def _ring(self, tx: Tx, rows: builtins.list[sqlite3.Row]) -> None:
        for queue in {row["queue"] for row in rows}:
            tx.after_commit(self.bell(queue).ring)


def _is_parked(tx: Tx, batch: str) -> bool:
    return tx.execute("SELECT 1 FROM parked_batches WHERE batch = ?", (batch,)).fetchone() is not None


def _check_same(tx: Tx, job: NewJob) -> None:
    """Raise JobConflict unless the job that has this id is this job; where it stands by now does not matter."""
    found = tx.execute(
        "SELECT queue, payload, lane, batch, priority, max_attempts, dedup_key FROM jobs WHERE id = ?", (job.id,)
    ).fetchone()
    wanted = (job.queue, job.payload, job.lane, job.batch, int(job.priority), job.max_attempts, job.dedup_key)
    if tuple(found) != wanted:
        raise JobConflict(job.id)


def _free_keys(tx: Tx, gone: list[sqlite3.Row]) -> None:
    keys = [(row["queue"], row["dedup_key"]) for row in gone if row["dedup_key"] is not None]
    if keys:
        tx.executemany("DELETE FROM job_keys WHERE queue = ? AND dedup_key = ?", keys)


def _refuse(ask: _Ask, error: BaseException) -> None:
    if not ask.answer.done():
        ask.answer.set_exception(error)


def _lease(row: sqlite3.Row) -> Lease:
    return Lease(
        job_id=row[0],
        queue=row[1],
        lane=row[2],
        batch=row[3],
        payload=row[4],
        priority=_PRIORITIES[row[5]],
        attempt=row[6],
        fence=row[7],
        until=row[8],
        put_at=row[9],
        max_attempts=row[10],
        dedup_key=row[11],
        ready_at=row[12],
    )


def _view(row: sqlite3.Row) -> JobView:
    state = _STATES[row["state"]]
    return JobView(
        id=row["id"],
        queue=row["queue"],
        state=state,
        priority=_PRIORITIES[row["priority"]],
        lane=row["lane"],
        batch=row["batch"],
        attempts=row["attempt"],
        max_attempts=row["max_attempts"],
        put_at=row["put_at"],
        ready_at=row["ready_at"],
        leased_until=row["due"] if state is JobState.LEASED else None,
        died_at=row["due"] if state is JobState.DEAD else None,
        holder=row["holder"],
        cause=row["cause"],
        payload=row["payload"],
    )


def _write_cursor(row: sqlite3.Row) -> str:
    return f"{row['state']}:{row['due']}:{row['ready_at']}:{row['id']}"


def _read_cursor(cursor: str) -> tuple[int, int, int, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise ValueError(f"{cursor!r} is not a cursor of a list of jobs")
    return int(found[1]), int(found[2]), int(found[3]), found[4]
