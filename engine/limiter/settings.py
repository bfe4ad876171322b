"""The figures of the compliance limiter and of the quotas."""

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
class AdaptiveSettings:
    """How far a throttle slows, and how fast the old pace comes back."""

    floor: float = 0.1
    """The share of a limit that stays, however often it is halved: with less, nothing could find out that it may."""

    recovery: float = 0.05
    """The share of a limit regained in each of its windows: from one half to the whole in ten minutes."""

    throttles: int = 3
    """A model's 429s within a minute that slow it: one alone says when to come back, and that is obeyed anyway. An
    account's platform says it once."""

    least: int = 60
    """Calls a minute that a model without a configured limit keeps in any case: where it took no more, its throttles
    were not about the rate of a minute, and half of next to nothing would hold every call for a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The most in any minute, hour and day. None is no limit."""

    requests_minute: int | None = None
    requests_hour: int | None = None
    requests_day: int | None = None
    tokens_minute: int | None = None
    tokens_hour: int | None = None
    tokens_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings:
    """What may be asked of the models: by everybody, by each user, for each account, and of each provider."""

    everybody: Rates = Rates()
    user: Rates = Rates()
    account: Rates = Rates()
    providers: Mapping[str, Rates] = field(default_factory=dict)
    """Of all callers together, at a provider."""

    users_at: Mapping[str, Rates] = field(default_factory=dict)
    """Of each user at a provider. Work without a user, such as a campaign's own, does not count here."""

    adaptive: AdaptiveSettings = field(default_factory=AdaptiveSettings)


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

    adaptive: AdaptiveSettings = field(default_factory=AdaptiveSettings)
    """How an account slows down when its platform throttles it."""

    def of(self, account_id: str) -> AccountLimit:
        """The window of an account."""
        return self.accounts.get(account_id) or AccountLimit(messages=self.messages, width=self.width)
