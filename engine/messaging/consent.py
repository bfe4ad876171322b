"""Who must not be messaged: fans suppressed here, and fans the platform says have opted out."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass

from engine.kernel.clock import Clock, pause
from engine.kernel.errors import CommandRefused, PlatformError, Refusal
from engine.messaging.platform import Fan, Platform
from engine.storage import Database, Reader, Tx
from engine.surface.queries import ListSuppressed, Page
from engine.surface.rows import SuppressionRow

OPTED_OUT = "opted out"
_NO_READING: tuple[int, PlatformError | None] = (0, None)


def suppress(tx: Tx, account_id: str, fan_id: str, reason: str, now: int) -> None:
    """Never message the fan again. A fan already suppressed keeps the first reason."""
    tx.execute("INSERT OR IGNORE INTO suppressions VALUES (?, ?, ?, ?)", (account_id, fan_id, reason, now))


def unsuppress(tx: Tx, account_id: str, fan_id: str) -> None:
    """Raises CommandRefused(NOT_FOUND) for a fan that was not suppressed."""
    done = tx.execute("DELETE FROM suppressions WHERE account_id = ? AND fan_id = ?", (account_id, fan_id))
    if not done.rowcount:
        raise CommandRefused(Refusal.NOT_FOUND, f"fan {fan_id!r} of {account_id!r} is not suppressed", field="fan_id")


def suppression(tx: Tx, account_id: str, fan_id: str) -> str:
    """Why the fan is suppressed, or empty."""
    row = tx.execute(
        "SELECT reason FROM suppressions WHERE account_id = ? AND fan_id = ?", (account_id, fan_id)
    ).fetchone()
    return row["reason"] if row else ""


async def suppressed(reader: Reader, account_id: str) -> dict[str, str]:
    """All suppressed fans of an account, with the reasons."""
    rows = await reader.rows("SELECT fan_id, reason FROM suppressions WHERE account_id = ?", (account_id,))
    return {row["fan_id"]: row["reason"] for row in rows}


async def listing(reader: Reader, query: ListSuppressed) -> Page[SuppressionRow]:
    limit = max(1, min(query.limit, 1000))
    after_account, _, after_fan = query.cursor.partition("\x1f")
    rows = await reader.rows(
        "SELECT * FROM suppressions WHERE (? = '' OR account_id = ?) AND (account_id, fan_id) > (?, ?)"
        " ORDER BY account_id, fan_id LIMIT ?",
        (query.account_id, query.account_id, after_account, after_fan, limit + 1),
    )
    page = tuple(SuppressionRow(**dict(row)) for row in rows[:limit])
    return Page(page, f"{page[-1].account_id}\x1f{page[-1].fan_id}" if len(rows) > limit else None)


@dataclass(frozen=True, slots=True)
class _Known:
    fans: dict[str, Fan]
    read_at: int


class FanBook:
    """The platform's fans, each account's read again when the last reading is too old.

    One reading at a time an account: those who come meanwhile share it, and its failure too. `run` reads the accounts
    in use again before their time is up, so that a send rarely waits for it.
    """

    def __init__(self, platform: Platform, database: Database, clock: Clock) -> None:
        self._platform = platform
        self._database = database
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: dict[str, int] = {}  # account to when a send last wanted to know
        self._failures: dict[str, tuple[int, PlatformError | None]] = {}  # account to readings ended, and the last's

    async def run(self, stop: asyncio.Event, *, max_age: int) -> None:
        """Keep the accounts in use younger than `max_age` nanoseconds, until `stop` is set."""
        while not stop.is_set():
            for account_id, asked in list(self._asked.items()):
                if asked + max_age < self._clock.now():
                    del self._asked[account_id]
                    continue
                with contextlib.suppress(PlatformError):  # the send itself will ask again, and wait if it cannot know
                    await self.fans(account_id, max_age=max_age // 2)
            await pause(self._clock, max_age // 4, stop)

    async def fans(self, account_id: str, *, max_age: int) -> dict[str, Fan]:
        """All fans of the account by id, as read at most `max_age` nanoseconds ago. Raises PlatformError."""
        before, _ = self._failures.get(account_id, _NO_READING)
        async with self._turns[account_id]:
            known = self._known.get(account_id)
            now = self._clock.now()
            if known is not None and known.read_at + max_age > now:
                return known.fans
            ended, failure = self._failures.get(account_id, _NO_READING)
            if failure is not None and ended > before:
                raise PlatformError(failure.message, status=failure.status, remedy=failure.remedy) from failure
            try:
                found = {fan.fan_id: fan async for fan in self._platform.fans(account_id)}
            except PlatformError as error:
                self._failures[account_id] = ended + 1, error
                raise
            self._failures[account_id] = ended + 1, None
            self._known[account_id] = _Known(found, now)
            return found

    def known(self, account_id: str, fan_id: str) -> tuple[Fan | None, int]:
        """The fan as last read, and when that was; 0 where the account was not read yet. Nobody is asked."""
        found = self._known.get(account_id)
        return (None, 0) if found is None else (found.fans.get(fan_id), found.read_at)

    async def objection(self, account_id: str, fan_id: str, *, max_age: int) -> str:
        """Why the fan must not be messaged by what is known now, or empty. Raises PlatformError when unsure."""
        self._asked[account_id] = self._clock.now()
        fan = (await self.fans(account_id, max_age=max_age)).get(fan_id)
        return OPTED_OUT if fan is not None and fan.opted_out else ""
