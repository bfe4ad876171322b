"""The engine as one thing: a desk for its faces, and services that run until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.events import EngineDraining, EngineStarted, EngineStopped, Event
from engine.kernel.clock import Clock
from engine.kernel.values import Random
from engine.runtime.desk import EngineDesk
from engine.runtime.services import Service, accompanied, run_all
from engine.storage import Database

_LAST_WORDS = 8.0  # real seconds in which those who tell others of the engine must have told of its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Built by the bootstrap; `run` it once."""

    desk: EngineDesk
    database: Database
    clock: Clock
    chance: Random
    services: Sequence[Service]
    node: str
    version: str
    kind: str
    mode: str
    grace: float  # real seconds that what is in flight has to end
    parked: Callable[[], int]  # jobs that were handed back unfinished
    heralds: Sequence[Service] = ()  # tell others of the engine, its end included

    async def run(self, stop: asyncio.Event, *, hurry: asyncio.Event) -> None:
        """Serve until `stop` is set, drain, and return. `hurry` cuts the drain short: what is left is parked."""
        await self.tell(
            EngineStarted(at=self.clock.now(), node=self.node, version=self.version, kind=self.kind, mode=self.mode)
        )
        async with accompanied(self.heralds, hurry=hurry, grace=_LAST_WORDS, chance=self.chance):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._announce_drain(stop))
                await run_all(self.services, stop, hurry=hurry, grace=self.grace, chance=self.chance)
            await self.tell(EngineStopped(at=self.clock.now(), parked=self.parked()))

    async def _announce_drain(self, stop: asyncio.Event) -> None:
        await stop.wait()
        await self.tell(EngineDraining(at=self.clock.now(), reason="asked to stop"))

    async def tell(self, event: Event) -> None:
        """Record a fact about the engine itself."""
        await self.database.write(lambda tx: tx.emit(event))
