"""Deliveries in any order, filtered by words, from any row on: how a listing of 100,000 is looked at a page at a time.

A campaign's rows lie side by side, since its ids were made one after the other. Read in that order they cost a seventh
of what the index by state does, which jumps from row to row; so the index is used for few rows only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from engine.kernel.errors import CommandRefused, Refusal
from engine.storage import Reader
from engine.surface.queries import ListDeliveries

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "state": "state",
        "fan": "CASE fan_name WHEN '' THEN fan_id ELSE fan_name END COLLATE NOCASE",
        "text": "text",
        "reason": "reason",
        "attempts": "attempts",
        "cost": "cost",
        "changed_at": "changed_at",
        "risk": "risk",
    }
)
_GRAVITY = "CASE risk WHEN 'high' THEN 0 WHEN 'medium' THEN 1 WHEN 'low' THEN 2 WHEN 'none' THEN 4 ELSE 3 END"
_LOOKED_AT = ("fan_name", "text", "fan_id", "state", "reason", "delivery_id")  # by a word that names no field
_FEW = 2_000  # rows of a state that are read through its index
_MOST_WORDS = 20

Clause = tuple[str, tuple[str | int, ...]]


async def arranged(reader: Reader, query: ListDeliveries, columns: str) -> tuple[str, tuple[str | int, ...], int]:
    """The statement that reads a page, its parameters, and how many rows there are in all. Raises CommandRefused."""
    clauses = [*_narrowed(query), *(_found(term) for term in query.find[:_MOST_WORDS] if term.strip("-"))]
    if query.campaign_id:
        clauses += await _of_campaign(reader, query)
    where = " AND ".join(clause for clause, _ in clauses) or "1"
    values = tuple(value for _, some in clauses for value in some)
    found = await reader.row(f"SELECT count(*) AS total FROM deliveries WHERE {where}", values)
    order = _order(query.order)
    page = (
        f"SELECT {columns} FROM deliveries WHERE delivery_id IN"
        f" (SELECT delivery_id FROM deliveries WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}"
    )
    limit = max(1, min(query.limit, 1_000))
    return page, (*values, limit, max(0, query.offset or 0)), found["total"] if found else 0


def _narrowed(query: ListDeliveries) -> Iterator[Clause]:
    for field in ("fan_id", "risk", "delivery_id"):
        if value := getattr(query, field):
            yield f"{field} = ?", (value,)


async def _of_campaign(reader: Reader, query: ListDeliveries) -> list[Clause]:
    """A campaign's rows, or those of one state: through the index while they are few, else in the order they lie in."""
    known = "campaign_id = ?" + (" AND state = ?" if query.state else "")
    values = (query.campaign_id, query.state) if query.state else (query.campaign_id,)
    few = await reader.row(f"SELECT count(*) AS n FROM (SELECT 1 FROM deliveries WHERE {known} LIMIT {_FEW})", values)
    if few is None or few["n"] < _FEW:
        return [(known, values)]
    ends = "SELECT min(delivery_id) AS first, max(delivery_id) AS last FROM deliveries WHERE campaign_id = ?"
    row = await reader.row(ends, (query.campaign_id,))
    span = [("delivery_id BETWEEN ? AND ?", (row["first"], row["last"]))] if row else []
    return [*span, (known.replace("campaign_id", "+campaign_id").replace("state", "+state"), values)]


def _found(term: str) -> Clause:
    """`word`, `-word` or `field:word`. Letters beyond ASCII are told apart by case, so both cases are looked for."""
    absent, word = term.startswith("-"), term.removeprefix("-")
    field, colon, rest = word.partition(":")
    columns = (FIELDS[field].removesuffix(" COLLATE NOCASE"),) if colon and field in FIELDS and rest else _LOOKED_AT
    text = rest if columns is not _LOOKED_AT else word
    spellings = {text} if text.isascii() else {text, text.lower(), text.upper(), text.capitalize()}
    patterns = tuple(f"%{_literal(each)}%" for each in sorted(spellings))
    likes = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns for _ in patterns)
    return f"{'NOT ' if absent else ''}({likes})", tuple(patterns) * len(columns)


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _order(order: str) -> str:
    field = order.removeprefix("-")
    if not field:
        return "delivery_id"
    if field not in FIELDS:
        raise CommandRefused(
            Refusal.INVALID, f"deliveries have no order {field!r}", field="order", remedy=f"Use {', '.join(FIELDS)}"
        )
    column = _GRAVITY if field == "risk" else FIELDS[field]
    return f"{column} {'DESC' if order.startswith('-') else 'ASC'}, delivery_id"
