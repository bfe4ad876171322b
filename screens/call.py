"""One call and its task: every attempt of its trace, what each came to and cost; the chosen one in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.kernel.values import MINUTE
from engine.surface.queries import GetTrace, Query
from engine.surface.rows import AttemptRow, CallRow
from screens.drawing import BLANK, Line, Span, beside, cut
from screens.facts import account_name
from screens.formatting import NONE, clean, clock_exact, count, duration, plural, price, stamp
from screens.listing import Listing
from screens.record import Field, field_lines
from screens.view import View
from screens.widgets.table import Column

_OVER = 5 * MINUTE  # nanoseconds after a call from which no further attempt of its task is awaited
_TWO_BLOCKS_FROM = 110  # columns from which the fields stand in two blocks
_TAIL = 8  # letters of an id that tell it from its neighbours
_AROUND = 9  # rows of the terminal that are not the fields'


class CallScreen(Listing[AttemptRow]):
    """The attempts of a call's trace in the order they began; below, the chosen one in full."""

    empty = "the ledger does not know this call any more"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("i", "copy_trace", "copy the trace's id")]

    def __init__(self, call: CallRow, place: str) -> None:
        super().__init__()
        self._call, self.place = call, place
        self._own = _attempt(call)

    @property
    def heading(self) -> str:
        return f"{self.place} › call …{clean(self._call.attempt_id[-_TAIL:])}"

    def question(self) -> Query | None:
        return GetTrace(trace_id=self._call.trace_id, at=self._call.at) if self._call.trace_id else None

    def keep_fresh(self, view: View) -> None:
        """A task that is over is read once: finding a trace's attempts is dear, and they change no more."""
        over = all(row.ended_at is not None for row in self.read) and view.now - self._call.at > _OVER
        if not (self.done and not self.error and over):
            super().keep_fresh(view)

    def rows_of(self, view: View) -> Sequence[AttemptRow]:
        """The call itself stands there also while its trace is read, or cannot be."""
        return self.read or (self._own,)

    def head(self, view: View, width: int) -> Sequence[Line]:
        rows = self.rows_of(view)
        paid = sum(row.cost or 0 for row in rows)
        answered = next((row for row in rows if row.outcome == "ok"), None)
        line: list[Span] = [(f"  {plural(len(rows), 'attempt')}", "strong"), (f", {price(paid)} together", "plain")]
        if answered is not None and answered.ended_at is not None:
            who = clean(f"{answered.provider} {answered.model}", longest=80)
            line.append((f" · answered by {who} after {duration(answered.ended_at - rows[0].began_at)}", "ok"))
        else:
            line.append((" · no answer", "bad"))
        held = [row for row in rows if row.ended_at is None]
        if held:
            line.append(
                (f" · {len(held)} under way, at most {price(sum(row.held or 0 for row in held))} more", "accent")
            )
        return (cut(tuple(line), width),)

    def columns(self) -> Sequence[Column[AttemptRow]]:
        return (
            Column(title="began", width=8, paint=lambda row, view: (clock_exact(row.began_at, view.zone), "dim")),
            Column(title="after", width=7, right=True, need=70, paint=self._after),
            Column(title="step", width=9, paint=self._step),
            Column(title="model", width=18, weight=1, paint=_model, sort=lambda row: (row.provider, row.model)),
            Column(title="outcome", width=13, weight=1, paint=_outcome, sort=lambda row: row.outcome),
            Column(title="took", width=7, right=True, paint=_took, sort=lambda row: (row.ended_at or 0) - row.began_at),
            Column(title="cost", width=13, right=True, paint=_cost, sort=lambda row: row.cost or 0),
            Column(title="rated", width=5, right=True, need=100, paint=_rated),
            Column(title="held by", width=14, weight=1, need=110, paint=_held),
        )

    def key_of(self, row: AttemptRow) -> str:
        return row.attempt_id

    def words_of(self, row: AttemptRow) -> str:
        return f"{row.attempt_id} {row.provider} {row.model} {row.outcome}"

    def foot(self, row: AttemptRow, view: View, width: int) -> Sequence[Line]:
        two = width >= _TWO_BLOCKS_FROM
        room = (width - 2) // 2 if two else width
        left, right = field_lines(self._facts(row, view), room), field_lines(self._whose(row, view), room)
        lines = beside(left, right, room, 2) if two else [*left, *right]
        most = max(0, self.app.size.height - _AROUND - min(len(self.rows_of(view)), 6))
        return (BLANK, *lines)[:most]

    def _facts(self, row: AttemptRow, view: View) -> list[Field | None]:
        zone = view.snapshot.engine.time_zone
        ended = f"{stamp(row.ended_at, view.zone)} {zone}" if row.ended_at is not None else "it is under way"
        word, tone = _outcome(row, view)
        return [
            ("outcome", word, "ok" if row.outcome == "ok" else tone),
            ("cost", f"{_cost(row, view)[0]}{_split(row)}"),
            ("basis", self._basis(row)),
            ("settled", ended),
            ("provider", row.provider),
            ("model", row.model),
            ("tokens in", f"{count(row.input_tokens)}, {count(row.cached_tokens)} of them cached"),
            ("tokens out", self._written(row)),
        ]

    def _whose(self, row: AttemptRow, view: View) -> list[Field | None]:
        call = self._call
        return [
            ("attempt", row.attempt_id),
            ("trace", call.trace_id),
            ("job", call.job_id),
            ("tool", row.tool),
            ("account", f"{call.account_id} {account_name(view, call.account_id)}" if call.account_id else ""),
            ("campaign", call.campaign_id),
            ("tenant", call.tenant_id),
            ("user", call.user_id),
        ]

    def _written(self, row: AttemptRow) -> str:
        thought = self._call.reasoning_tokens if row.attempt_id == self._call.attempt_id else 0
        return (
            f"{count(row.output_tokens)}, {count(thought)} of them reasoning" if thought else count(row.output_tokens)
        )

    def _basis(self, row: AttemptRow) -> str:
        words = {
            "measured": "measured: the provider reported its tokens",
            "estimated": "estimated: no report of tokens came",
            "unpriced": "unpriced: no price is known",
            "": "held: the most it may come to, until it ends",
        }
        said = words.get(row.basis, row.basis)
        call = self._call
        if row.attempt_id != call.attempt_id or not call.price_source:
            return said
        return f"{said}; price of {call.price_date} from {call.price_source}"

    def _after(self, row: AttemptRow, view: View) -> Span:
        return f"+{duration(row.began_at - self.rows_of(view)[0].began_at)}", "dim"

    def _step(self, row: AttemptRow, view: View) -> Span:
        """What this attempt was to the ones before it."""
        before = [each for each in self.rows_of(view) if each.began_at < row.began_at]
        if not before:
            return "first", "dim"
        same = (row.provider, row.model) == (before[-1].provider, before[-1].model)
        return ("again", "warn") if same else ("fallback", "accent")

    def action_copy_trace(self) -> None:
        self.app.copy_to_clipboard(clean(self._call.trace_id))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._call.trace_id) if action == "copy_trace" else super().check_action(action, parameters)


def _attempt(call: CallRow) -> AttemptRow:
    """What a ledger entry alone tells of its attempt."""
    return AttemptRow(
        attempt_id=call.attempt_id,
        began_at=call.at - call.duration,
        ended_at=call.at,
        provider=call.provider,
        model=call.model,
        tool=call.tool,
        outcome=call.outcome,
        basis=call.basis,
        cost=call.cost,
        held=None,
        held_by=(),
        input_tokens=call.input_tokens,
        cached_tokens=call.cached_tokens,
        output_tokens=call.output_tokens,
        rating=None,
        shared_by=0,
    )


def _model(row: AttemptRow, _view: View) -> Span:
    return clean(f"{row.provider} {row.model}", longest=100), "plain"


def _outcome(row: AttemptRow, _view: View) -> Span:
    if row.ended_at is None:
        return "▶ under way", "accent"
    glyph = "✔" if row.outcome == "ok" else "✖"
    return f"{glyph} {clean(row.outcome.replace('_', ' '), longest=60)}", "plain" if row.outcome == "ok" else "bad"


def _took(row: AttemptRow, view: View) -> Span:
    return duration((row.ended_at if row.ended_at is not None else view.now) - row.began_at), "plain"


def _cost(row: AttemptRow, _view: View) -> Span:
    if row.ended_at is None:
        return (f"≤ {price(row.held)}" if row.held is not None else "unpriced"), "accent"
    return price(row.cost), "warn" if row.cost is None else "plain"


def _split(row: AttemptRow) -> str:
    return f", its bill split among {count(row.shared_by)}" if row.shared_by > 1 else ""


def _rated(row: AttemptRow, _view: View) -> Span:
    return (NONE, "dim") if row.rating is None else (f"{row.rating:.1f}", "accent")


def _held(row: AttemptRow, _view: View) -> Span:
    return clean(", ".join(row.held_by), longest=120), "dim"
