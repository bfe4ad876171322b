"""The two ways to an engine: on another thread of this process, and over HTTP against a real server."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from engine import events
from engine.events import Recorded
from engine.kernel.errors import CommandRefused, EngineUnavailable, Refusal
from engine.kernel.secret import Secret
from engine.kernel.values import SECOND, Instant, usd
from engine.surface import wire
from engine.surface.commands import PauseCampaign
from engine.surface.queries import ListCampaigns
from screens.source import Source
from screens.sources.embedded import EmbeddedSource
from screens.sources.late import LateSource
from screens.sources.line import Address, Message, messages
from screens.sources.remote import RemoteSource
from tests.screens.scripted import NOW, ScriptedSource


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


# ── embedded ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ThreadedDesk(ScriptedSource):
    """A desk whose awaited methods note the thread they run on."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[str] = set()
        self.published: asyncio.Queue[list[Recorded]] = asyncio.Queue()

    async def query(self, query: Any) -> Any:
        self.threads.add(threading.current_thread().name)
        return await super().query(query)

    async def events_after(self, seq: int, *, limit: int = 1000) -> list[Recorded]:
        return []

    @contextmanager
    def subscribe(self) -> Iterator[Any]:
        yield self

    missed = 0

    async def get(self) -> list[Recorded]:
        return await self.published.get()


@contextmanager
def engine_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="engine")
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_questions_cross_to_the_engines_own_thread() -> None:
    desk = ThreadedDesk()
    with engine_loop() as loop:
        source = EmbeddedSource(desk, loop, lambda: NOW)
        page = await source.query(ListCampaigns())
        assert len(page.rows) == 5
        assert desk.threads == {"engine"}
        assert source.link().up

    assert not source.link().up
    with pytest.raises(EngineUnavailable):
        await source.query(ListCampaigns())


async def test_embedded_events_are_kept_as_they_come() -> None:
    desk = ThreadedDesk()
    with engine_loop() as loop:
        source = EmbeddedSource(desk, loop, lambda: NOW)
        listening = asyncio.run_coroutine_threadsafe(source.listen(), loop)
        loop.call_soon_threadsafe(desk.published.put_nowait, list(desk.events))
        await until(lambda: len(source.recent(0)) == len(desk.events))
        loop.call_soon_threadsafe(listening.cancel)
        await until(listening.done)


async def test_a_late_source_says_why_it_is_not_there_and_then_is_another() -> None:
    source = LateSource(lambda: 0)
    assert (source.link().up, source.link().note) == (False, "engine starting")
    with pytest.raises(EngineUnavailable, match="engine starting"):
        await source.query(ListCampaigns())

    source.become(ScriptedSource())

    assert source.link().up
    assert source.snapshot().epoch == "e1"


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Daemon:
    """An engine of before the stream of changes: its snapshot, events fed by hand, one command, one query."""

    def __init__(self) -> None:
        self.scripted = ScriptedSource()
        self.outbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.asked_from: list[str] = []
        self.snapshots = 0

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        app = web.Application()
        app.add_routes(
            [
                web.get("/api/v2/snapshot", self._snapshot),
                web.get("/api/v2/events", self._events),
                web.post("/api/v2/query", self._answer(self._query)),
                web.post("/api/v2/command", self._answer(self._command)),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await self.outbox.put(None)
            await runner.cleanup()

    def publish(self, seq: int, event: events.Event) -> None:
        data = wire.dump_event(Recorded(seq, event)).decode()
        self.outbox.put_nowait(f"id: e1:{seq}\nevent: {type(event).__name__}\ndata: {data}\n\n".encode())

    async def _snapshot(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer right":
            problem = {"title": "the token is wrong", "remedy": "Send 'Authorization: Bearer'"}
            return web.json_response(problem, status=401)
        self.snapshots += 1
        return web.Response(body=wire.dump(self.scripted.shown), headers={"X-Huntaze-Now": str(NOW + 5 * SECOND)})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.asked_from.append(request.headers["Last-Event-ID"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\n\n")
        while (chunk := await self.outbox.get()) is not None:
            await response.write(chunk)
        return response

    def _answer(self, work: Callable[[bytes], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                return web.Response(body=wire.dump(await work(await request.read())))
            except CommandRefused as refused:
                problem = {
                    "title": "refused", "detail": refused.message, "status": 409,
                    "reason": refused.reason, "field": refused.field, "remedy": refused.remedy,
                }  # fmt: skip
                return web.json_response(problem, status=409, content_type="application/problem+json")

        return handler

    async def _query(self, body: bytes) -> Any:
        return await self.scripted.query(wire.load_query(body))

    async def _command(self, body: bytes) -> Any:
        return await self.scripted.submit(wire.load_command(body))


@asynccontextmanager
async def attached(url: str, token: str = "right") -> AsyncIterator[RemoteSource]:
    host, _, port = url.removeprefix("http://").partition(":")
    source = RemoteSource(Address(host=host, port=int(port)), Secret(token), chance=random.Random(1), version="0.2")
    source.start()
    try:
        yield source
    finally:
        await asyncio.to_thread(source.close)


def halted(by: str) -> events.SendingHalted:
    return events.SendingHalted(at=Instant(NOW + SECOND), actor=by)


async def test_a_remote_engine_is_followed_event_by_event() -> None:
    daemon = Daemon()
    async with daemon.served() as url, attached(url) as source:
        await until(lambda: source.link().up and bool(daemon.asked_from))
        assert source.snapshot() == daemon.scripted.shown
        assert daemon.asked_from == ["e1:4182"]
        assert source.link().now >= NOW + 5 * SECOND
        daemon.publish(4183, halted("mia"))
        await until(lambda: source.snapshot().seq == 4183)

        assert source.snapshot().engine.halted_by == "mia"
        assert [one.seq for one in source.recent(4182)] == [4183]


async def test_an_event_of_a_newer_engine_moves_the_number_on() -> None:
    daemon = Daemon()
    async with daemon.served() as url, attached(url) as source:
        await until(lambda: bool(daemon.asked_from))
        data = '{"seq":4183,"kind":"MoonRose","fields":{"at":1}}'
        daemon.outbox.put_nowait(f"id: e1:4183\nevent: MoonRose\ndata: {data}\n\n".encode())

        await until(lambda: source.snapshot().seq == 4183)


async def test_a_reset_fetches_the_whole_again() -> None:
    daemon = Daemon()
    async with daemon.served() as url, attached(url) as source:
        await until(lambda: bool(daemon.asked_from))
        daemon.scripted.become(money=replace(daemon.scripted.shown.money, today=usd("99")))
        daemon.outbox.put_nowait(b"event: reset\ndata: {}\n\n")
        await until(lambda: daemon.snapshots == 2)

        await until(lambda: source.snapshot().money.today == usd("99"))


async def test_a_lost_link_is_shown_and_caught_up_behind_the_last_event() -> None:
    daemon = Daemon()
    async with daemon.served() as url, attached(url) as source:
        await until(lambda: bool(daemon.asked_from))
        daemon.publish(4183, halted("mia"))
        await until(lambda: source.snapshot().seq == 4183)
        daemon.outbox.put_nowait(None)  # the stream ends
        await until(lambda: not source.link().up)
        assert source.link().note == "the engine closed the link"

        await until(lambda: source.link().up)
        assert daemon.asked_from == ["e1:4182", "e1:4183"]
        assert daemon.snapshots == 1


async def test_answers_and_refusals_arrive_as_they_were_meant() -> None:
    daemon = Daemon()
    async with daemon.served() as url, attached(url) as source:
        await until(lambda: source.link().up)
        page = await source.query(ListCampaigns())
        assert page.rows == tuple(daemon.scripted.shown.campaigns.values())
        done = await source.submit(PauseCampaign(campaign_id="cmp_1", actor="mia"))
        assert done.summary == "PauseCampaign done"
        assert daemon.scripted.submitted == [PauseCampaign(campaign_id="cmp_1", actor="mia")]

        daemon.scripted.refuse = CommandRefused(
            Refusal.CONFLICT, "it is over", field="campaign_id", remedy="Make another"
        )
        with pytest.raises(CommandRefused, match="it is over") as refused:
            await source.submit(PauseCampaign(campaign_id="cmp_1"))
        assert (refused.value.reason, refused.value.field) == (Refusal.CONFLICT, "campaign_id")
        assert refused.value.remedy == "Make another"


async def test_a_wrong_token_says_so() -> None:
    daemon = Daemon()
    async with daemon.served() as url, attached(url, "wrong") as source:
        await until(lambda: "the token is wrong" in source.link().note)
        assert "Give the engine's own by --token-file or HUNTAZE_TOKEN" in source.link().note
        assert "Bearer" not in source.link().note

        assert not source.link().up


async def test_nobody_there_is_unavailable_and_nothing_changed() -> None:
    source: Source
    async with attached("http://127.0.0.1:9") as source:
        await until(lambda: "cannot be reached" in source.link().note)

        with pytest.raises(EngineUnavailable, match="Nothing was changed"):
            await source.submit(PauseCampaign(campaign_id="cmp_1"))


def test_streams_are_read_as_the_standard_has_it() -> None:
    lines = (b": beat\n", b"\n", b"id: e:1\r\n", b"event: A\n", b"data: 1\n", b"data:2\n", b"\n", b"id: x\n", b"\n")

    assert list(messages(iter(lines))) == [Message(), Message("e:1", "A", b"1\n2")]
