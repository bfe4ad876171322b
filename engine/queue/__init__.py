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
)
from engine.queue.store import JobStore

__all__ = [
    "Bell",
    "Depth",
    "JobConflict",
    "JobPage",
    "JobState",
    "JobStore",
    "JobView",
    "LaneDepth",
    "Lease",
    "LeaseLost",
    "NewJob",
    "Priority",
]
