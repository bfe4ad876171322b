"""Starts scheduled campaigns on their time, and lets those that a budget stopped go on when it has room again."""

from __future__ import annotations

import asyncio

from engine.campaigns.dispatch import Dispatch
from engine.campaigns.feeding import Feeding
from engine.kernel.clock import Clock, pause
from engine.kernel.values import SECOND

_LOOK = 5 * SECOND  # nanoseconds between looks: what becomes due meanwhile is found within this


async def run_schedule(dispatch: Dispatch, feeding: Feeding, clock: Clock, stop: asyncio.Event) -> None:
    """Start and resume what is due, until `stop` is set."""
    while not stop.is_set():
        start, meal = await dispatch.next_start(), await feeding.due()
        now = clock.now()
        if start is not None and start <= now:
            await dispatch.start_due()
        if meal is not None and meal <= now:
            await feeding.feed()
        waits = [due - now for due in (start, meal) if due is not None and due > now]
        await pause(clock, min([_LOOK, *waits]), stop)
