"""What the engine asks of a model, what it gets, and the two ports that the stages in between share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from engine.kernel.values import NanoUSD
from engine.providers import Chunk, Finish, Message, Operation, Usage
from engine.storage import Tx

Conclusion = Callable[[Tx, NanoUSD | None], None]
Emit = Callable[[Chunk], Awaitable[None]]


class Level(StrEnum):
    """How well the engine serves, best first. Each level also does what the ones before it do."""

    FULL = "full"
    CACHED = "cached"  # answers kept from before are preferred, also where they only come near
    CHEAPER = "cheaper"  # the cheapest model of the chain comes first
    TEMPLATE = "template"  # no model is asked: the tool's own fixed text


class Hit(StrEnum):
    """Whether an answer was kept from before."""

    MISS = "miss"
    EXACT = "hit"
    NEAR = "near"
    SHARED = "shared"  # not kept: another caller asked for the same at the same time, and one call served both


class Need(StrEnum):
    """What a task asks of a model beyond text."""

    SCHEMA = "schema"
    TOOLS = "tools"
    IMAGES = "images"


class Target(NamedTuple):
    """One model at one provider. For Azure the model is a deployment. A tuple: every step looks it up in its tables."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class Task(NamedTuple):
    """One piece of work for a tool. Ids say whom it is for; the deadline is an instant, None for the usual time.

    `conclude` makes of the answer what is to be written with it: that runs in the very transaction that settles the
    call, and is given its cost, so an answer that was paid for is never lost and never stored twice.

    `emit` takes the pieces of the answer as they come; the task still returns the whole. Once a piece was handed over
    no other model can take over, and a failure is a ProviderError that has `begun`.

    `body` is a request in OpenAI's shape from a gateway's client, which takes the place of `messages`.

    A tuple, as its answer: they are made anew at several steps of each call.
    """

    tool: str
    messages: tuple[Message, ...]
    trace_id: str
    job_id: str = ""
    campaign_id: str = ""
    account_id: str = ""
    tenant_id: str = ""
    user_id: str = ""
    fan_id: str = ""  # whose data the prompt holds: its answer is kept for this fan alone, and matched exactly
    schema: Mapping[str, Any] | None = None
    max_output_tokens: int | None = None  # None: the tool's own
    bare: bool = False  # send the messages as they are, without the tool's standing instruction
    fresh: bool = False  # never answered from the cache
    idempotent: bool = True  # asking twice does no harm, so a slow first try may be hedged with a second
    outage: str = ""  # a drill's: the provider that counts as down for this task
    rehearsal: bool = False  # a drill, a load test or a shadow: booked like any call, but nothing learns from it
    needs: frozenset[Need] = frozenset()
    others: tuple[Target, ...] | None = None  # who is left to ask beside this model; None: as the router would have it
    pinned: Target | None = None  # the one model wanted; None: the tool's chain
    strategy: str = ""  # a routing strategy instead of the tool's own
    level: Level = Level.FULL  # how well its tool is served now
    operation: Operation = Operation.CHAT
    body: Mapping[str, Any] | None = None
    deadline: int | None = None
    fingerprint: bytes = b""  # once it is worked out, under which answers to it are kept and shared
    conclude: Callable[[Answer], Conclusion | None] | None = None
    emit: Emit | None = None


class Answer(NamedTuple):
    """A usable answer. `cost` is what it cost this caller: None where unpriced, and until it is settled.

    An answer from the cache, or shared with other callers, says so in `hit` and what it would have cost alone in
    `saved`. `payload` is the answer in OpenAI's shape, where the task had a body.
    """

    text: str
    target: Target
    finish: Finish
    usage: Usage | None
    attempt_id: str
    cost: NanoUSD | None = None
    duration: int = 0  # nanoseconds of that attempt, from its request
    began: int | None = None  # nanoseconds until its first piece, where it was streamed
    hit: Hit = Hit.MISS
    saved: NanoUSD | None = None
    level: Level = Level.FULL
    failed: tuple[str, ...] = ()  # targets that failed before this one answered
    payload: Mapping[str, Any] | None = None


class Stage(Protocol):
    """A step on the way from a task to its answer: each wraps the next, and all look alike."""

    async def complete(self, task: Task) -> Answer:
        """Raises ProviderError, BudgetRefused, CommandRefused (a tool without a route), StorageError."""
        ...


class Hop(Protocol):
    """A step on the way to one model: each wraps the next, and all look alike."""

    async def complete(self, task: Task, target: Target) -> Answer:
        """Raises ProviderError, BudgetRefused, StorageError."""
        ...
