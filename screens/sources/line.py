"""HTTP to an engine, one request at a time, with nothing but the standard library: a console must be there at once.

An address is a Unix socket's path, or a host and port. Under TLS the certificate is always verified.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.kernel.errors import CommandRefused, EngineUnavailable, HuntazeError, Refusal
from engine.kernel.secret import Secret
from engine.kernel.text import clean

_CONNECT_WITHIN = 3.0  # seconds
_ANSWER_WITHIN = 25.0  # seconds for one question
_LONGEST_SOCKET_NAME = 100  # bytes; the system's own limit is 107
_LONGEST_LINE = 64 << 20  # bytes of one server-sent event; a whole snapshot is a hundredth of it
_LONGEST_ANSWER = 256 << 20  # bytes; a page of 1,000 rows is a thousandth of it
_GZIP = 31  # zlib's word for: a gzip header, the largest window
_LONGEST_WORDS = 2_000  # characters of a refusal that are shown
_BY_STATUS = {403: Refusal.CONFLICT, 404: Refusal.NOT_FOUND, 409: Refusal.CONFLICT}
_NOTHING = "Nothing was changed"
_GIVE_IT = "Give the engine's own by --token-file or HUNTAZE_TOKEN: the line in api-token of its state directory"

Headers = http.client.HTTPMessage
BROKEN = (OSError, http.client.HTTPException)


class NotReached(EngineUnavailable):
    """Nobody was there to be asked: nothing arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an engine listens: at `socket` if there is one, else at the host and port."""

    host: str = "localhost"
    port: int | None = None
    socket: Path | None = None
    tls: bool = False
    ca_file: Path | None = None  # PEM of who signed the engine's certificate; None: those the system trusts
    path: str = ""  # before /api, behind a proxy


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event; a comment has neither event nor data."""

    id: str = ""
    event: str = ""
    data: bytes = b""


class Line:
    """Requests to one engine. May be used by several threads: each request has a connection of its own."""

    def __init__(self, address: Address, token: Secret, *, via: str = "console") -> None:
        """`via` is the face that asks, as the audit names it."""
        self._address, self._token, self._via = address, token, via

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[Headers, bytes]:
        """The answer's headers and body. Raises NotReached, CommandRefused, EngineUnavailable; BROKEN on the way."""
        connection = self._dial()
        try:
            coding = "identity" if self._address.socket is not None else "gzip"  # on this host bytes cost nothing
            headers = {"Accept": "application/json", "Accept-Encoding": coding}
            answer = self._send(connection, method, path, body, headers)
            data = _plain(answer, answer.read(_LONGEST_ANSWER))
            if len(data) >= _LONGEST_ANSWER:
                raise EngineUnavailable("the answer is longer than any engine gives")
            raise_problem(answer.status, data)
            return answer.headers, data
        finally:
            connection.close()

    def open(self, path: str, headers: Mapping[str, str], *, silence: float) -> Stream:
        """A stream of server-sent events that may be silent for so many seconds. Raises as `ask` does."""
        connection = self._dial()
        try:
            answer = self._send(connection, "GET", path, None, {"Accept": "text/event-stream", **headers})
            if answer.status != 200:
                raise_problem(answer.status, answer.read(_LONGEST_WORDS * 10))
            connection.sock.settimeout(silence)
        except BaseException:
            connection.close()
            raise
        return Stream(connection, answer)

    def _dial(self) -> http.client.HTTPConnection:
        connection = self._connection()
        try:
            connection.connect()
        except BROKEN as error:
            connection.close()
            raise NotReached(_not_reached(error, self._address), remedy=_NOTHING) from error
        connection.sock.settimeout(_ANSWER_WITHIN)
        return connection

    def _connection(self) -> http.client.HTTPConnection:
        address = self._address
        if address.socket is not None:
            return UnixConnection(address.socket, timeout=_CONNECT_WITHIN)
        if not address.tls:
            return http.client.HTTPConnection(address.host, address.port, timeout=_CONNECT_WITHIN)
        import ssl

        try:
            context = ssl.create_default_context(cafile=address.ca_file)
        except OSError as error:
            remedy = "Name a file of certificates in PEM with --ca-file"
            raise EngineUnavailable(f"{address.ca_file} cannot be used: {error.strerror}", remedy=remedy) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return http.client.HTTPSConnection(address.host, address.port, timeout=_CONNECT_WITHIN, context=context)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        sent = {"Authorization": f"Bearer {self._token.reveal()}", "X-Huntaze-Via": self._via, **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
        connection.request(method, self._address.path + path, body, sent)
        return connection.getresponse()


class Stream:
    """Server-sent events as they come. `close` may be called from any thread and ends the reading at once."""

    def __init__(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        self._connection, self._answer = connection, answer
        self._socket = connection.sock
        self.headers: Headers = answer.headers

    def __iter__(self) -> Iterator[Message]:
        return messages(self._lines())

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Give the socket back, by the thread that reads."""
        self._answer.close()
        self._connection.close()

    def _lines(self) -> Iterator[bytes]:
        while line := self._answer.readline(_LONGEST_LINE):
            if len(line) >= _LONGEST_LINE:
                raise ValueError("a line without an end")
            yield line


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(self.timeout)
            _dial(line, self._path)
        except BaseException:
            line.close()
            raise
        self.sock = line


def _plain(answer: http.client.HTTPResponse, data: bytes) -> bytes:
    """The body as it was before it was compressed, as long as an answer may be."""
    if answer.headers.get("Content-Encoding") != "gzip":
        return data
    import zlib

    try:
        return zlib.decompressobj(wbits=_GZIP).decompress(data, _LONGEST_ANSWER)
    except zlib.error as error:
        raise http.client.HTTPException("the answer's compression is broken") from error


def _dial(line: socket.socket, path: Path) -> None:
    """Connect; a path too long for a socket's name is reached through its directory's descriptor."""
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_NAME:
        line.connect(str(path))
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        line.connect(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def messages(lines: Iterator[bytes]) -> Iterator[Message]:
    """Server-sent events out of a stream of lines (WHATWG HTML, 9.2.6); a comment is a message without an event."""
    found: dict[str, bytes] = {}
    for raw in lines:
        line = raw.rstrip(b"\r\n")
        if not line:
            if "data" in found or "event" in found:
                name, event = found.get("id", b""), found.get("event", b"message")
                yield Message(name.decode(errors="replace"), event.decode(errors="replace"), found.get("data", b""))
            found = {}
        elif line.startswith(b":"):
            yield Message()
        else:
            name, _, value = line.partition(b":")
            key, value = name.decode(errors="replace"), value.removeprefix(b" ")
            found[key] = found[key] + b"\n" + value if key == "data" and key in found else value


def raise_problem(status: int, data: bytes) -> None:
    """A problem document (RFC 9457) as the error it stands for; nothing for a success."""
    if status < 300:
        return
    problem = _problem(data)
    words = problem.get("detail") or problem.get("title") or f"the engine answered {status}"
    remedy, reason, place = (problem.get(name, "") for name in ("remedy", "reason", "field"))
    raise _error(status, reason, words, place, remedy)


def _error(status: int, reason: str, words: str, place: str, remedy: str) -> HuntazeError:
    if reason in set(Refusal):
        return CommandRefused(Refusal(reason), words, field=place, remedy=remedy)
    if status == 401:
        return WrongToken(words, remedy=_GIVE_IT)  # the engine's own remedy is for who writes requests
    if status >= 500 or status < 400:
        return EngineUnavailable(words, remedy=remedy)
    return CommandRefused(_BY_STATUS.get(status, Refusal.INVALID), words, field=place, remedy=remedy)


class WrongToken(EngineUnavailable):
    """The engine does not know the token."""


def _problem(data: bytes) -> dict[str, str]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    texts = found.items() if isinstance(found, dict) else ()
    return {key: clean(value, limit=_LONGEST_WORDS) for key, value in texts if isinstance(value, str)}


def _not_reached(error: Exception, address: Address) -> str:
    reason = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or type(error).__name__
    if getattr(error, "verify_code", None):
        return f"the engine's certificate is not trusted: {reason}"
    if address.socket is not None:
        return "the engine cannot be reached"
    return f"the engine at {address.host}:{address.port} cannot be reached: {reason}"
