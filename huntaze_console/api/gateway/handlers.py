"""The endpoints under /v1, and the one place where whatever goes wrong there becomes a refusal in OpenAI's words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from engine.orchestrator import Answer
from huntaze_console.api.auth import Gate
from huntaze_console.api.gateway import shapes
from huntaze_console.api.gateway.catalogue import Choice
from huntaze_console.api.gateway.errors import (
    GatewayError,
    of_error,
    stopping,
    unauthorized,
    unexpected,
    unknown_model,
)
from huntaze_console.api.gateway.gateway import OPERATOR, Client, Gateway
from huntaze_console.api.gateway.reading import Asked, read_chat, read_embeddings
from huntaze_console.api.gateway.streaming import Stream
from huntaze_console.api.gateway.watch import Watch
from huntaze_console.api.problems import report
from huntaze_console.api.settings import ApiSettings

ROOT = "/v1/"
_TRACE = web.RequestKey("huntaze.trace", str)
_LOG = logging.getLogger(__name__)


class Endpoints:
    """The handlers. `ends` tell that the engine is stopping."""

    def __init__(self, gateway: Gateway, gate: Gate, settings: ApiSettings, ends: tuple[asyncio.Event, ...]) -> None:
        self._gateway = gateway
        self._gate = gate
        self._settings = settings
        self._ends = ends
        self._watch = Watch()

    def mount(self, app: web.Application) -> None:
        """Add the paths. Their middleware must be the app's outermost: no other may refuse in another shape."""
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_post("/v1/embeddings", self.embeddings)
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/v1/models/{model:.+}", self.model)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """For the length of the block, requests whose clients leave are cancelled."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch.run())
            try:
                yield
            finally:
                watching.cancel()

    @property
    def middleware(self) -> Middleware:
        """Takes what lies under /v1 past every other middleware, straight to its handler."""

        @web.middleware
        async def speak_openai(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(ROOT):
                return await handler(request)
            return await self._serve(request)

        return speak_openai

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        trace_id = request[_TRACE] = self._gateway.trace_id()
        try:
            self._gate.check_name(request)
            return await request.match_info.handler(request)
        except Exception as error:  # noqa: BLE001 - the service's outermost loop
            refusal = of_error(error) or GatewayError(getattr(error, "status", 500), str(getattr(error, "detail", "")))
            if refusal.status == 500:
                report(request, error, trace_id)
                refusal = unexpected(trace_id)
            return refusal.answer(trace_id)

    # ── endpoints ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, read_chat)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, read_embeddings)

    async def models(self, request: web.Request) -> web.Response:
        client = self._client(request)
        since = self._gateway.opened_at
        listed = [
            shapes.model(name, owner, since)
            for name, owner in self._gateway.catalogue.listed()
            if self._may_see(client, name)
        ]
        return _json({"object": "list", "data": listed})

    async def model(self, request: web.Request) -> web.Response:
        client, name = self._client(request), request.match_info["model"]
        choice = self._gateway.catalogue.find(name)
        if choice is None or not client.may_use(choice.names):
            raise unknown_model(name)
        owner = choice.pinned.provider if choice.pinned else "huntaze"
        return _json(shapes.model(name, owner, self._gateway.opened_at))

    def _may_see(self, client: Client, name: str) -> bool:
        choice = self._gateway.catalogue.find(name)
        return choice is not None and client.may_use(choice.names)

    # ── one request ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _answer(self, request: web.Request, read: Callable[[bytes], Asked]) -> web.StreamResponse:
        client = self._client(request)
        if any(end.is_set() for end in self._ends):
            raise stopping()
        asked = read(await self._body(request))
        choice = self._gateway.choose(client, asked)
        self._watch.begin(request)
        try:
            if asked.stream:
                return await self._stream(request, client, asked, choice)
            answer = await self._gateway.complete(client, asked, choice, request[_TRACE], request.headers, None)
        finally:
            self._watch.end(request)
        return self._whole(answer, request[_TRACE])

    async def _stream(self, request: web.Request, client: Client, asked: Asked, choice: Choice) -> web.StreamResponse:
        gateway, trace_id, patience = self._gateway, request[_TRACE], self._settings.sse_patience
        stream = Stream(request, trace_id, gateway.clock, wants_usage=asked.wants_usage, patience=patience)
        try:
            answer = await gateway.complete(client, asked, choice, trace_id, request.headers, stream.emit)
        except Exception as error:  # noqa: BLE001 - a stream that has begun can only say so and end
            return await self._break_off(request, stream, error)
        return await stream.finish(answer)

    def _whole(self, answer: Answer, trace_id: str) -> web.Response:
        payload = shapes.whole(answer, self._gateway.clock.now())
        return web.Response(
            body=orjson.dumps(payload), content_type="application/json", headers=shapes.headers_of(answer, trace_id)
        )

    async def _break_off(self, request: web.Request, stream: Stream, error: Exception) -> web.StreamResponse:
        if not stream.begun:
            raise error
        refusal = of_error(error)
        if refusal is None:
            report(request, error, request[_TRACE])
            refusal = unexpected(request[_TRACE])
        return await stream.fail(refusal)

    def _client(self, request: web.Request) -> Client:
        """Who asks. Raises GatewayError(401)."""
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is None:
            raise unauthorized("You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'.")
        scheme, _, value = given.partition(" ")
        secret = value.strip()
        if scheme.lower() == "bearer":
            client = self._gateway.client(secret)
            if client is not None:
                return client
            if self._gate.is_token(secret):
                return OPERATOR
        raise unauthorized("Incorrect API key provided.")

    async def _body(self, request: web.Request) -> bytes:
        """The bytes of the body. Raises GatewayError when they are too many or too slow."""
        limit = self._gateway.settings.body_limit
        if (request.content_length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(limit)
        content = request.content
        if content.is_eof():  # it came with the headers, as most do
            return content.read_nowait(-1)
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                while piece := await content.readany():
                    pieces.append(piece)
                    size += len(piece)
                    if size > limit:
                        raise web.HTTPRequestEntityTooLarge(limit)
        except TimeoutError as error:
            raise GatewayError(408, "The body did not arrive in time.", code="timeout") from error
        return b"".join(pieces)


def _json(shape: object) -> web.Response:
    return web.Response(body=orjson.dumps(shape), content_type="application/json")
