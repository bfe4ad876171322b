"""The JobStore port: where jobs are kept.

The synchronous methods take an open write transaction, so that a job is put or completed together with the state it
belongs to, or not at all. The asynchronous ones stand alone and are durable when they return.

A job is in one of five states:

    put ─▶ delayed ─▶ ready ─▶ leased ─▶ completed (gone)
              ▲         ▲         │
              └─────────┴─────────┼─ defer, retry, expire, recover
    parked ◀─▶ (batch on hold)    └─▶ dead ─ redrive ─▶ ready
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Protocol

from engine.kernel.values import JobId
from engine.queue.bell import Bell
from engine.queue.job import Depth, JobPage, JobState, JobView, LaneDepth, Lease, NewJob, PriorityDepth
from engine.storage import Tx


class JobStore(Protocol):
    """Jobs of any number of queues. Instants are nanoseconds since the epoch."""

    # ── inside somebody's transaction ───────────────────────────────────────────────────────────────────────────────

    def put(self, tx: Tx, job: NewJob, now: int) -> bool:
        """Add a job. False, and nothing is added, when its dedup key is taken in its queue.

        A key is taken by a job that is still there, a dead one included, and for the dedup window by one that
        completed. A job that was cancelled or purged frees its key at once.

        Putting an id that is there already, or that its own key remembers as completed, changes nothing and is True.
        (A put that may be repeated after its job completed therefore needs a dedup key.) Raises JobConflict if the id
        is there with other content. A job of a parked batch is parked.
        """
        ...

    def complete(self, tx: Tx, lease: Lease) -> None:
        """The work is done: the job goes. Raises LeaseLost; so does every method that takes a lease.

        A lease that is past its `until` still counts as long as nobody noticed: what voids it is `expire`.
        """
        ...

    def defer(self, tx: Tx, lease: Lease, ready_at: int) -> None:
        """Hand the job back until `ready_at`. The attempt does not count."""
        ...

    def retry(self, tx: Tx, lease: Lease, ready_at: int, cause: str) -> None:
        """Hand the job back after a failed attempt; the last one makes it dead and emits JobDied.

        A deferred or retried job of a parked batch is parked.
        """
        ...

    def bury(self, tx: Tx, lease: Lease, cause: str) -> None:
        """The job is dead whatever its attempts; emits JobDied."""
        ...

    def park(self, tx: Tx, batch: str) -> int:
        """Put a batch on hold: its ready and delayed jobs now, those put or handed back later as they come.

        Returns how many were parked now. Leased ones run on.
        """
        ...

    def unpark(self, tx: Tx, batch: str, now: int) -> int:
        """Take a batch off hold. Its jobs count their waiting from now, not from before they were parked."""
        ...

    def cancel(self, tx: Tx, batch: str) -> int:
        """Remove a batch's ready, delayed and parked jobs, and its hold. Leased ones run on, dead ones stay."""
        ...

    def redrive(self, tx: Tx, queue: str, ids: Sequence[JobId] | None, now: int) -> int:
        """Make dead jobs ready again with all their attempts: those of `ids`, or None for every one of the queue."""
        ...

    def purge(self, tx: Tx, queue: str, ids: Sequence[JobId] | None) -> int:
        """Remove dead jobs for good: those of `ids`, or None for every one of the queue."""
        ...

    def expire(self, tx: Tx, now: int) -> int:
        """Void the leases that are past their time, in every queue; returns how many.

        Their jobs are ready again with the place they had; the attempt stays counted, and one that was the last makes
        the job dead, so that a job that kills its worker does not come back for ever. `lease` does this for its queue.
        """
        ...

    # ── by themselves ───────────────────────────────────────────────────────────────────────────────────────────────

    async def lease(
        self, queue: str, *, now: int, until: int, limit: int = 1, lane: str | None = None, holder: str = ""
    ) -> builtins.list[Lease]:
        """Lease up to `limit` ready jobs, lowest rank first, of one lane if given; none if there are none.

        Calls that come together share one statement; their leases then last until the latest `until` among them. A
        cancelled call leaves nothing leased. `holder` is shown to people.
        """
        ...

    async def extend(self, lease: Lease, until: int) -> Lease:
        """A heartbeat: the same lease, lasting until `until`. Raises LeaseLost."""
        ...

    async def recover(self, now: int) -> int:
        """At start: every lease is void, for its process is gone (one engine per state directory). As `expire` else."""
        ...

    def bell(self, queue: str) -> Bell:
        """What rings after a commit that may have made a job of the queue ready, or have changed when one will be."""
        ...

    async def next_ready_at(self, queue: str) -> int | None:
        """When the queue's next delayed job becomes ready or its next lease runs out; None without either."""
        ...

    async def lanes(self, queue: str) -> builtins.list[LaneDepth]:
        """The lanes that have ready or delayed jobs, by name. Jobs without a lane are in none of them."""
        ...

    async def depth(self, queue: str) -> Depth:
        """How many jobs stand where. A delayed job counts as ready once a `lease` call has noticed that it is due."""
        ...

    async def priorities(self, queue: str) -> builtins.list[PriorityDepth]:
        """The priorities that have ready, delayed or leased jobs, the first to go first. Reads the whole queue."""
        ...

    async def queues(self) -> builtins.list[str]:
        """The queues that hold jobs, by name."""
        ...

    async def get(self, job_id: JobId) -> JobView | None:
        """One job, or None when it is completed or unknown."""
        ...

    async def list(
        self, queue: str, *, state: JobState | None = None, cursor: str | None = None, limit: int = 100
    ) -> JobPage:
        """A queue's jobs by state and, within one, in the order they are due. Raises ValueError for a bad cursor."""
        ...
