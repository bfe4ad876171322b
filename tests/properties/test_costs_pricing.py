"""A price equals the exact decimal computation of the bundled table, rounded once; a worst case is never too small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from genai_prices import Usage as TableUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TieredPrices
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.costs import CostSettings, Pricer
from engine.kernel.values import from_datetime
from engine.providers.port import Usage

PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "deepseek": "deepseek", "xai": "x-ai", "gemini": "google"}
PRICER = Pricer(CostSettings())


def _models() -> list[tuple[str, str]]:
    """Every model of the known providers that its own name finds, and that is priced by both kinds of token."""
    found = []
    for name, table_name in PROVIDERS.items():
        provider = next(item for item in get_snapshot().providers if item.id == table_name)
        for model in provider.models:
            prices = model.prices if isinstance(model.prices, ModelPrice) else model.prices[0].prices
            if (
                provider.find_model(model.id) is model
                and prices.input_mtok is not None
                and prices.output_mtok is not None
            ):
                found.append((name, model.id))
    return found


MODELS = _models()
TIERS = sorted(
    {
        tier.start
        for provider in get_snapshot().providers
        for model in provider.models
        for prices in ([model.prices] if isinstance(model.prices, ModelPrice) else [c.prices for c in model.prices])
        for price in vars(prices).values()
        if isinstance(price, TieredPrices)
        for tier in price.tiers
    }
)
counts = st.integers(0, 2_000_000) | st.sampled_from(TIERS).flatmap(lambda start: st.integers(start - 1, start + 1))
moments = st.integers(0, 3 * 365 * 24 * 60 * 60).map(lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    total, output = draw(counts), draw(st.integers(0, 200_000))
    cached = draw(st.integers(0, total))
    written = draw(st.integers(0, total - cached))
    return Usage(
        input_tokens=total,
        cached_tokens=cached,
        cache_write_tokens=written,
        hour_write_tokens=draw(st.integers(0, written)),
        output_tokens=output,
        reasoning_tokens=draw(st.integers(0, output)),
    )


def _exact(provider: str, model: str, usage: Usage, at: datetime) -> int:
    """Nano-dollars as the table's own decimal arithmetic gives them."""
    asked = TableUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.hour_write_tokens,
        output_tokens=usage.output_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    price = calc_price(asked, model, provider_id=PROVIDERS[provider], genai_request_timestamp=at).total_price
    return int((price * Decimal(1_000_000_000)).to_integral_value(ROUND_HALF_EVEN))


def test_the_table_offers_enough_models_to_mean_something() -> None:
    assert len(MODELS) > 150
    assert len({provider for provider, _ in MODELS}) == len(PROVIDERS)


@settings(max_examples=600, deadline=None)
@given(which=st.sampled_from(MODELS), usage=usages(), at=moments)
def test_a_price_equals_the_exact_decimal_computation(which: tuple[str, str], usage: Usage, at: datetime) -> None:
    priced = PRICER.price(*which, usage, from_datetime(at))

    assert priced.cost == _exact(*which, usage, at)


def test_every_model_is_priced_exactly_on_both_sides_of_every_tier() -> None:
    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    for provider, model in MODELS:
        for tokens in (0, 1, *(start + step for start in TIERS for step in (0, 1))):
            usage = Usage(input_tokens=tokens, cached_tokens=tokens // 3, output_tokens=777, reasoning_tokens=111)

            assert PRICER.price(provider, model, usage, from_datetime(at)).cost == _exact(provider, model, usage, at)


@settings(max_examples=300, deadline=None)
@given(which=st.sampled_from(MODELS), usage=usages(), at=moments, spare=st.tuples(counts, st.integers(0, 10_000)))
def test_no_call_within_its_bounds_costs_more_than_its_worst_case(
    which: tuple[str, str], usage: Usage, at: datetime, spare: tuple[int, int]
) -> None:
    worst = PRICER.worst_case(
        *which,
        input_tokens=usage.input_tokens + spare[0],
        max_output_tokens=usage.output_tokens + spare[1],
        at=from_datetime(at),
    )

    cost = PRICER.price(*which, usage, from_datetime(at)).cost

    assert worst.cost is not None
    assert cost is not None
    assert cost <= worst.cost
