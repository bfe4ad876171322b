"""`huntaze` over an engine that has more to tell than any real one: so many events a second, each committed.

    python -m benchmarks.busy RATE FIGURES huntaze's own words …

RATE is events a second, 0 for as many as the engine can. FIGURES is a file: what was told so far and how long it took,
written each half second. The events are those a busy engine has most of, in one mixture: settled calls of six models,
slots taken and given back of ten accounts, deliveries that move. They go the way all events go: a write of the
database, the event log, the projection, the bus and whoever listens. Wake-ups are watched beside: `beats` counts those
of the engine's loop that came within 50 ms of the time they were due, `due` all of them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from engine.events import CallSettled, DeliveryMoved, Event, SlotSettled, SlotTaken
from engine.kernel.values import MILLISECOND, MINUTE, SECOND
from engine.storage import Database, Tx
from huntaze_console import bootstrap

_MODELS = ("gpt-4o-mini", "gpt-4o", "deepseek-chat", "claude-sonnet", "grok-3", "gpt-4-turbo")
_AT_ONCE = 32  # writes under way where the engine is to be kept as busy as it can be
_TICK = 0.02  # seconds between two portions
_BEAT = 0.1  # seconds
_LATE = 0.05  # seconds after which a beat counts as missed

_opened: list[Database] = []


def event(number: int, now: int) -> Event:
    """The number-th of the mixture: of ten, four calls, four slots and two deliveries."""
    account, kind = f"account-{number % 10}", number % 10
    if kind < 4:
        return CallSettled(
            at=now,
            attempt_id=f"att_{number}",
            provider="openai",
            model=_MODELS[number // 10 % len(_MODELS)],
            tool="message",
            campaign_id="",
            account_id=account,
            tenant_id="",
            user_id="",
            trace_id=f"trace_{number}",
            outcome="ok" if number % 50 else "server_error",
            basis="measured",
            cost=1_000 + number % 977,
            input_tokens=200,
            cached_tokens=0,
            output_tokens=60,
            reasoning_tokens=0,
            duration=(400 + number % 700) * MILLISECOND,
        )
    if kind < 8:
        taken = kind % 2 == 0
        slot = f"slot_{number // 2 % 7}"
        until = now + (MINUTE if taken else 30 * SECOND)
        return (SlotTaken if taken else SlotSettled)(at=now, account_id=account, slot_id=slot, until=until)
    return DeliveryMoved(
        at=now,
        delivery_id=f"dlv_{number}",
        campaign_id="cmp_busy",
        account_id=account,
        fan_id=f"fan_{number}",
        before="queued",
        after="sent",
        reason="",
    )


class Pump:
    """Tells, and counts."""

    def __init__(self, database: Database, now: Callable[[], int], rate: float, figures: Path) -> None:
        self._database, self._now, self._rate, self._figures = database, now, rate, figures
        self._numbers = count(1)
        self.told = self.beats = self.due = 0
        self._began = time.monotonic()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report())
            group.create_task(self._beat())
            if self._rate:
                group.create_task(self._at_rate())
            else:
                for _ in range(_AT_ONCE):
                    group.create_task(self._at_most())

    async def _tell(self, many: int) -> None:
        now = self._now()
        events = [event(next(self._numbers), now) for _ in range(many)]

        def write(tx: Tx) -> None:
            for one in events:
                tx.emit(one)

        await self._database.write(write)
        self.told += many

    async def _at_rate(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            owed = int((time.monotonic() - self._began) * self._rate) - self.told
            if owed > 0:
                await self._tell(min(owed, 200))

    async def _at_most(self) -> None:
        while True:
            await self._tell(1)

    async def _beat(self) -> None:
        while True:
            due = time.monotonic() + _BEAT
            await asyncio.sleep(_BEAT)
            self.due += 1
            self.beats += time.monotonic() - due < _LATE

    async def _report(self) -> None:
        while True:
            lasted = time.monotonic() - self._began
            found = {"told": self.told, "seconds": lasted, "beats": self.beats, "due": self.due}
            self._figures.write_text(json.dumps(found))
            await asyncio.sleep(0.5)


def _remember() -> None:
    opening = Database.open

    @asynccontextmanager
    async def open_and_remember(*arguments: Any, **options: Any) -> AsyncIterator[Database]:
        async with opening(*arguments, **options) as database:
            _opened.append(database)
            yield database

    Database.open = open_and_remember  # type: ignore[method-assign]


def _pump(rate: float, figures: Path) -> None:
    building = bootstrap.open_engine

    @asynccontextmanager
    async def build_and_pump(*arguments: Any, **options: Any) -> AsyncIterator[bootstrap.Built]:
        async with building(*arguments, **options) as built, asyncio.TaskGroup() as group:
            pumping = group.create_task(Pump(_opened[-1], built.clock.now, rate, figures).run())
            try:
                yield built
            finally:
                pumping.cancel()

    bootstrap.open_engine = build_and_pump


def main() -> None:
    rate, figures, words = float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    _remember()
    _pump(rate, figures)
    from huntaze_console.cli import main as huntaze

    sys.argv = ["huntaze", *words]
    huntaze()


if __name__ == "__main__":
    main()
