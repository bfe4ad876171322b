"""The gateway's contract over real sockets: every outcome of a send follows the bytes, every reading ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from engine.kernel.errors import PlatformError
from engine.kernel.secret import Secret
from engine.kernel.values import DAY, SECOND
from engine.messaging import Fan, Outgoing, PlatformSettings
from engine.messaging.platform import NotSent, Outcome, Refused, Sent, ThreadMessage, Throttled, Unauthorised, Uncertain
from engine.messaging.platforms.onlyfans import OnlyFans
from tests.fakes import MORNING, ManualClock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MESSAGE = Outgoing(account_id="an/na", fan_id="f 1", text="Hello Zoë", key="dlv_1")
QUICK = 200 * 1_000_000  # nanoseconds


class Gateway:
    """A real server whose one handler a test sets."""

    def __init__(self) -> None:
        self.handler: Handler = _taken
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.raw_path, dict(request.headers), body))
        return await self.handler(request)


async def _taken(_: web.Request) -> web.Response:
    return web.json_response({"id": "msg_1", "unheard": {"of": 1}})


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    made = Gateway()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/root/"
    yield made
    await runner.cleanup()


@pytest.fixture
async def platform(gateway: Gateway) -> AsyncIterator[OnlyFans]:
    settings = PlatformSettings(url=gateway.url, token=Secret("s3cret"), send_timeout=QUICK, read_timeout=QUICK)
    adapter = OnlyFans(settings, ManualClock())
    yield adapter
    await adapter.close()


def status(code: int, body: str = "", **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=code, text=body, headers={key.replace("_", "-"): it for key, it in headers.items()})

    return answer


def problem(code: int, body: object) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=code, content_type="application/problem+json")

    return answer


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_is_sent_as_the_contract_writes_it(gateway: Gateway, platform: OnlyFans) -> None:
    assert await platform.send(replace(MESSAGE, price_cents=500)) == Sent("msg_1")

    ((method, path, headers, body),) = gateway.requests
    assert (method, path) == ("POST", "/root/accounts/an%2Fna/chats/f%201/messages")
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["Idempotency-Key"] == "dlv_1"
    assert headers["User-Agent"] == "huntaze-console"
    assert body == {"text": "Hello Zoë", "price_cents": 500}


async def test_a_price_that_is_not_there_is_not_sent(gateway: Gateway, platform: OnlyFans) -> None:
    await platform.send(MESSAGE)

    assert gateway.requests[0][3] == {"text": "Hello Zoë"}


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (problem(200, {"id": 17}), Sent("17")),
        (problem(201, {"id": "msg_2", "extra": [1]}), Sent("msg_2")),
        (problem(200, {"no": "id"}), Uncertain("the platform's answer names no id")),
        (status(200, "<html>bad gateway"), Uncertain("the platform's answer names no id")),
        (status(200), Uncertain("the platform's answer names no id")),
        (status(429), Throttled(0)),
        (status(429, Retry_After="7"), Throttled(7 * SECOND)),
        (status(429, Retry_After="1.5"), Throttled(1_500_000_000)),
        (status(429, Retry_After="-3"), Throttled(0)),
        (status(429, Retry_After="soon"), Throttled(0)),
        (status(429, Retry_After="nan"), Throttled(0)),
        (status(429, Retry_After="inf"), Throttled(0)),
        (status(429, Retry_After="1e200"), Throttled(DAY)),
        (status(429, Retry_After="Fri, 20 Nov 2026 08:00:30 GMT"), Throttled(30 * SECOND)),
        (status(429, Retry_After="Fri, 20 Nov 2026 07:00:00 GMT"), Throttled(0)),
        (status(401), Unauthorised("the platform answered 401: check the account's token")),
        (status(403), Unauthorised("the platform answered 403: check the account's token")),
        (status(500), Uncertain("the platform answered 500")),
        (status(503, Retry_After="3"), Uncertain("the platform answered 503")),
        (status(302, Location="/elsewhere"), Uncertain("the platform answered 302")),
        (status(304), Uncertain("the platform answered 304")),
        (problem(400, {"title": "Too long"}), Refused("400 Too long")),
        (problem(404, {"title": "Gone", "detail": "No such fan"}), Refused("404 No such fan")),
        (status(409, "plain words"), Refused("409")),
        (problem(422, ["no", "object"]), Refused("422")),
        (problem(422, {"title": "Not accepted", "detail": None, "code": 17}), Refused("422 Not accepted")),
        (problem(422, {"detail": "f1 has opted out of messages"}), Refused("422 f1 has opted out of messages", True)),
        (problem(422, {"type": "https://example.org/problems/opted-out"}), Refused("422", True)),
        (problem(422, {"code": "opted_out"}), Refused("422", True)),
        (problem(404, {"detail": "opted out"}), Refused("404 opted out")),
    ],
)
async def test_a_status_line_says_what_became_of_it(
    gateway: Gateway, platform: OnlyFans, handler: Handler, outcome: Outcome
) -> None:
    gateway.handler = handler

    assert await platform.send(MESSAGE) == outcome
    assert len(gateway.requests) == 1


async def test_the_clock_of_these_tests_stands_where_the_dates_assume() -> None:
    assert ManualClock().now() == MORNING


async def test_a_reason_from_outside_is_bounded(gateway: Gateway, platform: OnlyFans) -> None:
    gateway.handler = problem(400, {"detail": "x" * 10_000})

    outcome = await platform.send(MESSAGE)

    assert isinstance(outcome, Refused)
    assert len(outcome.reason) == 200


async def test_an_answer_without_end_is_uncertain_and_raises_nothing(gateway: Gateway, platform: OnlyFans) -> None:
    gateway.handler = status(200, "x" * ((8 << 20) + 10))

    assert isinstance(await platform.send(MESSAGE), Uncertain)


async def test_no_answer_in_time_is_uncertain_and_says_that_it_timed_out(gateway: Gateway, platform: OnlyFans) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    gateway.handler = hang

    outcome = await platform.send(MESSAGE)

    assert isinstance(outcome, Uncertain)
    assert outcome.timed_out


async def test_a_reset_after_the_request_is_uncertain(gateway: Gateway, platform: OnlyFans) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    gateway.handler = cut

    outcome = await platform.send(MESSAGE)

    assert isinstance(outcome, Uncertain)
    assert not outcome.timed_out


async def test_an_answer_cut_in_its_middle_is_uncertain(gateway: Gateway, platform: OnlyFans) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"id": "msg')
        assert request.transport is not None
        request.transport.close()
        return response

    gateway.handler = cut

    assert isinstance(await platform.send(MESSAGE), Uncertain)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "ftp://127.0.0.1", "not a url"])
async def test_a_connection_that_was_never_made_is_not_sent(url: str) -> None:
    adapter = OnlyFans(PlatformSettings(url=url), ManualClock())

    outcome = await adapter.send(MESSAGE)
    await adapter.close()

    assert isinstance(outcome, NotSent), outcome


async def test_without_an_address_nothing_is_sent_and_nothing_read() -> None:
    adapter = OnlyFans(PlatformSettings(), ManualClock())

    assert isinstance(await adapter.send(MESSAGE), NotSent)
    with pytest.raises(PlatformError, match="ONLYFANS_API_URL"):
        await _all(adapter.fans("anna"))


async def test_a_cancelled_send_is_cancelled(gateway: Gateway, platform: OnlyFans) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    gateway.handler = hang
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(platform.send(MESSAGE))
        while not gateway.requests:
            await asyncio.sleep(0)
        sending.cancel()

    assert sending.cancelled()


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _all(found: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in found]


def pages(*bodies: dict[str, Any]) -> Handler:
    """One body a request, chosen by the cursor: none is the first, "1" the second …"""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(bodies[int(request.query.get("cursor", "0"))])

    return answer


async def test_every_page_of_fans_is_read_and_unknown_fields_are_ignored(gateway: Gateway, platform: OnlyFans) -> None:
    first = {"id": "f1", "name": "Zoë", "timezone": "Europe/Paris", "tags": ["vip"], "opted_out": True, "age": 9}
    gateway.handler = pages(
        {"fans": [first], "next": "1", "total": 2}, {"fans": [{"id": 2, "name": "", "tags": None}], "next": None}
    )

    assert await _all(platform.fans("an/na")) == [
        Fan(fan_id="f1", name="Zoë", time_zone="Europe/Paris", tags=("vip",), opted_out=True),
        Fan(fan_id="2", name=""),
    ]
    assert [path for _, path, _, _ in gateway.requests] == [
        "/root/accounts/an%2Fna/fans",
        "/root/accounts/an%2Fna/fans?cursor=1",
    ]


async def test_a_thread_is_read_in_order(gateway: Gateway, platform: OnlyFans) -> None:
    said = {"id": "m1", "from": "fan", "text": "hi", "sent_at": "2026-11-20T08:00:00Z", "likes": 3}
    gateway.handler = pages({"messages": [said], "next": None})

    assert await _all(platform.thread("anna", "f1")) == [
        ThreadMessage(message_id="m1", sender="fan", text="hi", sent_at=MORNING)
    ]


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (pages({"fans": [], "next": "1"}, {"fans": [], "next": "0"}, {}), "repeats the cursor"),
        (status(200, "<html>"), "not of the contract"),
        (problem(200, {"fans": [{"name": "no id"}], "next": None}), "fans.0.id"),
        (problem(200, {"fans": "none"}), "not of the contract"),
        (status(503), "answered 503"),
        (status(302, Location="/x"), "answered 302"),
        (status(200, "x" * ((8 << 20) + 10)), "larger than 8 MiB"),
    ],
)
async def test_a_reading_that_goes_wrong_raises_and_ends(
    gateway: Gateway, platform: OnlyFans, handler: Handler, words: str
) -> None:
    gateway.handler = handler

    with pytest.raises(PlatformError, match=words):
        await _all(platform.fans("anna"))


@pytest.mark.parametrize("code", [401, 403, 500])
async def test_a_refused_reading_tells_its_status(gateway: Gateway, platform: OnlyFans, code: int) -> None:
    gateway.handler = status(code)

    with pytest.raises(PlatformError) as caught:
        await _all(platform.fans("anna"))

    assert caught.value.status == code


async def test_a_slow_or_cut_reading_raises(gateway: Gateway, platform: OnlyFans) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    for handler, words in ((hang, "in time"), (cut, "could not be read")):
        gateway.handler = handler
        with pytest.raises(PlatformError, match=words):
            await _all(platform.fans("anna"))
