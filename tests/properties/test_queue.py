"""The queue against a model of it, and the arithmetic of its order."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.kernel.values import MINUTE, SECOND, JobId
from engine.queue import JobState, Lease, LeaseLost, NewJob, Priority
from engine.queue.job import AGEING_STEP, rank
from engine.queue.sqlite import SqliteJobStore
from engine.storage import Database
from tests.fakes import ManualClock

INSTANTS = st.integers(0, 10 * AGEING_STEP)
PRIORITIES = st.sampled_from(list(Priority))


@given(st.tuples(INSTANTS, PRIORITIES), st.tuples(INSTANTS, PRIORITIES))
def test_a_younger_job_of_a_higher_priority_passes_only_within_the_steps_between(
    one: tuple[int, Priority], other: tuple[int, Priority]
) -> None:
    (older_at, older), (younger_at, younger) = sorted((one, other), key=lambda job: job[0])

    passes = rank(younger_at, younger) < rank(older_at, older)

    assert passes == (younger_at - older_at < (older - younger) * AGEING_STEP)


@given(st.lists(st.integers(1, AGEING_STEP // 2), min_size=1, max_size=60), PRIORITIES)
def test_however_full_the_urgent_level_is_kept_a_waiting_job_is_served(gaps: list[int], priority: Priority) -> None:
    arrivals, now = [], 0
    for gap in gaps * 20:
        now += gap
        arrivals.append(now)

    ahead = [at for at in arrivals if rank(at, Priority.URGENT) < rank(0, priority)]

    assert all(at < priority * AGEING_STEP for at in ahead)


@dataclass
class Model:
    """A job as the specification has it."""

    state: JobState
    ready_at: int
    priority: Priority
    lane: str
    batch: str
    max_attempts: int
    key: str | None
    attempt: int = 0
    fence: int = 0
    until: int = 0

    @property
    def order(self) -> tuple[int, int]:
        return rank(self.ready_at, self.priority), self.ready_at


QUEUE = "work"
LANES, BATCHES = ("", "anna", "bella"), ("", "spring", "summer")


class QueueMachine(RuleBasedStateMachine):
    """Every operation on the store and on the model; they must agree after each."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.runner = self.stack.enter_context(asyncio.Runner())
        path = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.opened = Database.open(path / "q.db", readers=1, synchronous="OFF")
        self.database = self.runner.run(self.opened.__aenter__())
        self.clock = ManualClock()
        self.store = SqliteJobStore(self.database, self.clock)
        self.jobs: dict[str, Model] = {}
        self.keys: dict[str, int | None] = {}  # until when it is taken; None while its job is there
        self.parked: set[str] = set()
        self.leases: list[Lease] = []

    def teardown(self) -> None:
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.stack.close()

    def do(self, method: Callable[..., Any], *arguments: Any) -> Any:
        return self.runner.run(self.database.write(lambda tx: method(tx, *arguments)))

    def rest(self, job: Model, ready_at: int) -> None:
        """Where a job goes that is put or handed back."""
        job.ready_at = ready_at
        job.state = JobState.READY if ready_at <= self.clock.now() else JobState.DELAYED
        if job.batch in self.parked:
            job.state = JobState.PARKED

    def settle(self, lease: Lease, method: Callable[..., Any], *arguments: Any) -> Model | None:
        """Settle a lease that may be void: the store must know which."""
        job = self.jobs.get(lease.job_id)
        if job is None or job.state is not JobState.LEASED or job.fence != lease.fence:
            with pytest.raises(LeaseLost):
                self.do(method, lease, *arguments)
            return None
        self.do(method, lease, *arguments)
        return job

    def lapse(self, now: int, *, everything: bool = False) -> int:
        lapsed = [
            job for job in self.jobs.values() if job.state is JobState.LEASED and (everything or job.until <= now)
        ]
        for job in lapsed:
            job.state = JobState.PARKED if job.batch in self.parked else JobState.READY
            if job.attempt >= job.max_attempts:
                job.state = JobState.DEAD
        return len(lapsed)

    def promote(self, lane: str | None) -> None:
        for job in self.jobs.values():
            if job.state is JobState.DELAYED and job.ready_at <= self.clock.now() and lane in (None, job.lane):
                job.state = JobState.READY

    @rule(
        priority=PRIORITIES,
        delay=st.sampled_from((-MINUTE, 0, SECOND, MINUTE)),
        lane=st.sampled_from(LANES),
        batch=st.sampled_from(BATCHES),
        attempts=st.integers(1, 3),
        key=st.sampled_from((None, None, "k1", "k2")),
    )
    def put(self, priority: Priority, delay: int, lane: str, batch: str, attempts: int, key: str | None) -> None:
        now = self.clock.now()
        name, ready_at = f"job{len(self.jobs) + len(self.leases):03}-{now}", now + delay
        if name in self.jobs:
            return
        job = NewJob(
            id=JobId(name), queue=QUEUE, payload=b"", ready_at=ready_at, lane=lane, batch=batch, priority=priority,
            max_attempts=attempts, dedup_key=key,
        )  # fmt: skip
        taken = key is not None and key in self.keys and ((free_at := self.keys[key]) is None or free_at > now)

        assert self.do(self.store.put, job, now) is not taken

        if not taken:
            self.jobs[name] = Model(JobState.READY, ready_at, priority, lane, batch, attempts, key)
            self.rest(self.jobs[name], ready_at)
            if key is not None:
                self.keys[key] = None

    @rule(limit=st.integers(1, 3), lane=st.sampled_from((None, "anna", "bella")))
    def lease(self, limit: int, lane: str | None) -> None:
        now = self.clock.now()
        self.lapse(now)
        self.promote(lane)
        ready = [(*job.order, name) for name, job in self.jobs.items() if job.state is JobState.READY]
        expected = [name for *_, name in sorted(ready) if lane in (None, self.jobs[name].lane)][:limit]

        leases = self.runner.run(self.store.lease(QUEUE, now=now, until=now + MINUTE, limit=limit, lane=lane))

        assert [lease.job_id for lease in leases] == expected
        for lease in leases:
            job = self.jobs[lease.job_id]
            job.state, job.until, job.attempt, job.fence = JobState.LEASED, now + MINUTE, job.attempt + 1, job.fence + 1
            assert (lease.attempt, lease.fence) == (job.attempt, job.fence)
        self.leases += leases

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), how=st.sampled_from(("complete", "defer", "retry", "bury", "extend")), wait=st.integers(0, 2))
    def end(self, data: st.DataObject, how: str, wait: int) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        ready_at = self.clock.now() + wait * SECOND
        if how == "extend":
            self.extend(lease)
        elif how == "complete":
            if (job := self.settle(lease, self.store.complete)) is not None:
                del self.jobs[lease.job_id]
                if job.key is not None:
                    self.keys[job.key] = self.clock.now() + 24 * 60 * MINUTE
        elif how == "defer":
            if (job := self.settle(lease, self.store.defer, ready_at)) is not None:
                job.attempt -= 1
                self.rest(job, ready_at)
        elif how == "retry":
            if (job := self.settle(lease, self.store.retry, ready_at, "why")) is not None:
                if job.attempt >= job.max_attempts:
                    job.state = JobState.DEAD
                else:
                    self.rest(job, ready_at)
        elif (job := self.settle(lease, self.store.bury, "why")) is not None:
            job.state = JobState.DEAD

    def extend(self, lease: Lease) -> None:
        job = self.jobs.get(lease.job_id)
        until = self.clock.now() + 2 * MINUTE
        if job is None or job.state is not JobState.LEASED or job.fence != lease.fence:
            with pytest.raises(LeaseLost):
                self.runner.run(self.store.extend(lease, until))
        else:
            self.runner.run(self.store.extend(lease, until))
            job.until = until

    @rule(duration=st.sampled_from((1, SECOND, MINUTE, 24 * 60 * MINUTE)))
    def wait(self, duration: int) -> None:
        self.clock.jump(duration)

    @rule(batch=st.sampled_from(BATCHES[1:]))
    def park(self, batch: str) -> None:
        mine = self.of_batch(batch, JobState.READY, JobState.DELAYED)
        assert self.do(self.store.park, batch) == len(mine)
        self.parked.add(batch)
        for job in mine:
            job.state = JobState.PARKED

    @rule(batch=st.sampled_from(BATCHES[1:]))
    def unpark(self, batch: str) -> None:
        now, mine = self.clock.now(), self.of_batch(batch, JobState.PARKED)
        assert self.do(self.store.unpark, batch, now) == len(mine)
        self.parked.discard(batch)
        for job in mine:
            self.rest(job, max(job.ready_at, now))

    @rule(batch=st.sampled_from(BATCHES[1:]))
    def cancel(self, batch: str) -> None:
        gone = self.of_batch(batch, JobState.READY, JobState.DELAYED, JobState.PARKED)
        assert self.do(self.store.cancel, batch) == len(gone)
        self.parked.discard(batch)
        self.remove(gone)

    @rule()
    def expire(self) -> None:
        now = self.clock.now()
        assert self.do(self.store.expire, now) == self.lapse(now)

    @rule()
    def restart(self) -> None:
        assert self.runner.run(self.store.recover(self.clock.now())) == self.lapse(0, everything=True)

    @rule()
    def redrive(self) -> None:
        now, dead = self.clock.now(), self.in_state(JobState.DEAD)
        assert self.do(self.store.redrive, QUEUE, None, now) == len(dead)
        for job in dead:
            job.attempt = 0
            self.rest(job, now)

    @rule()
    def purge(self) -> None:
        dead = self.in_state(JobState.DEAD)
        assert self.do(self.store.purge, QUEUE, None) == len(dead)
        self.remove(dead)

    @invariant()
    def depths_agree(self) -> None:
        depth = self.runner.run(self.store.depth(QUEUE))
        counts = Counter(job.state for job in self.jobs.values())

        assert {state: getattr(depth, state) for state in JobState} == {state: counts[state] for state in JobState}
        assert depth.oldest_at == min((job.ready_at for job in self.in_state(JobState.READY)), default=None)

    def in_state(self, *states: JobState) -> list[Model]:
        return [job for job in self.jobs.values() if job.state in states]

    def of_batch(self, batch: str, *states: JobState) -> list[Model]:
        return [job for job in self.in_state(*states) if job.batch == batch]

    def remove(self, gone: list[Model]) -> None:
        self.jobs = {name: job for name, job in self.jobs.items() if not any(job is other for other in gone)}
        for job in gone:
            if job.key is not None:
                del self.keys[job.key]


QueueMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_the_store_agrees_with_its_model = QueueMachine.TestCase
