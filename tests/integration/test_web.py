"""The console in a browser, over real HTTP and web sockets, before a real daemon."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pyte
import pytest

from huntaze_console.api import ApiSettings
from huntaze_console.web import WebSettings, serve_web
from huntaze_console.web.server import said
from screens.sources.line import Address
from tests.system.embedded import HUNTAZE, Demo
from tests.system.running import daemon

READ_ONLY = "look-only-" + "r" * 32


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A daemon over a simulated world, for all tests of this module: none of them changes it."""
    found = Demo(tmp_path_factory.mktemp("web"))
    with daemon(found):
        path = found.state.read_only_token_path
        path.write_text(READ_ONLY + "\n")
        path.chmod(0o600)
        yield found


@dataclass
class Page:
    """The console's page as its script sees it: what came over the socket stands on `screen`."""

    line: aiohttp.ClientWebSocketResponse
    screen: pyte.Screen = field(default_factory=lambda: pyte.Screen(120, 40))

    def __post_init__(self) -> None:
        self._stream = pyte.ByteStream(self.screen)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    async def wait(self, told: str | Callable[[str], bool], *, within: float = 30) -> str:
        holds = told if callable(told) else lambda shown: told in shown
        async with asyncio.timeout(within):
            while not holds(self.text):
                message = await self.line.receive()
                assert message.type is aiohttp.WSMsgType.BINARY, (message, self.text)
                self._stream.feed(message.data)
        return self.text

    async def type(self, keys: str) -> None:
        await self.line.send_json(["stdin", keys])

    async def ended(self, *, within: float = 20) -> int:
        """Wait until the server closes the socket; its code."""
        async with asyncio.timeout(within):
            while (await self.line.receive()).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                pass
        return self.line.close_code or 0


@dataclass
class Browser:
    """A browser with a jar of cookies, at the server under test."""

    session: aiohttp.ClientSession
    url: str

    @property
    def origin(self) -> dict[str, str]:
        return {"Origin": self.url}

    async def login(self, token: str, **headers: str) -> aiohttp.ClientResponse:
        return await self.session.post(
            f"{self.url}/login", data={"token": token}, headers={**self.origin, **headers}, allow_redirects=False
        )

    @asynccontextmanager
    async def console(self, **headers: str) -> AsyncIterator[Page]:
        url = f"{self.url.replace('http', 'ws')}/ws?width=120&height=40"
        async with self.session.ws_connect(url, headers={**self.origin, **headers}) as line:
            yield Page(line)

    async def refused(self, **headers: str) -> int:
        """The status with which a web socket is refused."""
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with self.console(**headers):
                pass
        return caught.value.status


@asynccontextmanager
async def browser(demo: Demo, *, visitors: int = 8) -> AsyncIterator[Browser]:
    address = Address(socket=demo.state.socket_path)
    chosen = WebSettings(listen=ApiSettings(port=0), visitors=visitors)
    async with (
        serve_web(address, demo.state.path, None, chosen) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        yield Browser(session, url)


def token(demo: Demo) -> str:
    return demo.state.token_path.read_text().strip()


def consoles() -> list[str]:
    """What runs for visitors; their processes are told nothing by their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if "huntaze_console.visiting" in words and parent == os.getpid():
                found.append(entry.name)
    return found


async def all_gone(*, within: float = 10) -> None:
    async with asyncio.timeout(within):
        while consoles():
            await asyncio.sleep(0.02)


async def test_a_visitor_with_the_token_gets_a_console_and_leaves_nothing_behind(demo: Demo) -> None:
    async with browser(demo) as visitor:
        answer = await visitor.login(token(demo))
        cookie = answer.headers["Set-Cookie"]
        assert answer.status == 303
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="))
        assert token(demo) not in cookie

        async with visitor.console() as page:
            await page.wait(lambda shown: "engine ok" in shown and "PROVIDERS" in shown)
            assert "attached" in page.text
            environment = Path(f"/proc/{consoles()[0]}/environ").read_bytes()
            assert token(demo).encode() not in environment
            await page.line.send_json(["resize", {"width": 80, "height": 24}])
            await page.type("6")
            await page.wait("HUNTAZE campaigns")
            await page.type("q")
            assert await page.ended() == 1000

        await all_gone()


async def test_a_read_only_token_opens_a_console_that_only_looks(demo: Demo) -> None:
    async with browser(demo) as visitor:
        assert (await visitor.login(READ_ONLY)).status == 303
        async with visitor.console() as page:
            shown = await page.wait(lambda shown: "engine ok" in shown and "read-only" in shown)

            assert "stop sending" not in shown
            assert "new campaign" not in shown


async def test_nobody_gets_past_the_door_without_a_token(demo: Demo) -> None:
    async with browser(demo) as visitor:
        async with visitor.session.get(visitor.url) as answer:
            page = await answer.text()
            assert 'name="token"' in page
            assert "textual-terminal" not in page
        assert await visitor.refused() == 401
        assert await visitor.refused(Cookie="huntaze_web=" + "A" * 43) == 401

        assert (await visitor.login("x" * 43)).status == 401
        assert (await visitor.login("")).status == 401
        assert await visitor.refused() == 401
        assert consoles() == []


async def test_tokens_cannot_be_tried_for_long(demo: Demo) -> None:
    async with browser(demo) as visitor:
        tried = [(await visitor.login(f"{at:043}")).status for at in range(7)]
        right = await visitor.login(token(demo))

        assert tried == [401] * 5 + [429] * 2
        assert right.status == 429  # nor does the right one tell itself apart now
        assert int(right.headers["Retry-After"]) <= 61


async def test_tries_at_the_same_time_are_counted_one_by_one(demo: Demo) -> None:
    async with browser(demo) as visitor:
        answers = await asyncio.gather(*(visitor.login(f"{at:043}") for at in range(20)))

        assert sorted(answer.status for answer in answers) == [401] * 5 + [429] * 15


async def test_a_page_of_another_server_can_do_nothing(demo: Demo) -> None:
    async with browser(demo) as visitor:
        assert (await visitor.login(token(demo), Origin="http://evil.example")).status == 403
        assert (await visitor.login(token(demo), Origin="null")).status == 403
        assert (await visitor.login(token(demo))).status == 303

        assert await visitor.refused(Origin="http://evil.example") == 403
        assert await visitor.refused(Origin="http://localhost:1") == 403
        async with visitor.session.post(f"{visitor.url}/logout", headers={"Origin": "http://evil.example"}) as answer:
            assert answer.status == 403
        async with visitor.session.get(visitor.url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421
        assert consoles() == []


async def test_everything_comes_from_this_server(demo: Demo) -> None:
    async with browser(demo) as visitor:
        await visitor.login(token(demo))
        async with visitor.session.get(visitor.url) as answer:
            page, headers = await answer.text(), answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?! src=)|\son\w+=|style=", page)  # the policy would stop it
        addresses = re.findall(r'(?:src|href|action|url)="([^"]+)"', page)
        assert f"{visitor.url.replace('http', 'ws')}/ws" in addresses
        for address in addresses:
            if address.startswith("/") and address not in ("/login", "/logout"):
                async with visitor.session.get(visitor.url + address) as answer:
                    assert answer.status == 200, address
        assert all(address.startswith(("/", visitor.url.replace("http", "ws"))) for address in addresses)
        for listing in ("/static", "/static/", "/static/js/", "/static/../server.py", "/download/x"):
            async with visitor.session.get(visitor.url + listing) as answer:
                assert answer.status in (403, 404), listing


async def test_logging_out_ends_the_console(demo: Demo) -> None:
    async with browser(demo) as visitor:
        await visitor.login(token(demo))
        async with visitor.console() as page:
            await page.wait("engine ok")

            async with visitor.session.post(f"{visitor.url}/logout", headers=visitor.origin) as answer:
                assert 'name="token"' in await answer.text()

            await page.ended()
        await all_gone()
        assert await visitor.refused() == 401


async def test_visitors_are_limited(demo: Demo) -> None:
    async with browser(demo, visitors=1) as visitor:
        await visitor.login(token(demo))
        async with visitor.console() as page:
            await page.wait("HUNTAZE")

            assert await visitor.refused() == 503


@pytest.mark.parametrize(
    "words", ["}{", "[]", "7", '{"a": 1}', '"stdin"', "[" * 5_000, "[7]", "null"], ids=lambda words: words[:8]
)
def test_what_the_page_would_never_say_is_no_word(words: str) -> None:
    assert said(words) is None


async def test_what_the_page_would_never_say_ends_the_console(demo: Demo) -> None:
    async with browser(demo) as visitor:
        await visitor.login(token(demo))
        async with visitor.console() as page:
            await page.line.send_str(json.dumps(["stdin", "x" * 70_000]))

            await page.ended()
        await all_gone()


async def test_odd_words_of_the_page_do_no_harm(demo: Demo) -> None:
    async with browser(demo) as visitor:
        await visitor.login(token(demo))
        async with visitor.console() as page:
            await page.wait("engine ok")
            for words in (
                ["resize", {"width": 10**9, "height": -1}],
                ["resize", None],
                ["stdin", 7],
                ["quit"],
                ["ping"],
            ):
                await page.line.send_json(words)
            await page.line.send_json(["resize", {"width": 120, "height": 40}])
            await page.type("2")

            while True:  # what was drawn for the odd sizes comes first
                message = await page.line.receive(timeout=20)
                if message.type is aiohttp.WSMsgType.BINARY and b"HUNTAZE costs" in re.sub(
                    rb"\x1b\[[0-9;]*m", b"", message.data
                ):
                    break


def test_the_command_serves_until_it_is_told_to_go(demo: Demo) -> None:
    command = [HUNTAZE, "web", "--port", "0", "--state-dir", str(demo.state.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=demo.environment) as server:
        assert server.stdout is not None
        assert re.fullmatch(r"huntaze web ready at http://127\.0\.0\.1:\d+\n", server.stdout.readline())
        server.send_signal(signal.SIGTERM)
        assert server.wait(15) == 0


def test_it_is_not_served_to_other_machines_in_the_clear(demo: Demo) -> None:
    command = [HUNTAZE, "web", "--host", "0.0.0.0", "--port", "0", "--state-dir", str(demo.state.path)]
    answer = subprocess.run(command, capture_output=True, text=True, env=demo.environment, timeout=30, check=False)

    assert answer.returncode == 2
    assert "TLS needed" in answer.stderr
