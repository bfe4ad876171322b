"""The innermost step: one attempt at one model, on the books before its first byte and after its last.

The attempt's row, with the most it can cost, is durable before the request leaves. Whatever then happens (an answer, an
error, a cancellation) it is settled; only a killed process leaves it open, and the ledger's recovery charges it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import AttemptId, NanoUSD, Random, new_id
from engine.orchestrator.router import route_of
from engine.orchestrator.settings import OrchestratorSettings, ToolRoute
from engine.orchestrator.task import Answer, Conclusion, Target, Task
from engine.providers import (
    Chunk,
    Completion,
    Finish,
    Message,
    ModelRequest,
    Operation,
    Provider,
    Role,
    Timeouts,
    Usage,
)
from engine.storage import Database, Tx

_MESSAGE_OVERHEAD = 16  # tokens a message that the dialects add around its text, at most
_OK = "ok"
_CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt, before it is made. `input_bound` is the most input tokens it can have.

    What it may write is capped by `request.max_output_tokens`; for a body, the cap is written into it.
    """

    attempt_id: AttemptId
    target: Target
    task: Task
    request: ModelRequest
    opened_at: int
    input_bound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended: `ok` or an error class; `billed` False when it certainly cost nothing.

    `received` is the text of an answer that broke off: what it cost is then estimated from that, not from the cap.
    """

    outcome: str
    usage: Usage | None
    billed: bool
    ended_at: int
    received: str = ""


class Meter(Protocol):
    """Who keeps the books."""

    async def open(self, call: Call) -> Call:
        """Durable before it returns, and returns the call as it may be made: a budget may have lowered its output cap.

        Raises BudgetRefused, and then nothing is open.
        """
        ...

    def cost(self, call: Call, result: Result) -> NanoUSD | None:
        """What settling the call so will book, None where unpriced. Pure; for callers that do not wait for a commit."""
        ...

    def settle(self, tx: Tx, call: Call, result: Result) -> NanoUSD | None:
        """Enter the attempt for good, once; again is no change. Returns its cost, None where unpriced."""
        ...


class Metered:
    """See Hop."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        meter: Meter,
        database: Database,
        clock: Clock,
        chance: Random,
        settings: OrchestratorSettings,
    ) -> None:
        self._providers = providers
        self._meter = meter
        self._database = database
        self._clock = clock
        self._chance = chance
        self._settings = settings

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    def serves(self, target: Target) -> bool:
        """Whether the target's provider is configured here."""
        return target.provider in self._providers

    async def complete(self, task: Task, target: Target) -> Answer:
        call = await self._meter.open(self._call(task, target))
        received: list[str] = []
        try:
            completion = await self._ask(call, received)
        except ProviderError as error:
            await self._settle(call, error.error_class, error.usage, billed=error.reached, received=received)
            raise
        except asyncio.CancelledError:
            await self._settle(call, _CANCELLED, None, billed=True, received=received)
            raise
        except Exception:  # an adapter's defect, or the reader of a stream's: it may have been billed all the same
            await self._settle(call, ErrorClass.UNKNOWN, None, billed=True, received=received)
            raise
        if completion.finish is Finish.LENGTH and task.body is None:
            await self._settle(call, ErrorClass.UNKNOWN, completion.usage, billed=True)
            raise _cut_short(target, call.request.max_output_tokens, begun=bool(received))
        return await self._conclude(call, completion)

    async def _ask(self, call: Call, received: list[str]) -> Completion:
        """The call itself. The budget may have let it wait: what is left of its time counts from here."""
        timeouts = self._timeouts(call.task, self._clock.now())
        if timeouts.total <= 0:
            message = "its time was over before it was asked"
            raise ProviderError(call.target.provider, call.target.model, ErrorClass.TIMEOUT, message, reached=False)
        request = replace(call.request, timeouts=timeouts)
        if call.task.emit is not None:
            return await self._stream(call, request, received)
        return await self._providers[call.target.provider].complete(call.target.model, request)

    async def _stream(self, call: Call, request: ModelRequest, received: list[str]) -> Completion:
        """Hand the pieces on as they come and put the whole together. A failure after the first piece has `begun`."""
        emit, begun, last = call.task.emit, False, Chunk()
        assert emit is not None  # noqa: S101 - asked by the only caller
        try:
            async with aclosing(self._providers[call.target.provider].stream(call.target.model, request)) as chunks:  # type: ignore[type-var]  # every adapter's iterator is a generator
                async for chunk in chunks:
                    last = chunk
                    received.append(chunk.text)
                    begun = True
                    await emit(chunk)
        except ProviderError as error:
            error.begun = begun
            raise
        return Completion(
            text="".join(received),
            finish=last.finish or Finish.STOP,
            usage=last.usage,
            model=call.target.model,
            payload=last.payload,
        )

    async def _conclude(self, call: Call, completion: Completion) -> Answer:
        answer = Answer(
            text=completion.text,
            target=call.target,
            finish=completion.finish,
            usage=completion.usage,
            attempt_id=call.attempt_id,
            duration=self._clock.now() - call.opened_at,
            payload=completion.payload,
        )
        try:
            write = call.task.conclude(answer) if call.task.conclude else None
        except BaseException:
            await self._settle(call, _OK, completion.usage, billed=True)
            raise
        cost = await self._settle(call, _OK, completion.usage, billed=True, also=write)
        return replace(answer, cost=cost)

    async def _settle(
        self,
        call: Call,
        outcome: str,
        usage: Usage | None,
        *,
        billed: bool,
        also: Conclusion | None = None,
        received: list[str] | None = None,
    ) -> NanoUSD | None:
        """Settle the call, together with what is to be written with it; if that fails, alone."""
        result = Result(
            outcome=str(outcome),
            usage=usage,
            billed=billed,
            ended_at=self._clock.now(),
            received="".join(received or ()),
        )

        def settle(tx: Tx) -> NanoUSD | None:
            return self._meter.settle(tx, call, result)

        def settle_both(tx: Tx) -> NanoUSD | None:
            cost = settle(tx)
            if also is not None:
                also(tx, cost)
            return cost

        try:
            return await self._database.write(settle_both)
        except Exception:
            if also is None:
                raise
            await self._database.write(settle)
            raise

    def _call(self, task: Task, target: Target) -> Call:
        now = self._clock.now()
        request = self._request(task, route_of(self._settings, task.tool), now)
        return Call(
            attempt_id=AttemptId(new_id("att", now, self._chance)),
            target=target,
            task=task,
            request=request,
            opened_at=now,
            input_bound=input_bound(request),
        )

    def _request(self, task: Task, route: ToolRoute, now: int) -> ModelRequest:
        system = (Message(Role.SYSTEM, route.system),) if route.system and not task.bare else ()
        writes = task.operation is Operation.CHAT
        return ModelRequest(
            messages=(*system, *task.messages),
            max_output_tokens=(task.max_output_tokens or route.max_output_tokens) if writes else 0,
            temperature=route.temperature,
            schema=task.schema,
            timeouts=self._timeouts(task, now),
            trace_id=task.trace_id,
            user=task.user_id,
            operation=task.operation,
            body=task.body,
        )

    def _timeouts(self, task: Task, now: int) -> Timeouts:
        timeouts = self._settings.timeouts
        left = timeouts.total if task.deadline is None else max(0, task.deadline - now)
        return replace(timeouts, total=min(timeouts.total, left))


def input_bound(request: ModelRequest) -> int:
    """The most tokens that any tokenizer can make of a request: one a byte, and what goes around each message."""
    if request.body is not None:
        return len(repr(request.body).encode())  # longer than its JSON or its text in any tokenizer's eyes
    return text_bound(request.messages)


def text_bound(messages: tuple[Message, ...]) -> int:
    """As `input_bound`, of messages alone."""
    return sum(len(message.text.encode()) + _MESSAGE_OVERHEAD for message in messages)


def _cut_short(target: Target, cap: int, *, begun: bool) -> ProviderError:
    message = f"the answer was cut at {cap} tokens"
    return ProviderError(target.provider, target.model, ErrorClass.UNKNOWN, message, begun=begun)
