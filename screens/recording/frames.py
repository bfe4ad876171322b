"""A recording as a file: a line that says what it is, then frames, each whole in itself.

A frame is a fixed prefix, a small head in JSON and a body in zlib. Nothing refers forward, so a file that was cut at
any byte is read up to its last whole frame. What a file claims of its sizes is believed only within bounds: a frame
that claims more, or whose sum is wrong, is where the readable part ends.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from engine.kernel.errors import HuntazeError

VERSION = 2
READABLE = (1, 2)  # the first has no answers
MAGIC = b"HUNTAZE RECORDING "
HEADER, KEYFRAME, EVENTS, TICK, TEXTS, ANSWER = b"H", b"K", b"E", b"T", b"X", b"A"
KINDS = frozenset((HEADER, KEYFRAME, EVENTS, TICK, TEXTS, ANSWER))
_PREFIX = struct.Struct("<cIII")  # kind, length of the head, length of the body, CRC-32 of both and the kind
_LINES = frozenset(str(each).encode() for each in READABLE)
_LONGEST_HEAD = 256 << 10  # bytes
_LONGEST_BODY = 16 << 20  # bytes, compressed
LARGEST = 32 << 20  # bytes of a body unpacked


class RecordingError(HuntazeError):
    """A file that cannot be read as a recording, or not written as one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that is whole, as it stands in a file; its body is unpacked when it is wanted."""

    kind: bytes
    head: Mapping[str, Any]
    offset: int  # of the body
    length: int  # of the body


def first_line() -> bytes:
    return MAGIC + str(VERSION).encode() + b"\n"


def check_first_line(file: BinaryIO) -> None:
    """Raises RecordingError for a file that is none, or one of another version."""
    file.seek(0)
    line = file.read(len(MAGIC) + 12)
    if not line.startswith(MAGIC):
        raise RecordingError("this is no recording of the console", remedy="Make one with: huntaze record FILE")
    number = line.removeprefix(MAGIC).partition(b"\n")
    if number[0] not in _LINES or not number[1]:
        shown = number[0].decode("ascii", "replace")[:8] if number[0].isdigit() else "unknown"
        raise RecordingError(
            f"this recording has the format {shown}; this version reads formats 1 to {VERSION}",
            remedy="Open it with the version of huntaze that made it",
        )
    file.seek(len(MAGIC) + len(number[0]) + 1)


def pack(kind: bytes, head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """The bytes of a frame."""
    packed_head, packed = orjson.dumps(head), zlib.compress(body, 6) if body else b""
    sum_ = zlib.crc32(packed, zlib.crc32(packed_head, zlib.crc32(kind)))
    return _PREFIX.pack(kind, len(packed_head), len(packed), sum_) + packed_head + packed


def read_frame(file: BinaryIO) -> Frame | None:
    """The frame that begins here, with the file left behind it; None where no whole and sound one does."""
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        return None
    kind, head_length, body_length, checksum = _PREFIX.unpack(prefix)
    if kind not in KINDS or head_length > _LONGEST_HEAD or body_length > _LONGEST_BODY:
        return None
    packed_head, offset = file.read(head_length), file.tell()
    packed = file.read(body_length)
    if len(packed) < body_length or zlib.crc32(packed, zlib.crc32(packed_head, zlib.crc32(kind))) != checksum:
        return None
    head = _object(packed_head)
    return None if head is None else Frame(kind, head, offset, body_length)


def read_body(descriptor: int, frame: Frame) -> bytes:
    """A frame's body, unpacked. Raises RecordingError when it is none any more, or unpacks to more than one may."""
    packed = os.pread(descriptor, frame.length, frame.offset)
    if not packed:
        return b""
    unpacking = zlib.decompressobj()
    try:
        body = unpacking.decompress(packed, LARGEST)
    except zlib.error as error:
        raise RecordingError("a part of the recording is damaged") from error
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise RecordingError("a part of the recording is damaged")
    return body


def _object(data: bytes) -> Mapping[str, Any] | None:
    try:
        found = orjson.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
