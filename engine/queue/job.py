"""A job and what may be said of it: pure values.

A job's place in its queue is its *rank*: the instant it became ready, plus one ageing step for each level below urgent.
The lowest rank goes first. That is ageing without touching a waiting job: its rank stands still while those of newly
ready jobs grow. A job of level p passes a waiting one of level q > p only if it became ready less than (q - p) steps
after it; every later one queues behind. So no job waits behind younger jobs of a higher priority for more than the
level difference times the step, and nothing starves, however full the higher levels are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from engine.kernel.errors import StorageError
from engine.kernel.values import MINUTE, JobId

AGEING_STEP = MINUTE  # nanoseconds a priority level is worth
CAUSE_LENGTH = 300  # characters of a cause that are kept


class Priority(IntEnum):
    """Lower goes first."""

    URGENT = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3
    BULK = 4


class JobState(StrEnum):
    """Where a job stands. A completed job is gone."""

    READY = "ready"
    DELAYED = "delayed"  # becomes ready at `ready_at`
    LEASED = "leased"
    PARKED = "parked"  # its batch is on hold
    DEAD = "dead"  # out of attempts or buried; waits to be redriven or purged


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """Work to be put. `id` is chosen by whoever puts it, before the first try, so that a repeated put is harmless."""

    id: JobId
    queue: str
    payload: bytes
    ready_at: int  # nanoseconds since the epoch; past or present: ready at once
    lane: str = ""  # what may be leased by itself: an account
    batch: str = ""  # what may be parked and cancelled as a whole: a campaign
    priority: Priority = Priority.NORMAL
    max_attempts: int = 8
    dedup_key: str | None = None  # unique in its queue, see JobStore.put


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on a job until `until`. `fence` grows with every lease of a job and voids the earlier ones."""

    job_id: JobId
    queue: str
    lane: str
    batch: str
    payload: bytes
    priority: Priority
    attempt: int  # 1 = first
    fence: int
    until: int  # nanoseconds since the epoch
    put_at: int  # nanoseconds since the epoch
    max_attempts: int = 8
    dedup_key: str | None = None
    ready_at: int = 0  # when it became ready, nanoseconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as the inspecting screens see it. Instants in nanoseconds since the epoch."""

    id: JobId
    queue: str
    state: JobState
    priority: Priority
    lane: str
    batch: str
    attempts: int  # leases that counted, the running one included
    max_attempts: int
    put_at: int
    ready_at: int
    leased_until: int | None
    died_at: int | None
    holder: str
    cause: str  # of the last failed attempt, or empty
    payload: bytes


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, and the cursor of the next page, None on the last."""

    rows: tuple[JobView, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many jobs of a queue stand where. `oldest_at`: when the longest waiting ready one became ready."""

    ready: int = 0
    delayed: int = 0
    leased: int = 0
    parked: int = 0
    dead: int = 0
    oldest_at: int | None = None


@dataclass(frozen=True, slots=True)
class PriorityDepth:
    """One priority's work in a queue. `oldest_at`: when its longest waiting ready job became ready."""

    priority: Priority
    ready: int
    delayed: int
    leased: int
    oldest_at: int | None


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """One lane's work: ready jobs (counted up to a bound), and when its next delayed one is due, or None."""

    lane: str
    ready: int
    next_ready_at: int | None


class LeaseLost(StorageError):
    """The lease is void: it ran out, the job is settled, or (`taken_over`, told by `extend`) somebody else's."""

    def __init__(self, job_id: JobId, *, taken_over: bool = False) -> None:
        super().__init__(f"the lease of job {job_id} was lost")
        self.job_id = job_id
        self.taken_over = taken_over


class JobConflict(StorageError):
    """A job of this id is there already, with other content."""

    def __init__(self, job_id: JobId) -> None:
        super().__init__(f"job {job_id} is there already, with other content")
        self.job_id = job_id


def rank(ready_at: int, priority: int, step: int = AGEING_STEP) -> int:
    """The place of a ready job in its queue, lowest first (see the module's docstring)."""
    return ready_at + priority * step


def clean_cause(cause: str) -> str:
    """A cause fit to be stored and shown: no control characters, at most CAUSE_LENGTH characters."""
    printable = "".join(character if character.isprintable() else " " for character in cause[: 4 * CAUSE_LENGTH])
    return " ".join(printable.split())[:CAUSE_LENGTH]
