"""What a console costs, and how fast it answers, over an engine that tells a thousand events a second.

    python -m benchmarks.console [--seconds 20] [--keys 60] [--stall 40] [--no-peers] [--json]

Everything is seen from outside: a terminal of 120 by 40 of the console's own, the processor time of its process, the
engine's own count of what it told. The engine is `benchmarks.busy`. Saturated, it tells as much as it can: alone, with
an attached console on its overview, and with the console embedded, in turns. The other consoles stand beside in the
same run, each as it opens: start to its first frame and what it writes and weighs while nobody touches it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.environment import python
from benchmarks.startup import HUNTAZE, environ
from benchmarks.terminal import Terminal, cpu_seconds, weigh

RATE = 1_000  # events a second
LIVE = b"SPEND"
PLACES = (b"costs", b"providers", b"queue", b"limits", b"campaigns", b"alerts")
BARS = {
    "key to change, attached, p95": (50, "ms"),
    "key to change, embedded, p95": (50, "ms"),
    "busy, attached, CPU": (7, "%"),
    "busy, attached, to the terminal": (30, "kB/s"),
    "busy, embedded, to the terminal": (30, "kB/s"),
    "busy, low bandwidth, to the terminal": (4, "kB/s"),
    "saturated, throughput lost to an attached console": (3, "%"),
    "saturated, throughput lost to the embedded console": (8, "%"),
    "stalled terminal, embedded, beats missed": (1, "%"),
    "RSS, attached, after a busy spell": (80, "MB"),
}
_SETTLE = 4.0  # seconds after the first figures
_WORLD = """
name = "idle"
summary = "Nothing happens but what the benchmark tells."

[platform]
reply_share = 0.0
new_fans_per_hour = 0.0
accounts = [{ id = "anna", fans = 100 }]
"""
_PEERS = {  # what each opens with, and bytes of its first whole frame
    "posting": (["posting"], b"Enter a URL"),
    "harlequin": (["harlequin", ":memory:"], b"Query"),
    "dolphie": (["dolphie", "--tab-setup"], b"Hostgroup"),
}


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str

    @property
    def met(self) -> bool | None:
        bar = BARS.get(self.name)
        return None if bar is None else self.value <= bar[0]


class Bench:
    """A directory with a world in which nothing happens, and the engines that are started there."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._scenario = home / "idle.toml"
        self._scenario.write_text(_WORLD)
        self._number = 0

    def _state(self) -> Path:
        self._number += 1
        return self._home / f"state-{self._number}"

    @contextmanager
    def daemon(self, rate: float) -> Iterator[tuple[Path, Path]]:
        """A busy daemon: its state directory and its figures."""
        state = self._state()
        figures = state.with_suffix(".json")
        words = ["daemon", "--simulate", "--speed", "1", "--scenario", str(self._scenario), "--port", "0"]
        process = subprocess.Popen(
            [*_busy(rate, figures), *words, "--state-dir", str(state)],
            env=environ(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            if b"ready at" not in process.stdout.readline():
                raise RuntimeError("the daemon ended at its start")
            yield state, figures
        finally:
            process.terminate()
            process.wait(60)

    @contextmanager
    def attached(self, state: Path, *flags: str) -> Iterator[Terminal]:
        with _shown([HUNTAZE, "--state-dir", str(state), *flags]) as terminal:
            yield terminal

    @contextmanager
    def embedded(self, rate: float) -> Iterator[tuple[Terminal, Path]]:
        state = self._state()
        figures = state.with_suffix(".json")
        words = ["demo", "--speed", "1", "--scenario", str(self._scenario), "--state-dir", str(state)]
        with _shown([*_busy(rate, figures), *words]) as terminal:
            yield terminal, figures


def _busy(rate: float, figures: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.busy", str(rate), str(figures)]


@contextmanager
def _shown(command: Sequence[str]) -> Iterator[Terminal]:
    terminal = Terminal(command, environ({"PYTHONPATH": str(Path.cwd())}))
    try:
        terminal.until(LIVE)
        terminal.listen(_SETTLE)
        yield terminal
    finally:
        terminal.end()


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def keys(kind: str, terminal: Terminal, many: int) -> Iterator[Figure]:
    """From a key to the first bytes of what it asked for: going from place to place."""
    for number in range(len(PLACES)):  # each built once: the first visit also loads its code
        terminal.answer(str(number + 2).encode(), PLACES[number])
        terminal.listen(0.3)
    times = []
    for at in range(many):
        number = at % len(PLACES)
        times.append(1000 * terminal.answer(str(number + 2).encode(), PLACES[number]))
        terminal.listen(0.13 + at % 7 / 50)  # at no fixed place in the rhythm of paintings
    terminal.answer(b"1", b"overview")
    times.sort()
    yield Figure(f"key to change, {kind}, p50", statistics.median(times), "ms")
    yield Figure(f"key to change, {kind}, p95", times[int(len(times) * 0.95)], "ms")


# ── busy ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def busy(kind: str, terminal: Terminal, seconds: float, *, own: bool) -> Iterator[Figure]:
    """Bytes to the terminal, and, of a process that only shows, its processor time."""
    before, began = cpu_seconds(terminal.process.pid), time.perf_counter()
    written = terminal.listen(seconds)
    lasted = time.perf_counter() - began
    if own:
        yield Figure(f"busy, {kind}, CPU", (cpu_seconds(terminal.process.pid) - before) / lasted * 100, "%")
    yield Figure(f"busy, {kind}, to the terminal", written / lasted / 1000, "kB/s")


def _told(figures: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(figures.read_text())
    return found


def _throughput(figures: Path, seconds: float, terminal: Terminal | None) -> float:
    """Events a second over the next seconds, the console's terminal being read meanwhile."""
    before = _told(figures)
    terminal.listen(seconds) if terminal else time.sleep(seconds)
    after = _told(figures)
    return (after["told"] - before["told"]) / (after["seconds"] - before["seconds"])


def saturated(bench: Bench, seconds: float, rounds: int = 3) -> Iterator[Figure]:
    """What the console takes from an engine that has no time to spare."""
    alone, watched, within = [], [], []
    with bench.daemon(0) as (state, figures):
        time.sleep(_SETTLE)
        for _ in range(rounds):
            alone.append(_throughput(figures, seconds, None))
            with bench.attached(state) as terminal:
                watched.append(_throughput(figures, seconds, terminal))
    yield Figure("saturated, alone", statistics.median(alone), "events/s")
    yield Figure("saturated, with an attached console", statistics.median(watched), "events/s")
    yield Figure("saturated, throughput lost to an attached console", _lost(alone, watched), "%")
    blind = []
    for _ in range(rounds):
        with bench.embedded(0) as (terminal, figures):
            within.append(_throughput(figures, seconds, terminal))
        with bench.daemon(0) as (_, figures):
            time.sleep(_SETTLE)
            blind.append(_throughput(figures, seconds, None))
    yield Figure("saturated, with the console embedded", statistics.median(within), "events/s")
    yield Figure("saturated, throughput lost to the embedded console", _lost(blind, within), "%")


def _lost(without: Sequence[float], with_: Sequence[float]) -> float:
    """The median of the pairs measured one after the other."""
    return statistics.median(100 * (1 - two / one) for one, two in zip(without, with_, strict=True))


def stalled(bench: Bench, seconds: float) -> Iterator[Figure]:
    """The engine's beats while the terminal of its own console reads nothing."""
    with bench.embedded(RATE) as (terminal, figures):
        before = _told(figures)
        terminal.stall(seconds)
        after = _told(figures)
    due = after["due"] - before["due"]
    yield Figure("stalled terminal, embedded, beats due", due, "")
    yield Figure("stalled terminal, embedded, beats missed", 100 * (1 - (after["beats"] - before["beats"]) / due), "%")


# ── others ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def peers(bench: Bench, seconds: float, starts: int = 3) -> Iterator[Figure]:
    """The other consoles, and ours attached to a daemon with nothing to tell, in turns."""
    with bench.daemon(0.001) as (state, _):
        consoles: dict[str, tuple[list[str], bytes]] = {"huntaze": ([HUNTAZE, "--state-dir", str(state)], b"overview")}
        for name, (words, sign) in _PEERS.items():
            program = python(Path(__file__).parent / "consoles" / name).parent / words[0]
            consoles[name] = ([str(program), *words[1:]], sign)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in consoles}
        for _ in range(starts):
            for name, (command, sign) in consoles.items():
                found[name].append(_looked_at(command, sign, seconds))
    for name, rows in found.items():
        for what, unit in (("first frame", "s"), ("RSS", "MB"), ("idle CPU", "%"), ("idle, to the terminal", "kB/s")):
            yield Figure(f"{name}, {what}", statistics.median(row[what] for row in rows), unit)


def _looked_at(command: Sequence[str], sign: bytes, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        terminal = Terminal(command, environ({"HOME": home, "LC_ALL": "C.UTF-8"}))
        try:
            first = terminal.until(sign)
            terminal.listen(5)
            before = cpu_seconds(terminal.process.pid)
            written = terminal.listen(seconds)
            used = cpu_seconds(terminal.process.pid) - before
            weight = weigh(terminal.process.pid).rss
        finally:
            terminal.end()
    return {
        "first frame": first,
        "RSS": weight,
        "idle CPU": 100 * used / seconds,
        "idle, to the terminal": written / seconds / 1000,
    }


# ── all of it ───────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    home = Path(tempfile.mkdtemp(prefix="huntaze-bench-"))
    bench = Bench(home)
    try:
        with bench.daemon(RATE) as (state, figures):
            with bench.attached(state) as terminal:
                yield from busy("attached", terminal, options.seconds, own=True)
                yield from keys("attached", terminal, options.keys)
                yield Figure("RSS, attached, after a busy spell", weigh(terminal.process.pid).rss, "MB")
            with bench.attached(state, "--low-bandwidth") as terminal:
                yield from busy("low bandwidth", terminal, options.seconds, own=True)
            yield Figure("told", _told(figures)["told"] / _told(figures)["seconds"], "events/s")
        with bench.embedded(RATE) as (terminal, _):
            yield from busy("embedded", terminal, options.seconds, own=False)
            yield from keys("embedded", terminal, options.keys)
        yield from saturated(bench, options.seconds)
        if options.stall:
            yield from stalled(bench, options.stall)
        if options.peers:
            yield from peers(bench, options.seconds)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description="What a console costs.")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement (default 15)")
    parser.add_argument("--keys", type=int, default=60, help="pressed (default 60)")
    parser.add_argument("--stall", type=float, default=40.0, help="seconds without reading; 0 leaves it out")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave the other consoles out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: list[Figure] = []
    for row in measure(options):
        found.append(row)
        if not options.json:
            bar = f"bar {BARS[row.name][0]:g}: {'met' if row.met else 'MISSED'}" if row.met is not None else ""
            print(f"{row.name:<55} {row.value:>10.2f} {row.unit:<9} {bar}", flush=True)
    met = all(row.met is not False for row in found)
    if options.json:
        rows: list[dict[str, Any]] = [{**asdict(row), "met": row.met} for row in found]
        print(json.dumps({"rows": rows, "met": met}))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
