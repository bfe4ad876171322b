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
from engine.costs.budgets import as_begun, find_budget, get_budget, list_budgets
from engine.costs.history import spend_history
from engine.costs.ledger import (
    INTERRUPTED,
    Attempt,
    Basis,
    Dimensions,
    Ledger,
    Settlement,
)
from engine.costs.pricing import LOCAL, Priced, Pricer
from engine.costs.rules import Action, Budget, BudgetRule, Kind, Origin, Scope, check_rule
from engine.costs.settings import CostSettings, PriceOverride, SyncSettings
from engine.costs.tokens import TokenCounter
from engine.costs.trace import attempts_of
from engine.costs.windows import EVER, Window

__all__ = [
    "EVER",
    "INTERRUPTED",
    "LOCAL",
    "Action",
    "Attempt",
    "Basis",
    "Breakdown",
    "Budget",
    "BudgetRule",
    "Call",
    "CallFilter",
    "Calls",
    "CostSettings",
    "Dimension",
    "Dimensions",
    "Figures",
    "Kind",
    "Ledger",
    "Origin",
    "PriceOverride",
    "Priced",
    "Pricer",
    "Row",
    "Scope",
    "Settlement",
    "Stats",
    "SyncSettings",
    "TokenCounter",
    "Window",
    "as_begun",
    "attempts_of",
    "breakdown",
    "calls",
    "campaign_costs",
    "check_rule",
    "find_budget",
    "get_budget",
    "list_budgets",
    "minutes",
    "spend_history",
    "stats",
]
