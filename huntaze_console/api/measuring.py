"""The outermost middleware: how long each endpoint takes, by its route and never by the path that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from engine.kernel.values import nanos

Measure = Callable[[str, int, int, int | None], None]
"""Told of each answer: the endpoint's name, the status, nanoseconds to the end, and to the first byte of a stream."""

_BEGAN = web.RequestKey("measuring_began", float)  # real seconds on the loop's clock, when a stream's headers left
_NO_ROUTE = "(no route)"


def name_of(method: str, resource: web.AbstractResource | None) -> str:
    """The method and the route's template, as `GET /api/v2/campaigns/{campaign_id}/deliveries`."""
    return f"{method} {resource.canonical}" if resource is not None else _NO_ROUTE


def measured(measure: Measure) -> Middleware:
    """Real time, also in a simulation: this is about our own work, not the world's."""
    names: dict[tuple[str, web.AbstractResource | None], str] = {}  # as many as there are routes and methods

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = asyncio.get_running_loop().time
        started = now()
        response = await handler(request)
        first = nanos(request[_BEGAN] - started) if response.prepared and _BEGAN in request else None
        resource = request.match_info.route.resource
        key = (request.method if resource is not None else "", resource)  # a stranger may make methods up
        name = names.get(key) or names.setdefault(key, name_of(*key))
        measure(name, response.status, nanos(now() - started), first)
        return response

    return watch


async def mark_first(request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: a stream's headers leave from within its handler; a whole answer's leave after it."""
    request[_BEGAN] = asyncio.get_running_loop().time()
