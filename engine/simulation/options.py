"""How to run a world; apart from the server, so that whoever starts one need not load it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from engine.kernel.values import Instant

START = Instant(1_772_456_400_000_000_000)  # 2026-03-02T13:00:00Z, a Monday


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """How to run a world.

    `state` is the directory of the clock page; a world started there again goes on from the virtual time the earlier
    one reached. None makes a directory that is removed at the end.
    """

    port: int = 0  # 0 takes a free one
    speed: float = 1.0  # virtual seconds to a real one
    seed: int = 7
    scenario: str = "quiet-day"  # a shipped one's name, or a file
    start: int = START  # virtual, nanoseconds since the epoch
    record: Path | None = None  # JSONL, appended to
    state: Path | None = None
    parent_pid: int | None = None  # the world ends by itself when this process is gone

    def command(self) -> list[str]:
        """The command line that runs this world in a process of its own."""
        command = [sys.executable, "-m", "engine.simulation"]
        command += ["--port", str(self.port), "--speed", str(self.speed), "--seed", str(self.seed)]
        command += ["--scenario", self.scenario, "--start", str(self.start)]
        command += ["--record", str(self.record)] if self.record else []
        command += ["--state", str(self.state)] if self.state else []
        return command + (["--parent-pid", str(self.parent_pid)] if self.parent_pid else [])
