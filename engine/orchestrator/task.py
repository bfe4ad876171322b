"""What the engine asks of a model, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from engine.kernel.values import NanoUSD
from engine.providers import Finish, Message, Usage
from engine.storage import Tx

Conclusion = Callable[[Tx, NanoUSD | None], None]


@dataclass(frozen=True, slots=True)
class Target:
    """One model at one provider. For Azure the model is a deployment."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work for a tool. Ids say whom it is for; the deadline is an instant, None for the usual time.

    `conclude` makes of the answer what is to be written with it: that runs in the very transaction that settles the
    call, and is given its cost, so an answer that was paid for is never lost and never stored twice.
    """

    tool: str
    messages: tuple[Message, ...]
    trace_id: str
    job_id: str = ""
    campaign_id: str = ""
    account_id: str = ""
    tenant_id: str = ""
    user_id: str = ""
    schema: Mapping[str, Any] | None = None
    max_output_tokens: int | None = None  # None: the tool's own
    bare: bool = False  # send the messages as they are, without the tool's standing instruction
    deadline: int | None = None
    conclude: Callable[[Answer], Conclusion] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A usable answer. `cost` is what the attempt that gave it cost: None where unpriced, and until it is settled."""

    text: str
    target: Target
    finish: Finish
    usage: Usage | None
    attempt_id: str
    cost: NanoUSD | None = None
    duration: int = 0  # nanoseconds of that attempt


class Stage(Protocol):
    """A step on the way to a model: each wraps the next, and all look alike."""

    async def complete(self, task: Task, target: Target) -> Answer:
        """Raises ProviderError, BudgetRefused, StorageError."""
        ...
