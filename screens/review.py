"""Reading drafted texts before they go out: mark them, by their risk, and approve or reject what is marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.surface.commands import ApproveDeliveries, RejectDeliveries
from engine.surface.queries import ListDeliveries
from engine.surface.rows import DeliveryRow
from engine.surface.snapshot import CampaignView
from screens.acting import Acting
from screens.drawing import BLANK, Line, Span, cut
from screens.formatting import clean, clean_lines, count, plural, price
from screens.listing import Listing, plain
from screens.view import View
from screens.widgets.asking import Entry, Values
from screens.widgets.table import Column

_VIEWS = ("", "high", "medium", "low", "none")
_RANK = {"high": 0, "medium": 1, "low": 2, "": 3, "none": 4}
_SHOWN: Mapping[str, Span] = {
    "high": ("▲ high", "bad"),
    "medium": ("● medium", "warn"),
    "low": ("· low", "plain"),
    "none": ("✔ none found", "dim"),
    "": ("? not looked at", "warn"),
}


def risk_span(risk: str) -> Span:
    """A risk as glyph and word."""
    return _SHOWN.get(risk, _SHOWN[""])


class ReviewScreen(Listing[DeliveryRow], Acting):
    """The texts of a campaign that wait for a yes, the riskiest first. What was read is what is approved."""

    place = "campaigns"
    title_text = "review"
    first_keys = ("mark", "mark all in sight", "approve marked", "reject marked", "by risk")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark"),
        Binding("x", "mark_seen", "mark all in sight"),
        Binding("a", "approve", "approve marked"),
        Binding("d", "reject", "reject marked"),
        Binding("v", "view", "by risk"),
    ]

    def __init__(self, campaign: CampaignView) -> None:
        super().__init__()
        self._campaign = campaign
        self._risk = ""
        self._marked: dict[str, DeliveryRow] = {}  # by delivery, as it was read when it was marked

    @property
    def heading(self) -> str:
        risk = f"{self._risk} risk" if self._risk else "texts to review"
        return f"campaigns › {clean(self._campaign.name, longest=50)} › {risk}"

    @property
    def empty(self) -> str:  # type: ignore[override]
        if self._risk:
            return f"no drafted text of {self._risk} risk; v shows the others"
        return "no text waits for a yes"

    def question(self) -> ListDeliveries:
        return ListDeliveries(campaign_id=self._campaign.campaign_id, state="drafted", risk=self._risk)

    def rows_of(self, view: View) -> Sequence[DeliveryRow]:
        return sorted(self.read, key=lambda row: _RANK.get(row.risk, 3))

    def asked_for(self) -> tuple[tuple[str, ...], str]:
        """Where the operator names no order, the riskiest first."""
        find, order = super().asked_for()
        return find, order or "risk"

    def marked(self, row: DeliveryRow) -> bool:
        """A mark is of the text that was read: another text under the same fan has none."""
        found = self._marked.get(row.delivery_id)
        return found is not None and found.text_digest == row.text_digest

    def head(self, view: View, width: int) -> Sequence[Line]:
        chosen = [("  ", "plain")]
        for risk in _VIEWS:
            chosen += [(risk or "all", "chosen" if risk == self._risk else "dim"), ("  ", "plain")]
        grave = sum(row.risk in ("high", "") for row in self._marked.values())
        marked = f"{plural(len(self._marked), 'text')} marked" + (f", {count(grave)} of high risk" if grave else "")
        return (cut((*chosen, (f"  {marked}", "strong" if self._marked else "dim")), width),)

    def columns(self) -> Sequence[Column[DeliveryRow]]:
        return (
            Column(title="", width=1, paint=lambda row, _: ("■", "accent") if self.marked(row) else ("·", "dim")),
            Column(
                title="risk",
                width=15,
                paint=lambda row, _: risk_span(row.risk),
                sort=lambda row: _RANK[row.risk],
                field="risk",
            ),
            Column(
                title="fan",
                width=12,
                weight=1,
                paint=plain(lambda row: row.fan_name or row.fan_id),
                sort=lambda row: (row.fan_name or row.fan_id).casefold(),
                field="fan",
            ),
            Column(
                title="text",
                width=20,
                weight=4,
                paint=plain(lambda row: row.text),
                sort=lambda row: row.text,
                field="text",
            ),
            Column(title="the text …", width=18, weight=2, need=110, paint=plain(lambda row: row.risk_reason, "warn")),
        )

    def key_of(self, row: DeliveryRow) -> str:
        return row.delivery_id

    def words_of(self, row: DeliveryRow) -> str:
        return f"{row.fan_name} {row.fan_id} {row.risk} {row.risk_reason} {row.text}"

    def foot(self, row: DeliveryRow, view: View, width: int) -> Sequence[Line]:
        room = 10 if self.app.size.height >= 34 else 5 if self.app.size.height >= 24 else 2
        why = f": the text {clean(row.risk_reason, longest=200)}" if row.risk_reason else ""
        word, tone = risk_span(row.risk)
        title: Line = (
            (f"  to {clean(row.fan_name or row.fan_id, longest=60)}  ", "head"),
            (f"{word}{why}", tone),
            (f"  {price(row.cost)}", "dim"),
        )
        texts = clean_lines(row.text, max(10, width - 4))
        more = f"  … {plural(len(texts) - room, 'line')} more: enter shows all" if len(texts) > room else ""
        shown: list[Line] = [((f"  {text}", "plain"),) for text in texts[:room]]
        return (BLANK, cut(title, width), *shown, *([((more, "dim"),)] if more else []))

    def open(self, row: DeliveryRow) -> None:
        from screens.delivery import DeliveryScreen

        self.app.push_screen(DeliveryScreen(row))

    # ── marking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("approve", "reject"):
            return bool(self._marked) and self.may_act
        if action in ("mark", "mark_seen"):
            return self.is_mounted and self.row is not None
        return super().check_action(action, parameters)

    def action_mark(self) -> None:
        """Mark or unmark the text under the cursor, and go on to the next one."""
        if self.row is None:
            return
        self._turn([self.row], on=not self.marked(self.row))
        self.table.action_step(1)

    def action_mark_seen(self) -> None:
        """Mark the rows in sight; where all of them are marked already, take the marks away."""
        table = self.table
        seen = list(filter(None, (table.rows[number] for number in table.in_sight)))  # None: not come yet
        self._turn(seen, on=not all(map(self.marked, seen)))

    def _turn(self, rows: Sequence[DeliveryRow], *, on: bool) -> None:
        for row in rows:
            if on:
                self._marked[row.delivery_id] = row
            else:
                self._marked.pop(row.delivery_id, None)
        self.show(self.view)

    def action_view(self) -> None:
        self._risk = _VIEWS[(_VIEWS.index(self._risk) + 1) % len(_VIEWS)]
        self.start_over()

    # ── deciding ────────────────────────────────────────────────────────────────────────────────────────────────────

    def action_approve(self) -> None:
        approve(self, self._campaign.name, tuple(self._marked.values()), then=self._forget)

    def action_reject(self) -> None:
        chosen = tuple(self._marked)
        number = plural(len(chosen), "marked text")

        def make(values: Values) -> RejectDeliveries:
            return RejectDeliveries(
                campaign_id=self._campaign.campaign_id,
                delivery_ids=chosen,
                reason=values["reason"] or "rejected by the operator",
                actor=self.actor,
            )

        async def preview(_values: Values) -> str:
            return f"{_risks(list(self._marked.values()))} These fans get nothing from this campaign."

        self.ask(
            f"Reject {number} of {clean(self._campaign.name)}?",
            (Entry(name="reason", label="reason", hint="off tone, wrong facts, …", loose=True),),
            make,
            preview=preview,
            go="reject them",
            then=self._forget,
        )

    def _forget(self) -> None:
        self._marked.clear()


def approve(screen: Acting, name: str, rows: Sequence[DeliveryRow], then: Callable[[], None] | None = None) -> None:
    """Ask whether these texts of a campaign may go out: how many, how risky, and of one the text itself."""
    number, name = len(rows), clean(name)
    leaves = f"{plural(number, 'message')} {'goes' if number == 1 else 'go'} out, and cannot be called back."
    question, detail = f"Approve {plural(number, 'marked text')} of {name}?", _risks(rows)
    if number == 1:
        question = f"Approve this text for {clean(rows[0].fan_name or rows[0].fan_id, longest=60)}?"
        why = f": the text {clean(rows[0].risk_reason, longest=100)}" if rows[0].risk_reason else ""
        detail = f"“{clean(rows[0].text)}” {risk_span(rows[0].risk)[0]}{why}"
    texts = {row.delivery_id: row.text_digest for row in rows}
    command = ApproveDeliveries(campaign_id=rows[0].campaign_id, texts=texts, actor=screen.actor)
    typed = name if number > screen.console.options.typed_above else ""
    screen.confirm(f"{question} {leaves}", command, detail=detail, typed=typed, then=then)


def _risks(rows: Sequence[DeliveryRow]) -> str:
    """How many of each risk are among them, the gravest first."""
    words = {"none": "without a finding", "": "not looked at"}
    found = [(risk, sum(row.risk == risk for row in rows)) for risk in _RANK]
    told = [f"{count(number)} {words.get(risk, f'of {risk} risk')}" for risk, number in found if number]
    return f"Among them {', '.join(told)}." if told else ""
