"""The sums of a day and of a month from which on an alert is critical, and changing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.surface.commands import ResetThreshold
from engine.surface.effects import ThresholdRow
from engine.surface.queries import ListThresholds, PreviewThreshold
from screens.acting import Acting
from screens.drawing import BLANK, Line, Span, gauge, level
from screens.effects import threshold_effect
from screens.formatting import clean, money, percent, stamp
from screens.listing import Listing, plain
from screens.money import change_threshold, take_threshold
from screens.view import View
from screens.widgets.table import Column


class ThresholdsScreen(Listing[ThresholdRow], Acting):
    """One row a period. A threshold tells, a budget stops."""

    title_text = place = "costs"
    heading = "costs › thresholds"
    empty = "no thresholds"
    first_keys = ("change", "no alert", "let the file decide")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "change", "change"),
        Binding("d", "take", "no alert"),
        Binding("x", "reset", "let the file decide"),
    ]

    def question(self) -> ListThresholds:
        return ListThresholds()

    def columns(self) -> Sequence[Column[ThresholdRow]]:
        return (
            Column(title="a", width=8, paint=plain(lambda row: row.period), sort=lambda row: row.period),
            Column(title="", width=12, adorns=True, paint=_bar),
            Column(title="spent", width=10, right=True, paint=lambda row, _: (money(row.spent), "strong")),
            Column(title="critical at", width=12, right=True, paint=_limit),
            Column(title="used", width=6, right=True, paint=_used),
            Column(title="set by", width=14, paint=_author),
        )

    def key_of(self, row: ThresholdRow) -> str:
        return row.period

    def words_of(self, row: ThresholdRow) -> str:
        return f"{row.period} {row.set_by}"

    def foot(self, row: ThresholdRow, view: View, width: int) -> Sequence[Line]:
        file = money(row.file_limit) if row.file_limit else "no such alert"
        words = f"  the file says {file}"
        if row.set_by:
            words = f"  set by {clean(row.set_by, longest=60)} at {stamp(row.set_at, view.zone)}, over the file: {file}"
        return BLANK, ((words, "dim"),), (("  A threshold opens an alert and stops nothing; a budget stops.", "dim"),)

    def open(self, row: ThresholdRow) -> None:
        if self.may_act:
            change_threshold(self, row.period, row.limit)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "change":
            return self.is_mounted and self.row is not None and self.may_act
        if action == "take":
            return self.is_mounted and self.row is not None and bool(self.row.limit) and self.may_act
        if action == "reset":
            return any(row.set_by for row in self.read) and self.may_act
        return super().check_action(action, parameters)

    def action_change(self) -> None:
        if self.row is not None:
            change_threshold(self, self.row.period, self.row.limit)

    def action_take(self) -> None:
        if self.row is not None:
            take_threshold(self, self.row.period)

    def action_reset(self) -> None:
        file = {row.period: row.file_limit or 0 for row in self.read}

        async def effect() -> str:
            return threshold_effect(await self.rows(PreviewThreshold(day=file.get("day"), month=file.get("month"))))

        self.confirm_effect("Let the file decide over both thresholds again?", ResetThreshold(actor=self.actor), effect)


def _bar(row: ThresholdRow, _view: View) -> Line:
    return gauge(row.spent, row.limit or 0, 12, level(row.spent, row.limit or 0)) if row.limit else ()


def _limit(row: ThresholdRow, _view: View) -> Span:
    return (money(row.limit), "plain") if row.limit else ("no alert", "dim")


def _used(row: ThresholdRow, _view: View) -> Span:
    return percent(row.spent, row.limit or 0), "dim"


def _author(row: ThresholdRow, _view: View) -> Span:
    return (clean(row.set_by, longest=60), "warn") if row.set_by else ("the file", "dim")
