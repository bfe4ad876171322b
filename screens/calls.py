"""Ledger entries: a list of calls, and one call in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.surface.queries import ListCalls
from engine.surface.rows import CallRow
from screens.drawing import Line, Span
from screens.facts import account_name
from screens.formatting import clean, clock_exact, count, duration, price, stamp
from screens.listing import Listing, number, plain
from screens.record import Field, Record, field_lines
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


class CallScreen(Record):
    """One attempt at a provider, as the ledger has it."""

    def __init__(self, call: CallRow, place: str) -> None:
        super().__init__()
        self._call, self.place = call, place

    @property
    def heading(self) -> str:
        return f"{self.place} › call {clean(self._call.attempt_id, longest=60)}"

    def lines(self, view: View, width: int) -> Sequence[Line]:
        call = self._call
        fields: list[Field | None] = [
            None,
            ("outcome", call.outcome.replace("_", " "), "ok" if call.outcome == "ok" else "bad"),
            ("cost", price(call.cost), "strong" if call.cost is not None else "warn"),
            ("basis", _basis(call)),
            ("took", duration(call.duration)),
            ("settled", f"{stamp(call.at, view.zone)} {view.snapshot.engine.time_zone}"),
            None,
            ("provider", call.provider),
            ("model", call.model),
            ("tool", call.tool),
            ("tokens in", f"{count(call.input_tokens)}, {count(call.cached_tokens)} of them cached"),
            ("tokens out", f"{count(call.output_tokens)}, {count(call.reasoning_tokens)} of them reasoning"),
            None,
            ("account", call.account_id),
            ("campaign", call.campaign_id),
            ("tenant", call.tenant_id),
            ("user", call.user_id),
            ("job", call.job_id),
            ("trace", call.trace_id),
            ("attempt", call.attempt_id),
        ]
        return field_lines(fields, width)


def _basis(call: CallRow) -> str:
    words = {
        "measured": "measured: the provider reported its tokens",
        "estimated": "estimated: no report of tokens came",
    }
    source = f"; price of {call.price_date} from {call.price_source}" if call.price_source else "; no price is known"
    return words.get(call.basis, call.basis) + source
