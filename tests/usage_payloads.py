"""Answers as providers bill them, and what they cost by the published prices: worked out here without the engine.

Each case begins with the quantities on the bill (fresh input, read from a cache, written to one, output), is priced by
the table below, and is then put into the provider's own format. The engine goes the other way round, so the two can
agree only if both read the format as it is meant. `python -m tests.usage_payloads` writes the files.

Sources of the prices, in dollars per million tokens:
- OpenAI, "Pricing" (platform.openai.com/docs/pricing), with the announcements of GPT-4o mini (2024-07-18), of prompt
  caching (2024-10-01), o3-mini (2025-01-31), GPT-4.1 (2025-04-14), o4-mini (2025-04-16), the new price of o3
  (2025-06-10) and GPT-5 (2025-08-07). Batch and flex: half of each rate, the same page.
- Azure: "Azure OpenAI Service pricing" (azure.microsoft.com), Global deployments, 2025-10: the rates of OpenAI.
  Global Batch: half.
- Anthropic, "Pricing" (docs.claude.com), 2025-11-24: writing to the cache costs 1.25 times the input for five minutes
  and 2 times for an hour, reading from it 0.1 times; the long context of Sonnet 4.5 beyond 200,000 tokens of input;
  batches cost half, the cache's rates included.
- DeepSeek, "Models & Pricing" (api-docs.deepseek.com), two states of the page. Until 2025-09-05: standard hours
  00:30-16:30 UTC, discounts outside. Autumn of 2026: V4, dear from 01:00 to 04:00 and 06:00 to 10:00 UTC of a workday.
- xAI, "Models and Pricing" (docs.x.ai), 2025-09.
- Google, "Gemini Developer API pricing" (ai.google.dev), 2025-11: 2.5 Pro has a second rate beyond 200,000 tokens.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "usage"
NOON = "2025-12-15T12:00:00+00:00"
WORKDAY_MORNING, WORKDAY_NOON = "2026-11-20T08:00:00+00:00", "2026-11-20T12:00:00+00:00"
SPRING_NOON, SPRING_NIGHT = "2025-05-15T12:00:00+00:00", "2025-05-15T20:00:00+00:00"


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Dollars per million tokens. A kind that has none of its own cannot occur."""

    fresh: str
    output: str = "0"
    cached: str = "0"
    written: str = "0"
    written_hour: str = "0"


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The quantities a provider bills, in tokens. `reasoning` is the part of the output that nobody reads."""

    fresh: int
    cached: int = 0
    written: int = 0
    written_hour: int = 0
    output: int = 0
    reasoning: int = 0
    batch: bool = False

    def cost(self, rates: Rates) -> int:
        """Nano-dollars, rounded once."""
        dollars = (
            self.fresh * Decimal(rates.fresh)
            + self.cached * Decimal(rates.cached)
            + self.written * Decimal(rates.written)
            + self.written_hour * Decimal(rates.written_hour)
            + self.output * Decimal(rates.output)
        ) / 1_000_000
        if self.batch:
            dollars /= 2
        return int((dollars * 1_000_000_000).to_integral_value(ROUND_HALF_EVEN))

    @property
    def prompt(self) -> int:
        return self.fresh + self.cached + self.written + self.written_hour


OPENAI = {
    "gpt-4o": Rates(fresh="2.50", cached="1.25", output="10.00"),
    "gpt-4o-2024-08-06": Rates(fresh="2.50", cached="1.25", output="10.00"),
    "gpt-4o-mini": Rates(fresh="0.15", cached="0.075", output="0.60"),
    "gpt-4.1": Rates(fresh="2.00", cached="0.50", output="8.00"),
    "gpt-4.1-mini": Rates(fresh="0.40", cached="0.10", output="1.60"),
    "gpt-4.1-nano": Rates(fresh="0.10", cached="0.025", output="0.40"),
    "o3": Rates(fresh="2.00", cached="0.50", output="8.00"),
    "o3-mini": Rates(fresh="1.10", cached="0.55", output="4.40"),
    "o4-mini": Rates(fresh="1.10", cached="0.275", output="4.40"),
    "gpt-5": Rates(fresh="1.25", cached="0.125", output="10.00"),
    "gpt-5-mini": Rates(fresh="0.25", cached="0.025", output="2.00"),
    "gpt-5-nano": Rates(fresh="0.05", cached="0.005", output="0.40"),
}
AZURE = {  # by deployment
    "prod-4o": Rates(fresh="2.50", cached="1.25", output="10.00"),
    "prod-4o-mini": Rates(fresh="0.15", cached="0.075", output="0.60"),
    "prod-5": Rates(fresh="1.25", cached="0.125", output="10.00"),
}
AZURE_DEPLOYMENTS = {"prod-4o": "gpt-4o", "prod-4o-mini": "gpt-4o-mini", "prod-5": "gpt-5"}
ANTHROPIC = {
    "claude-3-5-haiku-20241022": Rates(fresh="0.80", cached="0.08", written="1.00", written_hour="1.60", output="4.00"),
    "claude-haiku-4-5-20251001": Rates(fresh="1.00", cached="0.10", written="1.25", written_hour="2.00", output="5.00"),
    "claude-sonnet-4-20250514": Rates(fresh="3.00", cached="0.30", written="3.75", written_hour="6.00", output="15.00"),
    "claude-sonnet-4-5-20250929": Rates(
        fresh="3.00", cached="0.30", written="3.75", written_hour="6.00", output="15.00"
    ),
    "claude-opus-4-1-20250805": Rates(
        fresh="15.00", cached="1.50", written="18.75", written_hour="30.00", output="75.00"
    ),
    "claude-opus-4-5-20251101": Rates(
        fresh="5.00", cached="0.50", written="6.25", written_hour="10.00", output="25.00"
    ),
}
SONNET_LONG = Rates(fresh="6.00", cached="0.60", written="7.50", written_hour="12.00", output="22.50")
DEEPSEEK = {
    ("deepseek-chat", SPRING_NOON): Rates(fresh="0.27", cached="0.07", output="1.10"),
    ("deepseek-chat", SPRING_NIGHT): Rates(fresh="0.135", cached="0.035", output="0.550"),
    ("deepseek-reasoner", SPRING_NOON): Rates(fresh="0.55", cached="0.14", output="2.19"),
    ("deepseek-reasoner", SPRING_NIGHT): Rates(fresh="0.135", cached="0.035", output="0.550"),
    ("deepseek-v4-flash", WORKDAY_MORNING): Rates(fresh="0.30", cached="0.006", output="1.20"),
    ("deepseek-v4-flash", WORKDAY_NOON): Rates(fresh="0.15", cached="0.003", output="0.60"),
    ("deepseek-v4-pro", WORKDAY_MORNING): Rates(fresh="1.32", cached="0.044", output="3.96"),
    ("deepseek-v4-pro", WORKDAY_NOON): Rates(fresh="0.66", cached="0.022", output="1.98"),
}
XAI = {
    "grok-3": Rates(fresh="3.00", cached="0.75", output="15.00"),
    "grok-3-mini": Rates(fresh="0.30", cached="0.075", output="0.50"),
    "grok-4-0709": Rates(fresh="3.00", cached="0.75", output="15.00"),
    "grok-4-fast-reasoning": Rates(fresh="0.20", cached="0.05", output="0.50"),
    "grok-code-fast-1": Rates(fresh="0.20", cached="0.02", output="1.50"),
}
GEMINI = {
    "gemini-2.5-pro": Rates(fresh="1.25", cached="0.125", output="10.00"),
    "gemini-2.5-flash": Rates(fresh="0.30", cached="0.03", output="2.50"),
    "gemini-2.5-flash-lite": Rates(fresh="0.10", cached="0.01", output="0.40"),
}
GEMINI_PRO_LONG = Rates(fresh="2.50", cached="0.25", output="15.00")
EMBEDDINGS = {
    ("openai", "text-embedding-3-small"): Rates(fresh="0.02"),
    ("openai", "text-embedding-3-large"): Rates(fresh="0.13"),
    ("openai", "text-embedding-ada-002"): Rates(fresh="0.10"),
    ("gemini", "gemini-embedding-001"): Rates(fresh="0.15"),
}

# Odd numbers on purpose: a kind mistaken for another, or counted twice, cannot come out even.
_PLAIN = (Bill(fresh=19, output=10), Bill(fresh=1_117, output=46), Bill(fresh=8_191, output=1_009))
_CACHED = (Bill(fresh=86, cached=1_920, output=300), Bill(fresh=1, cached=1_024, output=7))
_REASONED = (Bill(fresh=75, output=1_186, reasoning=1_024), Bill(fresh=31, cached=2_048, output=903, reasoning=896))


def chat(model: str, bill: Bill, **usage: Any) -> dict[str, Any]:
    """OpenAI's chat completion around a usage."""
    prompt, output = bill.prompt, bill.output
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1_741_569_952,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello! How can I help?",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output, **usage},
    }


def openai(model: str, bill: Bill, tier: str = "default") -> dict[str, Any]:
    details = {
        "prompt_tokens_details": {"cached_tokens": bill.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": bill.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    return {**chat(model, bill, **details), "service_tier": tier, "system_fingerprint": "fp_06737a9306"}


def azure(model: str, bill: Bill, tier: str = "") -> dict[str, Any]:
    filtered = {"hate": {"filtered": False, "severity": "safe"}}
    payload = openai(AZURE_DEPLOYMENTS[model], bill, tier or "default")
    payload["choices"][0]["content_filter_results"] = filtered
    payload["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": filtered}]
    if not tier:
        del payload["service_tier"]
    return payload


def anthropic(model: str, bill: Bill, tier: str = "standard", *, detailed: bool = True) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "input_tokens": bill.fresh,
        "cache_creation_input_tokens": bill.written + bill.written_hour,
        "cache_read_input_tokens": bill.cached,
        "output_tokens": bill.output,
    }
    if detailed:
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": bill.written,
            "ephemeral_1h_input_tokens": bill.written_hour,
        }
        usage["service_tier"] = tier
    thought = [{"type": "thinking", "thinking": "Let me see.", "signature": "EqQB"}] if bill.reasoning else []
    if bill.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": bill.reasoning}
    return {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [*thought, {"type": "text", "text": "Hi! My name is Claude."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def deepseek(model: str, bill: Bill) -> dict[str, Any]:
    more: dict[str, Any] = {"prompt_cache_hit_tokens": bill.cached, "prompt_cache_miss_tokens": bill.fresh}
    if bill.reasoning:
        more["completion_tokens_details"] = {"reasoning_tokens": bill.reasoning}
    return chat(model, bill, **more)


def xai(model: str, bill: Bill) -> dict[str, Any]:
    """Reasoning stands beside the completion here, and only the total holds it."""
    said = bill.output - bill.reasoning
    return chat(
        model,
        bill,
        completion_tokens=said,
        prompt_tokens_details={
            "text_tokens": bill.prompt,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": bill.cached,
        },
        completion_tokens_details={
            "reasoning_tokens": bill.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        num_sources_used=0,
    )


def gemini(model: str, bill: Bill) -> dict[str, Any]:
    """Thinking is billed as output and appears in the total alone."""
    usage: dict[str, Any] = {"completion_tokens": bill.output - bill.reasoning}
    if bill.cached:
        usage["prompt_tokens_details"] = {"cached_tokens": bill.cached}
    return chat(model, bill, **usage)


def embeddings(model: str, bill: Bill) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.0023064255, -0.009327292]}],
        "model": model,
        "usage": {"prompt_tokens": bill.fresh, "total_tokens": bill.fresh},
    }


def cases() -> dict[str, list[dict[str, Any]]]:
    """By file: the call, the provider's answer, and what it costs in nano-dollars."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, make in _FILES.items():
        found[name] = list(make())
    return found


def _openai() -> Iterator[dict[str, Any]]:
    for model, rates in OPENAI.items():
        thinks = model.startswith(("o", "gpt-5"))
        for bill in (*_PLAIN, *_CACHED, *(_REASONED if thinks else ())):
            yield _case("openai", model, bill, rates, openai(model, bill))
        batch = Bill(fresh=5_003, output=707, reasoning=512 * thinks, batch=True)
        yield _case("openai", model, batch, rates, openai(model, batch, "batch"))
    for model in ("o3", "o4-mini", "gpt-5", "gpt-5-mini", "gpt-5-nano"):
        flex = Bill(fresh=333, cached=1_152, output=2_111, reasoning=1_600, batch=True)
        yield _case("openai", model, flex, OPENAI[model], openai(model, flex, "flex"))


def _azure() -> Iterator[dict[str, Any]]:
    for model, rates in AZURE.items():
        for bill in (*_PLAIN, *_CACHED, *(_REASONED if model == "prod-5" else ())):
            yield _case("azure", model, bill, rates, azure(model, bill))
        batch = Bill(fresh=2_003, output=101, batch=True)
        yield _case("azure", model, batch, rates, azure(model, batch, "batch"))


def _anthropic() -> Iterator[dict[str, Any]]:
    bills = (
        *_PLAIN,
        Bill(fresh=21, cached=188_086, output=393),
        Bill(fresh=21, written=18_803, output=393),
        Bill(fresh=3, written_hour=4_099, output=59),
        Bill(fresh=2_048, cached=1_800, written=148, written_hour=100, output=503),
        Bill(fresh=57, output=2_003, reasoning=1_531),
    )
    for model, rates in ANTHROPIC.items():
        for bill in bills:
            yield _case("anthropic", model, bill, rates, anthropic(model, bill))
        old = Bill(fresh=11, cached=1_031, written=2_053, output=17)  # before lifetimes and tiers were told
        yield _case("anthropic", model, old, rates, anthropic(model, old, detailed=False))
        batch = Bill(fresh=1_009, cached=2_003, written_hour=3_001, output=401, batch=True)
        yield _case("anthropic", model, batch, rates, anthropic(model, batch, "batch"))
        prepaid = Bill(fresh=1_013, output=211)
        yield _case("anthropic", model, prepaid, rates, anthropic(model, prepaid, "priority"))
    long = "claude-sonnet-4-5-20250929"
    for bill in (
        Bill(fresh=200_001, output=1_003),
        Bill(fresh=7, cached=150_001, written=50_003, output=909),
        Bill(fresh=100_003, written_hour=100_003, output=11),
    ):
        yield _case("anthropic", long, bill, SONNET_LONG, anthropic(long, bill))
    edge = Bill(fresh=100_000, cached=100_000, output=13)  # 200,000 exactly is not beyond
    yield _case("anthropic", long, edge, ANTHROPIC[long], anthropic(long, edge))


def _deepseek() -> Iterator[dict[str, Any]]:
    for (model, at), rates in DEEPSEEK.items():
        for bill in (*_PLAIN, *_CACHED, *(() if model == "deepseek-chat" else _REASONED)):
            yield _case("deepseek", model, bill, rates, deepseek(model, bill), at)


def _xai() -> Iterator[dict[str, Any]]:
    for model, rates in XAI.items():
        thinks = model not in ("grok-3",)
        for bill in (*_PLAIN[:2], *_CACHED, *(_REASONED if thinks else ())):
            yield _case("xai", model, bill, rates, xai(model, bill))


def _gemini() -> Iterator[dict[str, Any]]:
    for model, rates in GEMINI.items():
        for bill in (*_PLAIN, *_CACHED, *_REASONED):
            yield _case("gemini", model, bill, rates, gemini(model, bill))
    pro = "gemini-2.5-pro"
    for bill in (Bill(fresh=200_001, output=77), Bill(fresh=150_000, cached=60_000, output=1_201, reasoning=1_000)):
        yield _case("gemini", pro, bill, GEMINI_PRO_LONG, gemini(pro, bill))


def _embeddings() -> Iterator[dict[str, Any]]:
    for ((provider, model), rates), tokens in itertools.product(EMBEDDINGS.items(), (5, 8, 1_531, 8_191)):
        bill = Bill(fresh=tokens)
        yield _case(provider, model, bill, rates, embeddings(model, bill))


_FILES: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "openai": _openai,
    "azure": _azure,
    "anthropic": _anthropic,
    "deepseek": _deepseek,
    "xai": _xai,
    "gemini": _gemini,
    "embeddings": _embeddings,
}


def _case(
    provider: str, model: str, bill: Bill, rates: Rates, payload: dict[str, Any], at: str = NOON
) -> dict[str, Any]:
    return {"provider": provider, "model": model, "at": at, "nano_usd": bill.cost(rates), "payload": payload}


def lines(found: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in found)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, found in cases().items():
        (FOLDER / f"{name}.jsonl").write_text(lines(found))
