"""A campaign as a pure state machine.

    draft ─▶ awaiting_approval ─▶ scheduled ─▶ running ⇄ paused ─▶ finished | cancelled | failed

Where every text needs a person's yes, the texts are written first, in *awaiting_approval*; each approval sends what it
covers. Where none does, texts are written and sent as the campaign runs. It is finished when no delivery is open.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

from engine.kernel.errors import CommandRefused, Refusal
from engine.messaging import DeliveryState


class CampaignState(StrEnum):
    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDED = frozenset({CampaignState.FINISHED, CampaignState.CANCELLED, CampaignState.FAILED})
WRITES = frozenset({CampaignState.AWAITING_APPROVAL, CampaignState.SCHEDULED, CampaignState.RUNNING})
"""States in which texts are written. (Scheduled with approvals: the rest is still being written.)"""

_MOVING = {DeliveryState.APPROVED, DeliveryState.QUEUED, DeliveryState.SENDING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign's row."""

    campaign_id: str
    name: str
    account_id: str
    tenant_id: str
    tool: str
    needs_approval: bool
    budget: int | None
    state: CampaignState
    reason: str
    resume_to: str
    starved: bool  # a budget has no room for another text; paused and starved: the engine paused it
    starts_at: int | None
    starved_by: str = ""  # whose budget it waits for by itself, kind:key; empty for its own total, which it does not

    def due(self, now: int) -> bool:
        """Whether its messages may go out by the clock."""
        return self.starts_at is None or self.starts_at <= now


def started(campaign: Campaign, now: int) -> CampaignState:
    """The state that starting brings. Raises CommandRefused(CONFLICT) unless it is a draft."""
    _only(campaign, {CampaignState.DRAFT}, "started")
    if campaign.needs_approval:
        return CampaignState.AWAITING_APPROVAL
    return CampaignState.RUNNING if campaign.due(now) else CampaignState.SCHEDULED


def reschedulable(campaign: Campaign) -> None:
    """Raises CommandRefused(CONFLICT) for one that sends already, is paused, or has ended."""
    before = {CampaignState.DRAFT, CampaignState.AWAITING_APPROVAL, CampaignState.SCHEDULED}
    _only(campaign, before, "scheduled")


def paused(campaign: Campaign) -> CampaignState:
    """Raises CommandRefused(CONFLICT) for one that does not move."""
    _only(campaign, WRITES, "paused")
    return CampaignState.PAUSED


def resumed(campaign: Campaign) -> CampaignState:
    """The state it was paused in. Raises CommandRefused(CONFLICT) for one that is not paused."""
    _only(campaign, {CampaignState.PAUSED}, "resumed")
    return CampaignState(campaign.resume_to or CampaignState.RUNNING)


def cancelled(campaign: Campaign) -> CampaignState:
    """Raises CommandRefused(CONFLICT) for one that has ended."""
    _only(campaign, set(CampaignState) - ENDED, "cancelled")
    return CampaignState.CANCELLED


def progressed(campaign: Campaign, open_states: Set[DeliveryState], now: int) -> CampaignState:
    """The state a campaign under way takes with deliveries open in these states."""
    if campaign.state not in WRITES:
        return campaign.state
    if not open_states:
        return CampaignState.FINISHED
    moving = bool(open_states & _MOVING)
    if campaign.starved and open_states == {DeliveryState.PENDING}:
        return CampaignState.PAUSED
    if campaign.needs_approval and not moving:
        return CampaignState.AWAITING_APPROVAL
    if campaign.state is CampaignState.SCHEDULED or not campaign.due(now):
        return CampaignState.SCHEDULED  # the schedule starts it, and puts its jobs with that
    return CampaignState.RUNNING


def _only(campaign: Campaign, states: Set[CampaignState], verb: str) -> None:
    if campaign.state not in states:
        message = f"campaign {campaign.campaign_id} is {campaign.state} and cannot be {verb}"
        raise CommandRefused(Refusal.CONFLICT, message)
