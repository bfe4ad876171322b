"""Spend held against what limits it: which limit is meant, and the chart of a course with that limit in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from engine.kernel.values import DAY, HOUR
from engine.surface.rows import BudgetRow, CostCourseRow
from screens.drawing import BLANK, Line, cut, level
from screens.formatting import age, clean, money, money_short, percent, price
from screens.view import View
from screens.widgets.plot import Course, plot

_WIDTHS = {"hour": HOUR, "day": DAY, "month": 30 * DAY}
_PER = {"hour": "/hour", "day": "/day", "month": "/month", "total": " in all"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What spend is held against: a hard budget, or the threshold that tells of everything together."""

    limit: int
    spent: int
    window: str  # hour, day, month or total

    @property
    def per(self) -> str:
        return _PER.get(self.window, "")


def budget_of(dimensions: Mapping[str, str], budgets: Sequence[BudgetRow], view: View, window: str) -> Limit | None:
    """The limit of a group, of the span's own window if there is one; of everything the threshold where no budget."""
    wanted = [(name, value) for name, value in dimensions.items()] or [("global", "")]
    found = [budget for budget in budgets if (budget.scope, budget.key) in wanted]
    if found:
        best = min(found, key=lambda budget: (budget.window != window, -budget.spent * 1_000 // max(budget.limit, 1)))
        return Limit(limit=best.limit, spent=best.spent, window=best.window)
    if dimensions:
        return None
    spent = view.snapshot.money
    if window == "month":
        return Limit(limit=spent.month_threshold, spent=spent.month, window="month") if spent.month_threshold else None
    return Limit(limit=spent.day_threshold, spent=spent.today, window="day") if spent.day_threshold else None


def spend_chart(
    course: CostCourseRow | None, name: str, limit: Limit | None, running: bool, view: View, width: int, height: int
) -> list[Line]:
    """A title and the chart: `running` sums up to now against the limit, else each step against its even pace."""
    if course is None:
        return [((f"  {name}", "head"), ("  its course is being read …", "dim")), *[BLANK] * (height - 1)]
    values: Sequence[int] = tuple(accumulate(course.cost, initial=course.before))[1:] if running else course.cost
    bound, words = _bound(limit, course.step, running)
    shown = Course(
        values=_until_now(values, course, view), start=course.at, step=course.step, unit="money", limit=bound
    )
    peak = max(course.cost, default=0)
    step = age(course.step)
    at_most = f"{money(course.before + sum(course.cost))} in all" if running else f"at most {price(peak)} in {step}"
    title: Line = ((f"  {name}", "head"), (f"  {at_most}{words}", "dim"))
    if limit is not None:
        tone = level(limit.spent, limit.limit)
        if tone != "gauge":
            title = (*title, (f" · {percent(limit.spent, limit.limit)} of it used", tone))
    return [cut(title, width), *[(("  ", "plain"), *line) for line in plot(shown, width - 2, height - 1, view.zone)]]


def _bound(limit: Limit | None, step: int, running: bool) -> tuple[int | None, str]:
    """The line to draw and what it is called."""
    if limit is None:
        return None, ""
    words = f"{money_short(limit.limit)}{limit.per}"
    if running:
        return limit.limit, f" · limit {words}"
    width = _WIDTHS.get(limit.window)
    if width is None:
        return None, f" · limit {words}"
    pace = limit.limit * step // width
    return pace, f" · the line is {clean(words)} spent evenly"


def _until_now(values: Sequence[int], course: CostCourseRow, view: View) -> list[int | None]:
    """Steps that have not begun are not known."""
    return [value if course.at + at * course.step <= view.now else None for at, value in enumerate(values)]
