"""What a body asks for: as much of it as the engine answers for. The rest is the provider's to judge. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from engine.orchestrator import Need
from engine.providers import Operation
from huntaze_console.api.gateway.errors import GatewayError, invalid

_CAPS = ("max_completion_tokens", "max_tokens")
_SEARCHES = ("web_search_options", "search_parameters", "plugins")  # OpenAI's, xAI's, OpenRouter's
_OWN_TOOLS = ("function", "custom", None)  # of the client; any other runs at the provider, which bills it by the use
_MOST_CHOICES = 128
_DEEPEST = 250  # levels
_LONGEST_NAME = 200  # of a model; what clients name stands in the ledger and on screens


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that makes sense. `cap` is the client's own limit on the tokens of one choice."""

    body: Mapping[str, Any]
    operation: Operation
    model: str
    stream: bool = False
    wants_usage: bool = False
    choices: int = 1
    cap: int | None = None
    needs: frozenset[Need] = frozenset()


def read_chat(data: bytes) -> Asked:
    """Raises GatewayError naming the parameter at fault."""
    body = _object(data)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("'messages' must be a list of at least one message.", "messages")
    if not all(isinstance(message, dict) for message in messages):
        raise invalid("Each of 'messages' must be an object.", "messages")
    _refuse_what_has_no_price(body, messages)
    stream = _flag(body, "stream")
    return Asked(
        body=body,
        operation=Operation.CHAT,
        model=_model(body),
        stream=stream,
        wants_usage=stream and _wants_usage(body.get("stream_options")),
        choices=_count(body, "n", _MOST_CHOICES) or 1,
        cap=_cap(body),
        needs=_needs(body, messages),
    )


def read_embeddings(data: bytes) -> Asked:
    """Raises GatewayError naming the parameter at fault."""
    body = _object(data)
    if not body.get("input"):
        raise invalid("'input' must be a text, or a list of texts or tokens.", "input")
    return Asked(body=body, operation=Operation.EMBEDDINGS, model=_model(body))


def _object(data: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(data)
        if data.count(b"[") + data.count(b"{") > _DEEPEST:  # what is nested deeper can be read, but not written again
            orjson.dumps(body)
    except (ValueError, TypeError) as error:
        raise invalid("We could not parse the JSON body of your request.", code="invalid_json") from error
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.", code="invalid_json")
    return body


def _model(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("you must provide a model parameter", "model")
    if len(model) > _LONGEST_NAME or not model.isprintable():
        raise invalid(f"A model's name is at most {_LONGEST_NAME} visible characters.", "model")
    return model


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"'{name}' must be true or false.", name)
    return bool(value)


def _count(body: Mapping[str, Any], name: str, most: int | None = None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1 or (most is not None and value > most):
        limit = f" of at most {most}" if most is not None else ""
        raise invalid(f"'{name}' must be a positive whole number{limit}.", name)
    return value


def _cap(body: Mapping[str, Any]) -> int | None:
    given = [cap for cap in (_count(body, name) for name in _CAPS) if cap is not None]
    return min(given) if given else None


def _wants_usage(options: object) -> bool:
    return isinstance(options, dict) and options.get("include_usage") is True


def _needs(body: Mapping[str, Any], messages: list[dict[str, Any]]) -> frozenset[Need]:
    needs = set()
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        needs.add(Need.SCHEMA)
    if body.get("tools") or body.get("functions"):
        needs.add(Need.TOOLS)
    if any(kind == "image_url" for kind in _kinds(messages)):
        needs.add(Need.IMAGES)
    return frozenset(needs)


def _kinds(messages: list[dict[str, Any]]) -> list[object]:
    """The types of all parts of all messages."""
    return [
        part.get("type")
        for message in messages
        if isinstance(content := message.get("content"), list)
        for part in content
        if isinstance(part, dict)
    ]


def _refuse_what_has_no_price(body: Mapping[str, Any], messages: list[dict[str, Any]]) -> None:
    """What is billed by other figures than tokens of text and images would pass by the budgets."""
    if body.get("service_tier") not in (None, "auto", "default"):
        raise _unpriced("service_tier")
    for name in _SEARCHES:
        if body.get(name) is not None:
            raise _unpriced(name)
    tools = body.get("tools")
    if isinstance(tools, list) and any(isinstance(one, dict) and one.get("type") not in _OWN_TOOLS for one in tools):
        raise _unpriced("tools")
    modalities = body.get("modalities")
    if body.get("audio") is not None or (modalities is not None and modalities != ["text"]):
        raise _unpriced("modalities")
    if any(kind in ("input_audio", "file") for kind in _kinds(messages)):
        raise _unpriced("messages")


def _unpriced(param: str) -> GatewayError:
    return invalid(f"What '{param}' asks for is billed in ways this gateway cannot account for.", param, "unsupported")
