"""The table `audit`: who asked what of the engine, what that changed, and what would put it back. Append-only.

Nothing here decides what is written: see engine.runtime.auditing. The schema itself refuses to change a row, and to
delete one that the keeper has not let go.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import DAY
from engine.storage import Reader, Tx
from engine.surface.queries import ListAudit, Page
from engine.surface.rows import AuditRow

KEPT = 400 * DAY  # nanoseconds: a year, and the weeks in which somebody looks back at it
MOST = 1_000_000  # rows from which on refused ones go early: they cost their sender nothing
_AT_ONCE = 5_000  # rows removed, or looked through, in one transaction

_MAY_BE = "inverse != '' AND NOT EXISTS (SELECT 1 FROM audit u WHERE u.undoes = audit.audit_id)"  # undone
_LISTED = "SELECT audit.*, (SELECT audit_id FROM audit u WHERE u.undoes = audit.audit_id) AS undone_by FROM audit"
_INSERT = """
INSERT INTO audit (at, actor, via, action, subject, summary, "before", "after", outcome, ground, stands, inverse,
                   why_not, undoes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row. `ground`, `stands` and `inverse` are JSON for an undo, empty where there is none; see 0018_audit.sql."""

    at: int
    actor: str
    via: str
    action: str
    subject: str
    summary: str
    before: str = ""
    after: str = ""
    outcome: str = "done"
    ground: str = ""
    stands: str = ""
    inverse: str = ""
    why_not: str = ""
    undoes: int | None = None


def append(tx: Tx, entry: Entry) -> int:
    """Write a row; its number."""
    values = (
        entry.at,
        entry.actor,
        entry.via,
        entry.action,
        entry.subject,
        entry.summary,
        entry.before,
        entry.after,
        entry.outcome,
        entry.ground,
        entry.stands,
        entry.inverse,
        entry.why_not,
        entry.undoes,
    )
    number = tx.execute(_INSERT, values).lastrowid
    assert number is not None  # noqa: S101 - a row was inserted
    return number


def undoable(tx: Tx, audit_id: int) -> Entry:
    """An action that may be undone. Raises CommandRefused with the reason where none is."""
    row = tx.execute(f"{_LISTED} WHERE audit_id = ?", (audit_id,)).fetchone() if 0 < audit_id < 1 << 63 else None
    if row is None:
        message = f"the audit has no row {audit_id}"
        raise CommandRefused(Refusal.NOT_FOUND, message, field="audit_id", remedy=_newest(tx))
    if row["undone_by"] is not None:
        by = row["undone_by"]
        message = f"{audit_id} was undone already, by {by}"
        raise CommandRefused(Refusal.CONFLICT, message, remedy=f"To have it back, undo {by}")
    if not row["inverse"]:
        raise CommandRefused(Refusal.CONFLICT, f"{audit_id} cannot be undone: {row['why_not']}", remedy=_newest(tx))
    names = Entry.__dataclass_fields__
    return Entry(**{name: row[name] for name in row.keys() if name in names})  # noqa: SIM118 - a Row iterates values


def _newest(tx: Tx) -> str:
    """What may be undone instead. Looked for among the newest rows: the writer waits meanwhile."""
    recent = f"audit_id > (SELECT max(audit_id) FROM audit) - {_AT_ONCE}"
    sql = f"SELECT audit_id, actor, summary FROM audit WHERE {recent} AND {_MAY_BE} ORDER BY audit_id DESC LIMIT 1"
    row = tx.execute(sql).fetchone()
    if row is None:
        return "Nothing that was done lately can be undone"
    return f"The newest that can be is {row['audit_id']}, by {row['actor']}: {row['summary']}"


async def listing(reader: Reader, query: ListAudit) -> Page[AuditRow]:
    """Newest first. Raises CommandRefused(INVALID) for a foreign cursor."""
    limit = max(1, min(query.limit, 1000))
    clauses = ["audit_id < ?", "at >= ?"]
    bound: list[str | int] = [_read_cursor(query.cursor), query.since]
    if query.undoable:
        clauses.append(_MAY_BE)
    for column in ("actor", "action", "subject"):
        clause, values = _matching(column, getattr(query, column))
        clauses += clause
        bound += values
    rows = await reader.rows(
        f"{_LISTED} WHERE {' AND '.join(clauses)} ORDER BY audit_id DESC LIMIT ?", (*bound, limit + 1)
    )
    page = tuple(map(_row, rows[:limit]))
    return Page(page, str(page[-1].audit_id) if len(rows) > limit else None)


def prune(tx: Tx, now: int, *, most: int = MOST) -> int:
    """Remove what is past its time, and the oldest refused ones while there are too many rows; how many went."""
    before, spill = now - KEPT, _spill(tx, most)
    if not spill and tx.execute("SELECT 1 FROM audit WHERE at < ? LIMIT 1", (before,)).fetchone() is None:
        return 0
    tx.execute("UPDATE audit_keeping SET before = ?, spill = ?", (before, spill))
    sql = "DELETE FROM audit WHERE audit_id IN (SELECT audit_id FROM audit WHERE {} ORDER BY audit_id LIMIT ?)"
    old = tx.execute(sql.format("at < ?"), (before, _AT_ONCE)).rowcount
    early = tx.execute(sql.format("outcome = 'refused' AND audit_id <= ?"), (spill, _AT_ONCE)).rowcount if spill else 0
    tx.execute("UPDATE audit_keeping SET before = 0, spill = 0")
    return old + early


def _spill(tx: Tx, most: int) -> int:
    """Up to which number refused rows go, so that no more than the most are left; 0 for none."""
    first, last = tx.execute("SELECT min(audit_id), max(audit_id) FROM audit").fetchone()
    if first is None or last - first < most:
        return 0
    over = tx.execute("SELECT count(*) FROM audit").fetchone()[0] - most
    if over <= 0:
        return 0
    found = tx.execute(
        "SELECT audit_id FROM audit WHERE outcome = 'refused' ORDER BY audit_id LIMIT 1 OFFSET ?",
        (min(over, _AT_ONCE) - 1,),
    ).fetchone()
    return found[0] if found else int(last)


def _matching(column: str, pattern: str) -> tuple[list[str], list[str]]:
    if not pattern:
        return [], []
    if pattern.endswith("*"):
        return [f"{column} >= ?", f"{column} < ?"], [pattern[:-1], pattern[:-1] + "\U0010ffff"]
    if column == "actor" and "@" not in pattern:  # a user, wherever they are
        return ["(actor = ? OR actor >= ? AND actor < ?)"], [pattern, pattern + "@", pattern + "@\U0010ffff"]
    return [f"{column} = ?"], [pattern]


def _read_cursor(cursor: str) -> int:
    if not cursor:
        return (1 << 63) - 1
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise CommandRefused(Refusal.INVALID, f"{cursor!r} is not a cursor of the audit", field="cursor")
    return int(cursor)


def _row(row: sqlite3.Row) -> AuditRow:
    return AuditRow(
        audit_id=row["audit_id"],
        at=row["at"],
        actor=row["actor"],
        via=row["via"],
        action=row["action"],
        subject=row["subject"],
        summary=row["summary"],
        before=row["before"],
        after=row["after"],
        outcome=row["outcome"],
        undoable=bool(row["inverse"]) and row["undone_by"] is None,
        undone_by=row["undone_by"],
        why_not=row["why_not"],
    )
