"""The console with an engine in it, over a simulated world of its own, as a person runs it."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.kernel.clock import ClockPage, VirtualClock
from engine.kernel.values import SECOND
from engine.storage.directory import StateDirectory
from tests.system.terminal import Terminal

ROOT = Path(__file__).parents[2]
HUNTAZE = str(ROOT / ".venv" / "bin" / "huntaze")
SPEED = 20  # virtual seconds to a real one: as fast as the limit can be watched


@dataclass(frozen=True)
class Demo:
    """A state directory with everything that an operator's machine has besides."""

    home: Path

    @property
    def state(self) -> StateDirectory:
        return StateDirectory(self.home / "state")

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}

    def command(self, *flags: str, speed: float = SPEED) -> list[str]:
        return [HUNTAZE, "demo", "--speed", str(speed), "--seed", "7", "--state-dir", str(self.state.path), *flags]

    # ── what happened, from the world's own record ──────────────────────────────────────────────────────────────────

    def records(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.state.path / "world" / "record.jsonl").read_text().splitlines()
        whole = [line for line in lines if line.endswith("}")]  # the last one may be under way
        return [found for found in map(json.loads, whole) if found["kind"] == kind]

    def sent(self) -> int:
        return len(self.records("message"))

    def now(self) -> int:
        """Virtual time."""
        page = ClockPage(self.state.path / "world" / "clock.page")
        try:
            return VirtualClock(page).now()
        finally:
            page.close()

    # ── what is left ────────────────────────────────────────────────────────────────────────────────────────────────

    def locked(self) -> bool:
        with self.state.lock_path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def processes(self) -> list[str]:
        """Command lines of whatever still runs on this state directory: the engine, its world."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().decode().split("\0")
                except OSError:
                    continue  # it has just ended
                if any(str(self.state.path) in word for word in words):
                    found.append(" ".join(words))
        return found

    def deliveries(self) -> dict[str, int]:
        """How many messages stand in which state, in the database as it was left."""
        connection = sqlite3.connect(f"file:{self.state.database_path}?mode=ro", uri=True)
        try:
            return dict(connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state"))
        finally:
            connection.close()


def alive(shown: str) -> bool:
    """Does the engine run, whatever its world does to it?"""
    return "engine ok" in shown or "engine degraded" in shown


def started(terminal: Terminal) -> str:
    """Wait until the engine runs and money, queue, tokens and providers are shown."""
    return terminal.wait(
        lambda shown: alive(shown) and "$" in shown and all(word in shown for word in ("SPEND", "PROVIDERS", "QUEUE"))
    )


def longest_silence(demo: Demo, since: int) -> float:
    """The longest time without a call of the engine's, from a virtual instant until now, in real seconds."""
    times = [since, *(record["at"] for record in demo.records("call") if record["at"] > since), demo.now()]
    return max(after - before for before, after in pairwise(times)) / SECOND / SPEED
