"""The worker over the real store: outcomes, heartbeats, drain, and what it does when things go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from engine.events import JobDied
from engine.kernel.backoff import Backoff
from engine.kernel.errors import CommitUnknown
from engine.kernel.values import MINUTE, SECOND, JobId
from engine.queue import JobState, Lease, NewJob, Priority
from engine.queue.sqlite import SqliteJobStore
from engine.queue.worker import Bury, Defer, Done, Handler, Outcome, Retry, Settled, Worker
from engine.storage import Database, Tx
from tests.fakes import ManualClock

QUEUE = "work"


class Bench:
    """A database, a store, a clock that moves when everything sleeps, and workers on them."""

    def __init__(self, database: Database, *, auto: bool = True) -> None:
        self.database = database
        self.clock = ManualClock(auto=auto, patience=0.02)
        self.store = SqliteJobStore(database, self.clock)
        self.stop = asyncio.Event()

    async def put(self, *names: str, **fields: Any) -> None:
        for name in names:
            values = {"ready_at": self.clock.now(), "payload": b"", **fields}
            job = NewJob(id=JobId(name), queue=QUEUE, **values)
            await self.database.write(functools.partial(self._put, job))

    def _put(self, job: NewJob, tx: Tx) -> None:
        self.store.put(tx, job, self.clock.now())

    def worker(self, handler: Handler, **settings: Any) -> Worker:
        settings = {"concurrency": 4, "lease_for": MINUTE, "backoff": Backoff(floor=SECOND, ceiling=SECOND), **settings}
        return Worker(self.store, self.database, self.clock, random.Random(1), queue=QUEUE, handler=handler, **settings)

    @contextlib.asynccontextmanager
    async def running(self, handler: Handler, **settings: Any) -> AsyncIterator[Worker]:
        worker = self.worker(handler, **settings)
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(worker.run(self.stop))
            yield worker
            self.stop.set()

    async def empty(self) -> None:
        await until(self._is_empty)

    async def _is_empty(self) -> bool:
        depth = await self.store.depth(QUEUE)
        return depth.ready + depth.delayed + depth.leased == 0

    async def state(self, name: str) -> JobState | None:
        view = await self.store.get(JobId(name))
        return view.state if view else None


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    while not await true():
        await asyncio.sleep(0.001)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Database.open(tmp_path / "q.db", readers=1) as database:
        yield Bench(database)


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench whose clock moves only when told."""
    async with Database.open(tmp_path / "q.db", readers=1) as database:
        yield Bench(database, auto=False)


async def test_every_job_is_handled_once_and_gone(bench: Bench) -> None:
    seen: list[str] = []

    async def handler(lease: Lease) -> Outcome:
        seen.append(lease.job_id)
        return Done()

    await bench.put(*(f"job{number}" for number in range(50)))
    async with bench.running(handler):
        await bench.empty()

    assert sorted(seen) == sorted(f"job{number}" for number in range(50))


async def test_a_job_put_while_idle_wakes_the_worker_without_time_passing(still: Bench) -> None:
    handled = asyncio.Event()

    async def handler(lease: Lease) -> Outcome:
        handled.set()
        return Done()

    async with still.running(handler):
        await until(lambda: _true(still.clock.sleepers >= 2))  # the heart, and the alarm of an idle worker
        await still.put("late")
        await handled.wait()


async def test_a_delayed_job_runs_at_its_instant_not_at_the_next_poll(bench: Bench) -> None:
    ran_at: list[int] = []

    async def handler(lease: Lease) -> Outcome:
        ran_at.append(bench.clock.now())
        return Done()

    due = bench.clock.now() + 7 * SECOND
    await bench.put("later", ready_at=due)
    async with bench.running(handler, poll=3 * MINUTE):
        await bench.empty()

    assert ran_at == [due]


async def test_an_exception_is_a_retry_with_its_class_and_a_cleaned_message(bench: Bench) -> None:
    attempts: list[int] = []

    async def handler(lease: Lease) -> Outcome:
        attempts.append(lease.attempt)
        raise RuntimeError("bad \x1b[31mnews\n" + "x" * 999)

    await bench.put("doomed", max_attempts=3)
    async with bench.running(handler):
        await until(lambda: _is(bench, "doomed", JobState.DEAD))

    view = await bench.store.get(JobId("doomed"))
    assert attempts == [1, 2, 3]
    assert view is not None
    assert view.cause.startswith("RuntimeError: bad [31mnews xxx")
    assert len(view.cause) == 300


async def test_a_retry_waits_at_least_what_the_peer_asked_for(bench: Bench) -> None:
    runs: list[int] = []

    async def handler(lease: Lease) -> Outcome:
        runs.append(bench.clock.now())
        return Done() if lease.attempt == 2 else Retry("throttled", at_least=40 * SECOND)

    await bench.put("slow")
    async with bench.running(handler):
        await bench.empty()

    assert runs[1] - runs[0] >= 40 * SECOND


async def test_deferring_does_not_count_the_attempt(bench: Bench) -> None:
    attempts: list[int] = []

    async def handler(lease: Lease) -> Outcome:
        attempts.append(lease.attempt)
        return Done() if len(attempts) == 5 else Defer(bench.clock.now() + SECOND)

    await bench.put("patient", max_attempts=1)
    async with bench.running(handler):
        await bench.empty()

    assert attempts == [1, 1, 1, 1, 1]


async def test_buried_jobs_die_at_once_and_say_so(bench: Bench) -> None:
    died: list[JobDied] = []
    bench.database.on_commit(
        lambda recorded: died.extend(item.event for item in recorded if isinstance(item.event, JobDied))
    )

    async def handler(lease: Lease) -> Outcome:
        return Bury("no such fan")

    await bench.put("hopeless")
    async with bench.running(handler):
        await until(lambda: _is(bench, "hopeless", JobState.DEAD))

    assert [(event.job_id, event.cause) for event in died] == [("hopeless", "no such fan")]


async def test_a_settled_job_is_left_to_its_handler(bench: Bench) -> None:
    async def handler(lease: Lease) -> Outcome:
        await bench.database.write(lambda tx: bench.store.complete(tx, lease))
        return Settled()

    await bench.put("mine")
    async with bench.running(handler):
        await bench.empty()

    assert await bench.state("mine") is None


async def test_never_more_at_a_time_than_the_concurrency_which_may_change(still: Bench) -> None:
    gate, most, now = asyncio.Semaphore(0), 0, 0

    async def handler(lease: Lease) -> Outcome:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await gate.acquire()
        now -= 1
        return Done()

    await still.put(*(f"job{number}" for number in range(12)))
    async with still.running(handler, concurrency=2) as worker:
        await until(lambda: _true(now == 2))
        worker.concurrency = 5
        await until(lambda: _true(now == 5))
        worker.concurrency = 1
        for _ in range(12):
            gate.release()
        await still.empty()

    assert most == 5


async def test_heartbeats_keep_a_long_job(bench: Bench) -> None:
    runs = 0

    async def handler(lease: Lease) -> Outcome:
        nonlocal runs
        runs += 1
        await bench.clock.sleep_until(bench.clock.now() + 4 * MINUTE)
        return Done()

    await bench.put("long")
    async with bench.running(handler, lease_for=MINUTE):
        await bench.empty()

    assert runs == 1


async def test_a_handler_whose_lease_was_taken_over_is_cancelled(still: Bench) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(lease: Lease) -> Outcome:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Done()

    await still.put("contested")
    async with still.running(handler):
        await started.wait()
        far = still.clock.now() + 10 * MINUTE
        [thief] = await still.store.lease(QUEUE, now=far, until=far + MINUTE)  # the lease had run out by then
        await still.clock.advance(21 * SECOND)
        await cancelled.wait()

    assert await still.state("contested") is JobState.LEASED
    assert thief.fence == 2


async def test_a_handler_that_settled_its_job_is_not_cancelled_by_the_next_heartbeat(still: Bench) -> None:
    settled, finish, ended = asyncio.Event(), asyncio.Event(), False

    async def handler(lease: Lease) -> Outcome:
        nonlocal ended
        await still.database.write(lambda tx: still.store.complete(tx, lease))
        settled.set()
        await finish.wait()
        ended = True
        return Settled()

    await still.put("tidy")
    async with still.running(handler):
        await settled.wait()
        await still.clock.advance(21 * SECOND)
        await still.database.write(lambda tx: None)  # the heartbeat has been answered by now
        finish.set()
        await until(lambda: _true(ended))


async def test_after_a_suspended_machine_the_worker_does_not_lease_its_own_running_job(still: Bench) -> None:
    runs, finish = 0, asyncio.Event()

    async def handler(lease: Lease) -> Outcome:
        nonlocal runs
        runs += 1
        await finish.wait()
        return Done()

    await still.put("sleepy")
    async with still.running(handler, concurrency=2):
        await until(lambda: _true(runs == 1))
        still.clock.jump(60 * MINUTE, wake=False)
        await still.put("other")
        await until(lambda: _true(runs == 2))
        finish.set()
        await still.empty()

    assert runs == 2


async def test_stop_lets_running_jobs_finish_and_leases_no_more(still: Bench) -> None:
    started, finish = asyncio.Event(), asyncio.Event()

    async def handler(lease: Lease) -> Outcome:
        started.set()
        await finish.wait()
        return Done()

    await still.put("running", "waiting")
    async with still.running(handler, concurrency=1):
        await started.wait()
        still.stop.set()
        await asyncio.sleep(0)
        finish.set()

    assert await still.state("running") is None
    assert await still.state("waiting") is JobState.READY


async def test_jobs_leased_while_the_stop_came_are_handed_back(still: Bench) -> None:
    class Late:
        """A source that answers after the stop."""

        async def take(self, limit: int, *, now: int, until: int) -> tuple[list[Lease], int | None]:
            leases = await still.store.lease(QUEUE, now=now, until=until, limit=limit)
            still.stop.set()
            return leases, None

    async def handler(lease: Lease) -> Outcome:
        return Done()

    await still.put("late")
    async with still.running(handler, source=Late()):
        await still.stop.wait()

    view = await still.store.get(JobId("late"))
    assert view is not None
    assert (view.state, view.attempts) == (JobState.READY, 0)


async def test_a_cancelled_worker_hands_its_jobs_back_uncounted(still: Bench) -> None:
    started = asyncio.Event()

    async def handler(lease: Lease) -> Outcome:
        started.set()
        await asyncio.Event().wait()
        return Done()

    await still.put("cut")
    worker = still.worker(handler)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(worker.run(still.stop))
        await started.wait()
        run.cancel()

    view = await still.store.get(JobId("cut"))
    assert view is not None
    assert (view.state, view.attempts, worker.handed_back) == (JobState.READY, 0, 1)


async def test_a_cancellation_inside_a_handler_is_a_failed_attempt_not_an_endless_loop(bench: Bench) -> None:
    async def handler(lease: Lease) -> Outcome:
        raise asyncio.CancelledError

    await bench.put("odd", max_attempts=2)
    async with bench.running(handler):
        await until(lambda: _is(bench, "odd", JobState.DEAD))


async def test_a_commit_that_fails_while_a_job_is_settled_is_tried_again(bench: Bench) -> None:
    await bench.database.write(
        lambda tx: tx.execute("CREATE TABLE c (p TEXT REFERENCES meta (key) DEFERRABLE INITIALLY DEFERRED) STRICT")
    )
    spoiled: list[asyncio.Future[object]] = []

    async def handler(lease: Lease) -> Outcome:
        # The commit of the group that this and the completion share fails, whatever is in it.
        spoiled.append(bench.database.submit(lambda tx: tx.execute("INSERT INTO c VALUES ('nobody')")))
        return Done()

    await bench.put("stubborn")
    async with bench.running(handler):
        await bench.empty()

    assert isinstance(spoiled[0].exception(), CommitUnknown)
    assert await bench.state("stubborn") is None
    assert len(spoiled) == 1


async def test_a_commit_that_fails_while_jobs_are_leased_is_tried_again(still: Bench) -> None:
    class Spoilt:
        """A source whose first answer is lost."""

        calls = 0

        async def take(self, limit: int, *, now: int, until: int) -> tuple[list[Lease], int | None]:
            self.calls += 1
            if self.calls == 1:
                raise CommitUnknown("the disk was full")
            return await still.store.lease(QUEUE, now=now, until=until, limit=limit), None

    handled = asyncio.Event()

    async def handler(lease: Lease) -> Outcome:
        handled.set()
        return Done()

    await still.put("later")
    async with still.running(handler, source=Spoilt()):
        await until(lambda: _true(still.clock.sleepers >= 2))
        await still.clock.advance(2 * SECOND)
        await handled.wait()


async def test_urgent_jobs_overtake_bulk_ones(still: Bench) -> None:
    seen: list[str] = []

    async def handler(lease: Lease) -> Outcome:
        seen.append(lease.job_id)
        return Done()

    await still.put("bulk", priority=Priority.BULK)
    await still.put("urgent", priority=Priority.URGENT)
    async with still.running(handler, concurrency=1):
        await still.empty()

    assert seen == ["urgent", "bulk"]


async def _true(value: bool) -> bool:
    return value


async def _is(bench: Bench, name: str, state: JobState) -> bool:
    return await bench.state(name) is state
