"""Start-up, memory, and what an idle console and daemon cost; through a terminal of their own, from a child's start.

    python -m benchmarks.startup [--starts 7] [--idle 60] [--json]

The world under the console has no demand: nothing shown changes but the clock's minute, and once a minute the console
may write. The daemon is measured as it would run for real, its providers' addresses on a loopback port where nobody
listens. CPU time is user and system time of the process and its threads; it says more than wall time on a machine that
others use.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.terminal import Terminal, cpu_seconds, weigh

HUNTAZE = str(Path(sys.executable).with_name("huntaze"))
TITLE = b"overview"  # stands in the status line of the first frame
LIVE = b"SPEND"  # a panel of the overview, painted once the engine has shown itself
BARS = {
    "first frame, embedded": (0.9, "s"),
    "first frame, attached": (0.9, "s"),
    "first figures, embedded": (1.5, "s"),
    "huntaze --help": (0.2, "s"),
    "console attached, idle CPU": (0.5, "%"),
    "console embedded, idle CPU": (0.5, "%"),
    "console attached, to the terminal": (0, "B/s"),
    "console embedded, to the terminal": (0, "B/s"),
    "daemon, OpenAI dialect, ready": (1.0, "s"),
    "daemon, everything, ready": (1.0, "s"),
    "daemon, OpenAI dialect, RSS": (110, "MB"),
    "daemon, everything, RSS": (170, "MB"),
}
_NOWHERE = "http://127.0.0.1:9"  # discard: nobody listens
_SETTLE = 75.0  # seconds after which nothing is younger than a minute, so that no age is shown in seconds
_SLICES = 6  # of an idle span; the median one has no turn of the clock's minute in it: that writes the status line
_IDLE_WORLD = """
name = "idle"
summary = "Nothing happens."

[platform]
reply_share = 0.0
new_fans_per_hour = 0.0
accounts = [{ id = "anna", fans = 100 }]
"""
_OPENAI_DIALECT = {
    "OPENAI_API_KEY": "key",
    "OPENAI_BASE_URL": f"{_NOWHERE}/v1",
    "DEEPSEEK_API_KEY": "key",
    "DEEPSEEK_BASE_URL": f"{_NOWHERE}/v1",
    "XAI_API_KEY": "key",
    "XAI_BASE_URL": f"{_NOWHERE}/v1",
    "GEMINI_API_KEY": "key",
    "GEMINI_BASE_URL": f"{_NOWHERE}/v1",
    "AZURE_OPENAI_API_KEY": "key",
    "AZURE_OPENAI_ENDPOINT": _NOWHERE,
}
_EVERYTHING = {
    **_OPENAI_DIALECT,
    "ANTHROPIC_API_KEY": "key",
    "ANTHROPIC_BASE_URL": _NOWHERE,
    "HUNTAZE_BACKENDS__LEDGER_SYNC": "dynamodb",
    "HUNTAZE_DYNAMODB__ENDPOINT": _NOWHERE,
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "key",
}


@dataclass(frozen=True)
class Figure:
    """One measurement: its median and its best, in `unit`."""

    name: str
    median: float
    best: float
    unit: str
    measured: int  # how often

    @property
    def met(self) -> bool | None:
        """None where no bar is set. The best run counts: the others had the machine to share."""
        bar = BARS.get(self.name)
        return None if bar is None else (self.median if self.unit == "B/s" else self.best) <= bar[0]


def environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An operator's environment without this machine's keys and settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return {**kept, **(extra or {})}


def figure(name: str, values: Sequence[float], unit: str) -> Figure:
    return Figure(name, statistics.median(values), min(values), unit, len(values))


def measure_help(starts: int) -> Iterator[Figure]:
    walls, cpus = [], []
    for _ in range(starts):
        before, began = os.times(), time.perf_counter()
        subprocess.run([HUNTAZE, "--help"], env=environ(), stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        walls.append(time.perf_counter() - began)
        cpus.append(after.children_user + after.children_system - before.children_user - before.children_system)
    yield figure("huntaze --help", walls, "s")
    yield figure("huntaze --help, CPU", cpus, "s")


def measure_embedded(starts: int, idle: float, home: Path) -> Iterator[Figure]:
    """The demo: world, engine and console; first with nothing there, as on a fresh machine."""
    command = [HUNTAZE, "demo", "--speed", "1", "--scenario", str(home / "idle.toml")]
    yield from _first_frames("embedded", command, starts, home)
    with _shown([*command, "--state-dir", str(home / "embedded")]) as terminal:
        yield from _idle_console("console embedded", terminal, idle)


def measure_attached(starts: int, idle: float, home: Path) -> Iterator[Figure]:
    """A console on a daemon over the idle world."""
    state = home / "attached"
    daemon = [HUNTAZE, "daemon", "--simulate", "--speed", "1", "--scenario", str(home / "idle.toml"), "--port", "0"]
    with _daemon([*daemon, "--state-dir", str(state)]):
        command = [HUNTAZE, "--state-dir", str(state)]
        yield from _first_frames("attached", command, starts, home)
        with _shown(command) as terminal:
            yield from _idle_console("console attached", terminal, idle)


def measure_daemon(kind: str, extra: Mapping[str, str], starts: int, idle: float, home: Path) -> Iterator[Figure]:
    """Start to the line that says ready; then weight and CPU with nothing to do."""
    walls, cpus = [], []
    for number in range(starts):
        command = [HUNTAZE, "daemon", "--port", "0", "--state-dir", str(home / f"daemon-{kind}-{number}")]
        with _daemon(command, extra) as (pid, ready):
            walls.append(ready)
            cpus.append(cpu_seconds(pid))
            if number == starts - 1:
                time.sleep(min(idle, 20))
                figures = list(_idle(f"daemon, {kind}", pid, idle, time.sleep))
    yield figure(f"daemon, {kind}, ready", walls, "s")
    yield figure(f"daemon, {kind}, ready, CPU", cpus, "s")
    yield from figures


def _first_frames(kind: str, command: Sequence[str], starts: int, home: Path) -> Iterator[Figure]:
    firsts, cpus, lives, dues = [], [], [], []
    for number in range(starts):
        place = [] if "--state-dir" in command else ["--state-dir", str(home / f"start-{number}")]
        terminal = Terminal([*command, *place], environ())
        try:
            firsts.append(terminal.until(TITLE))
            cpus.append(cpu_seconds(terminal.process.pid))
            lives.append(terminal.until(LIVE))
            dues.append(cpu_seconds(terminal.process.pid))
        finally:
            terminal.end()
    yield figure(f"first frame, {kind}", firsts, "s")
    yield figure(f"first frame, {kind}, CPU", cpus, "s")
    yield figure(f"first figures, {kind}", lives, "s")
    yield figure(f"first figures, {kind}, CPU", dues, "s")


def _idle_console(kind: str, terminal: Terminal, idle: float) -> Iterator[Figure]:
    written: list[float] = []
    yield from _idle(kind, terminal.process.pid, idle, lambda s: written.append(terminal.listen(s) / s))
    yield figure(f"{kind}, to the terminal", written, "B/s")


def _idle(kind: str, pid: int, idle: float, wait: Callable[[float], object]) -> Iterator[Figure]:
    shares = []
    for _ in range(_SLICES):
        before, began = cpu_seconds(pid), time.perf_counter()
        wait(idle / _SLICES)
        shares.append((cpu_seconds(pid) - before) / (time.perf_counter() - began) * 100)
    weight = weigh(pid)
    yield Figure(f"{kind}, idle CPU", statistics.mean(shares), min(shares), "%", _SLICES)
    yield figure(f"{kind}, RSS", [weight.rss], "MB")
    if weight.pss is not None:
        yield figure(f"{kind}, PSS", [weight.pss], "MB")


@contextmanager
def _shown(command: Sequence[str]) -> Iterator[Terminal]:
    """A console that has shown figures and come to rest."""
    terminal = Terminal(command, environ())
    try:
        terminal.until(LIVE)
        terminal.listen(_SETTLE)
        yield terminal
    finally:
        terminal.end()


@contextmanager
def _daemon(command: Sequence[str], extra: Mapping[str, str] | None = None) -> Iterator[tuple[int, float]]:
    """A daemon that is ready, and how many seconds that took."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environ(extra), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if b"ready at" not in line:
            raise RuntimeError(f"the daemon ended at its start: {' '.join(command)}")
        yield process.pid, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


def measure(starts: int, idle: float) -> Iterator[Figure]:
    home = Path(tempfile.mkdtemp(prefix="huntaze-bench-"))
    (home / "idle.toml").write_text(_IDLE_WORLD)
    try:
        yield from measure_help(max(starts, 9))
        yield from measure_embedded(starts, idle, home)
        yield from measure_attached(starts, idle, home)
        yield from measure_daemon("OpenAI dialect", _OPENAI_DIALECT, starts, idle, home)
        yield from measure_daemon("everything", _EVERYTHING, starts, idle, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Start-up, memory, and what an idle console and daemon cost.")
    parser.add_argument("--starts", type=int, default=7, help="of each kind (default 7)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of looking at an idle process (default 60)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = []
    for row in measure(options.starts, options.idle):
        found.append(row)
        if not options.json:
            bar = f"bar {BARS[row.name][0]:g}: {'met' if row.met else 'MISSED'}" if row.met is not None else ""
            print(f"{row.name:<40} {row.median:>9.2f} {row.best:>9.2f} {row.unit:<4} {bar}", flush=True)
    met = all(row.met is not False for row in found)
    if options.json:
        print(json.dumps({"rows": [{**asdict(row), "met": row.met} for row in found], "met": met}))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
