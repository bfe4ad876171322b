"""Who may speak: the bearer token of the state directory, and the names this server answers to.

The token is asked for on every transport, the unix socket included: a file's mode alone would let anything that runs as
the operator speak. A second token, where there is one, may look and change nothing. A page in a browser cannot reach
the API by a name it made resolve to this machine (DNS rebinding), since over plain HTTP only loopback's own names are
answered; under TLS the certificate does the same. A stream lasts as long as the token that opened it.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from engine.kernel.errors import StorageError
from engine.storage.directory import StateDirectory
from huntaze_console.api.problems import Problem
from huntaze_console.tokens import make_token

_SHORTEST = 32  # characters; a shorter token was not made here and may be guessed
_LOOKING = frozenset({"GET", "HEAD"})
_REMEMBERED = 8  # tokens that were taken back: who still has one is told so
_LOOK_AGAIN = 0.4  # real seconds between two looks at the token of an open stream
_GOODBYE = 0.6  # real seconds that a stream has for its last word: a client that does not read must not stay
_SEND = "Send 'Authorization: Bearer' and the line in the state directory's api-token"
REVOKED = "this token was revoked"


class Access(StrEnum):
    """What the bearer of a token may do."""

    FULL = "full"
    READ_ONLY = "read-only"


_ACCESS = web.RequestKey("access", Access)  # a request's, once it is known


class Stay:
    """How long a stream may go on."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.reason = ""  # why it is over, where the token is the reason

    def end(self, reason: str) -> None:
        self.reason = reason
        self.over.set()


def open_token(directory: StateDirectory) -> TokenFile:
    """The directory's token, made at the first start. Raises StorageError for a file that cannot be used."""
    path = directory.token_path
    try:
        found = path.read_text().strip()
    except FileNotFoundError:
        directory.write_private(path, make_token() + "\n")
        return TokenFile(path)
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, "cannot be read") from error
    if len(found) < _SHORTEST or not found.isascii() or not found.isprintable():
        raise _unusable(path, f"holds no token of at least {_SHORTEST} characters")
    path.chmod(0o600)
    return TokenFile(path)


class TokenFile:
    """A token in a file of its own, read again when it changed: made, replaced or taken back counts at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._token = b""
        self._former: deque[bytes] = deque(maxlen=_REMEMBERED)

    def is_token(self, presented: bytes) -> bool:
        """Whether this is the token; of a missing, short or open file nothing is."""
        self._look()
        return bool(self._token) and hmac.compare_digest(presented, self._token)

    def was_token(self, presented: bytes) -> bool:
        """Whether this was one, and is no more."""
        return True in [hmac.compare_digest(presented, former) for former in self._former]

    def _look(self) -> None:
        try:
            state = self._path.stat()
        except FileNotFoundError:
            self._take(None, b"")
            return
        except OSError:
            return  # nothing is known of the file, so what was read last counts
        seen = (state.st_ino, state.st_mtime_ns, state.st_mode)
        if seen != self._seen:
            self._take(seen, b"" if state.st_mode & 0o077 else self._read())

    def _take(self, seen: tuple[int, int, int] | None, found: bytes) -> None:
        if self._token and found != self._token:
            self._former.append(self._token)
        self._seen, self._token = seen, found if len(found) >= _SHORTEST else b""

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes().strip()
        except OSError:
            return b""


class Gate:
    """Decides, before any handler runs, whether a request may go on."""

    def __init__(
        self,
        token: TokenFile,
        open_paths: frozenset[str],
        *,
        check_names: bool,
        read_only: TokenFile,
        asking: frozenset[str] = frozenset(),
    ) -> None:
        self._token = token
        self._read_only = read_only
        self._open_paths = open_paths
        self._asking = asking  # paths whose POST only asks
        self._check_names = check_names  # without TLS, whose certificate does it

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.check_name(request)
            if not self._is_open(request):
                self._admit(request)
            return await handler(request)

        return admit

    def _admit(self, request: web.Request) -> None:
        access = self.access(request)
        if access is None:
            raise _unauthorized()
        request[_ACCESS] = access
        if access is Access.READ_ONLY and request.method not in _LOOKING and _path_of(request) not in self._asking:
            remedy = "Nothing was changed. Use the token of the state directory's api-token to act"
            raise Problem(403, "read_only", "this token may look, and change nothing", remedy=remedy)

    def knows(self, request: web.Request) -> bool:
        """The request carries a token. Raises Problem as `access` does."""
        return self.access(request) is not None

    def access(self, request: web.Request) -> Access | None:
        """What the request's token allows; None without one. Takes as long for a near miss as for a far one.

        Raises Problem(401) for a wrong token, also where none is needed: its sender believes it is right.
        """
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is None:
            return None
        scheme, _, value = given.partition(" ")
        presented = value.strip().encode(errors="surrogateescape")
        if scheme.lower() == "bearer":
            if self._token.is_token(presented):
                return Access.FULL
            if self._read_only.is_token(presented):
                return Access.READ_ONLY
            if self._token.was_token(presented) or self._read_only.was_token(presented):
                raise _unauthorized(REVOKED, remedy="Ask who runs the engine for another")
        raise _unauthorized("the token is wrong")

    def is_token(self, value: str) -> bool:
        """Whether this is the token. Takes as long for a near miss as for a far one."""
        return self._token.is_token(value.encode(errors="surrogateescape"))

    @asynccontextmanager
    async def staying(self, request: web.Request) -> AsyncIterator[Stay]:
        """An admitted request for as long as it is answered: it is to end when its token stops to be what it was."""
        stay = Stay()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch(request, stay))
            try:
                yield stay
            finally:
                watching.cancel()

    async def _watch(self, request: web.Request, stay: Stay) -> None:
        """End the stay when the token changes; one that does not end by itself is cut off."""
        while not stay.over.is_set():
            await asyncio.sleep(_LOOK_AGAIN)
            try:
                if self.access(request) is not access_of(request):
                    stay.end("this token may do other things now: connect again")
            except Problem as refused:
                stay.end(refused.detail)
        await asyncio.sleep(_GOODBYE)
        if request.transport is not None:
            request.transport.abort()

    def _is_open(self, request: web.Request) -> bool:
        return _path_of(request) in self._open_paths

    def check_name(self, request: web.Request) -> None:
        """Raises Problem(421) for a request that names another server."""
        if not self._check_names or over_unix(request):
            return
        if not _is_loopback(request.headers.get(hdrs.HOST, "")):
            remedy = "Use the URL in endpoint.json, or http://127.0.0.1 with its port"
            raise Problem(421, "misdirected", "the Host header names another server", field="Host", remedy=remedy)


def access_of(request: web.Request) -> Access | None:
    """What an admitted request may do; None of one that no token was asked of."""
    return request.get(_ACCESS)


def _path_of(request: web.Request) -> str:
    """The path as the route table writes it; empty for one that is not there."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def over_unix(request: web.Request) -> bool:
    """It came by the socket in the state directory."""
    transport = request.transport
    opened = transport.get_extra_info("socket") if transport else None
    return opened is not None and opened.family == socket.AF_UNIX


@lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    name = _without_port(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _unauthorized(detail: str = "this needs the bearer token", *, remedy: str = _SEND) -> Problem:
    return Problem(
        401,
        "unauthorized",
        detail,
        remedy=remedy,
        headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="huntaze"'},
    )


def _unusable(path: Path, what: str) -> StorageError:
    return StorageError(f"{path} {what}", remedy="Delete it, and the next start makes a new one")
