"""The windows a budget may run by: hours, days and months as a time zone cuts them, and all time.

Days are 23 or 25 hours long where clocks change. A window's bounds are worked out once, when it begins.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.kernel.periods import day_bounds, month_bounds
from engine.kernel.values import HOUR, SECOND, Instant, to_datetime

EVER = Instant((1 << 63) - 1)  # after every instant that the database can hold


class Window(StrEnum):
    """How often a budget begins anew."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"  # never


class Bounds(NamedTuple):
    """A window's first instant, and the first one after it."""

    begins: Instant
    ends: Instant


def bounds(window: Window, now: int, zone: str) -> Bounds:
    """The window around an instant, as that zone's clocks show it."""
    match window:
        case Window.TOTAL:
            return Bounds(Instant(0), EVER)
        case Window.HOUR:
            return _hour(now, _zone(zone))
        case Window.DAY:
            return Bounds(*day_bounds(now, _zone(zone)))
        case Window.MONTH:
            return Bounds(*month_bounds(now, _zone(zone)))


def _hour(now: int, zone: ZoneInfo) -> Bounds:
    """Full hours of the zone's clock, some of which are half an hour off UTC's. An hour shown twice is two windows."""
    offset = to_datetime(now).astimezone(zone).utcoffset() or timedelta(0)
    begins = now - (now + round(offset.total_seconds()) * SECOND) % HOUR
    return Bounds(Instant(begins), Instant(begins + HOUR))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
