"""One task's calls: every attempt that its trace holds, those under way among them, and whose budgets hold their worst.

Entries are kept by time, not by trace, so attempts are looked for around a time: the one that is named, that of the
call whose id is given, the one that the trace's own id was made at, or that of the newest entry that has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import MINUTE, instant_in, iso
from engine.storage import Reader
from engine.surface.rows import AttemptRow

AROUND = 15 * MINUTE  # nanoseconds before and after; a task's deadline is far shorter
_MOST = 200
_FARTHEST = 1_000_000  # newest entries read for a trace whose time nothing tells: a second's work
_SLICE = 100_000  # of them at once, so that a reader is never kept for long
_LONGEST_SHOWN = 100  # characters of an id that are repeated

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
_CALL = """
    SELECT trace_id, at FROM entries WHERE id = ?1 UNION ALL SELECT trace_id, opened_at FROM attempts WHERE id = ?1"""
_NEWEST = "SELECT at FROM entries WHERE number > ? AND number <= ? AND trace_id = ? ORDER BY number DESC LIMIT 1"


async def attempts_of(reader: Reader, wanted: str, at: int = 0) -> tuple[AttemptRow, ...]:
    """The attempts of a trace, or of the one that a call belongs to, in the order they began, of whatever age.

    `at` says around when it ran, where that is known. Raises CommandRefused (NOT_FOUND) where the ledger holds none.
    """
    call = await reader.row(_CALL, (wanted,))
    trace_id = call["trace_id"] or wanted if call else wanted
    tried = ((at,) if at else ()) + ((call["at"],) if call else (instant_in(wanted) or 0,))
    for moment in tried:
        if found := await _around(reader, trace_id, moment):
            return found
    if newest := await _newest(reader, trace_id):
        return await _around(reader, trace_id, newest)
    raise await _unknown(reader, wanted)


async def _around(reader: Reader, trace_id: str, at: int) -> tuple[AttemptRow, ...]:
    """What of a trace is under way, or ended within a quarter of an hour of `at`.

    What is under way is read first, so that one that ends meanwhile is met twice rather than never.
    """
    under_way = await reader.rows(_OPEN, (trace_id, _MOST))
    ended = await reader.rows(_ENDED, (at - AROUND, at + AROUND, trace_id, _MOST))
    names = {str(row["id"]): f"{row['name']} {row['window']}" for row in await _budgets(reader, under_way)}
    rows = {row["id"]: _under_way(row, names) for row in under_way} | {row["id"]: _ended(row) for row in ended}
    return tuple(sorted(rows.values(), key=lambda row: row.began_at))


async def _newest(reader: Reader, trace_id: str) -> int:
    """When the newest entry of a trace ended, 0 where none of the newest million is of it."""
    for first, last in _slices(await _last_number(reader)):
        if found := await reader.row(_NEWEST, (first, last, trace_id)):
            return int(found["at"])
    return 0


async def _last_number(reader: Reader) -> int:
    found = await reader.row("SELECT max(number) AS number FROM entries")
    return int(found["number"] or 0) if found else 0


def _slices(last: int) -> Iterator[tuple[int, int]]:
    """Spans of entry numbers, from after the first to the second, the newest first."""
    for end in range(last, max(0, last - _FARTHEST), -_SLICE):
        yield max(0, end - _SLICE), end


async def _unknown(reader: Reader, wanted: str) -> CommandRefused:
    """Why nothing was found: it is older than what is kept, or it is no id of the ledger's."""
    made, oldest = instant_in(wanted), await reader.row("SELECT min(at) AS at FROM entries")
    since = oldest["at"] if oldest else None
    remedy = "huntaze costs --calls lists the calls that are kept, with --json their traces"
    if since is None:
        message = "the ledger holds no call yet"
    elif made is not None and made < since - AROUND:
        message = f"that task is of {iso(made)}, and the ledger goes back to {iso(since)} only: it is not kept"
    else:
        message = f"the ledger holds no attempt of {wanted[:_LONGEST_SHOWN]!r}"
    return CommandRefused(Refusal.NOT_FOUND, message, field="trace_id", remedy=remedy)


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
