"""How fast virtual time may run: as asked while the host keeps up, slower while it does not.

The measure is the event loop's own lag: how much later than asked a short sleep returns. Slowing is quick and recovery
slow, so that a host at its limit settles instead of swinging. No request is ever dropped for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from engine.kernel.clock import ClockPage
from engine.simulation.record import Record

TICK = 0.05  # real seconds between two looks at the lag
_TOLERATED = 0.05  # real seconds of lag
_SUSTAINED = 3  # ticks behind in a row before slowing
_SLOWER = 0.7
_CALM = 20  # ticks on time in a row before trying faster
_FASTER = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`speed` runs now, `asked` is the aim; both in virtual seconds to a real one.

    Never slower than real time: there the lag no longer distorts anything that a host's own clock would not.
    """

    asked: float
    speed: float
    behind: int = 0  # ticks in a row
    calm: int = 0  # ticks in a row

    @classmethod
    def at(cls, speed: float) -> Pace:
        return cls(asked=speed, speed=speed)

    def observe(self, lag: float) -> Pace:
        """The pace after a tick that came `lag` real seconds late."""
        if lag > _TOLERATED:
            return self._slower() if self.behind + 1 >= _SUSTAINED else replace(self, behind=self.behind + 1, calm=0)
        if self.speed >= self.asked:
            return replace(self, behind=0, calm=0)
        return self._faster() if self.calm + 1 >= _CALM else replace(self, behind=0, calm=self.calm + 1)

    def _slower(self) -> Pace:
        return replace(self, speed=max(self.speed * _SLOWER, min(1.0, self.asked)), behind=0, calm=0)

    def _faster(self) -> Pace:
        return replace(self, speed=min(self.speed * _FASTER, self.asked), behind=0, calm=0)


class Pacer:
    """Keeps the page's speed what the host can bear, and says in the record whenever it changes."""

    def __init__(self, page: ClockPage, record: Record, speed: float) -> None:
        self._page = page
        self._record = record
        self._pace = Pace.at(speed)

    def ask(self, speed: float) -> None:
        """Run at this speed from now on, as far as the host keeps up. 0 stops virtual time."""
        self._pace = Pace.at(speed)
        self._page.set_speed(speed)

    async def run(self) -> None:
        """Watch the lag until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            self._apply(self._pace.observe(loop.time() - due))

    def _apply(self, pace: Pace) -> None:
        changed = pace.speed != self._pace.speed
        self._pace = pace
        if changed:
            self._page.set_speed(pace.speed)
            self._record.add(kind="slow", at=self._page.read()[0], speed=pace.speed, asked=pace.asked)
