"""Campaigns: whom they reach, what they write, when they send, and how far they are."""

from engine.campaigns.campaign import CampaignState
from engine.campaigns.dispatch import Dispatch
from engine.campaigns.estimate import Estimator
from engine.campaigns.progress import Progress
from engine.campaigns.schedule import run_schedule
from engine.campaigns.writing import QUEUE, Writer

__all__ = ["QUEUE", "CampaignState", "Dispatch", "Estimator", "Progress", "Writer", "run_schedule"]
