"""Bodies on their way through: what is set, what is left, and what an answer put together again looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.clock import SystemClock
from engine.kernel.errors import ErrorClass
from engine.kernel.secret import Secret
from engine.providers import Finish, ModelRequest, Operation, ProviderSettings, Quirks, Usage
from engine.providers.bodies import BodyStream, output_cap, read_answer, request_body
from engine.providers.faults import Fault
from engine.providers.passthrough import OpenAIDialogue
from engine.providers.sse import EventReader, TooLong
from engine.providers.translation import ClaudeBodyStream, ClaudeDialogue, Untranslatable, to_claude

QUIRKS = Quirks(limit_field="max_completion_tokens")
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def asking(body: dict[str, Any], *, cap: int = 100, operation: Operation = Operation.CHAT) -> ModelRequest:
    return ModelRequest(messages=(), max_output_tokens=cap, body=body, operation=operation)


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


# ── events out of bytes ─────────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.text(min_size=1, max_size=40).filter(lambda text: text.strip() == text), min_size=1, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.data(),
)
def test_events_are_the_same_however_the_bytes_are_split(texts: list[str], line: str, data: st.DataObject) -> None:
    payloads = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    stream = "".join(
        f": keep-alive{line}{line}event: x{line}data: {payload}{line}id: 7{line}{line}" for payload in payloads
    ).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader, found = EventReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if end > start:
            found += reader.feed(stream[start:end])
    found += reader.end()

    assert [event.decode() for event in found] == payloads


def test_data_over_several_lines_is_one_event_and_a_missing_blank_line_loses_nothing() -> None:
    reader = EventReader()

    assert reader.feed(b"data: {\ndata: }\n\ndata:last") == [b"{\n}"]
    assert reader.end() == [b"last"]
    assert reader.end() == []


@pytest.mark.parametrize("line", [b"x" * 100, b"data: x\n" * 100])
def test_an_event_without_end_is_refused(line: bytes) -> None:
    reader = EventReader(longest=1_000)

    def feed_on() -> None:
        for _ in range(20):
            reader.feed(line)

    with pytest.raises(TooLong):
        feed_on()


def test_many_small_events_are_not_one_long_one() -> None:
    reader = EventReader(longest=100)

    assert sum(len(reader.feed(b"data: 12345\n\n")) for _ in range(1_000)) == 1_000


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_what_the_engine_answers_for_is_set() -> None:
    body = {
        "model": "huntaze/message",
        "messages": said("hello"),
        "stream": False,
        "stream_options": {"include_usage": False, "include_obfuscation": False},
        "max_tokens": 70,
        "unheard_of": {"deep": [1]},
    }
    before = json.dumps(body)

    whole = request_body("gpt-4o", asking(body), QUIRKS, stream=False)
    streamed = request_body("gpt-4o", asking(body), QUIRKS, stream=True)

    kept = {"model": "gpt-4o", "messages": said("hello"), "unheard_of": {"deep": [1]}, "max_completion_tokens": 70}
    assert whole == kept
    options = {"include_usage": True, "include_obfuscation": False}
    assert streamed == {**kept, "stream": True, "stream_options": options}
    assert json.dumps(body) == before


@given(
    st.integers(1, 10_000),
    st.none() | st.integers(1, 10_000),
    st.none() | st.integers(1, 10_000),
    st.none() | st.integers(1, 128),
)
def test_no_answer_may_be_longer_than_engine_and_client_allow(
    cap: int, old: int | None, new: int | None, choices: int | None
) -> None:
    body = {"max_tokens": old, "max_completion_tokens": new, "n": choices}
    written = output_cap(asking(body, cap=cap))

    assert written >= 1
    assert written * (choices or 1) <= max(cap, choices or 1)
    assert all(written <= limit for limit in (old, new) if limit is not None)


@pytest.mark.parametrize(
    ("settings", "chat", "header", "limit"),
    [
        (
            ProviderSettings.of("openai", api_key=Secret("k"), organization="org"),
            "https://api.openai.com/v1/chat/completions",
            {"Authorization": "Bearer k", "OpenAI-Organization": "org"},
            "max_completion_tokens",
        ),
        (
            ProviderSettings.of("azure", api_key=Secret("k"), base_url="https://r.openai.azure.com/", api_version="v1"),
            "https://r.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=v1",
            {"api-key": "k"},
            "max_tokens",
        ),
        (
            ProviderSettings.of("deepseek", api_key=Secret("k")),
            "https://api.deepseek.com/chat/completions",
            {"Authorization": "Bearer k"},
            "max_tokens",
        ),
        (
            ProviderSettings.of("xai", api_key=Secret("k")),
            "https://api.x.ai/v1/chat/completions",
            {"Authorization": "Bearer k"},
            "max_completion_tokens",
        ),
        (
            ProviderSettings.of("gemini", api_key=Secret("k")),
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            {"Authorization": "Bearer k"},
            "max_tokens",
        ),
    ],
)
def test_each_endpoint_is_addressed_in_its_own_way(
    settings: ProviderSettings, chat: str, header: dict[str, str], limit: str
) -> None:
    dialogue = OpenAIDialogue(settings)

    assert dialogue.url("my gpt", Operation.CHAT) == chat
    assert dialogue.url("my gpt", Operation.EMBEDDINGS) == chat.replace("/chat/completions", "/embeddings")
    assert dialogue.headers == header
    assert dialogue.body("my gpt", asking({"messages": said("x")}), stream=False)[limit] == 100


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def chunk(delta: dict[str, Any], finish: str | None = None, *, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish, **more}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m-1", "choices": [choice]}


def streamed(*events: dict[str, Any]) -> tuple[list[Any], Any]:
    stream = BodyStream("m", QUIRKS)
    handed_on: list[Any] = []
    for event in events:
        pieces = stream.feed(event)
        assert not isinstance(pieces, Fault)
        handed_on += pieces
    return handed_on, stream.end()


USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}


def test_a_stream_put_together_is_the_answer_it_would_have_been_whole() -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    handed_on, last = streamed(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Grü"}, logprobs={"content": [{"token": "Grü"}]}),
        chunk({"content": "ße"}, logprobs={"content": [{"token": "ße"}]}),
        chunk({"tool_calls": [call]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        chunk({"tool_calls": [{"index": 1, "id": "call_2", "function": {"name": "g", "arguments": "{}"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        chunk({"refusal": None, "annotations": [1]}),
        chunk({}, "tool_calls"),
        {"id": "c1", "choices": [], "usage": USAGE},
    )

    assert last.finish is Finish.TOOL
    assert last.usage == Usage(input_tokens=9, output_tokens=5)
    assert last.payload == {
        "id": "c1",
        "object": "chat.completion",
        "created": 7,
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Grüße",
                    "annotations": [1],
                    "tool_calls": [
                        {"type": "function", "id": "call_1", "function": {"name": "f", "arguments": '{"a": 1}'}},
                        {"type": "function", "id": "call_2", "function": {"name": "g", "arguments": "{}"}},
                    ],
                },
                "finish_reason": "tool_calls",
                "logprobs": {"content": [{"token": "Grü"}, {"token": "ße"}]},
            }
        ],
        "usage": USAGE,
    }
    assert len(handed_on) == 9
    assert all("usage" not in piece.event for piece in handed_on)
    assert "".join(piece.text for piece in handed_on) == 'Grüße{"a"{}: 1}'


def test_several_choices_are_kept_apart() -> None:
    _, last = streamed(
        chunk({"content": "b"}, index=1),
        chunk({"content": "a"}),
        chunk({}, "length", index=1),
        chunk({}, "stop"),
    )

    told = [
        (choice["index"], choice["message"]["content"], choice["finish_reason"]) for choice in last.payload["choices"]
    ]
    assert told == [(0, "a", "stop"), (1, "b", "length")]


@pytest.mark.parametrize(
    ("events", "error_class"),
    [
        ([chunk({"content": "a"})], ErrorClass.NETWORK_ERROR),
        (
            [chunk({"content": "a"}), chunk({}, "stop", index=0), chunk({"content": "b"}, index=1)],
            ErrorClass.NETWORK_ERROR,
        ),
        ([chunk({}, "stop")], ErrorClass.UNKNOWN),
        ([chunk({"content": ""}, "length")], ErrorClass.UNKNOWN),
        ([chunk({"content": "a"}, "content_filter")], ErrorClass.CONTENT_FILTER),
    ],
)
def test_a_stream_that_is_no_answer_is_a_fault(events: list[dict[str, Any]], error_class: ErrorClass) -> None:
    _, last = streamed(*events)

    assert isinstance(last, Fault)
    assert last.error_class is error_class


@pytest.mark.parametrize("event", [None, [], "x", 7])
def test_an_event_that_is_no_object_is_a_fault(event: object) -> None:
    assert isinstance(BodyStream("m", QUIRKS).feed(event), Fault)


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "tool_calls": [{"id": "1"}]},
        {"content": None, "function_call": {"name": "f"}},
        {"content": None, "refusal": "I will not"},
        {"content": [{"type": "text", "text": "parts"}]},
    ],
)
def test_an_answer_needs_no_text_to_be_one(message: dict[str, Any]) -> None:
    payload = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}

    outcome, usage = read_answer(payload, "m", asking({}), QUIRKS)

    assert not isinstance(outcome, Fault)
    assert outcome.payload is payload
    assert usage == Usage(input_tokens=9, output_tokens=5)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"choices": []},
        {"choices": ["x"]},
        {"choices": [{"message": {"content": " "}, "finish_reason": "stop"}], "usage": USAGE},
        {"choices": [{"message": {"content": "a"}}]},
        {"error": {"code": "server_error"}},
    ],
)
def test_what_is_no_answer_is_a_fault_with_the_usage_it_told(payload: dict[str, Any]) -> None:
    outcome, usage = read_answer(payload, "m", asking({}), QUIRKS)

    assert isinstance(outcome, Fault)
    assert (usage is None) == ("usage" not in payload)


def test_embeddings_have_usage_without_output() -> None:
    asked = asking({"input": "x"}, operation=Operation.EMBEDDINGS)
    outcome, usage = read_answer({"data": [{"embedding": [1]}], "usage": {"prompt_tokens": 3}}, "m", asked, QUIRKS)
    empty, _ = read_answer({"data": [{"embedding": []}]}, "m", asked, QUIRKS)

    assert not isinstance(outcome, Fault)
    assert usage == outcome.usage == Usage(input_tokens=3)
    assert isinstance(empty, Fault)


# ── Claude ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_with_tools_and_images_is_translated() -> None:
    body = {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                    {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "42"},
            {"role": "user", "content": "And?"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": CLOSED, "strict": True}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": CLOSED}},
        "temperature": 1.7,
        "top_p": 0.5,
        "stop": ["a", "b"],
        "user": "u1",
        "seed": 7,
        "n": 1,
    }

    made = to_claude("claude-x", asking(body), Quirks(), stream=True)

    assert made == {
        "model": "claude-x",
        "max_tokens": 100,
        "system": "Be kind.\n\nBe brief.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
                    {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
                ],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "42"},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": CLOSED, "strict": True}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": CLOSED}},
        "temperature": 1,
        "top_p": 0.5,
        "stop_sequences": ["a", "b"],
        "metadata": {"user_id": "u1"},
        "stream": True,
    }


@pytest.mark.parametrize(
    "field",
    [
        {"n": 2},
        {"logprobs": True},
        {"frequency_penalty": 0.5},
        {"functions": [{"name": "f"}]},
        {"unheard_of": 1},
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
        {"messages": [{"role": "function", "content": "x"}]},
        {"response_format": {"type": "grammar"}},
        {"tools": [{"type": "custom"}]},
        {"tools": 5},
        {"temperature": "hot"},
        {"messages": [{"role": "assistant", "tool_calls": 5}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "[" * 100_000}}]}]},
    ],
)
def test_what_has_no_counterpart_is_refused_before_anything_is_sent(field: dict[str, Any]) -> None:
    request = asking({"messages": said("hello"), **field})
    with pytest.raises(Untranslatable):
        to_claude("claude-x", request, Quirks(), stream=False)

    told = claude().body("claude-x", request, stream=False)
    assert isinstance(told, Fault)
    assert (told.error_class, told.reached) == (ErrorClass.INVALID_REQUEST, False)


def claude() -> ClaudeDialogue:
    return ClaudeDialogue(ProviderSettings.of("anthropic", api_key=Secret("k")), SystemClock())


def test_claudes_answer_reads_as_openais() -> None:
    payload = {
        "id": "msg_1",
        "model": "claude-x-1",
        "content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 5,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 2,
            "output_tokens": 4,
        },
    }

    outcome, usage = claude().read(payload, "claude-x", asking({}))

    assert not isinstance(outcome, Fault)
    assert usage == Usage(input_tokens=10, cached_tokens=3, cache_write_tokens=2, output_tokens=4)
    assert outcome.payload is not None
    (choice,) = outcome.payload["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "Hello"
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert outcome.payload["usage"]["prompt_tokens"] == 10
    assert outcome.payload["usage"]["prompt_tokens_details"]["cached_tokens"] == 3


def test_claudes_stream_comes_to_the_same_as_its_whole_answer() -> None:
    stream = ClaudeBodyStream("claude-x", Quirks(), 7)
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {"id": "msg_1", "model": "claude-x-1", "usage": {"input_tokens": 5, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t1", "name": "f"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ": 1}"}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    handed_on: list[Any] = []
    for event in events:
        pieces = stream.feed(event)
        assert not isinstance(pieces, Fault)
        handed_on += pieces
    last = stream.end()

    assert not isinstance(last, Fault)
    assert last.usage == Usage(input_tokens=5, output_tokens=4)
    assert last.payload is not None
    (choice,) = last.payload["choices"]
    assert choice["message"]["content"] == "Hello"
    assert choice["message"]["tool_calls"] == [
        {"type": "function", "id": "t1", "function": {"name": "f", "arguments": '{"a": 1}'}}
    ]
    assert last.payload["usage"]["completion_tokens"] == 4
    assert handed_on[0].event["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {piece.event["id"] for piece in handed_on} == {"msg_1"}


@pytest.mark.parametrize("reason", ["refusal", "pause_turn", None])
def test_claude_that_does_not_answer_is_a_fault(reason: str | None) -> None:
    payload = {"content": [{"type": "text", "text": "a"}], "stop_reason": reason}

    outcome, _ = claude().read(payload, "claude-x", asking({}))

    assert isinstance(outcome, Fault)
