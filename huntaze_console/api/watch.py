"""The snapshot and what changes in it, as server-sent events: what an attached console lives on.

A console shows where things stand a few times a second, so it is told the difference between two moments and the newest
events, not each event: the cost of a watcher depends on what changed, not on how much happened. The first change after
a silence is told at once. A comment comes often, so that a link that died without a word is noticed within a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from aiohttp import hdrs, web

from engine.events import Recorded, to_fields
from engine.kernel.clock import Clock
from engine.kernel.errors import HuntazeError
from engine.surface.delta import difference
from engine.surface.desk import Desk, Listener
from engine.surface.snapshot import Snapshot
from huntaze_console.api.call import Call
from huntaze_console.api.feed import seq_of
from huntaze_console.api.problems import Problem, report
from huntaze_console.api.settings import ApiSettings
from huntaze_console.api.shapes import NoQuery
from huntaze_console.api.sse import LAST_EVENT_ID, drop, last_word, seated

_HEARTBEAT = b":\n\n"
_AT_ONCE = 60  # events told with one change: no eye reads more of them in a fifth of a second
_CAUGHT_UP = 500  # newest events told to who connects, or comes back

Write = Callable[[bytes], Awaitable[None]]


async def changes(call: Call) -> web.StreamResponse:
    """GET /api/v2/watch."""
    call.query(NoQuery)
    if any(end.is_set() for end in call.office.ends):
        raise Problem(503, "unavailable", "the engine is stopping", remedy="Connect again when it runs")
    with seated(call):
        return await _stream(call)


async def _stream(call: Call) -> web.StreamResponse:
    settings = call.office.settings
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8"})

    async def write(data: bytes) -> None:
        async with asyncio.timeout(settings.sse_patience):
            await response.write(data)

    await response.prepare(call.request)
    try:
        async with call.office.gate.staying(call.request) as stay:
            watch = Watch(call.desk, call.office.clock, (*call.office.ends, stay.over), settings, write)
            await watch.run(call.request.headers.get(LAST_EVENT_ID))
            if stay.reason:
                await write(last_word(stay.reason))
    except* TimeoutError:
        drop(call.request)
    except* (ConnectionError, HuntazeError):
        pass  # the client left, or the log cannot be read: the stream ends, and whoever wants more comes again
    except* Exception as errors:  # noqa: BLE001 - it has begun, so it can no longer become a problem document
        report(call.request, errors.exceptions[0], "(a stream)")
        drop(call.request)
    return response


class Watch:
    """One watcher's stream, until any of `ends` happens."""

    def __init__(
        self, desk: Desk, clock: Clock, ends: Sequence[asyncio.Event], settings: ApiSettings, write: Write
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._ends = ends
        self._every, self._beat = settings.watch_every, settings.watch_beat
        self._write = write
        self._told = desk.snapshot()
        self._given = 0  # sequence number of the newest event that was told, or left out

    async def run(self, last_event_id: str | None) -> None:
        """Tell the whole, the events that were missed, and then what changes."""
        with self._desk.subscribe() as listener:
            self._told = self._desk.snapshot()
            await self._write(_frame(self._told, "snapshot", {"snapshot": self._told, "now": self._clock.now()}))
            await self._catch_up(last_event_id)
            await self._follow(listener)

    async def _catch_up(self, last_event_id: str | None) -> None:
        """The events between what the watcher saw last and the snapshot, as far back as it is worth."""
        newest = self._given = self._told.seq
        seen = seq_of(last_event_id, self._told.epoch) if last_event_id else None
        after = max(newest - _CAUGHT_UP, seen or 0)
        if after >= newest:
            return
        missed = [one for one in await self._desk.events_after(after, limit=_CAUGHT_UP) if one.seq <= newest]
        skipped = 0 if seen is None else max(0, newest - seen - len(missed))
        await self._write(self._change({}, missed, skipped, self._told))

    async def _follow(self, listener: Listener) -> None:
        async with asyncio.TaskGroup() as tasks:
            ending = [tasks.create_task(end.wait()) for end in self._ends]
            hearing = tasks.create_task(listener.get())
            try:
                while not self._ended:
                    await asyncio.wait((hearing, *ending), timeout=self._beat, return_when="FIRST_COMPLETED")
                    if hearing.done():
                        await self._tell(hearing.result(), listener)
                        await asyncio.wait(ending, timeout=self._every, return_when="FIRST_COMPLETED")
                        hearing = tasks.create_task(listener.get())
                    elif not self._ended:
                        await self._write(_HEARTBEAT)
            finally:
                for task in (hearing, *ending):
                    task.cancel()

    @property
    def _ended(self) -> bool:
        return any(end.is_set() for end in self._ends)

    async def _tell(self, heard: Sequence[Recorded], listener: Listener) -> None:
        """What changed since the last time. The snapshot may be ahead of the events heard: those follow."""
        before, self._told = self._told, self._desk.snapshot()
        fresh = [one for one in heard if one.seq > self._given]
        self._given = fresh[-1].seq if fresh else self._given
        skipped = max(0, len(fresh) - _AT_ONCE) + listener.missed
        listener.missed = 0
        patch = difference(before, self._told)
        if patch or fresh:
            await self._write(self._change(patch, fresh[-_AT_ONCE:], skipped, before))

    def _change(self, patch: Any, events: Sequence[Recorded], skipped: int, before: Snapshot) -> bytes:
        data = {
            "after": before.seq,
            "now": self._clock.now(),
            "patch": patch,
            "events": [{"seq": one.seq, "kind": one.kind, "fields": to_fields(one.event)} for one in events],
            "skipped": skipped,
        }
        return _frame(self._told, "change", data)


def _frame(told: Snapshot, kind: str, data: Any) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (told.event_id.encode(), kind.encode(), orjson.dumps(data))
