"""The simulated world an engine plays in: one that runs already, or one of its own for as long as it is needed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from engine.kernel.clock import ClockPage, VirtualClock
from engine.kernel.errors import EngineUnavailable
from engine.kernel.values import Instant, from_datetime
from engine.storage import StateDirectory
from huntaze_console.config import Settings
from huntaze_console.options import SimulationOptions

if TYPE_CHECKING:  # what a simulation needs is loaded when there is one
    from engine.simulation import Demand
    from engine.simulation.options import WorldOptions

_LOCAL = aiohttp.ClientTimeout(total=5)  # real seconds for a question on loopback
_WORLD_DIRECTORY = "world"  # in a simulated state directory: the world's clock page and record


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A simulated world as an engine meets it."""

    url: str
    clock: VirtualClock
    epoch: Instant
    seed: int
    demand: Demand
    trace: Path | None


@asynccontextmanager
async def open_world(options: SimulationOptions, settings: Settings, directory: StateDirectory) -> AsyncIterator[World]:
    """The world that the flags name, or one of our own for as long as the block lasts."""
    from engine.simulation import Demand, load_scenario
    from engine.simulation.launch import end, launch

    async with AsyncExitStack() as stack:
        scenario = load_scenario(options.scenario or settings.simulation.scenario)
        # a world of somebody else's, or a trace, brings its own traffic
        plays = options.trace is None and (options.world is None or options.scenario is not None)
        url = options.world
        if url is None:
            home = directory.path / _WORLD_DIRECTORY
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            running = await asyncio.to_thread(launch, _world_options(options, settings, home))
            stack.callback(end, running)
            url = running.url
        clock_facts = await _clock_of(url)
        page = ClockPage(Path(clock_facts["page"]))
        stack.callback(page.close)
        yield World(
            url=url,
            clock=VirtualClock(page),
            epoch=clock_facts["epoch"],
            seed=clock_facts["seed"],
            demand=scenario.demand if plays else Demand(),
            trace=options.trace,
        )


def _world_options(options: SimulationOptions, settings: Settings, home: Path) -> WorldOptions:
    from engine.simulation.options import WorldOptions

    simulation = settings.simulation
    return WorldOptions(
        speed=options.speed if options.speed is not None else simulation.speed,
        seed=options.seed if options.seed is not None else simulation.seed,
        scenario=options.scenario or simulation.scenario,
        record=home / "record.jsonl",
        state=home,
        parent_pid=os.getpid(),
    )


async def _clock_of(url: str) -> dict[str, Any]:
    """The virtual time of a running world: its page, its epoch (an instant), its seed."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/clock", timeout=_LOCAL) as response:
            facts: dict[str, Any] = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise EngineUnavailable(
            f"no simulated world answers at {url}", remedy="Start one with: huntaze world"
        ) from error
    return {**facts, "epoch": from_datetime(datetime.fromisoformat(facts["epoch"]))}
