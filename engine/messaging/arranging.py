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
from engine.surface import finding
from engine.surface.finding import Word
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
_FEW = 2_000  # rows that are read through an index, or known by their ids

Values = tuple[str | int, ...]
Clause = tuple[str, Values]


async def arranged(reader: Reader, query: ListDeliveries, columns: str) -> tuple[str, Values, int]:
    """The statement that reads a page, its parameters, and how many rows there are in all. Raises CommandRefused."""
    order = _order(query.order)
    limit, offset = max(1, min(query.limit, 1_000)), max(0, query.offset or 0)
    words = [_found(word) for word in finding.words(query.find)]
    known = [*_narrowed(query), *([_of_campaign(query)] if query.campaign_id else [])]
    total = await _count(reader, known, at_most=_FEW if words else None)
    ends: list[Clause] = []
    if query.campaign_id and total >= _FEW:
        ends, known = await _ends(reader, query), _unindexed(known)
    where, values = _joined([*ends, *known, *words])
    if words:
        first = f"SELECT delivery_id FROM deliveries WHERE {where} ORDER BY delivery_id LIMIT {_FEW}"
        ids = tuple(row["delivery_id"] for row in await reader.rows(first, values))
        total = len(ids)
        if total < _FEW:  # all of them: what is still to be done is done with these
            where, values = _among(ids)
        else:  # the rest is counted behind them, so that every row is looked at once
            total += await _count(reader, [("delivery_id > ?", ids[-1:]), *ends[1:], *known, *words])
            if not query.order and offset + limit <= _FEW:
                (where, values), offset = _among(ids[offset : offset + limit]), 0
    page = (
        f"SELECT {columns} FROM deliveries WHERE delivery_id IN"
        f" (SELECT delivery_id FROM deliveries WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}"
    )
    return page, (*values, limit, offset), total


async def _count(reader: Reader, clauses: Sequence[Clause], *, at_most: int | None = None) -> int:
    where, values = _joined(clauses)
    rows = f"deliveries WHERE {where}"
    if at_most is not None:
        rows = f"(SELECT 1 FROM {rows} LIMIT {at_most})"
    row = await reader.row(f"SELECT count(*) AS total FROM {rows}", values)
    return int(row["total"]) if row else 0


def _among(ids: Values) -> Clause:
    return f"delivery_id IN ({', '.join('?' * len(ids))})", ids


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


async def _ends(reader: Reader, query: ListDeliveries) -> list[Clause]:
    """From and to where the campaign's rows lie, looked up by state: asked of all at once, SQLite reads them all."""
    one = "(SELECT {}(delivery_id) FROM deliveries WHERE campaign_id = ? AND state = ?)"
    ends = f"SELECT {one.format('min')} AS first, {one.format('max')} AS last"
    values = tuple(value for state in DeliveryState for value in (query.campaign_id, state.value) * 2)
    row = await reader.row(
        f"SELECT min(first) AS first, max(last) AS last FROM ({' UNION ALL '.join([ends] * len(DeliveryState))})",
        values,
    )
    if row is None or row["first"] is None:
        return []
    return [("delivery_id >= ?", (row["first"],)), ("delivery_id <= ?", (row["last"],))]


def _unindexed(clauses: Sequence[Clause]) -> list[Clause]:
    """The same clauses, held against each row instead of an index."""
    return [(re.sub(r"\b(campaign_id|state|fan_id) =", r"+\1 =", clause), values) for clause, values in clauses]


def _found(word: Word) -> Clause:
    patterns = tuple(f"%{_literal(spelling)}%" for spelling in word.spellings)
    plain = patterns == (f"%{word.text}%",)
    like = "LIKE ?" if plain else "LIKE ? ESCAPE '\\'"  # the plain one is the faster by a seventh
    columns = (FIELDS[word.field].removesuffix(" COLLATE NOCASE"),) if word.field else finding.LOOKED_AT
    clauses = [f"{column} {like}" for column in columns for _ in patterns]
    values = patterns * len(columns)
    if not word.field:  # there are few states: looked at here and not in every row
        states = tuple(state.value for state in DeliveryState if word.text.lower() in state.value)
        clauses, values = [f"state IN ({', '.join('?' * len(states))})", *clauses], (*states, *values)
    return f"{'NOT ' if word.absent else ''}({' OR '.join(clauses)})", values


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
