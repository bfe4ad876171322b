"""What every handler of the world shares: the seed, virtual time, the record, the scenario and its faults."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiohttp import web

from engine.kernel.clock import VirtualClock
from engine.kernel.values import SECOND, Instant
from engine.simulation.dice import Dice
from engine.simulation.faults import FaultPlan
from engine.simulation.record import Record
from engine.simulation.scenario import Scenario


@dataclass(slots=True, kw_only=True)
class Stage:
    """One running world. Only the numbering, the faults and the handlers' own memories change."""

    seed: int
    clock: VirtualClock
    started: Instant
    record: Record
    scenario: Scenario
    faults: FaultPlan
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def dice(self, *key: object) -> Dice:
        """Draws that only this seed and this key decide."""
        return Dice(self.seed, *key)

    def number(self) -> int:
        """The next number of the world's arrivals; makes ids unique, decides nothing else."""
        return next(self._numbers)


def connected(request: web.Request) -> bool:
    """Whether the client is still there."""
    return request.transport is not None and not request.transport.is_closing()


def hang_up(request: web.Request) -> web.Response:
    """Cut the connection without an answer; what is returned only ends the handler."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def hold(stage: Stage, request: web.Request, until: int) -> None:
    """Wait for an instant of virtual time, or until the client has gone."""
    while connected(request) and (now := stage.clock.now()) < until:
        await stage.clock.sleep_until(min(until, now + SECOND))
