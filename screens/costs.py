"""Where the money goes: by provider and model, tool, campaign, account or day, with its course; down to the call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.kernel.periods import day_bounds
from engine.kernel.values import MINUTE, from_datetime
from engine.surface.queries import CostBreakdown, CostHistory, ListBudgets
from engine.surface.rows import BreakdownRow, BudgetRow, CostCourseRow
from screens.aside import Aside
from screens.budgets import BudgetsScreen
from screens.calls import CallsScreen
from screens.drawing import BLANK, Line, Span, beside, cut, level
from screens.facts import account_name
from screens.formatting import clean, count, count_short, money, money_short, percent, plural
from screens.listing import number
from screens.place import as_of
from screens.spanned import Spanned
from screens.spans import MONTH, SLIDING, TODAY, choice_line
from screens.spending import budget_of, spend_chart
from screens.view import View
from screens.widgets.plot import sparkline
from screens.widgets.table import Column

_GROUPS = (("provider", "model"), ("provider",), ("tool",), ("campaign",), ("account",), ("day",))
_SPARK = 16  # cells of a course in a row
_CHART_FROM = 20  # rows of the terminal from which the course of the selection is drawn
_TWO_CHARTS_FROM = 150  # columns from which the whole stands beside it


class CostsScreen(Spanned[BreakdownRow]):
    """Sums over one span by one grouping, each with its course. `day` narrows it to one calendar day."""

    title_text = place = "costs"
    stretches = (*SLIDING[:4], TODAY, *SLIDING[4:], MONTH)
    empty = "no calls in this time; t looks further back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "by", "group by"),
        Binding("u", "budgets", "budgets"),
    ]

    def __init__(self, day: str = "") -> None:
        super().__init__(TODAY)
        self._day = day
        self._by = 0
        self._courses: Aside[CostCourseRow] = Aside(self, self._course_question)
        self._budgets: Aside[BudgetRow] = Aside(self, lambda: ListBudgets(campaigns=True), every=10.0)

    @property
    def heading(self) -> str:
        return f"costs › {clean(self._day)}" if self._day else "costs"

    # ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────

    def question(self) -> CostBreakdown:
        start, end = self._bounds()
        return CostBreakdown(by=_GROUPS[self._by], from_=start, to=end)

    def _course_question(self) -> CostHistory:
        by = () if "day" in _GROUPS[self._by] else _GROUPS[self._by]
        if self.stretch.width and not self._day:
            return CostHistory(by=by, span=self.stretch.width)
        start, end = self._bounds()
        return CostHistory(by=by, from_=start, to=end)

    def _bounds(self) -> tuple[int, int | None]:
        if self._day:
            return _bounds_of_day(self._day, self.view)
        return self.stretch.start(self.view), None

    def paint(self, view: View) -> None:
        self._courses.keep(view)
        self._budgets.keep(view)
        super().paint(view)

    # ── around the table ────────────────────────────────────────────────────────────────────────────────────────────

    def head(self, view: View, width: int) -> Sequence[Line]:
        groups: list[Span] = [("  by ", "dim")]
        for at, group in enumerate(_GROUPS[: len(_GROUPS) - bool(self._day)]):
            groups += [(", ".join(group), "chosen" if at == self._by else "dim"), ("  ", "plain")]
        lines = [tuple(groups)] if self._day else [choice_line("over", self.stretches, self.stretch), tuple(groups)]
        trouble = self._courses.trouble(view)
        if trouble:
            lines.append((("  the courses ", "dim"), *trouble))
        return (cut(self._total(view), width), *lines) if self.done else lines

    def _total(self, view: View) -> Line:
        cost = sum(row.cost for row in self.read)
        calls = sum(row.calls for row in self.read)
        tokens = sum(row.input_tokens + row.output_tokens for row in self.read)
        estimated = sum(row.estimated for row in self.read)
        unpriced = sum(row.unpriced_calls for row in self.read)
        when = self.over(view) if self.since or not self._day else clean(self._day)
        limit = view.snapshot.money.day_threshold if self.stretch is TODAY else None
        limit = view.snapshot.money.month_threshold if self.stretch is MONTH else limit
        of: Line = ()
        if limit and not self._day and not self.since:
            tone = level(cost, limit)
            of = ((f" of {money_short(limit)}, {percent(cost, limit)}", "dim" if tone == "gauge" else tone),)
        return (
            (f"  {money(cost)}", "strong"), *of,
            (f" {when} · {plural(calls, 'call')} · {count_short(tokens)} tokens", "dim"),
            (f" · {money(estimated)} of it estimated" if estimated else "", "dim"),
            (f" · {plural(unpriced, 'call')} unpriced, not in the sum" if unpriced else "", "warn"),
            ("  ", "plain"), *as_of(view),
        )  # fmt: skip

    def foot(self, row: BreakdownRow, view: View, width: int) -> Sequence[Line]:
        """The course of the chosen row; on a wide terminal that of everything beside it."""
        rows = self.app.size.height
        if rows < _CHART_FROM:
            return ()
        height = min(14, max(6, rows // 3 - 1))
        whole = self._course({})
        own = None if "day" in row.dimensions else self._course(row.dimensions)
        everything = "" if width < _TWO_CHARTS_FROM and own is not None else "everything"
        if own is None:
            return (BLANK, *spend_chart(whole, "everything", None, self._is_calendar, view, width - 2, height))
        budget = budget_of(row.dimensions, self._budgets.rows, view, self._window)
        name = self._words(row)
        if not everything:
            return (BLANK, *spend_chart(own, name, budget, self._is_calendar, view, width - 2, height))
        half = (width - 4) // 2
        left = spend_chart(own, name, budget, self._is_calendar, view, half, height)
        total = budget_of({}, self._budgets.rows, view, self._window)
        right = spend_chart(whole, everything, total, self._is_calendar, view, half, height)
        return (BLANK, *beside(left, right, half, 3))

    @property
    def _is_calendar(self) -> bool:
        return bool(self._day or self.stretch.calendar)

    @property
    def _window(self) -> str:
        """The budget's window that a span is best held against."""
        if self._day:
            return "day"
        return self.stretch.calendar or ("hour" if self.stretch.width <= 60 * MINUTE else "day")

    def _course(self, dimensions: object) -> CostCourseRow | None:
        return next((each for each in self._courses.rows if each.dimensions == dimensions), None)

    # ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────

    def columns(self) -> Sequence[Column[BreakdownRow]]:
        return (
            Column(title="what", width=22, weight=3, paint=self._what, sort=self._words),
            Column(
                title="cost",
                width=11,
                right=True,
                paint=lambda row, _: (money(row.cost), "dim" if self.stands_last(row) else "strong"),
                sort=lambda row: row.cost,
            ),
            Column(title="share", width=6, right=True, paint=self._share, sort=lambda row: row.cost),
            Column(title="its course", width=_SPARK, need=70, adorns=True, paint=self._spark),
            Column(title="budget", width=20, need=100, paint=self._budget),
            Column(title="calls", width=9, right=True, paint=number(lambda row: row.calls), sort=lambda row: row.calls),
            Column(title="failed", width=6, right=True, need=78, paint=_failed, sort=lambda row: row.failed_calls),
            Column(
                title="in tokens",
                width=11,
                right=True,
                need=120,
                paint=number(lambda row: row.input_tokens),
                sort=lambda row: row.input_tokens,
            ),
            Column(
                title="cached",
                width=10,
                right=True,
                need=150,
                paint=number(lambda row: row.cached_tokens),
                sort=lambda row: row.cached_tokens,
            ),
            Column(
                title="out tokens",
                width=11,
                right=True,
                need=130,
                paint=number(lambda row: row.output_tokens),
                sort=lambda row: row.output_tokens,
            ),
            Column(
                title="estimated",
                width=10,
                right=True,
                need=140,
                paint=lambda row, _: (money(row.estimated), "dim"),
                sort=lambda row: row.estimated,
            ),
            Column(
                title="unpriced", width=8, right=True, need=118, paint=_unpriced, sort=lambda row: row.unpriced_calls
            ),
        )

    def key_of(self, row: BreakdownRow) -> str:
        return "\0".join(row.dimensions.values())

    def words_of(self, row: BreakdownRow) -> str:
        return f"{self._words(row)} {' '.join(row.dimensions.values())}"

    def rows_of(self, view: View) -> Sequence[BreakdownRow]:
        return sorted(self.read, key=self.stands_last)

    def stands_last(self, row: BreakdownRow) -> bool:
        """What is of none of the groups is no answer to which of them is the dearest."""
        return not any(row.dimensions.values())

    def _words(self, row: BreakdownRow) -> str:
        return " ".join(self._label(name, value, self.view) for name, value in row.dimensions.items())

    def _what(self, row: BreakdownRow, _view: View) -> Span:
        return self._words(row), "dim" if self.stands_last(row) else "plain"

    def _label(self, dimension: str, value: str, view: View) -> str:
        if not value:
            return f"no {dimension}"
        if dimension == "account":
            return account_name(view, value)
        known = view.snapshot.campaigns.get(value) if dimension == "campaign" else None
        return clean(known.name if known else value, longest=100)

    def _share(self, row: BreakdownRow, _view: View) -> Span:
        return percent(row.cost, sum(each.cost for each in self.read)), "dim"

    def _spark(self, row: BreakdownRow, _view: View) -> Span:
        course = self._course(row.dimensions)
        return ("", "dim") if course is None else sparkline(course.cost, _SPARK)

    def _budget(self, row: BreakdownRow, view: View) -> Span:
        found = budget_of(row.dimensions, self._budgets.rows, view, self._window)
        if found is None:
            return "", "dim"
        tone = level(found.spent, found.limit)
        words = f"{percent(found.spent, found.limit)} of {money_short(found.limit)}{found.per}"
        return words, "dim" if tone == "gauge" else tone

    # ── acting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, row: BreakdownRow) -> None:
        if "day" in row.dimensions:
            self.app.push_screen(CostsScreen(row.dimensions["day"]))
        else:
            self.app.push_screen(CallsScreen(row.dimensions, "costs", self._words(row)))

    def action_by(self) -> None:
        self._by = (self._by + 1) % (len(_GROUPS) - bool(self._day))
        if _GROUPS[self._by] == ("day",):
            self.stretch = MONTH
        self.anew()

    def anew(self) -> None:
        self._courses.start_over()
        super().anew()

    def action_budgets(self) -> None:
        self.app.push_screen(BudgetsScreen())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self._day if action == "time" else super().check_action(action, parameters)


def _bounds_of_day(day: str, view: View) -> tuple[int, int]:
    from datetime import datetime

    noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=view.zone)
    start, end = day_bounds(from_datetime(noon), view.zone)
    return start, min(end, max(view.now, start + MINUTE))


def _failed(row: BreakdownRow, _view: View) -> Span:
    return count(row.failed_calls), "warn" if row.failed_calls else "dim"


def _unpriced(row: BreakdownRow, _view: View) -> Span:
    return count(row.unpriced_calls), "warn" if row.unpriced_calls else "dim"
