"""What is asked before sending goes on or stops, wherever it is asked: how many messages, and until when. Pure."""

from __future__ import annotations

from engine.surface.snapshot import CampaignView
from screens.facts import finishes_at
from screens.formatting import clean, moment_there, plural
from screens.view import View


def resume_question(campaign: CampaignView, view: View) -> str:
    """Resume spring-ppv? 588 messages wait, until 15:31."""
    until = moment_there(finishes_at(campaign, view), view.now, view.zone)
    return f"Resume {clean(campaign.name)}? {plural(campaign.open, 'message')} wait, until {until}."


def pause_question(campaign: CampaignView) -> str:
    return f"Pause {clean(campaign.name)} again? {plural(campaign.open, 'message')} would wait."


def resume_all_question(view: View) -> str:
    return f"Resume all sending? {_waiting(view)} of running campaigns wait."


def halt_question(view: View) -> str:
    return f"Stop all sending again? {_waiting(view)} of running campaigns would wait."


def _waiting(view: View) -> str:
    campaigns = view.snapshot.campaigns.values()
    return plural(sum(campaign.open for campaign in campaigns if campaign.state == "running"), "message")
