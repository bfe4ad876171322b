"""Writes a recording: events in chunks, snapshots between them, and never more than was allowed.

Every chunk is handed to the system as it is made, so a killed recorder loses what it had not yet written: at most the
events since its last `flush`. Files are private to their owner, and nothing is ever written over.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from engine.events import from_fields
from engine.surface import wire
from engine.surface.rows import DeliveryRow, EventRow
from engine.surface.snapshot import Snapshot
from screens.recording.frames import (
    ANSWER,
    EVENTS,
    HEADER,
    KEYFRAME,
    LARGEST,
    TEXTS,
    TICK,
    VERSION,
    RecordingError,
    first_line,
    pack,
)
from screens.recording.marks import mark_of

CHUNK = 1_000  # events a chunk at most
_LEAST_BYTES = 1 << 20  # what a recording needs to be one
_PAGE = 128 << 10  # bytes that may come between two looks whether it is time to roll


class Tape:
    """An open recording. Not for two threads at once.

    At `most_bytes` it is full, and takes no more. Where it `rolls`, at half of that it is put aside as FILE.1 and begun
    again; the FILE.1 before goes. So the newest stays, and both together never hold more.
    """

    def __init__(self, path: Path, *, most_bytes: int, rolls: bool = False, with_text: bool = False) -> None:
        self.path, self.most_bytes, self.rolls, self.with_text = path, max(most_bytes, _LEAST_BYTES), rolls, with_text
        self.full = False
        self.events = 0
        self._size = 0  # of the file that is open
        self._older = 0  # of FILE.1, where there is one of this recording
        self._pending: list[EventRow] = []
        if rolls and _beside(path).exists():
            raise _taken(_beside(path))
        self._file = _create(path)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self._size + self._older

    def begin(self, snapshot: Snapshot, now: int) -> None:
        """Say what is recorded, and from where."""
        engine = snapshot.engine
        head = {
            "format": VERSION,
            "version": engine.version,
            "node": engine.node,
            "mode": engine.mode,
            "speed": engine.speed,
            "epoch": snapshot.epoch,
            "zone": engine.time_zone,
            "began": now,
            "text": self.with_text,
        }
        self._write(first_line() + pack(HEADER, head))
        self.keyframe(snapshot, now)

    def keyframe(self, snapshot: Snapshot, now: int) -> None:
        """Keep a snapshot: of the present after a gap, or of an event written before."""
        self.flush()
        head = {"epoch": snapshot.epoch, "seq": snapshot.seq, "now": now}
        self._write(pack(KEYFRAME, head, wire.dump(snapshot)))

    def add(self, rows: Sequence[EventRow]) -> None:
        """Events in their order, each behind the one before by one."""
        for row in rows:
            self._pending.append(row)
            if len(self._pending) >= CHUNK:
                self.flush()

    def texts(self, rows: Sequence[DeliveryRow]) -> None:
        """Deliveries with their texts; only where text was asked for."""
        if self.with_text and rows:
            self._write(pack(TEXTS, {"n": len(rows)}, b"\n".join(map(orjson.dumps, rows))))

    def answer(self, what: str, head: Mapping[str, int], rows: Sequence[Any]) -> None:
        """Something that the engine was asked beside its events: `what`, and when it was so."""
        body = b"\n".join(map(orjson.dumps, rows))
        if len(body) <= LARGEST:
            self._write(pack(ANSWER, {"what": what, "n": len(rows), **head}, body))

    def flush(self, now: int | None = None) -> None:
        """Write what is pending; `now` says how far the recording reaches although nothing happened."""
        rows, self._pending = self._pending, []
        if rows and self._write(_chunk(rows)):
            self.events += len(rows)
        if now is not None:
            self._write(pack(TICK, {"now": now}))

    def close(self, now: int | None = None) -> None:
        if self._file < 0:
            return
        try:
            self.flush(now)
            os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = -1

    @property
    def rolls_now(self) -> bool:
        """Whether the file is due to be put aside: `roll` then, with a snapshot of the newest event written."""
        return self.rolls and self._size > self.most_bytes // 2 - _PAGE

    def roll(self, snapshot: Snapshot, now: int) -> None:
        """Put what was written aside, and begin again from here."""
        self.flush()
        os.close(self._file)
        self._file = -1
        self.path.replace(_beside(self.path))
        self._older, self._size = self._size, 0
        self._file = _create(self.path)
        self.begin(snapshot, now)

    def _write(self, data: bytes) -> bool:
        if self.full or self._size + len(data) > self.most_bytes:
            self.full = True
            return False
        try:
            written = os.write(self._file, data)
        except OSError as error:
            raise RecordingError(f"{self.path} cannot be written: {error.strerror}") from error
        self._size += written
        if written < len(data):
            raise RecordingError(f"{self.path} cannot be written: the disk is full")
        return True


def _create(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror}") from error


def _beside(path: Path) -> Path:
    """Where the older half goes."""
    return path.with_name(path.name + ".1")


def _taken(path: Path) -> RecordingError:
    return RecordingError(f"{path} exists", remedy="Choose another name: nothing is written over")


def seq_of(row: EventRow) -> int:
    """The sequence number in an event's id. Raises RecordingError for an id that has none."""
    number = row.event_id.rpartition(":")[2]
    if not number.isdecimal() or len(number) > 19:
        raise RecordingError("the engine told of an event without a number")
    return int(number)


def _chunk(rows: Sequence[EventRow]) -> bytes:
    lines: list[bytes] = []
    marks: list[tuple[int, int, str]] = []
    for index, row in enumerate(rows):
        lines.append(orjson.dumps({"seq": seq_of(row), "kind": row.kind, "fields": dict(row.fields)}))
        event = _event(row)
        if event is not None and (mark := mark_of(event)):
            marks.append((index, row.at, mark))
    instants = [row.at for row in rows]
    head = {
        "n": len(rows),
        "first": seq_of(rows[0]),
        "ats": [instants[0], max(instants), instants[-1]],
        "marks": marks[:200],
    }
    return pack(EVENTS, head, b"\n".join(lines))


def _event(row: EventRow) -> Any:
    try:
        return from_fields(row.kind, row.fields)
    except TypeError:  # an event of another version, with fewer fields
        return None
