"""The doors to what lasts: the state directory and its SQLite database.

The database is loaded by who asks for it: a console that only looks for an engine does without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.storage.directory import Mode, StateDirectory

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module("engine.storage.sqlite"), name)
