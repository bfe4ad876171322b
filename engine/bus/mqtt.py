"""The one door to MQTT: the engine's state as a retained status with a last will, and its events, on two topics.

Events reach it by `observe`, which only ever appends to a bounded outbox, so that no broker can block or slow the
engine. One message is under way at a time: the next leaves when the broker has taken it, and one whose taking was not
seen is sent again on the next connection, so that a consumer gets each event at least once, in order.

Times are real ones: a broker knows nothing of a simulation's. Importing this module costs a tenth of a second, so only
what a configuration needs imports it, in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiomqtt
import orjson
from aiomqtt.exceptions import MqttConnectError

from engine.bus.outbox import Batch, Outbox
from engine.bus.published import PUBLISHED, payload_of
from engine.bus.settings import MqttSettings
from engine.events import BrokerLinkChanged, Event, Recorded
from engine.kernel.clock import Clock
from engine.kernel.text import clean
from engine.kernel.values import Random, seconds

_log = logging.getLogger(__name__)
_library = logging.getLogger(f"{__name__}.library")
_library.setLevel(logging.CRITICAL)  # what it would say at a broken connection is said here, once

SCHEMA = 1
_AT_LEAST_ONCE = 1
_STEADY = 30.0  # real seconds a connection must have lasted before the next failure counts as a first one
_FAREWELL = 3.0  # real seconds for what still waits when the engine ends

_BROKEN = (aiomqtt.MqttError, OSError, ValueError, TimeoutError)  # ValueError: a name that can be no host's


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttEngine:
    """What the status tells of the engine itself."""

    version: str
    kind: str
    mode: str
    epoch: str
    started_at: int


class MqttLink:
    """Connects, publishes, connects again. `tell` is given a BrokerLinkChanged whenever the link comes or goes."""

    def __init__(
        self,
        settings: MqttSettings,
        engine: MqttEngine,
        clock: Clock,
        chance: Random,
        tell: Callable[[Event], None],
        *,
        seq: int,
    ) -> None:
        """`seq` is the newest event's before this engine began."""
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._chance = chance
        self._tell = tell
        self._outbox = Outbox(seq, most=settings.buffer, kinds=PUBLISHED)
        self._under_way: Batch | None = None  # left, and not known to have been taken
        self._stirred = asyncio.Event()  # there is something to look at
        self._belied = False  # somebody said that this engine does not run
        self._told: tuple[str, str, bool] = ("", "", False)  # state, error, whether events were dropped

    def observe(self, recorded: Sequence[Recorded]) -> None:
        """For the bus: keep these for the broker."""
        if self._outbox.offer(recorded):
            self._stirred.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set, then what still waits, if that is quick, and that the engine has stopped."""
        loop, failures = asyncio.get_running_loop(), 0
        while not stop.is_set():
            began = loop.time()
            error = await self._live(stop)
            if stop.is_set():
                return
            failures = 1 if loop.time() - began >= _STEADY else failures + 1
            self._moved("away", error)
            await _nap(seconds(self._settings.backoff.wait(failures, self._chance)), stop)

    # ── one connection ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _live(self, stop: asyncio.Event) -> str:
        """One connection, from its beginning to its end: why it ended, or nothing when it was to."""
        try:
            async with _connected(self._settings, self._identifier, self._will()) as client:
                return await self._converse(client, stop)
        except _BROKEN as error:
            return _reason(error)

    async def _converse(self, client: aiomqtt.Client, stop: asyncio.Event) -> str:
        broken: list[str] = []
        async with asyncio.TaskGroup() as group:
            aside = (group.create_task(self._watch(client, broken)), group.create_task(self._hear(stop)))
            try:
                return await self._publish(client, stop, broken)
            except _BROKEN as error:
                return _reason(error)
            except asyncio.CancelledError:
                with contextlib.suppress(*_BROKEN):  # a clean leave hides the last will: the broker must be told
                    await asyncio.wait_for(self._status(client, "stopped"), 1.0)
                raise
            finally:
                for task in aside:
                    task.cancel()

    async def _publish(self, client: aiomqtt.Client, stop: asyncio.Event, broken: list[str]) -> str:
        loop, every = asyncio.get_running_loop(), self._settings.status_every
        await self._status(client, "online")
        await client.subscribe(self._settings.status_topic, qos=_AT_LEAST_ONCE)  # a broker may refuse: see `_watch`
        self._moved("connected", "")
        due = loop.time() + every
        while not broken and not stop.is_set():
            self._stirred.clear()
            if self._belied or loop.time() >= due:
                await self._status(client, "online")
                self._belied, due = False, loop.time() + every
            if not await self._send_next(client):
                await self._rest(due - loop.time())
            if len(self._outbox) < self._settings.batch:
                await _nap(self._settings.linger, stop)
        return broken[0] if broken else await self._leave(client)

    async def _leave(self, client: aiomqtt.Client) -> str:
        """Send what still waits, as far as that is quick, and say that the engine has stopped."""
        leave_by = asyncio.get_running_loop().time() + _FAREWELL
        while asyncio.get_running_loop().time() < leave_by and await self._send_next(client):
            pass
        await self._status(client, "stopped")
        return ""

    async def _rest(self, longest: float) -> None:
        """Until something stirs, or the next status is due."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(longest, 0.0)):
                await self._stirred.wait()

    async def _send_next(self, client: aiomqtt.Client) -> bool:
        """Send what an earlier connection left open, or the next batch; False when there is none."""
        batch = self._under_way or self._outbox.take(self._settings.batch)
        if batch is None:
            return False
        self._under_way = batch
        await client.publish(self._settings.events_topic, self._message(batch), qos=_AT_LEAST_ONCE)
        self._under_way = None
        return True

    async def _watch(self, client: aiomqtt.Client, broken: list[str]) -> None:
        """Notice that the connection broke, also while nothing is to be sent.

        The will of an earlier connection may come late, over our own word; then that is said again. A broker that lets
        nobody read the status costs no more than that: it is renewed anyway.
        """
        try:
            async for message in client.messages:
                if _state_in(message.payload) != "online":
                    self._belied = True
                    self._stirred.set()
        except _BROKEN as error:
            broken.append(_reason(error))
        self._stirred.set()

    async def _hear(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stirred.set()

    # ── what is said ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _identifier(self) -> str:
        """Always the same, so that a connection which the broker has not yet noticed to be dead gives way to the next
        one, and its will with it, instead of calling a living engine offline later."""
        return f"huntaze-{self._settings.fleet}-{self._settings.node}"

    def _will(self) -> aiomqtt.Will:
        topic = self._settings.status_topic
        return aiomqtt.Will(topic, self._state("offline"), qos=_AT_LEAST_ONCE, retain=True)

    async def _status(self, client: aiomqtt.Client, state: str) -> None:
        facts = self._state(state, seq=self._outbox.newest, at=self._clock.now(), dropped=self._outbox.dropped)
        await client.publish(self._settings.status_topic, facts, qos=_AT_LEAST_ONCE, retain=True)

    def _state(self, state: str, **further: Any) -> bytes:
        engine, settings = self._engine, self._settings
        facts = {
            "schema": SCHEMA,
            "state": state,
            "fleet": settings.fleet,
            "node": settings.node,
            "version": engine.version,
            "kind": engine.kind,
            "mode": engine.mode,
            "epoch": engine.epoch,
            "started_at": engine.started_at,
        }
        return orjson.dumps(facts | further)

    def _message(self, batch: Batch) -> bytes:
        gap = batch.gap
        facts = {
            "schema": SCHEMA,
            "epoch": self._engine.epoch,
            "after": batch.after,
            "through": batch.through,
            "gap": {"from": gap.first, "to": gap.last, "dropped": gap.count} if gap else None,
            "events": [payload_of(recorded) for recorded in batch.events],
        }
        return orjson.dumps(facts)

    def _moved(self, state: str, error: str) -> None:
        now = (state, error, self._outbox.dropped > 0)
        if now == self._told:
            return
        self._told = now
        if state == "connected":
            _log.info("connected to the MQTT broker at %s:%d", self._settings.host, self._settings.port)
        else:
            _log.warning("the MQTT broker at %s:%d is away: %s", self._settings.host, self._settings.port, error)
        self._tell(BrokerLinkChanged(at=self._clock.now(), state=state, error=error, dropped=self._outbox.dropped))


async def probe(settings: MqttSettings) -> str:
    """Why no connection can be made, for the doctor; empty when one can. Nothing is published."""
    try:
        async with _connected(settings, f"huntaze-doctor-{settings.fleet}-{settings.node}"):
            return ""
    except _BROKEN as error:
        return _reason(error)


@contextlib.asynccontextmanager
async def _connected(
    settings: MqttSettings, identifier: str, will: aiomqtt.Will | None = None
) -> AsyncIterator[aiomqtt.Client]:
    """A connection that the broker has accepted. Raises one of _BROKEN."""
    trust = await asyncio.to_thread(_trust, settings) if settings.tls else None
    await _knock(settings, trust)
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username or None,
        password=settings.password.reveal() or None,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V311,
        clean_session=True,
        timeout=settings.timeout,
        keepalive=settings.keepalive,
        will=will,
        tls_context=trust,
        logger=_library,
    )
    try:
        await client.__aenter__()
    except BaseException:
        client._client.disconnect()  # the library leaves the socket of an attempt open that got no answer
        raise
    try:
        yield client
    finally:
        with contextlib.suppress(*_BROKEN):
            await client.__aexit__(None, None, None)


async def _knock(settings: MqttSettings, trust: ssl.SSLContext | None) -> None:
    """Whether anybody we trust listens there. The library connects in a thread, which nobody could call back from a
    host that does not answer, and loses the socket of one that it does not trust."""
    async with asyncio.timeout(settings.timeout):
        _, writer = await asyncio.open_connection(settings.host, settings.port, ssl=trust)
    writer.close()


def _trust(settings: MqttSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file or None)


def _state_in(payload: object) -> str:
    try:
        found = orjson.loads(payload) if isinstance(payload, bytes) else None
    except ValueError:
        return ""
    return str(found.get("state")) if isinstance(found, dict) else ""


def _reason(error: BaseException) -> str:
    """What went wrong, in the words of whoever knows it."""
    if isinstance(error, MqttConnectError):
        return f"the broker refused: {clean(str(error.rc), limit=100)}"
    if isinstance(error, TimeoutError) or str(error) == "Operation timed out":
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    cause = error.__cause__ if isinstance(error, aiomqtt.MqttError) and error.__cause__ else error
    if isinstance(cause, aiomqtt.MqttCodeError):
        return "the connection broke off"
    said = cause.strerror if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else str(cause)
    return clean(said or "", limit=200) or type(cause).__name__


async def _nap(real_seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(real_seconds):
            await stop.wait()
