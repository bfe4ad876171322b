"""The engine's events as server-sent events.

A frame's `id` is the event's durable id, `<epoch>:<seq>`; a client that reconnects sends the last it saw and goes on
behind it. A client that does not read is cut off: its events wait in a bounded buffer, never in an endless one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from aiohttp import hdrs, web

from engine.events import Recorded
from engine.kernel.errors import HuntazeError
from engine.surface import wire
from huntaze_console.api.auth import Access, access_of, over_unix
from huntaze_console.api.call import Call
from huntaze_console.api.feed import Feed, Guest, Reset, Silence, Step
from huntaze_console.api.problems import Problem, report
from huntaze_console.api.shapes import NoQuery

LAST_EVENT_ID = "Last-Event-ID"
_RETRY = b"retry: 1000\n\n"  # milliseconds after which a browser's client connects again
_HEARTBEAT = b": still here\n\n"


async def events(call: Call) -> web.StreamResponse:
    """GET /api/v2/events."""
    call.query(NoQuery)
    if any(end.is_set() for end in call.office.ends):
        raise Problem(503, "unavailable", "the engine is stopping", remedy="Connect again when it runs")
    with seated(call):
        return await _stream(call)


@contextmanager
def seated(call: Call) -> Iterator[None]:
    """A seat for a stream. Raises Problem(503) when whoever asks has all of theirs."""
    guest, seats = guest_of(call.request), call.office.seats
    with seats.take(guest) as free:
        if not free:
            detail = f"{seats.share(guest)} event streams of {guest} are open already"
            raise Problem(503, "unavailable", detail, remedy="Close one, or raise [api] sse_streams")
        yield


def guest_of(request: web.Request) -> Guest:
    """Whose share a stream is of."""
    if access_of(request) is not Access.FULL:
        return Guest.READ_ONLY
    return Guest.HOST if over_unix(request) else Guest.FULL


async def _stream(call: Call) -> web.StreamResponse:
    settings = call.office.settings
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8"})

    async def write(data: bytes) -> None:
        async with asyncio.timeout(settings.sse_patience):
            await response.write(data)

    async def send(step: Step) -> None:
        await write(frame(step, feed.epoch))

    await response.prepare(call.request)
    try:
        await write(_RETRY)
        async with call.office.gate.staying(call.request) as stay:
            feed = Feed(call.desk, (*call.office.ends, stay.over), settings.sse_heartbeat, send)
            await feed.run(call.request.headers.get(LAST_EVENT_ID))
            if stay.reason:
                await write(last_word(stay.reason))
    except* TimeoutError:
        drop(call.request)
    except* (ConnectionError, HuntazeError):
        pass  # the client left, or the log cannot be read: the stream ends, and whoever wants more resumes it
    except* Exception as errors:  # noqa: BLE001 - it has begun, so it can no longer become a problem document
        report(call.request, errors.exceptions[0], "(a stream)")
        drop(call.request)
    return response


def last_word(reason: str) -> bytes:
    """Why a stream ends that could have gone on. It has no id: who comes back goes on behind the last event."""
    return b"event: end\ndata: %s\n\n" % orjson.dumps({"reason": reason})


def drop(request: web.Request) -> None:
    """Cut off a client that does not read; closing gently would wait for it."""
    if request.transport is not None:
        request.transport.abort()


def frame(step: Step, epoch: str) -> bytes:
    """The bytes of a step."""
    match step:
        case Silence():
            return _HEARTBEAT
        case Reset():
            data = orjson.dumps({"epoch": epoch, "seq": step.seq, "reason": step.reason})
            return _frame(f"{epoch}:{step.seq}", "reset", data)
        case _:
            return b"".join(_of_event(recorded, epoch) for recorded in step)


def _of_event(recorded: Recorded, epoch: str) -> bytes:
    return _frame(f"{epoch}:{recorded.seq}", recorded.kind, wire.dump_event(recorded))


def _frame(event_id: str, kind: str, data: bytes) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), kind.encode(), data)
