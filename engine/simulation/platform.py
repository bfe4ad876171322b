"""The message platform behind its gateway: accounts, fans, threads, and the limit it enforces at its own door.

It speaks exactly `docs/platform-contract.md`. What it remembers lives as long as the process.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from engine.kernel.values import MILLISECOND, MINUTE, SECOND, Instant, iso
from engine.simulation import fans
from engine.simulation.dice import Dice
from engine.simulation.faults import Fault, FaultKind
from engine.simulation.stage import Stage, connected, hang_up, hold

_PAGE = 100  # fans or messages a page
_LIMIT = 10  # messages of one account
_WINDOW = MINUTE  # in which the limit counts arrivals
_READ_DELAY = 60 * MILLISECOND
_REFUSALS = {
    FaultKind.OUTAGE: (503, "Service unavailable"),
    FaultKind.SERVER_ERROR: (500, "Internal server error"),
    FaultKind.RATE_LIMIT: (429, "Too many requests"),
    FaultKind.REFUSE_AUTH: (401, "The session of this account has ended"),
    FaultKind.CONTENT_FILTER: (422, "The platform does not accept this text"),
}


class _Message(BaseModel):
    text: str = Field(min_length=1, max_length=10_000)
    price_cents: int | None = Field(default=None, ge=0)
    media: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A message in a thread."""

    id: str
    at: int
    sender: str  # "fan" or "creator"
    text: str


@dataclass(slots=True, kw_only=True)
class _Inbox:
    """What one account has sent and when messages of it arrived."""

    arrivals: deque[int] = field(default_factory=deque)
    accepted: dict[str, tuple[str, str]] = field(default_factory=dict)  # key -> (digest of the request, message id)
    threads: dict[str, list[_Said]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """One POST of a message, as far as it could be read."""

    at: Instant
    account_id: str
    fan_id: str
    key: str | None
    digest: str  # of the request's body
    text: str
    latency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What the platform makes of an arrival."""

    status: int
    detail: str = ""
    message_id: str | None = None
    repeat: bool = False
    retry_after: int = 0  # nanoseconds


class Platform:
    """The platform's handlers and its memory."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._life = stage.scenario.platform
        self.audiences = fans.Audiences(stage.seed, self._life, stage.started)
        self._inboxes: defaultdict[str, _Inbox] = defaultdict(_Inbox)
        self._keyless = count()

    def routes(self) -> list[web.RouteDef]:
        root = "/platform/accounts/{account_id}"
        return [
            web.get(f"{root}/fans", self.list_fans),
            web.get(f"{root}/chats/{{fan_id}}/messages", self.read_thread),
            web.post(f"{root}/chats/{{fan_id}}/messages", self.send),
        ]

    async def list_fans(self, request: web.Request) -> web.Response:
        """GET fans: one page of the audience."""
        at = self._stage.clock.now()
        account_id = request.match_info["account_id"]
        if refusal := await self._refuse_read(request, at, account_id):
            return refusal
        start = _cursor(request)
        if start is None:
            return _problem(400, "The cursor is not one this platform gave")
        audience = self.audiences.of(account_id)
        page, following = audience.page(start, _PAGE, at)
        await self._stage.clock.sleep_until(at + _READ_DELAY)
        shown = [fan.shown(at, audience.opted_out(fan)) for fan in page]
        return web.json_response({"fans": shown, "next": _written(following)})

    async def read_thread(self, request: web.Request) -> web.Response:
        """GET messages: one page of a thread, oldest first."""
        at = self._stage.clock.now()
        account_id, fan_id = request.match_info["account_id"], request.match_info["fan_id"]
        if refusal := await self._refuse_read(request, at, account_id):
            return refusal
        start = _cursor(request)
        if start is None:
            return _problem(400, "The cursor is not one this platform gave")
        if self.audiences.of(account_id).find(fan_id, at) is None:
            return _problem(404, f"{account_id} has no fan {fan_id}")
        said = [each for each in self._thread(account_id, fan_id) if each.at <= at]
        page = sorted(said, key=lambda each: (each.at, each.id))[start : start + _PAGE]
        await self._stage.clock.sleep_until(at + _READ_DELAY)
        following = start + _PAGE if start + _PAGE < len(said) else None
        return web.json_response({"messages": [_shown(each) for each in page], "next": _written(following)})

    async def send(self, request: web.Request) -> web.Response:
        """POST messages: send one message to one fan."""
        at = self._stage.clock.now()
        arrival, refusal = self._read(request, at, await request.read())
        fault = self._stage.faults.strike(at, "platform", arrival.account_id, arrival.key or arrival.digest)
        if fault is not None and fault.kind in (FaultKind.RESET, FaultKind.TIMEOUT):
            if fault.kind is FaultKind.TIMEOUT:
                await hold(self._stage, request, at + fault.hold)
            self._note(arrival, _Verdict(status=0), complete=False)
            return hang_up(request)
        verdict = refusal or self._judge(arrival, fault)
        factor = fault.factor if fault is not None and fault.kind is FaultKind.SLOW else 1.0
        try:
            await self._stage.clock.sleep_until(at + round(arrival.latency * factor))
        except asyncio.CancelledError:  # the world ends
            self._note(arrival, verdict, complete=False)
            raise
        dropped = fault is not None and fault.kind is FaultKind.DROP_AFTER
        self._note(arrival, verdict, complete=connected(request) and not dropped)
        if dropped:
            return hang_up(request)
        if fault is not None and fault.kind is FaultKind.GARBAGE and verdict.status == 200:
            return web.Response(body=b"<html>bad gateway</html>", content_type="text/html")
        return _answer(verdict)

    def _read(self, request: web.Request, at: Instant, body: bytes) -> tuple[_Arrival, _Verdict | None]:
        account_id, fan_id = request.match_info["account_id"], request.match_info["fan_id"]
        key = request.headers.get("Idempotency-Key")
        digest = hashlib.sha256(fan_id.encode() + b"\0" + body).hexdigest()
        message: _Message | None = None
        verdict: _Verdict | None = None
        try:
            message = _Message.model_validate(orjson.loads(body))
        except (orjson.JSONDecodeError, ValidationError) as error:
            verdict = _Verdict(status=400, detail=f"The body is not a message: {str(error).splitlines()[0]}")
        if not _bearer(request):
            verdict = _Verdict(status=401, detail="A bearer token is missing")
        latency = self._stage.dice("latency", account_id, key or digest).between(*self._life.latency)
        arrival = _Arrival(
            at=at,
            account_id=account_id,
            fan_id=fan_id,
            key=key,
            digest=digest,
            text=message.text if message else "",
            latency=round(latency),
        )
        return arrival, verdict

    def _judge(self, arrival: _Arrival, fault: Fault | None) -> _Verdict:
        """Decide about a message in order, at its arrival, so that the window is that of arrivals."""
        inbox = self._inboxes[arrival.account_id]
        if fault is not None and fault.kind in _REFUSALS:
            status, detail = _REFUSALS[fault.kind]
            return _Verdict(status=status, detail=detail, retry_after=fault.retry_after)
        if wait := self._full(inbox, arrival.at):
            return _Verdict(status=429, detail=f"More than {_LIMIT} messages in a minute", retry_after=wait)
        inbox.arrivals.append(arrival.at)
        if arrival.key is not None and arrival.key in inbox.accepted:
            digest, message_id = inbox.accepted[arrival.key]
            if digest != arrival.digest:
                return _Verdict(status=409, detail="This Idempotency-Key belongs to another message")
            return _Verdict(status=200, message_id=message_id, repeat=True)
        audience = self.audiences.of(arrival.account_id)
        fan = audience.find(arrival.fan_id, arrival.at)
        if fan is None:
            return _Verdict(status=404, detail=f"{arrival.account_id} has no fan {arrival.fan_id}")
        if audience.opted_out(fan):
            return _Verdict(status=422, detail=f"{arrival.fan_id} has opted out of messages")
        return _Verdict(status=200, message_id=self._accept(inbox, arrival))

    def _full(self, inbox: _Inbox, at: Instant) -> int:
        """Nanoseconds until the account's window has room again; 0 when it has."""
        while inbox.arrivals and inbox.arrivals[0] <= at - _WINDOW:
            inbox.arrivals.popleft()
        return inbox.arrivals[0] + _WINDOW - at if len(inbox.arrivals) >= _LIMIT else 0

    def _accept(self, inbox: _Inbox, arrival: _Arrival) -> str:
        dice = self._stage.dice("accepted", arrival.account_id, arrival.key or f"keyless {next(self._keyless)}")
        message_id = f"msg_{dice.token(20)}"
        if arrival.key is not None:
            inbox.accepted[arrival.key] = (arrival.digest, message_id)
        thread = self._thread(arrival.account_id, arrival.fan_id)
        thread.append(_Said(id=message_id, at=arrival.at, sender="creator", text=arrival.text))
        if reply := fans.reply_to(dice, self._life):
            after, text = reply
            thread.append(_Said(id=f"{message_id}r", at=arrival.at + after, sender="fan", text=text))
        return message_id

    def _thread(self, account_id: str, fan_id: str) -> list[_Said]:
        threads = self._inboxes[account_id].threads
        if fan_id not in threads:
            dice: Dice = self._stage.dice("before", account_id, fan_id)
            threads[fan_id] = [
                _Said(id=f"old_{dice.token(12)}", at=self._stage.started - ago, sender="fan", text=text)
                for ago, text in fans.earlier_words(dice)
            ]
        return threads[fan_id]

    def _note(self, arrival: _Arrival, verdict: _Verdict, *, complete: bool) -> None:
        self._stage.record.add(
            kind="message",
            at=arrival.at,
            account_id=arrival.account_id,
            fan_id=arrival.fan_id,
            idempotency_key=arrival.key,
            text_sha256=hashlib.sha256(arrival.text.encode()).hexdigest(),
            status=verdict.status,
            message_id=verdict.message_id,
            repeat=verdict.repeat,
            completed_at=self._stage.clock.now(),
            complete=complete,
        )

    async def _refuse_read(self, request: web.Request, at: Instant, account_id: str) -> web.Response | None:
        if not _bearer(request):
            return _problem(401, "A bearer token is missing")
        fault = self._stage.faults.strike(at, "platform", account_id, request.path_qs)
        if fault is None:
            return None
        if fault.kind in (FaultKind.RESET, FaultKind.TIMEOUT, FaultKind.DROP_AFTER):
            if fault.kind is FaultKind.TIMEOUT:
                await hold(self._stage, request, at + fault.hold)
            return hang_up(request)
        if fault.kind is FaultKind.GARBAGE:
            return web.Response(body=b"<html>bad gateway</html>", content_type="text/html")
        if fault.kind is FaultKind.SLOW:
            await self._stage.clock.sleep_until(at + round(_READ_DELAY * fault.factor))
            return None
        status, detail = _REFUSALS[fault.kind]
        return _answer(_Verdict(status=status, detail=detail, retry_after=fault.retry_after))


def _bearer(request: web.Request) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(token.strip())


def _cursor(request: web.Request) -> int | None:
    """The number a page starts at: 0 without a cursor, None for one that is not ours."""
    text = request.query.get("cursor", "")
    if not text:
        return 0
    return int(text[1:]) if text[:1] == "c" and text[1:].isascii() and text[1:].isdigit() else None


def _written(start: int | None) -> str | None:
    return None if start is None else f"c{start}"


def _shown(said: _Said) -> dict[str, str]:
    return {"id": said.id, "from": said.sender, "text": said.text, "sent_at": iso(said.at)}


def _answer(verdict: _Verdict) -> web.Response:
    if verdict.status == 200:
        return web.json_response({"id": verdict.message_id})
    return _problem(verdict.status, verdict.detail, retry_after=verdict.retry_after)


def _problem(status: int, detail: str, *, retry_after: int = 0) -> web.Response:
    """An RFC 9457 problem document."""
    headers = {"Retry-After": str(-(-retry_after // SECOND))} if status == 429 else {}
    body: dict[str, Any] = {"type": "about:blank", "title": detail, "status": status, "detail": detail}
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/problem+json", headers=headers
    )
