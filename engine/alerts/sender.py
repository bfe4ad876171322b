"""Empties one channel's outbox: everything that waits in one message, again after a growing wait when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from engine.alerts import history
from engine.alerts.channel import Channel, ChannelError, Line
from engine.alerts.pipeline import LINES, bundle
from engine.alerts.settings import AlertSettings
from engine.kernel.clock import Clock, sleep
from engine.kernel.text import clean
from engine.kernel.values import Random
from engine.storage import Database, Tx

_log = logging.getLogger(__name__)

_ERROR = 300  # characters kept of a channel's error, which a stranger's server may have written


class ChannelSender:
    """One channel's loop. A notice goes out at least once: a crash between sending and noting sends it again."""

    def __init__(
        self,
        channel: Channel,
        database: Database,
        clock: Clock,
        chance: Random,
        settings: Callable[[], AlertSettings],
    ) -> None:
        self._channel = channel
        self._database = database
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._bell = asyncio.Event()
        self._failures = 0

    @property
    def name(self) -> str:
        return self._channel.name

    def ring(self) -> None:
        """There is something in the outbox."""
        self._bell.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set. What was begun by then is finished."""
        while not stop.is_set():
            self._bell.clear()
            async with self._database.reader() as reader:
                lines = await history.waiting(reader, self.name, LINES)
            if not lines:
                await _first(stop.wait(), self._bell.wait())
            elif not await self.deliver(lines):
                wait = self._settings().backoff.wait(self._failures, self._chance)
                await _first(stop.wait(), sleep(self._clock, wait))

    async def deliver(self, lines: Sequence[Line]) -> bool:
        """One message with these news; whether the channel took it or never will, so that the next may follow."""
        error = await self._try(lines)
        if error is None:
            self._failures = 0
            await asyncio.shield(self._note(lambda tx: self._mark_sent(tx, lines)))
            return True
        self._failures += 1
        _log.warning("alerts do not go out: %s", clean(str(error), limit=_ERROR))
        await self._note(lambda tx: self._mark_failed(tx, lines, error))
        return error.final

    async def _try(self, lines: Sequence[Line]) -> ChannelError | None:
        try:
            async with asyncio.timeout(self._settings().send_timeout):
                await self._channel.send(bundle(lines))
        except ChannelError as error:
            return error
        except TimeoutError:
            return ChannelError(self.name, "no answer in time", final=False)
        except Exception as error:  # noqa: BLE001 - a channel may be a plug-in; it must not end the others
            _log.exception("the channel %s broke", self.name)
            return ChannelError(self.name, f"{type(error).__name__}: {error}", final=False)
        return None

    def _mark_sent(self, tx: Tx, lines: Sequence[Line]) -> None:
        history.mark_sent(tx, self.name, lines, self._clock.now())

    def _mark_failed(self, tx: Tx, lines: Sequence[Line], error: ChannelError) -> None:
        """Old news are given up, each at its own age."""
        now, words = self._clock.now(), clean(error.message, limit=_ERROR)
        oldest = now - self._settings().give_up_after
        for line in lines:
            history.mark_failed(tx, self.name, (line,), words, now, final=error.final or line.at <= oldest)

    async def _note(self, write: Callable[[Tx], None]) -> None:
        await self._database.write(write)


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when the first of these is done; the others are cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(wait) for wait in waits]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
