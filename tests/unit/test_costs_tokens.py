"""A count of tokens is never too low: exact where OpenAI's tokenizer counts, an upper bound everywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.costs.tokens import TokenCounter, Tokenizer, _open, count
from engine.orchestrator import input_bound
from engine.providers import Message, ModelRequest, Role

PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return _open()


def request(*texts: str, **changes: Any) -> ModelRequest:
    fields: dict[str, Any] = {"messages": tuple(Message(Role.USER, text) for text in texts), "max_output_tokens": 10}
    return ModelRequest(**{**fields, **changes})


by_bytes = input_bound


@pytest.mark.parametrize(
    ("text", "tokens"),
    [  # as OpenAI's cookbook counts them with o200k
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
        ("hello world", 2),
        ("", 0),
    ],
)
def test_the_vocabulary_is_openais(tokenizer: Tokenizer, text: str, tokens: int) -> None:
    assert tokenizer.count(text) == tokens


async def test_a_conversation_counts_as_openai_documents_it() -> None:
    """The cookbook's example, which the API reports as 124 input tokens with gpt-4o."""
    texts = (
        "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
        "New synergies will help drive top-line growth.",
        "Things working well together will increase revenue.",
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
        "Let's talk later when we're less busy about how to do better.",
        "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    )
    names = ("", "example_user", "example_assistant", "example_user", "example_assistant", "")
    messages = [
        {"role": "system" if name or not at else "user", "content": text} | ({"name": name} if name else {})
        for at, (text, name) in enumerate(zip(texts, names, strict=True))
    ]
    made = request(body={"model": "gpt-4o", "messages": messages})
    counter = TokenCounter()
    await counter.ready()

    found = await counter.bound("gpt-4o", made, by_bytes(made))

    assert 124 <= found <= 124 + 40  # role and name as texts, some tokens for each message, and the model's name


@settings(max_examples=80, deadline=None)
@given(texts=st.lists(st.text(max_size=300), min_size=1, max_size=5))
def test_a_bound_lies_between_the_tokens_and_the_bytes(texts: list[str]) -> None:
    texts = [text.encode(errors="replace").decode() for text in texts]
    made, tokenizer = request(*texts), _shared()

    found = count(tokenizer, made)

    assert sum(map(tokenizer.count, texts)) < found <= by_bytes(made) + 3


_OPENED: list[Tokenizer] = []


def _shared() -> Tokenizer:
    if not _OPENED:
        _OPENED.append(_open())
    return _OPENED[0]


async def test_it_counts_once_it_is_loaded_and_only_models_that_read_that_vocabulary() -> None:
    made, counter = request("hello world " * 50), TokenCounter(models={"deployed": "gpt-4o-mini"})

    first = await counter.bound("gpt-4o", made, by_bytes(made))
    await counter.ready()
    counted = await counter.bound("gpt-4o-mini", made, by_bytes(made))

    assert first == by_bytes(made)
    assert counted < by_bytes(made) // 4
    assert await counter.bound("deployed", made, by_bytes(made)) == counted
    assert await counter.bound("ft:gpt-4o-mini-2024-07-18:us::x", made, by_bytes(made)) == counted
    for model in ("claude-sonnet-4-5", "deepseek-chat", "grok-4", "gemini-2.5-flash", "gpt-4-turbo", "openai/gpt-4o"):
        assert await counter.bound(model, made, by_bytes(made)) == by_bytes(made)


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-5"])
async def test_a_picture_costs_its_most_however_short_its_address(model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": [{"type": "text", "text": "Who?"}, PICTURE]}]}
    made, counter = request(body=body), TokenCounter()
    await counter.ready()

    untyped = {key: value for key, value in PICTURE.items() if key != "type"}
    bare = request(body={"model": model, "messages": [{"role": "user", "content": [untyped]}]})

    for one in (made, bare):
        assert 48_169 <= await counter.bound(model, one, by_bytes(one)) < 2 * 48_169


async def test_tools_and_schemas_are_counted_with_a_margin(tokenizer: Tokenizer) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string", "description": "The fan's name"}}}
    tools = [{"type": "function", "function": {"name": "greet", "parameters": schema}}]
    plain = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}

    bare, tooled = (count(tokenizer, request(body=body)) for body in (plain, {**plain, "tools": tools}))

    assert tooled - bare > tokenizer.count(str(tools))
    counter = TokenCounter(counting=False)
    with_schema = request("Hi", schema=schema)
    assert await counter.bound("claude-sonnet-4-5", with_schema, by_bytes(with_schema)) > by_bytes(request("Hi")) + 80


async def test_a_long_text_is_bounded_by_its_bytes_without_counting() -> None:
    made, counter = request("a" * 600_000), TokenCounter()
    await counter.ready()

    assert await counter.bound("gpt-4o", made, by_bytes(made)) == by_bytes(made)
