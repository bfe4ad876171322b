"""The message platform as the engine knows it, and what can become of a send.

The port is HTTP-shaped because the contract is (docs/platform-contract.md); every adapter answers with these values and
raises nothing on `send` but CancelledError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to send. `key` is its idempotency key: the same for every try of the same delivery."""

    account_id: str
    fan_id: str
    text: str
    key: str
    price_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform took it."""

    platform_id: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of it left: it may be tried again, and its slot was not used."""

    reason: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """429: the platform counted the try. `retry_after` in nanoseconds, 0 when it did not say."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Unauthorised:
    """401 or 403: nothing will be taken from this account until a person looks at it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform refused this message for good. `opted_out` when it says the fan wants none."""

    reason: str
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may have been taken: an answer never came, or says nothing (5xx)."""

    reason: str
    timed_out: bool = False


Outcome = Sent | NotSent | Throttled | Unauthorised | Refused | Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class Fan:
    """A fan as the platform lists them. `name` comes from outside."""

    fan_id: str
    name: str
    time_zone: str = ""
    tags: tuple[str, ...] = ()
    opted_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadMessage:
    message_id: str
    sender: str  # fan or creator
    text: str
    sent_at: int


class Platform(Protocol):
    """One message platform."""

    @property
    def idempotent(self) -> bool:
        """Whether a repeated idempotency key is the same message to it, so that an uncertain send may be repeated."""
        ...

    async def send(self, message: Outgoing) -> Outcome: ...

    def fans(self, account_id: str) -> AsyncIterator[Fan]:
        """All fans of an account, page by page. Raises PlatformError."""
        ...

    def thread(self, account_id: str, fan_id: str) -> AsyncIterator[ThreadMessage]:
        """The messages with a fan. Raises PlatformError."""
        ...

    async def close(self) -> None: ...
