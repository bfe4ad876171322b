"""The console in a real browser: a token is typed, keys are pressed, and nothing is fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from huntaze_console.api import ApiSettings
from huntaze_console.web import WebSettings, serve_web
from screens.sources.line import Address
from tests.system.chromium import Chromium, chromium
from tests.system.embedded import Demo
from tests.system.running import daemon

pytestmark = pytest.mark.system


async def test_an_operator_works_in_a_browser(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with daemon(demo):
        address = Address(socket=demo.state.socket_path)
        settings = WebSettings(listen=ApiSettings(port=0))
        async with serve_web(address, demo.state.path, None, settings) as url, chromium(tmp_path / "profile") as page:
            await page.do("Page.navigate", url=url)
            await page.until("document.querySelector('#token') !== null")
            await _log_in(page, "x" * 43)
            await page.until("document.querySelector('.wrong') !== null")

            await _log_in(page, demo.state.token_path.read_text().strip())
            await page.until("document.body.classList.contains('-first-byte')")
            await page.shown("engine ok")
            assert "SPEND" in page.text
            assert await page.ask("document.cookie") == ""  # no script reads it
            assert await page.ask("document.querySelectorAll('canvas').length") > 0

            await page.press("6")
            await page.shown("HUNTAZE campaigns")
            await page.press("1")
            await page.shown("HUNTAZE overview")
            await page.press("q")
            await page.until("document.body.classList.contains('-closed')")
            assert "has ended" in await page.ask("document.querySelector('.ended').innerText")

            assert page.complaints == []
            here = (url, url.replace("http", "ws"), "data:", "about:")
            assert [asked for asked in page.asked if not asked.startswith(here)] == []


async def _log_in(page: Chromium, token: str) -> None:
    await page.ask(f"document.querySelector('#token').value = '{token}'")
    await page.ask("document.querySelector('form').requestSubmit()")
