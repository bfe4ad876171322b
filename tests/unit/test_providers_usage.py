"""Usage as each provider reports it; the payloads are those of their documentation and of issues in the wild."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.providers import ENDPOINTS, Usage, chat, claude

OPENAI = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 128, "accepted_prediction_tokens": 0},
}
DEEPSEEK = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_cache_hit_tokens": 64,
    "prompt_cache_miss_tokens": 36,
}
XAI = {
    "prompt_tokens": 32,
    "completion_tokens": 9,
    "total_tokens": 135,
    "prompt_tokens_details": {"text_tokens": 32, "cached_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 94},
}
GEMINI = {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}
GEMINI_SILENT = {
    "prompt_tokens": 21,
    "completion_tokens": 0,
    "total_tokens": 81,
    "completion_tokens_details": {"reasoning_tokens": 60},
}
CLAUDE = {
    "input_tokens": 50,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "output_tokens": 503,
    "output_tokens_details": {"thinking_tokens": 400},
}


@pytest.mark.parametrize(
    ("endpoint", "report", "expected"),
    [
        ("openai", OPENAI, Usage(input_tokens=2006, cached_tokens=1920, output_tokens=300, reasoning_tokens=128)),
        ("azure", OPENAI, Usage(input_tokens=2006, cached_tokens=1920, output_tokens=300, reasoning_tokens=128)),
        ("deepseek", DEEPSEEK, Usage(input_tokens=100, cached_tokens=64, output_tokens=50)),
        ("xai", XAI, Usage(input_tokens=32, cached_tokens=6, output_tokens=103, reasoning_tokens=94)),
        ("gemini", GEMINI, Usage(input_tokens=20, output_tokens=603, reasoning_tokens=405)),
        ("gemini", GEMINI_SILENT, Usage(input_tokens=21, output_tokens=60, reasoning_tokens=60)),
        ("compatible", {"prompt_tokens": 5, "completion_tokens": 2}, Usage(input_tokens=5, output_tokens=2)),
        # Gateways that count something of their own into the total must not be billed for it.
        ("compatible", {**GEMINI, "total_tokens": 999}, Usage(input_tokens=20, output_tokens=198)),
    ],
)
def test_chat_usage_is_read_as_each_provider_means_it(endpoint: str, report: dict[str, Any], expected: Usage) -> None:
    assert chat.read_usage(report, ENDPOINTS[endpoint].quirks) == expected


def test_claude_usage_adds_what_the_cache_read_and_wrote() -> None:
    assert claude.read_usage(CLAUDE) == Usage(
        input_tokens=2150, cached_tokens=2000, cache_write_tokens=100, output_tokens=503, reasoning_tokens=400
    )


MALFORMED = [-1, "12", 1.5, True, [], {}, 10**30]


@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize("key", ["prompt_tokens", "completion_tokens", "total_tokens"])
def test_malformed_chat_count_leaves_no_usage(key: str, value: object) -> None:
    assert chat.read_usage({**OPENAI, key: value}, ENDPOINTS["openai"].quirks) is None


@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize("key", sorted(CLAUDE.keys() - {"output_tokens_details"}))
def test_malformed_claude_count_leaves_no_usage(key: str, value: object) -> None:
    assert claude.read_usage({**CLAUDE, key: value}) is None


@pytest.mark.parametrize(
    "report",
    [
        None,
        {},
        "usage",
        [],
        {"prompt_tokens": 5},
        {"completion_tokens": 5},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 6}},
    ],
)
def test_missing_or_impossible_usage_is_none_never_zero(report: object) -> None:
    assert chat.read_usage(report, ENDPOINTS["openai"].quirks) is None
    assert claude.read_usage(report) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = (*OPENAI, *DEEPSEEK, *CLAUDE)


@given(report=st.dictionaries(st.sampled_from(KEYS), JSON) | JSON)
def test_no_report_raises_and_every_usage_is_possible(report: object) -> None:
    for row in ENDPOINTS.values():
        for usage in (chat.read_usage(report, row.quirks), claude.read_usage(report)):
            if usage is not None:
                assert 0 <= usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens
                assert 0 <= usage.reasoning_tokens <= usage.output_tokens
                assert usage.input_tokens + usage.output_tokens > 0
