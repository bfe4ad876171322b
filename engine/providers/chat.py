"""The chat-completions format of OpenAI, which most of the world speaks: requests, answers, streams, usage. Pure.

It reads plain JSON and trusts none of it. The adapters use it under the SDK; a gateway can use it without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.kernel.errors import ErrorClass
from engine.kernel.usage import Tier
from engine.providers.answers import believable, count, first, in_words, is_closed, mapping, refusal, string
from engine.providers.endpoints import Quirks, Schema
from engine.providers.faults import Fault, fault, of_answer
from engine.providers.port import Chunk, Completion, Finish, Message, ModelRequest, Role, Usage

PATH = "/chat/completions"

_FINISHES = {
    "stop": Finish.STOP,
    "eos": Finish.STOP,  # servers that speak the dialect with an accent
    "end_turn": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "tool_calls": Finish.TOOL,
    "function_call": Finish.TOOL,
}
_FILTERS = ("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "refusal")
_BREAKDOWNS = ("insufficient_system_resource", "abort", "error")  # DeepSeek, vLLM, gateways


def request_body(model: str, request: ModelRequest, quirks: Quirks, *, stream: bool = False) -> dict[str, object]:
    """The JSON body of a call."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": message.role.value, "content": message.text} for message in _messages(request, quirks)],
        quirks.limit_field: request.max_output_tokens,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.schema is not None and quirks.schema is not Schema.TOLD:
        body["response_format"] = _response_format(request.schema, quirks)
    if request.user and quirks.user_field:
        body[quirks.user_field] = request.user
    if stream:
        body["stream"] = True
        if quirks.asks_stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body


def _messages(request: ModelRequest, quirks: Quirks) -> tuple[Message, ...]:
    if request.schema is None or quirks.schema is Schema.ENFORCED:
        return request.messages
    return (Message(Role.SYSTEM, in_words(request.schema)), *request.messages)


def _response_format(schema: Mapping[str, Any], quirks: Quirks) -> dict[str, object]:
    if quirks.schema is Schema.JSON_ONLY:
        return {"type": "json_object"}
    named = {"name": "answer", "schema": schema, "strict": is_closed(schema)}
    return {"type": "json_schema", "json_schema": named}


def read_completion(
    payload: Mapping[str, object], model: str, request: ModelRequest, quirks: Quirks
) -> Completion | Fault:
    """A whole answer, or why the payload is none: of no use, it still says what it will cost."""
    choice = first(payload.get("choices")) or {}
    message = mapping(choice.get("message"))
    text = _text(message.get("content"))
    usage = believable(read_usage(payload.get("usage"), quirks, payload.get("service_tier")), text)
    finish = _finish_of(payload, choice, message, text, request)
    if isinstance(finish, Fault):
        return finish.billed(usage)
    return Completion(
        text=text,
        finish=finish,
        usage=usage,
        model=string(payload.get("model")) or model,
        response_id=string(payload.get("id")),
    )


def _finish_of(
    payload: Mapping[str, object],
    choice: Mapping[str, object],
    message: Mapping[str, object],
    text: str,
    request: ModelRequest,
) -> Finish | Fault:
    """Why the model stopped, if that and all the rest make a usable answer."""
    if error := payload.get("error"):
        return of_answer(error)
    if not choice:
        return fault(ErrorClass.UNKNOWN, "the answer has no choices")
    finish = read_finish(choice.get("finish_reason"))
    if isinstance(finish, Fault):
        return finish
    if message.get("refusal"):
        return fault(ErrorClass.CONTENT_FILTER, "the model declined to answer")
    return refusal(text, finish, request.schema) or finish


def read_finish(reason: object) -> Finish | Fault:
    """Why the model stopped; a reason that is no success, or none at all, is a fault."""
    word = string(reason).lower()
    if known := _FINISHES.get(word):
        return known
    if word.startswith(_FILTERS):
        return fault(ErrorClass.CONTENT_FILTER)
    if word in _BREAKDOWNS:
        return fault(ErrorClass.SERVER_ERROR, "the provider gave up in the middle of the answer")
    return fault(ErrorClass.UNKNOWN, "the answer does not say why it ended")


def read_usage(usage: object, quirks: Quirks, tier: object = None) -> Usage | None:
    """Tokens as reported, or None when they are missing or cannot be true: the cost is then estimated, never zero.

    xAI counts reasoning tokens beside `completion_tokens`, OpenAI inside; `total_tokens` tells which. Gemini counts
    them in `total_tokens` alone. DeepSeek calls cached tokens `prompt_cache_hit_tokens`. `tier` is the answer's
    `service_tier`, which stands beside its usage. An embedding has no `completion_tokens`.
    """
    report = mapping(usage)
    try:
        read = _usage(report, quirks, _tier(tier, quirks))
    except ValueError:
        return None
    told = report.get("prompt_tokens") is not None and _tells_output(report)
    return read if told and read.input_tokens + read.output_tokens and _consistent(read) else None


def _tells_output(report: Mapping[str, object]) -> bool:
    """Whether the completion's tokens are told, or, as of embeddings, there can be none beside the prompt's."""
    if report.get("completion_tokens") is not None:
        return True
    return "completion_tokens" not in report and report.get("total_tokens") == report.get("prompt_tokens")


def _tier(name: object, quirks: Quirks) -> Tier:
    said = string(name).lower()
    if said in quirks.half_price:
        return Tier.BATCH
    return Tier.PRIORITY if said in quirks.dearer else Tier.STANDARD


def _usage(report: Mapping[str, object], quirks: Quirks, tier: Tier) -> Usage:
    into, out_of = mapping(report.get("prompt_tokens_details")), mapping(report.get("completion_tokens_details"))
    prompt, output = count(report.get("prompt_tokens")), count(report.get("completion_tokens"))
    reasoning = count(out_of.get("reasoning_tokens"))
    beside = count(report.get("total_tokens")) - prompt - output
    if beside > 0 and quirks.reasoning_in_total_only and not reasoning:
        reasoning = beside
    if reasoning and (beside == reasoning or reasoning > output):
        output += reasoning
    return Usage(
        input_tokens=prompt,
        cached_tokens=count(into.get("cached_tokens")) or count(report.get("prompt_cache_hit_tokens")),
        cache_write_tokens=count(into.get("cache_write_tokens")),
        output_tokens=output,
        reasoning_tokens=reasoning,
        tier=tier,
    )


def _consistent(usage: Usage) -> bool:
    return usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens


def _text(content: object) -> str:
    """The text of a message's content: a string, or (some servers) a list of typed parts."""
    if isinstance(content, list):
        parts = (mapping(part) for part in content)
        return "".join(string(part.get("text")) for part in parts if part.get("type") == "text")
    return string(content)


class ChatStream:
    """Puts one streamed answer together. `feed` every event, then `end`."""

    def __init__(self, request: ModelRequest, quirks: Quirks) -> None:
        self._schema = request.schema
        self._quirks = quirks
        self._pieces: list[str] = []
        self._begun = False
        self._finish: object = None
        self._report: object = None
        self._tier: object = None
        self._declined = False

    @property
    def begun(self) -> bool:
        """Whether the answer's words have begun to come."""
        return self._begun

    @property
    def finished(self) -> bool:
        """Whether the model has said why it stopped: a cut after that loses the usage only."""
        return self._finish is not None

    @property
    def usage(self) -> Usage | None:
        """What the stream has said it will cost; None until its finish, since figures before that still grow."""
        if not self.finished:
            return None
        return believable(read_usage(self._report, self._quirks, self._tier), "".join(self._pieces))

    def feed(self, event: object) -> str | Fault:
        """The text this event adds, perhaps none. The usage comes in an event of its own, without choices."""
        chunk = mapping(event)
        if error := chunk.get("error"):
            return of_answer(error)
        self._report = chunk.get("usage") or self._report
        self._tier = chunk.get("service_tier") or self._tier
        choice = first(chunk.get("choices"))
        if choice is None or choice.get("index", 0) != 0:
            return ""
        delta = mapping(choice.get("delta"))
        self._declined = self._declined or bool(delta.get("refusal"))
        self._finish = choice.get("finish_reason") or self._finish
        text = _text(delta.get("content"))
        self._pieces.append(text)
        self._begun = self._begun or bool(text.strip())
        return text

    def end(self) -> Chunk | Fault:
        """The last chunk, or why the whole was no answer."""
        if not self.finished:
            return fault(ErrorClass.NETWORK_ERROR, "the stream was cut before the answer was finished")
        finish = read_finish(self._finish)
        if isinstance(finish, Fault):
            return finish
        if self._declined:
            return fault(ErrorClass.CONTENT_FILTER, "the model declined to answer")
        return refusal("".join(self._pieces), finish, self._schema) or Chunk(finish=finish, usage=self.usage)
