"""The life of one call to a simulated model: it arrives, is refused or hit, waits, is noted and answered.

A dialect (openai, anthropic) reads requests and words answers; it decides nothing about time, faults or the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from engine.kernel.values import MILLISECOND, SECOND, Instant
from engine.simulation import tokens
from engine.simulation.faults import Fault, FaultKind
from engine.simulation.model import Answer, Ask, PromptCache, answer, as_far_as, withheld
from engine.simulation.stage import Stage, connected, hang_up, hold

T = TypeVar("T", bound=BaseModel)

_REFUSAL_DELAY = 40 * MILLISECOND  # virtual; how long a provider takes to say no
_MOST_PIECES = 32  # of a streamed answer
_LEAST_PIECE = 3  # tokens
_LEAVE_OPEN = (FaultKind.GARBAGE, FaultKind.DROP_AFTER)  # what leaves a stream without its end

CHAT_STATUSES: Mapping[FaultKind, int] = {
    FaultKind.OUTAGE: 503,
    FaultKind.SERVER_ERROR: 500,
    FaultKind.RATE_LIMIT: 429,
    FaultKind.REFUSE_AUTH: 401,
}


class Refused(Exception):
    """A request a provider refuses. `reason` is the dialect-neutral word its error body is made from."""

    def __init__(self, status: int, reason: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request a dialect has read and found in order."""

    ask: Ask
    stream: bool = False
    stream_usage: bool = False
    deployment: str | None = None
    tool: str = ""  # the function the answer has to call; its text is then the arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One order under way."""

    id: str
    at: Instant  # arrival
    order: Order
    answer: Answer


class Dialect(Protocol):
    """How one provider's protocol is read and worded."""

    provider: str
    statuses: Mapping[FaultKind, int]  # of the faults it answers with an error status

    def call_id(self, number: int) -> str:
        """A unique id in the form this provider gives its answers."""
        ...

    def read(self, request: web.Request, body: bytes) -> Order:
        """The order in a request. Raises Refused."""
        ...

    def refuse(self, refused: Refused, call_id: str) -> dict[str, Any] | list[Any]:
        """The JSON body of a refusal."""
        ...

    def whole(self, call: Call) -> bytes:
        """The JSON body of an answer that is not streamed."""
        ...

    def opening(self, call: Call) -> bytes:
        """What a stream begins with, before any text."""
        ...

    def piece(self, call: Call, text: str) -> bytes:
        """A piece of streamed text."""
        ...

    def closing(self, call: Call) -> bytes:
        """What ends a stream: the reason, the usage, the end mark."""
        ...


class Calls:
    """Serves the calls of one dialect."""

    def __init__(self, stage: Stage, dialect: Dialect, cache: PromptCache) -> None:
        self._stage = stage
        self._dialect = dialect
        self._cache = cache

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Handle one HTTP request for an answer."""
        at = self._stage.clock.now()
        call_id = self._dialect.call_id(self._stage.number())
        try:
            order = self._dialect.read(request, await request.read())
        except Refused as refused:
            return await self._refuse(request, call_id, at, None, refused)
        ask = order.ask
        fault = self._stage.faults.strike(at, ask.provider, ask.model.name, ask.fingerprint)
        if fault is not None and (status := self._dialect.statuses.get(fault.kind)):
            hit = Refused(status, fault.kind.value, f"The scenario strikes here: {fault.kind} of {fault.target}.")
            return await self._refuse(request, call_id, at, order, hit, fault)
        if fault is not None and fault.kind in (FaultKind.RESET, FaultKind.TIMEOUT):
            return await self._leave_unanswered(request, call_id, at, order, fault)
        said = answer(ask, self._stage.seed, self._cache)
        if fault is not None and fault.kind is FaultKind.CONTENT_FILTER:
            said = withheld(said)
        call = Call(id=call_id, at=at, order=order, answer=said)
        return await (self._stream if order.stream else self._whole)(request, call, fault)

    async def _refuse(
        self,
        request: web.Request,
        call_id: str,
        at: Instant,
        order: Order | None,
        refused: Refused,
        fault: Fault | None = None,
    ) -> web.Response:
        await self._stage.clock.sleep_until(at + _REFUSAL_DELAY)
        self._note(call_id, at, order, status=refused.status, complete=connected(request))
        headers = {}
        if refused.status == 429:
            headers["Retry-After"] = str(round((fault.retry_after if fault else SECOND) / SECOND))
        body = self._dialect.refuse(refused, call_id)
        return web.json_response(body, status=refused.status, headers=headers)

    async def _leave_unanswered(
        self, request: web.Request, call_id: str, at: Instant, order: Order, fault: Fault
    ) -> web.Response:
        if fault.kind is FaultKind.TIMEOUT:
            await hold(self._stage, request, at + fault.hold)
        self._note(call_id, at, order, status=0, complete=False)
        return hang_up(request)

    async def _whole(self, request: web.Request, call: Call, fault: Fault | None) -> web.StreamResponse:
        body = self._dialect.whole(call)
        try:
            await self._stage.clock.sleep_until(call.at + _slowed(call.answer.whole, fault))
        except asyncio.CancelledError:  # the world ends
            self._note(call.id, call.at, call.order, answer=call.answer, status=0, complete=False)
            raise
        if fault is not None and fault.kind is FaultKind.GARBAGE:
            body = body[: len(body) // 2]
        if fault is not None and fault.kind is FaultKind.DROP_AFTER:
            self._note(call.id, call.at, call.order, answer=call.answer, status=200, complete=False)
            return hang_up(request)
        complete = connected(request) and not (fault is not None and fault.kind is FaultKind.GARBAGE)
        self._note(call.id, call.at, call.order, answer=call.answer, status=200, complete=complete)
        return web.Response(body=body, content_type="application/json", headers={"x-request-id": call.id})

    async def _stream(self, request: web.Request, call: Call, fault: Fault | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "x-request-id": call.id})
        written: list[str] = []
        complete = False
        try:
            await self._stage.clock.sleep_until(call.at + _slowed(call.answer.first, fault))
            await response.prepare(request)
            await self._write_pieces(request, response, call, fault, written)
            complete = connected(request) and not (fault is not None and fault.kind in _LEAVE_OPEN)
        except ConnectionError:
            pass
        finally:
            said = call.answer if complete else as_far_as(call.answer, "".join(written))
            self._note(call.id, call.at, call.order, answer=said, status=200, complete=complete)
        if not complete:
            return hang_up(request)
        await response.write(self._dialect.closing(call))
        await response.write_eof()
        return response

    async def _write_pieces(
        self,
        request: web.Request,
        response: web.StreamResponse,
        call: Call,
        fault: Fault | None,
        written: list[str],
    ) -> None:
        await response.write(self._dialect.opening(call))
        for due, text in _schedule(call.answer):
            await self._stage.clock.sleep_until(call.at + _slowed(due, fault))
            if not connected(request):
                return
            if fault is not None and fault.kind is FaultKind.GARBAGE:
                await response.write(b"data: {\x00 this is no event\n\n")
                return
            await response.write(self._dialect.piece(call, text))
            written.append(text)

    def _note(
        self,
        call_id: str,
        at: Instant,
        order: Order | None,
        *,
        status: int,
        complete: bool,
        answer: Answer | None = None,
    ) -> None:
        ask = order.ask if order else None
        usage = answer.usage if answer else None
        self._stage.record.add(
            kind="call",
            id=call_id,
            at=at,
            provider=self._dialect.provider,
            model=ask.model.name if ask else None,
            answered_model=ask.model.answers_as if ask else None,
            deployment=order.deployment if order else None,
            prompt_sha256=ask.fingerprint if ask else None,
            input_tokens=usage.input if usage else 0,
            cached_tokens=usage.cached if usage else 0,
            cache_write_tokens=usage.written if usage else 0,
            output_tokens=usage.output if usage else 0,
            reasoning_tokens=usage.reasoning if usage else 0,
            status=status,
            streamed=order.stream if order else False,
            finished_at=self._stage.clock.now(),
            complete=complete,
        )


def parse(shape: type[T], body: bytes) -> T:
    """The body of a request as `shape`. Raises Refused in words of the protocol."""
    try:
        return shape.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise Refused(400, "invalid", f"We could not parse the JSON body of your request: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"])
        raise Refused(400, "invalid", f"Invalid value for '{param}': {first['msg']}.", param=param) from error


def _slowed(delay: int, fault: Fault | None) -> int:
    return round(delay * fault.factor) if fault is not None and fault.kind is FaultKind.SLOW else delay


def _schedule(answer: Answer) -> Iterator[tuple[int, str]]:
    """(nanoseconds after arrival, text) of each piece of a streamed answer."""
    count = max(1, tokens.count(answer.text))
    parts = tokens.pieces(answer.text, max(_LEAST_PIECE, -(-count // _MOST_PIECES)))
    span = answer.whole - answer.first
    for number, text in enumerate(parts, 1):
        yield answer.first + span * number // len(parts), text
