"""The snapshot that every face sees, kept by the events; and those outside who are told of it."""

from __future__ import annotations

import asyncio
import importlib
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.events import Event
from engine.kernel.clock import Clock
from engine.runtime import Keyframes, Projector, Service, Thresholds, budget_rows, first_snapshot
from engine.surface.snapshot import EngineView, Snapshot
from huntaze_console.bootstrap.start import VERSION, Start
from huntaze_console.bootstrap.stores import Stores
from huntaze_console.joints import note

if TYPE_CHECKING:  # what a broker needs is loaded when there is one
    from engine.bus.mqtt import MqttLink
    from engine.bus.settings import MqttSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How the engine is seen, from its first snapshot on."""

    projector: Projector
    keyframes: Keyframes
    thresholds: Thresholds
    heralds: Sequence[Service]  # tell others of the engine, its end included

    def snapshot(self) -> Snapshot:
        return self.projector.snapshot


async def open_view(start: Start, stores: Stores) -> View:
    """Read the first snapshot, and follow the events from then on. Nothing else may be writing yet."""
    thresholds = Thresholds(stores.database, start.clock, start.settings.alert_rules)
    await thresholds.load()
    first = await first_snapshot(
        stores.database,
        stores.jobs,
        epoch=stores.epoch,
        engine=_engine_view(start),
        thresholds=thresholds.pair,
        limiter=start.settings.limiter,
        names=start.names,
        now=start.clock.now(),
    )
    projector = Projector(first)
    stores.bus.observe(projector.observe)
    heralds = await _heralds(start, stores, first)
    zone = start.settings.costs.time_zone
    keyframes = Keyframes(
        stores.database,
        lambda: projector.snapshot,
        budgets=lambda: budget_rows(stores.database, zone, start.clock.now(), campaigns=True),
    )
    if not start.idle:
        await keyframes.keep(first)
    return View(projector=projector, keyframes=keyframes, thresholds=thresholds, heralds=heralds)


def _engine_view(start: Start) -> EngineView:
    world = start.world
    return EngineView(
        node=socket.gethostname(),
        version=VERSION,
        kind=start.kind,
        mode=start.mode,
        state="stopped" if start.idle else "starting",
        speed=world.clock.speed if world else 1.0,
        seed=world.seed if world else None,
        time_zone=start.settings.costs.time_zone,
    )


async def _heralds(start: Start, stores: Stores, first: Snapshot) -> Sequence[Service]:
    mqtt = start.settings.mqtt
    if mqtt is None or start.idle:
        return ()
    await asyncio.to_thread(importlib.import_module, "engine.bus.mqtt")
    link = _mqtt_link(mqtt, first, start.clock, lambda event: note(stores.database, event))
    stores.bus.observe(link.observe)
    return (Service("mqtt", link.run),)


def _mqtt_link(mqtt: MqttSettings, first: Snapshot, clock: Clock, tell: Callable[[Event], None]) -> MqttLink:
    """The link to the broker. Its client takes a tenth of a second to import: a thread has done it by now."""
    from engine.bus.mqtt import MqttEngine, MqttLink

    engine = MqttEngine(
        version=first.engine.version,
        kind=first.engine.kind,
        mode=first.engine.mode,
        epoch=first.epoch,
        started_at=clock.now(),
    )
    return MqttLink(mqtt, engine, clock, random.SystemRandom(), tell, seq=first.seq)
