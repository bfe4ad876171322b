"""What OpenAI's clients read: answers, pieces of answers, lists of models, and what this gateway adds to them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.kernel.values import SECOND, decimal_usd
from engine.orchestrator import Answer
from engine.providers import Finish
from huntaze_console.api.gateway.errors import TRACE

UNPRICED = "unpriced"  # no price is known, which is not zero
_REASONS = {Finish.STOP: "stop", Finish.LENGTH: "length", Finish.TOOL: "tool_calls"}


def headers_of(answer: Answer, trace_id: str) -> dict[str, str]:
    """What a whole answer's headers tell."""
    return {
        TRACE: trace_id,
        "x-huntaze-cost-usd": cost_of(answer),
        "x-huntaze-provider": answer.target.provider,
        "x-huntaze-model": answer.target.model,
        "x-huntaze-cache": answer.hit.value,
        "x-huntaze-level": answer.level.value,
    }


def told_of(answer: Answer, trace_id: str) -> dict[str, str]:
    """The same for a stream, whose cost is known at its end."""
    return {
        "cost_usd": cost_of(answer),
        "provider": answer.target.provider,
        "model": answer.target.model,
        "cache": answer.hit.value,
        "level": answer.level.value,
        "trace_id": trace_id,
    }


def cost_of(answer: Answer) -> str:
    """Exact dollars; nothing for a kept answer, `unpriced` where no price is known."""
    if answer.cost is None:
        return UNPRICED
    return decimal_usd(answer.cost)


def whole(answer: Answer, created: int) -> Mapping[str, Any]:
    """The answer in OpenAI's shape; made up around its text where no model gave it, such as a tool's fixed text."""
    if answer.payload is not None:
        return answer.payload
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": _REASONS[answer.finish], "logprobs": None}
    usage = answer.usage
    read, written = (usage.input_tokens, usage.output_tokens) if usage else (0, 0)
    return {
        "id": f"chatcmpl-{answer.attempt_id}",
        "object": "chat.completion",
        "created": created // SECOND,
        "model": answer.target.model,
        "choices": [choice],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


def pieces_of(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A whole answer as the two events of a stream: all it says, then why it ended."""
    head = head_of(payload)
    said, ended = [], []
    for choice in payload["choices"]:
        delta = dict(choice["message"])
        if calls := delta.get("tool_calls"):
            delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
        said.append({"index": choice["index"], "delta": delta, "finish_reason": None})
        ended.append({"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]})
    return [{**head, "choices": said}, {**head, "choices": ended}]


def head_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What every event of an answer's stream says."""
    kept = {name: payload[name] for name in ("id", "created", "model", "system_fingerprint") if name in payload}
    return {**kept, "object": "chat.completion.chunk"}


def model(name: str, owner: str, since: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": since // SECOND, "owned_by": owner}
