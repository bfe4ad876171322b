"""The interactive run: attaches to the engine of the state directory, or embeds one on a thread of its own.

Textual's writer blocks its loop when the terminal stops reading, so the engine never shares it: embedded, it lives on its
own thread and event loop, and only frozen values cross. Losing the terminal drains an embedded engine and leaves an
attached one alone. The engine is imported on its own thread, while the console paints its first frame.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from engine.storage.directory import Mode, StateDirectory
from huntaze_console.embedding import EmbeddedEngine, Starting
from huntaze_console.logs import configure_logging
from huntaze_console.options import ConsoleOptions
from screens.app import run_console
from screens.source import ConsoleOptions as ScreenOptions
from screens.source import Source

_LOG_NAME = "console.log"  # in the state directory: the terminal belongs to the console
_log = logging.getLogger(__name__)


def run(options: ConsoleOptions) -> int:
    """Show the console until the operator leaves or the terminal is lost; returns the exit code.

    Raises HuntazeError for what keeps an engine from starting or being reached.
    """
    directory = StateDirectory(options.state_dir)
    settings = options.settings.load()
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    configure_logging(settings.logging, file=directory.path / _LOG_NAME)
    if _is_served(directory):
        return _show(_attached(directory), options, drains=False)
    with _embedded(options, directory) as engine:
        code = _show(Starting(engine), options, drains=True)
    if engine.failure is not None:
        raise engine.failure
    return code


def _show(source: Source, options: ConsoleOptions, *, drains: bool) -> int:
    console = options.settings.load().console
    return run_console(
        source,
        options=ScreenOptions(
            drains=drains, theme=console.theme, typed_above=console.confirm_above_fans, log=_log.warning
        ),
    )


def _is_served(directory: StateDirectory) -> bool:
    """Whether an engine listens on the directory's socket. A file that a killed one left behind answers nobody."""
    if directory.endpoint() is None:
        return False
    from huntaze_console.api.sockets import reachable

    return reachable(directory.socket_path)


def _attached(directory: StateDirectory) -> Source:
    from screens.sources.remote import RemoteSource

    return RemoteSource(socket=directory.socket_path, token=directory.token_path.read_text().strip())


@contextmanager
def _embedded(options: ConsoleOptions, directory: StateDirectory) -> Iterator[EmbeddedEngine]:
    """An engine of our own for the block; afterwards it is drained."""
    _claim(directory, simulated=options.simulation is not None)
    engine = EmbeddedEngine(options, directory)
    engine.start()
    try:
        yield engine
    finally:
        engine.drain()
        directory.release()


def _claim(directory: StateDirectory, *, simulated: bool) -> None:
    from importlib.metadata import version

    mode = Mode.SIMULATED if simulated else Mode.REAL
    directory.acquire(kind="console", mode=mode, version=version("huntaze-console"))
