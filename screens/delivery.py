"""One fan's delivery in full: why it was or was not sent, and the text."""

from __future__ import annotations

from collections.abc import Sequence

from engine.surface.rows import DeliveryRow
from screens.drawing import Line, state
from screens.formatting import age_rough, clean, count, price, stamp
from screens.record import Field, Record, field_lines
from screens.view import View

_MEANS = {
    "skipped": "left out, nothing is sent",
    "uncertain": "sent or not: its answer never came. It is not sent again by itself",
    "drafted": "the text waits for an approval",
    "pending": "its text is not written yet",
    "queued": "waits for a free slot of the account",
    "sending": "on its way now",
    "approved": "approved, about to be queued",
    "sent": "the platform took it",
    "failed": "given up",
    "rejected": "rejected by an operator",
    "expired": "too late: its time to be sent had passed",
    "cancelled": "its campaign was cancelled before it went out",
}  # fmt: skip


class DeliveryScreen(Record):
    """Everything known about one message to one fan."""

    place = "campaigns"

    def __init__(self, row: DeliveryRow) -> None:
        super().__init__()
        self._row = row

    @property
    def heading(self) -> str:
        return f"campaigns › {clean(self._row.fan_name or self._row.fan_id, longest=60)}"

    def lines(self, view: View, width: int) -> Sequence[Line]:
        row = self._row
        glyph, tone, word = state(row.state)
        fields: list[Field | None] = [
            None,
            ("state", f"{glyph} {word}", tone),
            ("which means", _MEANS.get(row.state, "")),
            ("reason", row.reason, "warn" if row.reason else "dim"),
            ("since", f"{stamp(row.changed_at, view.zone)}, {age_rough(view.now - row.changed_at)} ago"),
            None,
            ("text", row.text or "not written yet", "strong" if row.text else "dim"),
            None,
            ("fan", f"{row.fan_name} {row.fan_id}".strip()),
            ("account", row.account_id),
            ("campaign", row.campaign_id),
            ("tries", count(row.attempts)),
            ("cost", price(row.cost)),
            ("platform id", row.platform_id),
            ("text digest", row.text_digest),
            ("delivery", row.delivery_id),
        ]
        return field_lines(fields, width)
