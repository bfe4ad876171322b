"""Requests that a client already wrote in OpenAI's shape, and the answers to them, handed on as they are. Pure.

Of a request only what the engine answers for is set: the model, the cap on its output, whether it is streamed, and the
wish for usage figures. Whatever else it says goes along, known here or not. An answer is looked at as far as its bill
and its soundness need, and left as the provider wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.kernel.errors import ErrorClass
from engine.providers.answers import believable, count, mapping, string
from engine.providers.chat import read_finish, read_usage
from engine.providers.endpoints import Quirks
from engine.providers.faults import Fault, fault, of_answer
from engine.providers.port import Chunk, Completion, Finish, ModelRequest, Operation, Usage

_CAPS = ("max_tokens", "max_completion_tokens")
_WRITTEN = ("content", "refusal", "reasoning_content", "reasoning")  # fields of a message that hold a model's words


def request_body(model: str, request: ModelRequest, quirks: Quirks, *, stream: bool) -> dict[str, Any]:
    """The client's body as this endpoint is to get it."""
    body: dict[str, Any] = {**(request.body or {}), "model": model}
    if request.operation is Operation.EMBEDDINGS:
        return body
    cap = output_cap(request)
    for name in _CAPS:
        body.pop(name, None)
    body[quirks.limit_field] = cap
    body.pop("stream", None)
    options = mapping(body.pop("stream_options", None))
    if stream:
        body["stream"] = True
        body["stream_options"] = {**options, "include_usage": True}
    return body


def output_cap(request: ModelRequest) -> int:
    """The most tokens one choice may have: its share of the engine's cap, or the client's own where that is lower."""
    body = request.body or {}
    share = max(1, request.max_output_tokens // choices_of(body))
    own = (body.get(name) for name in _CAPS)
    return min((share, *(cap for cap in own if isinstance(cap, int) and cap > 0)))


def choices_of(body: Mapping[str, Any]) -> int:
    """How many answers a body asks for."""
    number = body.get("n")
    return number if isinstance(number, int) and number > 0 else 1


def read_answer(
    payload: Mapping[str, Any], model: str, request: ModelRequest, quirks: Quirks
) -> tuple[Completion | Fault, Usage | None]:
    """A whole answer or why the payload is none, and the usage it tells in either case."""
    if request.operation is Operation.EMBEDDINGS:
        usage = read_embedding_usage(payload.get("usage"))
        return _embeddings(payload, model, usage), usage
    usage = read_usage(payload.get("usage"), quirks, payload.get("service_tier"))
    usage = believable(usage, _written(payload.get("choices")))
    return _chat(payload, model, usage), usage


def _written(choices: object) -> str:
    """Something of what a model wrote; empty when it wrote nothing."""
    messages = [mapping(mapping(choice).get("message")) for choice in choices] if isinstance(choices, list) else []
    return next((text for message in messages if (text := words_of(message))), "")


def read_embedding_usage(report: object) -> Usage | None:
    """Tokens of an embedding, None where they are missing or cannot be true. It has no output."""
    try:
        tokens = count(mapping(report).get("prompt_tokens"))
    except ValueError:
        return None
    return Usage(input_tokens=tokens) if tokens else None


def _embeddings(payload: Mapping[str, Any], model: str, usage: Usage | None) -> Completion | Fault:
    if error := payload.get("error"):
        return of_answer(error)
    data = payload.get("data")
    if not isinstance(data, list) or not data or not all(mapping(one).get("embedding") for one in data):
        return fault(ErrorClass.UNKNOWN, "the answer has no embeddings")
    named = string(payload.get("model")) or model
    return Completion(text="", finish=Finish.STOP, usage=usage, model=named, payload=payload)


def _chat(payload: Mapping[str, Any], model: str, usage: Usage | None) -> Completion | Fault:
    if error := payload.get("error"):
        return of_answer(error)
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        return fault(ErrorClass.UNKNOWN, "the answer has no choices")
    judged = [judge(choice.get("finish_reason"), mapping(choice.get("message"))) for choice in choices]
    finish = next((one for one in judged if not isinstance(one, Fault)), judged[0])
    if isinstance(finish, Fault):
        return finish
    return Completion(
        text=words_of(mapping(choices[0].get("message"))),
        finish=finish,
        usage=usage,
        model=string(payload.get("model")) or model,
        response_id=string(payload.get("id")),
        payload=payload,
    )


def judge(reason: object, message: Mapping[str, object]) -> Finish | Fault:
    """How a choice ended, or why it is none. A call of a tool needs no text, and a refusal is an answer."""
    finish = read_finish(reason)
    if isinstance(finish, Fault):
        return finish
    if message.get("tool_calls") or message.get("function_call") or message.get("refusal"):
        return finish
    if words_of(message).strip():
        return finish
    spent = "all of its tokens went elsewhere" if finish is Finish.LENGTH else "it holds no text"
    return fault(ErrorClass.UNKNOWN, f"the answer is empty: {spent}")


def words_of(message: Mapping[str, object]) -> str:
    """The text of a message: a string, or a list of typed parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(string(mapping(part).get("text")) for part in content)
    return string(content)


class BodyStream:
    """Puts one streamed answer together. `feed` every event, then `end`."""

    def __init__(self, model: str, quirks: Quirks) -> None:
        self._model = model
        self._quirks = quirks
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: object = None
        self._tier: object = None
        self.wrote = ""  # something of what the model wrote

    @property
    def begun(self) -> bool:
        """Whether a model's words have begun to come."""
        return bool(self.wrote)

    @property
    def finished(self) -> bool:
        """Whether every choice has said why it stopped: a cut after that loses the usage only."""
        return bool(self._choices) and all(choice.finish is not None for choice in self._choices.values())

    @property
    def usage(self) -> Usage | None:
        """What the stream has said it will cost; None until its finish, since figures before that still grow."""
        if not self.finished:
            return None
        return believable(read_usage(self._usage, self._quirks, self._tier), self.wrote)

    def feed(self, event: object) -> tuple[Chunk, ...] | Fault:
        """The pieces to hand on. Usage is kept back: it comes with the whole."""
        if not isinstance(event, dict):
            return fault(ErrorClass.UNKNOWN, "an event of the stream is not a JSON object")
        if error := event.get("error"):
            return of_answer(error)
        self._usage = event.pop("usage", None) or self._usage
        self._tier = event.get("service_tier") or self._tier
        if not self._head:
            self._head = {name: value for name, value in event.items() if name != "choices"}
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices:
            return ()  # the event of the usage, or Azure's about its filter
        text = "".join([self._choice(choice) for choice in choices if isinstance(choice, dict)])
        self.wrote = self.wrote or text
        return (Chunk(text=text, event=event),)

    def _choice(self, said: dict[str, Any]) -> str:
        index = said.get("index")
        index = index if isinstance(index, int) else 0
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice.add(said)

    def end(self) -> Chunk | Fault:
        """The last chunk, or why the whole was no answer."""
        if not self.finished:
            return fault(ErrorClass.NETWORK_ERROR, "the stream was cut before the answer was finished")
        judged = [judge(choice.finish, choice.message()) for _, choice in sorted(self._choices.items())]
        finish = next((one for one in judged if not isinstance(one, Fault)), judged[0])
        return finish if isinstance(finish, Fault) else Chunk(finish=finish, usage=self.usage, payload=self._payload())

    def _payload(self) -> dict[str, Any]:
        choices = [choice.whole(index) for index, choice in sorted(self._choices.items())]
        whole = {**self._head, "object": "chat.completion", "choices": choices}
        if self._usage:
            whole["usage"] = self._usage
        return whole


class _Choice:
    """One choice of a streamed answer, as its pieces come."""

    __slots__ = ("_parts", "_rest", "_tools", "finish", "logprobs")

    def __init__(self) -> None:
        self.finish: object = None
        self.logprobs: dict[str, list[Any]] = {}
        self._parts: dict[str, list[str]] = {}  # fields that are written piece by piece
        self._rest: dict[str, Any] = {"role": "assistant", "content": None}
        self._tools: dict[int, dict[str, Any]] = {}

    def add(self, said: Mapping[str, Any]) -> str:
        """Take a piece in; returns what the model wrote with it."""
        self.finish = said.get("finish_reason") or self.finish
        for kind, listed in mapping(said.get("logprobs")).items():
            if isinstance(listed, list):
                self.logprobs.setdefault(kind, []).extend(listed)
        written = ""
        for name, value in mapping(said.get("delta")).items():
            if name in _WRITTEN and isinstance(value, str):
                self._parts.setdefault(name, []).append(value)
                written += value
            elif name == "tool_calls" and isinstance(value, list):
                written += "".join([self._tool(call) for call in value if isinstance(call, dict)])
            elif name == "function_call":
                written += _merge(self._rest.setdefault("function_call", {}), mapping(value))
            elif value is not None:
                self._rest[name] = value
        return written

    def _tool(self, call: Mapping[str, Any]) -> str:
        index = call.get("index")
        index = index if isinstance(index, int) else len(self._tools)
        known = self._tools.setdefault(index, {"function": {}})
        written = _merge(known["function"], mapping(call.get("function")))
        known.update({name: value for name, value in call.items() if value and name not in ("index", "function")})
        return written

    def message(self) -> dict[str, Any]:
        message = self._rest | {name: "".join(parts) for name, parts in self._parts.items()}
        if self._tools:
            message["tool_calls"] = [{"type": "function", **call} for _, call in sorted(self._tools.items())]
            message["content"] = message["content"] or None
        return message

    def whole(self, index: int) -> dict[str, Any]:
        whole = {"index": index, "message": self.message(), "finish_reason": self.finish}
        return {**whole, "logprobs": self.logprobs or None}


def _merge(known: dict[str, Any], piece: Mapping[str, Any]) -> str:
    """Add a piece of a function's call: its name comes once, its arguments bit by bit."""
    if isinstance(name := piece.get("name"), str) and name:
        known["name"] = name
    written = string(piece.get("arguments"))
    known["arguments"] = known.get("arguments", "") + written
    return written
