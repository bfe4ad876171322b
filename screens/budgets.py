"""The hard limits on cost: what is spent of each, what calls under way hold, and when it begins anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.surface.queries import ListBudgets
from engine.surface.rows import BudgetRow
from screens.acting import Acting
from screens.drawing import BLANK, Line, Span, gauge, level
from screens.formatting import age, clean, clock_exact, money, percent, zone_name
from screens.listing import Listing, plain
from screens.money import change_budget, new_budget, take_budget, whose
from screens.thresholds import ThresholdsScreen
from screens.view import View
from screens.widgets.table import Column

_SPANS = {"hour": 0, "day": 1, "month": 2, "total": 3}
_BAR, _BAR_WIDE = 10, 36  # cells
_UP = 999_999_999  # nanoseconds; room is never promised earlier than it comes


class BudgetsScreen(Listing[BudgetRow], Acting):
    """One row a budget and window. A bar is what is spent, then what is held."""

    title_text = place = "costs"
    heading = "costs › budgets"
    empty = "no budget is set: n gives one"
    first_keys = ("change limit", "new limit", "take away", "thresholds")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "change", "change limit"),
        Binding("n", "give", "new limit"),
        Binding("x", "take", "take away"),
        Binding("t", "thresholds", "thresholds"),
    ]

    def question(self) -> ListBudgets:
        return ListBudgets(campaigns=True)

    def columns(self) -> Sequence[Column[BudgetRow]]:
        return (
            Column(title="budget", width=18, weight=2, paint=plain(self._owner), sort=self._owner),
            Column(
                title="by", width=5, paint=plain(lambda row: row.window, "dim"), sort=lambda row: _SPANS[row.window]
            ),
            Column(
                title="",
                width=_BAR,
                adorns=True,
                paint=self._bar,
                sort=lambda row: row.spent / max(1, row.limit),
            ),
            Column(title="used", width=5, right=True, paint=_used, sort=lambda row: row.spent / max(1, row.limit)),
            Column(title="spent", width=9, right=True, paint=_spent, sort=lambda row: row.spent),
            Column(title="held", width=9, right=True, need=100, paint=_held, sort=lambda row: row.held),
            Column(
                title="limit",
                width=9,
                right=True,
                paint=lambda row, _: (money(row.limit), "dim"),
                sort=lambda row: row.limit,
            ),
            Column(title="resets in", width=9, right=True, paint=_resets, sort=lambda row: row.resets_at or 0),
            Column(
                title="does not fit",
                width=22,
                need=118,
                paint=plain(lambda row: ", ".join(row.actions), "dim"),
                sort=lambda row: row.actions,
            ),
        )

    def key_of(self, row: BudgetRow) -> str:
        return f"{row.scope}:{row.key}:{row.window}"

    def words_of(self, row: BudgetRow) -> str:
        return f"{self._owner(row)} {row.key} {row.window}"

    def _owner(self, row: BudgetRow) -> str:
        """Whose budget it is, a campaign's by the campaign's name; its id stands at the foot."""
        known = self.view.snapshot.campaigns.get(row.key) if row.scope == "campaign" else None
        return f"campaign {clean(known.name, longest=100)}" if known else whose(row)

    def _bar(self, row: BudgetRow, _view: View) -> Line:
        width = _BAR_WIDE if self.app.size.width > 180 else _BAR
        spent, track = gauge(row.spent, row.limit, width, level(row.spent, row.limit))
        both, _ = gauge(row.spent + row.held, row.limit, width)
        more = max(0, len(both[0]) - len(spent[0]))
        return (spent, ("▒" * more, "dim"), (track[0][more:], track[1]))

    def open(self, row: BudgetRow) -> None:
        if self.may_act:
            change_budget(self, row, self._owner(row))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("change", "take"):
            return self.is_mounted and self.row is not None and self.may_act
        if action == "give":
            return self.may_act
        return super().check_action(action, parameters)

    def action_change(self) -> None:
        if self.row is not None:
            change_budget(self, self.row, self._owner(self.row))

    def action_give(self) -> None:
        new_budget(self, self.view.snapshot)

    def action_take(self) -> None:
        if self.row is not None:
            take_budget(self, self.row)

    def action_thresholds(self) -> None:
        self.app.push_screen(ThresholdsScreen())

    def foot(self, row: BudgetRow, view: View, width: int) -> Sequence[Line]:
        left = money(max(0, row.limit - row.spent))
        title: Line = (
            (f"  {whose(row)}", "head"),
            (f"  {money(row.spent)} spent, {money(row.held)} held, {left} left of {money(row.limit)}", "plain"),
        )
        when = "never begins anew"
        if row.resets_at is not None:
            when = f"begins anew at {clock_exact(row.resets_at, view.zone)} {zone_name(row.resets_at, view.zone)}"
        actions = ", then ".join(row.actions)
        rest = clean(f"{when} · where a call does not fit: {actions} · set by a {row.origin}", longest=300)
        return BLANK, title, ((f"  {rest}", "dim"),)


def _used(row: BudgetRow, _view: View) -> Span:
    tone = level(row.spent, row.limit)
    return percent(row.spent, row.limit), "plain" if tone == "gauge" else tone


def _spent(row: BudgetRow, _view: View) -> Span:
    return money(row.spent), "strong"


def _held(row: BudgetRow, _view: View) -> Span:
    return money(row.held), "plain" if row.held else "dim"


def _resets(row: BudgetRow, view: View) -> Span:
    return ("never", "dim") if row.resets_at is None else (age(max(0, row.resets_at - view.now) + _UP), "plain")
