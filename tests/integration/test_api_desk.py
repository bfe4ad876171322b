"""A desk for the tests of the API, a server over real sockets, and a client that checks every answer's schema."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from jsonschema import Draft202012Validator

from engine.bus import Bus, Subscription
from engine.events import AccountSeen, Event, Recorded
from engine.kernel.values import MINUTE
from engine.storage.directory import Mode, StateDirectory
from engine.surface.commands import Command, Done
from engine.surface.desk import Listener
from engine.surface.queries import Page, Query
from engine.surface.snapshot import EngineView, Snapshot
from huntaze_console.api import ApiSettings, Endpoint, openapi, serve
from huntaze_console.api.routes import ROUTES
from tests.fakes import MORNING, ManualClock

RUNNING = EngineView(node="n1", version="1.2.3", kind="daemon", state="running", time_zone="Europe/Paris")
ANY_PORT = ApiSettings(port=0)


def seen(number: int) -> Event:
    return AccountSeen(at=MORNING, account_id=f"anna-{number}", name="Anna", limit=10, window=MINUTE)


@dataclass
class FakeDesk:
    """Answers what it was told to; a log whose events are published only when told, as after a slow commit."""

    state: Snapshot = field(default_factory=lambda: Snapshot(epoch="e1", engine=RUNNING))
    answers: dict[type[Query], Any] = field(default_factory=dict)  # a page's rows, a Page, or an exception
    dones: dict[type[Command], Any] = field(default_factory=dict)  # a Done, or an exception
    depth: int = 10_000
    asked: list[Query] = field(default_factory=list)
    submitted: list[Command] = field(default_factory=list)
    log: list[Recorded] = field(default_factory=list)
    bus: Bus = field(default_factory=Bus)
    listeners: int = 0

    def snapshot(self) -> Snapshot:
        return self.state

    async def query(self, query: Query) -> Page[Any]:
        self.asked.append(query)
        answer = self.answers.get(type(query), ())
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Page) else Page(tuple(answer), None, self.state.event_id)

    async def submit(self, command: Command) -> Done:
        self.submitted.append(command)
        answer = self.dones.get(type(command), Done("Done"))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def events_after(self, seq: int, *, limit: int = 1000) -> list[Recorded]:
        await asyncio.sleep(0)
        return [recorded for recorded in self.log if recorded.seq > seq][:limit]

    @contextmanager
    def subscribe(self) -> Iterator[Listener]:
        self.listeners += 1
        try:
            with self.bus.subscribe(self.depth) as subscription:
                yield subscription
        finally:
            self.listeners -= 1

    @property
    def newest(self) -> int:
        return self.log[-1].seq if self.log else self.state.seq

    def commit(self, count: int) -> None:
        """Record events; nobody has heard of them yet."""
        start = max(self.newest, self.state.seq) + 1
        self.log += [Recorded(seq, seen(seq)) for seq in range(start, start + count)]

    def publish(self) -> None:
        """Tell the listeners what was recorded since the last time."""
        fresh = [recorded for recorded in self.log if recorded.seq > self.state.seq]
        if fresh:
            self.state = replace(self.state, seq=fresh[-1].seq)
            self.bus.publish(fresh)

    def happen(self, count: int = 1) -> None:
        self.commit(count)
        self.publish()

    def forget(self, before: int) -> None:
        """Prune the log below a sequence number."""
        self.log = [recorded for recorded in self.log if recorded.seq >= before]


@dataclass
class Reply:
    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Client:
    """Speaks to a server with its token, and fails on any answer the server's own document does not describe."""

    def __init__(self, session: aiohttp.ClientSession, token: str, document: dict[str, Any]) -> None:
        self.session = session
        self.token = token
        self.document = document

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str, *, route: str = "", token: bool = True, **more: Any) -> Reply:
        return await self.request("GET", path, route=route, token=token, **more)

    async def post(self, path: str, *, route: str = "", token: bool = True, **more: Any) -> Reply:
        return await self.request("POST", path, route=route, token=token, **more)

    async def request(self, method: str, path: str, *, route: str, token: bool, **more: Any) -> Reply:
        headers = {**(self.authorization if token else {}), **more.pop("headers", {})}
        async with self.session.request(method, path, headers=headers, **more) as response:
            reply = Reply(response.status, response.headers.copy(), await response.read())
        self._check(method, route or path.partition("?")[0], reply)
        return reply

    def _check(self, method: str, route: str, reply: Reply) -> None:
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"] == "no-store"
        operation = self.document["paths"].get(route, {}).get(method.lower())
        if operation is None:
            assert reply.status in {401, 404, 405, 421}
            return
        media_type = reply.headers["Content-Type"].partition(";")[0]
        schema = operation["responses"][str(reply.status)]["content"][media_type]["schema"]
        whole = {**schema, "components": self.document["components"]}
        Draft202012Validator(whole).validate(reply.json())


@cache
def described() -> dict[str, Any]:
    """What `/openapi.json` says; a test of its own compares the two."""
    found: dict[str, Any] = orjson.loads(openapi.document(ROUTES, "1.2.3"))
    return found


@dataclass
class Served:
    endpoint: Endpoint
    directory: StateDirectory
    client: Client
    desk: FakeDesk
    clock: ManualClock
    stop: asyncio.Event


@asynccontextmanager
async def serving(
    path: Path,
    desk: FakeDesk | None = None,
    settings: ApiSettings = ANY_PORT,
    *,
    unix: bool = False,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[Served]:
    """A server over a desk, and a client of it by TCP or by the unix socket."""
    directory = StateDirectory(path)
    directory.acquire(kind="daemon", mode=Mode.REAL, version="1.2.3")
    desk, clock, stop = desk or FakeDesk(), ManualClock(), asyncio.Event()
    try:
        async with serve(
            desk, directory, settings, tcp=not unix, clock=clock, stop=stop, chance=random.Random(7)
        ) as endpoint:
            connector = aiohttp.UnixConnector(str(endpoint.socket)) if unix else aiohttp.TCPConnector(ssl=trust or True)
            url = endpoint.url.replace("0.0.0.0", "localhost") or "http://engine"
            async with aiohttp.ClientSession(url, connector=connector) as session:
                client = Client(session, directory.token_path.read_text().strip(), described())
                yield Served(endpoint, directory, client, desk, clock, stop)
    finally:
        directory.release()


async def test_a_committed_event_is_in_the_log_before_it_is_heard() -> None:
    desk = FakeDesk()

    with desk.subscribe() as listener:
        desk.commit(2)
        recorded = await desk.events_after(0)
        desk.publish()
        heard = await listener.get()

    assert [event.seq for event in recorded] == [1, 2]
    assert heard == recorded
    assert desk.snapshot().seq == 2


async def test_a_listener_that_falls_behind_is_told() -> None:
    desk = FakeDesk(depth=3)

    with desk.subscribe() as listener:
        desk.happen(5)

        assert isinstance(listener, Subscription)
        assert listener.missed == 2
        assert [event.seq for event in await listener.get()] == [3, 4, 5]
