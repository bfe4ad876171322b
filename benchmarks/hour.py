"""An attached console for an hour beside a simulation: does it stay as small as it was?

    python -m benchmarks.hour [--minutes 60] [--speed 60] [--json]

The daemon plays its simulation at sixty times the clock, so an hour here is sixty of traffic: calls, sends, replies and
alerts of three accounts. The console is visited as an operator would: once a minute another place, by its key, with a
row opened and left again. A minute's figure is the most it weighed; it counts as flat when the last quarter of the
hour weighs no more than a twentieth above the second (in the first one every place's code is still being loaded).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.startup import HUNTAZE, environ
from benchmarks.terminal import Terminal, cpu_seconds, weigh

BAR = 80.0  # MB
FLAT = 1.05
_PLACES = 9  # numbered ones


def measure(minutes: int, speed: float, home: Path) -> tuple[list[float], float]:
    """What the console weighed at the most in each minute, in MB, and its share of a core in percent."""
    state = home / "state"
    daemon = subprocess.Popen(
        [HUNTAZE, "daemon", "--simulate", "--speed", str(speed), "--port", "0", "--state-dir", str(state)],
        env=environ(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert daemon.stdout is not None
        if b"ready at" not in daemon.stdout.readline():
            raise RuntimeError("the daemon ended at its start")
        terminal = Terminal([HUNTAZE, "--state-dir", str(state)], environ())
        try:
            terminal.until(b"SPEND")
            before = cpu_seconds(terminal.process.pid)
            weights = [_minute(terminal, minute) for minute in range(minutes)]
            share = 100 * (cpu_seconds(terminal.process.pid) - before) / (60 * minutes)
        finally:
            terminal.end()
    finally:
        daemon.terminate()
        daemon.wait(60)
    return weights, share


def _minute(terminal: Terminal, minute: int) -> float:
    """Visit a place, go down into a row and back, and watch it."""
    most = 0.0
    for key in (str(minute % _PLACES + 1).encode(), b"\r", b"\x1b", b"", b"", b""):
        if key:
            terminal.press(key)
        terminal.listen(10)
        most = max(most, weigh(terminal.process.pid).rss)
    return most


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hour", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--speed", type=float, default=60.0, help="of the simulation (default 60)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.minutes < 8:
        parser.error("fewer than 8 minutes have no quarters to compare")
    home = Path(tempfile.mkdtemp(prefix="huntaze-bench-"))
    try:
        weights, share = measure(options.minutes, options.speed, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    quarter = len(weights) // 4
    settled, last = statistics.median(weights[quarter : 2 * quarter]), statistics.median(weights[-quarter:])
    met = max(weights) <= BAR and last <= settled * FLAT
    if options.json:
        print(json.dumps({"MB": weights, "settled": settled, "last": last, "cpu": share, "bar": BAR, "met": met}))
        return 0 if met else 1
    print(f"an attached console beside a simulation at speed {options.speed:g}, {options.minutes} minutes")
    for minute in range(0, len(weights), quarter):
        part = weights[minute : minute + quarter]
        print(f"from minute {minute:>3}: {statistics.median(part):6.1f} MB, at the most {max(part):6.1f}")
    print(f"{share:.2f} % of a core; at the most {max(weights):.1f} MB (bar {BAR:g}): {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
