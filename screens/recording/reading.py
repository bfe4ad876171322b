"""A recording opened: an index of it, and from it any moment that it holds.

A moment is a number of events: 0 is the beginning. Only the index is kept in memory, with the few chunks and snapshots
that were wanted last. Whatever the file holds, nothing of it is believed unseen: what is damaged or makes no sense is
left out, and `flaw` says so.
"""

from __future__ import annotations

import os
import stat
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from engine.events import EVENTS as KINDS_OF_EVENTS
from engine.events import Recorded
from engine.kernel.text import clean
from engine.surface import wire
from engine.surface.decoding import decode
from engine.surface.projection import fold
from engine.surface.rows import DeliveryRow
from engine.surface.snapshot import Snapshot
from screens.recording.frames import (
    ANSWER,
    EVENTS,
    HEADER,
    KEYFRAME,
    TEXTS,
    TICK,
    Frame,
    RecordingError,
    check_first_line,
    read_body,
    read_frame,
)
from screens.recording.marks import WORDS

_CHUNKS_HELD = 8  # decoded chunks in memory
_SNAPSHOTS_HELD = 64  # worked-out snapshots in memory
_HOLD_EVERY = 1_000  # events between snapshots that are held on the way
_MOST_MARKS = 5_000
_MOST_TEXTS = 20_000  # deliveries with a text, the newest
_LARGEST_CHUNK = 20_000  # events
_LATEST = 1 << 63
ANSWERS = frozenset({"sums", "budgets", "log"})  # what is asked beside the events
_NUMBERS = ("n", "seq", "since", "until", "calls", "whole", "gone", "run", "last")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something worth jumping to: the moment right after it."""

    position: int
    at: int
    kind: str


@dataclass(frozen=True, slots=True)
class _Chunk:
    frame: Frame
    start: int  # events before it
    count: int
    first: int  # sequence number of its first event
    before: int  # the latest instant before it
    latest: int  # the latest instant in it or before


@dataclass(frozen=True, slots=True)
class _Keyframe:
    frame: Frame
    position: int
    epoch: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What the engine answered beside its events, after so many of them; its head's numbers are whole, or left out."""

    frame: Frame
    position: int
    head: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What was recorded. Text in it is from the file, and clean."""

    version: str  # of the engine
    node: str
    mode: str
    zone: str
    began: int
    with_text: bool


class Recording:
    """See the module. Thread-safe. Raises RecordingError when opened on what is no recording."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.flaw = ""  # what is wrong with the file, in words; empty while nothing is
        self.events = 0
        self.marks: list[Mark] = []
        self._chunks: list[_Chunk] = []
        self._starts: list[int] = []
        self._latest: list[int] = []
        self._keyframes: list[_Keyframe] = []
        self._texts: list[Frame] = []
        self.answered: dict[str, list[Answered]] = {what: [] for what in ANSWERS}
        self._worded: dict[str, DeliveryRow] | None = None
        self._section = (0, 0)  # the sequence number and the position its numbering counts from
        self._epoch = ""
        self._held_chunks: OrderedDict[int, tuple[list[Recorded | None], list[int]]] = OrderedDict()
        self._held: OrderedDict[int, Snapshot] = OrderedDict()
        self._lock = threading.RLock()
        try:
            self._file: BinaryIO = _opened(path)
        except OSError as error:
            raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
        try:
            self.header = self._index()
            self.first = self.snapshot(0)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    # ── the index ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _index(self) -> Header:
        check_first_line(self._file)
        frame = read_frame(self._file)
        if frame is None or frame.kind != HEADER:
            raise RecordingError(f"{self.path} ends before its header", remedy="It was cut off as it began")
        header = _header(frame.head)
        self.began = self.ended = header.began
        size, good = os.fstat(self._file.fileno()).st_size, self._file.tell()
        while (frame := read_frame(self._file)) is not None:
            if not self._take(frame):
                self.flaw = "a part of it makes no sense and was left out"
            good = self._file.tell()
        if good < size:
            self.flaw = f"it ends early: its last {size - good:,} bytes are cut off or damaged"
        if not self._keyframes or self._keyframes[0].position > 0:
            raise RecordingError(f"{self.path} holds no snapshot", remedy="It was cut off as it began")
        self._keyframes.sort(key=lambda one: one.position)
        return header

    def _take(self, frame: Frame) -> bool:
        """Note a frame. False for one whose head makes no sense."""
        head, bare = frame.head, replace(frame, head={})
        if frame.kind == EVENTS:
            return self._note_chunk(bare, head)
        if frame.kind == TEXTS:
            self._texts.append(bare)
            return True
        if frame.kind == ANSWER:
            return self._note_answer(bare, head)
        if frame.kind not in (KEYFRAME, TICK) or not _whole(head.get("now")):
            return False
        self.ended = max(self.ended, head["now"])
        if frame.kind == KEYFRAME:
            if not _whole(head.get("seq")):
                return False
            self._note_keyframe(bare, str(head.get("epoch", ""))[:100], head["seq"])
        return True

    def _note_keyframe(self, frame: Frame, epoch: str, seq: int) -> None:
        base, start = self._section
        position = start + seq - base
        known = bool(self._keyframes) and epoch == self._epoch and start <= position <= self.events
        if not known:
            position = self.events
            self._section, self._epoch = (seq, self.events), epoch
        self._keyframes.append(_Keyframe(frame, position, epoch))

    def _note_answer(self, frame: Frame, head: Mapping[str, Any]) -> bool:
        """Those that name an event stand after it, which may come later in the file; the others here."""
        what = head.get("what")
        if what not in ANSWERS or not self._keyframes:
            return False
        told = {name: head[name] for name in _NUMBERS if _whole(head.get(name))}
        base, start = self._section
        position = max(start, start + told["seq"] - base) if "seq" in told else self.events
        self.answered[what].append(Answered(frame, position, told))
        return True

    def _note_chunk(self, frame: Frame, head: Mapping[str, Any]) -> bool:
        count, first, ats, marks = head.get("n"), head.get("first"), head.get("ats"), head.get("marks")
        if not (isinstance(ats, list) and len(ats) == 3 and _whole(count, first, *ats) and isinstance(marks, list)):
            return False
        if not 1 <= head["n"] <= _LARGEST_CHUNK or not self._keyframes:
            return False
        before = self._chunks[-1].latest if self._chunks else self.began
        latest = max(before, ats[1])
        chunk = _Chunk(frame, self.events, head["n"], head["first"], before, latest)
        base, start = self._section
        if base + self.events - start + 1 != chunk.first:
            self.flaw = "some events between are missing"
            self._section = (chunk.first - 1, self.events)
        self._note_marks(chunk, marks)
        self._chunks.append(chunk)
        self._starts.append(chunk.start)
        self._latest.append(latest)
        self.events += chunk.count
        self.ended = max(self.ended, latest)
        return True

    def _note_marks(self, chunk: _Chunk, marks: list[Any]) -> None:
        for mark in marks:
            if len(self.marks) >= _MOST_MARKS or not isinstance(mark, list) or len(mark) != 3:
                return
            index, at, kind = mark
            if _whole(index, at) and index < chunk.count and kind in WORDS:
                self.marks.append(Mark(chunk.start + index + 1, max(chunk.before, at), kind))

    # ── moments ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def snapshot(self, position: int) -> Snapshot:
        """Everything after so many events."""
        with self._lock:
            position = min(max(position, 0), self.events)
            at, found = self._nearest(position)
            while at < position:
                step = min(position, at + _HOLD_EVERY)
                found = _folded(found, self.between(at, step))
                at = step
                self._hold(at, found)
            return found

    def _nearest(self, position: int) -> tuple[int, Snapshot]:
        """The newest snapshot at or before a position that is held or kept."""
        held = max((at for at in self._held if at <= position), default=-1)
        index = bisect_right(self._keyframes, position, key=lambda one: one.position)
        for keyframe in reversed(self._keyframes[:index]):
            if keyframe.position <= held:
                break
            try:
                found = wire.load_snapshot(read_body(self._file.fileno(), keyframe.frame))
            except (ValueError, RecordingError):
                self.flaw = "a part of it makes no sense and was left out"
                continue
            self._hold(keyframe.position, found)
            return keyframe.position, found
        if held < 0:
            raise RecordingError(f"{self.path} holds no snapshot that can be read")
        self._held.move_to_end(held)
        return held, self._held[held]

    def _hold(self, position: int, snapshot: Snapshot) -> None:
        self._held[position] = snapshot
        self._held.move_to_end(position)
        while len(self._held) > _SNAPSHOTS_HELD:
            self._held.popitem(last=False)

    def between(self, start: int, end: int) -> list[Recorded]:
        """The events after the first `start` and up to the `end`th; those of an unknown kind are left out."""
        return [one for _, one in self.numbered(start, end)]

    def numbered(self, start: int, end: int) -> list[tuple[int, Recorded]]:
        """As `between`, each with the position right after it."""
        found: list[tuple[int, Recorded]] = []
        with self._lock:
            index = max(0, bisect_right(self._starts, start) - 1)
            while index < len(self._chunks) and self._chunks[index].start < end:
                first = max(0, start - self._chunks[index].start)
                events = self._load(index)[0][first : end - self._chunks[index].start]
                base = self._chunks[index].start + first
                found += [(base + number, one) for number, one in enumerate(events, 1) if one is not None]
                index += 1
        return found

    def at(self, position: int) -> int:
        """The instant of a position: of the newest event before it, or of any older one that was later still."""
        with self._lock:
            if position <= 0 or not self._chunks:
                return self.began
            index = bisect_right(self._starts, position - 1) - 1
            return self._load(index)[1][position - 1 - self._chunks[index].start]

    def position(self, at: int) -> int:
        """How many events had happened at an instant."""
        with self._lock:
            index = bisect_right(self._latest, at)
            if index >= len(self._chunks):
                return self.events
            return self._chunks[index].start + bisect_right(self._load(index)[1], at)

    def found(
        self, start: int, end: int, *words: bytes, every: Sequence[bytes] = (), newest_first: bool = False
    ) -> Iterator[tuple[int, Recorded]]:
        """As `numbered`, only those in which one of these words stands, and all of `every`: others are not read."""
        first = max(0, bisect_right(self._starts, start) - 1)
        last = bisect_left(self._starts, end)
        for index in reversed(range(first, last)) if newest_first else range(first, last):
            chunk = self._chunks[index]
            with self._lock:
                lines = self._lines(chunk.frame)
            if len(lines) != chunk.count:
                continue
            numbers = range(max(0, start - chunk.start), min(chunk.count, end - chunk.start))
            for number in reversed(numbers) if newest_first else numbers:
                line = lines[number]
                if not any(word in line for word in words) or not all(word in line for word in every):
                    continue
                if (one := _event(line, chunk.first + number)) is not None:
                    yield chunk.start + number + 1, one

    def ends(self) -> Iterator[tuple[int, int]]:
        """Each chunk's last position, and the latest instant up to it."""
        return ((chunk.start + chunk.count, chunk.latest) for chunk in self._chunks)

    def rows_of(self, answered: Answered) -> Iterator[Any]:
        """What an answer holds, as JSON has it."""
        with self._lock:
            lines = self._lines(answered.frame)
        for line in lines:
            try:
                yield orjson.loads(line)
            except ValueError:
                continue

    def texts(self) -> dict[str, DeliveryRow]:
        """Deliveries whose text was recorded, by id, as they stood last."""
        with self._lock:
            if self._worded is None:
                self._worded = self._read_texts()
            return self._worded

    def _read_texts(self) -> dict[str, DeliveryRow]:
        found: dict[str, DeliveryRow] = {}
        for frame in reversed(self._texts):
            for line in reversed(self._lines(frame)):
                try:
                    row = decode(DeliveryRow, orjson.loads(line))
                except ValueError:
                    continue
                found.setdefault(row.delivery_id, row)
            if len(found) >= _MOST_TEXTS:
                break
        return found

    def _lines(self, frame: Frame) -> list[bytes]:
        try:
            return read_body(self._file.fileno(), frame).split(b"\n")
        except RecordingError:
            self.flaw = "a part of it is damaged and was left out"
            return []

    def _load(self, index: int) -> tuple[list[Recorded | None], list[int]]:
        """A chunk's events, and the latest instant up to each."""
        held = self._held_chunks.get(index)
        if held is None:
            chunk = self._chunks[index]
            lines = self._lines(chunk.frame)
            if len(lines) != chunk.count:
                self.flaw, lines = "a part of it is damaged and was left out", [b""] * chunk.count
            events = [_event(line, chunk.first + number) for number, line in enumerate(lines)]
            held = self._held_chunks[index] = (events, _running(events, chunk))
        self._held_chunks.move_to_end(index)
        while len(self._held_chunks) > _CHUNKS_HELD:
            self._held_chunks.popitem(last=False)
        return held


def _opened(path: Path) -> BinaryIO:
    """The file, if it is one: opening a pipe would wait for its other end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RecordingError(f"{path} is not a file")
    return os.fdopen(descriptor, "rb")


def _running(events: Sequence[Recorded | None], chunk: _Chunk) -> list[int]:
    latest, found = chunk.before, []
    for one in events:
        latest = latest if one is None else min(max(latest, one.event.at), chunk.latest)
        found.append(latest)
    if found:
        found[-1] = chunk.latest
    return found


def _event(line: bytes, seq: int) -> Recorded | None:
    """One event; None for one that this version does not know, or that is none."""
    try:
        told = orjson.loads(line)
        if not isinstance(told, dict) or told.get("seq") != seq:
            return None
        kind = KINDS_OF_EVENTS.get(str(told.get("kind")))
        event = None if kind is None else decode(kind, told.get("fields"))
    except ValueError:
        return None
    return None if event is None or not 0 <= event.at < _LATEST else Recorded(seq, event)


def _folded(snapshot: Snapshot, events: Sequence[Recorded]) -> Snapshot:
    """As `fold`, but an event that cannot be applied, as none of an engine's can, is passed over."""
    try:
        return fold(snapshot, events)
    except (ArithmeticError, LookupError, TypeError, ValueError, OSError):
        pass
    for one in events:
        try:
            snapshot = fold(snapshot, (one,))
        except (ArithmeticError, LookupError, TypeError, ValueError, OSError):
            continue
    return snapshot


def _header(head: Any) -> Header:
    if not _whole(head.get("began")):
        raise RecordingError("the recording's header makes no sense")
    text = {name: clean(str(head.get(name, "")), limit=100) for name in ("version", "node", "mode", "zone")}
    return Header(**text, began=head["began"], with_text=head.get("text") is True)


def _whole(*values: Any) -> bool:
    """Whether each is an integer as sequence numbers and instants are."""
    return all(type(value) is int and 0 <= value < _LATEST for value in values)
