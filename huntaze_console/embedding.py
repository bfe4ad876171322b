"""An engine inside this process: on its own thread and event loop, seen through frozen values."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from engine.kernel.errors import HuntazeError
from engine.storage.directory import StateDirectory
from huntaze_console.configuration.look import SimulationLook
from huntaze_console.options import ConsoleOptions
from huntaze_console.worlds import World, at_once, open_world
from screens.sources.late import LateSource

if TYPE_CHECKING:
    from huntaze_console.bootstrap import Built
    from huntaze_console.config import Settings


class EmbeddedEngine:
    """Starts, serves and drains an engine on a thread. `failure` is what ended it, if something did.

    `stillborn` says that it ended before it could work.
    """

    def __init__(self, options: ConsoleOptions, directory: StateDirectory) -> None:
        self._options = options
        self._directory = directory
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._leave = threading.Event()
        self.source = LateSource(lambda: 0)
        self.failure: HuntazeError | None = None
        self.stillborn = False
        self._seen = False

    def start(self, simulation: SimulationLook) -> None:
        """Begin, unless it has or is to end already: a console that is built again shows its first frame again.

        `simulation` is what holds of a world where no flag says otherwise.
        """
        if self._thread is None and not self._leave.is_set():
            self._thread = threading.Thread(target=self._run, args=(simulation,), name="engine")
            self._thread.start()

    def drain(self) -> None:
        """Let what is in flight end, and return when the engine has."""
        self._leave.set()
        if self._thread is None:
            return
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self, simulation: SimulationLook) -> None:
        try:
            asyncio.run(self._live(simulation))
        except* HuntazeError as group:  # a bare one is wrapped
            self.failure = _first(group)
            self.source.fail(str(self.failure))
            self.stillborn = not self._seen

    async def _live(self, simulation: SimulationLook) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            coming = stack.enter_async_context(self._world(simulation))
            world, (settings, open_engine) = await at_once(coming, asyncio.to_thread(self._load))
            built = await stack.enter_async_context(open_engine(settings, self._directory, kind="console", world=world))
            await self._serve(built, stack)

    @asynccontextmanager
    async def _world(self, defaults: SimulationLook) -> AsyncIterator[World | None]:
        if self._options.simulation is None:
            yield None
            return
        async with open_world(self._options.simulation, defaults, self._directory) as world:
            yield world

    def _load(self) -> tuple[Settings, Callable[..., AbstractAsyncContextManager[Built]]]:
        """The settings, and the engine's code. All of it stays: looking for what does not takes a tenth of the time."""
        gc.disable()
        try:
            settings = self._options.settings.load()
            from huntaze_console.bootstrap import open_engine
        finally:
            gc.enable()
        return settings, open_engine

    async def _serve(self, built: Built, stack: AsyncExitStack) -> None:
        """Show the engine, then serve it, then let it run: loading the API takes as long as everything before it."""
        from huntaze_console.serving import api_settings
        from screens.sources.embedded import EmbeddedSource

        assert self._stop is not None and self._loop is not None  # noqa: S101, PT018 - set before
        source = EmbeddedSource(built.desk, self._loop, built.clock.now)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(source.listen())
            self.source.become(source)
            serve = await asyncio.to_thread(_load_api)
            serving = serve(
                built.desk,
                self._directory,
                api_settings(built.settings),
                tcp=False,
                clock=built.clock,
                stop=self._stop,
                chance=random.SystemRandom(),
                measure=built.monitor.endpoint,
                gateway=built.gateway,
            )
            await stack.enter_async_context(serving)
            if self._leave.is_set():
                self._stop.set()
            self._seen = True
            await built.engine.run(self._stop, hurry=asyncio.Event())
            listening.cancel()


def _load_api() -> Callable[..., AbstractAsyncContextManager[object]]:
    from huntaze_console.api import serve

    return serve


def _first(group: BaseExceptionGroup[HuntazeError]) -> HuntazeError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, HuntazeError)  # noqa: S101 - the group was split by it
    return found
