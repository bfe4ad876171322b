"""Requests of gateway clients, sent over aiohttp itself: several times what an SDK carries.

A `Dialogue` words them (OpenAI's shape needs almost nothing, Claude's a translation); everything else that a provider
owes its port is here: time limits, careful reading, one place where failures become ProviderError. Requests without a
body go to the SDK's adapter, as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
from yarl import URL

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass, ProviderError
from engine.providers import bodies, chat
from engine.providers.bounds import AnswerTooLong
from engine.providers.endpoints import Dialect, Quirks
from engine.providers.faults import Fault, fault, of_answer, of_status
from engine.providers.port import Chunk, Completion, ModelRequest, Operation, Provider, Timeouts, Usage
from engine.providers.settings import ProviderSettings
from engine.providers.sse import EventReader
from engine.providers.transport import FAILURES, of_transport

T = TypeVar("T")

_LONGEST_ERROR = 1 << 20
_KEPT = 5.0  # real seconds a connection is kept; a longer one is closed by some peers just as it is used again
_EVENTS = "text/event-stream"
_DONE = b"[DONE]"
_PATHS = {Operation.CHAT: chat.PATH, Operation.EMBEDDINGS: "/embeddings"}


class Reader(Protocol):
    """Puts one streamed answer together; see `bodies.BodyStream`."""

    @property
    def begun(self) -> bool: ...
    @property
    def finished(self) -> bool: ...
    @property
    def usage(self) -> Usage | None: ...
    def feed(self, event: object) -> tuple[Chunk, ...] | Fault: ...
    def end(self) -> Chunk | Fault: ...


class Dialogue(Protocol):
    """How a dialect words a client's body. Pure."""

    headers: Mapping[str, str]

    def url(self, model: str, operation: Operation) -> str: ...
    def body(self, model: str, request: ModelRequest, *, stream: bool) -> Mapping[str, Any] | Fault: ...
    def read(
        self, payload: Mapping[str, Any], model: str, request: ModelRequest
    ) -> tuple[Completion | Fault, Usage | None]: ...
    def reader(self, model: str, request: ModelRequest) -> Reader: ...


class OpenAIDialogue:
    """OpenAI's own shape, and Azure's, whose models are deployments in the path."""

    def __init__(self, settings: ProviderSettings, of_models: Mapping[str, Quirks] | None = None) -> None:
        key = settings.api_key.reveal()
        self._settings = settings
        self._of_models = of_models or {}
        if settings.dialect is Dialect.AZURE:
            self.headers: Mapping[str, str] = {"api-key": key}
        else:
            organization = {"OpenAI-Organization": settings.organization} if settings.organization else {}
            self.headers = {"Authorization": f"Bearer {key or 'none'}", **organization}

    def url(self, model: str, operation: Operation) -> str:
        base = self._settings.base_url.rstrip("/")
        if self._settings.dialect is Dialect.AZURE:
            version = quote(self._settings.api_version)
            return f"{base}/openai/deployments/{quote(model, safe='')}{_PATHS[operation]}?api-version={version}"
        return base + _PATHS[operation]

    def body(self, model: str, request: ModelRequest, *, stream: bool) -> Mapping[str, Any]:
        return bodies.request_body(model, request, self._of_models.get(model, self._settings.quirks), stream=stream)

    def read(
        self, payload: Mapping[str, Any], model: str, request: ModelRequest
    ) -> tuple[Completion | Fault, Usage | None]:
        return bodies.read_answer(payload, model, request, self._settings.quirks)

    def reader(self, model: str, request: ModelRequest) -> bodies.BodyStream:
        return bodies.BodyStream(model, self._settings.quirks)


class Passthrough:
    """A `Provider` that sends requests with a body itself and leaves the others to `inner`."""

    def __init__(self, inner: Provider, settings: ProviderSettings, clock: Clock, dialogue: Dialogue) -> None:
        self.name = settings.name
        self._inner = inner
        self._settings = settings
        self._clock = clock
        self._dialogue = dialogue
        self._opened: aiohttp.ClientSession | None = None
        self._closed = False
        self._urls: dict[tuple[str, Operation], URL] = {}

    async def complete(self, model: str, request: ModelRequest) -> Completion:
        if request.body is None:
            return await self._inner.complete(model, request)
        limits = _Limits(request.timeouts, self._clock)
        try:
            async with (
                asyncio.timeout_at(limits.opening()) as patience,
                await self._send(model, request, limits, stream=False) as response,
            ):
                if not response.content.is_eof():  # else the whole answer came with its headers
                    patience.reschedule(limits.end)
                kind = response.content_type
                data = await _whole(response, self._settings.max_answer_bytes)
        except FAILURES as error:
            raise self._lost(model, error) from error
        outcome, usage = self._read(kind, data, model, request)
        return self._usable(model, outcome, usage)

    async def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        if request.body is None:
            async for chunk in self._inner.stream(model, request):
                yield chunk
            return
        limits = _Limits(request.timeouts, self._clock)
        reader, origin = self._dialogue.reader(model, request), f"{self.name}/{model}"
        try:
            async with asyncio.timeout_at(limits.opening()):
                response = await self._send(model, request, limits, stream=True)
            async with response:
                async for event in self._events(model, response, limits, reader):
                    for chunk in self._usable(model, reader.feed(event), reader.usage):
                        yield replace(chunk, origin=origin)
        except FAILURES as error:
            if not reader.finished:  # after the model's finish a failure costs the usage only, not the answer
                raise self._lost(model, error, reader.usage) from error
        yield self._usable(model, reader.end(), reader.usage)

    async def close(self) -> None:
        """Close the connections, those of calls in flight too."""
        self._closed = True
        if self._opened is not None:
            await self._opened.close()
        await self._inner.close()

    # ── one call ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send(
        self, model: str, request: ModelRequest, limits: _Limits, *, stream: bool
    ) -> aiohttp.ClientResponse:
        """A response whose status is a success; its body is still to be read, and whoever reads it closes it."""
        if self._closed:
            told = "this provider is closed; nothing was sent"
            self._usable(model, fault(ErrorClass.NETWORK_ERROR, told, reached=False))
        response = await self._session().post(
            self._url(model, request.operation),
            data=self._usable(model, _worded(self._dialogue.body(model, request, stream=stream))),
            headers=_headers(request),
            timeout=limits.of_client(),
            allow_redirects=False,
        )
        if 200 <= response.status < 300:
            return response
        async with response:
            said = _parsed(await _whole(response, _LONGEST_ERROR))
        refused = of_status(response.status, said, response.headers, self._clock.now(), self._settings.quirks)
        raise refused.error(self.name, model)

    async def _events(
        self, model: str, response: aiohttp.ClientResponse, limits: _Limits, reader: Reader
    ) -> AsyncIterator[object]:
        """The JSON of each event, each within its time: what only keeps the connection alive does not count."""
        if response.content_type != _EVENTS:
            async with asyncio.timeout_at(limits.next()):
                told = _parsed(await _whole(response, _LONGEST_ERROR))
            self._usable(model, _not_a_stream(told))
        lines, content, left = EventReader(), response.content, self._settings.max_answer_bytes
        due = limits.next(begun=False)
        while True:
            async with asyncio.timeout_at(due):
                piece = await content.readany()
            left -= len(piece)
            if left < 0:
                raise AnswerTooLong("the answer is too long")
            found = lines.feed(piece) if piece else lines.end()
            for data in found:
                if data.startswith(_DONE):
                    return
                event = orjson.loads(data)
                if isinstance(event, dict) and event.get("type") == "ping":
                    continue
                yield event
                due = limits.next(begun=reader.begun)
            if not piece:
                return

    def _read(
        self, kind: str, data: bytes, model: str, request: ModelRequest
    ) -> tuple[Completion | Fault, Usage | None]:
        if "json" not in kind:
            told = "the answer is not JSON; check the base URL and what stands in between"
            return fault(ErrorClass.UNKNOWN, told), None
        payload = _parsed(data)
        if not isinstance(payload, dict):
            return fault(ErrorClass.UNKNOWN, "the answer is cut or is not a JSON object"), None
        return self._dialogue.read(payload, model, request)

    def _usable(self, model: str, outcome: T | Fault, usage: Usage | None = None) -> T:
        if isinstance(outcome, Fault):
            error = outcome.error(self.name, model)
            error.usage = usage
            raise error
        return outcome

    def _lost(self, model: str, error: Exception, usage: Usage | None = None) -> ProviderError:
        refused = of_transport(error).error(self.name, model)
        refused.usage = usage
        return refused

    def _url(self, model: str, operation: Operation) -> URL:
        key = (model, operation)
        if key not in self._urls:
            if len(self._urls) > 1_000:  # clients may name what they like
                self._urls.clear()
            self._urls[key] = URL(self._dialogue.url(model, operation), encoded=True)
        return self._urls[key]

    def _session(self) -> aiohttp.ClientSession:
        """Opened in the loop of the first call. Nothing of the environment but a proxy, and none to this machine."""
        if self._opened is None:
            host = urlsplit(self._settings.base_url).hostname
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.max_connections, keepalive_timeout=_KEPT),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=host not in ("127.0.0.1", "::1", "localhost"),
                headers={
                    "Content-Type": "application/json",
                    "Accept-Encoding": "identity",
                    "User-Agent": "huntaze-console",
                    **self._dialogue.headers,
                },
                read_bufsize=1 << 18,
            )
        return self._opened


class _Limits:
    """How long one call may still take, in real seconds of the loop. They start when it is made."""

    __slots__ = ("_connect", "_first_byte", "_idle", "_time", "end")

    def __init__(self, timeouts: Timeouts, clock: Clock) -> None:
        self._time = asyncio.get_running_loop().time
        self._connect = clock.socket_timeout(timeouts.connect)
        self._first_byte = clock.socket_timeout(timeouts.first_byte)
        self._idle = clock.socket_timeout(timeouts.idle)
        self.end = self._time() + clock.socket_timeout(timeouts.total)

    def of_client(self) -> aiohttp.ClientTimeout:
        """For the client: a connection within `connect`; the rest is watched here."""
        return aiohttp.ClientTimeout(total=None, connect=self._connect, sock_connect=self._connect)

    def opening(self) -> float:
        """By when the headers must be here."""
        return min(self.end, self._time() + self._connect + self._first_byte)

    def next(self, *, begun: bool = True) -> float:
        """By when the next event of a stream must be here, whose words have begun or not."""
        return min(self.end, self._time() + (self._idle if begun else self._first_byte))


async def _whole(response: aiohttp.ClientResponse, longest: int) -> bytes:
    """The body to its end. Raises AnswerTooLong."""
    content = response.content
    if content.is_eof():  # it came with the headers
        return content.read_nowait(-1)
    pieces: list[bytes] = []
    size = 0
    while piece := await content.readany():
        pieces.append(piece)
        size += len(piece)
        if size > longest:
            raise AnswerTooLong("the answer is too long")
    return b"".join(pieces)


def _worded(body: Mapping[str, Any] | Fault) -> bytes | Fault:
    if isinstance(body, Fault):
        return body
    try:
        return orjson.dumps(body)
    except TypeError:  # half a character, or a number beyond 64 bits
        return fault(ErrorClass.INVALID_REQUEST, "the request cannot be written as JSON", reached=False)


def _headers(request: ModelRequest) -> Mapping[str, str]:
    """The trace id, by which a provider's support finds a call again."""
    sendable = request.trace_id.isascii() and request.trace_id.isprintable()
    return {"X-Client-Request-Id": request.trace_id} if request.trace_id and sendable else {}


def _parsed(data: bytes) -> object:
    try:
        value: object = orjson.loads(data)
    except ValueError:
        return None
    return value


def _not_a_stream(told: object) -> Fault:
    if isinstance(told, dict) and told.get("error"):
        return of_answer(told["error"])
    return fault(ErrorClass.UNKNOWN, "the answer is not an event stream; check the base URL and what stands in between")
