"""The doors to what lasts: the state directory and its SQLite database."""

from engine.storage.directory import Mode, StateDirectory
from engine.storage.sqlite import Database, Reader, Tx, Write, connect, migrate

__all__ = ["Database", "Mode", "Reader", "StateDirectory", "Tx", "Write", "connect", "migrate"]
