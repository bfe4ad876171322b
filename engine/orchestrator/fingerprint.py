"""When two tasks ask for the same: the exact key under which answers are kept and shared. Pure.

The key covers everything that shapes an answer or decides who may see it: the tenant, the fan, the tool with its chain,
instruction, caps and temperature, the operation, and every word of the request. What only says how the answer is
delivered or who is asking (`stream`, `user` and the like) is left out, so that a stream and a whole answer are one. But
where a client says for whom it asks, and its prompt may hold a person's data, that person counts as a fan does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from engine.orchestrator.settings import ToolRoute
from engine.orchestrator.similarity import may_name_a_person
from engine.orchestrator.task import Task

DELIVERY = frozenset({"stream", "stream_options", "user", "metadata", "safety_identifier", "prompt_cache_key"})
"""Fields of an OpenAI-shaped body that do not shape the answer."""

_END_USER = ("user", "safety_identifier")  # the client's own name for whom it asks


def fingerprint(task: Task, route: ToolRoute) -> bytes:
    """The key of a task at its tool's present route, 32 bytes. Equal keys mean the same question by the same tenant."""
    asked = task.body if task.body is not None else [(message.role, message.text) for message in task.messages]
    if task.body is not None:
        asked = {name: value for name, value in task.body.items() if name not in DELIVERY}
        person = [task.body.get(name) for name in _END_USER]
        if any(person) and holds_a_person(task):
            return _digest((*scope(task, route), asked, person))
    return _digest((*scope(task, route), asked))


def holds_a_person(task: Task) -> bool:
    """Whether any part of a task's request may hold a person's data."""
    texts = _said(task.body) if task.body is not None else [message.text for message in task.messages]
    return any(text is None or may_name_a_person(text) for text in texts)


def _said(body: Mapping[str, Any]) -> Iterator[str | None]:
    """Each text of a client's messages; None for a part that is none, such as a picture or the call of a tool."""
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        said = message if isinstance(message, Mapping) else {}
        if said.get("tool_calls") or said.get("function_call") or said.get("name"):
            yield None
        content = said.get("content")
        if isinstance(content, list):
            parts = (part if isinstance(part, Mapping) else {} for part in content)
            yield from (_text(part.get("text")) if part.get("type") == "text" else None for part in parts)
        elif content is not None:
            yield _text(content)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def scope(task: Task, route: ToolRoute) -> tuple[object, ...]:
    """What must be equal beside the words of the request. A fan's id is one account's own."""
    return (
        task.tenant_id,
        (task.account_id, task.fan_id) if task.fan_id else None,
        task.tool,
        str(task.pinned) if task.pinned is not None else route.chain,
        task.strategy,
        task.operation,
        task.body is None,
        task.schema,
        sorted(task.needs),
        task.max_output_tokens or route.max_output_tokens,
        route.temperature,
        "" if task.bare else route.system,
    )


def digest_of_words(task: Task, route: ToolRoute, words: tuple[object, ...]) -> bytes:
    """The key of a bucket: tasks that differ at most in how their words are put."""
    return _digest((*scope(task, route), "near", words))


def _digest(value: object) -> bytes:
    try:
        data = orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half a character, or an integer beyond 64 bits: the slower writer has no trouble with either
        data = json.dumps(value, default=_plain, sort_keys=True).encode()
    return hashlib.sha256(data).digest()


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no part of a request")
