"""Follows each campaign and its workflow from its deliveries: what sending asks of campaigns and tells them."""

from __future__ import annotations

from engine.campaigns import store, workflow_store
from engine.campaigns.campaign import ENDED, Campaign, CampaignState, progressed
from engine.campaigns.workflow import Graph
from engine.campaigns.workflow_store import Workflow
from engine.messaging import DeliveryState, Ruling, Verdict
from engine.storage import Tx

_ENGINE = "engine"


class Progress:
    """See messaging.Campaigns. `graph` is what campaigns begun from now on will follow."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def workflow(self, tx: Tx, campaign: Campaign, now: int) -> Workflow:
        """The workflow that says where the campaign's deliveries go next, and how often each may be tried."""
        return workflow_store.of_campaign(tx, campaign, self.graph, now)

    def moved(self, tx: Tx, campaign_id: str, now: int) -> None:
        """The campaign, or deliveries of it, took another state: its workflow goes along."""
        workflow_store.sync(tx, store.get(tx, campaign_id), self.graph, now)

    def tried(self, tx: Tx, campaign: Campaign, step: str, cause: str, now: int) -> None:
        """A delivery's try at a step failed and will be repeated."""
        workflow_store.tried(tx, campaign, self.graph, step, cause, now)

    def ruling(self, tx: Tx, campaign_id: str) -> Ruling:
        campaign = store.get(tx, campaign_id)
        if campaign.state is CampaignState.RUNNING:
            return Ruling(Verdict.GO)
        if campaign.state in ENDED:
            return Ruling(Verdict.SKIP, f"the campaign is {campaign.state}")
        return Ruling(Verdict.WAIT, f"the campaign is {campaign.state}")

    def progressed(self, tx: Tx, campaign_id: str, now: int) -> None:
        """Give the campaign the state that its open deliveries call for, if that is another."""
        self._follow(tx, campaign_id, now)
        self.moved(tx, campaign_id, now)

    def _follow(self, tx: Tx, campaign_id: str, now: int) -> None:
        campaign = store.get(tx, campaign_id)
        open_now = store.open_states(tx, campaign_id)
        after = progressed(campaign, open_now, now)
        if after is campaign.state:
            return
        if after is CampaignState.PAUSED:
            resume_to = CampaignState.AWAITING_APPROVAL if campaign.needs_approval else CampaignState.RUNNING
            reason = starved_reason(tx, campaign)
            store.move(tx, campaign, after, now=now, actor=_ENGINE, reason=reason, resume_to=resume_to)
        else:
            store.move(tx, campaign, after, now=now, actor=_ENGINE)


def starved_reason(tx: Tx, campaign: Campaign) -> str:
    """What an operator reads of a campaign when a budget has no room for another of its texts."""
    pending: int = tx.execute(
        "SELECT count(*) FROM deliveries WHERE campaign_id = ? AND state = ?",
        (campaign.campaign_id, DeliveryState.PENDING),
    ).fetchone()[0]
    left = f"{pending:,} fans still without a text"
    if not campaign.starved_by:
        return f"its budget is used up: {left}"
    kind, _, key = campaign.starved_by.partition(":")
    whose = f"the budget of {kind} {key}" if key else f"the {kind} budget"
    if kind == "campaign":
        whose = "its budget"
    return f"{whose} is used up: {left}; it goes on when that begins anew or is raised"
