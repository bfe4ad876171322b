"""What every JobStore promises. An adapter joins by adding a harness to HARNESSES."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from engine.events import Event, JobDied
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, JobId
from engine.queue import Depth, JobConflict, JobState, JobStore, LaneDepth, Lease, LeaseLost, NewJob, Priority
from engine.queue.sqlite import SqliteJobStore
from engine.storage import Database, Tx
from tests.fakes import ManualClock

T = TypeVar("T")
QUEUE = "work"


class Harness:
    """One adapter, its database, and short words for what the tests do."""

    def __init__(self, database: Database, store: JobStore, clock: ManualClock) -> None:
        self.database, self.store, self.clock = database, store, clock
        self.events: list[Event] = []
        database.on_commit(lambda recorded: self.events.extend(item.event for item in recorded))

    @property
    def now(self) -> int:
        return self.clock.now()

    async def do(self, method: Callable[..., T], *arguments: Any) -> T:
        """Run one of the synchronous methods in a transaction of its own."""
        return await self.database.write(lambda tx: method(tx, *arguments))

    async def put(self, name: str, **fields: Any) -> bool:
        values = {"queue": QUEUE, "payload": b"", "ready_at": self.now, **fields}
        return await self.do(self.store.put, NewJob(id=JobId(name), **values), self.now)

    async def lease(self, limit: int = 1, *, lane: str | None = None, duration: int = MINUTE) -> list[Lease]:
        return await self.store.lease(QUEUE, now=self.now, until=self.now + duration, limit=limit, lane=lane)

    async def one(self) -> Lease:
        [lease] = await self.lease()
        return lease

    async def kill(self, name: str, cause: str = "broken") -> None:
        await self.put(name)
        await self.do(self.store.bury, await self.one(), cause)

    async def depth(self) -> Depth:
        return await self.store.depth(QUEUE)

    async def state(self, name: str) -> JobState | None:
        view = await self.store.get(JobId(name))
        return view.state if view else None


@contextlib.asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Harness]:
    async with Database.open(path / "jobs.db", readers=1) as database:
        clock = ManualClock()
        yield Harness(database, SqliteJobStore(database, clock), clock)


HARNESSES = {"sqlite": _sqlite}


@pytest.fixture(params=HARNESSES)
async def at(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    async with HARNESSES[request.param](tmp_path) as harness:
        yield harness


# ── putting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_lease_carries_what_was_put(at: Harness) -> None:
    await at.put("a", payload=b"\x00\xff", lane="anna", batch="spring", priority=Priority.HIGH, max_attempts=3)

    lease = await at.one()

    assert lease == Lease(
        job_id=JobId("a"),
        queue=QUEUE,
        lane="anna",
        batch="spring",
        payload=b"\x00\xff",
        priority=Priority.HIGH,
        attempt=1,
        fence=1,
        until=at.now + MINUTE,
        put_at=at.now,
        max_attempts=3,
        ready_at=at.now,
    )


async def test_putting_the_same_job_again_changes_nothing(at: Harness) -> None:
    await at.put("a")
    await at.one()

    assert await at.put("a", ready_at=at.now + HOUR)

    assert await at.depth() == Depth(leased=1)


async def test_putting_other_content_under_a_known_id_is_refused(at: Harness) -> None:
    await at.put("a", payload=b"one")

    with pytest.raises(JobConflict):
        await at.put("a", payload=b"two")


async def test_a_put_in_a_failed_transaction_never_happened(at: Harness) -> None:
    def put_and_fail(tx: Tx) -> None:
        at.store.put(tx, NewJob(id=JobId("a"), queue=QUEUE, payload=b"", ready_at=at.now, dedup_key="k"), at.now)
        raise RuntimeError("the state it belongs to could not be written")

    with pytest.raises(RuntimeError):
        await at.database.write(put_and_fail)

    assert await at.depth() == Depth()
    assert await at.put("b", dedup_key="k")


async def test_a_dedup_key_is_taken_while_its_job_is_there(at: Harness) -> None:
    assert await at.put("a", dedup_key="k")

    assert not await at.put("b", dedup_key="k")
    assert await at.put("c", dedup_key="other")
    assert await at.put("d", dedup_key="k", queue="elsewhere")
    assert await at.depth() == Depth(ready=2, oldest_at=at.now)


async def test_a_dedup_key_stays_taken_for_the_window_after_completion(at: Harness) -> None:
    await at.put("a", dedup_key="k")
    await at.do(at.store.complete, await at.one())

    at.clock.jump(DAY - 1)
    assert not await at.put("b", dedup_key="k")
    at.clock.jump(1)
    assert await at.put("c", dedup_key="k")


async def test_putting_a_completed_job_again_under_its_key_does_not_run_it_twice(at: Harness) -> None:
    await at.put("a", dedup_key="k")
    await at.do(at.store.complete, await at.one())

    assert await at.put("a", dedup_key="k")

    assert await at.depth() == Depth()


async def test_a_dead_job_keeps_its_key_and_a_purged_or_cancelled_one_frees_it(at: Harness) -> None:
    await at.put("a", dedup_key="k", batch="spring")
    await at.do(at.store.bury, await at.one(), "broken")
    assert not await at.put("b", dedup_key="k")

    await at.do(at.store.purge, QUEUE, None)
    assert await at.put("c", dedup_key="k", batch="spring")
    await at.do(at.store.cancel, "spring")
    assert await at.put("d", dedup_key="k")


# ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_higher_priorities_go_first(at: Harness) -> None:
    for priority in (Priority.BULK, Priority.URGENT, Priority.NORMAL, Priority.HIGH, Priority.LOW):
        await at.put(priority.name, priority=priority)

    leases = await at.lease(5)

    assert [lease.job_id for lease in leases] == ["URGENT", "HIGH", "NORMAL", "LOW", "BULK"]


async def test_a_waiting_job_is_passed_for_one_step_a_level_and_no_longer(at: Harness) -> None:
    await at.put("old", priority=Priority.BULK)
    at.clock.jump(4 * MINUTE - 1)
    await at.put("in time", priority=Priority.URGENT)
    at.clock.jump(2)
    await at.put("too late", priority=Priority.URGENT)

    assert [lease.job_id for lease in await at.lease(3)] == ["in time", "old", "too late"]


async def test_a_delayed_job_is_not_leased_before_its_time(at: Harness) -> None:
    await at.put("later", ready_at=at.now + MINUTE)
    assert await at.depth() == Depth(delayed=1)
    assert await at.store.next_ready_at(QUEUE) == at.now + MINUTE

    at.clock.jump(MINUTE - 1)
    assert await at.lease() == []
    at.clock.jump(1)
    assert (await at.one()).job_id == "later"


async def test_a_lane_is_leased_from_by_itself(at: Harness) -> None:
    await at.put("a1", lane="anna")
    await at.put("b1", lane="bella", ready_at=at.now - HOUR)
    await at.put("a2", lane="anna", ready_at=at.now + SECOND)
    await at.put("loose")

    at.clock.jump(SECOND)

    assert [lease.job_id for lease in await at.lease(9, lane="anna")] == ["a1", "a2"]


async def test_lanes_tell_what_waits_in_each(at: Harness) -> None:
    soon = at.now + MINUTE
    await at.put("a1", lane="anna")
    await at.put("a2", lane="anna")
    await at.put("a3", lane="anna", ready_at=soon)
    await at.put("b1", lane="bella", ready_at=soon)
    await at.put("c1", lane="clara", ready_at=at.now - HOUR)
    await at.put("loose")
    await at.one()

    assert await at.store.lanes(QUEUE) == [LaneDepth("anna", 2, soon), LaneDepth("bella", 0, soon)]


# ── leases ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_concurrent_leases_never_share_a_job(at: Harness) -> None:
    for number in range(20):
        await at.put(f"job{number:02}")

    found = await asyncio.gather(*(at.lease(3) for _ in range(8)))

    assert sorted(lease.job_id for leases in found for lease in leases) == [f"job{number:02}" for number in range(20)]
    assert all(len(leases) <= 3 for leases in found)


async def test_a_cancelled_lease_call_leaves_nothing_leased(at: Harness) -> None:
    await at.put("a")

    for wait in range(12):  # whatever moment the cancellation hits
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(at.lease())
            for _ in range(wait):
                await asyncio.sleep(0.0005)
            call.cancel()
        if not call.cancelled():
            [lease] = call.result()
            await at.do(at.store.defer, lease, lease.ready_at)
        await at.do(lambda tx: None)  # the hand-back came before this

        lease = await at.one()
        assert lease.attempt == 1
        await at.do(at.store.defer, lease, lease.ready_at)


async def test_a_completed_job_is_gone(at: Harness) -> None:
    await at.put("a")
    await at.do(at.store.complete, await at.one())

    assert await at.store.get(JobId("a")) is None
    assert await at.depth() == Depth()


async def test_every_lease_moves_the_fence_and_voids_the_one_before(at: Harness) -> None:
    await at.put("a")
    first = await at.one()
    at.clock.jump(2 * MINUTE)
    second = await at.one()

    assert (second.fence, second.attempt) == (first.fence + 1, 2)
    for settle in (at.store.complete, lambda tx, lease: at.store.defer(tx, lease, at.now)):
        with pytest.raises(LeaseLost):
            await at.do(settle, first)
    with pytest.raises(LeaseLost) as lost:
        await at.store.extend(first, at.now + HOUR)
    assert lost.value.taken_over
    await at.do(at.store.complete, second)


async def test_settling_twice_is_refused(at: Harness) -> None:
    await at.put("a")
    lease = await at.one()
    await at.do(at.store.retry, lease, at.now, "once")

    with pytest.raises(LeaseLost):
        await at.do(at.store.retry, lease, at.now, "twice")


async def test_an_extended_lease_lasts(at: Harness) -> None:
    await at.put("a")
    lease = await at.store.extend(await at.one(), at.now + HOUR)

    at.clock.jump(HOUR - 1)

    assert lease.until == at.now + 1
    assert await at.lease() == []


async def test_a_late_lease_still_counts_while_nobody_noticed(at: Harness) -> None:
    await at.put("a")
    lease = await at.one()
    at.clock.jump(HOUR)

    await at.do(at.store.complete, lease)

    assert await at.depth() == Depth()


async def test_expired_jobs_return_to_their_place_with_the_attempt_counted(at: Harness) -> None:
    await at.put("old")
    await at.one()
    at.clock.jump(MINUTE)
    await at.put("young")

    assert await at.do(at.store.expire, at.now) == 1

    leases = await at.lease(2)
    assert [(lease.job_id, lease.attempt) for lease in leases] == [("old", 2), ("young", 1)]


async def test_a_job_that_outlives_its_workers_for_its_last_attempt_dies(at: Harness) -> None:
    await at.put("poison", max_attempts=2)
    for _ in range(2):
        await at.one()
        at.clock.jump(MINUTE)
        await at.do(at.store.expire, at.now)

    assert await at.state("poison") is JobState.DEAD
    assert [type(event) for event in at.events] == [JobDied]


async def test_recovery_voids_every_lease_and_keeps_the_attempts(at: Harness) -> None:
    await at.put("a")
    await at.put("b", queue="elsewhere")
    lease = await at.one()
    await at.store.lease("elsewhere", now=at.now, until=at.now + HOUR)

    assert await at.store.recover(at.now) == 2

    assert (await at.one()).attempt == 2
    with pytest.raises(LeaseLost):
        await at.do(at.store.complete, lease)


# ── handing back ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_retrying_counts_the_attempt_and_deferring_does_not(at: Harness) -> None:
    await at.put("a")
    await at.do(at.store.retry, await at.one(), at.now, "slow")
    lease = await at.one()
    assert lease.attempt == 2

    await at.do(at.store.defer, lease, at.now + MINUTE)

    assert await at.lease() == []
    at.clock.jump(MINUTE)
    assert (await at.one()).attempt == 2


async def test_the_last_attempt_makes_a_job_dead_with_its_cause(at: Harness) -> None:
    await at.put("a", max_attempts=1)

    await at.do(at.store.retry, await at.one(), at.now, "no\troute\x1b[0m")

    view = await at.store.get(JobId("a"))
    assert view is not None
    assert (view.state, view.cause, view.died_at) == (JobState.DEAD, "no route [0m", at.now)
    assert at.events == [JobDied(at=at.clock.now(), queue=QUEUE, job_id="a", cause="no route [0m")]


async def test_redriven_jobs_start_over(at: Harness) -> None:
    for name in ("a", "b", "c"):
        await at.kill(name)

    assert await at.do(at.store.redrive, QUEUE, [JobId("b"), JobId("unknown")], at.now) == 1
    assert (await at.one()).attempt == 1
    assert await at.do(at.store.redrive, QUEUE, None, at.now) == 2
    assert await at.depth() == Depth(ready=2, leased=1, oldest_at=at.now)


async def test_purging_touches_dead_jobs_only(at: Harness) -> None:
    for name in ("a", "b", "c"):
        await at.kill(name)
    await at.put("alive")

    assert await at.do(at.store.purge, QUEUE, [JobId("a"), JobId("alive")]) == 1
    assert await at.do(at.store.purge, QUEUE, None) == 2
    assert await at.depth() == Depth(ready=1, oldest_at=at.now)


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_parked_batch_rests_and_others_go_on(at: Harness) -> None:
    await at.put("a", batch="spring")
    await at.put("b", batch="spring", ready_at=at.now + MINUTE)
    await at.put("c", batch="summer")

    assert await at.do(at.store.park, "spring") == 2

    at.clock.jump(HOUR)
    assert [lease.job_id for lease in await at.lease(9)] == ["c"]


async def test_jobs_put_or_handed_back_while_their_batch_is_parked_are_parked(at: Harness) -> None:
    for name in ("deferred", "retried", "expired"):
        await at.put(name, batch="spring")
    leases = {lease.job_id: lease for lease in await at.lease(3)}
    await at.kill("stranger")

    assert await at.do(at.store.park, "spring") == 0
    await at.put("new", batch="spring")
    await at.do(at.store.defer, leases[JobId("deferred")], at.now)
    await at.do(at.store.retry, leases[JobId("retried")], at.now, "slow")
    at.clock.jump(HOUR)
    await at.do(at.store.expire, at.now)

    assert await at.depth() == Depth(parked=4, dead=1)
    assert await at.lease() == []


async def test_a_redriven_job_of_a_parked_batch_is_parked(at: Harness) -> None:
    await at.put("a", batch="spring")
    await at.do(at.store.bury, await at.one(), "broken")
    await at.do(at.store.park, "spring")

    await at.do(at.store.redrive, QUEUE, None, at.now)

    assert await at.depth() == Depth(parked=1)


async def test_an_unparked_batch_waits_from_now_and_its_delays_hold(at: Harness) -> None:
    later = at.now + 2 * HOUR
    await at.put("a", batch="spring")
    await at.put("b", batch="spring", ready_at=later)
    await at.do(at.store.park, "spring")
    at.clock.jump(HOUR)

    assert await at.do(at.store.unpark, "spring", at.now) == 2

    assert await at.depth() == Depth(ready=1, delayed=1, oldest_at=at.now)
    assert await at.store.next_ready_at(QUEUE) == later
    await at.put("c", batch="spring")
    assert [lease.job_id for lease in await at.lease(9)] == ["a", "c"]


async def test_cancelling_a_batch_removes_what_waits_and_leaves_what_runs(at: Harness) -> None:
    await at.put("dead", batch="spring")
    await at.do(at.store.bury, await at.one(), "broken")
    await at.put("running", batch="spring")
    lease = await at.one()
    await at.put("ready", batch="spring")
    await at.put("delayed", batch="spring", ready_at=at.now + HOUR)
    await at.put("stranger", batch="summer")

    assert await at.do(at.store.cancel, "spring") == 2

    assert await at.depth() == Depth(ready=1, leased=1, dead=1, oldest_at=at.now)
    await at.do(at.store.complete, lease)


async def test_jobs_without_a_batch_belong_to_none(at: Harness) -> None:
    await at.put("a")

    assert await at.do(at.store.park, "") == 0
    assert await at.do(at.store.cancel, "") == 0
    assert (await at.one()).job_id == "a"


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_depth_counts_every_state_and_knows_the_longest_waiting(at: Harness) -> None:
    await at.kill("dead")
    await at.put("leased", priority=Priority.URGENT, ready_at=at.now - DAY)
    await at.one()
    await at.put("old", priority=Priority.BULK, ready_at=at.now - HOUR)
    await at.put("young", priority=Priority.URGENT)
    await at.put("delayed", ready_at=at.now + 1)
    await at.put("parked", batch="b")
    await at.do(at.store.park, "b")

    expected = Depth(ready=2, delayed=1, leased=1, parked=1, dead=1, oldest_at=at.now - HOUR)
    assert await at.depth() == expected


async def test_queues_are_listed_by_name(at: Harness) -> None:
    for queue in ("b", "a", "b", "c"):
        await at.put(f"job-{queue}", queue=queue)

    assert await at.store.queues() == ["a", "b", "c"]


async def test_listing_pages_through_every_job_once(at: Harness) -> None:
    for number in range(7):
        await at.put(f"job{number}", ready_at=at.now + (number % 2) * HOUR)

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await at.store.list(QUEUE, cursor=cursor, limit=3)
        seen += [row.id for row in page.rows]
        if (cursor := page.next) is None:
            break

    assert sorted(seen) == [f"job{number}" for number in range(7)]
    delayed = await at.store.list(QUEUE, state=JobState.DELAYED)
    assert [row.id for row in delayed.rows] == ["job1", "job3", "job5"]


@pytest.mark.parametrize("cursor", ["; DROP TABLE jobs", "0:0:0", "0:99999999999999999999:0:a", ""])
async def test_a_made_up_cursor_is_refused(at: Harness, cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        await at.store.list(QUEUE, cursor=cursor)


async def test_a_view_shows_who_holds_a_job_until_when(at: Harness) -> None:
    await at.put("a")
    await at.store.lease(QUEUE, now=at.now, until=at.now + HOUR, holder="worker-1")

    view = await at.store.get(JobId("a"))

    assert view is not None
    assert (view.state, view.holder, view.leased_until, view.attempts) == (
        JobState.LEASED,
        "worker-1",
        at.now + HOUR,
        1,
    )


async def test_the_bell_rings_after_the_commit_that_brought_work(at: Harness) -> None:
    bell = at.store.bell(QUEUE)
    await at.put("a")
    assert bell.rings == 1

    lease = await at.one()
    await at.do(at.store.retry, lease, at.now, "slow")
    assert bell.rings == 2

    heard = bell.rings
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(bell.wait(heard))
        await at.put("b")
