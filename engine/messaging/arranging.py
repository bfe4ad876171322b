"""Deliveries in any order, filtered by words, from any row on: how a listing of 100,000 is looked at a page at a time.

A campaign's rows lie side by side, since its ids were made one after the other. Read in that order they cost a seventh
of what the index by state does, which jumps from row to row; so the index is used for few rows only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from engine.kernel.errors import CommandRefused, Refusal
from engine.messaging.delivery import DeliveryState
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
_LOOKED_AT = ("fan_name", "text", "fan_id", "state", "reason")  # by a word that names no field
_FEW = 2_000  # rows that are read through an index, or known by their ids
_MOST_WORDS = 20

Values = tuple[str | int, ...]
Clause = tuple[str, Values]


async def arranged(reader: Reader, query: ListDeliveries, columns: str) -> tuple[str, Values, int]:
    """The statement that reads a page, its parameters, and how many rows there are in all. Raises CommandRefused."""
    order = _order(query.order)
    words = [_found(term) for term in query.find[:_MOST_WORDS] if term.strip("-")]
    known = [*_narrowed(query), *([_of_campaign(query)] if query.campaign_id else [])]
    total = await _count(reader, known)
    side_by_side = await _side_by_side(reader, query) if query.campaign_id and total >= _FEW else []
    where, values = _joined([*side_by_side, *(_unindexed(known) if side_by_side else known), *words])
    if words:
        ids = await reader.rows(f"SELECT delivery_id FROM deliveries WHERE {where} LIMIT {_FEW}", values)
        total = len(ids)
        if total < _FEW:  # all of them: what is still to be done is done with these
            where, values = f"delivery_id IN ({', '.join('?' * total)})", tuple(row["delivery_id"] for row in ids)
        else:
            total = await _count(reader, [*side_by_side, *_unindexed(known), *words])
    page = (
        f"SELECT {columns} FROM deliveries WHERE delivery_id IN"
        f" (SELECT delivery_id FROM deliveries WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}"
    )
    return page, (*values, max(1, min(query.limit, 1_000)), max(0, query.offset or 0)), total


async def _count(reader: Reader, clauses: Sequence[Clause]) -> int:
    where, values = _joined(clauses)
    row = await reader.row(f"SELECT count(*) AS total FROM deliveries WHERE {where}", values)
    return int(row["total"]) if row else 0


def _joined(clauses: Sequence[Clause]) -> tuple[str, Values]:
    return " AND ".join(clause for clause, _ in clauses) or "1", tuple(value for _, some in clauses for value in some)


def _narrowed(query: ListDeliveries) -> Iterator[Clause]:
    for field in ("fan_id", "risk", "delivery_id"):
        if value := getattr(query, field):
            yield f"{field} = ?", (value,)


def _of_campaign(query: ListDeliveries) -> Clause:
    if query.state:
        return "campaign_id = ? AND state = ?", (query.campaign_id, query.state)
    return "campaign_id = ?", (query.campaign_id,)


async def _side_by_side(reader: Reader, query: ListDeliveries) -> list[Clause]:
    """The ends of the campaign's rows, each state's looked up in its index: least and most apart, else it reads all."""
    one = "(SELECT {}(delivery_id) FROM deliveries WHERE campaign_id = ? AND state = ?)"
    ends = f"SELECT {one.format('min')} AS first, {one.format('max')} AS last"
    rows = [await reader.row(ends, (query.campaign_id, state) * 2) for state in DeliveryState]
    held = [row for row in rows if row is not None and row["first"] is not None]
    if not held:
        return []
    return [("delivery_id BETWEEN ? AND ?", (min(row["first"] for row in held), max(row["last"] for row in held)))]


def _unindexed(clauses: Sequence[Clause]) -> list[Clause]:
    """The same clauses, held against each row instead of an index."""
    return [(re.sub(r"\b(campaign_id|state|fan_id) =", r"+\1 =", clause), values) for clause, values in clauses]


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
