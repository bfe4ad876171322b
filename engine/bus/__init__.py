"""The in-process bus: committed events, to whoever listens."""

from engine.bus.bus import Bus, Subscription

__all__ = ["Bus", "Subscription"]
