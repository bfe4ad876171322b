"""The console in a real pseudo-terminal: silent while nothing changes, gone and restored when told to go."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyte
import pytest
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from screens.lasting import _Forgiving
from screens.pacing import Meter
from tests.screens.sequences import foreign

_CONSOLE = """
import os
from dataclasses import replace
from screens.app import run_console
from screens.source import ConsoleOptions
from screens.terminal import read_terminal
from tests.screens.scripted import ScriptedSource
source = ScriptedSource({state!r})
campaigns = dict(source.shown.campaigns)
for key, name in zip(campaigns, {names!r}):
    campaigns[key] = replace(campaigns[key], name=name)
source.shown = replace(source.shown, accounts={{}}, models={{}}, campaigns=campaigns)
options = ConsoleOptions(terminal=read_terminal(os.environ), **{options!r})
print("EXIT", run_console(source, options=options), flush=True)
"""
_ROOT = Path(__file__).parents[2]
UNKNOWN = re.compile(r"\x1b\[[<>=?][0-9;]*[uqt]|\x1b\[\?[0-9;]*\$p")  # what pyte would print as text


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

    def type(self, keys: str, seconds: float = 0.6) -> bytes:
        """Keys, and what is written for them."""
        os.write(self.fd, keys.encode())
        return self.read(seconds)

    @property
    def state(self) -> str:
        """The letter of the process's state: S sleeps, T is stopped."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

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
def terminal(
    state: str = "normal",
    environ: dict[str, str] | None = None,
    *,
    size: tuple[int, int] = (120, 40),
    names: tuple[str, ...] = (),
    **options: Any,
) -> Iterator[Terminal]:
    """A console over a scripted source, whose campaigns may be given other names."""
    main, side = pty.openpty()
    fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(_ROOT),
        **(environ or {}),
    }
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", "import os,fcntl,termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
         + _CONSOLE.format(state=state, names=names, options=options)],
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
        found.read = _read_nothing  # type: ignore[method-assign]
        found.wait()

        assert time.monotonic() - started < 1.5


def test_suspending_gives_the_terminal_back_and_going_on_paints_it_again() -> None:
    with terminal() as found:
        before = termios.tcgetattr(found.fd)
        found.read_until(b"SPEND")
        found.read(0.5)
        found.seen = b""

        found.type("\x1a")
        _until(lambda: found.state == "T", found)
        assert b"\x1b[?1049l" in found.seen
        assert b"\x1b[?25h" in found.seen
        assert found.seen.rfind(b"\x1b[?1003l") > found.seen.rfind(b"\x1b[?1003h")
        assert b"\x1b[?2004l" in found.seen
        assert termios.tcgetattr(found.fd)[:4] == before[:4]

        found.seen = b""
        os.kill(found.pid, signal.SIGCONT)
        found.read_until(b"SPEND")
        assert b"\x1b[?1049h" in found.seen
        found.type("6")
        found.read_until(b"campaigns")


def test_an_engine_that_something_stopped_all_the_same_goes_on_with_its_console() -> None:
    with terminal(drains=True) as found:
        found.read_until(b"SPEND")
        os.kill(found.pid, signal.SIGSTOP)
        _until(lambda: found.state == "T", found)

        found.seen = b""
        os.kill(found.pid, signal.SIGCONT)
        found.read_until(b"SPEND")
        found.type("2")
        found.read_until(b"costs")


@pytest.mark.parametrize("how", ["key", "signal"])
def test_a_console_with_an_engine_in_it_is_not_suspended(how: str) -> None:
    with terminal(drains=True) as found:
        found.read_until(b"SPEND")
        found.read(0.5)
        if how == "key":
            found.type("\x1a")
        else:
            os.kill(found.pid, signal.SIGTSTP)

        found.read_until(b"huntaze daemon")

        assert found.state != "T"


def test_the_chosen_row_is_copied_through_the_terminal() -> None:
    with terminal() as found:
        found.read_until(b"SPEND")
        found.type("6")
        found.seen = b""
        found.type("y")
        found.type("Y")
        found.read_until(b"Copied")
        sent = [base64.b64decode(text).decode() for text in re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", found.seen)]

    assert sent[0].startswith("cmp_")
    assert "  " in sent[1]
    assert all(text.isprintable() for text in sent)


def test_copying_can_be_turned_off() -> None:
    with terminal(clipboard=False) as found:
        found.read_until(b"SPEND")
        found.type("6")
        found.type("y")
        found.read_until(b"turned off")

        assert b"\x1b]52" not in found.seen


@pytest.mark.parametrize("name", ["linux", "vt100"])
def test_a_terminal_without_unicode_gets_ascii_only(name: str) -> None:
    with terminal("huge", environ={"TERM": name}) as found:
        found.read_until(b"SPEND")
        for key in "234567?":
            found.type(key, 0.25)

        assert max(found.seen) <= 0x7E


def test_a_storm_of_sizes_leaves_the_last_one_right() -> None:
    """Whatever comes in between, what stands at the end is what the last size asks for, and only our own bytes."""
    with terminal() as found:
        found.read_until(b"SPEND")
        for at in range(40):
            found.resize(20 + at * 37 % 180, 4 + at * 11 % 56)
            found.read(0.01)
        found.resize(80, 24)
        found.read(1.5)
        assert foreign(found.seen) == []
        screen = pyte.Screen(80, 24)
        os.write(found.fd, b"2")
        found.seen = b""
        os.write(found.fd, b"1")
        found.read_until(b"SPEND")
        found.read(0.5)
        pyte.Stream(screen).feed(UNKNOWN.sub("", found.seen.decode()))

    assert screen.display[0].startswith(" HUNTAZE overview")
    assert "SPEND" in screen.display[1]
    assert "help" in screen.display[-1] + screen.display[-2]


def test_low_bandwidth_sends_little() -> None:
    """Its own budget is held by a test of the pacing; this one sees that it is in force, and told."""
    with terminal(low_bandwidth=True) as found:
        found.read_until(b"low bandwidth")
        assert b"\x1b[38;2;" not in found.seen  # fewer colours are shorter


def _read_nothing(seconds: float) -> bytes:
    time.sleep(seconds)
    return b""


def _until(holds: Callable[[], bool], found: Terminal) -> None:
    give_up = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < give_up, found.seen[-500:]
        found.read(0.05)


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
