"""What became of sends whose answer never came: a person's word on one, or on all of a campaign alike."""

from __future__ import annotations

from typing import cast

from engine.surface.commands import Command, SettleDeliveries, SettleDelivery
from engine.surface.rows import DeliveryRow
from engine.surface.snapshot import CampaignView
from screens.acting import Acting
from screens.formatting import clean, plural
from screens.steering import Outcome
from screens.widgets.confirm import Choose

_ANSWERS = (
    ("s", "sent", "sent: it arrived"),
    ("f", "failed", "failed: it did not, and is not to"),
    ("a", "again", "again: it did not; send it again, which may reach the fan twice"),
)
_ANSWERS_ALL = (
    ("s", "sent", "sent: they arrived"),
    ("f", "failed", "failed: they did not, and are not to"),
    ("a", "again", "again: they did not; send them again, which may reach fans twice"),
)


def settle(screen: Acting, row: DeliveryRow) -> None:
    """Ask what became of one send."""

    def answered(outcome: str | None) -> None:
        if outcome:
            word = cast("Outcome", outcome)
            screen.act(SettleDelivery(delivery_id=row.delivery_id, outcome=word, actor=screen.actor))

    name = clean(row.fan_name or row.fan_id, longest=60)
    question = f"Did the message reach {name}? Look on the platform first: what you say cannot be undone."
    screen.app.push_screen(Choose(question, _ANSWERS), answered)


def settle_all(screen: Acting, campaign: CampaignView) -> None:
    """Ask what became of all uncertain sends of a campaign; sending them again is asked twice."""
    number = campaign.counts.get("uncertain", 0)
    name = clean(campaign.name)

    def answered(outcome: str | None) -> None:
        if not outcome:
            return
        command: Command = SettleDeliveries(
            campaign_id=campaign.campaign_id, outcome=cast("Outcome", outcome), actor=screen.actor
        )
        words = "to be sent again" if outcome == "again" else outcome
        typed = name if outcome == "again" and number > screen.console.options.typed_above else ""
        what = f"Say that all {plural(number, 'uncertain send')} of {name} are {words}?"
        screen.confirm(what, command, detail="It cannot be undone.", typed=typed)

    question = f"What became of all {plural(number, 'uncertain send')} of {name}? Look on the platform first."
    screen.app.push_screen(Choose(question, _ANSWERS_ALL), answered)
