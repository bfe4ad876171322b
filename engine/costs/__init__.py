"""What AI calls cost: prices, the ledger, its sums, and hard budgets. The sync to DynamoDB is an adapter beside it."""

from engine.costs.budgets import Budget, Scope, find_budget, set_limit
from engine.costs.ledger import (
    INTERRUPTED,
    Attempt,
    Basis,
    Dimensions,
    Ledger,
    Settlement,
    campaign_scope,
)
from engine.costs.pricing import Priced, Pricer
from engine.costs.settings import CostSettings, PriceOverride, SyncSettings

__all__ = [
    "INTERRUPTED",
    "Attempt",
    "Basis",
    "Budget",
    "CostSettings",
    "Dimensions",
    "Ledger",
    "PriceOverride",
    "Priced",
    "Pricer",
    "Scope",
    "Settlement",
    "SyncSettings",
    "campaign_scope",
    "find_budget",
    "set_limit",
]
