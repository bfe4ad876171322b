"""Campaigns: whom they reach, what they write, when they send, and how far they are."""

from engine.campaigns.campaign import CampaignState
from engine.campaigns.dispatch import Dispatch
from engine.campaigns.estimate import Estimator
from engine.campaigns.feeding import Feeding
from engine.campaigns.path import campaign_graph
from engine.campaigns.progress import Progress
from engine.campaigns.resuming import take_up
from engine.campaigns.schedule import run_schedule
from engine.campaigns.writing import QUEUE, Writer

__all__ = [
    "QUEUE",
    "CampaignState",
    "Dispatch",
    "Estimator",
    "Feeding",
    "Progress",
    "Writer",
    "campaign_graph",
    "run_schedule",
    "take_up",
]
