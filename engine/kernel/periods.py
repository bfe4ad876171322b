"""Days and months as an operator's time zone cuts them."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.kernel.values import Instant, from_datetime, to_datetime


def day_of(instant: Instant | int, zone: ZoneInfo) -> str:
    """The calendar day an instant falls on, as 2026-11-20."""
    return to_datetime(instant).astimezone(zone).date().isoformat()


def day_bounds(instant: Instant | int, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """Start (inclusive) and end (exclusive) of the day around an instant: 23 or 25 hours long when clocks change."""
    day = to_datetime(instant).astimezone(zone).date()
    following = day + timedelta(days=1)
    return _midnight(day.year, day.month, day.day, zone), _midnight(
        following.year, following.month, following.day, zone
    )


def month_bounds(instant: Instant | int, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """Start (inclusive) and end (exclusive) of the calendar month around an instant."""
    day = to_datetime(instant).astimezone(zone).date()
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return _midnight(day.year, day.month, 1, zone), _midnight(year, month, 1, zone)


def _midnight(year: int, month: int, day: int, zone: ZoneInfo) -> Instant:
    return from_datetime(datetime(year, month, day, tzinfo=zone))
