"""The OpenAPI document says what is served: all of it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import orjson
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from huntaze_console.api import openapi
from huntaze_console.api.gateway import Endpoints
from huntaze_console.api.routes import ROUTES
from tests.integration.test_api_desk import described, serving


def test_it_is_a_valid_openapi_3_1_document() -> None:
    assert list(OpenAPIV31SpecValidator(described()).iter_errors()) == []


async def test_it_is_what_the_server_gives_to_anybody(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.get("/openapi.json", token=False)

    assert reply.json() == described()


def test_every_route_is_described_and_nothing_else() -> None:
    described_routes = {(method.upper(), path) for path, item in described()["paths"].items() for method in item}

    assert described_routes == {(route.method, route.path) for route in ROUTES}
    assert len(ROUTES) == len(described_routes)


async def test_every_described_route_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for route in ROUTES:
            if route.path in ("/api/v2/events", "/api/v2/watch"):
                continue  # it would not end; its own tests read it
            path = route.path.replace("{", "").replace("}", "")
            reply = await served.client.request(route.method, path, route=route.path, token=True)

            assert reply.status != 405, route.path
            assert reply.status != 404 or b"no such path" not in reply.body, route.path


def test_every_operation_has_its_own_name_and_says_what_it_does() -> None:
    operations = [operation for item in described()["paths"].values() for operation in item.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)


def test_only_three_paths_open_without_a_token() -> None:
    assert [route.path for route in ROUTES if route.open] == [
        "/",
        "/openapi.json",
        "/api/health/hybrid-orchestrator",
    ]


def test_the_manual_shows_every_route() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "api.md").read_text()

    missing = [f"{route.method} {route.path}" for route in ROUTES if f"### {route.method} {route.path}\n" not in manual]

    assert missing == []
    assert manual.count("\n### ") == len(ROUTES)


def test_the_gateway_is_described_where_it_is_served() -> None:
    document = orjson.loads(openapi.document(ROUTES, "1.2.3", models=True))
    app = web.Application()
    Endpoints(None, None, None, ()).mount(app)  # type: ignore[arg-type]  # it is asked for its paths alone
    served = {
        (route.method.lower(), route.resource.canonical.replace(":.+", ""))
        for route in app.router.routes()
        if route.resource and route.method != "HEAD"
    }

    described_paths = {
        (method, path) for path, item in document["paths"].items() if path.startswith("/v1/") for method in item
    }

    assert described_paths == served
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert set(document["paths"]) - {path for _, path in served} == set(described()["paths"])
