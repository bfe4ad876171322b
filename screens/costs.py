"""Where the money goes: by provider and model, tool, campaign, account or day; down to the single call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.kernel.periods import day_bounds, month_bounds
from engine.kernel.values import DAY, from_datetime
from engine.surface.queries import CostBreakdown
from engine.surface.rows import BreakdownRow
from screens.budgets import BudgetsScreen
from screens.calls import CallsScreen
from screens.drawing import Line, Span, cut, gauge
from screens.facts import account_name
from screens.formatting import clean, count, count_short, money, percent, plural
from screens.listing import Listing, number
from screens.view import View
from screens.widgets.table import Column

_GROUPS = (("provider", "model"), ("tool",), ("campaign",), ("account",), ("day",))
_SPANS = ("today", "seven days", "this month")


class CostsScreen(Listing[BreakdownRow]):
    """Sums over one period by one grouping. `day` narrows it to one calendar day."""

    title_text = place = "costs"
    empty = "no calls in this time; t looks further back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "by", "group by"),
        Binding("t", "time", "time"),
        Binding("u", "budgets", "budgets"),
    ]

    def __init__(self, day: str = "") -> None:
        super().__init__()
        self._day = day
        self._by = 0
        self._span = 0

    @property
    def heading(self) -> str:
        return f"costs › {clean(self._day)}" if self._day else "costs"

    def question(self) -> CostBreakdown:
        start, end = self._bounds()
        return CostBreakdown(by=_GROUPS[self._by], from_=start, to=end)

    def _bounds(self) -> tuple[int, int | None]:
        view = self.view
        if self._day:
            return _bounds_of_day(self._day, view)
        today = day_bounds(view.now, view.zone)[0]
        return (today, today - 6 * DAY, month_bounds(view.now, view.zone)[0])[self._span], None

    def head(self, view: View, width: int) -> Sequence[Line]:
        cost = sum(row.cost for row in self.read)
        calls = sum(row.calls for row in self.read)
        tokens = sum(row.input_tokens + row.output_tokens for row in self.read)
        estimated = sum(row.estimated for row in self.read)
        unpriced = sum(row.unpriced_calls for row in self.read)
        when = clean(self._day) or _SPANS[self._span]
        total: Line = (
            (f"  {money(cost)}", "strong"),
            (f" {when} · {plural(calls, 'call')} · {count_short(tokens)} tokens", "dim"),
            (f" · {money(estimated)} of it estimated", "dim"),
            (f" · {plural(unpriced, 'call')} unpriced, not in the sum" if unpriced else "", "warn"),
        )
        groups: list[Span] = [("  by ", "dim")]
        for at, group in enumerate(_GROUPS):
            groups += [(", ".join(group), "chosen" if at == self._by else "dim"), ("   ", "plain")]
        return (cut(total, width), tuple(groups)) if self._done else (tuple(groups),)

    def columns(self) -> Sequence[Column[BreakdownRow]]:
        return (
            Column(title="what", width=22, weight=3, paint=self._what, sort=self._words),
            Column(
                title="cost",
                width=11,
                right=True,
                paint=lambda row, _: (money(row.cost), "strong"),
                sort=lambda row: row.cost,
            ),
            Column(title="share", width=7, right=True, paint=self._share, sort=lambda row: row.cost),
            Column(title="", width=10, weight=1, need=100, paint=self._bar),
            Column(title="calls", width=9, right=True, paint=number(lambda row: row.calls), sort=lambda row: row.calls),
            Column(title="failed", width=7, right=True, need=78, paint=_failed, sort=lambda row: row.failed_calls),
            Column(
                title="in tokens",
                width=11,
                right=True,
                need=78,
                paint=number(lambda row: row.input_tokens),
                sort=lambda row: row.input_tokens,
            ),
            Column(
                title="cached",
                width=10,
                right=True,
                need=130,
                paint=number(lambda row: row.cached_tokens),
                sort=lambda row: row.cached_tokens,
            ),
            Column(
                title="out tokens",
                width=11,
                right=True,
                need=100,
                paint=number(lambda row: row.output_tokens),
                sort=lambda row: row.output_tokens,
            ),
            Column(
                title="estimated",
                width=10,
                right=True,
                need=118,
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
        return self._words(row)

    def _words(self, row: BreakdownRow) -> str:
        return " ".join(self._label(name, value, self.view) for name, value in row.dimensions.items())

    def _what(self, row: BreakdownRow, view: View) -> Span:
        words = " ".join(self._label(name, value, view) for name, value in row.dimensions.items())
        return (words, "plain") if words.strip() else ("(none)", "dim")

    def _label(self, dimension: str, value: str, view: View) -> str:
        if dimension == "account":
            return account_name(view, value)
        known = view.snapshot.campaigns.get(value) if dimension == "campaign" else None
        return clean(known.name if known else value, longest=100)

    def _share(self, row: BreakdownRow, _view: View) -> Span:
        return percent(row.cost, sum(each.cost for each in self.read)), "dim"

    def _bar(self, row: BreakdownRow, _view: View) -> Line:
        return gauge(
            row.cost, max((each.cost for each in self.read), default=0), 60 if self.app.size.width > 180 else 10
        )

    def open(self, row: BreakdownRow) -> None:
        if "day" in row.dimensions:
            self.app.push_screen(CostsScreen(row.dimensions["day"]))
        else:
            self.app.push_screen(CallsScreen(row.dimensions, "costs", self._words(row)))

    def action_by(self) -> None:
        self._by = (self._by + 1) % (len(_GROUPS) - bool(self._day))
        if _GROUPS[self._by] == ("day",):
            self._span = _SPANS.index("this month")
        self.start_over()

    def action_budgets(self) -> None:
        self.app.push_screen(BudgetsScreen())

    def action_time(self) -> None:
        self._span = (self._span + 1) % len(_SPANS)
        self.start_over()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self._day if action == "time" else super().check_action(action, parameters)


def _bounds_of_day(day: str, view: View) -> tuple[int, int]:
    from datetime import datetime

    noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=view.zone)
    return day_bounds(from_datetime(noon), view.zone)


def _failed(row: BreakdownRow, _view: View) -> Span:
    return count(row.failed_calls), "warn" if row.failed_calls else "dim"


def _unpriced(row: BreakdownRow, _view: View) -> Span:
    return count(row.unpriced_calls), "warn" if row.unpriced_calls else "dim"
