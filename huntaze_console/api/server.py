"""The engine's API as a server: a unix socket in the state directory, and TCP where it is wanted."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson
from aiohttp import hdrs, web

from engine.kernel.clock import Clock
from engine.kernel.values import Random
from engine.storage.directory import StateDirectory
from engine.surface import wire
from engine.surface.desk import Desk
from engine.surface.wire import READ_ONLY_HEADER, VERSION_HEADER, WIRE_HEADER
from huntaze_console.api import openapi, problems
from huntaze_console.api.auth import Access, Gate, TokenFile, access_of, open_token
from huntaze_console.api.call import Call, Office, Route
from huntaze_console.api.feed import Seats
from huntaze_console.api.gateway import Endpoints, Gateway
from huntaze_console.api.measuring import Measure, mark_first, measured
from huntaze_console.api.routes import ROUTES
from huntaze_console.api.settings import ApiSettings
from huntaze_console.api.sockets import listen_tcp, listen_unix, tls_context, url_of

_FAREWELL = 2.0  # real seconds that open requests have to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the API is: `url` is empty when it listens on its socket only."""

    url: str
    socket: Path


@asynccontextmanager
async def serve(
    desk: Desk,
    directory: StateDirectory,
    settings: ApiSettings,
    *,
    tcp: bool,
    clock: Clock,
    stop: asyncio.Event,
    chance: Random,
    measure: Measure | None = None,
    gateway: Gateway | None = None,
) -> AsyncIterator[Endpoint]:
    """Serve a desk for the length of the block. The caller owns the directory's lock.

    `measure` is told how long each answer took. With a `gateway` models are served under /v1 too.

    `stop`, or leaving the block, ends the event streams at once; other requests are answered until it is left. Raises
    ConfigError for an address that must not or cannot be served, StorageError for a token file that cannot be used.
    """
    settings.check()
    async with AsyncExitStack() as stack:
        tls = tls_context(settings) if tcp else None
        leaving = asyncio.Event()
        office = _office(desk, directory, settings, clock, (stop, leaving), models=gateway is not None)
        away = stack.enter_context(listen_tcp(settings)) if tcp else None
        local = stack.enter_context(listen_unix(directory.socket_path))
        stack.callback(directory.socket_path.unlink, missing_ok=True)
        endpoints = Endpoints(gateway, office.gate, settings, office.ends) if gateway else None
        if endpoints:
            await stack.enter_async_context(endpoints.watched())
        runner = await _run(_app(office, chance, measure, endpoints), settings)
        stack.push_async_callback(runner.cleanup)
        stack.callback(leaving.set)
        await web.SockSite(runner, local).start()
        if away is not None:
            await web.SockSite(runner, away, ssl_context=tls).start()
        url = url_of(away, settings) if away is not None else ""
        endpoint = Endpoint(url=url, socket=directory.socket_path)
        _announce(endpoint, desk, directory)
        stack.callback(directory.endpoint_path.unlink, missing_ok=True)
        yield endpoint


async def _run(app: web.Application, settings: ApiSettings) -> web.AppRunner:
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_silent(),
        keepalive_timeout=settings.header_timeout,
        shutdown_timeout=_FAREWELL,
    )
    await runner.setup()
    return runner


def _office(
    desk: Desk,
    directory: StateDirectory,
    settings: ApiSettings,
    clock: Clock,
    ends: tuple[asyncio.Event, ...],
    *,
    models: bool,
) -> Office:
    open_paths = frozenset(route.path for route in ROUTES if route.open)
    return Office(
        desk=desk,
        clock=clock,
        gate=Gate(
            open_token(directory),
            open_paths,
            check_names=not settings.tls,
            read_only=TokenFile(directory.read_only_token_path),
            asking=frozenset(route.path for route in ROUTES if route.asks),
        ),
        settings=settings,
        ends=ends,
        document=cache(lambda: openapi.document(ROUTES, desk.snapshot().engine.version, models=models)),
        seats=Seats(settings.sse_streams),
    )


def _app(
    office: Office, chance: Random, measure: Measure | None, endpoints: Endpoints | None = None
) -> web.Application:
    watching = (measured(measure),) if measure else ()
    models = (endpoints.middleware,) if endpoints else ()
    app = web.Application(
        client_max_size=office.settings.body_limit,
        middlewares=(*watching, *models, problems.guard(chance), office.gate.middleware),
    )
    if endpoints:
        endpoints.mount(app)
    if measure:
        app.on_response_prepare.append(mark_first)
    app.on_response_prepare.append(_marker(office.desk.snapshot().engine.version))
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _handler(route, office))
    return app


def _handler(route: Route, office: Office) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await route.handler(Call(request, route, office))

    return handle


def _marker(version: str) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What every answer says: no cache keeps it, no browser guesses its type, and not who serves it.

    Who came with a token learns besides which version answers, which level of the surface it speaks, and what the
    token may do.
    """
    level = ".".join(map(str, wire.LEVEL))

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers[hdrs.SERVER] = "huntaze"
        if (access := access_of(request)) is not None:
            response.headers[VERSION_HEADER] = version
            response.headers[WIRE_HEADER] = level
            response.headers[READ_ONLY_HEADER] = "true" if access is Access.READ_ONLY else "false"

    return mark


def _announce(endpoint: Endpoint, desk: Desk, directory: StateDirectory) -> None:
    snapshot = desk.snapshot()
    facts = {
        "url": endpoint.url or None,
        "socket": os.fspath(endpoint.socket),
        "pid": os.getpid(),
        "epoch": snapshot.epoch,
        "version": snapshot.engine.version,
    }
    directory.write_private(directory.endpoint_path, orjson.dumps(facts).decode() + "\n")


def _silent() -> logging.Logger:
    """For aiohttp, which would log the bytes of a malformed request, its token among them."""
    return logging.Logger("huntaze_console.api.protocol", logging.CRITICAL + 1)
