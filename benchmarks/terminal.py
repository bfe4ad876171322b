"""A child process on a terminal of its own: what it writes, when, and what it costs."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROWS, COLUMNS = 40, 120
_TICK = os.sysconf("SC_CLK_TCK")
_GOODBYE = 20.0  # seconds for a child to end


class Terminal:
    """A child whose standard streams are a terminal that is always read, as a good one is."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
            close_fds=True,
        )
        os.close(slave)
        self.written = 0  # bytes so far
        self._tail = b""

    def until(self, text: bytes, timeout: float = 60.0) -> float:
        """Seconds from the start of the child until it has written these bytes. Raises TimeoutError."""
        give_up = time.perf_counter() + timeout
        while text not in self._tail:
            if time.perf_counter() > give_up or not self._read(0.5):
                raise TimeoutError(f"{text!r} was never written; the last was {self._tail[-2000:]!r}")
        return time.perf_counter() - self.started

    def answer(self, key: bytes, text: bytes, timeout: float = 10.0) -> float:
        """Seconds from a key until the child has written these bytes for it. Raises TimeoutError."""
        self.listen(0)
        self._tail = b""
        pressed = time.perf_counter()
        self.press(key)
        give_up = pressed + timeout
        while text not in self._tail:
            if time.perf_counter() > give_up or not self._read(0.5):
                raise TimeoutError(f"{key!r} was not answered with {text!r}")
        return time.perf_counter() - pressed

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def listen(self, seconds: float) -> int:
        """Read for so long; returns how many bytes came."""
        before, end = self.written, time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)
        return self.written - before

    def stall(self, seconds: float) -> None:
        """Read nothing for so long, as a terminal whose link hangs."""
        time.sleep(seconds)

    def end(self) -> None:
        """Terminate the child, reading on until it has gone."""
        self.process.terminate()
        give_up = time.perf_counter() + _GOODBYE
        while self.process.poll() is None and time.perf_counter() < give_up:
            self._read(0.1)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def _read(self, seconds: float) -> bool:
        """False once the child has closed its side."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if ready:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                return False
            self.written += len(data)
            self._tail = (self._tail + data)[-(1 << 18) :]
        return True


@dataclass(frozen=True)
class Weight:
    """Memory of a process, in megabytes of 1,000,000 bytes. `pss` counts pages shared with others in part."""

    rss: float
    pss: float | None


def weigh(pid: int) -> Weight:
    """What a process weighs now."""
    rss = _field(Path(f"/proc/{pid}/status"), "VmRSS:")
    try:
        pss: float | None = _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")
    except OSError:
        pss = None
    return Weight(rss, pss)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _field(path: Path, name: str) -> float:
    line = next(line for line in path.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6
