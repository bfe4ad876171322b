"""Requests in OpenAI's shape for Claude, and Claude's answers in OpenAI's shape. Pure.

So a client of the gateway can be answered by Claude, whoever was asked first. What has no counterpart is refused before
anything is sent, with the parameter's name; only hints that promise nothing (a seed, a cache key) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass
from engine.kernel.values import SECOND
from engine.providers import claude
from engine.providers.answers import believable, in_words, is_closed, mapping, string
from engine.providers.bodies import BodyStream, judge, output_cap, words_of
from engine.providers.endpoints import Quirks, Schema
from engine.providers.faults import Fault, fault, of_answer
from engine.providers.port import Chunk, Completion, ModelRequest, Operation, Usage
from engine.providers.settings import ProviderSettings

_VERSION = "2023-06-01"
_HINTS = frozenset(
    (
        *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
        *("seed", "store", "metadata", "verbosity", "reasoning_effort", "prediction"),
        *("prompt_cache_key", "prompt_cache_retention", "safety_identifier"),
    )
)
_NEUTRAL: Mapping[str, tuple[object, ...]] = {  # parameters that say nothing at these values, and else cannot be kept
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "tools": ([],),
}
_OWN = ("top_p", "top_k", "thinking")  # the same there
_TRANSLATED = frozenset(
    ("temperature", "stop", "tools", "tool_choice", "parallel_tool_calls", "response_format", "user")
)
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_JSON = "Answer with one JSON object and nothing else, no code fence."


class Untranslatable(ValueError):
    """A part of a request that Claude has no counterpart for; its words name it."""


class ClaudeDialogue:
    """How a client's body is worded for Claude; see `passthrough.Dialogue`."""

    def __init__(self, settings: ProviderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.headers: Mapping[str, str] = {
            "x-api-key": settings.api_key.reveal(),
            "anthropic-version": _VERSION,
        }

    def url(self, model: str, operation: Operation) -> str:
        return self._settings.base_url.rstrip("/") + claude.PATH

    def body(self, model: str, request: ModelRequest, *, stream: bool) -> Mapping[str, Any] | Fault:
        if request.operation is not Operation.CHAT:
            return fault(ErrorClass.INVALID_REQUEST, "Claude makes no embeddings", reached=False)
        try:
            return to_claude(model, request, self._settings.quirks, stream=stream)
        except Untranslatable as error:
            told = f"{error} cannot be translated for Claude; choose another model"
            return fault(ErrorClass.INVALID_REQUEST, told, reached=False)

    def read(
        self, payload: Mapping[str, Any], model: str, request: ModelRequest
    ) -> tuple[Completion | Fault, Usage | None]:
        usage = believable(claude.read_usage(payload.get("usage")), str(payload.get("content") or ""))
        return _answer(payload, model, usage, self._clock.now() // SECOND), usage

    def reader(self, model: str, request: ModelRequest) -> ClaudeBodyStream:
        return ClaudeBodyStream(model, self._settings.quirks, self._clock.now() // SECOND)


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────


def to_claude(model: str, request: ModelRequest, quirks: Quirks, *, stream: bool) -> dict[str, Any]:
    """The body in Anthropic's messages format. Raises Untranslatable."""
    body = request.body or {}
    _check(body)
    system, messages = _messages(body.get("messages"))
    made: dict[str, Any] = {"model": model, "max_tokens": output_cap(request), "messages": messages}
    made |= {name: body[name] for name in _OWN if body.get(name) is not None}
    if (heat := body.get("temperature")) is not None:
        if not isinstance(heat, int | float):
            raise Untranslatable("a temperature that is no number")
        made["temperature"] = min(1, heat)  # theirs ends at 1
    if stop := body.get("stop"):
        made["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if tools := _listed(body, "tools"):
        made["tools"] = [_tool(tool) for tool in tools]
        made |= _tool_choice(body)
    if body.get("user"):
        made["metadata"] = {"user_id": body["user"]}
    if form := _format(mapping(body.get("response_format")), quirks, system):
        made["output_config"] = {"format": form}
    if system:
        made["system"] = "\n\n".join(system)
    if stream:
        made["stream"] = True
    return made


def _check(body: Mapping[str, Any]) -> None:
    for name, value in body.items():
        if name in _HINTS or name in _OWN or name in _TRANSLATED or value is None:
            continue
        if value not in _NEUTRAL.get(name, ()):
            raise Untranslatable(f"the parameter {name[:60]!r}")


def _messages(listed: object) -> tuple[list[str], list[dict[str, Any]]]:
    """The texts of the system, and the turns of the others: theirs alternate, so neighbours of one role are joined."""
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    for message in map(mapping, listed if isinstance(listed, list) else ()):
        role = string(message.get("role"))
        if role in ("system", "developer"):
            system.append(words_of(message))
            continue
        speaker, blocks = _turn(role, message)
        if turns and turns[-1]["role"] == speaker:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": speaker, "content": blocks})
    return [text for text in system if text], turns


def _turn(role: str, message: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    if role == "user":
        return "user", _blocks(message.get("content"))
    if role == "assistant":
        calls = _listed(message, "tool_calls")
        return "assistant", [*_blocks(message.get("content")), *(_call(call) for call in calls)]
    if role == "tool":
        result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": words_of(message)}
        return "user", [result]
    raise Untranslatable(f"a message of the role {role[:20]!r}")


def _listed(where: Mapping[str, Any], name: str) -> list[Any]:
    found = where.get(name) or []
    if not isinstance(found, list):
        raise Untranslatable(f"{name} that are no list")
    return found


def _blocks(content: object) -> list[dict[str, Any]]:
    """The parts of a message; empty texts, which they refuse, are left out."""
    if not isinstance(content, list):
        return [{"type": "text", "text": string(content)}] if string(content) else []
    found: list[dict[str, Any]] = []
    for part in map(mapping, content):
        kind = part.get("type")
        if kind in ("text", "refusal"):
            if text := string(part.get(kind)):
                found.append({"type": "text", "text": text})
        elif kind == "image_url":
            url = string(mapping(part.get("image_url")).get("url"))
            found.append({"type": "image", "source": _image(url)})
        else:
            raise Untranslatable(f"a part of the type {string(kind)[:20]!r}")
    return found


def _image(url: str) -> dict[str, str]:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = url.partition(",")
    media, _, coding = head.removeprefix("data:").partition(";")
    if coding != "base64":
        raise Untranslatable("an image that is not in base64")
    return {"type": "base64", "media_type": media, "data": data}


def _call(call: object) -> dict[str, Any]:
    function = mapping(mapping(call).get("function"))
    try:
        given = json.loads(string(function.get("arguments")) or "{}")
    except (ValueError, RecursionError) as error:
        raise Untranslatable("a tool call whose arguments are not JSON") from error
    return {"type": "tool_use", "id": mapping(call).get("id"), "name": function.get("name"), "input": given}


def _tool(tool: object) -> dict[str, Any]:
    function = mapping(mapping(tool).get("function"))
    if mapping(tool).get("type") != "function" or not function.get("name"):
        raise Untranslatable("a tool that is no function")
    made: dict[str, Any] = {
        "name": function["name"],
        "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
    }
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict") and is_closed(function.get("parameters")):
        made["strict"] = True
    return made


def _tool_choice(body: Mapping[str, Any]) -> dict[str, Any]:
    wanted = body.get("tool_choice") or "auto"
    if isinstance(wanted, Mapping):
        choice: dict[str, Any] = {"type": "tool", "name": mapping(wanted.get("function")).get("name")}
    elif wanted in ("auto", "none", "required"):
        choice = {"type": "any" if wanted == "required" else wanted}
    else:
        raise Untranslatable("this tool_choice")
    if body.get("parallel_tool_calls") is False and wanted != "none":
        choice["disable_parallel_tool_use"] = True
    return {"tool_choice": choice}


def _format(wanted: Mapping[str, Any], quirks: Quirks, system: list[str]) -> dict[str, Any] | None:
    """The form the answer must have; where it cannot be enforced it is told in words, added to `system`."""
    kind = wanted.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        system.append(_JSON)
        return None
    if kind != "json_schema":
        raise Untranslatable("this response_format")
    schema = mapping(mapping(wanted.get("json_schema")).get("schema"))
    if quirks.schema is Schema.ENFORCED and is_closed(schema):
        return {"type": "json_schema", "schema": schema}
    system.append(in_words(schema))
    return None


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _answer(payload: Mapping[str, Any], model: str, usage: Usage | None, created: int) -> Completion | Fault:
    if error := payload.get("error"):
        return of_answer(error)
    blocks = payload.get("content")
    if not isinstance(blocks, list):
        return fault(ErrorClass.UNKNOWN, "the answer has no content")
    message = _message(blocks)
    reason = _REASONS.get(string(payload.get("stop_reason")))
    finish = judge(reason, message)
    if isinstance(finish, Fault):
        return finish
    named = string(payload.get("model")) or model
    whole: dict[str, Any] = {
        "id": string(payload.get("id")),
        "object": "chat.completion",
        "created": created,
        "model": named,
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
    }
    if usage is not None:
        whole["usage"] = usage_shown(usage)
    return Completion(
        text=words_of(message), finish=finish, usage=usage, model=named, response_id=whole["id"], payload=whole
    )


def _message(blocks: list[Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    calls: list[dict[str, Any]] = []
    for block in map(mapping, blocks):
        match block.get("type"):
            case "text":
                message["content"] = (message["content"] or "") + string(block.get("text"))
            case "thinking":
                message["reasoning_content"] = message.get("reasoning_content", "") + string(block.get("thinking"))
            case "tool_use":
                function = {"name": block.get("name"), "arguments": json.dumps(block.get("input") or {})}
                calls.append({"id": block.get("id"), "type": "function", "function": function})
    if calls:
        message["tool_calls"] = calls
    return message


def usage_shown(usage: Usage) -> dict[str, Any]:
    """Usage as OpenAI's clients read it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


class ClaudeBodyStream:
    """Claude's events as OpenAI's; see `bodies.BodyStream`, which puts them together."""

    def __init__(self, model: str, quirks: Quirks, created: int) -> None:
        self._whole = BodyStream(model, quirks)
        self._head: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": created, "model": model}
        self._figures: dict[str, Any] = {}
        self._output: object = None
        self._calls = -1  # the index of the tool call under way

    @property
    def begun(self) -> bool:
        return self._whole.begun

    @property
    def finished(self) -> bool:
        return self._whole.finished

    @property
    def usage(self) -> Usage | None:
        """What the stream has said it will cost; None until its finish: the output told at the start is none yet."""
        if not self.finished or self._output is None:
            return None
        return believable(claude.read_usage(self._figures), self._whole.wrote)

    def feed(self, event: object) -> tuple[Chunk, ...] | Fault:
        said = mapping(event)
        match said.get("type"):
            case "error":
                return of_answer(said.get("error"))
            case "message_start":
                return self._start(mapping(said.get("message")))
            case "content_block_start":
                return self._block(mapping(said.get("content_block")))
            case "content_block_delta":
                return self._delta(mapping(said.get("delta")))
            case "message_delta":
                return self._stop(said)
        return ()

    def end(self) -> Chunk | Fault:
        last = self._whole.end()
        usage = self.usage
        if isinstance(last, Fault) or usage is None:
            return last
        return Chunk(finish=last.finish, usage=usage, payload={**(last.payload or {}), "usage": usage_shown(usage)})

    def _start(self, message: Mapping[str, Any]) -> tuple[Chunk, ...] | Fault:
        self._count(message.get("usage"))
        self._head |= {"id": string(message.get("id"))}
        self._head["model"] = string(message.get("model")) or self._head["model"]
        return self._say({"role": "assistant", "content": ""})

    def _block(self, block: Mapping[str, Any]) -> tuple[Chunk, ...] | Fault:
        if block.get("type") == "text" and block.get("text"):
            return self._say({"content": string(block["text"])})
        if block.get("type") != "tool_use":
            return ()
        self._calls += 1
        function = {"name": block.get("name"), "arguments": ""}
        call = {"index": self._calls, "id": block.get("id"), "type": "function", "function": function}
        return self._say({"tool_calls": [call]})

    def _delta(self, delta: Mapping[str, Any]) -> tuple[Chunk, ...] | Fault:
        match delta.get("type"):
            case "text_delta":
                return self._say({"content": string(delta.get("text"))})
            case "thinking_delta":
                return self._say({"reasoning_content": string(delta.get("thinking"))})
            case "input_json_delta":
                piece = {"index": max(0, self._calls), "function": {"arguments": string(delta.get("partial_json"))}}
                return self._say({"tool_calls": [piece]})
        return ()

    def _stop(self, said: Mapping[str, Any]) -> tuple[Chunk, ...] | Fault:
        self._count(said.get("usage"))
        self._output = mapping(said.get("usage")).get("output_tokens", self._output)
        reason = string(mapping(said.get("delta")).get("stop_reason"))
        return self._say({}, _REASONS.get(reason, reason)) if reason else ()

    def _say(self, delta: dict[str, Any], finish: str | None = None) -> tuple[Chunk, ...] | Fault:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return self._whole.feed({**self._head, "choices": [choice]})

    def _count(self, usage: object) -> None:
        self._figures.update({key: value for key, value in mapping(usage).items() if value is not None})
