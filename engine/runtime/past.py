"""The engine's past: snapshots kept beside the event log, and from them any moment that the log still holds.

A snapshot is kept each `KEYFRAME_EVERY` events and at each start, where it is read from the tables anew; with it how
the budgets stood, which no event tells. A moment is the newest kept snapshot before it, and the events since. What the
housekeeping forgets of the log takes the snapshots before it along.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import orjson

from engine.events import Recorded, from_fields
from engine.kernel.errors import CommandRefused, Refusal, StorageError
from engine.kernel.values import iso
from engine.storage import Database, Reader, Tx
from engine.surface import Snapshot, fold, queries, wire
from engine.surface.decoding import decode
from engine.surface.histories import KeptBudgetsRow
from engine.surface.queries import Page, Query
from engine.surface.rows import BudgetRow, EventRow

KEYFRAME_EVERY = 2_500  # events; folding so many takes a tenth of a second, and they are 30 times as large
KEYFRAMES_LOOK = 1.0  # real seconds between looks whether one is due
_LARGEST = 64 << 20  # bytes of a kept snapshot's JSON
_BUDGETS = "kept_budgets"
_MOST = 1_000  # events a page
_MOST_SNAPSHOTS = 20  # a page; each may be a tenth of a megabyte


class Keyframes:
    """Keeps the engine's snapshot now and then. `keep` the first one before anything happens."""

    def __init__(
        self,
        database: Database,
        current: Callable[[], Snapshot],
        *,
        budgets: Callable[[], Awaitable[Sequence[BudgetRow]]] | None = None,  # without, none are kept
        every: int = KEYFRAME_EVERY,
    ) -> None:
        self._database, self._current, self._budgets, self._every = database, current, budgets, every
        self._newest = 0  # sequence number of the newest kept

    async def look(self) -> None:
        """Keep the snapshot if enough happened since the last one was kept."""
        snapshot = self._current()
        if snapshot.seq - self._newest >= self._every:
            await self.keep(snapshot)

    async def keep(self, snapshot: Snapshot) -> None:
        self._newest = snapshot.seq
        budgets = await self._budgets() if self._budgets is not None else None
        data = await asyncio.to_thread(lambda: _pack(snapshot, budgets))
        await self._database.write(lambda tx: _keep(tx, snapshot, data))


def _pack(snapshot: Snapshot, budgets: Sequence[BudgetRow] | None) -> bytes:
    """The budgets lie beside the snapshot's own fields, where an engine that knows nothing of them reads past them."""
    parts = {each.name: getattr(snapshot, each.name) for each in fields(snapshot)}
    return zlib.compress(orjson.dumps({**parts, _BUDGETS: budgets}))


def _keep(tx: Tx, snapshot: Snapshot, data: bytes) -> None:
    tx.execute("INSERT OR REPLACE INTO keyframes VALUES (?, ?, ?)", (snapshot.seq, snapshot.at, data))


class Past:
    """Queries for `EngineDesk.extend`: the snapshot of a past moment, and the events between two."""

    def __init__(self, database: Database, epoch: str) -> None:
        self._database, self._epoch = database, epoch
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.SnapshotAt: self._snapshot,
            queries.EventHistory: self._history,
            queries.KeptSnapshots: self._kept,
            queries.KeptBudgets: self._kept_budgets,
        }

    async def _snapshot(self, query: queries.SnapshotAt) -> Page[Snapshot]:
        async with self._database.view() as reader:
            seq = query.seq if query.seq is not None else await _seq_at(reader, query.at)
            newest = await reader.seq()
            if seq > newest:
                raise CommandRefused(Refusal.NOT_FOUND, f"event {seq} has not happened: the newest is {newest}")
            kept = await reader.row("SELECT * FROM keyframes WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,))
            if kept is None or (kept["seq"] == seq and query.seq is None and not await _reaches(reader, query.at)):
                raise await _too_early(reader)
            rows = await reader.rows(
                "SELECT seq, kind, data FROM events WHERE seq > ? AND seq <= ? ORDER BY seq", (kept["seq"], seq)
            )
            if len(rows) != seq - kept["seq"]:
                raise await _too_early(reader)
        return Page((await asyncio.to_thread(_fold, kept["data"], [tuple(row) for row in rows]),))

    async def _kept(self, query: queries.KeptSnapshots) -> Page[Snapshot]:
        rows, following = await self._keyframes(query)
        return Page(await asyncio.to_thread(lambda: tuple(_load(row["data"]) for row in rows)), following)

    async def _kept_budgets(self, query: queries.KeptBudgets) -> Page[KeptBudgetsRow]:
        rows, following = await self._keyframes(query)
        found = await asyncio.to_thread(lambda: [_load_budgets(row["data"]) for row in rows])
        kept = zip(rows, found, strict=True)
        return Page(
            tuple(KeptBudgetsRow(seq=row["seq"], budgets=one) for row, one in kept if one is not None), following
        )

    async def _keyframes(self, query: queries.KeptSnapshots | queries.KeptBudgets) -> tuple[list[Any], str | None]:
        limit = max(1, min(query.limit, _MOST_SNAPSHOTS))
        async with self._database.reader() as reader:
            rows = await reader.rows(
                "SELECT seq, data FROM keyframes WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (query.after, query.to, limit),
            )
        return rows, str(rows[-1]["seq"]) if len(rows) == limit else None

    async def _history(self, query: queries.EventHistory) -> Page[EventRow]:
        if not 1 <= query.limit <= _MOST:
            raise CommandRefused(Refusal.INVALID, f"limit must be 1 to {_MOST}", field="limit")
        async with self._database.view() as reader:
            after, last = _parse(query.cursor) if query.cursor else await self._span(reader, query)
            rows = await reader.rows(
                "SELECT seq, at, kind, data FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (after, last, query.limit),
            )
            if rows and rows[0]["seq"] != after + 1:
                raise await _too_early(reader)
        found = tuple(
            EventRow(
                event_id=f"{self._epoch}:{row['seq']}", at=row["at"], kind=row["kind"], fields=orjson.loads(row["data"])
            )
            for row in rows
        )
        more = bool(rows) and rows[-1]["seq"] < last
        return Page(found, f"{rows[-1]['seq']}-{last}" if more else None)

    async def _span(self, reader: Reader, query: queries.EventHistory) -> tuple[int, int]:
        """The sequence numbers a first page begins behind and ends with."""
        if query.to is not None and query.from_ is not None and query.to < query.from_:
            raise CommandRefused(Refusal.INVALID, "the period ends before it begins", field="to")
        last = await reader.seq() if query.to is None else await _seq_at(reader, query.to)
        if query.after is not None:
            return query.after, last
        if query.from_ is None:
            raise CommandRefused(Refusal.INVALID, "say from when, or after which event", field="from")
        return await _seq_at(reader, query.from_), last


async def _seq_at(reader: Reader, at: int | None) -> int:
    """The newest event at an instant; the one before the log's first where it begins later. None is now."""
    if at is None:
        return await reader.seq()
    found = await reader.row("SELECT seq FROM events WHERE at <= ? ORDER BY at DESC, seq DESC LIMIT 1", (at,))
    if found is not None:
        return int(found["seq"])
    first = await reader.row("SELECT seq FROM events ORDER BY seq LIMIT 1")
    return int(first["seq"]) - 1 if first else 0


async def _reaches(reader: Reader, at: int | None) -> bool:
    """Whether the log, or the first snapshot kept beside it, goes back to an instant."""
    sql = "SELECT 1 FROM (SELECT at FROM events UNION ALL SELECT at FROM keyframes) WHERE at <= ? LIMIT 1"
    return at is None or await reader.row(sql, (at,)) is not None


async def _too_early(reader: Reader) -> CommandRefused:
    first = await reader.row("SELECT at FROM keyframes ORDER BY seq LIMIT 1")
    if first is None:
        return CommandRefused(Refusal.NOT_FOUND, "no moment of the past is kept yet", remedy="Start the engine once")
    since = iso(first["at"])
    return CommandRefused(Refusal.NOT_FOUND, "that moment is not kept", field="at", remedy=f"Ask for one after {since}")


def _fold(data: bytes, rows: Sequence[tuple[Any, ...]]) -> Snapshot:
    events = ((number, from_fields(kind, orjson.loads(fields))) for number, kind, fields in rows)
    return fold(_load(data), [Recorded(number, event) for number, event in events if event])


def _load(data: bytes) -> Snapshot:
    return wire.load_snapshot(_unpacked(data))


def _load_budgets(data: bytes) -> tuple[BudgetRow, ...] | None:
    """The budgets kept with a snapshot; None beside one of a version that kept none."""
    found = orjson.loads(_unpacked(data)).get(_BUDGETS)
    return None if found is None else tuple(decode(BudgetRow, row) for row in found)


def _unpacked(data: bytes) -> bytes:
    unpacked = zlib.decompressobj().decompress(data, _LARGEST + 1)
    if len(unpacked) > _LARGEST:
        raise StorageError("a kept snapshot is too large to be one")
    return unpacked


def _parse(cursor: str) -> tuple[int, int]:
    after, _, last = cursor.partition("-")
    if not (after.isdecimal() and last.isdecimal() and len(cursor) < 40):
        raise CommandRefused(Refusal.INVALID, "this is no cursor of a page before", field="cursor")
    return int(after), int(last)


def forget_keyframes(tx: Tx) -> None:
    """Drop kept snapshots whose next event is gone: nothing follows from them any more."""
    tx.execute("DELETE FROM keyframes WHERE seq < (SELECT min(seq) FROM events) - 1")
