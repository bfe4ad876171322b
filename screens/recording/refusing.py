"""How a recording answers page by page, and says that it does not hold what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.kernel.errors import CommandRefused, Refusal
from engine.surface.queries import Page

_EVENTS = "It holds what events tell; ask the engine itself"


def not_recorded(what: str = "this is", remedy: str = _EVENTS) -> CommandRefused:
    return CommandRefused(Refusal.NOT_FOUND, f"{what} not in the recording", remedy=remedy)


def before(cursor: str, position: int) -> int:
    """Where a page begins. Raises CommandRefused for a cursor that no page gave."""
    if not cursor:
        return position
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):
        raise CommandRefused(Refusal.INVALID, "this is no cursor of a page before", field="cursor")
    return min(int(cursor), position)


def paged(rows: Sequence[Any], limit: int, cursor: str) -> Page[Any]:
    start = before(cursor, len(rows)) if cursor else 0
    end = start + limit
    return Page(tuple(rows[start:end]), str(end) if end < len(rows) else None)
