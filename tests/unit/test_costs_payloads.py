"""What an answer costs, from the provider's own payload to nano-dollars: exactly its published price."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from engine.costs import CostSettings, PriceOverride, Pricer
from engine.kernel.usage import Tier, Usage
from engine.kernel.values import from_datetime
from engine.providers import ENDPOINTS, Chunk, Completion, Message, ModelRequest, Role, chat, claude
from tests.fakes import MORNING
from tests.usage_payloads import AZURE_DEPLOYMENTS, FOLDER, cases, lines

FILES = sorted(FOLDER.glob("*.jsonl"))
REQUEST = ModelRequest(messages=(Message(Role.USER, "hi"),), max_output_tokens=50)


@functools.cache
def pricer() -> Pricer:
    return Pricer(CostSettings(azure_deployments=AZURE_DEPLOYMENTS))


def recorded(name: str) -> Iterator[dict[str, Any]]:
    for line in (FOLDER / f"{name}.jsonl").read_text().splitlines():
        yield json.loads(line)


def usage_of(case: Mapping[str, Any]) -> Usage | None:
    payload = case["payload"]
    if case["provider"] == "anthropic":
        return claude.read_usage(payload["usage"])
    return chat.read_usage(payload["usage"], ENDPOINTS[case["provider"]].quirks, payload.get("service_tier"))


def cost_of(case: Mapping[str, Any], usage: Usage | None) -> int | None:
    assert usage is not None, case
    at = from_datetime(datetime.fromisoformat(case["at"]))
    return pricer().price(case["provider"], case["model"], usage, at).cost


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_every_recorded_answer_costs_its_published_price(name: str) -> None:
    wrong = [
        (case["model"], case["payload"]["usage"], case["nano_usd"], cost)
        for case in recorded(name)
        if (cost := cost_of(case, usage_of(case))) != case["nano_usd"]
    ]

    assert wrong == []


def test_the_recorded_answers_are_many_and_of_every_kind() -> None:
    found = [case for path in FILES for case in recorded(path.stem)]
    usages = [usage for case in found if (usage := usage_of(case))]

    assert len(usages) == len(found) >= 200
    assert {case["provider"] for case in found} >= {"openai", "azure", "anthropic", "deepseek", "xai", "gemini"}
    for kind in ("cached_tokens", "cache_write_tokens", "hour_write_tokens", "reasoning_tokens"):
        assert sum(getattr(usage, kind) > 0 for usage in usages) >= 10, kind
    assert sum(usage.tier is Tier.BATCH for usage in usages) >= 15


def test_the_files_hold_what_the_published_prices_give() -> None:
    """`python -m tests.usage_payloads` writes them anew."""
    assert {path.stem: path.read_text() for path in FILES} == {name: lines(found) for name, found in cases().items()}


@pytest.mark.parametrize("name", [path.stem for path in FILES if path.stem != "embeddings"])
def test_a_stream_costs_what_the_whole_answer_costs(name: str) -> None:
    for case in recorded(name):
        whole, streamed = read_whole(case), read_streamed(case)

        assert whole.usage == streamed.usage
        assert cost_of(case, streamed.usage) == case["nano_usd"]


def read_whole(case: Mapping[str, Any]) -> Completion:
    if case["provider"] == "anthropic":
        read = claude.read_completion(case["payload"], case["model"], REQUEST)
    else:
        read = chat.read_completion(case["payload"], case["model"], REQUEST, ENDPOINTS[case["provider"]].quirks)
    assert isinstance(read, Completion), case
    return read


def read_streamed(case: Mapping[str, Any]) -> Chunk:
    """The same answer as its provider streams it."""
    payload = case["payload"]
    if case["provider"] == "anthropic":
        reader: claude.ClaudeStream | chat.ChatStream = claude.ClaudeStream(REQUEST)
        events = claude_events(payload)
    else:
        reader = chat.ChatStream(REQUEST, ENDPOINTS[case["provider"]].quirks)
        events = chat_events(payload)
    for event in events:
        assert isinstance(reader.feed(event), str)
    last = reader.end()
    assert isinstance(last, Chunk), case
    return last


def claude_events(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The start tells the input and one token of output; the delta the output, and the input again."""
    usage = payload["usage"]
    start = {**payload, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    start["usage"].pop("output_tokens_details", None)
    plain = {key: value for key, value in usage.items() if key not in ("cache_creation", "service_tier")}
    return [
        {"type": "message_start", "message": start},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi!"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": plain},
        {"type": "message_stop"},
    ]


def chat_events(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The usage comes in an event of its own, without choices; the tier stands in every event."""
    head = {key: payload[key] for key in ("id", "created", "model", "service_tier") if key in payload}
    said = {"index": 0, "delta": {"role": "assistant", "content": "Hello!"}, "finish_reason": None}
    return [
        {**head, "choices": [said], "usage": None},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
        {**head, "choices": [], "usage": payload["usage"]},
    ]


def test_the_priority_tier_has_no_price_unless_an_override_says_one() -> None:
    usage = Usage(input_tokens=1_000, output_tokens=100, tier=Tier.PRIORITY)
    override = PriceOverride(
        provider="openai",
        model="gpt-5",
        from_day=datetime(2025, 1, 1).date(),  # noqa: DTZ001 - a day
        input=Decimal("2.50"),
        output=Decimal("20"),
    )

    unpriced = pricer().price("openai", "gpt-5", usage, MORNING)
    said = Pricer(CostSettings(overrides=(override,))).price("openai", "gpt-5", usage, MORNING)

    assert unpriced.cost is None
    assert "priority" in unpriced.source
    assert said.cost == 1_000 * 2_500 + 100 * 20_000


@pytest.mark.parametrize(
    ("endpoint", "tier", "expected"),
    [
        ("openai", "priority", Tier.PRIORITY),
        ("openai", "flex", Tier.BATCH),
        ("openai", "default", Tier.STANDARD),
        ("openai", None, Tier.STANDARD),
        ("openai", {"odd": 1}, Tier.STANDARD),
        ("azure", "priority", Tier.PRIORITY),
        ("compatible", "flex", Tier.STANDARD),  # nobody knows what a gateway of one's own means by it
    ],
)
def test_a_tier_counts_only_where_its_provider_publishes_a_price(endpoint: str, tier: object, expected: Tier) -> None:
    usage = chat.read_usage({"prompt_tokens": 5, "completion_tokens": 2}, ENDPOINTS[endpoint].quirks, tier)

    assert usage is not None
    assert usage.tier is expected


def test_a_batch_costs_exactly_half_rounded_once() -> None:
    override = PriceOverride(
        provider="p",
        model="m",
        from_day=datetime(2025, 1, 1).date(),  # noqa: DTZ001 - a day
        input=Decimal("0.001"),
        output=Decimal("0.001"),
    )
    halves = Pricer(CostSettings(overrides=(override,)))

    costs = [
        halves.price("p", "m", Usage(input_tokens=tokens, output_tokens=0, tier=Tier.BATCH), MORNING).cost
        for tokens in (1, 2, 3, 5)
    ]

    assert costs == [0, 1, 2, 2]  # 0.5, 1, 1.5, 2.5 nano-dollars, half to even


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 5, "output_tokens": 2, "cache_creation": {"ephemeral_1h_input_tokens": 1}},
        {
            "input_tokens": 5,
            "output_tokens": 2,
            "cache_creation_input_tokens": 3,
            "cache_creation": {"ephemeral_1h_input_tokens": -1},
        },
    ],
)
def test_writes_that_outlive_what_was_written_are_not_believed(usage: dict[str, Any]) -> None:
    assert claude.read_usage(usage) is None
