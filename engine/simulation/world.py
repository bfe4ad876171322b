"""The simulated world as a process: it owns virtual time, serves the protocols on loopback, and leaves when asked.

It ends on SIGTERM, and by itself when the process it was started for is gone, so that no kill leaves an orphan.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from engine.kernel.clock import ClockPage, VirtualClock
from engine.kernel.values import Instant
from engine.simulation import anthropic, openai, past
from engine.simulation.controls import Controls
from engine.simulation.faults import FaultPlan
from engine.simulation.options import WorldOptions as WorldOptions
from engine.simulation.pace import Pacer
from engine.simulation.platform import Platform
from engine.simulation.record import FileRecord, Record
from engine.simulation.scenario import load_scenario
from engine.simulation.stage import Stage

_PAGE_NAME = "clock.page"
_RECORD_NAME = "record.jsonl"
_LARGEST_REQUEST = 64 * 1024 * 1024  # bytes
_FAREWELL = 0.5  # real seconds that open requests have to end
_PARENT_CHECK = 0.2  # real seconds


def run(options: WorldOptions) -> None:
    """Run a world until it is told to end. Raises ConfigError for a bad scenario, OSError for a port in use."""
    asyncio.run(_live(options))


async def _live(options: WorldOptions) -> None:
    scenario = load_scenario(options.scenario)
    async with AsyncExitStack() as stack:
        state = options.state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="huntaze-world-")))
        state.mkdir(parents=True, exist_ok=True)
        before = past.recall(state, options.start)
        page = ClockPage.create((state / _PAGE_NAME).resolve(), start=before.reached, speed=options.speed)
        stack.callback(page.close)
        path = (options.record or state / _RECORD_NAME).resolve()
        record: Record = FileRecord(path)
        stack.callback(record.close)
        started = Instant(before.epoch)
        stage = Stage(
            seed=options.seed,
            clock=VirtualClock(page),
            started=started,
            record=record,
            scenario=scenario,
            faults=FaultPlan(options.seed, started, scenario.faults),
        )
        pacer = Pacer(page, record, options.speed)
        under_way: set[asyncio.Task[Any]] = set()
        runner = web.AppRunner(_app(stage, page, pacer, under_way), access_log=None, shutdown_timeout=_FAREWELL)
        await runner.setup()
        stack.push_async_callback(_cut, under_way)  # before the record and the page they note in are closed
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(_cut, under_way, patience=_FAREWELL)
        listener = _listen(options.port)
        await web.SockSite(runner, listener).start()
        past.remember(state, started, page)
        stop = _told_to_stop(options.parent_pid)
        _announce(listener.getsockname()[1], stage, page.path, path)
        await _until(stop, options.parent_pid, pacer, lambda: past.remember(state, started, page))


def _app(stage: Stage, page: ClockPage, pacer: Pacer, under_way: set[asyncio.Task[Any]]) -> web.Application:
    app = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[_known(under_way)])
    platform = Platform(stage)
    app.add_routes(openai.routes(stage))
    app.add_routes(anthropic.routes(stage))
    app.add_routes(platform.routes())
    app.add_routes(Controls(stage, page, pacer, platform).routes())
    return app


def _known(under_way: set[asyncio.Task[Any]]) -> Middleware:
    """Keeps every request under way in the set: the server forgets those whose caller has gone, and they run on."""

    @web.middleware
    async def known(request: web.Request, handler: Handler) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a handler runs in one
        under_way.add(task)
        try:
            return await handler(request)
        finally:
            under_way.discard(task)

    return known


async def _cut(under_way: set[asyncio.Task[Any]], patience: float = 0.0) -> None:
    """Let requests end for so many real seconds, then cut them off and wait until each has noted so."""
    if under_way and patience:
        await asyncio.wait(under_way, timeout=patience)
    for task in under_way:
        task.cancel()
    if under_way:
        await asyncio.wait(under_way)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1_024)
    return listener


def _announce(port: int, stage: Stage, page: Path, record: Path) -> None:
    """The one line a parent waits for."""
    ready = {
        "url": f"http://127.0.0.1:{port}",
        "epoch": stage.started,
        "seed": stage.seed,
        "page": str(page),
        "record": str(record),
    }
    sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    sys.stdout.flush()


def _told_to_stop(parent_pid: int | None) -> asyncio.Event:
    """Set on SIGTERM, and on SIGINT when nobody else looks after the world."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if parent_pid is None:
        loop.add_signal_handler(signal.SIGINT, stop.set)
    else:  # the parent drains first and ends the world itself; Ctrl-C reaches the whole terminal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return stop


async def _until(stop: asyncio.Event, parent_pid: int | None, pacer: Pacer, remember: Callable[[], None]) -> None:
    """Keep the pace and the note until `stop` is set, or the parent is gone."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(pacer.run()), tasks.create_task(_keep(remember))]
        if parent_pid is not None:
            running.append(tasks.create_task(_watch(parent_pid, stop)))
        await stop.wait()
        for task in running:
            task.cancel()


async def _keep(remember: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(past.EVERY)
        remember()


async def _watch(pid: int, stop: asyncio.Event) -> None:
    """Set `stop` once that process is gone."""
    was_parent = os.getppid() == pid
    while _alive(pid) and not (was_parent and os.getppid() != pid):  # noqa: ASYNC110 - a process sets no event
        await asyncio.sleep(_PARENT_CHECK)
    stop.set()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
