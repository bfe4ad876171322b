"""A headless Chromium, driven over its own protocol: pages, keys, and what its pages receive."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pyte

_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
          "--no-first-run", "--disable-background-networking", "--disable-sync",
          "--disable-component-update")  # fmt: skip
_SIZE = (1_300, 800)  # of the window, in pixels


class Chromium:
    """One page. What came over its web sockets stands on `screen`, and where it asked for anything in `asked`;
    `complaints` are what its policy refused and what its scripts broke at."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._line, self._session, self._number = line, session, 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.screen = pyte.Screen(300, 100)
        self._stream = pyte.ByteStream(self.screen)
        self.asked: list[str] = []
        self.complaints: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    async def listen(self) -> None:
        async for message in self._line:
            told = json.loads(message.data)
            if told.get("id") in self._answers:
                self._answers.pop(told["id"]).set_result(told)
            elif "method" in told:
                self._take(told["method"], told["params"])

    def _take(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "Network.webSocketFrameReceived" and params["response"]["opcode"] == 2:
            self._stream.feed(base64.b64decode(params["response"]["payloadData"]))
        elif method in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            self.asked.append(params.get("url") or params["request"]["url"])
        elif method == "Log.entryAdded" and "Content Security Policy" in params["entry"]["text"]:
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]["text"]))

    async def do(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._line.send_json({"id": self._number, "method": method, "params": params, "sessionId": self._session})
        told = await asyncio.wait_for(answer, 30)
        assert "error" not in told, told
        found: dict[str, Any] = told["result"]
        return found

    async def ask(self, script: str) -> Any:
        """What a line of script gives in the page."""
        answer = await self.do("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        async with asyncio.timeout(30):
            while not await self.ask(script):
                await asyncio.sleep(0.1)

    async def shown(self, text: str) -> None:
        async with asyncio.timeout(40):
            while text not in self.text:
                await asyncio.sleep(0.05)

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self.do("Input.dispatchKeyEvent", type=kind, key=key, **text)


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Chromium]:
    """An empty page, for the length of the block."""
    program = shutil.which("chromium")
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        *_FLAGS,
        f"--window-size={_SIZE[0]},{_SIZE[1]}",
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(rb"listening on (ws://\S+)", await process.stderr.readline())):
                pass
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(found[1].decode(), max_msg_size=0) as line,
            asyncio.TaskGroup() as group,
        ):
            target = await _target(line)
            page = Chromium(line, target)
            listening = group.create_task(page.listen())
            for domain in ("Page", "Network", "Runtime", "Log"):
                await page.do(f"{domain}.enable")
            try:
                yield page
            finally:
                listening.cancel()
    finally:
        process.kill()
        with suppress(ProcessLookupError):
            await process.communicate()


async def _target(line: aiohttp.ClientWebSocketResponse) -> str:
    """Attach to the first page; the protocol's name for it."""
    await line.send_json({"id": 1, "method": "Target.getTargets"})
    targets = (await line.receive_json())["result"]["targetInfos"]
    page = next(target for target in targets if target["type"] == "page")
    await line.send_json(
        {"id": 2, "method": "Target.attachToTarget", "params": {"targetId": page["targetId"], "flatten": True}}
    )
    while (told := await line.receive_json()).get("id") != 2:
        pass
    found: str = told["result"]["sessionId"]
    return found
