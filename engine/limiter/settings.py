"""The figures of the compliance limiter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.kernel.values import SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimit:
    """One account's own window, where the platform grants it another than the rest."""

    messages: int
    width: int  # nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterSettings:
    """At most `messages` sends an account in any `width` nanoseconds."""

    messages: int = 10
    """What the platform tolerates a minute from one account."""

    width: int = 60 * SECOND
    """Nanoseconds of the window."""

    send_timeout: int = 30 * SECOND
    """Nanoseconds a send may take. A crash in the middle of one holds its slot this much longer than the window."""

    accounts: Mapping[str, AccountLimit] = field(default_factory=dict)
    """Windows of single accounts."""

    def of(self, account_id: str) -> AccountLimit:
        """The window of an account."""
        return self.accounts.get(account_id) or AccountLimit(messages=self.messages, width=self.width)
