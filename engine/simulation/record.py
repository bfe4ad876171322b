"""The world's own record of what arrived, when, and what it answered: JSON lines, read by the checkers.

A line is handed to the kernel before the answer it describes leaves, so whoever holds an answer finds its line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import orjson


class Record(Protocol):
    """Where the world notes what happened."""

    def add(self, **fields: Any) -> None:
        """Append one line; returns once the operating system has it."""
        ...

    def close(self) -> None: ...


class FileRecord:
    """A record in a file of its own, appended to."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def add(self, **fields: Any) -> None:
        self._file.write(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        self._file.close()
