"""The port to wherever people are told: mail now, others behind the same two names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from engine.alerts.alert import Severity
from engine.kernel.errors import HuntazeError


class Kind(StrEnum):
    """Why somebody is told."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One alert's news. The summary may quote text from outside and is cleaned of control characters only."""

    notice_id: str
    alert_id: str
    kind: Kind
    rule: str
    subject: str
    severity: Severity
    summary: str
    opened_at: int
    at: int  # when this became news


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: the news that waited for a channel, the most severe first. Never empty."""

    lines: tuple[Line, ...]


class ChannelError(HuntazeError):
    """A channel did not take a message. `final` when the same message will never be taken."""

    def __init__(self, channel: str, message: str, *, final: bool) -> None:
        super().__init__(f"{channel}: {message}")
        self.channel = channel
        self.final = final


class Channel(Protocol):
    """Delivers notices. The same notice may come twice: after a crash nobody knows whether it went out."""

    @property
    def name(self) -> str:
        """Unique and lasting: the outbox is kept by it."""
        ...

    async def send(self, notice: Notice) -> None:
        """Return once the message was handed over for good. Raises ChannelError."""
        ...
