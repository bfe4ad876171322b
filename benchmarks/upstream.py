"""A stub of OpenAI's API in a process of its own: answers at once, so that what is measured is what stands in front.

    python -m benchmarks.upstream PORT_FILE [--fail]

Writes the port it took to PORT_FILE. It answers every POST with one fixed completion, or with `--fail` with a 500, and
keeps connections open. Requests with `"stream":true` get the same text as four server-sent events.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

_ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Hello you, how was your day?"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":20,"completion_tokens":8,"total_tokens":28}}'
)
_EVENTS = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":['
    b'{"index":0,"delta":{"role":"assistant","content":"Hello you, "},"finish_reason":null}]}\n\n'
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":['
    b'{"index":0,"delta":{"content":"how was your day?"},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[],'
    b'"usage":{"prompt_tokens":20,"completion_tokens":8,"total_tokens":28}}\n\n'
    b"data: [DONE]\n\n"
)
_FAILURE = b'{"error":{"message":"no","type":"server_error","param":null,"code":null}}'


def _response(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Stub(asyncio.Protocol):
    """One connection: reads requests by their content length and answers each."""

    def __init__(self, *, fail: bool) -> None:
        self._fail = _response("500 Internal Server Error", "application/json", _FAILURE) if fail else b""
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while True:
            end = self._waiting.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._waiting[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None]) if at >= 0 else 0
            if len(self._waiting) < end + 4 + length:
                return
            body, self._waiting = self._waiting[end + 4 : end + 4 + length], self._waiting[end + 4 + length :]
            self._transport.write(self._fail or self._answer(body))  # type: ignore[attr-defined]

    def _answer(self, body: bytes) -> bytes:
        if b'"stream":true' in body.replace(b" ", b""):
            return _STREAM
        return _WHOLE


_WHOLE = _response("200 OK", "application/json", _ANSWER)
_STREAM = _response("200 OK", "text/event-stream", _EVENTS)


async def main(port_file: Path, *, fail: bool) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Stub(fail=fail), "127.0.0.1", 0)
    waiting = port_file.with_suffix(".new")
    waiting.write_text(str(server.sockets[0].getsockname()[1]))
    waiting.replace(port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), fail="--fail" in sys.argv))
