"""A command's line to the engine that owns a state directory: HTTP over its socket, nothing asynchronous.

Made of the standard library's http.client, because a command lives for a tenth of a second.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from engine.kernel.errors import CommandRefused, EngineUnavailable, HuntazeError, Refusal
from engine.kernel.text import clean

if TYPE_CHECKING:
    from engine.storage.directory import StateDirectory
    from engine.surface.commands import Command, Done
    from engine.surface.queries import Page, Query
    from engine.surface.snapshot import Snapshot

_ANSWER_WITHIN = 60.0  # seconds; a command commits before it answers, and a disk may be slow
_CONNECT_WITHIN = 5.0  # seconds
_LONGEST_WORDS = 2_000  # characters of a refusal that are shown

_REFUSALS: Mapping[int, Refusal] = MappingProxyType(
    {
        400: Refusal.INVALID,
        404: Refusal.NOT_FOUND,
        409: Refusal.CONFLICT,
        422: Refusal.INVALID,
        503: Refusal.UNAVAILABLE,
    }
)


class NoEngine(EngineUnavailable):
    """Nobody listens on the socket of a state directory."""


class EngineClient:
    """The surface of a running engine. Every method raises CommandRefused or EngineUnavailable."""

    def __init__(self, connection: http.client.HTTPConnection, token: str, sign: Callable[[Command], Command]) -> None:
        self._connection = connection
        self._token = token
        self._sign = sign

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def snapshot(self) -> Snapshot:
        from engine.surface import wire

        return wire.load_snapshot(self._exchange("GET", "/api/v2/snapshot"))

    def query(self, query: Query) -> Page[Any]:
        from engine.surface import wire

        return wire.load_page(query, self._exchange("POST", "/api/v2/query", wire.dump_query(query)))

    def submit(self, command: Command) -> Done:
        from engine.surface import wire

        return wire.load_done(self._exchange("POST", "/api/v2/command", wire.dump_command(self._sign(command))))

    def _exchange(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "X-Huntaze-Via": "cli"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineUnavailable(
                f"the engine did not answer: {str(error) or type(error).__name__}",
                remedy="What was asked may have happened: look before you repeat it",
            ) from error
        if 200 <= answer.status < 300:
            return data
        raise refusal(answer.status, data)


def connect(state: StateDirectory, *, sign: Callable[[Command], Command] = lambda command: command) -> EngineClient:
    """A line to the engine of this state directory; `sign` puts who asks on a command.

    Raises NoEngine, or EngineUnavailable when it may not be used.
    """
    from screens.sources.line import UnixConnection

    connection = UnixConnection(state.socket_path, timeout=_CONNECT_WITHIN)
    try:
        connection.connect()
        connection.sock.settimeout(_ANSWER_WITHIN)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoEngine(f"no engine runs on {state.path}") from error
    except OSError as error:
        raise EngineUnavailable(f"cannot reach the engine of {state.path}: {error.strerror or error}") from error
    try:
        token = state.token_path.read_text("utf-8").strip()
    except OSError as error:
        connection.close()
        message = f"cannot read {state.token_path}: {error.strerror}"
        raise EngineUnavailable(message, remedy="Run this as the user who runs the engine") from error
    return EngineClient(connection, token, sign)


def refusal(status: int, data: bytes) -> HuntazeError:
    """The error that a problem document (RFC 9457) tells of."""
    problem = _problem(data)
    message = problem.get("detail") or problem.get("title") or f"the engine answered with status {status}"
    remedy = problem.get("remedy", "")
    if status in (401, 403):
        return EngineUnavailable("the engine does not accept this token", remedy="Run this as the user who runs it")
    reason = _REFUSALS.get(status)
    if reason is None:
        return EngineUnavailable(message, remedy=remedy)
    return CommandRefused(reason, message, field=problem.get("field", ""), remedy=remedy)


def _problem(data: bytes) -> dict[str, str]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    texts = found.items() if isinstance(found, dict) else ()
    return {key: clean(value, limit=_LONGEST_WORDS) for key, value in texts if isinstance(value, str)}
