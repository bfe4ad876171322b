"""The table `silences`: which alerts notify nobody for a while, by whose word and why.

A silence ends by its time, which the alerts' service notices, or by somebody's word; each end has its event. Alerts
that it covers open, change and resolve as always: see the pipeline.
"""

from __future__ import annotations

import sqlite3

from engine.alerts.alert import Rule, Severity
from engine.events import AlertsSilenced, SilenceEnded
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.text import clean
from engine.kernel.values import DAY
from engine.storage import Reader, Tx
from engine.surface.commands import SilenceAlerts
from engine.surface.queries import ListSilences, Page
from engine.surface.rows import SilenceRow
from engine.surface.snapshot import SilenceView

LONGEST = 30 * DAY  # nanoseconds; what is to be quiet for longer is a rule to change, not a moment to get through
MOST = 200  # that live at once
_LONGEST_SUBJECT = 200  # characters
_LONGEST_REASON = 500

_LIVE = "SELECT * FROM silences WHERE ended_at IS NULL AND ends_at > ? ORDER BY ends_at, silence_id"
_COVERS = " AND ".join(
    f"(s.{column} = '' OR a.{column} = s.{column} OR (substr(s.{column}, -1) = '*'"
    f" AND substr(a.{column}, 1, length(s.{column}) - 1) = substr(s.{column}, 1, length(s.{column}) - 1)))"
    for column in ("rule", "subject", "severity")
)
_LISTED = f"""
SELECT s.*, (SELECT count(*) FROM alerts a WHERE a.opened_at < coalesce(s.ended_at, s.ends_at)
             AND (a.resolved_at IS NULL OR a.resolved_at >= s.created_at) AND {_COVERS}) AS matched
FROM silences s
"""


def check(command: SilenceAlerts, now: int) -> None:
    """Raises CommandRefused(INVALID) for a silence that says nothing in particular, or lasts too long."""
    _check_pattern("rule", command.rule, tuple(Rule))
    _check_pattern("subject", command.subject, ())
    if command.severity and command.severity not in set(Severity):
        raise _wrong(f"a severity is one of {', '.join(Severity)}", "severity")
    if not any(pattern.rstrip("*") for pattern in (command.rule, command.subject, command.severity)):
        raise _wrong("a silence names a rule, a subject or a severity: one over everything would hide the next", "rule")
    if not clean(command.reason).strip() or len(command.reason) > _LONGEST_REASON:
        raise _wrong(f"a silence has a reason of 1 to {_LONGEST_REASON} characters, for who finds it", "reason")
    if command.ends_at <= now:
        raise _wrong("a silence ends in the future", "ends_at")
    if command.ends_at > now + LONGEST:
        raise _wrong(f"a silence lasts at most {LONGEST // DAY} days", "ends_at")


def create(tx: Tx, silence_id: str, command: SilenceAlerts, now: int) -> int:
    """Begin one, and withdraw what still waits to be sent of the alerts it covers; how many open alerts those are."""
    check(command, now)
    if tx.execute("SELECT count(*) FROM silences WHERE ended_at IS NULL").fetchone()[0] >= MOST:
        raise CommandRefused(Refusal.CONFLICT, f"{MOST} silences live already", remedy="End one that is not needed")
    reason, actor = clean(command.reason).strip(), clean(command.actor, limit=_LONGEST_SUBJECT).strip() or "operator"
    matchers = (command.rule, command.subject, command.severity)
    values = (silence_id, *matchers, reason, actor, now, command.ends_at, None)
    tx.execute("INSERT INTO silences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    row = tx.execute("SELECT * FROM silences WHERE silence_id = ?", (silence_id,)).fetchone()
    tx.emit(
        AlertsSilenced(
            at=now,
            silence_id=silence_id,
            rule=command.rule,
            subject=command.subject,
            severity=command.severity,
            reason=reason,
            ends_at=command.ends_at,
            actor=actor,
        )
    )
    return _withdraw(tx, _view(row), now)


def end(tx: Tx, silence_id: str, actor: str, now: int) -> None:
    """End one early. Raises CommandRefused for one that is unknown (NOT_FOUND) or over (CONFLICT)."""
    row = tx.execute("SELECT * FROM silences WHERE silence_id = ?", (silence_id,)).fetchone()
    if row is None:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no silence {silence_id!r}", field="silence_id")
    if row["ended_at"] is not None or row["ends_at"] <= now:
        raise CommandRefused(Refusal.CONFLICT, f"silence {silence_id!r} is over already")
    _end(tx, silence_id, actor, now)


def withdraw(tx: Tx, alert_id: str, now: int) -> None:
    """Take back notices of an alert that wait. Where nobody has heard of it by then, it counts as untold."""
    tx.execute(
        "UPDATE notices SET state = 'withdrawn', settled_at = ? WHERE alert_id = ? AND state = 'waiting'",
        (now, alert_id),
    )
    tx.execute(
        "UPDATE alerts SET told = 0, told_at = NULL, told_severity = '' WHERE alert_id = ? AND told = 1"
        " AND NOT EXISTS (SELECT 1 FROM notices WHERE notices.alert_id = alerts.alert_id AND state = 'sent')",
        (alert_id,),
    )


def expire(tx: Tx, now: int) -> None:
    """End those whose time is over."""
    rows = tx.execute("SELECT silence_id FROM silences WHERE ended_at IS NULL AND ends_at <= ?", (now,)).fetchall()
    for row in rows:
        _end(tx, row["silence_id"], "", now)


def prune(tx: Tx, before: int) -> None:
    """Forget those that ended before an instant."""
    tx.execute("DELETE FROM silences WHERE ended_at < ?", (before,))


def unended(tx: Tx) -> tuple[SilenceView, ...]:
    """Those that nobody has ended, also where their time is over."""
    return tuple(map(_view, tx.execute("SELECT * FROM silences WHERE ended_at IS NULL ORDER BY ends_at, silence_id")))


async def live(reader: Reader, now: int) -> list[SilenceView]:
    """Those that last, the one that ends first ahead."""
    return [_view(row) for row in await reader.rows(_LIVE, (now,))]


async def list_silences(reader: Reader, query: ListSilences, now: int) -> Page[SilenceRow]:
    """Live ones, the one that ends first ahead, or all, newest first. Raises CommandRefused(INVALID) for the cursor."""
    limit = max(1, min(query.limit, 1000))
    order = "created_at DESC, silence_id DESC" if query.all else "ends_at, silence_id"
    clause, bound = ("1", ()) if query.all else ("ended_at IS NULL AND ends_at > ?", (now,))
    if query.cursor:
        at, silence_id = _read_cursor(query.cursor)
        column, than = ("created_at", "<") if query.all else ("ends_at", ">")
        clause, bound = f"{clause} AND ({column}, silence_id) {than} (?, ?)", (*bound, at, silence_id)
    rows = await reader.rows(f"{_LISTED} WHERE {clause} ORDER BY {order} LIMIT ?", (*bound, limit + 1))
    page = tuple(SilenceRow(**dict(row)) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(page)
    last = page[-1]
    return Page(page, f"{last.created_at if query.all else last.ends_at}.{last.silence_id}")


def _check_pattern(field: str, pattern: str, known: tuple[str, ...]) -> None:
    if clean(pattern, limit=_LONGEST_SUBJECT) != pattern:
        raise _wrong(f"a {field} has at most {_LONGEST_SUBJECT} characters, on one line", field)
    stem = pattern.removesuffix("*")
    if "*" in stem:
        raise _wrong("a * stands at the end only, for any ending", field)
    if pattern and known and not any(one == pattern or (pattern != stem and one.startswith(stem)) for one in known):
        raise _wrong(f"there is no rule {pattern!r}; the rules are {', '.join(known)}", field)


def _withdraw(tx: Tx, silence: SilenceView, now: int) -> int:
    """Take back what waits to be said of the alerts it covers; how many are open."""
    rows = tx.execute("SELECT * FROM alerts WHERE resolved_at IS NULL").fetchall()
    covered = [row["alert_id"] for row in rows if silence.covers(row["rule"], row["subject"], row["severity"])]
    for alert_id in covered:
        withdraw(tx, alert_id, now)
    return len(covered)


def _end(tx: Tx, silence_id: str, actor: str, now: int) -> None:
    tx.execute("UPDATE silences SET ended_at = ? WHERE silence_id = ?", (now, silence_id))
    tx.emit(SilenceEnded(at=now, silence_id=silence_id, actor=actor))


def _view(row: sqlite3.Row) -> SilenceView:
    names = ("silence_id", "rule", "subject", "severity", "reason", "actor", "created_at", "ends_at")
    return SilenceView(**{name: row[name] for name in names})


def _read_cursor(cursor: str) -> tuple[int, str]:
    at, _, silence_id = cursor.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) < 20):
        raise CommandRefused(Refusal.INVALID, f"{cursor!r} is not a cursor of a list of silences", field="cursor")
    return int(at), silence_id


def _wrong(message: str, field: str) -> CommandRefused:
    return CommandRefused(Refusal.INVALID, message, field=field)
