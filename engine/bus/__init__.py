"""The in-process bus: committed events, to whoever listens; and by MQTT to whoever listens elsewhere."""

from engine.bus.bus import Bus, Subscription
from engine.bus.outbox import Batch, Gap, Outbox
from engine.bus.published import PUBLISHED, WITHHELD, payload_of

__all__ = ["PUBLISHED", "WITHHELD", "Batch", "Bus", "Gap", "Outbox", "Subscription", "payload_of"]
