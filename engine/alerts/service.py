"""The running part: looks at the rules when something happened, and tells people through channels.

Looking and telling are apart. A look decides and writes in one transaction; a sender per channel empties that channel's
outbox at its own pace. A mail server that hangs for a day delays mails and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from engine.alerts import history, silences
from engine.alerts.alert import Severity
from engine.alerts.channel import Channel
from engine.alerts.history import State
from engine.alerts.pipeline import Change, Step, plan
from engine.alerts.rules import Memory, observe
from engine.alerts.sender import ChannelSender
from engine.alerts.settings import AlertSettings
from engine.bus import Bus, Subscription
from engine.events import (
    AlertAcknowledged,
    AlertOpened,
    AlertResolved,
    AlertsSilenced,
    AlertUnacknowledged,
    AlertUpdated,
    NotificationFailed,
    NotificationSent,
    Recorded,
    SilenceEnded,
)
from engine.kernel.clock import Clock, sleep
from engine.kernel.values import HOUR, Random, new_id
from engine.storage import Database, Tx
from engine.surface.snapshot import Snapshot

_log = logging.getLogger(__name__)

_LEAST_GAP = 1.0  # real seconds between two looks, however many events come
_PRUNE_EVERY = HOUR  # nanoseconds
_BY_HAND = (AlertAcknowledged, AlertUnacknowledged, AlertsSilenced, SilenceEnded)  # past the service, by the desk
_OWN = (AlertOpened, AlertUpdated, AlertResolved, NotificationSent, NotificationFailed)


class AlertService:
    """Evaluates the rules and keeps the alerts. Run it once at a time; an acknowledgement goes past it, by the desk."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        snapshot: Callable[[], Snapshot],
        clock: Clock,
        chance: Random,
        settings: AlertSettings,
        channels: Sequence[Channel],
        *,
        least_gap: float = _LEAST_GAP,
    ) -> None:
        self._database = database
        self._bus = bus
        self._snapshot = snapshot
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._channels = tuple(channel.name for channel in channels)
        self._least_gap = least_gap
        self._senders = [
            ChannelSender(channel, database, clock, chance, lambda: self._settings) for channel in channels
        ]
        self._state = State()
        self._memory = Memory()
        self._changed = asyncio.Event()  # something asks for a look
        self._stale = False  # the state in memory is behind the database
        self._pruned_at = 0

    def configure(self, settings: AlertSettings) -> None:
        """Take over other figures, from the next look on; which is now."""
        self._settings = settings
        self._changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look and tell until `stop` is set; a message being handed over then is finished."""
        await self.restore()
        async with asyncio.TaskGroup() as group:
            for sender in self._senders:
                group.create_task(sender.run(stop), name=f"alerts to {sender.name}")
            await self._watch(stop)

    async def restore(self) -> None:
        """Take up what an earlier process left open."""
        self._state = await self._database.write(self._read)
        self._memory = Memory.restored(self._state.alerts, self._state.openings, self._settings)

    async def look(self) -> tuple[Step, ...]:
        """Evaluate once and carry out what follows, which is given back."""
        if self._stale:
            self._stale = False
            self._state = await self._database.write(self._read)
        now = self._clock.now()
        self._memory = observe(self._snapshot(), self._settings, now, self._memory)
        over = any(silence.ends_at <= now for silence in self._state.silences)
        if not over and not plan(self._memory.firings, self._state, self._settings, self._channels, now):
            return ()
        steps, self._state = await self._database.write(self._carry_out)
        return steps

    # ── the loop ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self, stop: asyncio.Event) -> None:
        with self._bus.subscribe() as subscription:
            async with asyncio.TaskGroup() as group:
                listener = group.create_task(self._listen(subscription))
                while not stop.is_set():
                    self._changed.clear()
                    await self.look()
                    await self._prune()
                    await _nap(self._least_gap, stop)
                    await self._idle(stop)
                listener.cancel()

    async def _listen(self, subscription: Subscription) -> None:
        while True:
            for recorded in await subscription.get():
                self._hear(recorded)

    def _hear(self, recorded: Recorded) -> None:
        if isinstance(recorded.event, _BY_HAND):
            self._stale = True
        if not isinstance(recorded.event, _OWN):
            self._changed.set()

    async def _idle(self, stop: asyncio.Event) -> None:
        """Wait for an event, for the time of the next look, or for the end."""
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(self._changed.wait()),
                group.create_task(sleep(self._clock, self._settings.check_every)),
                group.create_task(stop.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()

    async def _prune(self) -> None:
        now = self._clock.now()
        if now - self._pruned_at >= _PRUNE_EVERY:
            self._pruned_at = now
            await self._database.write(lambda tx: self._forget(tx, now - self._settings.history))

    @staticmethod
    def _forget(tx: Tx, before: int) -> None:
        history.prune(tx, before)
        silences.prune(tx, before)

    # ── in the writer's transaction ─────────────────────────────────────────────────────────────────────────────────

    def _read(self, tx: Tx) -> State:
        now, settings = self._clock.now(), self._settings
        return history.read_state(tx, told_after=now - settings.throttle, opened_after=now - settings.flap_window)

    def _carry_out(self, tx: Tx) -> tuple[tuple[Step, ...], State]:
        """Decide again on what the database has now, and do it: an acknowledgement may have come between."""
        now = self._clock.now()
        silences.expire(tx, now)
        steps = plan(self._memory.firings, self._read(tx), self._settings, self._channels, now)
        for step in steps:
            self._perform(tx, step, now)
        if any(step.decision.kind for step in steps):
            for sender in self._senders:
                tx.after_commit(sender.ring)
        return steps, self._read(tx)

    def _perform(self, tx: Tx, step: Step, now: int) -> None:
        alert, firing = step.case.alert, step.case.firing
        if alert is None and firing is not None:
            alert = history.insert(tx, new_id("alr", now, self._chance), firing, step.case.last, now)
        assert alert is not None  # noqa: S101 - a case without an alert opens one
        if firing is not None and step.change is Change.UPDATE:
            history.update(tx, alert, firing, now)
        if firing is None:
            history.resolve(tx, alert, now)
        if step.decision.kind is not None:
            severity, summary = (firing.severity, firing.summary) if firing else (alert.severity, alert.summary)
            history.queue_notice(
                tx, alert, step.decision.kind, Severity(severity), summary, step.decision.channels, now
            )


async def _nap(real_seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(real_seconds):
            await stop.wait()
    except TimeoutError:
        pass
