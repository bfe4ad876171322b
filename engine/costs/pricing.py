"""Prices: from tokens to nano-dollars, exactly, at the price of the call's own moment.

The base is the bundled table of `genai-prices`; in front of it stand the operator's overrides and the providers
declared free. A price is resolved once for a model and a minute into a `Card` of integers, so that pricing a call is a
few multiplications; the result equals the exact decimal computation, rounded once, half to even. What has no price is
None, never zero. What a provider served as a batch costs half of everything, as all that offer batches publish it; the
priority tier has no rates in the table, so it is unpriced unless an override says them. Left out: images, audio and
searches, none of which the engine asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.costs.settings import CostSettings, PriceOverride
from engine.kernel.usage import Tier
from engine.kernel.values import DAY, MINUTE, Instant, NanoUSD, to_datetime
from engine.providers.port import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

LOCAL = "local"
OVERRIDE = "override"
NO_PRICE = "no price known"
NO_PRIORITY = "no price known for the priority tier"
UNMAPPED = "unmapped deployment"

_TABLE_NAMES: Mapping[str, str] = MappingProxyType({"xai": "x-ai", "gemini": "google"})  # where the table's differ
_AZURE = "azure"

# The table carries no date of its own: the newest day that a release's own texts speak of as past.
_TABLE_DATES: Mapping[str, str] = MappingProxyType({"0.2.3": "2026-11-10"})

_PER_TOKEN = 1_000  # nano-dollars a token, of one dollar per million tokens
_PER_CALL = 1_000_000  # nano-dollars a call, of one dollar per thousand calls
_CARDS_KEPT = 8_192


@dataclass(frozen=True, slots=True)
class Priced:
    """An amount and where its price comes from. `cost` is nano-dollars, None where no price is known.

    `price_date` is the day the price took effect where that is known, else that of the table; empty for what is free.
    """

    cost: NanoUSD | None
    source: str
    price_date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Rates for calls with more than `above` input tokens, in units of 1/scale nano-dollar (a token, or a call)."""

    above: int
    call: int
    fresh: int  # input that is neither read from a cache nor written to one
    cached: int
    cache_write: int
    hour_write: int  # written to a cache that keeps it for an hour
    output: int  # that is not reasoning
    reasoning: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A model's prices at one moment, as integers. Brackets ascend; crossing one moves the whole call into it."""

    source: str
    price_date: str
    scale: int
    brackets: tuple[Bracket, ...]
    prices_input: bool = True
    prices_output: bool = True

    def cost(self, usage: Usage) -> NanoUSD | None:
        """The exact amount, rounded once. None when tokens of a kind without a price were used.

        Figures that contradict each other (more cached than input tokens) are charged as they stand: a call that was
        made must be booked.
        """
        if not self._covers(usage.input_tokens, usage.output_tokens):
            return None
        bracket = self._bracket(usage.input_tokens)
        units = (
            bracket.call
            + bracket.fresh * max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
            + bracket.cached * usage.cached_tokens
            + bracket.cache_write * (usage.cache_write_tokens - usage.hour_write_tokens)
            + bracket.hour_write * usage.hour_write_tokens
            + bracket.output * max(0, usage.output_tokens - usage.reasoning_tokens)
            + bracket.reasoning * usage.reasoning_tokens
        )
        return NanoUSD(_half_even(units, self.scale * (2 if usage.tier is Tier.BATCH else 1)))

    def worst(self, input_tokens: int, output_tokens: int) -> NanoUSD | None:
        """The most that a call of at most so many tokens can cost, rounded up: dearest kind, dearest bracket."""
        if not self._covers(input_tokens, output_tokens):
            return None
        units = max(
            bracket.call
            + max(bracket.fresh, bracket.cached, bracket.cache_write, bracket.hour_write) * input_tokens
            + max(bracket.output, bracket.reasoning) * output_tokens
            for bracket in self.brackets
            if bracket.above < input_tokens or bracket.above < 0
        )
        return NanoUSD(-(-units // self.scale))

    def _covers(self, input_tokens: int, output_tokens: int) -> bool:
        return (self.prices_input or not input_tokens) and (self.prices_output or not output_tokens)

    def _bracket(self, input_tokens: int) -> Bracket:
        found = self.brackets[0]
        for bracket in self.brackets[1:]:
            if input_tokens > bracket.above:
                found = bracket
        return found


class Pricer:
    """Prices calls. Making one imports and loads the bundled table (about 0.2 s): do it in a thread."""

    def __init__(self, settings: CostSettings) -> None:
        from genai_prices import data_snapshot  # it brings an HTTP client along, for which no face should wait

        self._settings = settings
        self._table = data_snapshot.get_snapshot()
        self._release = version("genai-prices")
        self._known = {provider.id for provider in self._table.providers}
        self._overrides = _by_model(settings.overrides)
        self._cards: dict[tuple[str, str, int], Card | str] = {}

    @property
    def table_date(self) -> str:
        """How old the bundled table is; `unknown` for a release this version was not made with."""
        return _TABLE_DATES.get(self._release, "unknown")

    def price(self, provider: str, model: str, usage: Usage, at: Instant) -> Priced:
        """What a call that began at `at` costs."""
        card = self.card(provider, model, at)
        if isinstance(card, str):
            return Priced(None, card, "")
        if usage.tier is Tier.PRIORITY and card.source not in (OVERRIDE, LOCAL):
            return Priced(None, NO_PRIORITY, "")
        return Priced(card.cost(usage), card.source, card.price_date)

    def worst_case(
        self, provider: str, model: str, *, input_tokens: int, max_output_tokens: int, at: Instant
    ) -> Priced:
        """The most that a call beginning at `at` can cost: rounded up, no cache discount, the dearest tier in reach."""
        card = self.card(provider, model, at)
        if isinstance(card, str):
            return Priced(None, card, "")
        return Priced(card.worst(input_tokens, max_output_tokens), card.source, card.price_date)

    def card(self, provider: str, model: str, at: Instant) -> Card | str:
        """The prices that hold at `at`, or the reason why there are none. Resolved once a minute."""
        key = (provider, model, at // MINUTE)
        card = self._cards.get(key)
        if card is None:
            if len(self._cards) >= _CARDS_KEPT:
                self._cards.clear()
            card = self._cards[key] = self._resolve(provider, model, Instant(at - at % MINUTE))
        return card

    def _resolve(self, provider: str, model: str, at: Instant) -> Card | str:
        if override := self._override(provider, model, at):
            return _card_of_override(override)
        if provider in self._settings.local_providers:
            return _free_card()
        priced_as = self._settings.price_as.get(provider, provider)
        if priced_as == _AZURE:
            mapped = self._settings.azure_deployments.get(model)
            if mapped is None:
                return UNMAPPED
            if override := self._override(provider, mapped, at):
                return _card_of_override(override)
            model = mapped
        return self._from_table(_TABLE_NAMES.get(priced_as, priced_as), model, to_datetime(at))

    def _override(self, provider: str, model: str, at: Instant) -> PriceOverride | None:
        """The newest override that is in force."""
        for override in self._overrides.get((provider, model), ()):
            if _start_of(override) <= at:
                return override
        return None

    def _from_table(self, provider: str, model: str, at: datetime) -> Card | str:
        if provider not in self._known:  # the table would also match a name that merely contains a known one
            return NO_PRICE
        try:
            _, found = self._table.find_provider_model(model, None, provider, None)
        except LookupError:
            return NO_PRICE
        prices = found.get_prices(at)
        date = _effective_date(found, prices) or self.table_date
        return _card_of_table(prices, f"genai-prices {self._release}", date) or NO_PRICE


def _by_model(overrides: Iterable[PriceOverride]) -> dict[tuple[str, str], tuple[PriceOverride, ...]]:
    """Overrides by provider and model, newest first."""
    found: dict[tuple[str, str], tuple[PriceOverride, ...]] = {}
    for override in sorted(overrides, key=lambda override: override.from_day, reverse=True):
        key = (override.provider, override.model)
        found[key] = (*found.get(key, ()), override)
    return found


def _start_of(override: PriceOverride) -> int:
    return (override.from_day.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()) * DAY


def _card_of_override(override: PriceOverride) -> Card:
    written = override.input if override.cache_write is None else override.cache_write
    rates = {
        "fresh": override.input,
        "cached": override.input if override.cached is None else override.cached,
        "cache_write": written,
        "hour_write": written if override.cache_write_hour is None else override.cache_write_hour,
        "output": override.output,
        "reasoning": override.output if override.reasoning is None else override.reasoning,
    }
    return _card(OVERRIDE, override.from_day.isoformat(), {-1: rates}, Decimal(0))


def _free_card() -> Card:
    free = dict.fromkeys(("fresh", "cached", "cache_write", "hour_write", "output", "reasoning"), Decimal(0))
    return _card(LOCAL, "", {-1: free}, Decimal(0))


def _card_of_table(prices: ModelPrice, source: str, date: str) -> Card | None:
    """The card of a row of the table; None where it prices neither input nor output tokens.

    A kind of token without a price of its own is charged as the kind it belongs to.
    """
    from genai_prices.types import TieredPrices

    if prices.input_mtok is None and prices.output_mtok is None:
        return None
    written = prices.input_mtok if prices.cache_write_mtok is None else prices.cache_write_mtok
    kinds = {
        "fresh": prices.input_mtok,
        "cached": prices.input_mtok if prices.cache_read_mtok is None else prices.cache_read_mtok,
        "cache_write": written,
        "hour_write": written if prices.cache_write_1h_mtok is None else prices.cache_write_1h_mtok,
        "output": prices.output_mtok,
        "reasoning": prices.output_mtok if prices.output_reasoning_mtok is None else prices.output_reasoning_mtok,
    }
    starts = {tier.start for price in kinds.values() if isinstance(price, TieredPrices) for tier in price.tiers}
    rates = {start: {kind: _rate(price, start) for kind, price in kinds.items()} for start in (-1, *sorted(starts))}
    covered = prices.input_mtok is not None, prices.output_mtok is not None
    return _card(source, date, rates, _rate(prices.requests_kcount, -1), covered)


def _rate(price: Decimal | TieredPrices | None, above: int) -> Decimal:
    """The rate for calls with a little more than `above` input tokens; -1: for the smallest."""
    from genai_prices.types import TieredPrices

    if not isinstance(price, TieredPrices):
        return price or Decimal(0)
    reached = [tier.price for tier in price.tiers if tier.start <= above]
    return reached[-1] if reached else price.base


def _card(
    source: str,
    date: str,
    rates: Mapping[int, Mapping[str, Decimal]],
    call: Decimal,
    covered: tuple[bool, bool] = (True, True),
) -> Card:
    """A card of dollar rates, brought to the smallest power of ten that makes them whole."""
    nanos = {start: {kind: rate * _PER_TOKEN for kind, rate in kinds.items()} for start, kinds in rates.items()}
    call *= _PER_CALL
    amounts = [call, *(rate for kinds in nanos.values() for rate in kinds.values())]
    scale = 10 ** max(0, *(-int(amount.as_tuple().exponent) for amount in amounts))
    brackets = tuple(
        Bracket(above=start, call=int(call * scale), **{kind: int(rate * scale) for kind, rate in kinds.items()})
        for start, kinds in nanos.items()
    )
    return Card(
        source=source,
        price_date=date,
        scale=scale,
        brackets=brackets,
        prices_input=covered[0],
        prices_output=covered[1],
    )


def _effective_date(model: ModelInfo, prices: ModelPrice) -> str:
    """The day the chosen prices of a model took effect; empty where the table does not say."""
    from genai_prices.types import ModelPrice, StartDateConstraint

    if isinstance(model.prices, ModelPrice):
        return ""
    for conditional in model.prices:
        if conditional.prices is prices and isinstance(conditional.constraint, StartDateConstraint):
            return conditional.constraint.start_date.isoformat()
    return ""


def _half_even(units: int, scale: int) -> int:
    whole, rest = divmod(units, scale)
    doubled = 2 * rest
    return whole + (doubled > scale or (doubled == scale and whole % 2 == 1))
