"""Server-sent events out of the bytes of a stream. Pure.

It works on bytes, so that a character split between two reads stays whole; lines may end in LF, CRLF or CR; comments
and fields other than `data` are passed over. What one event may hold is bounded.
"""

from __future__ import annotations

LONGEST_EVENT = 8 << 20  # bytes; a provider's largest are below one MiB


class TooLong(ValueError):
    """An event outgrew the bound."""


class EventReader:
    """`feed` it what arrives, in any pieces; `end` it when nothing more comes."""

    def __init__(self, longest: int = LONGEST_EVENT) -> None:
        self._longest = longest
        self._waiting: list[bytes] = []  # pieces of a line whose end has not come
        self._data: list[bytes] = []  # the data lines of the event under way
        self._size = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of every event that this piece completes. Raises TooLong."""
        self._size += len(piece)
        if b"\n" not in piece and b"\r" not in piece:
            self._waiting.append(piece)
            self._check()
            return []
        lines = b"".join((*self._waiting, piece)).splitlines(keepends=True)
        self._waiting = [lines.pop()] if not lines[-1].endswith(b"\n") else []  # a CR may yet be half of a CRLF
        found: list[bytes] = []
        for line in lines:
            self._take(line.rstrip(b"\r\n"), found)
        self._check()
        return found

    def end(self) -> list[bytes]:
        """The data of a last event that no blank line followed: some servers leave that out."""
        found: list[bytes] = []
        if self._waiting:
            self._take(b"".join(self._waiting).rstrip(b"\r\n"), found)
            self._waiting = []
        self._take(b"", found)
        return found

    def _take(self, line: bytes, found: list[bytes]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line:
            if self._data:
                found.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
            self._size = sum(map(len, self._waiting))

    def _check(self) -> None:
        if self._size > self._longest:
            raise TooLong("an event of the stream is too long")
