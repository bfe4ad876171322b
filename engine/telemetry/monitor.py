"""The monitor: counts in memory, one write a minute, answers over both.

A process that is killed loses what it counted since its last write, a minute and a few seconds at most. Nothing else
depends on these figures: what calls cost is the ledger's matter.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from engine.events import Recorded
from engine.kernel.clock import Clock
from engine.kernel.errors import CommitUnknown
from engine.kernel.histogram import Histogram, dump, load
from engine.kernel.series import Series
from engine.kernel.values import DAY, HOUR, MINUTE, Random, new_id
from engine.storage import Database, Reader, Tx
from engine.telemetry.series import Kind, Minute, Recorder

_log = logging.getLogger(__name__)

MINUTES_KEPT = 2 * DAY  # nanoseconds
HOURS_KEPT = 90 * DAY  # nanoseconds

_LOOK = 5.0  # real seconds between looks for a minute that has ended
_LAST_WRITE = "monitor_write"
_COLUMNS = "kind, name, calls, errors, refused, fallbacks, passed, whole, first"
_OLD_AT_ONCE = 2_000  # rows deleted with one write


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts of one name between two instants, in nanoseconds. `at` is where its bucket begins."""

    at: int
    kind: Kind
    name: str
    series: Series


class Monitor:
    """Counts what passes and answers what passed.

    `chance` names its writes and so must differ from run to run: a seeded one would take a new write for an old one.
    """

    def __init__(self, database: Database, clock: Clock, chance: Random) -> None:
        self._database = database
        self._clock = clock
        self._chance = chance
        self.recorder = Recorder()

    def observe(self, recorded: Sequence[Recorded]) -> None:
        """For the bus."""
        for one in recorded:
            self.recorder.observe(one.event)

    def endpoint(self, name: str, status: int, whole: int, first: int | None) -> None:
        """Count an answered request, by the name of its route. Durations in nanoseconds."""
        self.recorder.endpoint(self._clock.now(), name, status, whole, first)

    async def run(self, stop: asyncio.Event) -> None:
        """Write each minute when it has ended, and at the end what there is."""
        while not stop.is_set():
            await self.flush(self._clock.now())
            try:
                async with asyncio.timeout(_LOOK):
                    await stop.wait()
            except TimeoutError:
                pass
        await self.flush(None)

    async def flush(self, now: int | None) -> None:
        """Write the minutes that have ended at an instant, for None all, in one transaction, each once."""
        if self.recorder.lost:
            _log.warning("%d minutes of monitoring were dropped: they came faster than written", self.recorder.lost)
            self.recorder.lost = 0
        ended = self.recorder.ended(now)
        if not ended:
            return
        frozen = [(number, _copy(minute)) for number, minute in ended]
        write_id = new_id("mon", self._clock.now(), self._chance)
        for last_try in (False, True):
            try:
                await self._database.write(lambda tx: _write(tx, write_id, frozen))
            except CommitUnknown:  # the second try finds the first one's id if that stood after all
                if last_try:
                    _log.warning("%d minutes of monitoring are lost: the disk does not take them", len(frozen))
            else:
                break
        for number, minute in frozen:
            self._take_off(number, minute)

    def _take_off(self, number: int, written: Minute) -> None:
        """Forget what was written; what was counted meanwhile in the same minute stays for the next write."""
        left = _difference(dict(self.recorder.ended(None)).get(number, {}), written)
        self.recorder.forget([number])
        for (kind, name), series in left.items():
            self.recorder.series(number * MINUTE, kind, name).add(series)

    async def figures(
        self, kind: Kind, start: int, end: int, *, step: int | None = None, coarse: bool = False
    ) -> list[Figures]:
        """The figures of a kind in [start, end), most called first; or, with a step, of each bucket, oldest first.

        `start` and `end` are cut to minutes as far as those are kept, further back, or `coarse`, to hours.
        """
        minutely = not coarse and start >= self._clock.now() - MINUTES_KEPT
        start = start // (width := MINUTE if minutely else HOUR) * width
        async with self._database.reader() as reader:
            rows = await _kept(reader, kind, start, end, minutely=minutely)
        fresh = [
            (number * MINUTE, name, _copied(series))
            for number, (one, name), series in self.recorder.between(start, end)
            if one is kind
        ]
        return await asyncio.to_thread(_figures, kind, rows, fresh, start, step, width)


def _figures(
    kind: Kind,
    rows: Sequence[sqlite3.Row],
    fresh: Sequence[tuple[int, str, Series]],
    start: int,
    step: int | None,
    width: int,
) -> list[Figures]:
    """Thousands of histograms take a while to read and to add up: not on the loop."""
    sums: dict[tuple[int, str], Series] = {}
    kept = ((row["number"] * width, row["name"], _of_row(row)) for row in rows)
    for at, name, series in chain(kept, fresh):
        bucket = at // step * step if step else start
        sums.setdefault((bucket, name), Series()).add(series)
    found = [Figures(at, kind, name, series) for (at, name), series in sums.items()]
    if step:
        return sorted(found, key=lambda row: (row.at, row.name))
    return sorted(found, key=lambda row: (-row.series.calls, row.name))


async def _kept(reader: Reader, kind: Kind, start: int, end: int, *, minutely: bool) -> list[sqlite3.Row]:
    table, column, width = ("monitor_minutes", "minute", MINUTE) if minutely else ("monitor_hours", "hour", HOUR)
    return await reader.rows(
        f"SELECT {column} AS number, {_COLUMNS} FROM {table} WHERE {column} >= ? AND {column} * {width} < ?"
        " AND kind = ?",
        (start // width, end, kind),
    )


def _write(tx: Tx, write_id: str, minutes: Sequence[tuple[int, Minute]]) -> None:
    if _written(tx, write_id):
        return
    hours: dict[int, Minute] = {}
    for number, minute in minutes:
        _merge(tx, "monitor_minutes", "minute", number, minute)
        hour = hours.setdefault(number * MINUTE // HOUR, {})
        for key, series in minute.items():
            hour.setdefault(key, Series()).add(series)
    for number, minute in hours.items():
        _merge(tx, "monitor_hours", "hour", number, minute)
    _forget(tx, max(number for number, _ in minutes) * MINUTE)


def _written(tx: Tx, write_id: str) -> bool:
    """Whether this very write is on disk already; if not, it is from here on."""
    row = tx.execute("SELECT value FROM meta WHERE key = ?", (_LAST_WRITE,)).fetchone()
    if row is not None and row["value"] == write_id:
        return True
    tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_LAST_WRITE, write_id))
    return False


def _merge(tx: Tx, table: str, column: str, number: int, minute: Minute) -> None:
    for (kind, name), series in minute.items():
        row = tx.execute(
            f"SELECT {_COLUMNS} FROM {table} WHERE {column} = ? AND kind = ? AND name = ?", (number, kind, name)
        ).fetchone()
        whole = _of_row(row) if row is not None else Series()
        whole.add(series)
        tx.execute(
            f"INSERT OR REPLACE INTO {table} ({column}, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                kind,
                name,
                whole.calls,
                whole.errors,
                whole.refused,
                whole.fallbacks,
                whole.passed,
                dump(whole.whole),
                dump(whole.first),
            ),
        )


def _forget(tx: Tx, now: int) -> None:
    for table, column, width, kept in (
        ("monitor_minutes", "minute", MINUTE, MINUTES_KEPT),
        ("monitor_hours", "hour", HOUR, HOURS_KEPT),
    ):
        tx.execute(
            f"DELETE FROM {table} WHERE ({column}, kind, name) IN"
            f" (SELECT {column}, kind, name FROM {table} WHERE {column} < ? LIMIT ?)",
            ((now - kept) // width, _OLD_AT_ONCE),
        )


def _of_row(row: sqlite3.Row) -> Series:
    return Series(
        calls=row["calls"],
        errors=row["errors"],
        refused=row["refused"],
        fallbacks=row["fallbacks"],
        passed=row["passed"],
        whole=load(row["whole"]),
        first=load(row["first"]),
    )


def _copy(minute: Minute) -> Minute:
    return {key: _copied(series) for key, series in minute.items()}


def _copied(series: Series) -> Series:
    """What may be read while the original is counted on."""
    copy = Series()
    copy.add(series)
    return copy


def _difference(now: Minute, before: Minute) -> Minute:
    """What was counted since, where anything was."""
    left: Minute = {}
    for key, series in now.items():
        old = before.get(key, Series())
        counts = Series(
            calls=series.calls - old.calls,
            errors=series.errors - old.errors,
            refused=series.refused - old.refused,
            fallbacks=series.fallbacks - old.fallbacks,
            passed=series.passed - old.passed,
            whole=_less(series.whole, old.whole),
            first=_less(series.first, old.first),
        )
        if counts != Series():
            left[key] = counts
    return left


def _less(now: Histogram, before: Histogram) -> Histogram:
    left = {bucket: count - before.counts.get(bucket, 0) for bucket, count in now.counts.items()}
    return Histogram({bucket: count for bucket, count in left.items() if count})
