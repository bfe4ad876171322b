"""What one client of the event stream is told, in order: no gap, no repeat.

A feed first listens, then reads the recorded log from where its client stands, then passes on what it hears, leaving
out what the log already gave. What the log no longer holds, another epoch, or a client so slow that its buffer ran over
is answered with a reset: the client fetches the snapshot again and goes on from there. That snapshot is never older
than the reset, and an event at or before it changes nothing, so nothing is lost between the two.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from engine.events import Recorded
from engine.surface.desk import Desk, Listener

BATCH = 500  # events read from the log, and passed on, at once
_LARGEST_SEQ = 1 << 63
_EVENT_ID = re.compile(r"([^:\s]{1,100}):([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Reset:
    """The client cannot be brought up to date event by event; the feed goes on after `seq`."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing happened for a heartbeat."""


Step = Reset | Silence | Sequence[Recorded]
Send = Callable[[Step], Awaitable[None]]


def seq_of(event_id: str, epoch: str) -> int | None:
    """The sequence number of an event id of this epoch; None of any other text."""
    found = _EVENT_ID.fullmatch(event_id.strip())
    if found is None or found[1] != epoch or int(found[2]) >= _LARGEST_SEQ:
        return None
    return int(found[2])


class Guest(StrEnum):
    """Who opens a stream."""

    HOST = "this host"  # the full token over the unix socket: the console beside the engine
    FULL = "the full token"
    READ_ONLY = "the read-only token"


class Seats:
    """How many streams may be open at once. Each kind of guest has a share that no other can take.

    A quarter of the seats are for the read-only token, the rest for the full one; this host has as many again.
    """

    def __init__(self, number: int) -> None:
        looking = max(1, number // 4)
        self._shares = {Guest.HOST: number, Guest.FULL: max(1, number - looking), Guest.READ_ONLY: looking}
        self._taken = dict.fromkeys(Guest, 0)

    def share(self, guest: Guest) -> int:
        """How many a kind of guest may open."""
        return self._shares[guest]

    @contextmanager
    def take(self, guest: Guest) -> Iterator[bool]:
        """A seat for the length of the block, or False when there is none."""
        free = self._taken[guest] < self._shares[guest]
        self._taken[guest] += free
        try:
            yield free
        finally:
            self._taken[guest] -= free


class Feed:
    """One client's feed from a desk, until any of `ends` happens. `heartbeat` is in real seconds."""

    def __init__(self, desk: Desk, ends: Sequence[asyncio.Event], heartbeat: float, send: Send) -> None:
        self._desk = desk
        self._ends = ends
        self._heartbeat = heartbeat
        self._send = send
        self._position = 0  # sequence number of the last event given
        self.epoch = desk.snapshot().epoch

    async def run(self, last_event_id: str | None) -> None:
        """Feed the client until the end. Raises what the desk or `send` raises, perhaps in a group."""
        with self._desk.subscribe() as listener:
            await self._begin(last_event_id)
            await self._read_log()
            await self._follow(listener)

    async def _begin(self, last_event_id: str | None) -> None:
        """Stand where the client stands, if it can be brought on from there; otherwise at the present."""
        newest = self._desk.snapshot().seq
        self._position = newest
        if last_event_id is None:
            return
        seq = seq_of(last_event_id, self.epoch)
        if seq is None:
            await self._reset("another epoch")
        elif await self._continues_from(seq, newest):
            self._position = seq
        else:
            await self._reset("these events are not kept")

    async def _continues_from(self, seq: int, newest: int) -> bool:
        """The log holds what follows `seq`, or `seq` itself where the snapshot has not reached it yet."""
        if seq == newest:
            return True
        wanted = seq + 1 if seq < newest else seq
        found = await self._desk.events_after(wanted - 1, limit=1)
        return bool(found) and found[0].seq == wanted

    async def _read_log(self) -> None:
        """Give what is recorded past the client's place. Where the log begins later, it was pruned meanwhile."""
        while not self._ended and (batch := await self._desk.events_after(self._position, limit=BATCH)):
            if batch[0].seq > self._position + 1:
                await self._reset("these events are not kept", at_least=batch[0].seq - 1)
                continue
            self._position = batch[-1].seq
            await self._send(batch)

    async def _reset(self, reason: str, *, at_least: int = 0) -> None:
        """Go on from the present."""
        self._position = max(self._position, self._desk.snapshot().seq, at_least)
        await self._send(Reset(self._position, reason))

    async def _follow(self, listener: Listener) -> None:
        async with asyncio.TaskGroup() as tasks:
            ending = [tasks.create_task(end.wait()) for end in self._ends]
            hearing = tasks.create_task(listener.get())
            try:
                while not self._ended:
                    await asyncio.wait((hearing, *ending), timeout=self._heartbeat, return_when="FIRST_COMPLETED")
                    if hearing.done():
                        await self._pass_on(hearing.result(), listener)
                        hearing = tasks.create_task(listener.get())
                    elif not self._ended:
                        await self._send(Silence())
            finally:
                for task in (hearing, *ending):
                    task.cancel()

    @property
    def _ended(self) -> bool:
        return any(end.is_set() for end in self._ends)

    async def _pass_on(self, heard: Sequence[Recorded], listener: Listener) -> None:
        """Give what is new. A buffer that ran over lost its oldest events, so a loss shows as a hole before the first.

        `missed` alone does not say so: what it counts may be younger than `heard`, or known from the log already.
        """
        fresh = [recorded for recorded in heard if recorded.seq > self._position]
        if fresh and fresh[0].seq > self._position + 1:
            if listener.missed:
                listener.missed = 0
                await self._reset("too slow")
            await self._read_log()
            fresh = [recorded for recorded in fresh if recorded.seq > self._position]
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            self._position = batch[-1].seq
            await self._send(batch)
