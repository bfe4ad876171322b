"""The headless run: builds the engine, serves its API, and turns signals into a drain, a reload and an exit code.

SIGTERM and SIGINT drain; a second one stops at once; SIGHUP reads the configuration again. Textual is never imported.
"""

from __future__ import annotations

import asyncio
import gc
import random
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

import click

from engine.events import SettingsRejected, SettingsReloaded
from engine.kernel.errors import ConfigError
from engine.storage import Mode, StateDirectory
from huntaze_console.logs import configure_logging
from huntaze_console.options import DaemonOptions, SettingsSource
from huntaze_console.worlds import at_once, open_world

if TYPE_CHECKING:
    from huntaze_console.bootstrap import Built
    from huntaze_console.config import Settings

OK = 0
HURRIED = 75  # a second signal cut the drain short; what was in flight was parked


def run(options: DaemonOptions) -> int:
    """Run until told to stop; returns the exit code. Raises HuntazeError for what keeps it from starting."""
    gc.disable()  # until all is loaded: it stays, and looking through it meanwhile takes a tenth of the time
    return asyncio.run(_run(options))


async def _run(options: DaemonOptions) -> int:
    settings = options.settings.load()
    configure_logging(settings.logging)
    _warn(settings, simulated=options.simulation is not None)
    directory = StateDirectory(options.state_dir)
    mode = Mode.SIMULATED if options.simulation else Mode.REAL
    directory.acquire(kind="daemon", mode=mode, version=version_of("huntaze-console"))
    stop, hurry = asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.callback(directory.release)
        world = None
        if options.simulation is not None:
            coming = stack.enter_async_context(open_world(options.simulation, settings.simulation, directory))
            world, _ = await at_once(coming, asyncio.to_thread(_load))
        from huntaze_console.api import serve
        from huntaze_console.bootstrap import VERSION, open_engine
        from huntaze_console.serving import api_settings

        built = await stack.enter_async_context(open_engine(settings, directory, kind="daemon", world=world))
        reload = asyncio.Event()
        _listen(stop, hurry, reload)
        async with (
            serve(
                built.desk,
                directory,
                api_settings(settings),
                tcp=True,
                clock=built.clock,
                stop=stop,
                chance=random.SystemRandom(),
                measure=built.monitor.endpoint,
                gateway=built.gateway,
            ) as endpoint,
            asyncio.TaskGroup() as group,
        ):
            reloading = group.create_task(_reload(reload, options.settings, built))
            group.create_task(_settle(built))
            click.echo(f"huntaze {VERSION} ready at {endpoint.url}")
            await built.engine.run(stop, hurry=hurry)
            reloading.cancel()
    return HURRIED if hurry.is_set() else OK


async def _settle(built: Built) -> None:
    """What stands stays, and the providers' SDKs that are loaded last: looking through it all again and again would
    halt every call."""
    gc.collect()
    gc.set_threshold(20_000, 50, 50)
    gc.freeze()
    gc.enable()
    await built.prepared.open()
    gc.freeze()


def _load() -> None:
    """Import what takes the longest."""
    from huntaze_console.api import serve  # noqa: F401
    from huntaze_console.bootstrap import open_engine  # noqa: F401


def _warn(settings: Settings, *, simulated: bool) -> None:
    """What an operator should know before wondering why nothing happens; `huntaze doctor` says more."""
    if simulated:
        return
    if idle := settings.idle_tools():
        click.echo(f"warning: no model has a key for the tools {', '.join(idle)}", err=True)
    if not settings.platform.url:
        click.echo("warning: ONLYFANS_API_URL is not set: no audience can be read and nothing is sent", err=True)


def _told(changed: Sequence[str]) -> str:
    """What a reload took over, and what it did not."""
    from huntaze_console.bootstrap import TAKEN_WHILE_RUNNING

    waiting = [key for key in changed if key.partition(".")[0] not in TAKEN_WHILE_RUNNING]
    taken = len(changed) - len(waiting)
    if not changed:
        return "configuration reloaded; nothing changed"
    later = f"; a restart is needed for {', '.join(waiting)}" if waiting else ""
    return f"configuration reloaded: {taken} of {len(changed)} changes taken over{later}"


def _listen(stop: asyncio.Event, hurry: asyncio.Event, reload: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def asked() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    loop.add_signal_handler(signal.SIGHUP, reload.set)


async def _reload(asked: asyncio.Event, source: SettingsSource, built: Built) -> None:
    """Read the configuration again whenever asked; a bad one is rejected whole and the old one stays."""
    while True:
        await asked.wait()
        asked.clear()
        now: Callable[[], int] = built.clock.now
        try:
            fresh = await asyncio.to_thread(source.load)
        except ConfigError as error:
            rejected = SettingsRejected(at=now(), error=str(error))
            click.echo(f"configuration rejected, the old one stays: {error}", err=True)
            await built.engine.tell(rejected)
            continue
        changed = await built.reload(fresh)
        taken = SettingsReloaded(at=now(), changed=", ".join(changed))
        click.echo(_told(changed), err=True)
        await built.engine.tell(taken)
