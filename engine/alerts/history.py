"""The tables `alerts` and `notices`: what is open, what was, what somebody has yet to be told.

Alerts change only here, each change with its event, and each notice is queued in the transaction that made it news.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.alerts import silences
from engine.alerts.alert import Alert, Firing, Key, Rule, Severity, Told
from engine.alerts.channel import Kind, Line
from engine.events import (
    AlertAcknowledged,
    AlertOpened,
    AlertResolved,
    AlertUnacknowledged,
    AlertUpdated,
    NotificationFailed,
    NotificationSent,
)
from engine.kernel.errors import CommandRefused, Refusal
from engine.storage import Reader, Tx
from engine.surface.queries import ListAlerts, Page
from engine.surface.rows import AlertRow
from engine.surface.snapshot import AlertView, SilenceView, silenced_until

_PRUNED_AT_ONCE = 1_000  # alerts deleted in one transaction
_LISTED = """
SELECT alerts.*,
    (SELECT COUNT(*) FROM notices WHERE notices.alert_id = alerts.alert_id AND state = 'sent') AS notices,
    coalesce((SELECT error FROM notices WHERE notices.alert_id = alerts.alert_id AND error != ''
              ORDER BY at DESC LIMIT 1), '') AS last_notice_error
FROM alerts
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What decides about the next notice: the open alerts, and what was recently told or opened.

    `told` also holds alerts that have resolved since; `openings` maps a key to its recent openings, ascending.
    `silences` are those nobody has ended, also where their time is over.
    """

    alerts: tuple[Alert, ...] = ()
    told: dict[Key, Told] = field(default_factory=dict)
    openings: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    silences: tuple[SilenceView, ...] = ()


# ── for the faces ───────────────────────────────────────────────────────────────────────────────────────────────────


async def open_alerts(reader: Reader, now: int) -> list[AlertView]:
    """Every open alert, oldest first."""
    live = await silences.live(reader, now)
    rows = await reader.rows("SELECT * FROM alerts WHERE resolved_at IS NULL ORDER BY opened_at, alert_id")
    return [
        AlertView(
            alert_id=row["alert_id"],
            rule=row["rule"],
            subject=row["subject"],
            severity=row["severity"],
            summary=row["summary"],
            opened_at=row["opened_at"],
            acknowledged_by=row["acknowledged_by"],
            silenced_until=silenced_until(live, row["rule"], row["subject"], row["severity"]),
        )
        for row in rows
    ]


async def list_alerts(reader: Reader, query: ListAlerts, now: int) -> Page[AlertRow]:
    """Open alerts, or the whole history, newest first. Raises CommandRefused(INVALID) for a foreign cursor."""
    limit = max(1, min(query.limit, 1000))
    clauses, bound = (["resolved_at IS NULL"] if query.open_only else []), []
    if query.cursor:
        clauses.append("(opened_at, alert_id) < (?, ?)")
        bound = list(_read_cursor(query.cursor))
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    rows = await reader.rows(f"{_LISTED} {where} ORDER BY opened_at DESC, alert_id DESC LIMIT ?", (*bound, limit + 1))
    live = await silences.live(reader, now)
    page = tuple(_row(row, live) for row in rows[:limit])
    return Page(page, f"{page[-1].opened_at}.{page[-1].alert_id}" if len(rows) > limit else None)


def acknowledge(tx: Tx, alert_id: str, actor: str, now: int) -> None:
    """Somebody is on it: no further notice goes out, nor one that still waits.

    Raises CommandRefused for an alert that is unknown (NOT_FOUND), or over or acknowledged already (CONFLICT).
    """
    row = tx.execute("SELECT * FROM alerts WHERE alert_id = ?", (alert_id,)).fetchone()
    if row is None:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no alert {alert_id!r}", field="alert_id")
    if row["resolved_at"] is not None:
        raise CommandRefused(Refusal.CONFLICT, "the alert is over: it resolved by itself")
    if row["acknowledged_by"]:
        raise CommandRefused(Refusal.CONFLICT, f"the alert was acknowledged by {row['acknowledged_by']} already")
    tx.execute("UPDATE alerts SET acknowledged_by = ?, acknowledged_at = ? WHERE alert_id = ?", (actor, now, alert_id))
    tx.execute(
        "UPDATE notices SET state = 'withdrawn', settled_at = ? WHERE alert_id = ? AND state = 'waiting'",
        (now, alert_id),
    )
    tx.emit(AlertAcknowledged(at=now, alert_id=alert_id, actor=actor))


def unacknowledge(tx: Tx, alert_id: str, actor: str, now: int) -> None:
    """Nobody is on it after all: it notifies again.

    Raises CommandRefused for an alert that is unknown (NOT_FOUND), or over or not acknowledged (CONFLICT).
    """
    row = tx.execute("SELECT * FROM alerts WHERE alert_id = ?", (alert_id,)).fetchone()
    if row is None:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no alert {alert_id!r}", field="alert_id")
    if row["resolved_at"] is not None:
        raise CommandRefused(Refusal.CONFLICT, "the alert is over: it resolved by itself")
    if not row["acknowledged_by"]:
        raise CommandRefused(Refusal.CONFLICT, "nobody has acknowledged the alert")
    tx.execute("UPDATE alerts SET acknowledged_by = '', acknowledged_at = NULL WHERE alert_id = ?", (alert_id,))
    silences.withdraw(tx, alert_id, now)
    tx.emit(AlertUnacknowledged(at=now, alert_id=alert_id, actor=actor))


def _row(row: sqlite3.Row, live: Sequence[SilenceView]) -> AlertRow:
    open_ = row["resolved_at"] is None
    return AlertRow(
        alert_id=row["alert_id"],
        rule=row["rule"],
        subject=row["subject"],
        severity=row["severity"],
        summary=row["summary"],
        opened_at=row["opened_at"],
        resolved_at=row["resolved_at"],
        acknowledged_by=row["acknowledged_by"],
        acknowledged_at=row["acknowledged_at"],
        notices=row["notices"],
        last_notice_error=row["last_notice_error"],
        silenced_until=silenced_until(live, row["rule"], row["subject"], row["severity"]) if open_ else None,
    )


def _read_cursor(cursor: str) -> tuple[int, str]:
    at, _, alert_id = cursor.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) < 20):
        raise CommandRefused(Refusal.INVALID, f"{cursor!r} is not a cursor of a list of alerts", field="cursor")
    return int(at), alert_id


# ── for the service ─────────────────────────────────────────────────────────────────────────────────────────────────


def read_state(tx: Tx, *, told_after: int, opened_after: int) -> State:
    """Where the alerts stand. The instants bound how far back notices and openings still matter."""
    known = {rule.value for rule in Rule}  # a rule of another version stays in its row and is left alone
    rows = [row for row in tx.execute("SELECT * FROM alerts WHERE resolved_at IS NULL") if row["rule"] in known]
    recent = tx.execute(
        "SELECT * FROM alerts WHERE opened_at >= ? OR resolved_at >= ? ORDER BY opened_at",
        (opened_after, min(told_after, opened_after)),
    )
    told: dict[Key, Told] = {}
    openings: dict[Key, tuple[int, ...]] = {}
    for row in recent:
        if row["rule"] not in known:
            continue
        key = (Rule(row["rule"]), row["subject"])
        if (last := _told(row)) and last.at > told_after:
            told[key] = last
        if row["opened_at"] >= opened_after:
            openings[key] = (*openings.get(key, ()), row["opened_at"])
    return State(alerts=tuple(map(_alert, rows)), told=told, openings=openings, silences=silences.unended(tx))


def insert(tx: Tx, alert_id: str, firing: Firing, last: Told | None, now: int) -> Alert:
    """Open an alert. `last` is what was told of the same rule and subject before. The schema forbids a second one."""
    tx.execute(
        "INSERT INTO alerts (alert_id, rule, subject, severity, summary, gist, opened_at, changed_at, told_at,"
        " told_severity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            alert_id,
            firing.rule,
            firing.subject,
            firing.severity,
            firing.summary,
            firing.gist,
            now,
            now,
            last.at if last else None,
            last.severity if last else "",
        ),
    )
    tx.emit(
        AlertOpened(
            at=now,
            alert_id=alert_id,
            rule=firing.rule.value,
            subject=firing.subject,
            severity=firing.severity.value,
            summary=firing.summary,
        )
    )
    return Alert(
        alert_id=alert_id,
        rule=firing.rule,
        subject=firing.subject,
        severity=firing.severity,
        summary=firing.summary,
        gist=firing.gist,
        opened_at=now,
        last=last,
    )


def update(tx: Tx, alert: Alert, firing: Firing, now: int) -> None:
    """Take over a new severity and summary."""
    tx.execute(
        "UPDATE alerts SET severity = ?, summary = ?, gist = ?, changed_at = ? WHERE alert_id = ?",
        (firing.severity, firing.summary, firing.gist, now, alert.alert_id),
    )
    tx.emit(AlertUpdated(at=now, alert_id=alert.alert_id, severity=firing.severity.value, summary=firing.summary))


def resolve(tx: Tx, alert: Alert, now: int) -> None:
    """Close an alert. Reminders of it that still wait say nothing new any more."""
    tx.execute("UPDATE alerts SET resolved_at = ?, changed_at = ? WHERE alert_id = ?", (now, now, alert.alert_id))
    tx.execute(
        "UPDATE notices SET state = 'withdrawn', settled_at = ?"
        " WHERE alert_id = ? AND state = 'waiting' AND kind = 'reminder'",
        (now, alert.alert_id),
    )
    tx.emit(AlertResolved(at=now, alert_id=alert.alert_id))


def queue_notice(
    tx: Tx, alert: Alert, kind: Kind, severity: Severity, summary: str, channels: Sequence[str], now: int
) -> None:
    """Put a notice into the outbox of each channel, and remember that the alert was told."""
    if kind is not Kind.RESOLVED:
        tx.execute(
            "UPDATE alerts SET told = 1, told_at = ?, told_severity = ? WHERE alert_id = ?",
            (now, severity, alert.alert_id),
        )
    tx.executemany(
        "INSERT INTO notices (notice_id, alert_id, channel, kind, severity, summary, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (f"{alert.alert_id}/{channel}/{kind}/{now}", alert.alert_id, channel, kind, severity, summary, now)
            for channel in channels
        ],
    )


def prune(tx: Tx, before: int) -> int:
    """Forget alerts that resolved before an instant, with their notices; how many, at most a thousand at once."""
    return tx.execute(
        "DELETE FROM alerts WHERE alert_id IN"
        " (SELECT alert_id FROM alerts WHERE resolved_at < ? ORDER BY resolved_at LIMIT ?)",
        (before, _PRUNED_AT_ONCE),
    ).rowcount


def _alert(row: sqlite3.Row) -> Alert:
    return Alert(
        alert_id=row["alert_id"],
        rule=Rule(row["rule"]),
        subject=row["subject"],
        severity=Severity(row["severity"]),
        summary=row["summary"],
        gist=row["gist"],
        opened_at=row["opened_at"],
        acknowledged_by=row["acknowledged_by"],
        told=bool(row["told"]),
        last=_told(row),
    )


def _told(row: sqlite3.Row) -> Told | None:
    return Told(at=row["told_at"], severity=Severity(row["told_severity"])) if row["told_at"] is not None else None


# ── for the senders ─────────────────────────────────────────────────────────────────────────────────────────────────


async def waiting(reader: Reader, channel: str, limit: int) -> list[Line]:
    """Notices that a channel has yet to take, oldest first."""
    rows = await reader.rows(
        "SELECT notices.*, alerts.rule, alerts.subject, alerts.opened_at FROM notices JOIN alerts USING (alert_id)"
        " WHERE channel = ? AND state = 'waiting' ORDER BY at, notice_id LIMIT ?",
        (channel, limit),
    )
    return [
        Line(
            notice_id=row["notice_id"],
            alert_id=row["alert_id"],
            kind=Kind(row["kind"]),
            rule=row["rule"],
            subject=row["subject"],
            severity=Severity(row["severity"]),
            summary=row["summary"],
            opened_at=row["opened_at"],
            at=row["at"],
        )
        for row in rows
    ]


def mark_sent(tx: Tx, channel: str, lines: Sequence[Line], now: int) -> None:
    for line in lines:
        tx.execute(
            "UPDATE notices SET state = 'sent', attempts = attempts + 1, error = '', settled_at = ?"
            " WHERE notice_id = ?",
            (now, line.notice_id),
        )
        tx.emit(NotificationSent(at=now, alert_id=line.alert_id, channel=channel, kind=line.kind.value))


def mark_failed(tx: Tx, channel: str, lines: Sequence[Line], error: str, now: int, *, final: bool) -> None:
    """Note a failed try. Only its first and its last one are events: the tries between say nothing new."""
    for line in lines:
        row = tx.execute(
            "UPDATE notices SET attempts = attempts + 1, error = ?, state = ?, settled_at = ?"
            " WHERE notice_id = ? AND state = 'waiting' RETURNING attempts",
            (error, "failed" if final else "waiting", now if final else None, line.notice_id),
        ).fetchone()
        if row is not None and (final or row["attempts"] == 1):
            tx.emit(NotificationFailed(at=now, alert_id=line.alert_id, channel=channel, error=error, final=final))
