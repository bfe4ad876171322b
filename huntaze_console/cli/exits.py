"""The exit codes, and which error has which."""

from __future__ import annotations

from engine.kernel.errors import (
    CommandRefused,
    ConfigError,
    EngineUnavailable,
    HuntazeError,
    Refusal,
    StateDirectoryBusy,
)

OK = 0
FAILED = 1
INVALID = 2
REFUSED = 3
NO_ENGINE = 4
BUSY = 5
INTERRUPTED = 130

MEANING = """\b
Exit codes:
  0  done
  1  failed: the message says why; doctor found a failure
  2  wrong use: a flag, a setting or a value is not valid
  3  not found, or in conflict with how things stand
  4  no engine runs, and this needs one
  5  the engine is busy, starting, draining or does not answer
130  interrupted"""


class NeedsEngine(HuntazeError):
    """A command that only a running engine can carry out, and none runs."""


def code_of(error: HuntazeError) -> int:
    """The exit code of an error."""
    match error:
        case NeedsEngine():
            return NO_ENGINE
        case ConfigError() | CommandRefused(reason=Refusal.INVALID):
            return INVALID
        case CommandRefused(reason=Refusal.NOT_FOUND | Refusal.CONFLICT):
            return REFUSED
        case CommandRefused() | StateDirectoryBusy() | EngineUnavailable():
            return BUSY
    return FAILED
