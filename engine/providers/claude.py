"""The messages format of Anthropic: requests, answers, streams, usage. Pure, and trusting none of what it reads."""

from __future__ import annotations

from collections.abc import Mapping

from engine.kernel.errors import ErrorClass
from engine.kernel.usage import Tier
from engine.providers.answers import believable, count, in_words, is_closed, mapping, refusal, string
from engine.providers.endpoints import Quirks, Schema
from engine.providers.faults import Fault, fault, of_answer
from engine.providers.port import Chunk, Completion, Finish, ModelRequest, Role, Usage

PATH = "/v1/messages"

_HALF_PRICE = ("batch",)  # its priority tier is capacity paid in advance: the tokens count at the published price
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
    """A whole answer, or why the payload is none: of no use, it still says what it will cost."""
    content = payload.get("content")
    blocks = [mapping(block) for block in content] if isinstance(content, list) else []
    text = "".join(string(block.get("text")) for block in blocks if block.get("type") == "text")
    usage = believable(read_usage(payload.get("usage")), text)
    finish = _finish_of(payload, blocks, text, request)
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
    payload: Mapping[str, object], blocks: list[Mapping[str, object]], text: str, request: ModelRequest
) -> Finish | Fault:
    """Why the model stopped, if that and all the rest make a usable answer. A refusal may come without content."""
    if error := payload.get("error"):
        return of_answer(error)
    finish = read_finish(payload.get("stop_reason"))
    if isinstance(finish, Fault):
        return finish
    if not blocks:
        return fault(ErrorClass.UNKNOWN, "the answer has no content")
    return refusal(text, finish, request.schema) or finish


def read_finish(reason: object) -> Finish | Fault:
    """Why the model stopped; a reason that is no success, or none at all, is a fault."""
    if known := _FINISHES.get(string(reason)):
        return known
    if reason == "refusal":
        return fault(ErrorClass.CONTENT_FILTER, "the model declined to answer")
    return fault(ErrorClass.UNKNOWN, "the answer does not say why it ended")


def read_usage(usage: object) -> Usage | None:
    """Tokens as reported, or None when they are missing or cannot be true.

    `input_tokens` here leaves out what was read from or written to the prompt cache, so both are added. How long the
    written ones are kept stands in `cache_creation`.
    """
    report = mapping(usage)
    if report.get("input_tokens") is None or report.get("output_tokens") is None:
        return None
    try:
        read = _usage(report)
    except ValueError:
        return None
    if read.reasoning_tokens > read.output_tokens or read.hour_write_tokens > read.cache_write_tokens:
        return None
    return read if read.input_tokens + read.output_tokens else None


def _usage(report: Mapping[str, object]) -> Usage:
    cached, written = count(report.get("cache_read_input_tokens")), count(report.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=count(report.get("input_tokens")) + cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        hour_write_tokens=count(mapping(report.get("cache_creation")).get("ephemeral_1h_input_tokens")),
        output_tokens=count(report.get("output_tokens")),
        reasoning_tokens=count(mapping(report.get("output_tokens_details")).get("thinking_tokens")),
        tier=Tier.BATCH if report.get("service_tier") in _HALF_PRICE else Tier.STANDARD,
    )


class ClaudeStream:
    """Puts one streamed answer together. `feed` every event, then `end`."""

    def __init__(self, request: ModelRequest) -> None:
        self._schema = request.schema
        self._pieces: list[str] = []
        self._begun = False
        self._finish: object = None
        self._report: dict[str, object] = {}
        self._output: object = None

    @property
    def begun(self) -> bool:
        """Whether the answer's words have begun to come."""
        return self._begun

    @property
    def finished(self) -> bool:
        """Whether the model has said why it stopped."""
        return self._finish is not None

    @property
    def usage(self) -> Usage | None:
        """What the stream has said it will cost; None until its finish: the output told at the start is none yet."""
        if not self.finished or self._output is None:
            return None
        return believable(read_usage(self._report), "".join(self._pieces))

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
                self._output = mapping(said.get("usage")).get("output_tokens", self._output)
                self._finish = mapping(said.get("delta")).get("stop_reason") or self._finish
            case "content_block_delta":
                return self._text(mapping(said.get("delta")))
        return ""

    def _count(self, usage: object) -> None:
        self._report.update({key: value for key, value in mapping(usage).items() if value is not None})

    def _text(self, delta: Mapping[str, object]) -> str:
        text = string(delta.get("text")) if delta.get("type") == "text_delta" else ""
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
        return refusal("".join(self._pieces), finish, self._schema) or Chunk(finish=finish, usage=self.usage)
