"""A past hour of an engine's log, copied into a recording that is forgotten when it is closed."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import HOUR, MINUTE, SECOND, from_datetime, to_datetime
from screens.recording.beside import Ask
from screens.recording.reading import Recording
from screens.recording.recorder import Recorder
from screens.recording.tape import Tape

_MOST_BYTES = 1 << 30
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_AGO = re.compile(r"([1-9]\d{0,5})\s?(s|m|min|h)")
_UNITS = {"s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR}


async def copy_past(
    ask: Ask, from_: int, to: int, *, now: int, told: Callable[[float, int], None] | None = None
) -> Recording:
    """The events between two instants, opened. `told` hears how far it is, 0 to 1, and how many bytes that is.

    Raises CommandRefused where the log does not go back so far, EngineUnavailable.
    """
    folder = Path(tempfile.mkdtemp(prefix="huntaze-replay-"))
    path = folder / "past"
    try:
        tape = Tape(path, most_bytes=_MOST_BYTES)
        recorder = Recorder(ask, tape)

        def heard(at: int) -> None:
            if told is not None:
                told(min(1.0, max(0.0, (at - from_) / max(to - from_, 1))), tape.size)

        try:
            late = await _begin(recorder, from_, to, now)
            await recorder.copy(to, now, heard)
            await recorder.copy_beside(from_, min(to, now))
        finally:
            recorder.end(min(to, now))
        recording = Recording(path)
        if late:
            recording.flaw = "the engine's log begins here"
        if tape.full:
            recording.flaw = f"it ends early: an hour may take {_MOST_BYTES >> 20:,} MB"
        return recording
    finally:
        path.unlink(missing_ok=True)
        os.rmdir(folder)  # noqa: PTH106 - as the line before it


async def _begin(recorder: Recorder, from_: int, to: int, now: int) -> bool:
    """Begin at an instant, or where the log does, if that is not too late; True for the latter."""
    try:
        await recorder.begin(from_, now=now)
    except CommandRefused as refused:
        if refused.reason is not Refusal.NOT_FOUND:
            raise
        began = await recorder.begin_with_the_log()
        if began is None or began > to:
            raise
        return True
    return False


def instant_of(text: str, *, now: int, zone: ZoneInfo, within: tuple[int, int] | None = None) -> int:
    """The instant that somebody means: `14:00`, `14:00:30`, `20m` ago, `2026-11-20 14:00`, or ISO 8601.

    A time of day is the last one before now, or, with `within`, the first of it in there. Raises CommandRefused.
    """
    text = text.strip()
    if found := _AGO.fullmatch(text):
        return now - int(found[1]) * _UNITS[found[2]]
    if found := _CLOCK.fullmatch(text):
        return _of_day(int(found[1]), int(found[2]), int(found[3] or 0), now, zone, within)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        words = "write a time as 14:00, 14:00:30, 20m for twenty minutes ago, or 2026-11-20 14:00"
        raise CommandRefused(Refusal.INVALID, words, field="time") from None
    return int(from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=zone)))


def _of_day(hour: int, minute: int, second: int, now: int, zone: ZoneInfo, within: tuple[int, int] | None) -> int:
    first = to_datetime(within[0] if within else now).astimezone(zone)
    moment = first.replace(hour=hour, minute=minute, second=second, microsecond=0)
    at = int(from_datetime(moment))
    if within is not None and at < within[0] - within[0] % MINUTE:
        return int(from_datetime(moment + timedelta(days=1)))
    if within is None and at > now:
        return int(from_datetime(moment - timedelta(days=1)))
    return at
