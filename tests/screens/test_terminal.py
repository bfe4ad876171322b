"""The console in a real pseudo-terminal: silent while nothing changes, gone and restored when told to go."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from screens.lasting import _Forgiving
from screens.pacing import Meter

_CONSOLE = """
from dataclasses import replace
from screens.app import run_console
from tests.screens.scripted import ScriptedSource
source = ScriptedSource({state!r})
source.shown = replace(source.shown, accounts={{}}, models={{}})
print("EXIT", run_console(source), flush=True)
"""
_ROOT = Path(__file__).parents[2]


@dataclass
class Terminal:
    """A console on its own pseudo-terminal."""

    pid: int
    fd: int
    seen: bytes = b""

    def read(self, seconds: float) -> bytes:
        """What it writes in that time."""
        until, found = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0 and select.select([self.fd], [], [], left)[0]:
            try:
                found += os.read(self.fd, 65_536)
            except OSError:
                break
        self.seen += found
        return found

    def read_until(self, text: bytes, seconds: float = 15) -> None:
        until = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < until, self.seen[-2_000:]
            self.read(0.05)

    def wait(self, seconds: float = 5) -> int:
        """The exit status, or an error when it lives on."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return status
        raise AssertionError("the console lives on")


@contextmanager
def terminal(state: str = "normal") -> Iterator[Terminal]:
    main, side = pty.openpty()
    fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(_ROOT)}
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", "import os,fcntl,termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
         + _CONSOLE.format(state=state)],
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, side, fd) for fd in (0, 1, 2)] + [(os.POSIX_SPAWN_CLOSE, main)],
    )  # fmt: skip
    os.close(side)
    found = Terminal(pid, main)
    try:
        yield found
    finally:
        if found.pid:
            os.kill(found.pid, signal.SIGKILL)
            os.waitpid(found.pid, 0)
        if found.fd >= 0:
            os.close(found.fd)


def test_nothing_is_written_while_nothing_changes() -> None:
    with terminal() as found:
        found.read_until(b"SPEND")
        found.read(1.0)

        assert found.read(2.5) == b""


def test_sigterm_restores_the_terminal() -> None:
    with terminal() as found:
        found.read_until(b"SPEND")
        os.kill(found.pid, signal.SIGTERM)
        found.read_until(b"EXIT 143")
        assert found.wait() == 0

    assert b"\x1b[?1049l" in found.seen
    assert b"Traceback" not in found.seen


def test_a_lost_terminal_ends_it_within_a_second() -> None:
    with terminal() as found:
        found.read_until(b"SPEND")
        os.close(found.fd)
        found.fd = -1
        started = time.monotonic()
        found.read = lambda seconds: time.sleep(seconds) or b""  # type: ignore[method-assign, func-returns-value]
        found.wait()

        assert time.monotonic() - started < 1.5


def test_the_writer_outlives_its_terminal() -> None:
    """Textual's writer would end with its first failed write, and whoever leaves then waits for room in its queue."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        thread = WriterThread(_Forgiving(file, Meter(time.monotonic)))  # type: ignore[arg-type]
        thread.start()
        os.close(reader)

        for _ in range(3 * MAX_QUEUED_WRITES):
            thread.write("x" * 10_000)
            thread.flush()
        thread.stop()

        assert not thread.is_alive()
        with contextlib.suppress(OSError):
            file.close()
