"""A recorded hour of a production LLM service, and prompts of exactly its sizes.

The trace holds sizes and times only, so every prompt is made up: unique, of the recorded context size by the world's
count, and asking for an answer of the recorded length. See `data/README.md` for where it comes from.
"""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from engine.kernel.errors import ConfigError
from engine.kernel.values import from_datetime
from engine.simulation import tokens

_PACKAGED = "data/azure_llm_2023_conversation.csv.gz"
_COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
_FILLER = (  # noqa: SIM905 - it is a sentence
    "fan likes slow mornings and asked about the beach set last week so keep it warm short and personal mention their "
    "city never push a sale thank them for staying and close with one easy question about their day"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRequest:
    """One recorded request: nanoseconds after the first, tokens in, tokens out."""

    offset: int
    context_tokens: int
    generated_tokens: int


def read_trace(path: Path | None = None) -> tuple[TraceRequest, ...]:
    """The requests of a trace in the order of the file; the packaged one without a path. `.gz` files are unpacked.

    Raises ConfigError naming the file and, for a bad row, its line.
    """
    source = str(path) if path else _PACKAGED.removeprefix("data/")
    try:
        raw = path.read_bytes() if path else (resources.files("engine.simulation") / _PACKAGED).read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(source, "", f"cannot be read as a trace: {error}") from error
    return _parse(text, source)


def _parse(text: str, source: str) -> tuple[TraceRequest, ...]:
    rows = csv.reader(io.StringIO(text))
    if next(rows, None) != _COLUMNS:
        raise ConfigError(source, "line 1", f"the columns must be {','.join(_COLUMNS)}")
    found: list[TraceRequest] = []
    first = None
    for row in rows:
        try:
            at, context, generated = _instant(row[0]), int(row[1]), int(row[2])
            if len(row) != 3 or context < 1 or generated < 1 or (first is not None and at < first):
                raise ValueError("a count below 1, an earlier time than the first, or not three columns")
        except (ValueError, IndexError) as error:
            raise ConfigError(source, f"line {rows.line_num}", f"is not a request: {error}") from error
        first = at if first is None else first
        found.append(TraceRequest(offset=at - first, context_tokens=context, generated_tokens=generated))
    return tuple(found)


def _instant(text: str) -> int:
    """Nanoseconds of `2023-11-16 18:15:46.6805900`: whole seconds as a date, up to nine decimals apart."""
    whole, _, decimals = text.partition(".")
    if decimals and not (decimals.isascii() and decimals.isdigit() and len(decimals) <= 9):
        raise ValueError(f"{text!r} is not a time")
    moment = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return from_datetime(moment) + int(decimals.ljust(9, "0") or 0)


def trace_prompt(index: int, request: TraceRequest) -> str:
    """A prompt of exactly `request.context_tokens` tokens that asks for the recorded answer; every index has its own.

    The wish for `generated_tokens` stands in brackets at the end; where that leaves no room it is one word.
    """
    size = request.context_tokens
    short = f"request_{index}_reply_with_exactly_{request.generated_tokens}_tokens"
    full = f"[reply with exactly {request.generated_tokens} tokens]"
    room = size - 1 - tokens.count(full)
    if room < 0:
        return " ".join([*_filler(index, size - 1), short])
    return " ".join([f"request_{index}", *_filler(index, room), full])


def _filler(index: int, size: int) -> list[str]:
    start = index % len(_FILLER)
    turns = -(-(start + size) // len(_FILLER))
    return (_FILLER * turns)[start : start + size]
