"""One task's calls: every attempt that its trace holds, those under way among them, and whose budgets hold their worst.

Entries are kept by time, not by trace, so an attempt is looked for around the time of one that is known.
"""

from __future__ import annotations

from typing import Any

from engine.kernel.values import MINUTE
from engine.storage import Reader
from engine.surface.rows import AttemptRow

AROUND = 15 * MINUTE  # nanoseconds before and after; a task's deadline is far shorter
_MOST = 200

_ENDED = """
    SELECT e.id, e.at, e.duration, c.provider, c.model, c.tool, e.outcome, e.basis, e.cost, e.input_tokens,
           e.cached_tokens, e.output_tokens, e.price_date,
           (SELECT avg(r.score) FROM ratings r WHERE r.attempt_id = e.id) AS rating,
           (SELECT count(*) FROM call_shares s WHERE s.attempt_id = e.id) AS shares
    FROM entries e CROSS JOIN combinations c ON c.id = e.combination
    WHERE e.at >= ? AND e.at <= ? AND e.trace_id = ? ORDER BY e.at - e.duration, e.number LIMIT ?"""
_OPEN = """
    SELECT a.id, a.opened_at, c.provider, c.model, c.tool, a.worst_cost, a.held
    FROM attempts a JOIN combinations c ON c.id = a.combination WHERE a.trace_id = ? ORDER BY a.opened_at LIMIT ?"""


async def attempts_of(reader: Reader, trace_id: str, at: int) -> tuple[AttemptRow, ...]:
    """The attempts of a trace in the order they began, as far as they ended within a quarter of an hour of `at`."""
    ended = await reader.rows(_ENDED, (at - AROUND, at + AROUND, trace_id, _MOST))
    under_way = await reader.rows(_OPEN, (trace_id, _MOST))
    names = {str(row["id"]): f"{row['name']} {row['window']}" for row in await _budgets(reader, under_way)}
    rows = [_ended(row) for row in ended]
    rows += [_under_way(row, names) for row in under_way]
    return tuple(sorted(rows, key=lambda row: row.began_at))


async def _budgets(reader: Reader, under_way: list[Any]) -> list[Any]:
    return await reader.rows('SELECT id, name, "window" FROM budgets') if any(row["held"] for row in under_way) else []


def _ended(row: Any) -> AttemptRow:
    return AttemptRow(
        attempt_id=row["id"],
        began_at=row["at"] - row["duration"],
        ended_at=row["at"],
        provider=row["provider"],
        model=row["model"],
        tool=row["tool"],
        outcome=row["outcome"],
        basis=row["basis"],
        cost=row["cost"],
        held=None,
        held_by=(),
        input_tokens=row["input_tokens"],
        cached_tokens=row["cached_tokens"],
        output_tokens=row["output_tokens"],
        rating=row["rating"],
        shared_by=row["shares"],
    )


def _under_way(row: Any, names: dict[str, str]) -> AttemptRow:
    budgets = row["held"].split()[::2]  # pairs of a budget's id and its window's start
    return AttemptRow(
        attempt_id=row["id"],
        began_at=row["opened_at"],
        ended_at=None,
        provider=row["provider"],
        model=row["model"],
        tool=row["tool"],
        outcome="",
        basis="",
        cost=None,
        held=row["worst_cost"],
        held_by=tuple(names.get(budget, "a budget that is gone") for budget in budgets),
        input_tokens=0,
        cached_tokens=0,
        output_tokens=0,
        rating=None,
        shared_by=0,
    )
