"""Reaching an engine: the running one over its socket, or the state directly where none runs.

Whoever reads may do so from the files. Whoever writes needs an engine, but for `stop` and `resume`: halting everything
must work at once and always.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click

from engine.kernel.errors import ConfigError, EngineUnavailable, StateDirectoryBusy
from huntaze_console.acting import operator
from huntaze_console.cli.exits import NeedsEngine
from huntaze_console.cli.flags import Where
from huntaze_console.places import state_directory

if TYPE_CHECKING:
    import asyncio

    from engine.storage.directory import StateDirectory
    from engine.surface.commands import Command, Done
    from engine.surface.desk import Desk
    from engine.surface.queries import Page, Query
    from engine.surface.snapshot import Snapshot
    from huntaze_console.client import EngineClient
    from huntaze_console.config import Settings
    from huntaze_console.options import Remote

_INSIST = 15.0  # seconds that `stop` waits for an engine that is starting or draining
_AGAIN = 0.2  # seconds between two tries


class Line(Protocol):
    """The engine as a command uses it."""

    def snapshot(self) -> Snapshot: ...
    def query(self, query: Query) -> Page[Any]: ...
    def submit(self, command: Command) -> Done: ...


class FilesLine:
    """The engine's desk over the state's files, driven from here."""

    def __init__(self, runner: asyncio.Runner, desk: Desk) -> None:
        self._runner = runner
        self._desk = desk

    def snapshot(self) -> Snapshot:
        return self._desk.snapshot()

    def query(self, query: Query) -> Page[Any]:
        return self._runner.run(self._desk.query(query))

    def submit(self, command: Command) -> Done:
        return self._runner.run(self._desk.submit(dataclasses.replace(signed(command), via="cli")))


@contextmanager
def reading(where: Where) -> Iterator[Line]:
    """The running engine, or the files where none runs. Raises NeedsEngine where there is no state either."""
    if where.remote is not None:
        yield _distant(where.remote)
        return
    state = _directory(where)
    client = _running(state)
    if client is None and not state.database_path.exists():
        raise NeedsEngine(f"there is no state in {state.path} yet", remedy=_how_to_start(state))
    with client or _files(where, state) as line:
        yield line


def signed(command: Command) -> Command:
    """The command with who is at the terminal on it, unless it names somebody."""
    return dataclasses.replace(command, actor=operator()) if command.actor == "operator" else command


@contextmanager
def writing(where: Where) -> Iterator[Line]:
    """The running engine. Raises NeedsEngine where none runs."""
    if where.remote is not None:
        yield _distant(where.remote)
        return
    state = _directory(where)
    client = _running(state)
    if client is None:
        if owner := _living_owner(state):
            raise EngineUnavailable(f"the {owner} on {state.path} is starting or draining")
        raise NeedsEngine(f"no engine runs on {state.path}", remedy=_how_to_start(state))
    with client:
        yield client


@contextmanager
def insisting(where: Where) -> Iterator[Line]:
    """The running engine, or else the files, whatever the configuration says; a busy directory is tried again."""
    if where.remote is not None:
        yield _distant(where.remote)
        return
    with ExitStack() as stack:
        yield _entered(stack, where, _directory(where))


def _entered(stack: ExitStack, where: Where, state: StateDirectory) -> Line:
    give_up = time.monotonic() + _INSIST
    while True:
        try:
            return stack.enter_context(_running(state) or _files(where, state, any_settings=True))
        except StateDirectoryBusy:
            if time.monotonic() > give_up:
                raise
            threading.Event().wait(_AGAIN)


def _distant(remote: Remote) -> Line:
    from huntaze_console.cli.distant import reach

    return reach(remote, signed)


def _directory(where: Where) -> StateDirectory:
    from engine.storage.directory import StateDirectory

    return StateDirectory(where.state_dir)


def _running(state: StateDirectory) -> EngineClient | None:
    from huntaze_console.client import NoEngine, connect

    try:
        return connect(state, sign=signed)
    except NoEngine:
        return None


@contextmanager
def _files(where: Where, state: StateDirectory, *, any_settings: bool = False) -> Iterator[Line]:
    import asyncio

    from huntaze_console.bootstrap import open_offline

    settings = _settings(where, state, any_settings=any_settings)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        desk = runner.run(stack.enter_async_context(open_offline(settings, state.path)))
        try:
            yield FilesLine(runner, desk)
        finally:
            runner.run(stack.aclose())


def _settings(where: Where, state: StateDirectory, *, any_settings: bool) -> Settings:
    """The settings; with `any_settings` the built-in ones where those asked for are wrong."""
    from engine.storage.directory import Mode
    from huntaze_console.config import load_settings

    simulated = state.mode() is Mode.SIMULATED
    try:
        return where.source(simulated=simulated).load()
    except ConfigError as error:
        if not any_settings:
            raise
        click.echo(f"warning: going on with the built-in settings, because {error}", err=True)
        return load_settings(None, {}, simulated=simulated)


def _living_owner(state: StateDirectory) -> str:
    """What kind of process holds the directory, or nothing when none does."""
    owner = state.owner() or {}
    pid = owner.get("pid")
    if not isinstance(pid, int):
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return str(owner.get("kind", "engine"))


def _how_to_start(state: StateDirectory) -> str:
    """Where to go from here: start one, or look where one runs."""
    demo = state_directory(None, {**os.environ, "HUNTAZE_STATE_DIR": ""}, demo=True)
    if demo != state.path and (demo / "huntaze.sock").exists():
        return f"Start one with: huntaze daemon. The demo runs on another: add --state-dir {demo}"
    return "Start one with: huntaze daemon (or huntaze for the console, huntaze demo for a simulation)"
