"""The terminal's driver, with a writer that outlives its terminal.

Textual writes from a thread of its own, over a bounded queue. A terminal that hangs up makes a write fail and would end
that thread; whoever leaves next then waits for ever for room in a queue that nobody empties.
"""

from __future__ import annotations

import contextlib
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver


class LastingDriver(LinuxDriver):
    """Textual's own, but for the file it writes to."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._file: Any = _Forgiving(self._file)


class _Forgiving:
    """A file whose writes go nowhere once it is gone."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()
