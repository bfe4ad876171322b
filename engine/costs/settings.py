"""What the costs need to know: thresholds, the calendar, and where prices come from beyond the bundled table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from engine.costs.rules import BudgetRule
from engine.kernel.values import DAY, MINUTE, NANOS_PER_USD, SECOND, NanoUSD

HOLD_LEASE = 15 * MINUTE
LEAST_OUTPUT = 50  # tokens

_FIFTY_USD = NanoUSD(50 * NANOS_PER_USD)
_THOUSAND_USD = NanoUSD(1_000 * NANOS_PER_USD)
_DEAREST = Decimal(1_000_000)  # dollars per million tokens; above it a price is a typing mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverride:
    """A price of the operator's own: dollars per million tokens, from a day (UTC) until the next override's day.

    It wins over the bundled table. For Azure, `model` is the deployment or the model it maps to. Raises ValueError for
    an amount that is no price.
    """

    provider: str
    model: str
    from_day: date
    input: Decimal
    output: Decimal
    cached: Decimal | None = None  # input read from the provider's cache; None: as `input`
    cache_write: Decimal | None = None  # input written to it; None: as `input`
    cache_write_hour: Decimal | None = None  # input written to it for an hour; None: as `cache_write`
    reasoning: Decimal | None = None  # None: as `output`

    def __post_init__(self) -> None:
        if not self.provider or not self.model:
            raise ValueError("a price needs a provider and a model")
        for name in ("input", "output", "cached", "cache_write", "cache_write_hour", "reasoning"):
            amount: Decimal | None = getattr(self, name)
            if amount is not None and not (amount.is_finite() and 0 <= amount <= _DEAREST):
                raise ValueError(f"{name} is not a price in dollars per million tokens: {amount}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSettings:
    """The `[costs]` section."""

    time_zone: str = "UTC"
    # Cuts days and months for people. Sums are kept by UTC minute, so a change needs no recalculation.
    day_threshold: NanoUSD = _FIFTY_USD
    # Nano-dollars; an alert, not a limit. Enough for some 100,000 short messages by a small model.
    month_threshold: NanoUSD = _THOUSAND_USD
    # Nano-dollars; an alert, not a limit. Less than a month of days at their threshold, to catch a slow leak.
    overrides: tuple[PriceOverride, ...] = ()
    # Prices of contracts, or of models that the bundled table does not know yet.
    azure_deployments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # Deployment name -> model name. A deployment's name says nothing about its price: unmapped ones are unpriced.
    price_as: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # Configured provider name -> a provider whose prices apply, such as {"azure-eu": "azure"}.
    local_providers: tuple[str, ...] = ()
    # Providers whose calls cost nothing, such as an Ollama of one's own. Empty, because free must be said.
    hold_lease: int = HOLD_LEASE
    # Nanoseconds. An attempt still open after that was lost; it is charged at its worst. Far above any call's time-out.
    budgets: tuple[BudgetRule, ...] = ()
    # Hard limits. What a command set, changed or took away stays so, whatever stands here.
    ladder: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # `provider/model` -> the cheaper one that does its work where a budget asks for that. Empty: only you know which
    # model is good enough.
    least_output_tokens: int = LEAST_OUTPUT
    # A budget never makes an answer shorter than that: fewer words are a wasted call.
    count_tokens: bool = True
    # Count input with OpenAI's own tokenizer. Off: a token a byte, four times as much held, and 40 MB less memory.


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """The ledger's copy in DynamoDB."""

    table: str = "huntaze-ai-costs-production"
    # Key `id` (HASH) and `timestamp` (RANGE), both strings; TTL on the attribute `ttl`.
    behind_after: int = 2 * MINUTE
    # Nanoseconds an entry may wait before the sync calls itself behind: a pass takes less than a second.
    idle_wait: int = SECOND
    # Nanoseconds between two looks at an empty outbox.
    parallel: int = 4
    # Batches of 25 in flight: some 1,000 rows a second to a table 40 ms away, so a day's outage is caught up quickly.
    timeout: int = 20 * SECOND
    # Nanoseconds for one request, its answer included.
    keep: int = 30 * DAY
    # Nanoseconds until an entry expires there; the ledger here keeps it.
