"""The chat-completions protocol as OpenAI, Azure OpenAI, DeepSeek, xAI and Google's compatible endpoint speak it.

One dialect, five providers: what differs is the address, where the key stands, the form of errors, and the extra fields
of usage.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Mapping
from typing import Any, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, Field

from engine.kernel.values import SECOND
from engine.simulation import model as models
from engine.simulation import tokens
from engine.simulation.calls import CHAT_STATUSES, Call, Calls, Order, Refused, parse
from engine.simulation.faults import FaultKind
from engine.simulation.stage import Stage, connected

_FOLDERS = {
    "openai": "/openai/v1",
    "deepseek": "/deepseek/v1",
    "xai": "/xai/v1",
    "gemini": "/gemini/v1beta/openai",
}
_VECTOR_SIZES = {"text-embedding-3-large": 3_072, "gemini-embedding-001": 3_072}
_EMBEDDING_DELAY = SECOND // 5


class _Part(BaseModel):
    type: str
    text: str = ""


class _Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None

    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class _JsonSchema(BaseModel):
    name: str
    schema_: dict[str, Any] = Field(alias="schema", default_factory=dict)


class _Format(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class _Function(BaseModel):
    name: str = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)


class _Tool(BaseModel):
    type: Literal["function"]
    function: _Function


class _StreamOptions(BaseModel):
    include_usage: bool = False


class _Chat(BaseModel):
    model: str = ""
    messages: list[_Message] = Field(min_length=1)
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    response_format: _Format | None = None
    tools: list[_Tool] = Field(default_factory=list)
    tool_choice: Literal["auto", "none", "required"] | _Tool | None = None

    def called(self) -> _Function | None:
        """The function that must be called; left to choose, these models rather talk."""
        if isinstance(self.tool_choice, _Tool):
            wanted = self.tool_choice.function.name
            return next((tool.function for tool in self.tools if tool.function.name == wanted), None)
        return self.tools[0].function if self.tool_choice == "required" and self.tools else None


class _Embedding(BaseModel):
    model: str
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, le=4_096)


class ChatDialect:
    """The dialect of one of the five providers."""

    def __init__(self, provider: str, deployments: Mapping[str, str] | None = None) -> None:
        self.provider = provider
        self.statuses = {**CHAT_STATUSES, FaultKind.CONTENT_FILTER: 400} if provider == "azure" else CHAT_STATUSES
        self._deployments = deployments or {}

    def call_id(self, number: int) -> str:
        return f"chatcmpl-world{number:08x}"

    def authenticate(self, request: web.Request) -> None:
        """Raises Refused unless a key is there; any key will do."""
        key = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if self.provider == "azure":
            key = key or request.headers.get("api-key", "")
        if not key:
            raise Refused(401, "refuse_auth", "You didn't provide an API key.")

    def read(self, request: web.Request, body: bytes) -> Order:
        self.authenticate(request)
        deployment = request.match_info.get("deployment")
        if deployment is not None and not request.query.get("api-version"):
            raise Refused(404, "no_version", "Resource not found")
        chat = parse(_Chat, body)
        model = self._model(deployment or chat.model, deployment is not None)
        if model.thinks and self.provider in ("openai", "azure"):
            _check_reasoning(chat, model.name)
        contents = tuple(message.text() for message in chat.messages)
        users = [message.text() for message in chat.messages if message.role == "user"]
        form, called = chat.response_format, chat.called()
        schema = form.json_schema.schema_ if form and form.json_schema else None
        if called is not None:
            schema = called.parameters or {"type": "object", "properties": {}}
        ask = models.Ask(
            provider=self.provider,
            model=model,
            contents=contents,
            last_user=users[-1] if users else "",
            max_tokens=chat.max_completion_tokens or chat.max_tokens,
            schema=schema,
            wants_json=form is not None and form.type == "json_object",
        )
        usage = chat.stream_options is not None and chat.stream_options.include_usage
        return Order(
            ask=ask,
            stream=bool(chat.stream),
            stream_usage=usage,
            deployment=deployment,
            tool=called.name if called else "",
        )

    def _model(self, name: str, deployed: bool) -> models.Model:
        found = models.find(self.provider, self._deployments.get(name, name))
        if found is not None:
            return found
        if deployed:
            raise Refused(404, "no_deployment", "The API deployment for this resource does not exist.")
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise Refused(404, "no_model", message, param="model")

    def refuse(self, refused: Refused, call_id: str) -> dict[str, Any] | list[Any]:
        kind, code = _WORDS.get(refused.reason, ("invalid_request_error", None))
        match self.provider:
            case "xai":
                return {"code": kind, "error": refused.message}
            case "gemini":
                status = _GOOGLE.get(refused.status, "INTERNAL")
                return [{"error": {"code": refused.status, "message": refused.message, "status": status}}]
            case "azure":
                azure = _AZURE.get(refused.reason, str(refused.status))
                return {"error": {"code": azure, "message": refused.message, "param": refused.param, "type": kind}}
            case _:
                return {"error": {"message": refused.message, "type": kind, "param": refused.param, "code": code}}

    def whole(self, call: Call) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": call.answer.text, "refusal": None}
        if call.order.tool:
            message |= {"content": None, "tool_calls": [_tool_call(call, call.answer.text)]}
        choice = {"index": 0, "message": message, "finish_reason": _finish(call), "logprobs": None}
        return orjson.dumps(self._envelope(call, "chat.completion") | {"choices": [choice], "usage": self._usage(call)})

    def opening(self, call: Call) -> bytes:
        if call.order.tool:
            calls = [{"index": 0, **_tool_call(call, "")}]
            return self._chunk(call, {"role": "assistant", "content": None, "tool_calls": calls})
        return self._chunk(call, {"role": "assistant", "content": ""})

    def piece(self, call: Call, text: str) -> bytes:
        if call.order.tool:
            return self._chunk(call, {"tool_calls": [{"index": 0, "function": {"arguments": text}}]})
        return self._chunk(call, {"content": text})

    def closing(self, call: Call) -> bytes:
        end = self._chunk(call, {}, finish=_finish(call))
        if call.order.stream_usage:
            last = self._envelope(call, "chat.completion.chunk") | {"choices": [], "usage": self._usage(call)}
            end += b"data: " + orjson.dumps(last) + b"\n\n"
        return end + b"data: [DONE]\n\n"

    def _chunk(self, call: Call, delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        chunk = self._envelope(call, "chat.completion.chunk") | {"choices": [choice]}
        if call.order.stream_usage:
            chunk["usage"] = None
        return b"data: " + orjson.dumps(chunk) + b"\n\n"

    def _envelope(self, call: Call, kind: str) -> dict[str, Any]:
        return {
            "id": call.id,
            "object": kind,
            "created": call.at // SECOND,
            "model": call.order.ask.model.answers_as,
            "system_fingerprint": "fp_world",
        }

    def _usage(self, call: Call) -> dict[str, Any]:
        usage = call.answer.usage
        figures: dict[str, Any] = {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
        }
        if self.provider == "gemini":  # Google's endpoint shows reasoning in the total and nowhere else
            figures["completion_tokens"] = usage.output - usage.reasoning
            del figures["completion_tokens_details"]
        if self.provider == "deepseek":
            figures["prompt_cache_hit_tokens"] = usage.cached
            figures["prompt_cache_miss_tokens"] = usage.input - usage.cached
        return figures


_WORDS = {  # reason -> (type, code) in OpenAI's own error body
    "refuse_auth": ("invalid_request_error", "invalid_api_key"),
    "no_model": ("invalid_request_error", "model_not_found"),
    "unsupported": ("invalid_request_error", "unsupported_parameter"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "content_filter": ("invalid_request_error", "content_filter"),
    "server_error": ("server_error", None),
    "outage": ("server_error", "service_unavailable"),
}
_AZURE = {
    "no_deployment": "DeploymentNotFound",
    "content_filter": "content_filter",
    "outage": "ServiceUnavailable",
    "server_error": "InternalServerError",
    "unsupported": "unsupported_parameter",
    "no_model": "model_not_found",
}
_GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def routes(stage: Stage) -> list[web.RouteDef]:
    """Every path of the five providers."""
    cache = models.PromptCache(enabled=stage.scenario.models.prompt_cache, share=stage.scenario.models.cached_share)
    found: list[web.RouteDef] = []
    for provider, folder in _FOLDERS.items():
        found += _folder(stage, folder, ChatDialect(provider), cache)
    azure = ChatDialect("azure", stage.scenario.models.deployments)
    found += _folder(stage, "/azure/openai/v1", azure, cache)
    found += _folder(stage, "/azure/openai/deployments/{deployment}", azure, cache)
    return found


def _folder(stage: Stage, folder: str, dialect: ChatDialect, cache: models.PromptCache) -> list[web.RouteDef]:
    shelf = _Shelf(stage, dialect)
    return [
        web.post(f"{folder}/chat/completions", Calls(stage, dialect, cache).serve),
        web.post(f"{folder}/embeddings", shelf.embed),
        web.get(f"{folder}/models", shelf.models),
        web.get(f"{folder}/models/{{model}}", shelf.model),
    ]


class _Shelf:
    """What a provider offers beside chat: the list of its models, and embeddings."""

    def __init__(self, stage: Stage, dialect: ChatDialect) -> None:
        self._stage = stage
        self._dialect = dialect

    async def models(self, request: web.Request) -> web.Response:
        try:
            self._dialect.authenticate(request)
        except Refused as refused:
            return self._refuse(refused)
        data = [self._entry(name) for name in models.shown(self._dialect.provider)]
        return web.json_response({"object": "list", "data": data})

    async def model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        try:
            self._dialect.authenticate(request)
            if models.find(self._dialect.provider, name) is None and not models.embeds(name):
                raise Refused(404, "no_model", f"The model `{name}` does not exist.", param="model")
        except Refused as refused:
            return self._refuse(refused)
        return web.json_response(self._entry(name))

    async def embed(self, request: web.Request) -> web.Response:
        at = self._stage.clock.now()
        try:
            self._dialect.authenticate(request)
            wanted = parse(_Embedding, await request.read())
            name = request.match_info.get("deployment", wanted.model)
            if not models.embeds(name):
                raise Refused(404, "no_model", f"The model `{name}` does not exist.", param="model")
        except Refused as refused:
            return self._refuse(refused)
        texts = [wanted.input] if isinstance(wanted.input, str) else wanted.input
        size = sum(tokens.count(text) for text in texts)
        await self._stage.clock.sleep_until(at + _EMBEDDING_DELAY)
        self._note(request, at, name, texts, size)
        data = [
            {"object": "embedding", "index": n, "embedding": self._vector(name, text, wanted)}
            for n, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": size, "total_tokens": size}
        return web.json_response({"object": "list", "data": data, "model": name, "usage": usage})

    def _note(self, request: web.Request, at: int, name: str, texts: list[str], size: int) -> None:
        self._stage.record.add(
            kind="embedding",
            id=f"embd-world{self._stage.number():08x}",
            at=at,
            provider=self._dialect.provider,
            model=name,
            prompt_sha256=hashlib.sha256(tokens.join(texts).encode()).hexdigest(),
            input_tokens=size,
            status=200,
            finished_at=self._stage.clock.now(),
            complete=connected(request),
        )

    def _refuse(self, refused: Refused) -> web.Response:
        return web.json_response(self._dialect.refuse(refused, ""), status=refused.status)

    def _entry(self, name: str) -> dict[str, Any]:
        created = self._stage.started // SECOND
        return {"id": name, "object": "model", "created": created, "owned_by": self._dialect.provider}

    def _vector(self, name: str, text: str, wanted: _Embedding) -> list[float] | str:
        size = wanted.dimensions or _VECTOR_SIZES.get(name, 1_536)
        dice = self._stage.dice("embedding", self._dialect.provider, name, text)
        raw = [dice.between(-1, 1) for _ in range(size)]
        length = math.sqrt(sum(value * value for value in raw))
        vector = [value / length for value in raw]
        if wanted.encoding_format == "float":
            return vector
        return base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()


def _check_reasoning(chat: _Chat, name: str) -> None:
    """Reasoning models refuse two parameters that others take; so does the world, before a real provider does."""
    if chat.max_tokens is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise Refused(400, "unsupported", message, param="max_tokens")
    if chat.temperature not in (None, 1):
        message = (
            f"Unsupported value: 'temperature' does not support {chat.temperature} with {name}. Only 1 is supported."
        )
        raise Refused(400, "unsupported", message, param="temperature")


def _tool_call(call: Call, arguments: str) -> dict[str, Any]:
    function = {"name": call.order.tool, "arguments": arguments}
    return {"id": f"call_{call.id[-8:]}", "type": "function", "function": function}


def _finish(call: Call) -> str:
    if call.order.tool and call.answer.end is models.End.STOP:
        return "tool_calls"
    return {models.End.STOP: "stop", models.End.LENGTH: "length", models.End.FILTERED: "content_filter"}[
        call.answer.end
    ]
