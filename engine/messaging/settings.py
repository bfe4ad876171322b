"""How messages reach their platform."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.kernel.backoff import Backoff
from engine.kernel.secret import Secret
from engine.kernel.values import MINUTE, SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """The operator's own gateway to the platform, see docs/platform-contract.md."""

    url: str = ""
    """Base address; empty until the operator sets it, and nothing is sent before."""

    token: Secret = Secret()
    user_agent: str = "huntaze-console"
    idempotent: bool = False
    """Whether the gateway honours Idempotency-Key. Only then is an uncertain send repeated by itself."""

    connect_timeout: int = 5 * SECOND
    send_timeout: int = 30 * SECOND
    """Nanoseconds for one send from connection to answer; also how long a crash holds a slot beyond the window."""

    read_timeout: int = 30 * SECOND
    """Nanoseconds for one page of fans or messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingSettings:
    consent_max_age: int = MINUTE
    """Nanoseconds a platform's word on who opted out is believed before a send asks again."""

    lease: int = 5 * MINUTE
    """Nanoseconds a send job is leased; its heartbeat renews it."""

    backoff: Backoff = field(default_factory=lambda: Backoff(base=2 * SECOND, ceiling=5 * MINUTE, floor=SECOND))
    max_attempts: int = 12
    """Tries of one message that certainly was not sent, before its job is a dead letter."""
