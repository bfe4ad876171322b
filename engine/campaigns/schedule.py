"""Starts scheduled campaigns on their time."""

from __future__ import annotations

import asyncio

from engine.campaigns.dispatch import Dispatch
from engine.kernel.clock import Clock, pause
from engine.kernel.values import SECOND

_LOOK = 5 * SECOND  # nanoseconds between looks: a campaign scheduled meanwhile is found within this


async def run_schedule(dispatch: Dispatch, clock: Clock, stop: asyncio.Event) -> None:
    """Start what is due, until `stop` is set."""
    while not stop.is_set():
        due = await dispatch.next_start()
        now = clock.now()
        if due is not None and due <= now:
            await dispatch.start_due()
            continue
        await pause(clock, min(_LOOK, due - now if due is not None else _LOOK), stop)
