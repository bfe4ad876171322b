"""Leaving a terminal that hung up: at once, without waiting for it, and as it was if it is still there after all."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from typing import Any

# What stood on the screen before, the cursor, and no reports of the mouse, of pasting, of the focus or of keys.
# CAN ends a sequence that was cut in its middle.
_AS_BEFORE = b"\x18\x1b[0m" + b"".join(
    b"\x1b[" + end
    for end in (
        *(b"?1000l", b"?1002l", b"?1003l", b"?1006l", b"?1015l", b"?2004l", b"?1004l", b"?2048l"),
        *(b"<u", b"?7h", b"?1049l", b"?25h"),
    )
)


def has_terminal() -> bool:
    """Whether standard input is a terminal; one that hung up is none any more."""
    try:
        return sys.__stdin__ is not None and os.isatty(sys.__stdin__.fileno())
    except (OSError, ValueError):
        return False


def let_go(settings: list[Any] | None) -> None:
    """Point the standard streams at nothing, so that a lost terminal neither blocks a writer nor spins a reader.

    SIGHUP comes also where the terminal lives on, as from `kill -HUP`: it is given back with the settings it had. It is
    opened for that anew, since what is written to it must not wait, and that must not hold for the shell as well.
    """
    terminal = None
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    if terminal is None:
        return
    with contextlib.suppress(OSError, termios.error):
        if settings is not None:
            termios.tcsetattr(terminal, termios.TCSANOW, settings)
        os.write(terminal, _AS_BEFORE)
    os.close(terminal)
