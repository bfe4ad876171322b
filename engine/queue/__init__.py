"""Durable queues: jobs with priorities, delays, leases, retries and dead letters. Adapters stay off the face."""

from engine.queue.bell import Bell
from engine.queue.job import (
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
)
from engine.queue.store import JobStore
from engine.queue.worker import Bury, Defer, Done, Handler, Outcome, Retry, Settled, Source, WholeQueue, Worker

__all__ = [
    "Bell",
    "Bury",
    "Defer",
    "Depth",
    "Done",
    "Handler",
    "JobConflict",
    "JobPage",
    "JobState",
    "JobStore",
    "JobView",
    "LaneDepth",
    "Lease",
    "LeaseLost",
    "NewJob",
    "Outcome",
    "Priority",
    "PriorityDepth",
    "Retry",
    "Settled",
    "Source",
    "WholeQueue",
    "Worker",
]
