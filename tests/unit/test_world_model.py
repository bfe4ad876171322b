import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulation import prose, tokens
from engine.simulation.dice import Dice
from engine.simulation.model import Ask, End, PromptCache, answer, as_far_as, find, withheld

NO_CACHE = PromptCache(enabled=False, share=0)


def ask(text: str, *, provider: str = "openai", model: str = "gpt-4o-mini", **more: Any) -> Ask:
    found = find(provider, model)
    assert found is not None
    return Ask(provider=provider, model=found, contents=("Be kind.", text), last_user=text, **more)


def test_the_same_request_has_the_same_answer_and_another_seed_another() -> None:
    said = [answer(ask(f"Write message {n}"), 7, NO_CACHE) for n in range(20)]

    assert said == [answer(ask(f"Write message {n}"), 7, NO_CACHE) for n in range(20)]
    assert said != [answer(ask(f"Write message {n}"), 8, NO_CACHE) for n in range(20)]
    assert len({each.text for each in said}) > 15


@given(st.integers(1, 1_500), st.integers(0, 1_000))
def test_the_directive_gives_exactly_that_many_tokens(size: int, salt: int) -> None:
    said = answer(ask(f"{salt} [reply with exactly {size} tokens]"), 7, NO_CACHE)

    assert said.usage.output == tokens.count(said.text) == size
    assert said.end is End.STOP


def test_a_longer_answer_is_cut_at_the_limit() -> None:
    said = answer(ask("[reply with exactly 100 tokens]", max_tokens=30), 7, NO_CACHE)

    assert said.usage.output == 30
    assert said.end is End.LENGTH


def test_reasoning_is_part_of_the_output_and_of_its_limit() -> None:
    free = answer(ask("Write a message", model="o4-mini"), 7, NO_CACHE)
    short = answer(ask("Write a message", model="o4-mini", max_tokens=10), 7, NO_CACHE)

    assert free.usage.reasoning > 0
    assert free.usage.output == free.usage.reasoning + tokens.count(free.text)
    assert (short.usage.reasoning, short.usage.output, short.text) == (10, 10, "")


@pytest.mark.parametrize(
    "prompt",
    ["Write a message.\nFan: Łukasz O'Neil\nTags: vip", 'Write a message for {"id": "7", "name": "Łukasz O\'Neil"}'],
)
def test_a_message_uses_the_name_the_prompt_gives(prompt: str) -> None:
    assert "Łukasz O'Neil" in answer(ask(prompt), 7, NO_CACHE).text


def test_titles_come_in_the_number_asked_for() -> None:
    said = answer(ask("Write 7 catchy titles for a video"), 7, NO_CACHE)

    assert len(said.text.splitlines()) == 7


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        ("You write titles for posts. Answer with five titles.", 5),
        ("You write one short, warm message to a fan, with a title perhaps.", 1),
    ],
)
def test_the_system_text_says_what_is_wanted_before_the_user_does(system: str, lines: int) -> None:
    said = answer(dataclasses.replace(ask("Plan a message about the sea"), contents=(system, "Plan it")), 7, NO_CACHE)

    assert len(said.text.splitlines()) == lines


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 20},
        "mood": {"enum": ["warm", "wry"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 4},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "child": {"$ref": "#/$defs/node"},
    },
    "required": ["title", "mood", "score", "tags", "note", "child"],
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["next"],
        }
    },
}


@pytest.mark.parametrize("in_words", [False, True])
def test_json_follows_the_schema_also_when_the_prompt_writes_it_out(in_words: bool) -> None:
    wish = f"Plan it. It follows this JSON schema: {json.dumps(SCHEMA)}" if in_words else "Plan it."
    said = json.loads(answer(ask(wish, schema=None if in_words else SCHEMA), 7, NO_CACHE).text)

    assert set(said) == set(SCHEMA["properties"])
    assert len(said["title"]) <= 20
    assert said["mood"] in ("warm", "wry")
    assert said["score"] in range(1, 6)
    assert 2 <= len(said["tags"]) <= 4


def test_a_prefix_seen_before_is_reported_as_cached_by_the_same_model_only() -> None:
    cache = PromptCache(enabled=True, share=0.5)
    long = prose.exactly(3_000, Dice("long"))

    first, second, other = (
        answer(ask(long + ending, model=model), 7, cache)
        for ending, model in (("", "gpt-4o"), (" more", "gpt-4o"), (" more", "gpt-4o-mini"))
    )

    assert [each.usage.cached for each in (first, second, other)] == [0, 1_408, 0]


def test_a_filtered_answer_says_nothing_and_bills_its_input() -> None:
    said = withheld(answer(ask("Write a message"), 7, NO_CACHE))

    assert (said.text, said.end, said.usage.output) == ("", End.FILTERED, 0)
    assert said.usage.input == 6


def test_an_answer_left_early_counts_what_was_generated() -> None:
    said = answer(ask("[reply with exactly 40 tokens]"), 7, NO_CACHE)

    assert as_far_as(said, tokens.cut(said.text, 12)).usage.output == 12


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-99"),
        ("openai", "claude-sonnet-4-5"),
        ("anthropic", "claude-3.5-sonnet"),
        ("deepseek", "deepseek"),
        ("xai", "gpt-4o"),
        ("gemini", "gemini"),
    ],
)
def test_a_provider_has_only_its_own_models(provider: str, model: str) -> None:
    assert find(provider, model) is None
