"""At most so many messages an account in any window, counted where they arrive."""

from engine.limiter.settings import AccountLimit, LimiterSettings
from engine.limiter.store import LimitStore
from engine.limiter.window import Admission, Reason, Refusal, Window

__all__ = ["AccountLimit", "Admission", "LimitStore", "LimiterSettings", "Reason", "Refusal", "Window"]
