"""When two tasks ask for the same: the exact key under which answers are kept and shared. Pure.

The key covers everything that shapes an answer or decides who may see it: the tenant, the fan, the tool with its chain,
instruction, caps and temperature, the operation, and every word of the request. What only says how the answer is
delivered or who is asking (`stream`, `user` and the like) is left out, so that a stream and a whole answer are one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import orjson

from engine.orchestrator.settings import ToolRoute
from engine.orchestrator.task import Task

DELIVERY = frozenset({"stream", "stream_options", "user", "metadata", "safety_identifier", "prompt_cache_key"})
"""Fields of an OpenAI-shaped body that do not shape the answer."""


def fingerprint(task: Task, route: ToolRoute) -> bytes:
    """The key of a task at its tool's present route, 32 bytes. Equal keys mean the same question by the same tenant."""
    asked = task.body if task.body is not None else [(message.role, message.text) for message in task.messages]
    if task.body is not None:
        asked = {name: value for name, value in task.body.items() if name not in DELIVERY}
    return _digest((*scope(task, route), asked))


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
