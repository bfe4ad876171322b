"""The HTTP client under both SDKs: what it sends, how long it waits, and what its failures mean.

Both SDKs run httpx2 over aiohttp. Their own translation of aiohttp's errors is not usable: a connection that is reset
in the middle of an answer arrives as a *connect* time-out. So the whole chain of causes is looked at, aiohttp's own
error first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypedDict
from urllib.parse import urlsplit

import aiohttp
import httpx2

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass
from engine.providers.bounds import PACKINGS, AnswerPacked, AnswerTooLong, bounded
from engine.providers.faults import Fault, fault
from engine.providers.port import Timeouts
from engine.providers.settings import ProviderSettings

_IDLE = 5.0  # real seconds a connection is kept; a longer one is closed by some peers just as it is used again
_SENT = frozenset(
    (
        *(b"host", b"connection", b"accept", b"user-agent", b"content-type", b"content-length"),
        *(b"authorization", b"api-key", b"openai-organization", b"anthropic-version", b"x-client-request-id"),
    )
)

_Hook = Callable[[httpx2.Request], Awaitable[None]] | Callable[[httpx2.Response], Awaitable[None]]

FAILURES: tuple[type[Exception], ...] = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    aiohttp.ClientError,
    OSError,  # TimeoutError among them
    EOFError,
    ValueError,
    RecursionError,
)
"""Everything that a call over this client may raise beside the SDK's own errors."""


class ClientOptions(TypedDict):
    """How both SDKs' DefaultAioHttpClient is made."""

    follow_redirects: bool
    trust_env: bool
    verify: bool
    limits: httpx2.Limits
    event_hooks: dict[str, list[_Hook]]


def client_options(settings: ProviderSettings) -> ClientOptions:
    """A client that follows no redirect (the key would go along), and takes a proxy from the environment, but not to
    this machine: a simulation dials nothing else.
    """
    address = urlsplit(settings.base_url)
    return {
        "follow_redirects": False,
        "trust_env": address.hostname not in ("127.0.0.1", "::1", "localhost"),
        "verify": address.scheme == "https",  # certificates are loaded only where they are needed
        "limits": httpx2.Limits(max_connections=settings.max_connections, keepalive_expiry=_IDLE),
        "event_hooks": {
            "request": [_send_only_what_is_needed],
            "response": [bounded(settings.max_answer_bytes)],
        },
    }


async def _send_only_what_is_needed(request: httpx2.Request) -> None:
    """Drop the SDKs' reports about this machine, and whatever their own environment variables would add."""
    kept = [(name, value) for name, value in request.headers.raw if value and name.lower() in _SENT]
    request.headers = httpx2.Headers([*kept, (b"accept-encoding", PACKINGS.encode())])


class Patience:
    """How long one call may still take, in real seconds. It starts when made, inside the running loop."""

    def __init__(self, timeouts: Timeouts, clock: Clock) -> None:
        self._time = asyncio.get_running_loop().time
        self._connect = clock.socket_timeout(timeouts.connect)
        self._first_byte = clock.socket_timeout(timeouts.first_byte)
        self._idle = clock.socket_timeout(timeouts.idle)
        self._end = self._time() + clock.socket_timeout(timeouts.total)

    def of_client(self, *, stream: bool = False) -> httpx2.Timeout:
        """For the HTTP client: look-up, connection and TLS within `connect`, and the longest silence."""
        silence = max(self._first_byte, self._idle) if stream else self._first_byte
        return httpx2.Timeout(connect=self._connect, pool=self._connect, read=silence, write=self._first_byte)

    def whole(self) -> asyncio.Timeout:
        """For everything until the end of the answer."""
        return asyncio.timeout_at(self._end)

    def opening(self) -> asyncio.Timeout:
        """For a stream's connection and headers."""
        return asyncio.timeout_at(min(self._end, self._time() + self._connect + self._first_byte))

    def next_event(self, *, begun: bool = False) -> asyncio.Timeout:
        """For one event of a stream, whose words have `begun` or not."""
        return asyncio.timeout_at(min(self._end, self._time() + (self._idle if begun else self._first_byte)))


_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.ServerFingerprintMismatch)
_BAD_ADDRESS = (aiohttp.InvalidURL, httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeEncodeError)


def of_transport(error: BaseException) -> Fault:
    """The fault behind a failure of the client; `reached` is False only when no byte of the request can have left."""
    chain = tuple(_causes(error))

    def is_any(*types: type[BaseException]) -> bool:
        return any(isinstance(cause, types) for cause in chain)

    if is_any(*_NOT_CONNECTED):
        return fault(ErrorClass.NETWORK_ERROR, _why_not_connected(chain), reached=False)
    if is_any(aiohttp.ConnectionTimeoutError):
        return fault(ErrorClass.TIMEOUT, "no connection in time", reached=False)
    if is_any(AnswerTooLong):
        return fault(ErrorClass.UNKNOWN, "the answer is longer than any it could have been asked for")
    if is_any(AnswerPacked):
        return fault(ErrorClass.UNKNOWN, "the answer is packed in a way that cannot be undone")
    if is_any(*_BAD_ADDRESS):
        return fault(ErrorClass.INVALID_REQUEST, "the address or the text cannot be sent", reached=False)
    if is_any(aiohttp.ServerTimeoutError):
        return fault(ErrorClass.TIMEOUT)
    if is_any(aiohttp.ClientError, EOFError):
        return fault(ErrorClass.NETWORK_ERROR)
    if is_any(TimeoutError, httpx2.TimeoutException):
        return fault(ErrorClass.TIMEOUT)
    if is_any(ValueError, RecursionError, httpx2.DecodingError):
        return fault(ErrorClass.UNKNOWN, "the answer could not be read")
    return fault(ErrorClass.NETWORK_ERROR)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _why_not_connected(chain: tuple[BaseException, ...]) -> str:
    if any(isinstance(cause, aiohttp.ClientConnectorDNSError) for cause in chain):
        return "its name could not be resolved; nothing was sent"
    if any(isinstance(cause, aiohttp.ClientSSLError) for cause in chain):
        return "no trusted TLS connection; nothing was sent"
    return "no connection; nothing was sent"
