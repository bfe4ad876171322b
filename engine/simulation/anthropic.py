"""The messages protocol as Anthropic speaks it: its own headers, blocks, events, errors and way to count the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, Field

from engine.simulation import model as models
from engine.simulation import tokens
from engine.simulation.calls import CHAT_STATUSES, Call, Calls, Order, Refused, parse
from engine.simulation.faults import FaultKind
from engine.simulation.stage import Stage

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
_REASONS = {models.End.STOP: "end_turn", models.End.LENGTH: "max_tokens", models.End.FILTERED: "refusal"}


class _Block(BaseModel):
    type: str
    text: str = ""
    cache_control: dict[str, Any] | None = None


class _Message(BaseModel):
    role: Literal["user", "assistant"]
    content: str | list[_Block]

    def blocks(self) -> list[_Block]:
        return _blocks(self.content)


class _Format(BaseModel):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class _OutputConfig(BaseModel):
    format: _Format | None = None


class _Request(BaseModel):
    model: str
    max_tokens: int = Field(ge=1)
    messages: list[_Message] = Field(min_length=1)
    system: str | list[_Block] = ""
    stream: bool = False
    temperature: float | None = Field(default=None, ge=0, le=1)
    output_config: _OutputConfig | None = None


class MessagesDialect:
    """Anthropic's dialect."""

    def __init__(self) -> None:
        self.provider = "anthropic"
        self.statuses: Mapping[FaultKind, int] = {**CHAT_STATUSES, FaultKind.OUTAGE: 529}

    def call_id(self, number: int) -> str:
        return f"msg_world{number:08x}"

    def authenticate(self, request: web.Request) -> None:
        """Raises Refused unless a key and the protocol's version are there; any key will do."""
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not (request.headers.get("x-api-key") or bearer):
            raise Refused(401, "refuse_auth", "x-api-key header is required")
        if not request.headers.get("anthropic-version"):
            raise Refused(400, "invalid", "anthropic-version: header is required")

    def read(self, request: web.Request, body: bytes) -> Order:
        self.authenticate(request)
        wanted = parse(_Request, body)
        model = self.model(wanted.model)
        system = _blocks(wanted.system) if wanted.system else []
        contents = ["\n".join(block.text for block in each.blocks()) for each in wanted.messages]
        users = [text for each, text in zip(wanted.messages, contents, strict=True) if each.role == "user"]
        form = wanted.output_config.format if wanted.output_config else None
        ask = models.Ask(
            provider=self.provider,
            model=model,
            contents=(*["\n".join(block.text for block in system)][: len(system)], *contents),
            last_user=users[-1] if users else "",
            max_tokens=wanted.max_tokens,
            schema=form.schema_ if form else None,
            cacheable=_marked([*system, *(block for each in wanted.messages for block in each.blocks())]),
        )
        return Order(ask=ask, stream=wanted.stream)

    def model(self, name: str) -> models.Model:
        """The model of that name. Raises Refused."""
        found = models.find(self.provider, name)
        if found is None:
            raise Refused(404, "no_model", f"model: {name}")
        return found

    def refuse(self, refused: Refused, call_id: str) -> dict[str, Any]:
        error = {"type": _ERRORS.get(refused.status, "api_error"), "message": refused.message}
        return {"type": "error", "error": error, "request_id": call_id}

    def whole(self, call: Call) -> bytes:
        content = [{"type": "text", "text": call.answer.text}] if call.answer.text else []
        message = self._message(call, content, _REASONS[call.answer.end], call.answer.usage.output)
        return orjson.dumps(message)

    def opening(self, call: Call) -> bytes:
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        start = {"type": "message_start", "message": self._message(call, [], None, 1)}
        return _event(start) + _event(block) + _event({"type": "ping"})

    def piece(self, call: Call, text: str) -> bytes:
        return _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})

    def closing(self, call: Call) -> bytes:
        delta = {"stop_reason": _REASONS[call.answer.end], "stop_sequence": None}
        usage = {"output_tokens": call.answer.usage.output}
        end = _event({"type": "content_block_stop", "index": 0})
        end += _event({"type": "message_delta", "delta": delta, "usage": usage})
        return end + _event({"type": "message_stop"})

    def _message(self, call: Call, content: list[dict[str, str]], reason: str | None, output: int) -> dict[str, Any]:
        usage = call.answer.usage
        return {
            "id": call.id,
            "type": "message",
            "role": "assistant",
            "model": call.order.ask.model.answers_as,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": usage.input - usage.cached - usage.written,
                "cache_creation_input_tokens": usage.written,
                "cache_read_input_tokens": usage.cached,
                "output_tokens": output,
                "service_tier": "standard",
            },
        }


def routes(stage: Stage) -> list[web.RouteDef]:
    """Every path of Anthropic."""
    dialect = MessagesDialect()
    cache = models.PromptCache(enabled=stage.scenario.models.prompt_cache, share=stage.scenario.models.cached_share)
    shelf = _Shelf(dialect)
    return [
        web.post("/anthropic/v1/messages", Calls(stage, dialect, cache).serve),
        web.post("/anthropic/v1/messages/count_tokens", shelf.count),
        web.get("/anthropic/v1/models", shelf.models),
        web.get("/anthropic/v1/models/{model}", shelf.model),
    ]


class _CountRequest(BaseModel):
    model: str
    messages: list[_Message] = Field(min_length=1)
    system: str | list[_Block] = ""


class _Shelf:
    """What Anthropic offers beside messages: the list of its models, and counting."""

    def __init__(self, dialect: MessagesDialect) -> None:
        self._dialect = dialect

    async def models(self, request: web.Request) -> web.Response:
        try:
            self._dialect.authenticate(request)
        except Refused as refused:
            return self._refuse(refused)
        data = [_entry(name) for name in models.shown("anthropic")]
        return web.json_response(
            {"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]}
        )

    async def model(self, request: web.Request) -> web.Response:
        try:
            self._dialect.authenticate(request)
            return web.json_response(_entry(self._dialect.model(request.match_info["model"]).name))
        except Refused as refused:
            return self._refuse(refused)

    async def count(self, request: web.Request) -> web.Response:
        try:
            self._dialect.authenticate(request)
            wanted = parse(_CountRequest, await request.read())
            self._dialect.model(wanted.model)
        except Refused as refused:
            return self._refuse(refused)
        blocks = [*_blocks(wanted.system), *(block for each in wanted.messages for block in each.blocks())]
        return web.json_response({"input_tokens": tokens.count(tokens.join(block.text for block in blocks))})

    def _refuse(self, refused: Refused) -> web.Response:
        return web.json_response(self._dialect.refuse(refused, ""), status=refused.status)


def _entry(name: str) -> dict[str, str]:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"}


def _blocks(content: str | list[_Block]) -> list[_Block]:
    return [_Block(type="text", text=content)] if isinstance(content, str) else content


def _marked(blocks: list[_Block]) -> str:
    """The text up to the last block marked for caching; empty when none is."""
    last = max((n for n, block in enumerate(blocks) if block.cache_control), default=-1)
    return tokens.join(block.text for block in blocks[: last + 1])


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + b"data: " + orjson.dumps(event) + b"\n\n"
