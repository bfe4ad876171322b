"""An engine in another process, over HTTP: a snapshot, then its events in order, on a thread of its own.

The projection and the parsing run beside the screens, so a burst of events or a slow link never delays a key. After a
lost link the stream goes on behind the last event that was seen; what cannot be caught up is fetched as a whole again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from engine.events import Recorded
from engine.kernel.backoff import Backoff
from engine.kernel.errors import CommandRefused, EngineUnavailable, HuntazeError, Refusal
from engine.kernel.secret import Secret
from engine.kernel.values import SECOND, Instant, Random, seconds
from engine.surface import wire
from engine.surface.commands import Command, Done
from engine.surface.projection import apply
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot
from screens.source import Link
from screens.sources.crossing import cross

_KEPT = 1_000  # events
_SILENCE = 20.0  # seconds without even a heartbeat before a stream is given up; heartbeats come every 15 s
_ANSWER = 25.0  # seconds for one question
_NOW = "X-Huntaze-Now"
_READ_ONLY = "X-Huntaze-Read-Only"
_BY_STATUS = {404: Refusal.NOT_FOUND, 409: Refusal.CONFLICT}


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event."""

    id: str
    event: str
    data: str


class RemoteSource:
    """`start` connects and goes on trying, `close` ends it. `socket` is a Unix socket's path; else `url` is dialled."""

    def __init__(
        self, url: str, token: Secret, *, chance: Random, socket: Path | None = None, read_only: bool = False
    ) -> None:
        self._url, self._token, self._socket, self._chance = url.rstrip("/"), token, socket, chance
        self._backoff = Backoff(base=SECOND // 2, ceiling=5 * SECOND)
        self._snapshot = Snapshot()
        self._recent: tuple[Recorded, ...] = ()
        self._anchor = (time.monotonic_ns(), 0)  # here, there
        self._state = (False, 0, "connecting", read_only)  # up, since, note, read-only: replaced as a whole
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._work: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="remote-source", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread. Takes no longer than the link needs to be dropped."""
        loop, work = self._loop, self._work
        if loop is not None and work is not None and loop.is_running():
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(work.cancel)
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    # ── what the console asks ───────────────────────────────────────────────────────────────────────────────────────

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def link(self) -> Link:
        up, since, note, read_only = self._state
        return Link(
            attached=True, up=up, since=Instant(since), now=Instant(self._now()), note=note, read_only=read_only
        )

    async def query(self, query: Query) -> Page[Any]:
        data = await cross(self._post("query", wire.dump_query(query)), self._loop)
        return wire.load_page(query, data)

    async def submit(self, command: Command) -> Done:
        return wire.load_done(await cross(self._post("command", wire.dump_command(command)), self._loop))

    def recent(self, after: int) -> Sequence[Recorded]:
        return tuple(one for one in self._recent if one.seq > after)

    # ── the thread ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._live())

    async def _live(self) -> None:
        self._loop, self._work = asyncio.get_running_loop(), asyncio.current_task()
        connector = aiohttp.UnixConnector(str(self._socket)) if self._socket else aiohttp.TCPConnector()
        headers = {"Authorization": f"Bearer {self._token.reveal()}"}
        timeout = aiohttp.ClientTimeout(total=_ANSWER)
        async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
            self._session = session
            await self._stay(session)

    async def _stay(self, session: aiohttp.ClientSession) -> None:
        """Follow, and follow again: at once after a reset, with growing pauses after a failure."""
        failures = 0
        while True:
            try:
                await self._follow(session)
                failures = 0
            except (aiohttp.ClientError, HuntazeError, OSError, TimeoutError, ValueError) as error:
                failures = 1 if self._state[0] else failures + 1
                self._lost(_why(error))
                await asyncio.sleep(seconds(self._backoff.wait(failures, self._chance)))

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        """Return when the server asks for a fresh start; raise when the link breaks."""
        if not self._snapshot.epoch:
            await self._fetch(session)
        headers = {"Last-Event-ID": self._snapshot.event_id, "Accept": "text/event-stream"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_ANSWER, sock_read=_SILENCE)
        async with session.get(f"{self._url}/api/v2/events", headers=headers, timeout=timeout) as response:
            await _raise_problem(response)
            self._found(response.headers)
            async for message in messages(response.content):
                if message.event == "reset" or not self._take(message):
                    self._snapshot = replace(self._snapshot, epoch="")
                    await self._fetch(session)
                    return
        raise EngineUnavailable("the engine closed the link")

    async def _fetch(self, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{self._url}/api/v2/snapshot") as response:
            await _raise_problem(response)
            self._snapshot = wire.load_snapshot(await response.read())
            self._recent = ()
            self._found(response.headers)

    def _take(self, message: Message) -> bool:
        """Apply one event. False when it belongs to another history."""
        epoch, _, seq = message.id.rpartition(":")
        if epoch != self._snapshot.epoch:
            return False
        recorded = wire.load_event(message.data.encode())
        if recorded is None:  # a kind of a newer engine: what it changed comes with the next snapshot
            self._snapshot = replace(self._snapshot, seq=max(self._snapshot.seq, int(seq)))
            return True
        self._snapshot = apply(self._snapshot, recorded)
        self._recent = (*self._recent, recorded)[-_KEPT:]
        return True

    def _found(self, headers: Mapping[str, str]) -> None:
        """The link is up. Any answer may tell the engine's time."""
        if headers.get(_NOW, "").isdigit():
            self._anchor = (time.monotonic_ns(), int(headers[_NOW]))
        up, since, _, read_only = self._state
        read_only = headers.get(_READ_ONLY, "true" if read_only else "") == "true"
        self._state = (True, since if up else self._now(), "", read_only)

    def _lost(self, note: str) -> None:
        up, since, _, read_only = self._state
        self._state = (False, self._now() if up or not since else since, note, read_only)

    def _now(self) -> int:
        """The engine's clock, carried on by this machine's at the engine's speed; never behind its newest event."""
        here, there = self._anchor
        if not there:
            return self._snapshot.at
        reckoned = there + round((time.monotonic_ns() - here) * self._snapshot.engine.speed)
        return max(reckoned, self._snapshot.at)

    async def _post(self, what: str, body: bytes) -> bytes:
        session = self._session
        if session is None:
            raise EngineUnavailable("No link to the engine yet", remedy="Nothing was changed")
        headers = {"Content-Type": "application/json"}
        try:
            async with session.post(f"{self._url}/api/v2/{what}", data=body, headers=headers) as response:
                await _raise_problem(response)
                self._found(response.headers)
                return await response.read()
        except aiohttp.ClientConnectorError as error:
            self._lost(_why(error))
            raise EngineUnavailable("The engine cannot be reached", remedy="Nothing was changed") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            remedy = "It may have arrived: look before asking again" if what == "command" else "It is tried again"
            raise EngineUnavailable("The link broke before the answer came", remedy=remedy) from error


async def messages(lines: AsyncIterator[bytes] | aiohttp.StreamReader) -> AsyncIterator[Message]:
    """Server-sent events out of a stream of lines (WHATWG HTML, 9.2.6); comments are heartbeats and vanish."""
    found: dict[str, str] = {}
    async for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if not line:
            if "data" in found or "event" in found:
                yield Message(found.get("id", ""), found.get("event", "message"), found.get("data", ""))
            found = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            found[name] = f"{found[name]}\n{value}" if name == "data" and name in found else value


async def _raise_problem(response: aiohttp.ClientResponse) -> None:
    """A problem document (RFC 9457) as the error it stands for."""
    if response.status < 400:
        return
    try:
        problem = orjson.loads(await response.read())
    except ValueError:
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    words = str(problem.get("detail") or problem.get("title") or f"the engine answered {response.status}")
    remedy = str(problem.get("remedy") or "")
    reason = str(problem.get("reason") or "")
    if response.status in (401, 403) and reason not in set(Refusal):
        raise EngineUnavailable(
            words, remedy=remedy or "The token is not the engine's: see api-token in its state directory"
        )
    if reason in set(Refusal):
        raise CommandRefused(Refusal(reason), words, field=str(problem.get("field") or ""), remedy=remedy)
    if response.status >= 500:
        raise EngineUnavailable(words, remedy=remedy)
    refusal = _BY_STATUS.get(response.status, Refusal.INVALID)
    raise CommandRefused(refusal, words, field=str(problem.get("field") or ""), remedy=remedy)


def _why(error: Exception) -> str:
    if isinstance(error, HuntazeError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the engine fell silent"
    return "the engine cannot be reached" if isinstance(error, aiohttp.ClientConnectorError) else "the link broke"
