"""The engine's own log as it can be asked for: the newest records in memory, and all of them as JSON lines in a file.

Every record passes one gate (`entry_of`) on its way in: controls, line ends and escapes are gone, secrets are hidden,
lengths are bounded, and an exception is its type and the places it passed, since its text and its locals may hold
prompts or keys.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path

from engine.kernel.clock import Clock
from engine.kernel.redaction import Redactor
from engine.kernel.text import clean
from engine.kernel.values import iso

LEVELS = ("debug", "info", "warning", "error", "critical")

_READ = 8_000  # characters of a message that are looked at
_RAGGED = 256  # of them at the end, where one is longer: half a secret looks like none
_LONGEST = 4_000  # characters of a message that are kept; the message of a record in full
_VALUE = 200  # characters of a field's value
_FIELDS = 20
_FRAMES = 30  # innermost places of a traceback
_FILE_BYTES = 5_000_000  # of one file; the one before is kept too
_USUAL = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record. `seq` counts from 1 at each start; `at` is nanoseconds of the engine's clock."""

    seq: int
    at: int
    level: str
    area: str  # the module that spoke
    message: str
    fields: Mapping[str, str]
    error: str  # an exception's type and place; empty without one
    trace: tuple[str, ...]  # the places it passed, outermost first


def entry_of(record: logging.LogRecord, redactor: Redactor, *, seq: int = 0, at: int = 0) -> Entry:
    """A record made harmless."""
    return Entry(
        seq=seq,
        at=at,
        level=_level(record.levelno),
        area=_safe(record.name, redactor, _VALUE),
        message=_safe(_said(record), redactor, _LONGEST),
        fields=dict(_fields(record, redactor)),
        error=_broke(record),
        trace=_trace(record),
    )


class LogBook(logging.Handler):
    """Keeps the newest records. Any thread may log, and any may ask: the handler's own lock orders them."""

    def __init__(self, clock: Clock, redactor: Redactor, *, kept: int, file: Path | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._redactor = redactor
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._seq = 0
        self._file = _File(file) if file is not None else None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry = entry_of(record, self._redactor, seq=self._seq + 1, at=self._clock.now())
        except Exception:  # noqa: BLE001 - a log must not break who writes to it, and has nobody to tell
            return
        self._seq += 1
        self._entries.append(entry)
        if self._file is not None:
            self._file.emit(logging.makeLogRecord({"msg": line_of(entry)}))

    def entries(self, *, level: str = "", text: str = "") -> list[Entry]:
        """What is kept of a level and above, with a text in it, oldest first. Upper and lower case are the same."""
        self.acquire()
        try:
            found = list(self._entries)
        finally:
            self.release()
        least, wanted = LEVELS.index(level) if level else 0, text.casefold()
        return [one for one in found if LEVELS.index(one.level) >= least and (not wanted or wanted in _words(one))]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear everything that is logged in this process, for as long as the block lasts."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)
            self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def line_of(entry: Entry) -> str:
    """An entry as one line of JSON. Only ASCII, so that no reader's own idea of a line end can break it."""
    said = {name: value for name, value in asdict(entry).items() if value}
    return json.dumps({**said, "at": iso(entry.at)})


class _File(logging.handlers.RotatingFileHandler):
    """Private to its owner and bounded. A full disk costs lines and nothing else."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=_FILE_BYTES, backupCount=1, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=_private)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        """Silence: the usual complaint would be written over a console."""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _level(number: int) -> str:
    return LEVELS[min(max(number // 10 - 1, 0), len(LEVELS) - 1)]


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a message whose values do not fit it is still worth a line
        return str(record.msg)


def _safe(text: str, redactor: Redactor, longest: int) -> str:
    whole = clean(text[:_READ])
    return clean(redactor.redact(whole if len(text) <= _READ else whole[:-_RAGGED]), limit=longest)


def _fields(record: logging.LogRecord, redactor: Redactor) -> Iterator[tuple[str, str]]:
    """What was logged beside the message, as `extra`. A name can say what a value does not: both are looked at."""
    further = [(name, value) for name, value in vars(record).items() if name not in _USUAL]
    for name, value in further[:_FIELDS]:
        text = _safe(f"{name}={value}", redactor, len(name) + 1 + _VALUE)
        yield clean(name, limit=_VALUE), text.partition("=")[2]


def _broke(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return ""
    last = _places(error)[-1:]
    return _kind(error) + "".join(f" at {place.partition(' in ')[0]}" for place in last)


def _trace(record: logging.LogRecord) -> tuple[str, ...]:
    """The places of an exception and of what caused it, the cause first, without a word of their texts."""
    error = record.exc_info[1] if record.exc_info else None
    lines: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen and len(lines) < _FRAMES:
        seen.add(id(error))
        lines = [*_places(error), _kind(error), *lines]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return tuple(lines)


def _places(error: BaseException) -> list[str]:
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)][-_FRAMES:]
    return [f"{Path(code.co_filename).name}:{line} in {code.co_name}" for code, line in frames]


def _kind(error: BaseException) -> str:
    return clean(type(error).__name__, limit=_VALUE)


def _words(entry: Entry) -> str:
    fields = " ".join(f"{name}={value}" for name, value in entry.fields.items())
    return f"{entry.area} {entry.message} {fields} {entry.error}".casefold()
