"""What `/openapi.json` says of /v1: as much of OpenAI's interface as is read or made here; the rest passes as it is."""

from __future__ import annotations

from typing import Any

from huntaze_console.api.gateway.errors import TRACE

Json = dict[str, Any]

_SCHEME = "key"  # the name of the gateway's own way to say who asks
_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 1}
_THINGS: Json = {"type": "array", "items": {"type": "object"}}
_PASSED_ON = "What is not named here reaches the provider as it came; what it cannot account for is refused by name."
_HEADERS = {
    TRACE: "Finds the calls: GET /api/v2/traces/{trace_id}.",
    "x-huntaze-cost-usd": "Exact dollars, or `unpriced`. Not of a stream, whose last event tells it under `huntaze`.",
    "x-huntaze-provider": "Who answered.",
    "x-huntaze-model": "Which of its models.",
    "x-huntaze-cache": "miss, hit, near, or shared.",
    "x-huntaze-level": "full, or how much worse the engine serves at present.",
}
_REFUSALS = {
    "400": "The request means nothing, or asks for what cannot be accounted for.",
    "401": "No key, or none that opens anything.",
    "403": "The model is not for this key.",
    "404": "No such model.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "429": "A limit, with Retry-After; or a budget, with `x-should-retry: false`.",
    "500": "The engine failed; its log has the trace.",
    "502": "Nobody gave a usable answer.",
    "503": "No model may be asked now, or the engine is stopping.",
    "504": "The provider did not answer in time.",
}
_LOOKING = ("401", "404", "500")


def describe(document: Json) -> None:
    """Add /v1 to an OpenAPI document."""
    words = "A key of `huntaze key create`; the engine's own token opens everything."
    components = document["components"]
    components["securitySchemes"][_SCHEME] = {"type": "http", "scheme": "bearer", "description": words}
    components["schemas"] |= _schemas()
    document["paths"] |= _paths()


def _paths() -> Json:
    """The operations by path and method."""
    return {
        "/v1/chat/completions": {"post": _asking("v1_chat", "A chat's next message, whole or as a stream", "Chat")},
        "/v1/embeddings": {"post": _asking("v1_embeddings", "Vectors of texts, of a real model", "Embeddings")},
        "/v1/models": {"get": _looking("v1_models", "The models that this key may use", "OpenAIModels")},
        "/v1/models/{model}": {
            "get": {
                **_looking("v1_model", "One of them", "OpenAIModel"),
                "parameters": [{"name": "model", "in": "path", "required": True, "schema": _TEXT}],
            }
        },
    }


def _schemas() -> Json:
    """The shapes by name, as far as they are this product's to promise."""
    model = {"id": _TEXT, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": _TEXT}
    listing = {"object": {"const": "list"}, "data": {"type": "array", "items": _ref("OpenAIModel")}}
    error = {"message": _TEXT, "type": _TEXT, "param": _or_null(_TEXT), "code": _or_null(_TEXT)}
    usage = {"type": "object", "description": "Tokens, as the provider counted them."}
    asked = {
        "model": {**_TEXT, "maxLength": 200, "description": "huntaze/TOOL, huntaze/cheapest, provider/model, …"},
        "messages": {**_THINGS, "minItems": 1},
        "stream": {"type": "boolean", "default": False},
        "n": _COUNT,
        "max_tokens": _COUNT,
        "max_completion_tokens": _COUNT,
        "tools": _THINGS,
        "response_format": {"type": "object"},
    }
    texts = {"description": "A text, or a list of texts or tokens."}
    return {
        "ChatRequest": _open(asked, ("model", "messages"), _PASSED_ON),
        "ChatAnswer": _open(
            {"id": _TEXT, "object": _TEXT, "model": _TEXT, "choices": _THINGS, "usage": usage},
            ("id", "choices"),
            "OpenAI's chat.completion, as the provider wrote it.",
        ),
        "EmbeddingsRequest": _open({"model": asked["model"], "input": texts}, ("model", "input"), _PASSED_ON),
        "EmbeddingsAnswer": _open(
            {"object": _TEXT, "model": _TEXT, "data": _THINGS, "usage": usage},
            ("data",),
            "OpenAI's list of embeddings.",
        ),
        "OpenAIModel": _open(model, tuple(model)),
        "OpenAIModels": _open(listing, tuple(listing)),
        "OpenAIError": _open({"error": _open(error, tuple(error))}, ("error",)),
    }


def _asking(name: str, summary: str, shape: str) -> Json:
    answers = {"application/json": {"schema": _ref(f"{shape}Answer")}}
    what = "The answer."
    if shape == "Chat":
        answers["text/event-stream"] = {"schema": _TEXT}
        what = "The answer; with `stream` its pieces, then [DONE]. One that broke off ends with an error instead."
    told = {header: {"description": words, "schema": _TEXT} for header, words in _HEADERS.items()}
    return {
        "operationId": name,
        "summary": summary,
        "security": [{_SCHEME: []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(f"{shape}Request")}}},
        "responses": {"200": {"description": what, "content": answers, "headers": told}, **_refusals(tuple(_REFUSALS))},
    }


def _looking(name: str, summary: str, shape: str) -> Json:
    answer = {"description": summary, "content": {"application/json": {"schema": _ref(shape)}}}
    return {
        "operationId": name,
        "summary": summary,
        "security": [{_SCHEME: []}],
        "responses": {"200": answer, **_refusals(_LOOKING)},
    }


def _refusals(statuses: tuple[str, ...]) -> Json:
    content = {"application/json": {"schema": _ref("OpenAIError")}}
    return {status: {"description": _REFUSALS[status], "content": content} for status in statuses}


def _open(properties: Json, required: tuple[str, ...], words: str = "") -> Json:
    """An object that may hold more than is named."""
    found: Json = {"type": "object", "properties": properties, "required": list(required)}
    return {**found, "description": words} if words else found


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
