"""One fan across all campaigns: what was sent, what was not, and why."""

from __future__ import annotations

from collections.abc import Sequence

from engine.surface.queries import ListDeliveries
from engine.surface.rows import DeliveryRow
from screens.delivery import DeliveryScreen
from screens.drawing import BLANK, Line, Span, cut, state
from screens.facts import account_name, campaign_name
from screens.formatting import NONE, clean, clean_lines, count, moment
from screens.listing import Listing, plain
from screens.view import View
from screens.widgets.table import Column


class FanScreen(Listing[DeliveryRow]):
    """One row a delivery to the fan, the newest first. `who` is the fan's id or name, or ACCOUNT/ID.

    An id is looked up at once; only where nobody has it, the names are looked through.
    """

    place = "campaigns"
    title_text = "fan"

    def __init__(self, who: str) -> None:
        super().__init__()
        account, slash, fan = who.partition("/")
        self._account, self._fan = (account.strip(), fan.strip()) if slash else ("", who.strip())
        self._by_name = False

    @property
    def heading(self) -> str:
        whose = f"{clean(self._account, longest=40)} › " if self._account else ""
        return f"every campaign › {whose}fan {clean(self._fan, longest=60)}"

    @property
    def empty(self) -> str:  # type: ignore[override]
        return (
            f"no campaign has a row for a fan of the id or name {clean(self._fan, longest=60)}:"
            " it is spelled otherwise, or no campaign chose this fan"
        )

    def question(self) -> ListDeliveries:
        if self._by_name:
            return ListDeliveries(find=(f"fan:{self._fan}",), order="-changed_at", offset=0)
        return ListDeliveries(fan_id=self._fan)

    def paint(self, view: View) -> None:
        if self.done and not self.error and not self.read and not self._by_name and self._fan:
            self._by_name = True
            self.start_over()
            return
        super().paint(view)

    def rows_of(self, view: View) -> Sequence[DeliveryRow]:
        wanted = self._account.casefold()
        found = (row for row in self.read if wanted in ("", row.account_id.casefold(), _name(row, view).casefold()))
        return sorted(found, key=lambda row: -row.changed_at)

    @property
    def arranged(self) -> bool:
        """All of a fan's rows are read: there are few."""
        return False

    def columns(self) -> Sequence[Column[DeliveryRow]]:
        return (
            Column(title="state", width=12, paint=_state, sort=lambda row: row.state),
            Column(
                title="fan",
                width=12,
                weight=1,
                paint=plain(lambda row: row.fan_name or row.fan_id),
                sort=lambda row: (row.fan_name or row.fan_id).casefold(),
            ),
            Column(
                title="campaign",
                width=12,
                weight=2,
                paint=_campaign,
                sort=lambda row: row.campaign_id,
            ),
            Column(
                title="account",
                width=10,
                weight=1,
                need=90,
                paint=lambda row, view: (_name(row, view), "dim"),
                sort=lambda row: row.account_id,
            ),
            Column(
                title="reason", width=14, weight=3, paint=plain(lambda row: row.reason, "warn"), sort=lambda r: r.reason
            ),
            Column(
                title="tries",
                width=5,
                right=True,
                need=80,
                paint=lambda row, _: (count(row.attempts), "dim"),
                sort=lambda row: row.attempts,
            ),
            Column(
                title="changed",
                width=17,
                right=True,
                paint=lambda row, view: (moment(row.changed_at, view.now, view.zone), "dim"),
                sort=lambda row: row.changed_at,
            ),
        )

    def key_of(self, row: DeliveryRow) -> str:
        return row.delivery_id

    def words_of(self, row: DeliveryRow) -> str:
        where = (
            f"{campaign_name(self.view, row.campaign_id)} {row.campaign_id} {_name(row, self.view)} {row.account_id}"
        )
        return f"{row.state} {row.reason} {where} {row.text} {row.fan_name}"

    def foot(self, row: DeliveryRow, view: View, width: int) -> Sequence[Line]:
        glyph, tone, word = state(row.state)
        why = f": {clean(row.reason, longest=200)}" if row.reason else ""
        name = f"{clean(row.fan_name, longest=60)}  " if row.fan_name else ""
        fan = f"{clean(row.fan_id, longest=60)}  "
        title: Line = ((f"  {name}", "head"), (fan, "dim" if name else "head"), (f"{glyph} {word}{why}", tone))
        text = clean_lines(row.text or "no text yet", width - 4)[:3]
        return (BLANK, cut(title, width), *(((f"  {line}", "plain" if row.text else "dim"),) for line in text))

    def open(self, row: DeliveryRow) -> None:
        self.app.push_screen(DeliveryScreen(row))


def _name(row: DeliveryRow, view: View) -> str:
    return account_name(view, row.account_id)


def _campaign(row: DeliveryRow, view: View) -> Span:
    return campaign_name(view, row.campaign_id) or NONE, "plain"


def _state(row: DeliveryRow, _view: View) -> Span:
    glyph, tone, word = state(row.state)
    return f"{glyph} {clean(word, longest=30)}", tone
