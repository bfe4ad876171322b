"""Messages to fans: their ledger, the platform, and sending. Platform adapters stay off the face."""

from engine.messaging.consent import FanBook
from engine.messaging.deliveries import Delivery
from engine.messaging.delivery import BEFORE_SENDING, OPEN, DeliveryState, digest_of, may_move
from engine.messaging.platform import Fan, Outgoing, Platform
from engine.messaging.recheck import Campaigns, Ruling, Screen, Verdict
from engine.messaging.sender import QUEUE, Holds, Sender, SlotSource, recover, send_job
from engine.messaging.settings import PlatformSettings, SendingSettings

__all__ = [
    "BEFORE_SENDING",
    "OPEN",
    "QUEUE",
    "Campaigns",
    "Delivery",
    "DeliveryState",
    "Fan",
    "FanBook",
    "Holds",
    "Outgoing",
    "Platform",
    "PlatformSettings",
    "Ruling",
    "Screen",
    "Sender",
    "SendingSettings",
    "SlotSource",
    "Verdict",
    "digest_of",
    "may_move",
    "recover",
    "send_job",
]
