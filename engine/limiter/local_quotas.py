"""The quotas of one machine: counters in memory, every entry on its way to SQLite before the call it admits.

A grant does not wait for its commit. The write is handed over before `reserve` returns, and writes commit in their
order: the attempt's own row, which the books make durable before the request leaves, is committed with it or after it.
So a crash loses only what was never sent, and a window is as full after it as before. An entry is written whole, with
the amount it holds: a write that failed is made good by the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from engine.kernel.clock import Clock
from engine.kernel.values import MINUTE
from engine.limiter.quota import Bound, Claim, Grant, Measure, QuotaReason, QuotaRefusal, QuotaUse
from engine.limiter.sliding import NEVER, Counter
from engine.storage import Database, Tx

_log = logging.getLogger(__name__)

_PRUNE_EVERY = 10 * MINUTE
_IDLE_COUNTERS = 20_000  # more than so many are looked through for empty ones

_Row = tuple[str, int, int, int]  # counter, stamp, amount, until


class LocalQuotas:
    """See QuotaStore. `load` must have run before the first claim."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._counters: dict[str, Counter] = {}
        self._unwritten: dict[tuple[str, int], _Row] = {}  # entries whose write failed
        self._prune_at = 0

    async def load(self) -> None:
        """Take over what the process before this one counted."""
        async with self._database.reader() as reader:
            rows = await reader.rows("SELECT counter, stamp, amount FROM quotas")
        found: dict[str, list[tuple[int, int]]] = {}
        for row in rows:
            found.setdefault(row["counter"], []).append((row["stamp"], row["amount"]))
        for name, entries in found.items():
            self._counters[name] = Counter.of(_width_of(name), entries)

    async def reserve(self, claim: Claim) -> Grant | QuotaRefusal:
        now: int = self._clock.now()
        refusal = self._look(claim, now)
        return refusal if refusal is not None else self._take(claim, now)

    async def settle(self, grant: Grant, tokens: int) -> None:
        surplus = tokens - grant.claim.tokens
        if surplus:
            self._correct(grant, {Measure.TOKENS: surplus})

    async def release(self, grant: Grant) -> None:
        self._correct(grant, {Measure.TOKENS: -grant.claim.tokens, Measure.REQUESTS: -1})

    def opens_at(self, claim: Claim) -> int:
        now: int = self._clock.now()
        refusal = self._look(claim, now)
        if refusal is None:
            return now
        return NEVER if refusal.opens_at is None else refusal.opens_at

    async def usage(self, bounds: Sequence[Bound]) -> Sequence[QuotaUse]:
        now = self._clock.now()
        counters = ((bound.name, self._counters.get(bound.name)) for bound in bounds)
        return [
            QuotaUse(name, counter.count(now), counter.frees_at(now)) if counter else QuotaUse(name, 0, None)
            for name, counter in counters
        ]

    def _look(self, claim: Claim, now: int) -> QuotaRefusal | None:
        """The window that stands in the way the longest, if any does."""
        counters, limits, tokens = self._counters, claim.limits, claim.tokens
        worst, blocked = now, None
        for index, bound in enumerate(claim.bounds):
            counter = counters.get(bound.name)
            if counter is None:
                counter = self._make(bound)
            amount = 1 if bound.measure is Measure.REQUESTS else tokens
            limit = bound.limit if limits is None else limits[index]
            opens = counter.opens_at(now, amount, limit, bound.limit)
            if opens > worst:
                worst, blocked = opens, bound
        if blocked is None:
            return None
        if worst == NEVER:
            return QuotaRefusal(QuotaReason.TOO_LARGE, blocked, None)
        return QuotaRefusal(QuotaReason.FULL, blocked, worst)

    def _take(self, claim: Claim, now: int) -> Grant:
        stamps, rows = [], []
        for bound in claim.bounds:
            counter = self._counters[bound.name]
            stamp = counter.take(now, 1 if bound.measure is Measure.REQUESTS else claim.tokens)
            stamps.append(stamp)
            rows.append((bound.name, stamp, counter.amount(stamp), stamp + counter.width + counter.grain))
        if rows:
            self._write(rows, now)
        return Grant(claim, tuple(stamps))

    def _correct(self, grant: Grant, by: dict[Measure, int]) -> None:
        rows = []
        for bound, stamp in zip(grant.claim.bounds, grant.stamps, strict=True):
            change, counter = by.get(bound.measure), self._counters.get(bound.name)
            amount = counter.adjust(stamp, change) if counter and change else None
            if counter is not None and amount is not None:
                rows.append((bound.name, stamp, amount, stamp + counter.width + counter.grain))
        if rows:
            self._write(rows, self._clock.now())

    def _make(self, bound: Bound) -> Counter:
        if len(self._counters) >= _IDLE_COUNTERS:
            now = self._clock.now()
            self._counters = {name: each for name, each in self._counters.items() if each.count(now)}
        counter = self._counters[bound.name] = Counter.of(bound.width)
        return counter

    def _write(self, rows: list[_Row], now: int) -> None:
        """Hand the entries over, and with them those that an earlier write failed to keep."""
        if self._unwritten:
            rows = [*self._unwritten.values(), *rows]
            self._unwritten.clear()
        prune = now >= self._prune_at
        if prune:
            self._prune_at = now + _PRUNE_EVERY

        def write(tx: Tx) -> None:
            if prune:
                tx.execute("DELETE FROM quotas WHERE until <= ?", (now,))
            tx.executemany("INSERT OR REPLACE INTO quotas VALUES (?, ?, ?, ?)", rows)

        def written(done: asyncio.Future[None]) -> None:
            if not done.cancelled() and (error := done.exception()) is not None:
                _log.warning("the limits' counters could not be written, and will be with the next call: %s", error)
                for row in rows:
                    self._unwritten.setdefault(row[:2], self._newest(row))

        self._database.submit(write).add_done_callback(written)

    def _newest(self, row: _Row) -> _Row:
        """The row with what its entry holds by now."""
        name, stamp, amount, until = row
        counter = self._counters.get(name)
        now_holds = counter.adjust(stamp, 0) if counter else None
        return name, stamp, amount if now_holds is None else now_holds, until


def _width_of(name: str) -> int:
    """Nanoseconds of the window that a counter's name states."""
    return int(name.split(":", 3)[2]) * 1_000_000_000
