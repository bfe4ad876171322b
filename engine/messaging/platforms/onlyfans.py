"""The operator's own gateway to OnlyFans, spoken to as docs/platform-contract.md fixes it.

Outcomes follow the bytes: a connection that was never made is *not sent*; anything that broke after the request could
have left is *uncertain*; a status line says the rest.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from engine.kernel.clock import Clock
from engine.kernel.errors import PlatformError
from engine.kernel.values import DAY, from_datetime, nanos
from engine.messaging.platform import (
    Fan,
    NotSent,
    Outcome,
    Outgoing,
    Refused,
    Sent,
    ThreadMessage,
    Throttled,
    Unauthorised,
    Uncertain,
)
from engine.messaging.settings import PlatformSettings

if TYPE_CHECKING:  # a sixth of a second, which an engine that is not yet running need not pay
    import aiohttp

_BODY_LIMIT = 8 << 20  # bytes of one page
_MOST_PAGES = 50_000  # of one reading; a platform that never comes to an end is broken
_REASON_LENGTH = 200
_OPTED_OUT = re.compile(r"\bopted[ _-]?out\b", re.IGNORECASE)
_LONGEST_WAIT = DAY  # nanoseconds of a Retry-After that are believed
_NOT_SET = "the platform's address is not set"
_REMEDY = "Set ONLYFANS_API_URL to your gateway (docs/platform-contract.md)"


class _Taken(BaseModel):
    id: str | int


class _Fan(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    name: str = ""
    timezone: str | None = None
    tags: list[str] | None = None
    opted_out: bool | None = None


class _Fans(BaseModel):
    fans: list[_Fan]
    next: str | None = None


class _Message(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    sender: str
    text: str = ""
    sent_at: AwareDatetime


class _Messages(BaseModel):
    messages: list[dict[str, Any]]
    next: str | None = None


class _Problem(BaseModel):
    """RFC 9457, as loosely as gateways write it."""

    type: Any = ""
    title: Any = ""
    detail: Any = ""
    code: Any = ""


P = TypeVar("P", _Fans, _Messages)
M = TypeVar("M", bound=BaseModel)


class OnlyFans:
    """See Platform."""

    def __init__(self, settings: PlatformSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by whether its connections are used once

    @property
    def idempotent(self) -> bool:
        return self._settings.idempotent

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def send(self, message: Outgoing) -> Outcome:
        import aiohttp

        if not self._settings.url:
            return NotSent(f"{_NOT_SET}. {_REMEDY}")
        path = f"/accounts/{quote(message.account_id, safe='')}/chats/{quote(message.fan_id, safe='')}/messages"
        body: dict[str, object] = {"text": message.text}
        if message.price_cents is not None:
            body["price_cents"] = message.price_cents
        try:
            async with asyncio.timeout(self._clock.socket_timeout(self._settings.send_timeout)):
                async with self._client(once=True).post(
                    self._settings.url.rstrip("/") + path,
                    json=body,
                    headers={**self._headers(), "Idempotency-Key": message.key},
                    allow_redirects=False,
                ) as response:
                    return await self._outcome(response)
        except aiohttp.ClientConnectorError as error:
            return NotSent(f"no connection to the platform: {_short(error)}")
        except aiohttp.ConnectionTimeoutError:
            return NotSent("no connection to the platform within its time")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return NotSent("the platform's address is not a URL of HTTP")
        except TimeoutError:
            return Uncertain("no answer from the platform within its time", timed_out=True)
        except aiohttp.ClientError as error:
            return Uncertain(f"the connection broke before the answer: {_short(error)}")

    async def fans(self, account_id: str) -> AsyncIterator[Fan]:
        async for page in self._pages(f"/accounts/{quote(account_id, safe='')}/fans", _Fans):
            for fan in page.fans:
                yield Fan(
                    fan_id=fan.id,
                    name=fan.name,
                    time_zone=fan.timezone or "",
                    tags=tuple(fan.tags or ()),
                    opted_out=bool(fan.opted_out),
                )

    async def thread(self, account_id: str, fan_id: str) -> AsyncIterator[ThreadMessage]:
        path = f"/accounts/{quote(account_id, safe='')}/chats/{quote(fan_id, safe='')}/messages"
        async for page in self._pages(path, _Messages):
            for raw in page.messages:
                message = _checked(_Message, {**raw, "sender": raw.get("from")}, path)
                yield ThreadMessage(
                    message_id=message.id,
                    sender=message.sender,
                    text=message.text,
                    sent_at=from_datetime(message.sent_at),
                )

    async def _outcome(self, response: aiohttp.ClientResponse) -> Outcome:
        """What a status line and its body say of a send."""
        status = response.status
        if status == 429:
            return Throttled(self._retry_after(response.headers))
        if status in (401, 403):
            return Unauthorised(f"the platform answered {status}: check the account's token")
        if status >= 500 or status < 200 or 300 <= status < 400:
            return Uncertain(f"the platform answered {status}")
        try:
            body = await _read(response)
        except PlatformError as error:
            body, whole = b"", error.message
        else:
            whole = ""
        if status < 300:
            taken = _parsed(_Taken, body)
            return Sent(str(taken.id)) if taken else Uncertain(whole or "the platform's answer names no id")
        return _refused(status, body)

    def _retry_after(self, headers: Mapping[str, str]) -> int:
        """Nanoseconds that Retry-After asks for, in seconds or as a date; 0 when it says nothing usable."""
        value = headers.get("Retry-After", "").strip()
        try:
            asked = nanos(float(value))
        except (ValueError, OverflowError):
            try:
                asked = from_datetime(parsedate_to_datetime(value)) - self._clock.now()
            except (ValueError, TypeError, OverflowError):
                return 0
        return min(max(0, asked), _LONGEST_WAIT)

    async def _pages(self, path: str, kind: type[P]) -> AsyncIterator[P]:
        cursor: str | None = None
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            page = _checked(kind, await self._get(path, cursor), path)
            yield page
            cursor = page.next
            if cursor is None:
                return
            if cursor in seen:
                raise PlatformError(f"the platform repeats the cursor {cursor[:40]!r} of {path}")
            seen.add(cursor)
        raise PlatformError(f"the platform has no last page of {path}: {_MOST_PAGES:,} were read")

    async def _get(self, path: str, cursor: str | None) -> bytes:
        import aiohttp

        if not self._settings.url:
            raise PlatformError(_NOT_SET, remedy=_REMEDY)
        try:
            async with asyncio.timeout(self._clock.socket_timeout(self._settings.read_timeout)):
                async with self._client().get(
                    self._settings.url.rstrip("/") + path,
                    params={"cursor": cursor} if cursor else None,
                    headers=self._headers(),
                    allow_redirects=False,
                ) as response:
                    if response.status != 200:
                        raise PlatformError(
                            f"the platform answered {response.status} to {path}", status=response.status
                        )
                    return await _read(response)
        except TimeoutError as error:
            raise PlatformError(f"the platform did not answer {path} in time") from error
        except aiohttp.ClientError as error:
            raise PlatformError(f"the platform could not be read: {_short(error)}") from error

    def _client(self, *, once: bool = False) -> aiohttp.ClientSession:
        """A session. A send takes a connection of its own: an idle one may be closed by the gateway as the request
        leaves, and the message would be uncertain for nothing."""
        import aiohttp

        if once not in self._sessions:
            connect = self._clock.socket_timeout(self._settings.connect_timeout)
            self._sessions[once] = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect),
                connector=aiohttp.TCPConnector(limit=100, force_close=once),
            )
        return self._sessions[once]

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": self._settings.user_agent, "Accept": "application/json"}
        if token := self._settings.token.reveal():
            headers["Authorization"] = f"Bearer {token}"
        return headers


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = await response.content.read(_BODY_LIMIT + 1)
    while not response.content.at_eof() and len(body) <= _BODY_LIMIT:
        body += await response.content.read(_BODY_LIMIT + 1)
    if len(body) > _BODY_LIMIT:
        raise PlatformError("the platform's answer is larger than 8 MiB")
    return body


def _parsed(kind: type[M], body: bytes) -> M | None:
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        return None


def _checked(kind: type[M], found: bytes | dict[str, Any], path: str) -> M:
    try:
        return kind.model_validate_json(found) if isinstance(found, bytes) else kind.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PlatformError(
            f"the platform's answer to {path} is not of the contract: {place} {first['msg']}"
        ) from error


def _refused(status: int, body: bytes) -> Refused:
    """A 4xx for this message: its reason from the problem document, if it is one.

    The contract fixes 422 for a fan who wants no messages, but no code for it: so any part of the document may say so.
    """
    problem = _parsed(_Problem, body) or _Problem()
    parts = [part for part in (problem.detail, problem.title, problem.type, problem.code) if isinstance(part, str)]
    said = next((part for part in parts[:2] if part), "")
    opted_out = status == 422 and any(map(_OPTED_OUT.search, parts))
    return Refused(f"{status} {said}"[:_REASON_LENGTH].strip(), opted_out=opted_out)


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:_REASON_LENGTH]
