"""The messages format of Anthropic: requests, answers, streams, usage. Pure, and trusting none of what it reads."""

from __future__ import annotations

from collections.abc import Mapping

from engine.kernel.errors import ErrorClass
from engine.providers.answers import count, in_words, is_closed, mapping, refusal, string
from engine.providers.endpoints import Quirks, Schema
from engine.providers.faults import Fault, fault, of_answer
from engine.providers.port import Chunk, Completion, Finish, ModelRequest, Role, Usage

PATH = "/v1/messages"

_FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL,
}


def request_body(model: str, request: ModelRequest, quirks: Quirks, *, stream: bool = False) -> dict[str, object]:
    """The JSON body of a call. System messages are joined: this format has one place for them."""
    system = [message.text for message in request.messages if message.role is Role.SYSTEM]
    body: dict[str, object] = {
        "model": model,
        "max_tokens": request.max_output_tokens,
        "messages": [
            {"role": message.role.value, "content": message.text}
            for message in request.messages
            if message.role is not Role.SYSTEM
        ],
    }
    if request.schema is not None:
        if quirks.schema is Schema.ENFORCED and is_closed(request.schema):
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
        else:
            system.append(in_words(request.schema))
    if system:
        body["system"] = "\n\n".join(system)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.user and quirks.user_field:
        body["metadata"] = {"user_id": request.user}
    if stream:
        body["stream"] = True
    return body


def read_completion(payload: Mapping[str, object], model: str, request: ModelRequest) -> Completion | Fault:
    """A whole answer, or why the payload is none."""
    if error := payload.get("error"):
        return of_answer(error)
    blocks = payload.get("content")
    if not isinstance(blocks, list) or not blocks:
        return fault(ErrorClass.UNKNOWN, "the answer has no content")
    finish = read_finish(payload.get("stop_reason"))
    if isinstance(finish, Fault):
        return finish
    text = "".join(string(block.get("text")) for block in map(mapping, blocks) if block.get("type") == "text")
    return refusal(text, finish, request.schema) or Completion(
        text=text,
        finish=finish,
        usage=read_usage(payload.get("usage")),
        model=string(payload.get("model")) or model,
        response_id=string(payload.get("id")),
    )


def read_finish(reason: object) -> Finish | Fault:
    """Why the model stopped; a reason that is no success, or none at all, is a fault."""
    if known := _FINISHES.get(string(reason)):
        return known
    if reason == "refusal":
        return fault(ErrorClass.CONTENT_FILTER, "the model declined to answer")
    return fault(ErrorClass.UNKNOWN, "the answer does not say why it ended")


def read_usage(usage: object) -> Usage | None:
    """Tokens as reported, or None when they are missing or cannot be true.

    `input_tokens` here leaves out what was read from or written to the prompt cache, so both are added.
    """
    report = mapping(usage)
    if report.get("input_tokens") is None or report.get("output_tokens") is None:
        return None
    try:
        read = _usage(report)
    except ValueError:
        return None
    return read if read.input_tokens + read.output_tokens and read.reasoning_tokens <= read.output_tokens else None


def _usage(report: Mapping[str, object]) -> Usage:
    cached, written = count(report.get("cache_read_input_tokens")), count(report.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=count(report.get("input_tokens")) + cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=count(report.get("output_tokens")),
        reasoning_tokens=count(mapping(report.get("output_tokens_details")).get("thinking_tokens")),
    )


class ClaudeStream:
    """Puts one streamed answer together. `feed` every event, then `end`."""

    def __init__(self, request: ModelRequest) -> None:
        self._schema = request.schema
        self._pieces: list[str] = []
        self._finish: object = None
        self._usage: dict[str, object] = {}

    @property
    def finished(self) -> bool:
        """Whether the model has said why it stopped."""
        return self._finish is not None

    def feed(self, event: object) -> str | Fault:
        """The text this event adds, perhaps none. Usage is cumulative: the start tells the input, deltas the output."""
        said = mapping(event)
        match said.get("type"):
            case "error":
                return of_answer(said.get("error"))
            case "message_start":
                self._count(mapping(said.get("message")).get("usage"))
            case "message_delta":
                self._count(said.get("usage"))
                self._finish = mapping(said.get("delta")).get("stop_reason") or self._finish
            case "content_block_delta":
                return self._text(mapping(said.get("delta")))
        return ""

    def _count(self, usage: object) -> None:
        self._usage.update({key: value for key, value in mapping(usage).items() if value is not None})

    def _text(self, delta: Mapping[str, object]) -> str:
        text = string(delta.get("text")) if delta.get("type") == "text_delta" else ""
        self._pieces.append(text)
        return text

    def end(self) -> Chunk | Fault:
        """The last chunk, or why the whole was no answer."""
        if not self.finished:
            return fault(ErrorClass.NETWORK_ERROR, "the stream was cut before the answer was finished")
        finish = read_finish(self._finish)
        if isinstance(finish, Fault):
            return finish
        return refusal("".join(self._pieces), finish, self._schema) or Chunk(
            finish=finish, usage=read_usage(self._usage)
        )
