"""Request bodies and answers of both formats, without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.errors import ErrorClass
from engine.providers import ENDPOINTS, Chunk, Completion, Message, ModelRequest, Role, chat, claude
from engine.providers.answers import is_closed
from engine.providers.faults import Fault

ASKED = (Message(Role.SYSTEM, "be brief"), Message(Role.USER, "hello"))
CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["tags"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"tags": {"type": "array"}}}


def request(**fields: Any) -> ModelRequest:
    return ModelRequest(messages=ASKED, max_output_tokens=9, **fields)


def body(endpoint: str, asked: ModelRequest, *, stream: bool = False) -> dict[str, Any]:
    return chat.request_body("m", asked, ENDPOINTS[endpoint].quirks, stream=stream)


@pytest.mark.parametrize(
    ("endpoint", "field"),
    [("openai", "max_completion_tokens"), ("azure", "max_tokens"), ("deepseek", "max_tokens")],
)
def test_output_limit_has_the_endpoints_own_name(endpoint: str, field: str) -> None:
    assert body(endpoint, request())[field] == 9


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    assert set(body("compatible", request())) == {"model", "messages", "max_tokens"}


def test_user_goes_where_the_endpoint_takes_it_or_nowhere() -> None:
    assert body("openai", request(user="u1"))["safety_identifier"] == "u1"
    assert body("azure", request(user="u1"))["user"] == "u1"
    assert "u1" not in json.dumps(body("gemini", request(user="u1")))


def test_strict_is_promised_only_of_closed_schemas() -> None:
    strict = body("openai", request(schema=CLOSED))["response_format"]["json_schema"]
    loose = body("openai", request(schema=OPEN))["response_format"]["json_schema"]

    assert strict == {"name": "answer", "schema": CLOSED, "strict": True}
    assert loose["strict"] is False


def test_endpoint_that_cannot_take_a_schema_is_told_it_in_words() -> None:
    sent = body("deepseek", request(schema=CLOSED))

    assert sent["response_format"] == {"type": "json_object"}
    assert "json" in sent["messages"][0]["content"].lower()  # DeepSeek refuses json_object without the word
    assert '"tags"' in sent["messages"][0]["content"]


def test_claude_takes_system_apart_and_open_schemas_in_words() -> None:
    quirks = ENDPOINTS["anthropic"].quirks

    closed = claude.request_body("m", request(schema=CLOSED, user="u1"), quirks)
    loose = claude.request_body("m", request(schema=OPEN), quirks)

    assert closed["system"] == "be brief"
    assert closed["messages"] == [{"role": "user", "content": "hello"}]
    assert closed["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    assert closed["metadata"] == {"user_id": "u1"}
    assert "output_config" not in loose
    assert '"tags"' in str(loose["system"])


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (CLOSED, True),
        (OPEN, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"tags": OPEN}}, False),
        ({**CLOSED, "properties": {"tags": {"type": "array", "items": OPEN}}}, False),
        ({"anyOf": [CLOSED, OPEN]}, False),
        ({"type": "string"}, True),
    ],
)
def test_schema_is_closed_only_when_every_object_in_it_is(schema: object, closed: bool) -> None:
    assert is_closed(schema) is closed


def answer(**message: object) -> dict[str, object]:
    finish = message.pop("finish_reason", "stop")
    return {"choices": [{"index": 0, "message": {"content": "x", **message}, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("payload", "error_class"),
    [
        (answer(finish_reason="content_filter"), ErrorClass.CONTENT_FILTER),
        (answer(finish_reason="content_filter: RECITATION"), ErrorClass.CONTENT_FILTER),
        (answer(refusal="I cannot"), ErrorClass.CONTENT_FILTER),
        (answer(finish_reason="insufficient_system_resource"), ErrorClass.SERVER_ERROR),
        (answer(finish_reason=None), ErrorClass.UNKNOWN),
        (answer(finish_reason="banana"), ErrorClass.UNKNOWN),
        (answer(content=None), ErrorClass.UNKNOWN),
        (answer(content="", finish_reason="length"), ErrorClass.UNKNOWN),
        ({"choices": None}, ErrorClass.UNKNOWN),
        ({"error": {"code": 429, "message": "slow"}}, ErrorClass.RATE_LIMIT),
        ({"error": {"code": 502, "message": "Provider returned error"}}, ErrorClass.SERVER_ERROR),
        ({"error": "something"}, ErrorClass.UNKNOWN),
    ],
)
def test_no_failure_passes_as_an_answer(payload: dict[str, object], error_class: ErrorClass) -> None:
    outcome = chat.read_completion(payload, "m", request(), ENDPOINTS["openai"].quirks)

    assert isinstance(outcome, Fault)
    assert outcome.error_class is error_class
    assert outcome.reached


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "thinking", "text": "no"}, {"type": "text", "text": "b"}]

    outcome = chat.read_completion(answer(content=parts), "m", request(), ENDPOINTS["compatible"].quirks)

    assert isinstance(outcome, Completion)
    assert outcome.text == "ab"
    assert outcome.model == "m"


def test_cumulative_usage_in_every_chunk_counts_once() -> None:
    reader = chat.ChatStream(request(), ENDPOINTS["xai"].quirks)
    for output in (1, 2, 3):
        delta = {"index": 0, "delta": {"content": "x"}, "finish_reason": "stop" if output == 3 else None}
        reader.feed({"choices": [delta], "usage": {"prompt_tokens": 4, "completion_tokens": output}})

    last = reader.end()

    assert isinstance(last, Chunk)
    assert last.usage is not None
    assert (last.usage.input_tokens, last.usage.output_tokens) == (4, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PAYLOAD = st.dictionaries(
    st.sampled_from(["choices", "usage", "error", "content", "stop_reason", "type", "delta", "message", "model", "id"]),
    JSON | st.lists(st.dictionaries(st.sampled_from(["message", "delta", "index", "finish_reason"]), JSON)),
)


@given(payload=PAYLOAD)
def test_no_payload_raises(payload: dict[str, object]) -> None:
    quirks = ENDPOINTS["openai"].quirks

    chat.read_completion(payload, "m", request(), quirks)
    claude.read_completion(payload, "m", request())
    for reader in (chat.ChatStream(request(), quirks), claude.ClaudeStream(request())):
        reader.feed(payload)
        reader.end()
