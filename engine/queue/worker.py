"""Works a queue off: leases what fits, keeps the leases alive, and carries out what each handler decided.

A handler is given a lease and answers with an outcome; its exceptions are retries. The worker never loses a job: one
that is cancelled is handed back without counting the attempt, one whose lease was lost is cancelled because somebody
else has the job by now, and a commit that failed is tried again until it is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.kernel.backoff import Backoff
from engine.kernel.clock import Clock, sleep
from engine.kernel.errors import CommitUnknown
from engine.kernel.values import MILLISECOND, MINUTE, SECOND, JobId, Random
from engine.queue.job import Lease, LeaseLost
from engine.queue.store import JobStore
from engine.storage import Database, Tx

_log = logging.getLogger(__name__)

_BEATS = 3  # heartbeats a lease: two may fail
_SHORTEST_DOZE = MILLISECOND  # nanoseconds; however wrong an alarm is, the loop does not spin


@dataclass(frozen=True, slots=True)
class Done:
    """The worker completes the job."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The handler has completed it, in a transaction of its own."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Again after the backoff, or `at_least` nanoseconds; the attempt counts."""

    cause: str
    at_least: int = 0


@dataclass(frozen=True, slots=True)
class Defer:
    """Again at an instant; the attempt does not count."""

    ready_at: int


@dataclass(frozen=True, slots=True)
class Bury:
    """Never again unless somebody redrives it."""

    cause: str


Outcome = Done | Settled | Retry | Defer | Bury
Handler = Callable[[Lease], Awaitable[Outcome]]


class Source(Protocol):
    """Where a worker takes its jobs from: by default its whole queue, lowest rank first."""

    async def take(self, limit: int, *, now: int, until: int) -> tuple[Sequence[Lease], int | None]:
        """At most `limit` leases; and when fewer came, the instant to look again even if no bell rings, or None."""
        ...


class WholeQueue:
    """Every ready job of a queue, whatever its lane."""

    def __init__(self, store: JobStore, queue: str, *, holder: str = "") -> None:
        self._store = store
        self._queue = queue
        self._holder = holder

    async def take(self, limit: int, *, now: int, until: int) -> tuple[Sequence[Lease], int | None]:
        leases = await self._store.lease(self._queue, now=now, until=until, limit=limit, holder=self._holder)
        return leases, None if len(leases) == limit else await self._store.next_ready_at(self._queue)


@dataclass(slots=True, eq=False)
class _Running:
    lease: Lease
    task: asyncio.Task[None] | None = None
    missed: bool = False  # the last heartbeat found no lease


class Worker:
    """Runs at most `concurrency` jobs of a queue at a time.

    `lease_for` (nanoseconds) is how long a job of a dead worker stays with it; a heartbeat every third of it keeps the
    job of a live one. `poll` (nanoseconds) bounds how long a missed bell could go unnoticed.
    """

    def __init__(
        self,
        store: JobStore,
        database: Database,
        clock: Clock,
        chance: Random,
        *,
        queue: str,
        handler: Handler,
        concurrency: int = 8,
        lease_for: int = MINUTE,
        backoff: Backoff | None = None,
        source: Source | None = None,
        holder: str = "",
        poll: int = 5 * SECOND,
    ) -> None:
        self.queue = queue
        self._store = store
        self._database = database
        self._clock = clock
        self._chance = chance
        self._handler = handler
        self._concurrency = concurrency
        self._lease_for = lease_for
        self._backoff = backoff or Backoff()
        self._source = source or WholeQueue(store, queue, holder=holder)
        self._poll = poll
        self._bell = store.bell(queue)
        self._stir = asyncio.Event()
        self._running: dict[tuple[JobId, int], _Running] = {}
        self.handed_back = 0  # jobs given back unfinished because their handler was cancelled

    @property
    def running(self) -> int:
        """Jobs that are being worked on."""
        return len(self._running)

    @property
    def concurrency(self) -> int:
        """Jobs at a time. Lowering it lets the running ones finish; 0 leases nothing more."""
        return self._concurrency

    @concurrency.setter
    def concurrency(self, jobs: int) -> None:
        self._concurrency = jobs
        self._stir.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then lease no more, and return when the running jobs are done.

        Cancel it to cut that wait short: the jobs still running are handed back first.
        """
        async with asyncio.TaskGroup() as helpers:
            lasting = [helpers.create_task(helper) for helper in (self._heart(), self._listen(), self._heed(stop))]
            try:
                async with asyncio.TaskGroup() as runners:
                    await self._lead(stop, runners)
            finally:
                for task in lasting:
                    task.cancel()

    # ── taking jobs ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _lead(self, stop: asyncio.Event, runners: asyncio.TaskGroup) -> None:
        heard, look_at = -1, 0  # the queue was seen dry after so many rings; look again then at the latest
        while not stop.is_set():
            self._stir.clear()
            free = self._concurrency - len(self._running)
            if free > 0 and (self._bell.rings != heard or self._clock.now() >= look_at):
                heard, look_at = await self._fill(free, stop, runners)
                continue
            alarm = runners.create_task(self._wake_at(look_at)) if free > 0 else None
            await self._stir.wait()
            if alarm is not None:
                alarm.cancel()

    async def _fill(self, free: int, stop: asyncio.Event, runners: asyncio.TaskGroup) -> tuple[int, int]:
        """Lease and start up to `free` jobs; the rings heard before a dry look, and when to look again."""
        heard, now = self._bell.rings, self._clock.now()
        await self._beat_overdue(now)
        try:
            leases, again = await self._source.take(free, now=now, until=now + self._lease_for)
        except CommitUnknown as error:
            _log.warning("%s: leasing failed and is tried again: %s", self.queue, error)
            return heard, now + self._backoff.wait(1, self._chance, at_least=SECOND)
        for lease in leases:
            self._start(lease, stop, runners)
        if len(leases) >= free:
            return -1, 0
        return heard, max(now + _SHORTEST_DOZE, min(now + self._poll, again or now + self._poll))

    def _start(self, lease: Lease, stop: asyncio.Event, runners: asyncio.TaskGroup) -> None:
        if stop.is_set():
            runners.create_task(_known(self._hand_back(lease)))
            return
        running = _Running(lease)
        self._running[lease.job_id, lease.fence] = running
        running.task = runners.create_task(self._run(running), name=f"job {lease.job_id}")

    async def _wake_at(self, instant: int) -> None:
        await self._clock.sleep_until(instant)
        self._stir.set()

    async def _listen(self) -> None:
        while True:
            heard = self._bell.rings
            self._stir.set()
            await self._bell.wait(heard)

    async def _heed(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stir.set()

    # ── one job ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run(self, running: _Running) -> None:
        lease, outcome = running.lease, None
        try:
            outcome = await self._handle(lease)
            await self._settle(lease, outcome)
        except asyncio.CancelledError:
            if outcome is None and running.task is not None:  # a lost lease has no task any more
                await _known(self._hand_back(lease))
            raise
        finally:
            self._running.pop((lease.job_id, lease.fence), None)
            self._stir.set()

    async def _handle(self, lease: Lease) -> Outcome:
        try:
            return await self._handler(lease)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Retry("CancelledError: something inside the handler was cancelled, not the handler")
        except Exception as error:  # noqa: BLE001 - a job's failure is data
            _log.info("%s: job %s failed: %s", self.queue, lease.job_id, type(error).__name__, extra=_of(lease))
            return Retry(f"{type(error).__name__}: {error}")

    async def _settle(self, lease: Lease, outcome: Outcome) -> None:
        """Carry the outcome out, however often the commit fails. A lease lost by now settled it otherwise."""
        if isinstance(outcome, Settled):
            return
        for attempt in itertools.count(1):
            try:
                await self._database.write(lambda tx: self._apply(tx, lease, outcome))
            except LeaseLost:
                return
            except CommitUnknown as error:
                _log.warning("%s: job %s is settled again: %s", self.queue, lease.job_id, error, extra=_of(lease))
                await sleep(self._clock, self._backoff.wait(attempt, self._chance, at_least=SECOND))
            else:
                return

    def _apply(self, tx: Tx, lease: Lease, outcome: Outcome) -> None:
        match outcome:
            case Done():
                self._store.complete(tx, lease)
            case Retry(cause, at_least):
                wait = self._backoff.wait(lease.attempt, self._chance, at_least=at_least)
                self._store.retry(tx, lease, self._clock.now() + wait, cause)
            case Defer(ready_at):
                self._store.defer(tx, lease, ready_at)
            case Bury(cause):
                self._store.bury(tx, lease, cause)
            case Settled():
                pass

    def _hand_back(self, lease: Lease) -> asyncio.Future[None]:
        """Asked of the writer at once, so that it happens even if nobody waits for it."""
        self.handed_back += 1
        done = self._database.submit(lambda tx: self._store.defer(tx, lease, lease.ready_at))
        done.add_done_callback(lambda ended: None if ended.cancelled() else ended.exception())
        return done

    # ── heartbeats ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _heart(self) -> None:
        while True:
            await sleep(self._clock, self._lease_for // _BEATS)
            await self._beat()

    async def _beat_overdue(self, now: int) -> None:
        """After a suspended machine or a stalled loop: renew before leasing, which would void our own leases."""
        if any(running.lease.until <= now for running in self._running.values()):
            await self._beat()

    async def _beat(self) -> None:
        until = self._clock.now() + self._lease_for
        async with asyncio.TaskGroup() as beats:
            for running in self._running.values():
                beats.create_task(self._extend(running, until))

    async def _extend(self, running: _Running, until: int) -> None:
        try:
            running.lease = await self._store.extend(running.lease, until)
        except LeaseLost as error:
            if error.taken_over or running.missed:
                self._abandon(running)
            running.missed = True  # the handler may have settled the job itself and be about to return
        except CommitUnknown as error:
            _log.warning("%s: a heartbeat failed: %s", self.queue, error, extra=_of(running.lease))

    def _abandon(self, running: _Running) -> None:
        """The job is somebody else's by now, or over: whatever the handler still does for it must end."""
        task, running.task = running.task, None
        if task is not None:
            _log.warning("%s: the lease of job %s was lost", self.queue, running.lease.job_id, extra=_of(running.lease))
            task.cancel()


def _of(lease: Lease) -> dict[str, str]:
    """What a log line is about beside the job: the batch, which is a campaign's id or begins with it."""
    return {"batch": lease.batch} if lease.batch else {}


async def _known(done: asyncio.Future[None]) -> None:
    """Wait until a hand-back is decided: done, or not ours to do, or left to the lease's end."""
    with contextlib.suppress(LeaseLost, CommitUnknown):
        await asyncio.shield(done)
