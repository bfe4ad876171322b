"""The interactive run: attaches to the engine of the state directory, or embeds one on a thread of its own.

Textual's writer blocks its loop when the terminal stops reading, so the engine never shares it: embedded, it lives on
its own thread and event loop, and only frozen values cross. Losing the terminal drains an embedded engine and leaves an
attached one alone. The engine is imported on its own thread, while the console paints its first frame.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.kernel.errors import StateDirectoryBusy, WrongMode
from engine.kernel.secret import Secret
from engine.storage.directory import Mode, StateDirectory
from huntaze_console.embedding import EmbeddedEngine
from huntaze_console.logs import configure_logging
from huntaze_console.options import ConsoleOptions
from screens.app import run_console
from screens.source import ConsoleOptions as ScreenOptions
from screens.source import Source
from screens.terminal import read_terminal

_ANSWER_WITHIN = 2.0  # real seconds to be let in by a socket on this host
_SETTLED_WITHIN = 30.0  # real seconds for another engine to have started, or to be gone
_LOOK_AGAIN = 0.2  # real seconds
_LOG_NAME = "console.log"  # in the state directory: the terminal belongs to the console
_CHOSEN = {"auto": None, "on": True, "off": False}
_log = logging.getLogger(__name__)


def run(options: ConsoleOptions) -> int:
    """Show the console until the operator leaves or the terminal is lost; returns the exit code.

    Raises HuntazeError for what keeps an engine from starting or being reached.
    """
    directory = StateDirectory(options.state_dir)
    settings = options.settings.load()
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    configure_logging(settings.logging, file=directory.path / _LOG_NAME)
    if _belongs_to_another(directory, simulated=options.simulation is not None):
        with _attached(directory) as source:
            return _show(source, options, drains=False)
    with _embedded(options, directory) as engine:
        code = _show(engine.source, options, drains=True)
    if engine.failure is not None:
        raise engine.failure
    return code


def _belongs_to_another(directory: StateDirectory, *, simulated: bool) -> bool:
    """True once another process's engine listens there; False with the directory claimed for one of our own.

    A directory that is taken but serves nobody belongs to an engine that is just starting, or draining: wait for it.
    Raises StateDirectoryBusy when neither comes of it, WrongMode.
    """
    give_up = time.monotonic() + _SETTLED_WITHIN
    while not _is_served(directory):
        try:
            _claim(directory, simulated=simulated)
        except StateDirectoryBusy:
            if time.monotonic() > give_up:
                raise
            threading.Event().wait(_LOOK_AGAIN)
        else:
            return False
    if simulated and directory.mode() is not Mode.SIMULATED:
        raise WrongMode(
            f"a real engine runs on {directory.path}, and a demo is for simulated data only",
            remedy="Choose another directory with --state-dir, or look at that engine with: huntaze",
        )
    return True


def _show(source: Source, options: ConsoleOptions, *, drains: bool) -> int:
    console = options.settings.load().console
    return run_console(
        source,
        options=ScreenOptions(
            drains=drains,
            theme=console.theme,
            typed_above=console.confirm_above_fans,
            mouse=console.mouse,
            terminal=read_terminal(os.environ, ascii_only=_CHOSEN[console.ascii]),
            low_bandwidth=_CHOSEN[console.low_bandwidth],
            clipboard=console.clipboard,
            log=_log.warning,
        ),
    )


def _is_served(directory: StateDirectory) -> bool:
    """Whether an engine listens on the directory's socket. A file that a killed one left behind answers nobody."""
    if directory.endpoint() is None:
        return False
    from huntaze_console.api.sockets import reachable

    with reachable(directory.socket_path) as name, socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER_WITHIN)
        return probe.connect_ex(name) == 0


@contextmanager
def _attached(directory: StateDirectory) -> Iterator[Source]:
    """The engine that serves the directory, seen through its socket."""
    import random

    from screens.sources.remote import RemoteSource

    token = Secret(directory.token_path.read_text().strip())
    source = RemoteSource("http://localhost", token, chance=random.Random(), socket=directory.socket_path)  # noqa: S311
    source.start()
    try:
        yield source
    finally:
        source.close()


@contextmanager
def _embedded(options: ConsoleOptions, directory: StateDirectory) -> Iterator[EmbeddedEngine]:
    """An engine of our own for the block; afterwards it is drained."""
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
