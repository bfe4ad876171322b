"""The desk's part that shows the engine's log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.kernel.errors import CommandRefused, Refusal
from engine.surface import queries
from engine.surface.queries import Page, Query
from engine.surface.rows import LogRow
from engine.telemetry import LEVELS, Entry, LogBook

_MOST = 1_000


class Logs:
    """Queries for `EngineDesk.extend`. Without a book (nobody runs here) they say where else to look."""

    def __init__(self, book: LogBook | None) -> None:
        self._book = book
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {queries.ListLogs: self._list}

    async def _list(self, query: queries.ListLogs) -> Page[LogRow]:
        if self._book is None:
            remedy = "What earlier ones said stands in engine.log in the state directory"
            raise CommandRefused(Refusal.UNAVAILABLE, "no engine runs here, so there is no log to ask", remedy=remedy)
        if query.level and query.level not in LEVELS:
            raise CommandRefused(Refusal.INVALID, f"must be one of {', '.join(LEVELS)}", field="level")
        found = self._book.entries(level=query.level, text=query.text)
        limit = min(max(query.limit, 1), _MOST)
        if query.after is not None:
            later = [entry for entry in found if entry.seq > query.after]
            return Page(tuple(map(_row, later[:limit])), total=len(found))
        before = _number(query.cursor)
        earlier = [entry for entry in found if before is None or entry.seq < before]
        shown = earlier[-limit:]
        older = str(shown[0].seq) if len(earlier) > len(shown) else None
        return Page(tuple(map(_row, shown)), older, total=len(found))


def _number(cursor: str) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):
        raise CommandRefused(Refusal.INVALID, "is none of this listing's", field="cursor")
    return int(cursor)


def _row(entry: Entry) -> LogRow:
    return LogRow(
        seq=entry.seq,
        at=entry.at,
        level=entry.level,
        area=entry.area,
        message=entry.message,
        fields=entry.fields,
        error=entry.error,
        trace=entry.trace,
    )
