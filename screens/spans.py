"""The spans of time that a course is shown over, and how one turns from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.kernel.periods import day_bounds, month_bounds
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND
from screens.drawing import Line, Span
from screens.formatting import clock, moment
from screens.view import View


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span up to now: so many nanoseconds in steps, or a day or month of the calendar (`width` 0)."""

    name: str
    width: int = 0
    step: int = 0
    calendar: str = ""  # day or month

    def start(self, view: View) -> int:
        """Where it begins; sliding ones begin with a whole step, so that a figure stays in its step."""
        if self.calendar:
            bounds = day_bounds if self.calendar == "day" else month_bounds
            return bounds(view.now, view.zone)[0]
        return (view.now // self.step + 1) * self.step - self.width

    def words(self, view: View) -> str:
        """`today`, or `the last 6 h, since 08:32`."""
        if self.calendar:
            return "today" if self.calendar == "day" else "this month"
        since = self.start(view)
        when = clock(since, view.zone) if self.width < DAY else moment(since, view.now, view.zone)
        return f"the last {self.name}, since {when}"


SLIDING = (
    Stretch("1 m", MINUTE, SECOND),
    Stretch("15 m", 15 * MINUTE, MINUTE),
    Stretch("1 h", HOUR, MINUTE),
    Stretch("6 h", 6 * HOUR, 5 * MINUTE),
    Stretch("24 h", DAY, 15 * MINUTE),
    Stretch("7 d", 7 * DAY, HOUR),
    Stretch("30 d", 30 * DAY, 3 * HOUR),
)
TODAY, MONTH = Stretch("today", calendar="day"), Stretch("month", calendar="month")
HOURLY = SLIDING[2]


def choice_line(what: str, choices: Sequence[Stretch], chosen: Stretch) -> Line:
    """All spans with the chosen one marked: where the key leads is seen before it is pressed."""
    line: list[Span] = [(f"  {what} ", "dim")]
    for each in choices:
        line += [(each.name, "chosen" if each is chosen else "dim"), ("  ", "plain")]
    return tuple(line)


def turned(choices: Sequence[Stretch], chosen: Stretch, by: int = 1) -> Stretch:
    return choices[(choices.index(chosen) + by) % len(choices)]
