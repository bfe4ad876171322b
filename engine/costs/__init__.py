"""What AI calls cost: prices, the ledger, its sums, and hard budgets. The sync to DynamoDB is an adapter beside it."""

from engine.costs.breakdown import (
    Breakdown,
    Call,
    CallFilter,
    Calls,
    Dimension,
    Figures,
    Row,
    Stats,
    breakdown,
    calls,
    campaign_costs,
    minutes,
    stats,
)
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
    "Breakdown",
    "Budget",
    "Call",
    "CallFilter",
    "Calls",
    "CostSettings",
    "Dimension",
    "Dimensions",
    "Figures",
    "Ledger",
    "PriceOverride",
    "Priced",
    "Pricer",
    "Row",
    "Scope",
    "Settlement",
    "Stats",
    "SyncSettings",
    "breakdown",
    "calls",
    "campaign_costs",
    "campaign_scope",
    "find_budget",
    "minutes",
    "set_limit",
    "stats",
]
