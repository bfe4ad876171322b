"""The OpenAPI 3.1 document, made of the route table and the shapes: it cannot say other than what is served.

What the gateway serves under /v1 is OpenAI's to define, and is described by the gateway itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from huntaze_console.api import problems
from huntaze_console.api.call import Answer, Route
from huntaze_console.api.gateway import describe

_REF = "#/components/schemas/{model}"
_EVERYWHERE = (400, 421, 500, 503)
_WITH_TOKEN = (401,)
_WITH_BODY = (408, 413, 415)
_ON_A_THING = (404, 409)

Json = dict[str, Any]


def document(routes: Sequence[Route], version: str, *, models: bool = False) -> bytes:
    """The document as JSON. `version` is the product's; with `models` the gateway's /v1 is served too."""
    schemas = _Schemas(routes)
    paths: Json = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "Huntaze Console",
            "version": version or "0",
            "summary": "AI message campaigns under strict limits and budgets.",
            "description": "Money is a decimal string of US dollars, an instant ISO 8601 in UTC. Every error is "
            "an RFC 9457 problem document. `/api/v2/snapshot`, `/query` and `/command` keep the engine's integers: "
            "nano-dollars and nanoseconds. `/v1` speaks OpenAI's interface, its errors too.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    if models:
        describe(found)
    return orjson.dumps(found)


class _Schemas:
    """The named shapes of all routes, and where each is."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.definitions: Json = {}
        bodies = {route.body for route in routes if route.body}
        self._add(bodies, "validation")
        self._add({problems.ProblemShape}, "serialization")
        self._answers = {
            id(answer.shape): self._of(answer.shape) for route in routes for answer in route.answers.values()
        }

    def answer(self, answer: Answer) -> Json:
        return self._answers[id(answer.shape)]

    def reference(self, model: type[BaseModel]) -> Json:
        return {"$ref": _REF.format(model=model.__name__)}

    def _add(self, models: Iterable[type[BaseModel]], mode: JsonSchemaMode) -> None:
        wanted = sorted(models, key=lambda model: model.__name__)
        _, found = models_json_schema([(model, mode) for model in wanted], ref_template=_REF)
        self.definitions.update(found["$defs"])

    def _of(self, shape: Any) -> Json:
        """A schema of any type, its named parts moved to the components."""
        if shape is None:
            return {"type": "string"}
        schema = TypeAdapter(shape).json_schema(mode="serialization", ref_template=_REF)
        self.definitions.update(schema.pop("$defs", {}))
        if "title" not in schema:
            return schema
        self.definitions[schema["title"]] = schema
        return {"$ref": _REF.format(model=schema["title"])}


def _operation(route: Route, schemas: _Schemas) -> Json:
    operation: Json = {
        "operationId": _name(route),
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": _responses(route, schemas),
    }
    if route.open:
        operation["security"] = [{}, {"token": []}]
    if route.body is not None:
        content = {"application/json": {"schema": schemas.reference(route.body)}}
        required = any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _name(route: Route) -> str:
    words = re.findall(r"[a-z0-9]+", route.path.removeprefix("/api/").removeprefix("v2/"))
    return "_".join([route.method.lower(), *words])


def _path_parameters(route: Route) -> list[Json]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route) -> list[Json]:
    properties = route.query.model_json_schema(ref_template=_REF).get("properties", {})
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.pop("description", name.replace("_", " ")),
            "schema": schema,
        }
        for name, schema in properties.items()
    ]


def _header_parameters(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in route.headers.items()
    ]


def _responses(route: Route, schemas: _Schemas) -> Json:
    problem = {problems.CONTENT_TYPE: {"schema": schemas.reference(problems.ProblemShape)}}
    found: Json = {
        str(status): {"description": HTTPStatus(status).phrase, "content": problem} for status in _refusals(route)
    }
    for status, answer in route.answers.items():
        content = {answer.media_type: {"schema": schemas.answer(answer)}}
        found[str(status)] = {"description": answer.what, "content": content}
    return dict(sorted(found.items()))


def _refusals(route: Route) -> tuple[int, ...]:
    """The statuses of the problems a route may answer with."""
    return (
        *_EVERYWHERE,
        *_WITH_TOKEN,
        *(_WITH_BODY if route.body else ()),
        *(_ON_A_THING if route.body or "{" in route.path or route.query.model_fields else ()),
        *((502,) if route.body or route.query.model_fields else ()),
    )
