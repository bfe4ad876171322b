"""The one door to time: the machine's clock, and the virtual time of a simulated world.

Everything in the engine asks an injected `Clock`. Virtual time lives in a *page*: a small file that the world's process
writes and every process of that simulation maps, so that all of them read exactly the same time, also while it slows.
(Over HTTP a reader could be a re-anchoring behind, and a limiter that believes 60 s have passed would let an eleventh
message through.) The monotonic clock is one for all processes of a machine, which makes the page exact.
"""

from __future__ import annotations

import asyncio
import mmap
import struct
import time
from pathlib import Path
from typing import Protocol

from engine.kernel.values import SECOND, Instant

_LAYOUT = struct.Struct("<QqqQ")  # sequence (odd while written), monotonic anchor ns, virtual anchor ns, speed × 1e6
_SPEED_UNIT = 1_000_000
_LONGEST_NAP = 0.5  # real seconds; a sleeper looks again this often because the speed of virtual time may have changed
_LEAST_SOCKET_TIMEOUT = 2.0  # real seconds


class Clock(Protocol):
    """Time as the engine sees it."""

    def now(self) -> Instant:
        """Nanoseconds since the epoch, UTC."""
        ...

    async def sleep_until(self, instant: int) -> None:
        """Return once `now()` has reached the instant; at once if it has."""
        ...

    def socket_timeout(self, duration: int) -> float:
        """Real seconds to allow a socket for `duration` nanoseconds of this clock."""
        ...

    def allowance(self, duration: int) -> int:
        """Nanoseconds of this clock that may pass before `socket_timeout(duration)` fires."""
        ...


async def sleep(clock: Clock, duration: int) -> None:
    """Sleep for `duration` nanoseconds of the clock."""
    await clock.sleep_until(clock.now() + duration)


async def pause(clock: Clock, duration: int, stop: asyncio.Event) -> None:
    """Sleep for `duration` nanoseconds of the clock, or until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        asleep = group.create_task(sleep(clock, duration))
        stopped = group.create_task(stop.wait())
        await asyncio.wait((asleep, stopped), return_when=asyncio.FIRST_COMPLETED)
        asleep.cancel()
        stopped.cancel()


class SystemClock:
    """The machine's clock, read once and carried on by its monotonic one.

    A step of the host's clock would otherwise free or block the limiter's slots; a restart takes the new time over.
    """

    def __init__(self) -> None:
        self._anchor = time.time_ns() - _monotonic_ns()  # noqa: TID251 - this is the door

    def now(self) -> Instant:
        return Instant(self._anchor + _monotonic_ns())

    async def sleep_until(self, instant: int) -> None:
        while (left := instant - self.now()) > 0:  # noqa: ASYNC110 - time is what it waits for
            await asyncio.sleep(left / SECOND)

    def socket_timeout(self, duration: int) -> float:
        return duration / SECOND

    def allowance(self, duration: int) -> int:
        return duration


class StoppedClock:
    """A clock that stands: for looking at a simulation whose time is not running."""

    def __init__(self, at: int) -> None:
        self._at = Instant(at)

    def now(self) -> Instant:
        return self._at

    async def sleep_until(self, instant: int) -> None:
        if instant > self._at:
            await asyncio.Event().wait()

    def socket_timeout(self, duration: int) -> float:
        return duration / SECOND

    def allowance(self, duration: int) -> int:
        return duration


def _monotonic_ns() -> int:
    """Nanoseconds that also count while the machine is suspended, where the system offers that."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


class ClockPage:
    """The shared file of one simulation's virtual time. One process writes it, any number map it.

    Writers bump a sequence number to odd, write, and bump it to even; readers retry while it is odd or has changed.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = path
        with path.open("r+b" if writable else "rb") as file:
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size, access=access)

    @classmethod
    def create(cls, path: Path, *, start: int, speed: float) -> ClockPage:
        """A new page whose virtual time is `start` (nanoseconds since the epoch) now and runs at `speed`."""
        temporary = path.with_name(path.name + ".new")
        temporary.write_bytes(_LAYOUT.pack(0, time.monotonic_ns(), start, round(speed * _SPEED_UNIT)))
        temporary.replace(path)
        return cls(path, writable=True)

    def read(self) -> tuple[Instant, float]:
        """Virtual now, and the speed it runs at."""
        while True:
            sequence, anchor, virtual, speed = _LAYOUT.unpack_from(self._map)
            now = time.monotonic_ns()
            if sequence % 2 == 0 and _LAYOUT.unpack_from(self._map)[0] == sequence:
                return Instant(virtual + (now - anchor) * speed // _SPEED_UNIT), speed / _SPEED_UNIT

    def set_speed(self, speed: float) -> None:
        """From now on run at `speed`, without a jump. 0 stops virtual time."""
        sequence, anchor, virtual, old = _LAYOUT.unpack_from(self._map)
        struct.pack_into("<Q", self._map, 0, sequence + 1)
        now = time.monotonic_ns()
        virtual += (now - anchor) * old // _SPEED_UNIT
        _LAYOUT.pack_into(self._map, 0, sequence + 1, now, virtual, round(speed * _SPEED_UNIT))
        struct.pack_into("<Q", self._map, 0, sequence + 2)

    def close(self) -> None:
        self._map.close()


class VirtualClock:
    """A clock that reads a simulation's page."""

    def __init__(self, page: ClockPage) -> None:
        self._page = page

    def now(self) -> Instant:
        return self._page.read()[0]

    @property
    def speed(self) -> float:
        """Virtual seconds to a real one, at this moment."""
        return self._page.read()[1]

    async def sleep_until(self, instant: int) -> None:
        while True:
            now, speed = self._page.read()
            if now >= instant:
                return
            real = (instant - now) / SECOND / speed if speed else _LONGEST_NAP
            await asyncio.sleep(min(real, _LONGEST_NAP))

    def socket_timeout(self, duration: int) -> float:
        _, speed = self._page.read()
        return max(duration / SECOND / max(speed, 1e-6), _LEAST_SOCKET_TIMEOUT)

    def allowance(self, duration: int) -> int:
        _, speed = self._page.read()
        return max(duration, round(_LEAST_SOCKET_TIMEOUT * SECOND * speed))
