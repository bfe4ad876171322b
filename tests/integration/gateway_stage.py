"""A daemon that serves models, before a provider that plays what a request's last message asks for. All real sockets.

The provider writes OpenAI's and Anthropic's protocols by hand, independent of the code under test.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.storage.directory import StateDirectory
from engine.surface.commands import Command, CreateKey, Done
from engine.surface.queries import ListCalls
from huntaze_console.client import connect

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 10,
    "total_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
COST = "0.0000087"  # of that usage at gpt-4o-mini's price: 16 x 0.15 + 4 x 0.075 + 10 x 0.60 millionths of a dollar
TEXT = "Grüße, 世界 👋 and good morning"
# `busy` is one whose answers may slow down whoever asks it: what is learnt there, no other test meets.
CONFIG = """
[providers.openai]
base_url = "{url}/v1"
[providers.anthropic]
base_url = "{url}"
[providers.busy]
base_url = "{url}/v1"
free = true
[limits.providers.openai.per_user]
requests_minute = 0
[limits.providers.anthropic.per_user]
requests_minute = 0
[orchestrator]
first_byte_seconds = 3.0
[orchestrator.retry]
attempts = 1
[orchestrator.breaker]
least_calls = 1000
[tools.message]
provider = "openai"
model = "gpt-4o-mini"
fallback = ["anthropic/claude-sonnet-4-5"]
max_output_tokens = 50
"""


@dataclass
class Seen:
    """One request that reached the provider."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    left: threading.Event = field(default_factory=threading.Event)  # its client closed before the end


class Provider:
    """The provider, on a thread and a loop of its own."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def last(self) -> Seen:
        return self.seen[-1]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self._serve())
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _serve(self) -> web.AppRunner:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_post("/v1/messages", self._claude)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        return runner

    async def _note(self, request: web.Request) -> Seen:
        seen = Seen(request.path, dict(request.headers), json.loads(await request.read()))
        self.seen.append(seen)
        return seen

    async def _embed(self, request: web.Request) -> web.Response:
        seen = await self._note(request)
        given = seen.body["input"]
        data = [
            {"object": "embedding", "index": number, "embedding": [0.5, -0.5]}
            for number in range(len(given) if isinstance(given, list) else 1)
        ]
        usage = {"prompt_tokens": 8, "total_tokens": 8}
        return web.json_response({"object": "list", "data": data, "model": seen.body["model"], "usage": usage})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        seen = await self._note(request)
        wish = wish_of(seen.body)
        if (
            status := {"fail": 500, "throttle": 429, "slow and throttled": 429, "refuse-key": 401, "no-such": 404}.get(
                wish
            )
        ) is not None:
            error = {"message": "secret words of the provider", "type": "x", "code": wish}
            return web.json_response({"error": error}, status=status, headers={"Retry-After-Ms": "40"})
        if wish == "filter":
            error = {"message": "no", "type": "invalid_request_error", "code": "content_filter"}
            return web.json_response({"error": error}, status=400)
        if wish == "html":
            return web.Response(text="<html>busy</html>", content_type="text/html")
        if wish.startswith("slow"):
            await asyncio.sleep(0.3)
        if wish == "hang":
            await self._until_left(request, seen)
        if seen.body.get("stream"):
            return await self._stream(request, seen, wish)
        return web.json_response(whole(seen.body, wish))

    async def _stream(self, request: web.Request, seen: Seen, wish: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events(seen.body, wish):
            await response.write(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")
            if wish in ("cut", "broken", "stall") and event["choices"] and event["choices"][0]["delta"].get("content"):
                break
        if wish == "cut":
            request.transport.abort() if request.transport else None
            return response
        if wish == "broken":
            await response.write(b'data: {"error": {"message": "secret words", "code": "server_error"}}\n\n')
            return response
        if wish == "stall":
            await self._until_left(request, seen)
            return response
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _claude(self, request: web.Request) -> web.StreamResponse:
        seen = await self._note(request)
        told = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5-20250929",
            "content": [{"type": "text", "text": TEXT}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 16, "cache_read_input_tokens": 4, "output_tokens": 10},
        }
        if not seen.body.get("stream"):
            return web.json_response(told)
        start = {**told, "content": [], "stop_reason": None, "usage": {**told["usage"], "output_tokens": 1}}  # type: ignore[dict-item]
        pieces = [{"type": "text_delta", "text": word} for word in (TEXT[:9], TEXT[9:])]
        spoken: list[dict[str, Any]] = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *({"type": "content_block_delta", "index": 0, "delta": piece} for piece in pieces),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 10}},
            {"type": "message_stop"},
        ]
        data = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in spoken)
        return web.Response(text=data, content_type="text/event-stream")

    async def _until_left(self, request: web.Request, seen: Seen) -> None:
        for _ in range(600):
            if request.transport is None:
                seen.left.set()
                return
            await asyncio.sleep(0.02)


def wish_of(body: dict[str, Any]) -> str:
    content = body["messages"][-1].get("content")
    return content if isinstance(content, str) else ""


def message(body: dict[str, Any], wish: str) -> tuple[dict[str, Any], str]:
    """What the model says, and why it ended."""
    if wish == "call the tool":
        function = {"name": "weather", "arguments": '{"city": "Zürich"}'}
        calls = [{"id": "call_1", "type": "function", "function": function}]
        return {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"
    if body.get("response_format", {}).get("type") == "json_schema":
        return {"role": "assistant", "content": '{"title": "Spring", "tags": ["a", "b"]}'}, "stop"
    if wish == "empty":
        return {"role": "assistant", "content": ""}, "stop"
    if wish == "long":
        return {"role": "assistant", "content": TEXT}, "length"
    return {"role": "assistant", "content": TEXT, "refusal": None}, "stop"


def whole(body: dict[str, Any], wish: str) -> dict[str, Any]:
    said, reason = message(body, wish)
    choice = {"index": 0, "message": said, "finish_reason": reason, "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": f"{body['model']}-2024-07-18",
        "system_fingerprint": "fp_1",
        "choices": [choice],
        "usage": USAGE,
    }


def events(body: dict[str, Any], wish: str) -> Iterator[dict[str, Any]]:
    said, reason = message(body, wish)
    head = {**whole(body, wish), "object": "chat.completion.chunk"}
    del head["usage"], head["choices"]
    asked = (body.get("stream_options") or {}).get("include_usage")
    nothing = {"usage": None} if asked else {}

    def event(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **nothing}

    yield event({"role": "assistant", "content": "" if said["content"] is not None else None})
    for call in said.get("tool_calls", ()):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        yield event({"tool_calls": [{**call, "index": 0, "function": {"name": name, "arguments": ""}}]})
        for piece in (arguments[:6], arguments[6:]):
            yield event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    text = said["content"] or ""
    for start in range(0, len(text), 5):
        yield event({"content": text[start : start + 5]})
    yield event({}, reason)
    if asked:
        yield {**head, "choices": [], "usage": USAGE}


@dataclass
class GatewayStage:
    """A running gateway: where it is, and what stands behind it."""

    provider: Provider
    state: Path
    url: str
    process: subprocess.Popen[str]

    @property
    def token(self) -> str:
        return (self.state / "api-token").read_text().strip()

    @property
    def base(self) -> str:
        return f"{self.url}/v1"

    def key(self, **fields: Any) -> str:
        secret: str = self.submit(CreateKey(**fields)).data["secret"]
        return secret

    def submit(self, command: Command) -> Done:
        with connect(StateDirectory(self.state)) as client:
            return client.submit(command)

    def calls(self, trace_id: str = "") -> list[Any]:
        with connect(StateDirectory(self.state)) as client:
            where = {"trace_id": trace_id} if trace_id else {}
            return list(client.query(ListCalls(where=where, limit=1000)).rows)

    def booked(self, trace_id: str) -> Any:
        """The one entry of a trace, once it is there."""
        self.wait(lambda: bool(self.calls(trace_id)))
        (call,) = self.calls(trace_id)
        return call

    def wait(self, done: Callable[[], bool], *, within: float = 5.0) -> None:
        give_up = time.monotonic() + within
        while not done():
            assert time.monotonic() < give_up
            time.sleep(0.02)

    def open_attempts(self) -> int:
        import sqlite3

        with sqlite3.connect(f"file:{self.state / 'huntaze.db'}?mode=ro", uri=True) as database:
            found: int = database.execute("SELECT count(*) FROM attempts").fetchone()[0]
        database.close()
        return found


@contextmanager
def gateway_stage(folder: Path, config: str = "") -> Iterator[GatewayStage]:
    provider = Provider()
    provider.start()
    state, file = folder / "state", folder / "config.toml"
    file.write_text(CONFIG.format(url=provider.url) + config)
    keys = {"OPENAI_API_KEY": "upstream-key-openai", "ANTHROPIC_API_KEY": "upstream-key-anthropic"}
    command = [sys.executable, "-m", "huntaze_console", "daemon", "--port", "0"]
    command += ["--state-dir", str(state), "--config", str(file)]
    with (folder / "engine.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **keys})
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ready at" in line, (folder / "engine.log").read_text()[-3000:]
        yield GatewayStage(provider, state, line.rpartition(" ")[2].strip(), process)
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()
        provider.stop()
