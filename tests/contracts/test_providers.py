"""The contract of the provider port, over every dialect: real SDKs, real sockets, a server that plays each behaviour.

The server speaks all three dialects on one port; the model's name says how it shall behave.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web

from engine.kernel.clock import Clock, SystemClock
from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.secret import Secret
from engine.kernel.values import MILLISECOND, SECOND
from engine.providers import (
    Chunk,
    Completion,
    Finish,
    LateProvider,
    Message,
    ModelRequest,
    Provider,
    ProviderSettings,
    Role,
    Timeouts,
    Usage,
    open_provider,
)

DIALECTS = ("openai", "azure", "anthropic")
KEY = "sk-test-0123456789"
PROMPT = "a prompt nobody else may read"
TEXT = "Grüße, 世界 👋"
USAGE = Usage(input_tokens=11, cached_tokens=3, output_tokens=7)
QUICK = Timeouts(
    connect=500 * MILLISECOND, first_byte=120 * MILLISECOND, idle=120 * MILLISECOND, total=250 * MILLISECOND
)
PATIENT = Timeouts(connect=2 * SECOND, first_byte=2 * SECOND, total=5 * SECOND)
CLOSED_SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def asking(*, timeouts: Timeouts = PATIENT, **fields: Any) -> ModelRequest:
    messages = (Message(Role.SYSTEM, "be brief"), Message(Role.USER, PROMPT))
    return ModelRequest(messages=messages, max_output_tokens=50, timeouts=timeouts, **fields)


# The dialects as a provider would write them, independent of the code under test.


def whole(dialect: str, *, text: str = TEXT, finish: str = "stop", usage: object = None) -> dict[str, object]:
    if dialect == "anthropic":
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-real-1",
            "content": [{"type": "text", "text": text}],
            "stop_reason": {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[finish],
            "usage": usage or {"input_tokens": 8, "cache_read_input_tokens": 3, "output_tokens": 7},
        }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-real-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": usage
        or {
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 3},
        },
    }


def event(data: Mapping[str, object], name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def pieces(dialect: str, *, text: str = TEXT, finish: str = "stop") -> tuple[list[bytes], list[bytes]]:
    """A stream's events: those with the text, and those of its end."""
    if dialect == "anthropic":
        start: dict[str, object] = {
            "type": "message_start",
            "message": {"usage": {"input_tokens": 8, "cache_read_input_tokens": 3}},
        }
        deltas: list[dict[str, object]] = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": letter}}
            for letter in text
        ]
        reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[finish]
        delta: dict[str, object] = {
            "type": "message_delta",
            "delta": {"stop_reason": reason},
            "usage": {"output_tokens": 7},
        }
        events: list[dict[str, object]] = [start, {"type": "ping"}, *deltas]
        end: list[dict[str, object]] = [delta, {"type": "message_stop"}]
        return [event(e, str(e["type"])) for e in events], [event(e, str(e["type"])) for e in end]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-real-1"}
    contents = [{**head, "choices": [{"index": 0, "delta": {"content": letter}}], "usage": None} for letter in text]
    stop = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": None}
    usage = {**head, "choices": [], "usage": whole(dialect)["usage"]}
    return [event(e) for e in contents], [event(stop), event(usage), b"data: [DONE]\n\n"]


def error_body(dialect: str, code: str) -> dict[str, object]:
    error = {"message": f"about {PROMPT} and {KEY}\x1b[2J", "type": code, "code": code}
    return {"type": "error", "error": error} if dialect == "anthropic" else {"error": error}


@dataclass
class Server:
    """Plays the behaviour that a request's model names; unknown names answer as they should."""

    dialect: str
    url: str = ""
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    dropped: asyncio.Event = field(default_factory=asyncio.Event)  # the client left in the middle of an answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append(request)
        self.bodies.append(body)
        self.connections.add(request.transport)
        behaviour = body["model"]
        if behaviour.startswith("status-"):
            return self.status(behaviour)
        known: Respond | None = getattr(self, behaviour.replace("-", "_"), None)
        if known is not None:
            return await known(request)
        return await self.ok(request)

    def status(self, behaviour: str) -> web.Response:
        _, status, *rest = behaviour.split("-", 2)
        headers = dict(pair.split("=", 1) for pair in rest[0].split("|") if "=" in pair) if rest else {}
        code = headers.pop("code", "some_code")
        return web.json_response(error_body(self.dialect, code), status=int(status), headers=headers)

    async def ok(self, request: web.Request) -> web.StreamResponse:
        if "stream" in await request.json():
            return await self.streamed(request)
        return web.json_response(whole(self.dialect))

    async def length(self, request: web.Request) -> web.StreamResponse:
        if "stream" in await request.json():
            return await self.streamed(request, finish="length")
        return web.json_response(whole(self.dialect, finish="length"))

    async def filtered(self, request: web.Request) -> web.StreamResponse:
        if "stream" in await request.json():
            return await self.streamed(request, finish="content_filter")
        return web.json_response(whole(self.dialect, finish="content_filter"))

    async def empty_text(self, request: web.Request) -> web.StreamResponse:
        if "stream" in await request.json():
            return await self.streamed(request, text="")
        return web.json_response(whole(self.dialect, text=" \n"))

    async def json_text(self, request: web.Request) -> web.StreamResponse:
        text = '{"title": "ü"}'
        if "stream" in await request.json():
            return await self.streamed(request, text=text)
        return web.json_response(whole(self.dialect, text=text))

    async def no_choices(self, request: web.Request) -> web.StreamResponse:
        empty = {**whole(self.dialect), "choices": [], "content": []}
        if "stream" in await request.json():
            return await self.events(request, [event(empty, "message_start"), b"data: [DONE]\n\n"])
        return web.json_response(empty)

    async def no_usage(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({k: v for k, v in whole(self.dialect).items() if k != "usage"})

    async def html(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>welcome to the hotel's network</html>", content_type="text/html")

    async def not_json(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=json.dumps(whole(self.dialect)).encode()[:-20], content_type="application/json")

    async def error_in_200(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(error_body(self.dialect, "rate_limit_error"))

    async def error_in_stream(self, request: web.Request) -> web.StreamResponse:
        texts, _ = pieces(self.dialect)
        return await self.events(request, [*texts, event(error_body(self.dialect, "overloaded_error"), "error")])

    async def cut(self, request: web.Request) -> web.StreamResponse:
        return await self.events(request, pieces(self.dialect)[0])

    async def reset(self, request: web.Request) -> web.StreamResponse:
        return await self.torn(request, pieces(self.dialect)[0])

    async def reset_after_finish(self, request: web.Request) -> web.StreamResponse:
        texts, end = pieces(self.dialect)
        return await self.torn(request, [*texts, end[0]])

    async def torn(self, request: web.Request, parts: list[bytes]) -> web.StreamResponse:
        """Some of a body whose length was promised longer, then a reset."""
        kind = "text/event-stream" if "stream" in await request.json() else "application/json"
        response = web.StreamResponse(headers={"content-type": kind})
        response.content_length = 100_000
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        await asyncio.sleep(0.02)  # or the reset overtakes the bytes before it
        assert request.transport is not None
        request.transport.abort()
        return response

    async def reset_at_once(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def garbage_protocol(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 banana\r\n\r\n")
        await asyncio.sleep(0.02)
        request.transport.close()
        return web.Response()

    async def silent(self, _: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3)
        return web.Response()

    async def headers_then_silence(self, request: web.Request) -> web.StreamResponse:
        kind = "text/event-stream" if "stream" in await request.json() else "application/json"
        response = web.StreamResponse(headers={"content-type": kind})
        await response.prepare(request)
        await asyncio.sleep(3)
        return response

    async def stalled(self, request: web.Request) -> web.StreamResponse:
        texts, end = pieces(self.dialect)
        alive = event({"type": "ping"}, "ping") if self.dialect == "anthropic" else b": still here\n\n"
        return await self.events(request, [*texts[:5], b": keep-alive\n\n", *[alive] * 30, *end], gap=0.05)

    async def late_words(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return await self.streamed(request)

    async def dripping(self, request: web.Request) -> web.StreamResponse:
        texts, end = pieces(self.dialect, text="drip" * 20)
        if "stream" not in await request.json():
            texts = [b" "] * 80
        return await self.events(request, [*texts, *end], gap=0.03)

    async def split(self, request: web.Request) -> web.StreamResponse:
        texts, end = pieces(self.dialect)
        return await self.events(request, [bytes([byte]) for byte in b"".join([*texts, *end])], gap=0)

    async def streamed(self, request: web.Request, **how: str) -> web.StreamResponse:
        texts, end = pieces(self.dialect, **how)
        return await self.events(request, [*texts, *end])

    async def events(self, request: web.Request, parts: list[bytes], gap: float | None = None) -> web.StreamResponse:
        kind = "text/event-stream; charset=utf-8" if "stream" in await request.json() else "application/json"
        response = web.StreamResponse(headers={"content-type": kind})
        await response.prepare(request)
        try:
            for part in parts:
                await response.write(part)
                if gap is not None:
                    await asyncio.sleep(gap)
        except (asyncio.CancelledError, ConnectionError):
            self.dropped.set()
            raise
        return response


@asynccontextmanager
async def serving(dialect: str) -> AsyncIterator[Server]:
    server = Server(dialect)
    app = web.Application()
    app.router.add_post("/{rest:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.005, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()


def settings(dialect: str, url: str) -> ProviderSettings:
    return ProviderSettings.of(
        dialect, base_url=url, api_key=Secret(KEY), deployments={"dep": "gpt-4o", "deep": "o3-mini"}
    )


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def server(dialect: str) -> AsyncIterator[Server]:
    async with serving(dialect) as server:
        yield server


@pytest.fixture
async def provider(dialect: str, server: Server) -> AsyncIterator[Provider]:
    provider = LateProvider(settings(dialect, server.url), SystemClock())
    yield provider
    await provider.close()


async def collect(provider: Provider, model: str, request: ModelRequest) -> list[Chunk]:
    return [chunk async for chunk in provider.stream(model, request)]


async def failure(call: Awaitable[object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await call
    error = caught.value
    assert len(str(error)) < 200
    assert str(error).isprintable()
    assert PROMPT not in str(error)
    assert KEY not in str(error)
    return error


async def test_whole_answer_carries_text_finish_usage_and_the_providers_own_names(provider: Provider) -> None:
    answer = await provider.complete("ok", asking())

    named = "claude-real-1" if provider.name == "anthropic" else "gpt-real-1"
    assert answer == Completion(text=TEXT, finish=Finish.STOP, usage=USAGE, model=named, response_id=answer.response_id)
    assert answer.response_id


async def test_stream_gives_the_text_in_pieces_then_finish_and_usage(provider: Provider) -> None:
    chunks = await collect(provider, "ok", asking())

    assert [chunk.text for chunk in chunks[:-1]] == list(TEXT)
    assert chunks[-1] == Chunk(finish=Finish.STOP, usage=USAGE)


async def test_letters_split_between_packets_stay_whole(provider: Provider) -> None:
    chunks = await collect(provider, "split", asking())

    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert chunks[-1].usage == USAGE


async def test_request_says_what_was_asked_and_nothing_about_this_machine(
    provider: Provider, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: real")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Leak: real")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-somebody")
    fresh = open_provider(settings(provider.name, server.url), SystemClock())

    await fresh.complete("ok", asking(temperature=0.5, trace_id="tr_1", user="u_1"))
    await fresh.close()

    body, headers = server.bodies[-1], server.seen[-1].headers
    assert body["temperature"] == 0.5
    assert "u_1" in json.dumps(body)
    assert body["messages"][-1] == {"role": "user", "content": PROMPT}
    assert body["max_completion_tokens" if provider.name == "openai" else "max_tokens"] == 50
    assert headers["X-Client-Request-Id"] == "tr_1"
    assert KEY in (headers.get("Authorization", "") + headers.get("api-key", ""))
    assert not [name for name in headers if "stainless" in name.lower() or "leak" in name.lower()]
    assert "OpenAI-Organization" not in headers
    assert "OpenAI-Project" not in headers


async def test_azure_model_is_a_deployment_in_the_path() -> None:
    async with serving("azure") as server:
        provider = open_provider(settings("azure", server.url), SystemClock())

        await provider.complete("my-deployment", asking())
        await collect(provider, "my-deployment", asking())
        await provider.close()

    assert {seen.path for seen in server.seen} == {"/openai/deployments/my-deployment/chat/completions"}
    assert {seen.query["api-version"] for seen in server.seen} == {"2024-10-21"}


async def test_azure_reasoning_deployments_get_the_limit_they_accept() -> None:
    async with serving("azure") as server:
        provider = open_provider(settings("azure", server.url), SystemClock())

        for deployment in ("dep", "deep"):
            await provider.complete(deployment, asking())
        await provider.close()

    assert [body.get("max_completion_tokens") for body in server.bodies] == [None, 50]


async def test_streaming_asks_for_usage_where_it_is_not_given_unasked(provider: Provider, server: Server) -> None:
    await collect(provider, "ok", asking())

    asked = None if provider.name == "anthropic" else {"include_usage": True}
    assert server.bodies[-1].get("stream_options") == asked


async def test_connections_are_reused(provider: Provider, server: Server) -> None:
    for _ in range(3):
        await provider.complete("ok", asking())
        await collect(provider, "ok", asking())

    assert len(server.connections) == 1


@pytest.mark.parametrize("how", ["complete", "stream"])
async def test_answer_cut_at_the_limit_says_so(provider: Provider, how: str) -> None:
    if how == "complete":
        finish: Finish | None = (await provider.complete("length", asking())).finish
    else:
        finish = (await collect(provider, "length", asking()))[-1].finish

    assert finish is Finish.LENGTH


@pytest.mark.parametrize("how", ["complete", "stream"])
async def test_schema_is_asked_for_and_its_answer_passes(provider: Provider, server: Server, how: str) -> None:
    request = asking(schema=CLOSED_SCHEMA)

    if how == "complete":
        text = (await provider.complete("json_text", request)).text
    else:
        text = "".join(chunk.text for chunk in await collect(provider, "json_text", request))

    assert json.loads(text) == {"title": "ü"}
    assert '"json_schema"' in json.dumps(server.bodies[-1])


async def test_missing_usage_is_none(provider: Provider) -> None:
    assert (await provider.complete("no_usage", asking())).usage is None


async def test_cut_after_the_finish_loses_the_usage_not_the_answer(provider: Provider) -> None:
    chunks = await collect(provider, "reset_after_finish", asking())

    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert chunks[-1].finish is Finish.STOP
    # Anthropic tells the usage together with the finish.
    assert chunks[-1].usage == (USAGE if provider.name == "anthropic" else None)


UNUSABLE = {
    "empty_text": ErrorClass.UNKNOWN,
    "no_choices": ErrorClass.UNKNOWN,
    "html": ErrorClass.UNKNOWN,
    "filtered": ErrorClass.CONTENT_FILTER,
    "error_in_200": ErrorClass.RATE_LIMIT,
    "reset": ErrorClass.NETWORK_ERROR,
    "reset_at_once": ErrorClass.NETWORK_ERROR,
    "garbage_protocol": ErrorClass.NETWORK_ERROR,
}


@pytest.mark.parametrize("how", ["complete", "stream"])
@pytest.mark.parametrize("behaviour", UNUSABLE)
async def test_unusable_answer_is_an_error_that_may_have_been_billed(
    provider: Provider, how: str, behaviour: str
) -> None:
    request = asking()

    error = await failure(
        provider.complete(behaviour, request) if how == "complete" else collect(provider, behaviour, request)
    )

    expected = UNUSABLE[behaviour]
    if how == "stream" and behaviour == "no_choices":
        expected = ErrorClass.NETWORK_ERROR  # a stream without a word looks like a cut one
    assert error.error_class is expected
    assert error.reached
    assert error.provider == provider.name
    assert error.model == behaviour


async def test_cut_json_is_an_error(provider: Provider) -> None:
    assert (await failure(provider.complete("not_json", asking()))).error_class is ErrorClass.UNKNOWN


async def test_answer_that_breaks_its_schema_is_an_error(provider: Provider) -> None:
    request = asking(schema=CLOSED_SCHEMA)

    for call in (provider.complete("ok", request), collect(provider, "ok", request)):
        assert (await failure(call)).error_class is ErrorClass.UNKNOWN


async def test_stream_cut_before_its_finish_is_an_error(provider: Provider) -> None:
    seen: list[str] = []

    async def read() -> None:
        async for chunk in provider.stream("cut", asking()):
            seen.append(chunk.text)  # noqa: PERF401 - what came before the cut must be kept

    error = await failure(read())
    assert error.error_class is ErrorClass.NETWORK_ERROR
    assert "".join(seen) == TEXT


async def test_error_in_the_middle_of_a_stream_is_an_error(provider: Provider) -> None:
    error = await failure(collect(provider, "error_in_stream", asking()))

    assert error.error_class is ErrorClass.SERVER_ERROR
    assert error.reached


@pytest.mark.parametrize(
    ("behaviour", "timeouts"),
    [
        ("silent", replace(QUICK, total=20 * SECOND)),
        ("headers_then_silence", replace(QUICK, total=20 * SECOND)),
        ("dripping", QUICK),
    ],
)
@pytest.mark.parametrize("how", ["complete", "stream"])
async def test_upstream_that_stays_silent_or_never_ends_times_out(
    provider: Provider, behaviour: str, timeouts: Timeouts, how: str
) -> None:
    request = asking(timeouts=timeouts)
    begun = asyncio.get_running_loop().time()

    error = await failure(
        provider.complete(behaviour, request) if how == "complete" else collect(provider, behaviour, request)
    )

    assert error.error_class is ErrorClass.TIMEOUT
    assert error.reached
    assert asyncio.get_running_loop().time() - begun < 1.5


async def test_stream_that_stalls_times_out_although_it_says_it_is_alive(provider: Provider) -> None:
    request = asking(timeouts=replace(QUICK, total=10 * SECOND))

    error = await failure(collect(provider, "stalled", request))

    assert error.error_class is ErrorClass.TIMEOUT


@pytest.mark.parametrize("body", [None, {"model": "x", "messages": [{"role": "user", "content": PROMPT}]}])
async def test_only_the_first_words_of_a_stream_may_take_long(provider: Provider, body: dict[str, Any] | None) -> None:
    request = asking(timeouts=replace(PATIENT, idle=200 * MILLISECOND), body=body)

    chunks = await collect(provider, "late_words", request)
    begun = asyncio.get_running_loop().time()
    error = await failure(collect(provider, "stalled", request))

    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert error.error_class is ErrorClass.TIMEOUT
    assert asyncio.get_running_loop().time() - begun < 1.2


STATUSES = {
    400: ErrorClass.INVALID_REQUEST,
    401: ErrorClass.AUTHENTICATION,
    402: ErrorClass.AUTHENTICATION,
    403: ErrorClass.AUTHENTICATION,
    404: ErrorClass.INVALID_REQUEST,
    408: ErrorClass.TIMEOUT,
    409: ErrorClass.SERVER_ERROR,
    413: ErrorClass.INVALID_REQUEST,
    422: ErrorClass.INVALID_REQUEST,
    429: ErrorClass.RATE_LIMIT,
    500: ErrorClass.SERVER_ERROR,
    503: ErrorClass.SERVER_ERROR,
    529: ErrorClass.SERVER_ERROR,
}


@pytest.mark.parametrize("status", STATUSES)
async def test_status_gives_class_and_whether_it_may_be_billed(provider: Provider, server: Server, status: int) -> None:
    request = asking()

    for call in (provider.complete, collect_with(provider)):
        error = await failure(call(f"status-{status}", request))

        billed = status >= 500 or (provider.name == "azure" and status in (400, 408))
        assert (error.status, error.error_class) == (status, STATUSES[status])
        assert error.reached is billed
        assert error.__cause__ is not None
    assert len(server.bodies) == 2  # never repeated by the SDK


def collect_with(provider: Provider) -> Callable[[str, ModelRequest], Awaitable[list[Chunk]]]:
    return lambda model, request: collect(provider, model, request)


async def test_redirect_is_not_followed(provider: Provider, server: Server) -> None:
    error = await failure(provider.complete(f"status-307-location={server.url}/elsewhere", asking()))

    assert error.error_class is ErrorClass.INVALID_REQUEST
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ("retry-after=7", 7.0),
        ("retry-after=0.5", 0.5),
        ("retry-after-ms=250|retry-after=9", 0.25),
        ("retry-after=-3", 0.0),
        ("retry-after=soon", None),
        ("x-ratelimit-remaining-tokens=0|x-ratelimit-reset-tokens=1m2s", 62.0),
        ("x-ratelimit-remaining-tokens=5|x-ratelimit-reset-tokens=1m2s", None),
    ],
)
async def test_retry_after_is_heard(provider: Provider, headers: str, seconds: float | None) -> None:
    error = await failure(provider.complete(f"status-429-{headers}", asking()))

    assert error.retry_after == seconds


async def test_retry_after_may_be_a_date(provider: Provider) -> None:
    error = await failure(provider.complete("status-503-retry-after=Wed, 01 Jan 2125 00:00:00 GMT", asking()))

    assert error.retry_after == 86_400  # a day at most


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
async def test_filtered_prompt_is_not_a_bad_request(provider: Provider, code: str) -> None:
    error = await failure(provider.complete(f"status-400-code={code}", asking()))

    assert error.error_class is ErrorClass.CONTENT_FILTER


async def test_used_up_quota_says_what_to_do(provider: Provider) -> None:
    error = await failure(provider.complete("status-429-code=insufficient_quota", asking()))

    assert error.error_class is ErrorClass.RATE_LIMIT
    assert "add credit" in error.message


@pytest.mark.parametrize("how", ["complete", "stream"])
async def test_refused_connection_sent_nothing(dialect: str, how: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    provider = open_provider(settings(dialect, url), SystemClock())

    error = await failure(provider.complete("ok", asking()) if how == "complete" else collect(provider, "ok", asking()))

    assert error.error_class is ErrorClass.NETWORK_ERROR
    assert not error.reached
    await provider.close()


async def test_connection_that_never_opens_times_out_and_sent_nothing(dialect: str) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):  # the kernel drops further SYNs once its queue is full
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        provider = open_provider(settings(dialect, f"http://127.0.0.1:{full.getsockname()[1]}"), SystemClock())

        error = await failure(provider.complete("ok", asking(timeouts=replace(PATIENT, connect=200 * MILLISECOND))))
        await provider.close()

    assert error.error_class is ErrorClass.TIMEOUT
    assert not error.reached


async def test_failed_tls_sent_nothing(dialect: str, server: Server) -> None:
    provider = open_provider(settings(dialect, server.url.replace("http:", "https:")), SystemClock())

    error = await failure(provider.complete("ok", asking()))

    assert error.error_class is ErrorClass.NETWORK_ERROR
    assert not error.reached
    assert "TLS" in error.message
    await provider.close()


async def test_text_that_cannot_be_encoded_is_refused_before_it_leaves(provider: Provider, server: Server) -> None:
    request = ModelRequest(messages=(Message(Role.USER, "half a letter \ud83d"),), max_output_tokens=5)

    error = await failure(provider.complete("ok", request))

    assert error.error_class is ErrorClass.INVALID_REQUEST
    assert not error.reached
    assert not server.seen


async def test_cancellation_passes_through(provider: Provider) -> None:
    async with asyncio.timeout(2):
        task = asyncio.ensure_future(provider.complete("silent", asking(timeouts=PATIENT)))
        await asyncio.sleep(0.1)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task


async def test_stream_left_early_drops_its_connection_and_the_provider_goes_on(
    provider: Provider, server: Server
) -> None:
    async with aclosing(provider.stream("dripping", asking())) as chunks:  # type: ignore[type-var]
        async for _ in chunks:
            break
    async with asyncio.timeout(1):
        await server.dropped.wait()

    assert (await provider.complete("ok", asking())).text == TEXT


@pytest.mark.parametrize("opening", [open_provider, LateProvider])
async def test_closed_provider_refuses_and_may_be_closed_again(
    dialect: str, server: Server, opening: Callable[[ProviderSettings, Clock], Provider]
) -> None:
    provider = opening(settings(dialect, server.url), SystemClock())
    await provider.close()
    await provider.close()

    for call in (provider.complete("ok", asking()), collect(provider, "ok", asking())):
        error = await failure(call)

        assert not error.reached


@pytest.mark.parametrize("opening", [open_provider, LateProvider])
async def test_nothing_is_left_open(
    dialect: str, server: Server, opening: Callable[[ProviderSettings, Clock], Provider]
) -> None:
    provider = opening(settings(dialect, server.url), SystemClock())
    await provider.complete("ok", asking())
    async for _ in provider.stream("dripping", asking()):
        break  # left without closing the iterator

    await provider.close()
    del provider

    gc.collect()  # an unclosed session or connection warns here, and warnings are errors
    await asyncio.sleep(0)
