"""The order in which an engine is opened, recovered and joined; each step is a module of its own beside this one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.kernel.clock import Clock
from engine.orchestrator import Orchestrator
from engine.runtime import Engine, EngineDesk
from engine.storage import Mode, StateDirectory
from engine.surface.desk import Desk
from engine.telemetry import Monitor
from huntaze_console.api.gateway import Gateway
from huntaze_console.bootstrap.answering import open_answering
from huntaze_console.bootstrap.calls import open_calls
from huntaze_console.bootstrap.campaigns import open_campaigns
from huntaze_console.bootstrap.desk import open_desk
from huntaze_console.bootstrap.gateway import open_gateway
from huntaze_console.bootstrap.reloading import Reload, reloading
from huntaze_console.bootstrap.services import Work, open_work
from huntaze_console.bootstrap.start import VERSION, Start, begin, open_log
from huntaze_console.bootstrap.stores import Stores, last_moment, open_stores, recover_stores
from huntaze_console.bootstrap.view import View, open_view
from huntaze_console.config import Settings
from huntaze_console.joints import Prepared
from huntaze_console.worlds import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An engine ready to run, and how to give it new settings."""

    engine: Engine
    desk: EngineDesk
    prepared: Prepared
    orchestrator: Orchestrator
    monitor: Monitor
    gateway: Gateway
    clock: Clock
    settings: Settings
    reload: Reload


@asynccontextmanager
async def open_engine(
    settings: Settings,
    directory: StateDirectory,
    *,
    kind: str,
    world: World | None = None,
    idle: bool = False,
    stopped: Clock | None = None,
    durable: bool = True,
) -> AsyncIterator[Built]:
    """Everything from the database up, recovered and joined, ready to `run`. The caller owns the directory's lock.

    `idle` builds it to be asked and told only: no provider, no service, nothing recovered; by the `stopped` clock, if
    its time is a simulation's. Not `durable`, commits wait for no disk: for measurements of our own work only.
    """
    start = begin(settings, directory, kind=kind, world=world, idle=idle, stopped=stopped)
    async with AsyncExitStack() as stack:
        log_book = None if idle else open_log(start)
        if log_book is not None:
            stack.enter_context(log_book.listening())

        stores = await open_stores(start, stack, durable=durable)
        if not idle:
            await recover_stores(start, stores)
        view = await open_view(start, stores)
        calls = await open_calls(start, stores, stack)
        answering = await open_answering(start, stores, calls, stack)
        campaigns = await open_campaigns(start, stores, view, answering)
        office = await open_desk(start, stores, view, calls, answering, campaigns, log_book)
        gateway = open_gateway(start, stores, calls, answering, office.keyring)
        work = await open_work(start, stores, view, calls, answering, campaigns, office)

        yield Built(
            engine=_engine(start, stores, view, office.desk, work),
            desk=office.desk,
            prepared=answering.prepared,
            orchestrator=answering.orchestrator,
            monitor=office.monitor,
            gateway=gateway,
            clock=start.clock,
            settings=start.settings,
            reload=reloading(start, stores, view, answering, campaigns, gateway, work),
        )


@asynccontextmanager
async def open_offline(settings: Settings, path: Path) -> AsyncIterator[Desk]:
    """The desk of a state directory that no engine runs on: it can be read, and told what only changes the files."""
    directory = StateDirectory(path)
    mode = directory.mode()
    directory.acquire(kind="command", mode=mode or Mode.REAL, version=VERSION)
    try:
        stopped = await asyncio.to_thread(last_moment, directory) if mode is Mode.SIMULATED else None
        async with open_engine(settings, directory, kind="command", idle=True, stopped=stopped) as built:
            yield built.desk
    finally:
        directory.release()


def _engine(start: Start, stores: Stores, view: View, desk: EngineDesk, work: Work) -> Engine:
    seen = view.snapshot().engine
    return Engine(
        desk=desk,
        database=stores.database,
        clock=start.clock,
        chance=start.chance,
        services=work.services,
        node=seen.node,
        version=VERSION,
        kind=start.kind,
        mode=start.mode,
        grace=start.settings.daemon.drain_seconds,
        parked=work.parked,
        heralds=view.heralds,
    )
