"""The innermost step: one attempt at one model, on the books before its first byte and after its last.

The attempt's row, with the most it can cost, is durable before the request leaves. Whatever then happens (an answer, an
error, a cancellation) it is settled; only a killed process leaves it open, and the ledger's recovery charges it. So the
settlement of a call that nothing is written with need not stand before its answer is handed back: it trails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import AttemptId, NanoUSD, Random, new_id
from engine.orchestrator.retries import CUT_SHORT
from engine.orchestrator.router import route_of
from engine.orchestrator.settings import OrchestratorSettings, ToolRoute
from engine.orchestrator.task import Answer, Conclusion, Target, Task
from engine.orchestrator.trailing import Trailing
from engine.providers import (
    Chunk,
    Completion,
    Finish,
    Message,
    Model,
    ModelRequest,
    Models,
    Operation,
    Provider,
    Role,
    Timeouts,
    Usage,
)
from engine.storage import Database, Tx

_MESSAGE_OVERHEAD = 16  # tokens a message that the dialects add around its text, at most
_PARTS = {b'"image_url":': 50_000, b'"input_audio":': 50_000, b'"file":': 128_000}
"""The most tokens of a part that a body's bytes do not bound: gpt-4o-mini counts up to 48,169 for a picture."""
_HELD_BACK = 256  # pieces without content that a stream may open with before they are handed on all the same
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
    `duration` is nanoseconds since the request was sent: the wait for a budget is no time of the model's.
    """

    outcome: str
    usage: Usage | None
    billed: bool
    ended_at: int
    duration: int = 0
    received: str = ""


class Meter(Protocol):
    """Who keeps the books."""

    async def open(self, call: Call) -> Call:
        """Durable before it returns, and returns the call as it may be made: a budget may have lowered its output cap.

        Raises BudgetRefused, and then nothing is open.
        """
        ...

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for money that a settlement sets free."""
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
        models: Models | None = None,
    ) -> None:
        self._models = models or Models()
        self._providers = providers
        self._meter = meter
        self._database = database
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self.trailing = Trailing(database)

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    def serves(self, target: Target) -> bool:
        """Whether the target's provider is configured here."""
        return target.provider in self._providers

    async def drain(self) -> None:
        """Return when every call that has ended is settled. Before the database is closed, and before it is read."""
        await self.trailing.drain()

    async def complete(self, task: Task, target: Target) -> Answer:
        if target.provider == task.outage:
            raise _taken_down(target)
        call = await self._meter.open(self._call(task, target))
        flow = _Flow(self._clock.now())  # the budget may have let it wait
        try:
            completion = await self._ask(call, flow)
        except ProviderError as error:
            error.begun = flow.begun
            await self._settle(call, flow, error.error_class, error.usage or flow.usage, billed=error.reached)
            raise
        except asyncio.CancelledError:
            await self._settle(call, flow, _CANCELLED, flow.usage)
            raise
        except Exception:  # an adapter's defect, or the reader of a stream's: it may have been billed all the same
            await self._settle(call, flow, ErrorClass.UNKNOWN, flow.usage)
            raise
        if completion.finish is Finish.LENGTH and task.body is None:
            await self._settle(call, flow, ErrorClass.UNKNOWN, completion.usage)
            raise _cut_short(target, call.request.max_output_tokens, begun=flow.begun)
        return await self._conclude(call, flow, completion)

    async def _ask(self, call: Call, flow: _Flow) -> Completion:
        """The call itself. What is left of its time counts from here."""
        request = call.request
        timeouts = self._timeouts(call.task, flow.sent_at)
        if timeouts is not request.timeouts:
            if timeouts.total <= 0:
                raise _too_late(call.target)
            request = replace(request, timeouts=timeouts)
        if call.task.emit is not None:
            return await self._stream(call, request, flow)
        return await self._providers[call.target.provider].complete(call.target.model, request)

    async def _stream(self, call: Call, request: ModelRequest, flow: _Flow) -> Completion:
        """Hand the pieces on as they come and put the whole together.

        Pieces without content (a role, an empty delta) are held back until the first with some, so that another model
        can still take over from one that fails before.
        """
        emit, held, last = call.task.emit, list[Chunk](), Chunk()
        assert emit is not None  # noqa: S101 - asked by the only caller
        async with aclosing(self._providers[call.target.provider].stream(call.target.model, request)) as chunks:  # type: ignore[type-var]  # every adapter's iterator is a generator
            async for chunk in chunks:
                last = chunk
                held.append(chunk)
                carries = flow.take(chunk)
                if carries or flow.began_at or chunk.finish is not None or len(held) > _HELD_BACK:
                    flow.began_at = flow.began_at or self._clock.now()
                    for piece in held:
                        flow.begun = True
                        await emit(piece)
                    held.clear()
        if last.finish is None:
            message = "the stream ended without saying why"
            raise ProviderError(call.target.provider, call.target.model, ErrorClass.NETWORK_ERROR, message)
        return Completion(
            text="".join(flow.received),
            finish=last.finish,
            usage=flow.usage,
            model=call.target.model,
            payload=last.payload,
        )

    async def _conclude(self, call: Call, flow: _Flow, completion: Completion) -> Answer:
        conclude = call.task.conclude
        if conclude is None:
            return self._answer(call, flow, completion, await self._settle(call, flow, _OK, completion.usage))
        answer = self._answer(call, flow, completion, None)
        try:
            write = conclude(answer)
        except BaseException:
            await self._settle(call, flow, _OK, completion.usage)
            raise
        cost = await self._settle(call, flow, _OK, completion.usage, also=write)
        return answer._replace(cost=cost)

    def _answer(self, call: Call, flow: _Flow, completion: Completion, cost: NanoUSD | None) -> Answer:
        return Answer(
            text=completion.text,
            target=call.target,
            finish=completion.finish,
            usage=completion.usage,
            attempt_id=call.attempt_id,
            cost=cost,
            duration=self._clock.now() - flow.sent_at,
            began=flow.began_at - flow.sent_at if flow.began_at else None,
            payload=completion.payload,
        )

    async def _settle(
        self,
        call: Call,
        flow: _Flow,
        outcome: str,
        usage: Usage | None,
        *,
        billed: bool = True,
        also: Conclusion | None = None,
    ) -> NanoUSD | None:
        """Settle the call, together with what is to be written with it; if that fails, alone."""
        ended_at = self._clock.now()
        result = Result(
            outcome=str(outcome),
            usage=usage,
            billed=billed,
            ended_at=ended_at,
            duration=ended_at - flow.sent_at,
            received=flow.bound(self._models.of(*call.target)) if usage is None else "",
        )

        def settle(tx: Tx) -> NanoUSD | None:
            return self._meter.settle(tx, call, result)

        if also is None:
            if self.trailing.full:
                return await self._database.write(settle)
            self.trailing.put(settle, f"the settlement of {call.attempt_id}")
            if self._meter.waited_for:
                self._database.hurry()
            return self._meter.cost(call, result)
        write = also

        def settle_both(tx: Tx) -> NanoUSD | None:
            cost = settle(tx)
            write(tx, cost)
            return cost

        try:
            return await self._database.write(settle_both)
        except Exception:
            self.trailing.put(settle, f"the settlement of {call.attempt_id}")
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
        """The configured ones themselves, where the task has time enough left."""
        timeouts = self._settings.timeouts
        if task.deadline is None or task.deadline - now >= timeouts.total:
            return timeouts
        return replace(timeouts, total=max(0, task.deadline - now))


class _Flow:
    """What has come of one call so far."""

    __slots__ = ("began_at", "begun", "beside", "received", "sent_at", "usage")

    def __init__(self, sent_at: int) -> None:
        self.sent_at = sent_at
        self.began_at = 0  # the first piece with content
        self.begun = False  # whether pieces were handed on
        self.received: list[str] = []  # text
        self.beside: list[str] = []  # calls of tools, and reasoning that is shown
        self.usage: Usage | None = None

    def take(self, chunk: Chunk) -> bool:
        """Count a piece in; whether it has content: text, or anything beside the role in the delta of its event."""
        self.usage = chunk.usage or self.usage
        said = _said(chunk.event) if chunk.event is not None else {}
        if chunk.text:
            self.received.append(chunk.text)
        self.beside.extend(repr(value) for name, value in said.items() if name != "content")
        return bool(chunk.text) or bool(said)

    def bound(self, model: Model) -> str:
        """Text no shorter than what the call will be billed for writing; empty where what came bounds nothing."""
        return "" if model.thinks_unseen else "".join((*self.received, *self.beside))


def _said(event: Mapping[str, Any]) -> dict[str, Any]:
    """What the deltas of a body's event hold beside the role."""
    choices = event.get("choices")
    deltas = (one.get("delta") for one in choices if isinstance(one, dict)) if isinstance(choices, list) else ()
    return {
        name: value
        for delta in deltas
        if isinstance(delta, dict)
        for name, value in delta.items()
        if value and name != "role"
    }


def input_bound(request: ModelRequest) -> int:
    """The most tokens that any tokenizer can make of a request: one a byte, and what goes around each message."""
    if request.body is None:
        return text_bound(request.messages)
    written = orjson.dumps(request.body, default=str)
    return len(written) + sum(written.count(part) * most for part, most in _PARTS.items())


def text_bound(messages: tuple[Message, ...]) -> int:
    """As `input_bound`, of messages alone."""
    return sum(len(message.text.encode()) + _MESSAGE_OVERHEAD for message in messages)


def _cut_short(target: Target, cap: int, *, begun: bool) -> ProviderError:
    message = f"the answer was cut at {cap} tokens"
    return ProviderError(target.provider, target.model, ErrorClass.UNKNOWN, message, begun=begun, code=CUT_SHORT)


def _too_late(target: Target) -> ProviderError:
    message = "its time was over before it was asked"
    return ProviderError(target.provider, target.model, ErrorClass.TIMEOUT, message, reached=False)


def _taken_down(target: Target) -> ProviderError:
    message = "taken down for this drill; nothing was sent"
    return ProviderError(target.provider, target.model, ErrorClass.NETWORK_ERROR, message, reached=False)
