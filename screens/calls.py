"""Ledger entries: the calls of one group, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.surface.queries import ListCalls
from engine.surface.rows import CallRow
from screens.call import CallScreen
from screens.drawing import Line, Span
from screens.facts import account_name
from screens.formatting import clean, clock_exact, duration, price
from screens.listing import Listing, number, plain
from screens.view import View
from screens.widgets.table import Column


class CallsScreen(Listing[CallRow]):
    """The calls of one group, newest first."""

    title_text = "calls"
    empty = "no call of this kind is in the ledger"

    def __init__(self, where: Mapping[str, str], place: str, title: str, note: Sequence[Line] = ()) -> None:
        super().__init__()
        self._where, self.place, self._title, self._note = dict(where), place, title, note

    @property
    def heading(self) -> str:
        return f"{self.place} › {self._title} › calls"

    def question(self) -> ListCalls:
        return ListCalls(where=self._where)

    def head(self, view: View, width: int) -> Sequence[Line]:
        return self._note

    def columns(self) -> Sequence[Column[CallRow]]:
        return (
            Column(
                title="at",
                width=8,
                paint=lambda row, view: (clock_exact(row.at, view.zone), "dim"),
                sort=lambda row: row.at,
            ),
            Column(
                title="model",
                width=14,
                weight=3,
                paint=plain(lambda row: f"{row.provider} {row.model}"),
                sort=lambda row: (row.provider, row.model),
            ),
            Column(
                title="tool", width=10, weight=1, need=100, paint=plain(lambda row: row.tool), sort=lambda row: row.tool
            ),
            Column(
                title="account",
                width=8,
                weight=1,
                need=120,
                paint=lambda row, view: (account_name(view, row.account_id), "plain"),
                sort=lambda row: row.account_id,
            ),
            Column(title="outcome", width=9, weight=1, paint=_outcome, sort=lambda row: row.outcome),
            Column(title="cost", width=13, right=True, paint=_cost, sort=lambda row: row.cost or 0),
            Column(
                title="basis", width=9, need=100, paint=plain(lambda row: row.basis, "dim"), sort=lambda row: row.basis
            ),
            Column(
                title="in",
                width=7,
                right=True,
                paint=number(lambda row: row.input_tokens),
                sort=lambda row: row.input_tokens,
            ),
            Column(
                title="out",
                width=6,
                right=True,
                paint=number(lambda row: row.output_tokens),
                sort=lambda row: row.output_tokens,
            ),
            Column(
                title="took",
                width=7,
                right=True,
                paint=lambda row, _: (duration(row.duration), "plain"),
                sort=lambda row: row.duration,
            ),
        )

    def key_of(self, row: CallRow) -> str:
        return row.attempt_id

    def words_of(self, row: CallRow) -> str:
        return " ".join(
            (row.provider, row.model, row.tool, row.outcome, row.basis, row.account_id, row.campaign_id, row.attempt_id)
        )

    def open(self, row: CallRow) -> None:
        self.app.push_screen(CallScreen(row, self.place))


def _outcome(row: CallRow, _view: View) -> Span:
    return (clean(row.outcome.replace("_", " "), longest=60), "plain" if row.outcome == "ok" else "bad")


def _cost(row: CallRow, _view: View) -> Span:
    return price(row.cost), "warn" if row.cost is None else "plain"
