"""How much goes out: messages of an account, counted where they arrive, and calls of the models.

window.py, store.py, local.py, redis_slots.py            the message windows of the accounts
sliding.py, quota.py, local_quotas.py, redis_quotas.py   the quotas of the models, in layers
plan.py, quotas.py   which windows a call counts in      adaptive.py   slower when throttled
"""

from engine.limiter.adaptive import Pace
from engine.limiter.quota import (
    Bound,
    Claim,
    Grant,
    Layer,
    Measure,
    QuotaReason,
    QuotaRefusal,
    QuotaStore,
    QuotaUse,
)
from engine.limiter.quotas import Quotas, WindowUse
from engine.limiter.settings import AccountLimit, AdaptiveSettings, LimiterSettings, QuotaSettings, Rates
from engine.limiter.sliding import NEVER, Counter
from engine.limiter.store import LimitStore
from engine.limiter.window import Admission, Reason, Refusal, Window

__all__ = [
    "NEVER",
    "AccountLimit",
    "AdaptiveSettings",
    "Admission",
    "Bound",
    "Claim",
    "Counter",
    "Grant",
    "Layer",
    "LimitStore",
    "LimiterSettings",
    "Measure",
    "Pace",
    "QuotaReason",
    "QuotaRefusal",
    "QuotaSettings",
    "QuotaStore",
    "QuotaUse",
    "Quotas",
    "Rates",
    "Reason",
    "Refusal",
    "Window",
    "WindowUse",
]
