"""The one door to Redis: scripts, each run in one round trip, and every error translated.

A connection is used by one call at a time and only while it is certain that question and answer belong together: one
that was cancelled, timed out or broke is closed, never given to the next. Nothing is repeated here but a script that
the server has forgotten, which it says before it runs any of it.

Every connection asks for the server's run id first. It changes when the server was restarted or another took its place,
which is when what it held may be gone: callers pass it to their scripts, and these refuse one they do not know.
Importing this module costs a sixth of a second, so only what a configuration needs imports it, in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import ConnectionPool
from redis.exceptions import NoScriptError, RedisError

from engine.kernel.errors import StorageError
from engine.kernel.secret import Secret

_CONNECTIONS = 16
_CONNECT_WITHIN = 1.0  # seconds; the call's own time-out bounds it too


class RedisFailure(StorageError):
    """Redis did not answer, or not soundly: whether the script ran is unknown. It never holds the address."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script. It is given its arguments after the server's run id, which is ARGV[1]."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


class RedisClient:
    """Runs scripts. `run` raises only RedisFailure (and lets CancelledError through). Bounded in connections."""

    def __init__(self, url: Secret, timeout: float, *, connections: int = _CONNECTIONS) -> None:
        """`timeout` is real seconds for a whole call, a new connection included. Raises RedisFailure for a bad URL."""
        self._timeout = timeout
        self._room = asyncio.Semaphore(connections)
        self._idle: list[_Line] = []
        try:
            self._pool = ConnectionPool.from_url(
                url.reveal(), socket_connect_timeout=min(timeout, _CONNECT_WITHIN), socket_timeout=None, retry=None
            )
        except ValueError:
            raise RedisFailure(
                "the address of Redis is not one", remedy="It looks like redis://:password@host:6379/0"
            ) from None

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """What the script returns: integers, bytes, and lists of them."""
        async with self._line() as line:
            tail = (len(keys), *keys, line.run_id, *arguments)
            try:
                return await _ask(line.connection, "EVALSHA", script.sha, *tail)
            except NoScriptError:
                return await _ask(line.connection, "EVAL", script.text, *tail)

    async def facts(self) -> dict[str, str]:
        """What the server tells of itself, for the doctor."""
        async with self._line() as line:
            return _facts(await _ask(line.connection, "INFO"))

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().connection.disconnect(nowait=True)

    @contextlib.asynccontextmanager
    async def _line(self) -> AsyncIterator[_Line]:
        """A connection to oneself. Only one that was used to the end, without a doubt, is used again."""
        try:
            async with asyncio.timeout(self._timeout), self._room:
                line = self._idle.pop() if self._idle else None
                if line is not None and not line.usable:
                    await line.connection.disconnect(nowait=True)
                    line = None
                connection = line.connection if line is not None else self._pool.make_connection()  # type: ignore[no-untyped-call]
                sound = False
                try:
                    line = line or await _opened(connection)
                    yield line
                    sound = True
                finally:
                    if not sound:  # an answer may still be on its way, and would be taken for the next call's
                        await connection.disconnect(nowait=True)
                    elif line is not None:
                        self._idle.append(line)
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            raise RedisFailure(f"Redis: {_said(error)}") from error


@dataclass(slots=True)
class _Line:
    """An open connection, and the run id of the server it leads to."""

    connection: Any
    run_id: str
    reader: Any

    @property
    def usable(self) -> bool:
        """Nothing came while nobody asked, and the other side is still there."""
        reader = self.connection._reader
        return reader is self.reader and not reader.at_eof() and not reader._buffer


async def _opened(connection: Any) -> _Line:
    await connection.connect()
    run_id = _facts(await _ask(connection, "INFO", "server")).get("run_id", "")
    if not run_id:
        raise RedisError("it does not tell its run id")
    return _Line(connection, run_id, connection._reader)


def _facts(told: Any) -> dict[str, str]:
    lines = (told.decode() if isinstance(told, bytes) else str(told)).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


async def _ask(connection: Any, *words: str | int) -> Any:
    """One command. Packed here: the client's own packing takes three times as long, more than the script itself."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    await connection.send_packed_command(b"".join(parts), check_health=False)
    return await connection.read_response()


def _said(error: Exception) -> str:
    """What went wrong, without what could hold the address or the password."""
    if isinstance(error, TimeoutError) or type(error).__name__ == "TimeoutError":
        return "no answer in time"
    if isinstance(error, OSError) or type(error).__name__ == "ConnectionError":
        return "no connection"
    return type(error).__name__


def where(url: Secret) -> str:
    """The host and port of an address, for people: never its user or password."""
    try:
        parts = urlsplit(url.reveal())
        return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else "a socket of this machine"
    except ValueError:
        return "an address that is not one"
