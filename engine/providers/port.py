"""What a provider of language models is asked, and what it answers.

Figures are the provider's own. `Usage.input_tokens` counts every input token, those read from the provider's prompt
cache included, whichever way a dialect reports them; `output_tokens` likewise includes the reasoning tokens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from engine.kernel.usage import Usage
from engine.kernel.values import SECOND

__all__ = [
    "Chunk",
    "Completion",
    "Finish",
    "Message",
    "ModelRequest",
    "Operation",
    "Provider",
    "Role",
    "Timeouts",
    "Usage",
]


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Operation(StrEnum):
    """What a model is asked to do."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Nanoseconds of the engine's clock. `first_byte` runs from the connection to the answer's first byte; `idle` is
    the longest silence between two pieces of a stream.

    The first byte of a whole answer comes when the model is done, so `complete` needs a `first_byte` that covers the
    writing of it; a stream's comes with its first words, before which a model may think in silence. A keep-alive is
    silence too.
    """

    connect: int = 5 * SECOND
    first_byte: int = 75 * SECOND
    idle: int = 30 * SECOND
    total: int = 90 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One call to one model. `schema` asks for an answer that is JSON of that JSON schema.

    `body` is the request of a gateway's client in OpenAI's shape. It is passed through as it is, parameters unknown
    here included; only its model, its output cap and the wish for usage figures are ours. `messages` is then empty,
    and the answer is OpenAI-shaped too: `Completion.payload`, `Chunk.event`.
    """

    messages: tuple[Message, ...]
    max_output_tokens: int
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    trace_id: str = ""
    user: str = ""  # an opaque id for the provider's abuse detection, never a name
    operation: Operation = Operation.CHAT
    body: Mapping[str, Any] | None = None


class Finish(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole answer. `usage` is None when the provider sent none: its cost is then an estimate."""

    text: str
    finish: Finish
    usage: Usage | None
    model: str  # as the provider named it in its answer
    response_id: str = ""
    payload: Mapping[str, Any] | None = None  # the whole answer in OpenAI's shape, of a request that had a body


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a streamed answer. The last one carries `finish` and, where the provider sends it, `usage`.

    Of a request that had a body each piece carries its `event`, an OpenAI-shaped chunk to hand on, and the last one
    `payload`, the whole answer put together (as the same call would have given it unstreamed).
    """

    text: str = ""
    finish: Finish | None = None
    usage: Usage | None = None
    event: Mapping[str, Any] | None = None
    payload: Mapping[str, Any] | None = None
    origin: str = ""  # provider/model that this piece of a body's answer comes from; empty once it was kept


class Provider(Protocol):
    """One endpoint of one provider. Both methods raise only ProviderError (and let CancelledError through)."""

    name: str

    async def complete(self, model: str, request: ModelRequest) -> Completion:
        """The whole answer. An empty or malformed one is a ProviderError, never a Completion."""
        ...

    def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        """The answer as it comes, usage asked for. A cut or an error in the middle raises.

        Whoever stops early closes the iterator (`contextlib.aclosing`), which drops the connection.
        """
        ...

    async def close(self) -> None:
        """Drop all connections. Calls after that, and those in flight, raise ProviderError."""
        ...
