"""A console for each browser that brings a token of the engine: login, pages, and the web socket behind them.

textual-serve has no login and starts a command for whoever comes, so none of its handlers is used: only its bridge to a
console's process, and its script for the page. The engine itself decides what a token may do; a read-only one opens a
console that only looks, and one that is taken back ends what it opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import WSMessage, WSMsgType, hdrs, web
from aiohttp.typedefs import Handler, Middleware

from engine.kernel.errors import HuntazeError
from engine.kernel.secret import Secret
from engine.surface.wire import READ_ONLY_HEADER
from huntaze_console.api import ApiSettings
from huntaze_console.api.sockets import listen_tcp, tls_context, url_of
from huntaze_console.web.pages import POLICY, SCRIPT, STYLE, console_page, login_page
from huntaze_console.web.sessions import Session, Sessions, Throttle
from huntaze_console.web.visitor import Visit, VisitorService, resized
from screens.sources.line import Address, Line, WrongToken

_COOKIE = "huntaze_web"
_LONGEST_TOKEN = 4_096  # bytes
_LONGEST_MESSAGE = 64 << 10  # bytes; a long paste fits
_FAILURES_EACH, _FAILURES_TOGETHER = 5, 30  # logins that may fail in a minute, from one address and from all
_SWEEP = 5.0  # seconds between two looks for logins that are over
_HEARTBEAT = 15.0  # seconds
_STATIC = "static"
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none a form would not say where it comes from
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    hdrs.SERVER: "huntaze",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where it listens, and what it lets visitors cost. Times are real seconds."""

    listen: ApiSettings = field(default_factory=lambda: ApiSettings(port=8643))
    names: tuple[str, ...] = ()  # further names it is reached by, such as a proxy's; loopback's own always are
    visitors: int = 8  # consoles at once
    idle: float = 1_800.0  # a login without a console, unused for so long, is over
    longest: float = 8 * 3_600.0  # and any login after this


@asynccontextmanager
async def serve_web(
    address: Address, state_dir: Path, config: Path | None, settings: WebSettings
) -> AsyncIterator[str]:
    """Serve for the length of the block; yields the URL. Raises ConfigError where it must not or cannot listen."""
    settings.listen.check()
    listener = listen_tcp(settings.listen)
    site = _Site(address, state_dir, config, settings, port=listener.getsockname()[1])
    runner = web.AppRunner(site.app(), access_log=None, handle_signals=False, shutdown_timeout=2.0)
    try:
        site.sweep()
        await runner.setup()
        await web.SockSite(runner, listener, ssl_context=tls_context(settings.listen)).start()
        yield url_of(listener, settings.listen)
    finally:
        site.close()
        await runner.cleanup()
        listener.close()


async def run_web(
    address: Address, state_dir: Path, config: Path | None, settings: WebSettings, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with serve_web(address, state_dir, config, settings) as url:
        ready(url)
        await stop.wait()


class _Site:
    """The handlers, and who is logged in."""

    def __init__(
        self, address: Address, state_dir: Path, config: Path | None, settings: WebSettings, *, port: int
    ) -> None:
        self._address, self._state_dir, self._config = address, state_dir, config
        self._settings = settings
        self._secure = settings.listen.tls
        self._sessions = Sessions(time.monotonic, idle=settings.idle, longest=settings.longest)
        self._throttle = Throttle(time.monotonic, each=_FAILURES_EACH, together=_FAILURES_TOGETHER)
        self._hosts = _hosts(settings, port)
        self._sweeping: asyncio.TimerHandle | None = None

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_LONGEST_TOKEN * 2, middlewares=(self._guard(),))
        app.router.add_get("/", self._index)
        app.router.add_post("/login", self._login)
        app.router.add_post("/logout", self._logout)
        app.router.add_get("/ws", self._socket)
        app.router.add_get("/console.css", _style)
        app.router.add_get("/console.js", _script)
        app.router.add_static("/static", Path(str(files("textual_serve") / _STATIC)), show_index=False)
        app.on_response_prepare.append(_mark)
        return app

    def sweep(self) -> None:
        """End what is over, now and then."""
        self._sessions.sweep()
        self._sweeping = asyncio.get_running_loop().call_later(_SWEEP, self.sweep)

    def close(self) -> None:
        """End every login, and so every console."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._sessions.end_all()

    # ── who may ask ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _guard(self) -> Middleware:
        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.headers.get(hdrs.HOST, "").lower() not in self._hosts:  # a name made to resolve to this machine
                raise web.HTTPMisdirectedRequest(text="The Host header names another server.\n")
            if (request.method != "GET" or request.path == "/ws") and not self._is_from_here(request):
                raise web.HTTPForbidden(text="This was asked by a page of another server.\n")
            return await handler(request)

        return admit

    def _is_from_here(self, request: web.Request) -> bool:
        """Whether our own page asks. A browser always says so for a web socket and for a form."""
        origin = request.headers.get(hdrs.ORIGIN, "")
        parts = urlsplit(origin)
        scheme = "https" if self._secure else "http"
        ours = parts.scheme == scheme and parts.netloc.lower() == request.headers.get(hdrs.HOST, "").lower()
        named = parts.scheme == "https" and parts.netloc.lower() in self._settings.names  # behind a proxy with TLS
        return ours or named

    # ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _index(self, request: web.Request) -> web.Response:
        if self._sessions.find(request.cookies.get(_COOKIE)) is None:
            return _page(login_page())
        host = request.headers[hdrs.HOST].lower()  # the guard knows it
        secure = self._secure or host in self._settings.names
        return _page(console_page(f"{'wss' if secure else 'ws'}://{host}/ws"))

    async def _login(self, request: web.Request) -> web.Response:
        address = request.remote or ""
        if (wait := self._throttle.wait(address)) > 0:
            return _page(
                login_page("Too many wrong tokens. Try again in a minute."), 429, {hdrs.RETRY_AFTER: str(int(wait) + 1)}
            )
        self._throttle.failed(address)  # until it is known to be right: many at once are counted as well
        given = (await request.post()).get("token")
        token = given.strip() if isinstance(given, str) else ""
        if not token or len(token) > _LONGEST_TOKEN or not token.isascii() or not token.isprintable():
            return _page(login_page("That is no token."), 401)
        try:
            read_only = await asyncio.to_thread(self._ask, Secret(token))
        except WrongToken:
            return _page(login_page("The engine does not know this token."), 401)
        except (HuntazeError, OSError, ValueError):
            self._throttle.forgive(address)
            return _page(login_page("The engine cannot be reached. Is its daemon running?"), 503)
        self._throttle.forgive(address)
        answer = web.HTTPSeeOther("/")
        answer.set_cookie(
            _COOKIE,
            self._sessions.open(Secret(token), read_only=read_only),
            max_age=int(self._settings.longest),
            httponly=True,
            samesite="Strict",
            secure=self._secure,
            path="/",
        )
        raise answer

    def _ask(self, token: Secret) -> bool:
        """Let the engine say whether it knows the token, and whether that may only look."""
        headers, _ = Line(self._address, token).ask("GET", "/api/v2/alerts")
        return headers.get(READ_ONLY_HEADER, "") == "true"

    async def _logout(self, request: web.Request) -> web.Response:
        self._sessions.close(request.cookies.get(_COOKIE))
        answer = web.HTTPSeeOther("/")
        answer.del_cookie(_COOKIE, path="/")
        raise answer

    # ── the console ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        session = self._sessions.find(request.cookies.get(_COOKIE))
        if session is None:
            raise web.HTTPUnauthorized(text="Log in first.\n")
        if self._sessions.visitors >= self._settings.visitors:
            raise web.HTTPServiceUnavailable(text="As many consoles are open as are allowed.\n")
        session.open += 1
        try:
            return await self._converse(request, session)
        finally:
            session.open -= 1

    async def _converse(self, request: web.Request, session: Session) -> web.WebSocketResponse:
        line = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=_LONGEST_MESSAGE)
        await line.prepare(request)
        ended = asyncio.Event()

        async def end() -> None:
            ended.set()

        visit = Visit(
            address=self._address,
            state_dir=self._state_dir,
            config=self._config,
            actor=f"browser at {request.remote}",
            read_only=session.read_only,
        )
        service = VisitorService(visit, session.token, write_bytes=line.send_bytes, close=end)
        session.ends.append(ended.set)
        async with asyncio.TaskGroup() as group:
            closing = group.create_task(_close(line, ended))
            try:
                await service.start(*(_asked_size(request) or (80, 24)))
                async for message in line:
                    if not await _pass_on(message, service, line):
                        break
            finally:
                session.ends.remove(ended.set)
                await asyncio.shield(service.stop())
                closing.cancel()
                with contextlib.suppress(ConnectionError):
                    await line.close()
        return line


async def _close(line: web.WebSocketResponse, ended: asyncio.Event) -> None:
    """The console has ended, or its visitor's login has: tell the page."""
    await ended.wait()
    await line.close()


async def _pass_on(message: WSMessage, service: VisitorService, line: web.WebSocketResponse) -> bool:
    """One word of the page's script to the console; False for what it would never say."""
    if message.type is not WSMsgType.TEXT:
        return False
    words = said(message.data)
    if words is None:
        return False
    kind, given = words
    if kind == "stdin" and isinstance(given, str):
        await service.send_bytes(given.encode(errors="replace"))
    elif kind == "resize" and (size := resized(given)) is not None:
        await service.set_terminal_size(*size)
    elif kind == "ping":
        await line.send_json(["pong", given if isinstance(given, str) else ""])
    elif kind == "focus":
        await service.focus()
    elif kind == "blur":
        await service.blur()
    return True


def said(text: str) -> tuple[str, object] | None:
    """A word of the page's script and what it is about; None for what is no word."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(words, list) or not words or not isinstance(words[0], str):
        return None
    return words[0], words[1] if len(words) > 1 else None


def _asked_size(request: web.Request) -> tuple[int, int] | None:
    try:
        asked = {name: int(request.query[name]) for name in ("width", "height")}
    except (KeyError, ValueError):
        return None
    return resized(asked)


def _hosts(settings: WebSettings, port: int) -> frozenset[str]:
    """Every Host header that means this server."""
    bare = {"localhost", "127.0.0.1", "[::1]"} if settings.listen.loopback else set()
    if settings.listen.host not in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not listened on
        bare.add(f"[{settings.listen.host}]" if ":" in settings.listen.host else settings.listen.host)
    usual = 443 if settings.listen.tls else 80
    own = {f"{name}:{port}" for name in bare} | (bare if port == usual else set())
    named = {name.lower() for name in settings.names}
    return frozenset(own | named | {f"{name}:{port}" for name in named if ":" not in name})


async def _style(_: web.Request) -> web.Response:
    return web.Response(text=STYLE, content_type="text/css")


async def _script(_: web.Request) -> web.Response:
    return web.Response(text=SCRIPT, content_type="text/javascript")


def _page(html: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        text=html, status=status, content_type="text/html", headers={hdrs.CACHE_CONTROL: "no-store", **(headers or {})}
    )


async def _mark(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
