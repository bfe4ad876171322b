"""Logging: one line a record, plain text or JSON, without secrets and cleaned of whatever could move a terminal."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol

from engine.kernel.redaction import Redactor
from engine.kernel.secret import Secret
from engine.kernel.text import clean

_READ = 8_000  # characters of a message that are looked at; of the rest nothing is kept
_LONGEST = 2_000  # characters of one message
_QUIET = (
    "aiohttp",
    "openai",
    "anthropic",
    "botocore",
    "aiobotocore",
    "httpx",
    "httpx2",
    "httpcore",
    "asyncio",
    "urllib3",
)


class LoggingChoice(Protocol):
    """`[logging]`, as far as it is needed here."""

    @property
    def level(self) -> str: ...
    @property
    def format(self) -> str: ...


class _Private(logging.FileHandler):
    """A file for its owner alone. One that cannot be written is nothing to paint over the console for."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        return open(
            self.baseFilename, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, mode=0o600)
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        """Silence."""


class _Line(logging.Formatter):
    def __init__(self, form: str) -> None:
        super().__init__()
        self._json = form == "json"
        self.redactor = Redactor()

    def format(self, record: logging.LogRecord) -> str:
        """An exception shows as its type and place only: its text and locals may hold prompts or keys."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = clean(self.redactor.redact(clean(record.getMessage()[:_READ])), limit=_LONGEST)
        broke = _where(record)
        if self._json:
            fields = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": said}
            return json.dumps(fields | ({"error": broke} if broke else {}), ensure_ascii=False)
        return f"{at} {record.levelname:<7} {record.name}: {said}{f' [{broke}]' if broke else ''}"


def configure_logging(settings: LoggingChoice, *, file: Path | None = None) -> None:
    """Log to stderr, or to a file while the terminal is the console's. Libraries speak only when it is serious."""
    handler: logging.Handler = _Private(file) if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(settings.format))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def hide(secrets: Iterable[Secret]) -> None:
    """Let no line of this process show these, from now on. What merely looks like a secret is hidden anyway."""
    known = tuple(secrets)
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _Line):
            handler.formatter.redactor.learn(known)


def _where(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    kind, _, trace = record.exc_info
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{kind.__name__}{place}"
