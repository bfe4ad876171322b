"""The interactive run: attaches to the engine of the state directory, or embeds one on a thread of its own.

Textual's writer blocks its loop when the terminal stops reading, so the engine never shares it: embedded, it lives on
its own thread and event loop, and only frozen values cross. Losing the terminal drains an embedded engine and leaves an
attached one alone. An engine of our own is loaded when the first frame stands: it takes longer than the screens do.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

from engine.kernel.errors import EngineUnavailable, StateDirectoryBusy, WrongMode
from engine.kernel.secret import Secret
from engine.storage.directory import Mode, StateDirectory
from huntaze_console.acting import operator
from huntaze_console.configuration.look import Look, look
from huntaze_console.logs import configure_logging
from huntaze_console.options import ConsoleOptions, Remote
from screens.sources.line import BROKEN, Address, UnixConnection

if TYPE_CHECKING:
    from huntaze_console.embedding import EmbeddedEngine
    from screens.recording import Recording
    from screens.source import Source

_ANSWER_WITHIN = 2.0  # real seconds to be let in by a socket on this host
_FIRST_WORD_WITHIN = 4.0  # real seconds for an engine elsewhere to say who it is before the console opens without it
_SETTLED_WITHIN = 30.0  # real seconds for another engine to have started, or to be gone
_LOOK_AGAIN = 0.2  # real seconds
_LOG_NAME = "console.log"  # in the state directory: the terminal belongs to the console
_CHOSEN = {"auto": None, "on": True, "off": False}
_log = logging.getLogger(__name__)


def run(options: ConsoleOptions, *, ask: Callable[[str], str]) -> int:
    """Show the console until the operator leaves or the terminal is lost; returns the exit code.

    `ask` prompts for a token without an echo. Raises HuntazeError for what keeps an engine from starting or being
    reached.
    """
    directory = StateDirectory(options.state_dir)
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if options.remote is not None:
        return _elsewhere(options, directory, options.remote, ask)
    if _belongs_to_another(directory, simulated=options.simulation is not None):
        return _here(options, directory)
    return _embed(options, directory)


def _elsewhere(options: ConsoleOptions, directory: StateDirectory, remote: Remote, ask: Callable[[str], str]) -> int:
    from huntaze_console.attaching import address_of, token_of

    address = address_of(remote)
    token = token_of(remote, os.environ, ask)
    with _attached(address, token, read_only=options.read_only) as source:
        return _show(source, options, _chosen(options, directory, look(options.settings)), drains=False)


def _here(options: ConsoleOptions, directory: StateDirectory) -> int:
    address = Address(socket=directory.socket_path)
    with _attached(address, _own_token(directory), read_only=options.read_only) as source:
        return _show(source, options, _chosen(options, directory, look(options.settings)), drains=False)


def _own_token(directory: StateDirectory) -> Secret:
    try:
        return Secret(directory.token_path.read_text("utf-8").strip())
    except OSError as error:
        words = f"cannot read {directory.token_path}: {error.strerror}"
        raise EngineUnavailable(words, remedy="Run this as the user who runs the engine") from error


@contextmanager
def attached(options: ConsoleOptions, *, ask: Callable[[str], str]) -> Iterator[Source | None]:
    """The engine that a console would be attached to, without one; None where none runs on this host.

    Raises HuntazeError where it cannot be reached.
    """
    directory = StateDirectory(options.state_dir)
    if options.remote is not None:
        from huntaze_console.attaching import address_of, token_of

        address, token = address_of(options.remote), token_of(options.remote, os.environ, ask)
    elif _is_served(directory):
        address, token = Address(socket=directory.socket_path), _own_token(directory)
    else:
        yield None
        return
    with _attached(address, token, read_only=True, seen=False) as source:
        yield source


def replay(recording: Recording, options: ConsoleOptions) -> int:
    """Show a recording until the operator leaves; closes it."""
    from screens.sources.replay import ReplaySource

    directory = StateDirectory(options.state_dir)
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = ReplaySource(recording)
    try:
        return _show(source, options, _chosen(options, directory, look(options.settings)), drains=False)
    finally:
        source.close()


def visit(options: ConsoleOptions, address: Address, token: Secret) -> int:
    """As `run`, for somebody at a browser: attached, with the token they brought."""
    directory = StateDirectory(options.state_dir)
    with _attached(address, token, read_only=options.read_only) as source:
        chosen = _chosen(options, directory, look(options.settings))
        return _show(source, options, chosen, drains=False, files=False)


def _embed(options: ConsoleOptions, directory: StateDirectory) -> int:
    with _embedded(options, directory) as engine:
        chosen = _chosen(options, directory, look(options.settings))
        code = _show(
            engine.source,
            options,
            chosen,
            drains=True,
            shown=lambda: engine.start(chosen.simulation),
            over=lambda: engine.stillborn,
        )
    if engine.failure is not None:
        raise engine.failure
    return code


def _chosen(options: ConsoleOptions, directory: StateDirectory, chosen: Look) -> Look:
    """What was chosen, its log begun. Raises InvalidSettings for keys of `[console.keys]` that cannot work."""
    if chosen.console.keys:
        from huntaze_console.remapping import check

        check(chosen.console.keys, options.settings)
    configure_logging(chosen.logging, file=directory.path / _LOG_NAME)
    return chosen


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


def _show(
    source: Source,
    options: ConsoleOptions,
    chosen: Look,
    *,
    drains: bool,
    files: bool = True,
    shown: Callable[[], None] = lambda: None,
    over: Callable[[], bool] = lambda: False,
) -> int:
    from screens.app import run_console
    from screens.source import ConsoleOptions as ScreenOptions
    from screens.terminal import read_terminal

    console = chosen.console
    return run_console(
        source,
        options=ScreenOptions(
            drains=drains,
            theme=console.theme,
            typed_above=console.confirm_above_fans,
            actor=options.actor or operator(),
            keys=console.keys,
            mouse=console.mouse,
            read_only=options.read_only,
            terminal=read_terminal(os.environ, ascii_only=_CHOSEN[console.ascii]),
            low_bandwidth=_CHOSEN[console.low_bandwidth],
            files=files,
            clipboard=console.clipboard,
            log=_log.warning,
            shown=shown,
            over=over,
        ),
    )


def _is_served(directory: StateDirectory) -> bool:
    """Whether an engine listens on the directory's socket. A file that a killed one left behind answers nobody."""
    if directory.endpoint() is None:
        return False
    probe = UnixConnection(directory.socket_path, timeout=_ANSWER_WITHIN)
    try:
        probe.connect()
    except BROKEN:
        return False
    probe.close()
    return True


@contextmanager
def _attached(address: Address, token: Secret, *, read_only: bool, seen: bool = True) -> Iterator[Source]:
    """The engine at an address. It is asked while the screens are loaded, so its first word seldom needs waiting for.

    Raises EngineUnavailable where nobody answers, the token is not known, or the two do not understand each other.
    """
    from screens.sources.remote import RemoteSource

    chance = random.Random()  # noqa: S311 - pauses between tries
    source = RemoteSource(address, token, chance=chance, version=version_of("huntaze-console"), read_only=read_only)
    source.start()
    try:
        if seen:
            import screens.app  # noqa: F401 - while the engine answers

        if (failure := source.first(_FIRST_WORD_WITHIN)) is not None:
            raise failure
        yield source
    finally:
        source.close()


@contextmanager
def _embedded(options: ConsoleOptions, directory: StateDirectory) -> Iterator[EmbeddedEngine]:
    """An engine of our own for the block; afterwards it is drained. It is started when the first frame stands."""
    from huntaze_console.embedding import EmbeddedEngine

    engine = EmbeddedEngine(options, directory)
    try:
        yield engine
    finally:
        engine.drain()
        directory.release()


def _claim(directory: StateDirectory, *, simulated: bool) -> None:
    mode = Mode.SIMULATED if simulated else Mode.REAL
    directory.acquire(kind="console", mode=mode, version=version_of("huntaze-console"))
