"""What every dialect asks of an answer before it may count as one, and careful reading of foreign JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.kernel.errors import ErrorClass
from engine.providers.faults import Fault, fault
from engine.providers.port import Finish, Usage

_MOST_TOKENS = 20_000_000  # twice what any model can take in; a count beyond is garbage, not a bill


def refusal(text: str, finish: Finish, schema: Mapping[str, Any] | None) -> Fault | None:
    """Why a finished text is no usable answer, or None when it is one."""
    if not text.strip():
        spent = "all of its tokens went elsewhere" if finish is Finish.LENGTH else "it holds no text"
        return fault(ErrorClass.UNKNOWN, f"the answer is empty: {spent}")
    if schema is None or isinstance(parsed(text), dict):
        return None
    if finish is Finish.LENGTH:
        return fault(ErrorClass.UNKNOWN, "the JSON was cut at the output limit; allow more output tokens")
    return fault(ErrorClass.UNKNOWN, "the answer is not the JSON object that was asked for")


def believable(usage: Usage | None, text: str) -> Usage | None:
    """The usage of an answer, or None when it cannot be its: no text is written from nothing, nor for nothing."""
    if usage is None or not usage.input_tokens or (text and not usage.output_tokens):
        return None
    return usage


def parsed(text: str | bytes) -> object:
    """The JSON value of a text, or None (also for `null`) when it is none."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def mapping(value: object) -> Mapping[str, object]:
    """The JSON object, or an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def first(value: object) -> Mapping[str, object] | None:
    """The first element of a JSON array, when it is an object."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else None


def string(value: object) -> str:
    return value if isinstance(value, str) else ""


def count(value: object) -> int:
    """A token count; an absent one is 0. Raises ValueError for anything that cannot be one."""
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_TOKENS:
        raise ValueError("not a token count")
    return value


def is_closed(schema: object) -> bool:
    """Whether every object of a JSON schema names all its properties as required and allows no others.

    Only such schemas may be sent as *strict*: OpenAI and Anthropic refuse others with a 400.
    """
    if isinstance(schema, list):
        return all(is_closed(part) for part in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        required, properties = schema.get("required") or (), mapping(schema.get("properties"))
        if schema.get("additionalProperties") is not False or set(required) != set(properties):
            return False
        return all(is_closed(part) for part in properties.values())
    return all(is_closed(part) for part in schema.values())


def in_words(schema: Mapping[str, Any]) -> str:
    """The instruction that stands in for a schema where an endpoint cannot take one."""
    return (
        "Answer with one JSON object and nothing else, no code fence. It follows this JSON schema: "
        f"{json.dumps(schema, ensure_ascii=False, sort_keys=True)}"
    )
