"""What a state directory keeps of the world that lived there: its epoch, and an instant it certainly has not passed.

A world started in the same directory goes on from there, so that no reader of its clock ever sees time run backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

from engine.kernel.clock import ClockPage
from engine.kernel.errors import ConfigError
from engine.kernel.values import SECOND

_NAME = "world.json"
EVERY = 1.0  # real seconds between two notes
_AHEAD = 5  # real seconds: a note promises that no later instant is seen before the next note, a slow one included


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Nanoseconds since the epoch: where virtual time began, and where it may go on."""

    epoch: int
    reached: int


def recall(state: Path, start: int) -> Past:
    """The past of a directory, or a beginning at `start`. Raises ConfigError for a note that cannot be read."""
    path = state / _NAME
    try:
        note = orjson.loads(path.read_bytes())
        return Past(epoch=int(note["epoch"]), reached=int(note["reached"]))
    except FileNotFoundError:
        return Past(epoch=start, reached=start)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(str(path), "", "is not the note of a world", remedy="Take another --state") from error


def remember(state: Path, epoch: int, page: ClockPage) -> None:
    """Note how far virtual time may get before the next note."""
    now, speed = page.read()
    note = {"epoch": epoch, "reached": now + round(_AHEAD * speed * SECOND)}
    temporary = state / f"{_NAME}.new"
    temporary.write_bytes(orjson.dumps(note))
    temporary.replace(state / _NAME)
