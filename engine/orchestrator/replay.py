"""An answer that is there as a whole, handed on in pieces as a model would have written it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.orchestrator.task import Answer, Task
from engine.providers import Chunk

_PIECE = re.compile(r"\S*\s*(?:\S+\s*){0,5}", re.DOTALL)  # half a dozen words, with the white space behind them


def replay(task: Task, answer: Answer) -> Iterator[Chunk]:
    """The pieces of a whole answer: their texts joined are its text, and the last carries finish, usage and payload.

    For a request that had a body each piece carries an event in OpenAI's shape: contents, tool calls, the finish of
    each choice. Usage comes with the last piece alone, as the providers' streams have it.
    """
    if task.body is not None and answer.payload is not None:
        yield from _events(answer.payload)
    else:
        yield from (Chunk(text=piece) for piece in pieces(answer.text))
    yield Chunk(finish=answer.finish, usage=answer.usage, payload=answer.payload)


def pieces(text: str) -> Iterator[str]:
    """The text in runs of a few words; joined they are the text again."""
    return (found.group() for found in _PIECE.finditer(text) if found.group())


def _events(payload: Mapping[str, Any]) -> Iterator[Chunk]:
    head = {name: value for name, value in payload.items() if name not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    for choice in payload.get("choices") or ():
        index = choice.get("index", 0)
        for text, delta, extra in _deltas(choice):
            event = {**head, "choices": [{"index": index, "delta": delta, **extra}]}
            yield Chunk(text="" if index else text, event=event)


def _deltas(choice: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each step of a choice: the words it adds, its delta, and what stands beside the delta."""
    message: Mapping[str, Any] = choice.get("message") or {}
    open_ = {"finish_reason": None}
    content = message.get("content")
    yield "", {"role": message.get("role", "assistant"), "content": "" if content is not None else None}, open_
    logprobs = {"logprobs": choice["logprobs"]} if choice.get("logprobs") else {}
    for piece in pieces(content) if isinstance(content, str) else ():
        yield piece, {"content": piece}, {**open_, **logprobs}
        logprobs = {}
    said = ("role", "content", "tool_calls")
    if rest := {name: value for name, value in message.items() if name not in said and value is not None}:
        yield "", rest, open_
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, Mapping):
            yield "", {"tool_calls": [{"index": number, **call}]}, open_
    yield "", {}, {"finish_reason": choice.get("finish_reason")}
