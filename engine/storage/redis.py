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
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import Connection, ConnectionPool
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
        self._free = asyncio.Semaphore(connections)
        try:
            self._pool = ConnectionPool.from_url(
                url.reveal(),
                max_connections=connections,
                socket_connect_timeout=min(timeout, _CONNECT_WITHIN),
                retry=None,
            )
        except ValueError:
            raise RedisFailure(
                "the address of Redis is not one", remedy="It looks like redis://:password@host:6379/0"
            ) from None
        self._run_ids: dict[Any, tuple[object, str]] = {}  # by connection: the stream it was asked on, and the answer

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """What the script returns: integers, bytes, and lists of them."""
        try:
            async with asyncio.timeout(self._timeout), self._free:
                return await self._run(script, keys, arguments)
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            raise RedisFailure(f"Redis: {_said(error)}") from error

    async def facts(self) -> dict[str, str]:
        """What the server tells of itself, for the doctor."""
        try:
            async with asyncio.timeout(self._timeout), self._free:
                connection = await self._pool.get_connection()
                try:
                    told = await _ask(connection, "INFO")
                finally:
                    await connection.disconnect(nowait=True)
                    await self._pool.release(connection)
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            raise RedisFailure(f"Redis: {_said(error)}") from error
        lines = (told.decode() if isinstance(told, bytes) else str(told)).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    async def close(self) -> None:
        await self._pool.disconnect(inuse_connections=True)

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        connection = await self._pool.get_connection()
        sound = False
        try:
            run_id = await self._run_id(connection)
            tail = (len(keys), *keys, run_id, *arguments)
            try:
                answer = await _ask(connection, "EVALSHA", script.sha, *tail)
            except NoScriptError:
                answer = await _ask(connection, "EVAL", script.text, *tail)
            sound = True
            return answer
        finally:
            if not sound:  # an answer may still be on its way, and would be taken for the next call's
                self._run_ids.pop(connection, None)
                await connection.disconnect(nowait=True)
            await self._pool.release(connection)

    async def _run_id(self, connection: Any) -> str:
        """The server's, asked once for each stream: a connection made anew may lead to another server."""
        stream = connection._writer
        known = self._run_ids.get(connection)
        if known is not None and known[0] is stream:
            return known[1]
        told = await _ask(connection, "INFO", "server")
        lines = told.decode() if isinstance(told, bytes) else str(told)
        run_id = next((line[7:].strip() for line in lines.splitlines() if line.startswith("run_id:")), "")
        if not run_id:
            raise RedisError("it does not tell its run id")
        self._run_ids[connection] = (connection._writer, run_id)
        return run_id


async def _ask(connection: Connection, *words: str | int) -> Any:
    await connection.send_command(*words)
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
