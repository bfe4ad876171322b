"""A streamed answer on its way to a client, as server-sent events.

The response begins with the first piece, so whatever fails before that is an ordinary error with its status. The event
that says why the answer ended is held until the cost is known, and carries it; a client that asked for usage finds both
in the event of the usage. A failure after the first piece is an event of its own, and then no `[DONE]`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import hdrs, web

from engine.kernel.clock import Clock
from engine.orchestrator import Answer
from engine.providers import Chunk
from huntaze_console.api.gateway import shapes
from huntaze_console.api.gateway.errors import TRACE, GatewayError

_DONE = b"data: [DONE]\n\n"


class Stream:
    """One stream. `emit` is the task's; then `finish` or `fail`."""

    def __init__(
        self, request: web.Request, trace_id: str, clock: Clock, *, wants_usage: bool, patience: float
    ) -> None:
        self._request = request
        self._trace_id = trace_id
        self._clock = clock
        self._wants_usage = wants_usage
        self._patience = patience  # real seconds a client may leave what it was sent unread
        self._response: web.StreamResponse | None = None
        self._held: dict[str, Any] | None = None  # the event that says why the answer ended

    @property
    def begun(self) -> bool:
        return self._response is not None

    async def emit(self, chunk: Chunk) -> None:
        """Hand a piece on."""
        if chunk.event is None:
            if not chunk.text:
                return
            event = self._made_up(chunk.text)
        else:
            event = dict(chunk.event)
        ready = [] if self._held is None else [self._held]
        self._held = None
        if _ends(event):
            self._held = event
        else:
            ready.append(event)
        if ready:
            await self._write(b"".join(map(_frame, ready)), chunk.origin)

    async def finish(self, answer: Answer) -> web.StreamResponse:
        """End the stream with what the answer cost."""
        payload = shapes.whole(answer, self._clock.now())
        if not self.begun and self._held is None:
            first, self._held = shapes.pieces_of(payload)
            await self._write(_frame(first), str(answer.target))
        told = shapes.told_of(answer, self._trace_id)
        if self._wants_usage:
            usage = {**shapes.head_of(payload), "choices": [], "usage": payload.get("usage"), "huntaze": told}
            last = [*([self._held] if self._held else []), usage]
        else:
            last = [{**(self._held or {**shapes.head_of(payload), "choices": []}), "huntaze": told}]
        return await self._end(b"".join(map(_frame, last)) + _DONE)

    async def fail(self, error: GatewayError) -> web.StreamResponse:
        """Say that the answer broke off; without the end mark no client takes it for a whole one."""
        return await self._end(_frame(error.shape()))

    async def _end(self, data: bytes) -> web.StreamResponse:
        await self._write(data, "")
        assert self._response is not None  # noqa: S101 - begun by the write
        await self._response.write_eof()
        return self._response

    async def _write(self, data: bytes, origin: str) -> None:
        """Raises CancelledError when the client has left, or does not read: as if it had been seen to leave."""
        try:
            response = self._response or await self._begin(origin)
            async with asyncio.timeout(self._patience):
                await response.write(data)
        except (TimeoutError, ConnectionError):
            if self._request.transport is not None:
                self._request.transport.abort()
            if self._request.task is not None:
                self._request.task.cancel()
            await asyncio.sleep(0)

    async def _begin(self, origin: str) -> web.StreamResponse:
        """The headers. A piece that no provider made just now was kept from before."""
        headers = {
            hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
            TRACE: self._trace_id,
            "x-huntaze-cache": "miss" if origin else "hit",
        }
        if origin:
            provider, _, model = origin.partition("/")
            headers |= {"x-huntaze-provider": provider, "x-huntaze-model": model}
        response = web.StreamResponse(headers=headers)
        await response.prepare(self._request)
        self._response = response
        return response

    def _made_up(self, text: str) -> dict[str, Any]:
        """The event of a piece that has none: a tool's fixed text, or an answer kept from another kind of task."""
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
        head = {"id": f"chatcmpl-{self._trace_id}", "object": "chat.completion.chunk", "model": "huntaze"}
        return {**head, "created": self._clock.now() // 1_000_000_000, "choices": [choice]}


def _ends(event: Mapping[str, Any]) -> bool:
    return any(isinstance(choice, dict) and choice.get("finish_reason") for choice in event.get("choices") or ())


def _frame(event: Mapping[str, Any]) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(event)
