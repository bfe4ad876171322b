"""The limiter of one machine: windows in memory, every slot in SQLite before the send it admits.

Memory decides, because one engine owns the state directory; the table is what a restart reads. A reservation is written
with the end that a crash would need: now + the time a send may take + the window. A commit that failed leaves the slot
taken here until that same end, since the row may exist.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict

from engine.events import SlotSettled, SlotTaken
from engine.kernel.clock import Clock
from engine.kernel.errors import StorageError
from engine.limiter.accounts import Accounts
from engine.limiter.settings import LimiterSettings
from engine.limiter.window import IN_FLIGHT, Admission, Reason, Refusal, Window
from engine.storage import Database, Tx


class LocalLimiter:
    """See LimitStore. `load` must have run before the first reservation."""

    def __init__(self, database: Database, clock: Clock, settings: LimiterSettings, names: dict[str, str]) -> None:
        self._database = database
        self._clock = clock
        self._accounts = Accounts(settings, names)
        self._windows: dict[str, Window] = {}
        self._changes: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def load(self) -> None:
        """Take over the slots that the process before this one left."""
        async with self._database.reader() as reader:
            rows = await reader.rows("SELECT slot_id, account_id, until FROM slots")
            accounts = await reader.rows("SELECT account_id FROM accounts")
        for row in rows:
            self._window(row["account_id"]).settle(row["slot_id"], row["until"])
        for row in accounts:
            self._window(row["account_id"])

    def configure(self, settings: LimiterSettings, names: dict[str, str]) -> None:
        """Take new figures over. A narrower window binds the slots taken from now on; a lower limit binds at once."""
        self._accounts.configure(settings, names)
        for account_id, window in self._windows.items():
            window.width = self._accounts.width(account_id)

    async def announce(self) -> None:
        """Tell the faces each account's figures again."""

        def announce(tx: Tx) -> None:
            for account_id in self._windows:
                self._accounts.show(tx, account_id, self._clock.now())

        await self._database.write(announce)

    async def see(self, account_id: str) -> None:
        """Make an account known, so that it is shown before its first message."""
        await self._database.write(lambda tx: self._accounts.see(tx, account_id, self._clock.now()))

    async def reserve(self, account_id: str, slot_id: str) -> Admission | Refusal:
        now = self._clock.now()
        window = self._window(account_id)
        decision = window.admit(slot_id, now)
        if isinstance(decision, Refusal):
            return decision
        held_until = now + self._send_timeout + window.width

        def take(tx: Tx) -> None:
            self._accounts.see(tx, account_id, now)
            tx.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?)", (slot_id, account_id, held_until))
            tx.emit(SlotTaken(at=now, account_id=account_id, slot_id=slot_id, until=held_until))

        try:
            await asyncio.shield(self._database.write(take))
        except (StorageError, sqlite3.Error):  # of the commit, or of the statement: a full disk fails there
            window.settle(slot_id, held_until)
            return Refusal(Reason.UNSURE, held_until)
        except asyncio.CancelledError:
            window.settle(slot_id, held_until)
            raise
        return decision

    async def complete(self, account_id: str, slot_id: str, *, timed_out: bool = False) -> None:
        now = self._clock.now()
        until = now + self._window(account_id).width
        if timed_out:
            until += self._send_timeout
        await self._settle(account_id, slot_id, now, until)

    async def release(self, account_id: str, slot_id: str) -> None:
        now = self._clock.now()
        await self._settle(account_id, slot_id, now, now)

    async def throttled(self, account_id: str) -> None:
        told = self._accounts.throttled(account_id, self._clock.now())
        if told is not None:
            await self._database.write(lambda tx: tx.emit(told))

    def opens_at(self, account_id: str) -> int | None:
        opens = self._window(account_id).opens_at(self._clock.now())
        return None if opens == IN_FLIGHT else opens

    def free(self, account_id: str) -> int:
        return self._window(account_id).free(self._clock.now())

    async def changed(self, account_id: str) -> None:
        await self._changes[account_id].wait()

    @property
    def _send_timeout(self) -> int:
        return self._clock.allowance(self._accounts.settings.send_timeout)

    def _window(self, account_id: str) -> Window:
        """The account's window, under the limit that holds now."""
        allowed = self._accounts.allowed(account_id, self._clock.now())
        window = self._windows.get(account_id)
        if window is None:
            window = self._windows[account_id] = Window(limit=allowed, width=self._accounts.width(account_id))
        window.limit = allowed
        return window

    async def _settle(self, account_id: str, slot_id: str, now: int, until: int) -> None:
        """Write the slot's end, and only then let memory go by it: a shorter hold must be durable before it is used."""

        def settle(tx: Tx) -> None:
            if until > now:
                tx.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?)", (slot_id, account_id, until))
            else:
                tx.execute("DELETE FROM slots WHERE slot_id = ?", (slot_id,))
            tx.execute("DELETE FROM slots WHERE account_id = ? AND until < ?", (account_id, now))
            tx.emit(SlotSettled(at=now, account_id=account_id, slot_id=slot_id, until=until))

        window = self._window(account_id)
        try:
            await asyncio.shield(self._database.write(settle))
        except BaseException:
            window.settle(slot_id, now + self._send_timeout + window.width)
            raise
        else:
            if until > now:
                window.settle(slot_id, until)
            else:
                window.drop(slot_id)
        finally:
            changed, self._changes[account_id] = self._changes[account_id], asyncio.Event()
            changed.set()
