"""One fan's delivery in full: why it was or was not sent, what was looked at, what helps, and the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.kernel.errors import HuntazeError
from engine.surface.commands import RejectDeliveries
from engine.surface.effects import Fact, WhyRow
from engine.surface.queries import ExplainDelivery, ListDeliveries
from engine.surface.rows import DeliveryRow
from screens.acting import Acting
from screens.drawing import BLANK, Line, state
from screens.facts import account_name, campaign_name, with_id
from screens.formatting import age_rough, clean, count, price, stamp, wrap
from screens.record import Field, Record, field_lines
from screens.review import approve, risk_span
from screens.settling import settle
from screens.view import View
from screens.widgets.asking import Entry

_VERDICTS = {"ok": ("✔", "ok"), "waits": ("◐", "warn"), "stops": ("✖", "bad"), "unknown": ("?", "dim")}


class DeliveryScreen(Record, Acting):
    """Everything known about one message to one fan; the question it answers stands first."""

    place = "campaigns"
    first_keys = ("approve", "reject", "settle")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approve", "approve"),
        Binding("d", "reject", "reject"),
        Binding("e", "settle", "settle"),
    ]

    def __init__(self, row: DeliveryRow) -> None:
        super().__init__()
        self._row = row
        self._why: WhyRow | None = None
        self._trouble = ""  # why it cannot be told

    @property
    def heading(self) -> str:
        return f"campaigns › {clean(self._row.fan_name or self._row.fan_id, longest=60)}"

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_mount(self) -> None:
        super().on_mount()
        self.action_reload()

    def action_reload(self) -> None:
        self.run_worker(self._read(), group="reading", exclusive=True, exit_on_error=False)

    async def _read(self) -> None:
        """The delivery as it is by now, and why."""
        self._trouble = ""
        try:
            query = ListDeliveries(campaign_id=self._row.campaign_id, delivery_id=self._row.delivery_id, limit=1)
            found = [row for row in await self.rows(query) if row.delivery_id == self._row.delivery_id]
            self._row = found[0] if found else self._row
            explained = await self.rows(ExplainDelivery(delivery_id=self._row.delivery_id))
            self._why = explained[0] if explained else None
        except HuntazeError as error:  # no link, or an engine that is older than the question
            self._trouble = clean(str(error), longest=300)
        if self.is_current:
            self.show(self.view)

    # ── painting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def lines(self, view: View, width: int) -> Sequence[Line]:
        row = self._row
        glyph, tone, word = state(row.state)
        fields: list[Field | None] = [
            None,
            ("state", f"{glyph} {word}", tone),
            ("since", f"{stamp(row.changed_at, view.zone)}, {age_rough(view.now - row.changed_at)} ago"),
            ("reason", row.reason, "warn" if row.reason else "dim"),
            None,
            ("text", row.text or "not written yet", "strong" if row.text else "dim"),
            ("risk", *self._risk()),
            None,
            ("fan", f"{row.fan_name} {row.fan_id}".strip()),
            ("account", with_id(account_name(view, row.account_id), row.account_id)),
            ("campaign", with_id(campaign_name(view, row.campaign_id), row.campaign_id)),
            ("tries", count(row.attempts)),
            ("cost", price(row.cost)),
            ("platform id", row.platform_id),
            ("text digest", row.text_digest),
            ("delivery", row.delivery_id),
        ]
        return [*self._explained(width), *field_lines(fields, width)]

    def _risk(self) -> tuple[str, str]:
        if not self._row.text:
            return "", "dim"
        word, tone = risk_span(self._row.risk)
        return f"{word}: the text {self._row.risk_reason}" if self._row.risk_reason else word, tone

    def _explained(self, width: int) -> list[Line]:
        """The sentence, what helps, and each thing that was looked at."""
        question: Line = ((" WAS IT SENT, AND IF NOT, WHY", "head"),)
        if self._why is None:
            said = f"it cannot be told now: {self._trouble}" if self._trouble else "looking …"
            return [BLANK, question, *(((f"  {text}", "dim"),) for text in wrap(said, max(10, width - 4)))]
        why = self._why
        tone = "ok" if self._row.state == "sent" else "strong"
        lines: list[Line] = [BLANK, question]
        lines += [((f"  {text}", tone),) for text in wrap(clean(why.answer, longest=600), max(10, width - 4))]
        helps = wrap(clean(why.helps, longest=400), max(10, width - 4)) if why.helps else []
        lines += [((f"  {text}", "accent"),) for text in helps]
        return [*lines, BLANK, *(line for fact in why.facts for line in _fact_lines(fact, width))]

    # ── acting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("approve", "reject"):
            return self._row.state == "drafted" and self.may_act
        if action == "settle":
            return self._row.state == "uncertain" and self.may_act
        return super().check_action(action, parameters)

    def action_approve(self) -> None:
        campaign = self.view.snapshot.campaigns.get(self._row.campaign_id)
        approve(self, campaign.name if campaign else self._row.campaign_id, (self._row,))

    def action_reject(self) -> None:
        row = self._row
        name = clean(row.fan_name or row.fan_id, longest=60)
        self.ask(
            f"Reject the text for {name}? This fan gets nothing from this campaign.",
            (Entry(name="reason", label="reason", hint="off tone, wrong facts, …"),),
            lambda values: RejectDeliveries(
                campaign_id=row.campaign_id,
                delivery_ids=(row.delivery_id,),
                reason=values["reason"] or "rejected by the operator",
                actor=self.actor,
            ),
            go="reject it",
        )

    def action_settle(self) -> None:
        settle(self, self._row)


def _fact_lines(fact: Fact, width: int) -> list[Line]:
    glyph, tone = _VERDICTS.get(fact.verdict, _VERDICTS["unknown"])
    name = clean(fact.name, longest=20)
    texts = wrap(clean(fact.text, longest=400), max(10, width - 20)) or [""]
    first: Line = ((f"  {glyph} ", tone), (f"{name:<12}  ", "dim"), (texts[0], "plain" if tone != "dim" else "dim"))
    return [first, *(((f"{'':18}{text}", "plain"),) for text in texts[1:])]
