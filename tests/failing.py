"""A database that stops writing, as a full or a broken disk makes it: SQLite itself refuses, nothing is replaced."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from engine.storage import Database

_TRANSACTION = 22  # SQLITE_TRANSACTION, which Python's module has no name for

Refused = Callable[[int, str | None], bool]
"""Whether SQLite refuses an action (a code of its authorizer) on a name."""


def commits(action: int, name: str | None) -> bool:
    """Every commit fails: nobody knows what became of it."""
    return action == _TRANSACTION and name == "COMMIT"


def begins(action: int, name: str | None) -> bool:
    """No transaction begins, as while a stranger's tool locks the file."""
    return action == _TRANSACTION and name == "BEGIN"


def inserts_into(table: str) -> Refused:
    """A statement fails in the middle of a write, which alone is undone."""
    return lambda action, name: action == sqlite3.SQLITE_INSERT and name == table


@asynccontextmanager
async def refusing(database: Database, refused: Refused) -> AsyncIterator[None]:
    """What `refused` says fails for the length of the block."""
    connection = await database.write(lambda tx: tx.connection)

    def judge(action: int, name: str | None, *_: str | None) -> int:
        return sqlite3.SQLITE_DENY if refused(action, name) else sqlite3.SQLITE_OK

    connection.set_authorizer(judge)
    try:
        yield
    finally:
        connection.set_authorizer(None)
