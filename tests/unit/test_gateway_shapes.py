"""What a gateway's client reads: names, caps, and answers that no model gave."""

from __future__ import annotations

from typing import Any

import pytest

from engine.kernel.errors import BudgetRefused, CommandRefused, ErrorClass, ProviderError, Refusal, StorageError
from engine.kernel.values import NanoUSD
from engine.orchestrator import Answer, Hit, Level, Need, Target
from engine.providers import Finish
from huntaze_console.api.gateway import shapes
from huntaze_console.api.gateway.errors import GatewayError, of_error
from huntaze_console.api.gateway.reading import read_chat, read_embeddings

FIXED = Answer(
    text="We are back soon.",
    target=Target("huntaze", "template"),
    finish=Finish.STOP,
    usage=None,
    attempt_id="att_1",
    cost=NanoUSD(0),
    level=Level.TEMPLATE,
)


def test_a_tools_fixed_text_reads_like_any_answer() -> None:
    whole = shapes.whole(FIXED, 7_000_000_000)

    assert whole["choices"][0]["message"] == {"role": "assistant", "content": FIXED.text, "refusal": None}
    assert (whole["object"], whole["created"], whole["usage"]["total_tokens"]) == ("chat.completion", 7, 0)
    assert shapes.headers_of(FIXED, "t")["x-huntaze-level"] == "template"


def test_a_whole_answer_as_two_events_says_the_same() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    payload = {
        "id": "c",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    }

    said, ended = shapes.pieces_of(payload)

    assert said["object"] == "chat.completion.chunk"
    assert said["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **call}]
    assert said["choices"][0]["finish_reason"] is None
    assert (ended["choices"][0]["delta"], ended["choices"][0]["finish_reason"]) == ({}, "tool_calls")


@pytest.mark.parametrize(("cost", "told"), [(None, "unpriced"), (NanoUSD(0), "0.00"), (NanoUSD(1), "0.000000001")])
def test_an_unknown_cost_is_not_zero(cost: NanoUSD | None, told: str) -> None:
    answer = Answer(
        text="a", target=Target("p", "m"), finish=Finish.STOP, usage=None, attempt_id="a", cost=cost, hit=Hit.MISS
    )

    assert shapes.cost_of(answer) == told


def test_what_a_body_needs_is_found_in_it() -> None:
    asked = read_chat(
        b'{"model": "m", "n": 2, "max_tokens": 9, "max_completion_tokens": 7, "stream": true,'
        b'"stream_options": {"include_usage": true}, "tools": [{}], "response_format": {"type": "json_schema"},'
        b'"messages": [{"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "x"}]}]}'
    )

    assert asked.needs == {Need.TOOLS, Need.SCHEMA, Need.IMAGES}
    assert (asked.choices, asked.cap, asked.stream, asked.wants_usage) == (2, 7, True, True)


@pytest.mark.parametrize("body", [b'{"model": "m"}', b'{"model": "m", "input": ""}', b'{"input": "x"}', b"7"])
def test_embeddings_need_an_input_and_a_model(body: bytes) -> None:
    with pytest.raises(GatewayError):
        read_embeddings(body)


def upstream(error_class: ErrorClass, **more: Any) -> ProviderError:
    return ProviderError("p", "m", error_class, "told", **more)


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (upstream(ErrorClass.RATE_LIMIT, status=429, retry_after=3.2), 429, "rate_limit_exceeded", None),
        (upstream(ErrorClass.SERVER_ERROR, status=503), 502, "upstream_failed", None),
        (upstream(ErrorClass.SERVER_ERROR, reached=False, retry_after=20), 503, "unavailable", None),
        (upstream(ErrorClass.NETWORK_ERROR), 502, "upstream_unreachable", None),
        (upstream(ErrorClass.TIMEOUT), 504, "upstream_timeout", None),
        (upstream(ErrorClass.UNKNOWN), 502, "upstream_unusable", None),
        (upstream(ErrorClass.AUTHENTICATION, status=401), 502, "upstream_refused", False),
        (upstream(ErrorClass.CONTENT_FILTER, status=400), 400, "content_filter", None),
        (upstream(ErrorClass.INVALID_REQUEST, status=422), 422, None, None),
        (upstream(ErrorClass.INVALID_REQUEST, reached=False), 400, None, None),
        (BudgetRefused("tenant:acme", "3.20 USD left"), 429, "insufficient_quota", False),
        (BudgetRefused("user:key_1", "held", waitable=True), 429, "rate_limit_exceeded", None),
        (CommandRefused(Refusal.INVALID, "no such tool"), 400, None, None),
        (StorageError("/secret/path is not open"), 503, "unavailable", None),
    ],
)
def test_every_failure_has_one_refusal(error: Exception, status: int, code: str | None, retry: bool | None) -> None:
    refusal = of_error(error)

    assert refusal is not None
    assert (refusal.status, refusal.code, refusal.retry) == (status, code, retry)
    assert not any(inside in refusal.message for inside in ("3.20", "/secret", "acme", "key_1"))


def test_patience_is_asked_for_in_whole_seconds() -> None:
    refusal = of_error(upstream(ErrorClass.RATE_LIMIT, retry_after=3.2))

    assert refusal is not None
    assert refusal.answer("t").headers["Retry-After"] == "4"


def test_what_nobody_expected_is_not_worded() -> None:
    assert of_error(KeyError("inside")) is None
