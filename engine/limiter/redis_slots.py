"""The message windows of accounts that several daemons send for: kept in Redis, decided there in one step.

Redis holds a slot from its reservation for the send time-out and the window, which is what a crash needs; the end of
the send sets its true end. When Redis cannot be asked, or is not the server it was, nobody gets through: for a moment
after a failure, for a send time-out and a window after a new server, since what the old one held may be lost.
What `free` and `opens_at` say comes from the newest answer, and is no promise.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.events import SlotSettled, SlotTaken
from engine.kernel.clock import Clock
from engine.kernel.errors import StorageError
from engine.kernel.values import MICROSECOND, SECOND
from engine.limiter import lua
from engine.limiter.accounts import Accounts
from engine.limiter.settings import LimiterSettings
from engine.limiter.window import Admission, Reason, Refusal
from engine.storage import Database, Tx
from engine.storage.redis import RedisClient, RedisFailure

PREFIX = "{huntaze}"  # the braces keep all keys in one slot of a cluster
ASK_AGAIN = SECOND  # after a failure
_LOOK_AGAIN = 5 * SECOND  # a full window may have been emptied by another daemon


@dataclass(slots=True)
class _View:
    """An account as Redis last told it: the instants its taken slots end, ascending, on the engine's clock."""

    ends: Sequence[int]
    at: int
    closed_until: int


class RedisLimiter:
    """See LimitStore. `load` must have run before the first reservation."""

    def __init__(
        self,
        redis: RedisClient,
        database: Database,
        clock: Clock,
        settings: LimiterSettings,
        names: Mapping[str, str],
        *,
        time: str = lua.SERVER_TIME,
    ) -> None:
        self._redis = redis
        self._database = database
        self._clock = clock
        self._accounts = Accounts(settings, names)
        self._script = lua.slots(time)
        self._views: dict[str, _View] = {}
        self._unsure_until = 0
        self._changes: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def load(self) -> None:
        """Look at the accounts known here. A Redis that cannot be asked is no reason not to start: it stays shut."""
        async with self._database.reader() as reader:
            rows = await reader.rows("SELECT account_id FROM accounts")
        for row in rows:
            try:
                await self._ask("look", row["account_id"], "", 0)
            except RedisFailure:
                return

    def configure(self, settings: LimiterSettings, names: Mapping[str, str]) -> None:
        """Take new figures over; they bind the slots taken from now on."""
        self._accounts.configure(settings, names)

    async def announce(self) -> None:
        """Tell the faces each account's figures again."""

        def announce(tx: Tx) -> None:
            for account_id in self._views:
                self._accounts.show(tx, account_id, self._clock.now())

        await self._database.write(announce)

    async def see(self, account_id: str) -> None:
        """Make an account known, so that it is shown before its first message."""
        await self._database.write(lambda tx: self._accounts.see(tx, account_id, self._clock.now()))

    async def reserve(self, account_id: str, slot_id: str) -> Admission | Refusal:
        hold = self._send_timeout + self._accounts.width(account_id)
        try:
            verdict = await self._ask("reserve", account_id, slot_id, hold)
        except RedisFailure:
            return Refusal(Reason.UNSURE, self._unsure_until)
        now, view = self._clock.now(), self._views[account_id]
        if verdict < 0:
            return Refusal(Reason.UNSURE, view.closed_until)
        if verdict == 0:
            return Refusal(Reason.WINDOW_FULL, self._opens(account_id, now))
        until = now + hold

        def take(tx: Tx) -> None:
            self._accounts.see(tx, account_id, now)
            tx.emit(SlotTaken(at=now, account_id=account_id, slot_id=slot_id, until=until))

        try:
            await self._database.write(take)
        except (StorageError, sqlite3.Error):
            return Refusal(Reason.UNSURE, now + ASK_AGAIN)
        return Admission(slot_id)

    async def complete(self, account_id: str, slot_id: str, *, timed_out: bool = False) -> None:
        held = self._accounts.width(account_id) + (self._send_timeout if timed_out else 0)
        await self._settle(account_id, slot_id, held)

    async def release(self, account_id: str, slot_id: str) -> None:
        await self._settle(account_id, slot_id, 0)

    async def throttled(self, account_id: str) -> None:
        told = self._accounts.throttled(account_id, self._clock.now())
        if told is not None:
            await self._database.write(lambda tx: tx.emit(told))

    def opens_at(self, account_id: str) -> int | None:
        now = self._clock.now()
        opens = max(self._opens(account_id, now), self._unsure_until)
        view = self._views.get(account_id)
        return opens if view is None or view.closed_until > now else min(opens, max(now, view.at + _LOOK_AGAIN))

    def free(self, account_id: str) -> int:
        now, view = self._clock.now(), self._views.get(account_id)
        allowed = self._accounts.allowed(account_id, now)
        if now < self._unsure_until:
            return 0
        if view is None:
            return allowed
        if now < view.closed_until:
            return 0
        free = max(0, allowed - sum(end >= now for end in view.ends))
        return free or int(now >= view.at + _LOOK_AGAIN)

    async def changed(self, account_id: str) -> None:
        await self._changes[account_id].wait()

    @property
    def _send_timeout(self) -> int:
        return self._clock.allowance(self._accounts.settings.send_timeout)

    @property
    def _quarantine(self) -> int:
        """What the slots of a server that is gone may last, at the longest."""
        settings = self._accounts.settings
        return self._send_timeout + max(settings.width, *(own.width for own in settings.accounts.values()), 0)

    def _opens(self, account_id: str, now: int) -> int:
        view = self._views.get(account_id)
        if view is None:
            return now
        live = [end for end in view.ends if end >= now]
        surplus = len(live) - self._accounts.allowed(account_id, now)
        opens = live[surplus] + MICROSECOND if surplus >= 0 else now
        return max(opens, view.closed_until)

    async def _settle(self, account_id: str, slot_id: str, held: int) -> None:
        """Tell Redis the slot's end. Raises RedisFailure: Redis then holds it as a crash would."""
        try:
            await self._ask("settle", account_id, slot_id, held)
            now = self._clock.now()
            event = SlotSettled(at=now, account_id=account_id, slot_id=slot_id, until=now + held)
            await self._database.write(lambda tx: tx.emit(event))
        finally:
            changed, self._changes[account_id] = self._changes[account_id], asyncio.Event()
            changed.set()

    async def _ask(self, op: str, account_id: str, slot_id: str, held: int) -> int:
        """Run the script, and keep what it says of the account. Whatever goes wrong, nobody gets through for now."""
        keys = (f"{PREFIX}:slots", f"{PREFIX}:slots:{account_id}")
        allowed = self._accounts.allowed(account_id, self._clock.now())
        arguments = (_micros(self._quarantine), op, slot_id, allowed, _micros(held))
        try:
            verdict, closed, *ends = _integers(await self._redis.run(self._script, keys, arguments))
        except BaseException:
            self._unsure_until = self._clock.now() + ASK_AGAIN
            raise
        now = self._clock.now()
        self._views[account_id] = _View([now + end * MICROSECOND for end in ends], now, now + closed * MICROSECOND)
        return verdict


def _micros(nanoseconds: int) -> int:
    """Microseconds, rounded up: a hold is never shorter."""
    return -(-nanoseconds // MICROSECOND)


def _integers(answer: Any) -> list[int]:
    """The script's answer, checked: an answer of another shape is no answer."""
    if not isinstance(answer, list) or len(answer) < 2 or not all(isinstance(part, int) for part in answer):
        raise RedisFailure("Redis: an answer that is none of ours")
    return answer
