"""The simulated world an engine plays in: one that runs already, or one of its own for as long as it is needed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from engine.kernel.clock import ClockPage, VirtualClock
from engine.kernel.errors import EngineUnavailable
from engine.kernel.values import Instant, from_datetime
from engine.storage import StateDirectory
from huntaze_console.options import SimulationOptions

if TYPE_CHECKING:  # what a simulation needs is loaded when there is one
    from engine.simulation import Demand
    from engine.simulation.options import WorldOptions

_LOCAL = 5.0  # real seconds for a question on loopback
_WORLD_DIRECTORY = "world"  # in a simulated state directory: the world's clock page and record


S = TypeVar("S")
T = TypeVar("T")


class Defaults(Protocol):
    """`[simulation]` of the configuration, which holds where no flag says otherwise."""

    @property
    def scenario(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def speed(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A simulated world as an engine meets it."""

    url: str
    clock: VirtualClock
    epoch: Instant
    seed: int
    demand: Demand
    trace: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a world says of itself: its address, the page of its virtual time, its epoch, its seed."""

    url: str
    page: Path
    epoch: Instant
    seed: int


@asynccontextmanager
async def open_world(options: SimulationOptions, defaults: Defaults, directory: StateDirectory) -> AsyncIterator[World]:
    """The world that the flags name, or one of our own for as long as the block lasts: it takes half a second."""
    demand = _demand(options, defaults)
    async with AsyncExitStack() as stack:
        facts = await (_facts_of(options.world) if options.world else _launched(options, defaults, directory, stack))
        page = ClockPage(facts.page)
        stack.callback(page.close)
        yield World(
            url=facts.url,
            clock=VirtualClock(page),
            epoch=facts.epoch,
            seed=facts.seed,
            demand=demand,
            trace=options.trace,
        )


async def at_once(first: Awaitable[S], second: Awaitable[T]) -> tuple[S, T]:
    """Both, or what went wrong with either; by then the other has ended too, and can be closed in order."""
    found = await asyncio.gather(first, second, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return cast(tuple[S, T], tuple(found))


def _demand(options: SimulationOptions, defaults: Defaults) -> Demand:
    """The scenario's; none where a world of somebody else's, or a trace, brings its own traffic."""
    from engine.simulation import Demand, load_scenario

    scenario = load_scenario(options.scenario or defaults.scenario)
    plays = options.trace is None and (options.world is None or options.scenario is not None)
    return scenario.demand if plays else Demand()


async def _launched(
    options: SimulationOptions, defaults: Defaults, directory: StateDirectory, stack: AsyncExitStack
) -> _Facts:
    from engine.simulation.launch import end, launch

    home = directory.path / _WORLD_DIRECTORY
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    running = await asyncio.to_thread(launch, _world_options(options, defaults, home))
    stack.callback(end, running)
    return _Facts(url=running.url, page=running.page, epoch=running.epoch, seed=running.seed)


def _world_options(options: SimulationOptions, defaults: Defaults, home: Path) -> WorldOptions:
    from engine.simulation.options import WorldOptions

    return WorldOptions(
        speed=options.speed if options.speed is not None else defaults.speed,
        seed=options.seed if options.seed is not None else defaults.seed,
        scenario=options.scenario or defaults.scenario,
        record=home / "record.jsonl",
        state=home,
        parent_pid=os.getpid(),
    )


async def _facts_of(url: str) -> _Facts:
    """What a running world tells of itself."""
    import aiohttp

    local = aiohttp.ClientTimeout(total=_LOCAL)
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/clock", timeout=local) as response:
            facts: dict[str, Any] = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise EngineUnavailable(
            f"no simulated world answers at {url}", remedy="Start one with: huntaze world"
        ) from error
    epoch = from_datetime(datetime.fromisoformat(facts["epoch"]))
    return _Facts(url=url, page=Path(facts["page"]), epoch=epoch, seed=facts["seed"])
