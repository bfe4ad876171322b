"""The link to a real broker: the status and its will, what happens while the broker is away, and that nothing leaks."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from engine import events
from engine.bus.mqtt import MqttEngine, MqttLink, probe
from engine.bus.settings import MqttSettings
from engine.events import Event, Recorded
from engine.kernel.backoff import Backoff
from engine.kernel.secret import Secret
from engine.kernel.values import MILLISECOND
from engine.messaging import Outgoing
from engine.runtime import Engine, Service
from tests.acceptance.stage import Stage, stage
from tests.fakes import MORNING, ManualClock
from tests.mqtt_broker import MqttBroker, Witness, witness
from tests.rig import Rig, rig

ENGINE = MqttEngine(version="1.2.3", kind="daemon", mode="real", epoch="ep_1", started_at=MORNING)
QUICK = Backoff(base=20 * MILLISECOND, ceiling=40 * MILLISECOND, floor=10 * MILLISECOND)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[MqttBroker]:
    yield from _running(MqttBroker(tmp_path))


def _running(made: MqttBroker) -> Iterator[MqttBroker]:
    made.start()
    try:
        yield made
    finally:
        made.kill()


def settings(broker: MqttBroker, **changes: Any) -> MqttSettings:
    usual = MqttSettings(host="127.0.0.1", port=broker.port, tls=False, node="one", timeout=2.0, linger=0.01)
    return replace(usual, **{"backoff": QUICK, **changes})


class Linked:
    """A link under way, the events it is given, and what it told."""

    def __init__(self, mqtt: MqttSettings) -> None:
        self.told: list[Event] = []
        self.link = MqttLink(mqtt, ENGINE, ManualClock(), random.Random(7), self.told.append, seq=100)
        self.stop = asyncio.Event()
        self._seq = 100

    def happen(self, count: int, make: Callable[[int], Event] | None = None) -> None:
        make = make or (lambda number: events.AnswersKept(at=number, tenant_id="", tool="message", answers=1))
        self.link.observe([Recorded(self._seq + number, make(number)) for number in range(1, count + 1)])
        self._seq += count

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.told if isinstance(event, events.BrokerLinkChanged)]


@asynccontextmanager
async def linked(mqtt: MqttSettings) -> AsyncIterator[Linked]:
    made = Linked(mqtt)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(made.link.run(made.stop))
        try:
            yield made
        finally:
            made.stop.set()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not what():
            await asyncio.sleep(0.01)


def seqs(heard: Witness) -> list[int]:
    return [event["seq"] for event in heard.events]


# ── the two topics ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_status_is_retained_and_events_follow_in_order(broker: MqttBroker) -> None:
    async with linked(settings(broker, fleet="north")) as made:
        async with witness(broker) as heard:
            await until(lambda: made.states == ["connected"])
            made.happen(250)
            await heard.until(lambda: len(heard.events) == 250)
        async with witness(broker) as late:
            await late.until(lambda: bool(late.heard))

    assert {topic for topic, _, _ in heard.heard} == {"huntaze/north/one/status", "huntaze/north/one/events"}
    assert seqs(heard) == list(range(101, 351))
    assert [len(message["events"]) for message in heard.messages] == [100, 100, 50]
    assert [(message["after"], message["through"]) for message in heard.messages] == [
        (100, 200),
        (200, 300),
        (300, 350),
    ]
    ((topic, payload, retained),) = late.heard
    assert (topic, retained) == ("huntaze/north/one/status", True)
    status = json.loads(payload)
    assert status | {"seq": 0, "at": 0} == {
        "schema": 1,
        "state": "online",
        "fleet": "north",
        "node": "one",
        "version": "1.2.3",
        "kind": "daemon",
        "mode": "real",
        "epoch": "ep_1",
        "started_at": MORNING,
        "seq": 0,
        "at": 0,
        "dropped": 0,
    }


async def test_a_clean_end_sends_what_waits_and_says_stopped(broker: MqttBroker) -> None:
    async with witness(broker) as heard:
        async with linked(settings(broker)) as made:
            await until(lambda: made.states == ["connected"])
            made.happen(350)
        await heard.until(lambda: heard.statuses[-1]["state"] == "stopped")

    assert len(heard.events) == 350
    assert [status["state"] for status in heard.statuses] == ["online", "stopped"]
    assert heard.statuses[-1]["seq"] == 450


async def test_a_cancelled_link_says_stopped_all_the_same(broker: MqttBroker) -> None:
    made = Linked(settings(broker))
    async with witness(broker) as heard, asyncio.TaskGroup() as group:
        running = group.create_task(made.link.run(made.stop))
        await until(lambda: made.states == ["connected"])
        running.cancel()
        await heard.until(lambda: heard.statuses[-1]["state"] == "stopped")


async def test_the_status_is_renewed_while_nothing_happens(broker: MqttBroker) -> None:
    async with witness(broker) as heard, linked(settings(broker, status_every=0.05)):
        await heard.until(lambda: len(heard.statuses) >= 4)

    assert all(status["state"] == "online" for status in heard.statuses[:4])


# ── a broker that is away ───────────────────────────────────────────────────────────────────────────────────────────


async def test_the_link_comes_back_after_the_broker_was_killed_and_restarted(broker: MqttBroker) -> None:
    async with linked(settings(broker)) as made:
        await until(lambda: made.states == ["connected"])
        broker.kill()
        await until(lambda: "nobody listens there" in str(made.told[-1]))
        assert "the connection broke off" in str(made.told[1])
        await asyncio.to_thread(broker.start)
        await until(lambda: made.states[-1] == "connected")
        async with witness(broker) as heard:
            made.happen(1)
            await heard.until(lambda: seqs(heard) == [101])

    assert heard.statuses[0]["state"] == "online"


async def test_what_happened_during_a_cut_is_sent_after_it(broker: MqttBroker) -> None:
    async with gate(broker) as way, witness(broker) as heard, linked(settings(broker, port=way.port)) as made:
        made.happen(10)
        await heard.until(lambda: len(heard.events) == 10)
        await way.cut()
        await until(lambda: made.states[-1] == "away")
        await heard.until(lambda: heard.statuses[-1]["state"] == "offline")
        made.happen(5)
        await way.mend()
        await heard.until(lambda: len(heard.events) == 15)

    assert seqs(heard) == list(range(101, 116))
    assert [message["gap"] for message in heard.messages if message["gap"]] == []
    assert [status["state"] for status in heard.statuses[:3]] == ["online", "offline", "online"]


async def test_a_full_buffer_drops_the_oldest_and_says_where_to_find_them(broker: MqttBroker) -> None:
    async with gate(broker) as way, witness(broker) as heard:
        await way.cut()
        async with linked(settings(broker, port=way.port, buffer=100, batch=10)) as made:
            await until(lambda: made.states == ["away"])
            made.happen(1_000)
            await way.mend()
            await heard.until(lambda: len(heard.events) == 100)

    assert seqs(heard) == list(range(1_001, 1_101))
    assert [message["gap"] for message in heard.messages] == [{"from": 101, "to": 1_000, "dropped": 900}] + [None] * 9
    assert [message["after"] for message in heard.messages] == [100, *range(1_010, 1_100, 10)]
    assert heard.statuses[0]["dropped"] == 900


async def test_a_message_whose_taking_was_not_seen_is_sent_again(broker: MqttBroker) -> None:
    async with gate(broker) as way, witness(broker) as heard, linked(_impatient(broker, way)) as made:
        await until(lambda: made.states == ["connected"])
        way.deaf = True  # what the broker answers gets lost
        made.happen(3)
        await until(lambda: made.states == ["connected", "away"])
        made.happen(1)
        way.deaf = False
        await heard.until(lambda: 104 in seqs(heard))

    assert seqs(heard) == [101, 102, 103, 101, 102, 103, 104]
    assert [(message["after"], message["through"]) for message in heard.messages] == [
        (100, 103),
        (100, 103),
        (103, 104),
    ]


def _impatient(broker: MqttBroker, way: Gate) -> MqttSettings:
    return settings(broker, port=way.port, timeout=0.3)


class Gate:
    """A way to the broker that can be cut, or made to swallow what the broker answers."""

    def __init__(self, broker: MqttBroker) -> None:
        self._broker = broker
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.deaf = False

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._broker.port)
        self._writers |= {writer, forth}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, forth, answers=False))
                group.create_task(self._copy(back, writer, answers=True))
        except* OSError:
            pass
        finally:
            self._writers -= {writer, forth}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(65_536):
            if not (answers and self.deaf):
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def gate(broker: MqttBroker) -> AsyncIterator[Gate]:
    made = Gate(broker)
    await made.mend()
    try:
        yield made
    finally:
        await made.cut()


async def test_a_broker_that_takes_the_call_and_says_nothing_holds_up_neither_the_engine_nor_its_end() -> None:
    open_now, calls = 0, 0

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, calls
        open_now, calls = open_now + 1, calls + 1
        while await reader.read(1_000):
            pass
        open_now -= 1
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mute = MqttSettings(host="127.0.0.1", port=port, tls=False, node="one", timeout=0.1, backoff=QUICK)

    async with server, linked(mute) as made:
        await until(lambda: calls >= 8)
        assert open_now <= 2
        made.happen(20_000)
        await until(lambda: made.link._outbox.dropped > 0)
        made.stop.set()
        await until(lambda: open_now == 0)

    errors = {event.error for event in made.told if isinstance(event, events.BrokerLinkChanged)}
    assert errors == {"no answer in time"}


# ── who may come in ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_password_is_told_in_words_without_it(tmp_path: Path) -> None:
    for broker in _running(MqttBroker(tmp_path, password="open-sesame")):
        wrong = settings(broker, username="operator", password=Secret("hunter2-planted"))
        right = settings(broker, username="operator", password=Secret("open-sesame"))
        async with linked(wrong) as made:
            await until(lambda: made.states == ["away"])

        assert "hunter2" not in repr(made.told)
        assert "refused" in str(made.told[0])
        assert "refused" in await probe(wrong)
        assert await probe(right) == ""
        async with linked(right) as made:
            await until(lambda: made.states == ["connected"])


async def test_tls_trusts_the_named_authority_alone(tmp_path: Path) -> None:
    for broker in _running(MqttBroker(tmp_path, tls=True)):
        named = settings(broker, host="localhost", tls=True, ca_file=broker.ca_file)

        assert await probe(named) == ""
        assert "certificate" in await probe(replace(named, ca_file=""))
        assert "mismatch" in await probe(replace(named, host="127.0.0.1"))
        assert await probe(replace(named, tls=False, timeout=0.2))
        assert await probe(replace(named, ca_file=str(tmp_path / "none.pem")))
        async with linked(named) as made:
            await until(lambda: made.states == ["connected"])


async def test_a_will_that_comes_late_does_not_call_a_living_engine_offline(broker: MqttBroker) -> None:
    """As after a cut that the broker noticed only when the next connection had long been made."""
    will = aiomqtt.Will("huntaze/default/one/status", b'{"state": "offline"}', 1, retain=True)
    async with gate(broker) as way, witness(broker) as heard:
        old = aiomqtt.Client("127.0.0.1", way.port, will=will)
        await old.__aenter__()
        async with linked(settings(broker)):
            await heard.until(lambda: len(heard.statuses) == 1)
            await way.cut()
            await heard.until(lambda: len(heard.statuses) == 3)
        with pytest.raises(aiomqtt.MqttError):
            await anext(old.messages)

    assert [status["state"] for status in heard.statuses[:3]] == ["online", "offline", "online"]


# ── a whole engine ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_daemon_is_offline_and_a_stopped_one_says_so(tmp_path: Path, broker: MqttBroker) -> None:
    config = f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\ntls = false\nnode = "anna-1"\nlinger_seconds = 0.01\n'
    with stage(tmp_path, speed=60, config=config) as play:

        async def act() -> tuple[Witness, list[Any]]:
            async with witness(broker) as heard:
                daemon = await asyncio.to_thread(play.start)
                await heard.until(lambda: any(one["kind"] == "EngineStarted" for one in heard.events))
                health = await _told_of_the_broker(play)
                daemon.kill()
                await heard.until(lambda: heard.statuses[-1]["state"] == "offline")
                daemon = await asyncio.to_thread(play.start)
                await heard.until(lambda: heard.statuses[-1]["state"] == "online")
                assert await asyncio.to_thread(daemon.stop) == 0
                await heard.until(lambda: heard.statuses[-1]["state"] == "stopped")
                return heard, health

        heard, health = asyncio.run(act())

    states = [state for state, _ in itertools.groupby(status["state"] for status in heard.statuses)]
    assert states == ["online", "offline", "online", "stopped"]
    assert heard.events[-1]["kind"] == "EngineStopped"
    assert heard.messages[-1]["through"] == heard.statuses[-1]["seq"]
    assert [(row.state, row.error) for row in health if row.name == "mqtt"] == [("ok", "")]
    assert all(status["mode"] == "simulated" for status in heard.statuses)


def _health(client: Any) -> Any:
    from engine.surface.queries import CheckHealth

    return client.query(CheckHealth()).rows


async def _told_of_the_broker(play: Stage) -> Any:
    """The engine's health, once it says something of the broker: its events may be there before it does."""
    async with asyncio.timeout(20):
        while True:
            health = await asyncio.to_thread(play.ask, _health)
            if any(row.name == "mqtt" and row.state != "off" for row in health):
                return health
            await asyncio.sleep(0.05)


async def test_no_text_no_prompt_no_fan_and_no_secret_is_in_any_byte(tmp_path: Path, broker: MqttBroker) -> None:
    """A campaign with a prompt and one with a template run to their end, one message fails with a talkative reason."""
    planted = ["PLANTEDPROMPT", "PLANTEDTEXT", "PLANTEDNAME", "f0secret", "PLANTEDCAUSE", "PLANTEDPASSWORD"]
    mqtt = settings(broker, username="PLANTEDPASSWORD-user", password=Secret("PLANTEDPASSWORD"))
    async with rig(tmp_path) as play, witness(broker) as heard:
        made = await _observed(play, mqtt)
        play.platform.script += [_fails]
        fans = [replace(fan, fan_id=f"{fan.fan_id}secret", name="PLANTEDNAME") for fan in _fans(2)]
        play.platform.audience["anna"] = list(fans)
        await play.create(prompt="PLANTEDPROMPT say hello", approval="automatic")
        await play.create(template="PLANTEDTEXT {{name}}")
        for _ in range(3):
            await play.write()
            await play.send()
        await play.database.write(_suspicious)
        engine = Engine(
            desk=play.desk,
            database=play.database,
            clock=play.clock,
            chance=play.chance,
            services=(Service("nothing", _idle),),
            node="one",
            version="1",
            kind="daemon",
            mode="real",
            grace=1.0,
            parked=lambda: 0,
            heralds=(Service("mqtt", made.run),),
        )
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run(stop, hurry=asyncio.Event()))
            await heard.until(lambda: any(one["kind"] == "EngineStarted" for one in heard.events))
            stop.set()
        await heard.until(lambda: heard.statuses[-1]["state"] == "stopped")

    kinds = {one["kind"] for one in heard.events}
    assert kinds >= {"CampaignCreated", "CallSettled", "DeliveryMoved", "JobDied", "EngineStopped"}
    assert [mark for mark in planted if mark.encode() in heard.bytes] == []


async def _idle(stop: asyncio.Event) -> None:
    await stop.wait()


async def _observed(play: Rig, mqtt: MqttSettings) -> MqttLink:
    async with play.database.reader() as reader:
        seq = await reader.seq()
    link = MqttLink(mqtt, ENGINE, play.clock, play.chance, lambda event: None, seq=seq)
    play.bus.observe(link.observe)
    return link


def _fans(count: int) -> list[Any]:
    from tests.rig import fans

    return fans(count)


async def _fails(message: Outgoing) -> Any:
    from engine.messaging.platform import Refused

    return Refused("PLANTEDCAUSE for f0secret")


def _suspicious(tx: Any) -> None:
    tx.emit(events.JobDied(at=1, queue="q", job_id="write_dlv_1", cause="PLANTEDCAUSE"))
    tx.emit(
        events.CampaignMoved(at=1, campaign_id="c", before="a", after="b", reason="PLANTEDCAUSE", actor="PLANTEDNAME")
    )
    tx.emit(events.SettingsRejected(at=1, error="PLANTEDPASSWORD"))
