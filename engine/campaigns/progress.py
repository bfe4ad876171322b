"""Follows each campaign from its deliveries: what sending asks of campaigns and tells them."""

from __future__ import annotations

from engine.campaigns import store
from engine.campaigns.campaign import ENDED, CampaignState, progressed
from engine.messaging import DeliveryState, Ruling, Verdict
from engine.storage import Tx

_ENGINE = "engine"


class Progress:
    """See messaging.Campaigns."""

    def ruling(self, tx: Tx, campaign_id: str) -> Ruling:
        campaign = store.get(tx, campaign_id)
        if campaign.state is CampaignState.RUNNING:
            return Ruling(Verdict.GO)
        if campaign.state in ENDED:
            return Ruling(Verdict.SKIP, f"the campaign is {campaign.state}")
        return Ruling(Verdict.WAIT, f"the campaign is {campaign.state}")

    def progressed(self, tx: Tx, campaign_id: str, now: int) -> None:
        """Give the campaign the state that its open deliveries call for, if that is another."""
        campaign = store.get(tx, campaign_id)
        open_now = store.open_states(tx, campaign_id)
        after = progressed(campaign, open_now, now)
        if after is campaign.state:
            return
        if after is CampaignState.PAUSED:
            resume_to = CampaignState.AWAITING_APPROVAL if campaign.needs_approval else CampaignState.RUNNING
            store.move(
                tx, campaign, after, now=now, actor=_ENGINE, reason=starved_reason(tx, campaign_id), resume_to=resume_to
            )
        else:
            store.move(tx, campaign, after, now=now, actor=_ENGINE)


def starved_reason(tx: Tx, campaign_id: str) -> str:
    """What an operator reads of a campaign whose budget has no room for another text."""
    pending: int = tx.execute(
        "SELECT count(*) FROM deliveries WHERE campaign_id = ? AND state = ?", (campaign_id, DeliveryState.PENDING)
    ).fetchone()[0]
    return f"its budget is used up: {pending:,} fans still without a text"
