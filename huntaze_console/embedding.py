"""An engine inside this process: on its own thread and event loop, seen through frozen values."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING

from engine.kernel.errors import HuntazeError
from engine.storage.directory import StateDirectory
from huntaze_console.options import ConsoleOptions
from screens.sources.late import LateSource

if TYPE_CHECKING:
    from huntaze_console.bootstrap import Built


class EmbeddedEngine:
    """Starts, serves and drains an engine on a thread. `failure` is what ended it, if something did.

    `stillborn` says that it ended before it could work.
    """

    def __init__(self, options: ConsoleOptions, directory: StateDirectory) -> None:
        self._options = options
        self._directory = directory
        self._thread = threading.Thread(target=self._run, name="engine")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._leave = threading.Event()
        self.source = LateSource(lambda: 0)
        self.failure: HuntazeError | None = None
        self.stillborn = False
        self._seen = False

    def start(self) -> None:
        """Begin, unless it has or is to end already: a console that is built again shows its first frame again."""
        if self._thread.ident is None and not self._leave.is_set():
            self._thread.start()

    def drain(self) -> None:
        """Let what is in flight end, and return when the engine has."""
        self._leave.set()
        if self._thread.ident is None:
            return
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except* HuntazeError as group:  # a bare one is wrapped
            self.failure = _first(group)
            self.source.fail(str(self.failure))
            self.stillborn = not self._seen

    async def _live(self) -> None:
        from huntaze_console.worlds import open_world

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        settings = self._options.settings.load()
        async with AsyncExitStack() as stack:
            world = None
            if (simulation := self._options.simulation) is not None:
                coming = open_world(simulation, settings, self._directory, meanwhile=_load_engine)
                world = await stack.enter_async_context(coming)
            from huntaze_console.bootstrap import open_engine

            built = await stack.enter_async_context(open_engine(settings, self._directory, kind="console", world=world))
            await self._serve(built, stack)

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


def _load_engine() -> None:
    import huntaze_console.bootstrap  # noqa: F401


def _load_api() -> Callable[..., AbstractAsyncContextManager[object]]:
    from huntaze_console.api import serve

    return serve


def _first(group: BaseExceptionGroup[HuntazeError]) -> HuntazeError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, HuntazeError)  # noqa: S101 - the group was split by it
    return found
