"""Runs the engine's services: each for as long as the engine lives, begun again when one breaks, drained together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from engine.kernel.backoff import Backoff
from engine.kernel.values import MINUTE, SECOND, Random, seconds

_log = logging.getLogger(__name__)

_AGAIN = Backoff(base=SECOND, ceiling=MINUTE, floor=SECOND // 4)


@dataclass(frozen=True, slots=True)
class Service:
    """Something that runs until its stop is set, and then returns when what it began is done."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]


async def run_all(
    services: Sequence[Service], stop: asyncio.Event, *, hurry: asyncio.Event, grace: float, chance: Random
) -> None:
    """Run the services until `stop`, then let them finish: at most `grace` real seconds, or until `hurry`."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_supervise(one, stop, chance), name=one.name) for one in services]
        await stop.wait()
        hurried = group.create_task(hurry.wait())
        drained = group.create_task(_all(running))
        await asyncio.wait({hurried, drained}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        for task in (*running, hurried, drained):
            task.cancel()


@asynccontextmanager
async def accompanied(
    services: Sequence[Service], *, hurry: asyncio.Event, grace: float, chance: Random
) -> AsyncIterator[None]:
    """Run services that tell others of the engine: they are told to stop only when the block is over."""
    if not services:
        yield
        return
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_supervise(one, stop, chance), name=one.name) for one in services]
        try:
            yield
        finally:
            stop.set()
            hurried = group.create_task(hurry.wait())
            ended = group.create_task(_all(running))
            await asyncio.wait({hurried, ended}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            for task in (*running, hurried, ended):
                task.cancel()


async def _all(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


async def _supervise(service: Service, stop: asyncio.Event, chance: Random) -> None:
    """Run one service until it returns. A failure is logged and it begins again, after a growing wait: the others
    never notice."""
    failures = 0
    while not stop.is_set():
        try:
            await service.run(stop)
            return
        except Exception as error:  # noqa: BLE001 - the outermost loop of a service
            failures += 1
            _log.exception("%s broke and begins again: %s", service.name, error)
            await _nap(seconds(_AGAIN.wait(failures, chance)), stop)


async def _nap(real_seconds: float, stop: asyncio.Event) -> None:
    """Real time, not the engine's: a simulation at speed 0 must still begin a broken service again."""
    try:
        async with asyncio.timeout(real_seconds):
            await stop.wait()
    except TimeoutError:
        pass


async def every(real_seconds: float, stop: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    """Do a small piece of work again and again until `stop` is set."""
    while not stop.is_set():
        await work()
        await _nap(real_seconds, stop)
