"""A command's line to an engine elsewhere, as --connect names it: each request on a connection of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from engine.kernel.errors import EngineUnavailable
from engine.kernel.secret import Secret
from engine.surface import wire
from huntaze_console.attaching import address_of, token_of
from huntaze_console.cli.flags import ask_secret
from huntaze_console.options import Remote
from screens.sources.line import BROKEN, Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.surface.commands import Command, Done
    from engine.surface.queries import Page, Query
    from engine.surface.snapshot import Snapshot

_TOKEN = "huntaze.token"  # noqa: S105 - where a command keeps it between its questions


class DistantLine:
    """See Line. Raises CommandRefused or EngineUnavailable."""

    def __init__(self, line: Line, sign: Callable[[Command], Command]) -> None:
        self._line, self._sign = line, sign

    def snapshot(self) -> Snapshot:
        return wire.load_snapshot(self._ask("GET", "snapshot"))

    def query(self, query: Query) -> Page[Any]:
        return wire.load_page(query, self._ask("POST", "query", wire.dump_query(query)))

    def submit(self, command: Command) -> Done:
        return wire.load_done(self._ask("POST", "command", wire.dump_command(self._sign(command))))

    def _ask(self, method: str, what: str, body: bytes | None = None) -> bytes:
        try:
            return self._line.ask(method, f"/api/v2/{what}", body)[1]
        except BROKEN as error:
            remedy = "What was asked may have happened: look before you repeat it"
            raise EngineUnavailable("the link broke before the answer came", remedy=remedy) from error


def reach(remote: Remote, sign: Callable[[Command], Command]) -> DistantLine:
    """Raises ConfigError for an address or a token that must not be used."""
    return DistantLine(Line(address_of(remote), _token(remote), via="cli"), sign)


def _token(remote: Remote) -> Secret:
    """Asked for once, however many questions the command has."""
    kept = click.get_current_context().find_root().meta
    if _TOKEN not in kept:
        kept[_TOKEN] = token_of(remote, os.environ, ask_secret)
    found: Secret = kept[_TOKEN]
    return found
