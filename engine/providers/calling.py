"""One call to one endpoint: time limits, foreign JSON, the checks, and one place where errors become ProviderError.

What differs between dialects is behind two small ports: `Wire` (an SDK's client) and `Format` (pure: JSON to values of
the port). There are no retries here; the orchestrator owns them, and every attempt must be in the ledger.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeVar

import httpx2

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass
from engine.providers.answers import parsed
from engine.providers.faults import Fault, fault, of_answer
from engine.providers.port import Chunk, Completion, ModelRequest, Usage
from engine.providers.settings import ProviderSettings
from engine.providers.transport import FAILURES, Patience

T = TypeVar("T")

_EVENTS = "text/event-stream"


class Events(Protocol):
    """A streamed answer as the SDK gives it: its JSON events, and the response they come in."""

    response: httpx2.Response

    async def __anext__(self) -> object: ...
    async def close(self) -> None: ...


class Wire(Protocol):
    """An SDK's client, its retries and telemetry off."""

    errors: tuple[type[Exception], ...]  # what the SDK itself may raise

    async def post(
        self, body: Mapping[str, object], headers: Mapping[str, str], timeout: httpx2.Timeout
    ) -> httpx2.Response:
        """The whole answer, read to its end, its status a success."""
        ...

    async def open(self, body: Mapping[str, object], headers: Mapping[str, str], timeout: httpx2.Timeout) -> Events: ...

    def fault(self, error: Exception, now: int) -> Fault:
        """What an error raised by this client means; `now` in nanoseconds since the epoch."""
        ...

    async def close(self) -> None: ...


class Reader(Protocol):
    """Puts one streamed answer together; see `chat.ChatStream`."""

    @property
    def begun(self) -> bool: ...
    @property
    def finished(self) -> bool: ...
    @property
    def usage(self) -> Usage | None: ...
    def feed(self, event: object) -> str | Fault: ...
    def end(self) -> Chunk | Fault: ...


class Format(Protocol):
    """A dialect's JSON."""

    def body(self, model: str, request: ModelRequest, *, stream: bool) -> Mapping[str, object]: ...
    def read(self, payload: Mapping[str, object], model: str, request: ModelRequest) -> Completion | Fault: ...
    def reader(self, request: ModelRequest) -> Reader: ...


class SdkProvider:
    """A `Provider` over a wire and a format."""

    def __init__(self, settings: ProviderSettings, clock: Clock, wire: Wire, format_: Format) -> None:
        self.name = settings.name
        self._clock = clock
        self._wire = wire
        self._format = format_
        self._failures = (*wire.errors, *FAILURES)
        self._closed = False

    async def complete(self, model: str, request: ModelRequest) -> Completion:
        self._refuse_when_closed(model)
        patience = Patience(request.timeouts, self._clock)
        with self._translated(model):
            async with patience.whole():
                response = await self._wire.post(
                    self._format.body(model, request, stream=False), _headers(request), patience.of_client()
                )
        payload = _payload(response)
        answer = payload if isinstance(payload, Fault) else self._format.read(payload, model, request)
        return self._usable(model, answer)

    async def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        self._refuse_when_closed(model)
        patience = Patience(request.timeouts, self._clock)
        reader, held = self._format.reader(request), ""
        events = await self._opened(model, request, patience)
        try:
            async for event in self._events(model, events, reader, patience):
                held += self._usable(model, _billed(reader.feed(event), reader))
                if held and reader.begun:  # blanks before the first word are held back: they may be all that comes
                    yield Chunk(text=held)
                    held = ""
        finally:
            await events.close()
        yield self._usable(model, _billed(reader.end(), reader))

    async def close(self) -> None:
        """Close the connections, those of calls in flight too."""
        self._closed = True
        await self._wire.close()

    async def _opened(self, model: str, request: ModelRequest, patience: Patience) -> Events:
        """A stream whose headers are here and are those of a stream."""
        with self._translated(model):
            async with patience.opening():
                events = await self._wire.open(
                    self._format.body(model, request, stream=True), _headers(request), patience.of_client(stream=True)
                )
            if events.response.headers.get("content-type", _EVENTS).startswith(_EVENTS):
                return events
            try:
                async with patience.next_event():
                    await events.response.aread()
            finally:
                await events.close()
        return self._usable(model, _not_a_stream(events.response))

    async def _events(self, model: str, events: Events, reader: Reader, patience: Patience) -> AsyncIterator[object]:
        """The events, each within its time.

        A connection lost after the model's finish costs the usage only, not the answer; an error the provider sends is
        one wherever it stands.
        """
        begun = False
        while True:
            try:
                async with patience.next_event(begun=begun):
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except self._failures as error:
                failure = self._fault(error)
                if reader.finished and failure.status is None:
                    return
                raise failure.billed(reader.usage).error(self.name, model) from error
            yield event
            begun = begun or reader.begun

    @contextmanager
    def _translated(self, model: str) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            raise self._fault(error).error(self.name, model) from error

    def _fault(self, error: Exception) -> Fault:
        return self._wire.fault(error, self._clock.now())

    def _usable(self, model: str, outcome: T | Fault) -> T:
        if isinstance(outcome, Fault):
            raise outcome.error(self.name, model)
        return outcome

    def _refuse_when_closed(self, model: str) -> None:
        if self._closed:
            raise fault(ErrorClass.NETWORK_ERROR, "this provider is closed; nothing was sent", reached=False).error(
                self.name, model
            )


def _headers(request: ModelRequest) -> dict[str, str]:
    """The trace id, by which a provider's support finds a call again."""
    sendable = request.trace_id.isascii() and request.trace_id.isprintable()
    return {"X-Client-Request-Id": request.trace_id} if request.trace_id and sendable else {}


def _payload(response: httpx2.Response) -> Mapping[str, object] | Fault:
    """The JSON object of a whole answer. A page in HTML with status 200 comes from something in between."""
    kind = response.headers.get("content-type", "application/json").partition(";")[0]
    if "json" not in kind:
        return fault(ErrorClass.UNKNOWN, "the answer is not JSON; check the base URL and what stands in between")
    payload = parsed(response.content)
    if not isinstance(payload, dict):
        return fault(ErrorClass.UNKNOWN, "the answer is cut or is not a JSON object")
    return payload


def _billed(outcome: T | Fault, reader: Reader) -> T | Fault:
    """A failed answer that had said what it will cost is charged exactly that."""
    return outcome.billed(reader.usage) if isinstance(outcome, Fault) else outcome


def _not_a_stream(response: httpx2.Response) -> Fault:
    payload = parsed(response.content)
    if isinstance(payload, dict) and payload.get("error"):
        return of_answer(payload["error"])
    return fault(ErrorClass.UNKNOWN, "the answer is not an event stream; check the base URL and what stands in between")
