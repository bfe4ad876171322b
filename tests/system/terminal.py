"""A terminal a program can be run in, read from, typed at, left unread and cut off.

The master side of a real pseudo-terminal, with an emulator behind it that knows what stands on the screen.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyte

# The child makes the pseudo-terminal its own, so that it hears when the terminal hangs up.
_ADOPT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
_LOOK = 0.05  # real seconds between two looks at the screen
# What the emulator does not know and would print as text: it takes the queries of the kitty protocol for letters.
_UNKNOWN = re.compile(rb"\x1b\[[<>=?][0-9;]*[uqt]|\x1b\[\?[0-9;]*\$p|\x1bP[^\x1b]*\x1b\\")


class Terminal:
    """A program's terminal; `reading` moves what it wrote onto the screen."""

    def __init__(self, command: Sequence[str], *, columns: int, lines: int, environment: Mapping[str, str]) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.modes = termios.tcgetattr(self._slave)
        self.written = bytearray()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ADOPT, *command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            env={"TERM": "xterm-256color", **environment},
        )

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, seconds: float = _LOOK) -> None:
        """Take what arrives within so many real seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                return
            try:
                said = os.read(self._master, 65_536)
            except OSError:  # the last one who held the other side has closed it
                return
            self.written += said
            self._stream.feed(_UNKNOWN.sub(b"", said))

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait(self, told: str | Callable[[str], bool], *, within: float = 30) -> str:
        """Read until a text stands on the screen, or something is true of it. Returns the screen."""
        holds = told if callable(told) else lambda shown: told in shown
        give_up = time.monotonic() + within
        while not holds(self.text):
            assert time.monotonic() < give_up, f"not shown in time: {told}\n{self.text}"
            self.read()
        return self.text

    # ── doing ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def press(self, *keys: str) -> None:
        """Keys one after the other, each shown before the next, as a person types them."""
        for key in keys:
            self.type(key)
            self.read(0.4)

    @property
    def stalled(self) -> bool:
        """Whether a writer on the other side would have to wait: nobody reads, and the buffer is full."""
        return not select.select([], [self._slave], [], 0)[1]

    @property
    def restored(self) -> bool:
        """Whether the line discipline is as it was before the program."""
        return termios.tcgetattr(self._slave) == self.modes

    def hang_up(self) -> None:
        """The terminal is gone, as when a link breaks: the kernel sends SIGHUP to whoever it controlled."""
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1

    def finish(self, *, within: float = 30) -> int:
        """Read until the program has ended; its exit code."""
        give_up = time.monotonic() + within
        while self.process.poll() is None:
            assert time.monotonic() < give_up, f"still running\n{self.text if self._master >= 0 else ''}"
            if self._master >= 0:
                self.read()
            else:
                time.sleep(_LOOK)
        if self._master >= 0:
            self.read(0.2)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self._master >= 0:
            self.hang_up()


@contextmanager
def terminal(
    command: Sequence[str], *, columns: int = 120, lines: int = 40, environment: Mapping[str, str]
) -> Iterator[Terminal]:
    """A program in a terminal for the length of a block."""
    running = Terminal(command, columns=columns, lines=lines, environment=environment)
    try:
        yield running
    finally:
        running.close()
