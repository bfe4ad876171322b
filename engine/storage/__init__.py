"""The doors to what lasts: the state directory and its SQLite database."""

from engine.storage.directory import Mode, StateDirectory
from engine.storage.sqlite import Companion, Database, Reader, Tx, Write, accompanied, alone, connect, migrate

__all__ = [
    "Companion",
    "Database",
    "Mode",
    "Reader",
    "StateDirectory",
    "Tx",
    "Write",
    "accompanied",
    "alone",
    "connect",
    "migrate",
]
