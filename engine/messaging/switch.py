"""The one switch that halts all sending, and the pauses of single accounts. Both last across restarts."""

from __future__ import annotations

import json

from engine.events import AccountPaused, AccountResumed, SendingHalted, SendingResumed
from engine.kernel.errors import CommandRefused, Refusal
from engine.storage import Reader, Tx

_HALTED = "halted"


def halt(tx: Tx, actor: str, now: int) -> bool:
    """Halt all sending; False when it was halted already."""
    if halted(tx):
        return False
    value = json.dumps({"actor": actor, "at": now})
    tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_HALTED, value))
    tx.emit(SendingHalted(at=now, actor=actor))
    return True


def resume(tx: Tx, actor: str, now: int) -> bool:
    """Let messages go out again; False when they already may."""
    if not tx.execute("DELETE FROM meta WHERE key = ?", (_HALTED,)).rowcount:
        return False
    tx.emit(SendingResumed(at=now, actor=actor))
    return True


def halted(tx: Tx) -> bool:
    return tx.execute("SELECT 1 FROM meta WHERE key = ?", (_HALTED,)).fetchone() is not None


async def read_halt(reader: Reader) -> tuple[str, int]:
    """Who halted sending, and when; an empty actor when it is not halted."""
    row = await reader.row("SELECT value FROM meta WHERE key = ?", (_HALTED,))
    if row is None:
        return "", 0
    found = json.loads(row["value"])
    return found["actor"], found["at"]


def pause_account(tx: Tx, account_id: str, reason: str, now: int) -> None:
    """Send nothing for an account until a person resumes it."""
    tx.execute(
        "INSERT INTO accounts (account_id, seen_at, paused) VALUES (?, ?, ?)"
        " ON CONFLICT (account_id) DO UPDATE SET paused = excluded.paused",
        (account_id, now, reason),
    )
    tx.emit(AccountPaused(at=now, account_id=account_id, reason=reason))


def resume_account(tx: Tx, account_id: str, actor: str, now: int) -> None:
    """Raises CommandRefused for an account that is unknown (NOT_FOUND) or not paused (CONFLICT)."""
    row = tx.execute("SELECT paused FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
    if row is None:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no account {account_id!r}", field="account_id")
    if not row["paused"]:
        raise CommandRefused(Refusal.CONFLICT, f"account {account_id!r} is not paused")
    tx.execute("UPDATE accounts SET paused = '' WHERE account_id = ?", (account_id,))
    tx.emit(AccountResumed(at=now, account_id=account_id, actor=actor))


def paused(tx: Tx, account_id: str) -> str:
    """Why an account is paused, or empty."""
    row = tx.execute("SELECT paused FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
    return row["paused"] if row else ""
