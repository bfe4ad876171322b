"""A list of fans from a CSV file: every line is checked, and one wrong line refuses the whole file.

Whoever has the file reads it: the command line and the console on their own machine, never the engine on its.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.text import clean

COLUMN = "fan_id"
MOST_FANS = 100_000  # as many as a campaign takes by name
_MOST_BYTES = 32_000_000  # of a file: so many fans of the longest id, with other columns beside
_LONGEST_ID = 200  # characters
_SHOWN = 20  # wrong lines named


def read_fan_file(file: Path) -> tuple[str, ...]:
    """The ids in a file, as `read_fans`. What has no end, such as a device, is read only as far as a list may reach.

    Raises CommandRefused also for a file that cannot be read or is too large.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _refused(str(file), f"it cannot be read: {error.strerror}") from error
    except ValueError as error:  # a name with a NUL in it
        raise _refused(str(file), "it cannot be read: that is no file name") from error
    if len(data) > _MOST_BYTES:
        raise _refused(str(file), f"it is larger than {_MOST_BYTES // 1_000_000} MB")
    return read_fans(data, str(file))


def read_fans(data: bytes, source: str) -> tuple[str, ...]:
    """The ids in a CSV file: in the column `fan_id` of one with a header, or one id a line.

    Raises CommandRefused naming every wrong line: a list that is half right must not become a campaign.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refused(source, f"line {line} is not UTF-8") from None
    found: dict[str, int] = {}
    wrong: list[str] = []
    try:
        for line, fan_id in _ids(text):
            if fault := _fault(fan_id, found):
                wrong.append(f"line {line}: {fault}")
            else:
                found[fan_id] = line
            if len(found) > MOST_FANS:
                raise _NotAList(f"line {line}: more than {MOST_FANS:,} fans, which is as many as a campaign takes")
    except (csv.Error, _NotAList) as error:
        raise _refused(source, str(error)) from None
    if wrong:
        more = f"\n… and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise _refused(source, "\n".join(wrong[:_SHOWN]) + more)
    if not found:
        raise _refused(source, "it names no fan")
    return tuple(found)


class _NotAList(Exception):
    """The file has no place to read ids from, or a line that breaks its shape."""


def _ids(text: str) -> Iterator[tuple[int, str]]:
    """Line number and id of every row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    column: int | None = None
    columns = 1
    for row in reader:
        if not row:
            continue
        if column is None:
            header = [name.strip().lower() for name in row]
            if COLUMN in header:
                column, columns = header.index(COLUMN), len(header)
                continue
            if len(row) > 1:
                raise _NotAList(f"line {reader.line_num}: several columns, and none of them is named {COLUMN}")
            column = 0
        if len(row) != columns:
            raise _NotAList(f"line {reader.line_num}: {len(row)} columns where {columns} are expected")
        yield reader.line_num, row[column].strip()


def _fault(fan_id: str, found: dict[str, int]) -> str:
    """What is wrong with one id, or nothing."""
    if not fan_id:
        return "the id is empty"
    if len(fan_id) > _LONGEST_ID:
        return f"the id is longer than {_LONGEST_ID} characters"
    if clean(fan_id) != fan_id or not fan_id.isprintable():
        return "the id holds a character that cannot be seen"
    if fan_id in found:
        return f"the fan of line {found[fan_id]} again"
    return ""


def _refused(source: str, message: str) -> CommandRefused:
    return CommandRefused(Refusal.INVALID, f"{source} was not taken: {message}", field="fans-file")
