"""What the stores of message windows share: each account's window as configured and as it is at present."""

from __future__ import annotations

from collections.abc import Mapping

from engine.events import AccountSeen, LimitAdapted
from engine.limiter.adaptive import Pace
from engine.limiter.quota import Layer
from engine.limiter.settings import LimiterSettings
from engine.storage import Tx


class Accounts:
    """The limits of accounts, lowered while their platform throttles them, and what faces are told of them."""

    def __init__(self, settings: LimiterSettings, names: Mapping[str, str]) -> None:
        self.settings = settings
        self._names = names
        self._paces: dict[str, Pace] = {}

    def configure(self, settings: LimiterSettings, names: Mapping[str, str]) -> None:
        self.settings = settings
        self._names = names
        for account_id, pace in self._paces.items():
            pace.settings, pace.width = settings.adaptive, settings.of(account_id).width

    def width(self, account_id: str) -> int:
        """Nanoseconds of the account's window."""
        return self.settings.of(account_id).width

    def allowed(self, account_id: str, now: int) -> int:
        """Messages in the account's window at present: never more than its limit, at least one."""
        limit = self.settings.of(account_id).messages
        pace = self._paces.get(account_id)
        return limit if pace is None else pace.allowed(limit, now)

    def throttled(self, account_id: str, now: int) -> LimitAdapted | None:
        """The platform said that it was too much. What to tell, None if it was known already."""
        limit = self.settings.of(account_id)
        pace = self._paces.setdefault(account_id, Pace(self.settings.adaptive, limit.width))
        if not pace.cut(now):
            return None
        return LimitAdapted(
            at=now,
            layer=str(Layer.ACCOUNT),
            key=account_id,
            limit=limit.messages,
            allowed=pace.allowed(limit.messages, now),
            whole_at=pace.whole_at(),
        )

    def see(self, tx: Tx, account_id: str, now: int) -> None:
        """Make an account known, so that it is shown before its first message."""
        known = tx.execute("INSERT OR IGNORE INTO accounts (account_id, seen_at) VALUES (?, ?)", (account_id, now))
        if known.rowcount:
            self.show(tx, account_id, now)

    def show(self, tx: Tx, account_id: str, now: int) -> None:
        limit, name = self.settings.of(account_id), self._names.get(account_id, account_id)
        tx.emit(AccountSeen(at=now, account_id=account_id, name=name, limit=limit.messages, window=limit.width))
