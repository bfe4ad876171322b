"""Starting a world as a child process and waiting until it is ready."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from engine.kernel.errors import EngineUnavailable
from engine.kernel.values import Instant
from engine.simulation.options import WorldOptions

_GOODBYE = 5.0  # real seconds for a world to end


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningWorld:
    """A world that answers at `url`; `page` is the file of its virtual time, which began at `epoch`."""

    url: str
    epoch: Instant
    seed: int
    page: Path
    process: subprocess.Popen[bytes]


def launch(options: WorldOptions) -> RunningWorld:
    """Start a world and wait for its line (a few tenths of a second; call it in a thread).

    Raises EngineUnavailable when it ends instead; what it had to say is on stderr.
    """
    process = subprocess.Popen(options.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)  # noqa: S603
    assert process.stdout is not None  # noqa: S101 - asked for a line above
    with process.stdout as said:  # the world says one line, ever
        line = said.readline()
    if not line:
        raise EngineUnavailable(f"the simulated world ended at its start with code {process.wait()}")
    ready = orjson.loads(line)
    return RunningWorld(
        url=ready["url"],
        epoch=Instant(ready["epoch"]),
        seed=ready["seed"],
        page=Path(ready["page"]),
        process=process,
    )


def end(world: RunningWorld) -> None:
    """Tell a world to end, and wait until it has."""
    world.process.terminate()
    try:
        world.process.wait(_GOODBYE)
    except subprocess.TimeoutExpired:
        world.process.kill()
        world.process.wait()


@contextmanager
def launched(options: WorldOptions) -> Iterator[RunningWorld]:
    """A world for the length of a block."""
    world = launch(options)
    try:
        yield world
    finally:
        end(world)
