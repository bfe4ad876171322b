"""Where a price comes from, and when there is none."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TimeOfDateConstraint

from engine.costs import CostSettings, PriceOverride, Pricer
from engine.kernel.values import DAY, Instant, from_datetime
from engine.providers.port import Usage
from tests.fakes import MORNING

MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def override(
    day: str = "2026-11-20", *, model: str = "gpt-4o-mini", provider: str = "openai", **changes: str
) -> PriceOverride:
    rates = {"input": "1", "output": "2"} | changes
    return PriceOverride(
        provider=provider,
        model=model,
        from_day=date.fromisoformat(day),
        **{name: Decimal(rate) for name, rate in rates.items()},
    )


def test_an_override_holds_from_its_day_until_the_next() -> None:
    pricer = Pricer(CostSettings(overrides=(override("2026-11-20"), override("2026-11-21", input="3"))))
    midnight = from_datetime(datetime(2026, 11, 20, tzinfo=UTC))

    before = pricer.price("openai", "gpt-4o-mini", MILLION, Instant(midnight - 1))
    first = pricer.price("openai", "gpt-4o-mini", MILLION, midnight)
    second = pricer.price("openai", "gpt-4o-mini", MILLION, Instant(midnight + DAY))

    assert (before.cost, before.source) == (750_000_000, "genai-prices 0.2.3")
    assert (first.cost, first.source, first.price_date) == (3_000_000_000, "override", "2026-11-20")
    assert (second.cost, second.price_date) == (5_000_000_000, "2026-11-21")


def test_kinds_without_a_price_of_their_own_cost_as_what_they_belong_to() -> None:
    pricer = Pricer(CostSettings(overrides=(override(cached="0.25"),)))
    usage = Usage(input_tokens=100, cached_tokens=40, cache_write_tokens=10, output_tokens=20, reasoning_tokens=15)

    assert pricer.price("openai", "gpt-4o-mini", usage, MORNING).cost == 60 * 1_000 + 40 * 250 + 20 * 2_000


def test_the_amount_is_rounded_once_half_to_even() -> None:
    pricer = Pricer(CostSettings(overrides=(override(input="0.0005", output="0.0001"),)))

    def cost(tokens: int, output: int = 0) -> int | None:
        return pricer.price("openai", "gpt-4o-mini", Usage(input_tokens=tokens, output_tokens=output), MORNING).cost

    assert [cost(1), cost(2), cost(3), cost(5)] == [0, 1, 2, 2]  # 0.5, 1.0, 1.5, 2.5 nano-dollars
    assert cost(1, 1) == 1  # 0.6: not two amounts of which each rounds to nothing


def test_a_worst_case_is_rounded_up() -> None:
    pricer = Pricer(CostSettings(overrides=(override(input="0.0005", output="0"),)))

    worst = pricer.worst_case("openai", "gpt-4o-mini", input_tokens=1, max_output_tokens=5, at=MORNING)

    assert worst.cost == 1


def test_an_azure_deployment_is_priced_only_by_its_explicit_model() -> None:
    pricer = Pricer(CostSettings(azure_deployments={"prod-chat": "gpt-4o-mini"}))

    mapped = pricer.price("azure", "prod-chat", MILLION, MORNING)
    unmapped = pricer.price("azure", "gpt-4o-mini", MILLION, MORNING)

    assert mapped.cost == pricer.price("openai", "gpt-4o-mini", MILLION, MORNING).cost
    assert (unmapped.cost, unmapped.source) == (None, "unmapped deployment")


def test_a_second_azure_resource_is_priced_as_azure() -> None:
    pricer = Pricer(CostSettings(azure_deployments={"d": "gpt-4o"}, price_as={"azure-eu": "azure"}))

    assert pricer.price("azure-eu", "d", MILLION, MORNING).cost is not None


def test_a_local_endpoint_is_free_only_when_it_is_said() -> None:
    said = Pricer(CostSettings(local_providers=("ollama",))).price("ollama", "llama3", MILLION, MORNING)
    unsaid = Pricer(CostSettings()).price("ollama", "llama3", MILLION, MORNING)

    assert (said.cost, said.source) == (0, "local")
    assert unsaid.cost is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "a-model-of-next-year"),
        ("my-openai-gateway", "gpt-4o"),  # the table itself would take this name for OpenAI
        ("gemini", "gemma-3"),  # a row of the table without any price
        ("openai", "whisper-1"),  # priced by the hour, not by the token
        ("openai", "text-embedding-3-small"),  # output has no price
    ],
)
def test_what_has_no_price_is_unpriced_never_zero(provider: str, model: str) -> None:
    pricer = Pricer(CostSettings())

    assert pricer.price(provider, model, MILLION, MORNING).cost is None
    assert pricer.worst_case(provider, model, input_tokens=1, max_output_tokens=1, at=MORNING).cost is None


def test_the_calls_moment_decides_not_todays() -> None:
    pricer = Pricer(CostSettings())

    dear = pricer.price("openai", "o3", MILLION, from_datetime(datetime(2025, 6, 9, tzinfo=UTC)))
    cheap = pricer.price("openai", "o3", MILLION, from_datetime(datetime(2025, 6, 10, tzinfo=UTC)))

    assert dear.cost is not None
    assert cheap.cost is not None
    assert dear.cost > cheap.cost
    assert cheap.price_date == "2025-06-10"


def test_figures_that_contradict_each_other_are_still_charged() -> None:
    usage = Usage(input_tokens=10, cached_tokens=20, output_tokens=5, reasoning_tokens=9)

    assert Pricer(CostSettings(overrides=(override(),))).price("openai", "gpt-4o-mini", usage, MORNING).cost == 38_000


def test_the_installed_table_has_a_known_date() -> None:
    assert Pricer(CostSettings()).table_date != "unknown"


def test_the_table_changes_prices_at_whole_minutes_only() -> None:
    """A price is resolved once a minute: a rule that begins within one would be applied late."""
    rules = (
        conditional.constraint
        for provider in get_snapshot().providers
        for model in provider.models
        if not isinstance(model.prices, ModelPrice)
        for conditional in model.prices
    )
    times = [t for rule in rules if isinstance(rule, TimeOfDateConstraint) for t in (rule.start_time, rule.end_time)]

    assert times
    assert all(time.second == time.microsecond == 0 for time in times)


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity", "1000001"])
def test_an_amount_that_is_no_price_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="not a price"):
        override(input=amount)
