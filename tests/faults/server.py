"""A provider on raw sockets that misbehaves as it is told, in the dialects of OpenAI and Anthropic.

It runs on a thread and a loop of its own, in plain text and in TLS. A request's path says what happens to it:
`/<dialect>/<behaviour>/…`. What a behaviour does is its docstring, from which `docs/faults.md` is checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import itertools
import json
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TEXT = "Grüße aus der Ferne, 世界 👋"
INPUT, CACHED, OUTPUT = 11, 3, 7  # tokens that every healthy answer reports
MOST_BYTES = 256 * 1024  # what the suite lets an answer have
DRIP = 0.25  # seconds between the drops of what is slow

Behaviour = Callable[["Talk"], Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS[function.__name__] = function
    return function


# ── what a healthy provider writes ──────────────────────────────────────────────────────────────────────────────────


def usage_of(dialect: str) -> dict[str, Any]:
    if dialect == "anthropic":
        return {"input_tokens": INPUT - CACHED, "cache_read_input_tokens": CACHED, "output_tokens": OUTPUT}
    return {
        "prompt_tokens": INPUT,
        "completion_tokens": OUTPUT,
        "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED},
    }


_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


def answer_of(dialect: str, *, text: str = TEXT, finish: str | None = "stop") -> dict[str, Any]:
    """A whole answer."""
    if dialect == "anthropic":
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": text}],
            "stop_reason": finish and _REASONS[finish],
            "usage": usage_of(dialect),
        }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": usage_of(dialect),
    }


def event(data: Mapping[str, Any]) -> bytes:
    head = f"event: {data['type']}\n" if "type" in data else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def words_of(dialect: str, text: str = TEXT) -> list[bytes]:
    """The events of a stream that bring its words, a few letters each."""
    parts = ["".join(piece) for piece in itertools.zip_longest(*[iter(text)] * 4, fillvalue="")]
    if dialect == "anthropic":
        start = {**answer_of(dialect), "content": [], "stop_reason": None}
        start["usage"] = {**usage_of(dialect), "output_tokens": 1}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        deltas: list[dict[str, Any]] = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}} for part in parts
        ]
        opened: list[dict[str, Any]] = [{"type": "message_start", "message": start}, block, {"type": "ping"}]
        return [event(one) for one in (*opened, *deltas)]
    return [
        _chunk({"role": "assistant", "content": ""}),
        *(_chunk({"content": part}) for part in parts),
    ]


def end_of(dialect: str, *, finish: str = "stop", usage: object = "") -> list[bytes]:
    """The events of a stream that end it: the finish, the usage, and what else is due."""
    report = usage_of(dialect) if usage == "" else usage
    if dialect == "anthropic":
        told = {"output_tokens": report["output_tokens"]} if usage == "" else report  # type: ignore[index]
        delta: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": _REASONS[finish]}}
        if told is not None:
            delta["usage"] = told
        return [event({"type": "content_block_stop", "index": 0}), event(delta), event({"type": "message_stop"})]
    last = [] if report is None else [event({**_HEAD, "choices": [], "usage": report})]
    return [_chunk({}, finish), *last, b"data: [DONE]\n\n"]


_HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def _chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
    return event({**_HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def error_of(dialect: str, code: str) -> dict[str, Any]:
    error = {"message": "in its own words", "type": code, "code": code}
    return {"type": "error", "error": error} if dialect == "anthropic" else {"error": error}


# ── one request and its connection ──────────────────────────────────────────────────────────────────────────────────


@dataclass
class Talk:
    """One request: `turn` counts those of its path, `reuse` those of its connection, from 0."""

    server: FaultServer
    dialect: str
    path: str
    streamed: bool
    turn: int
    reuse: int
    tells_usage: bool  # a stream in OpenAI's dialect tells its usage only when asked to
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    kept: bool = False  # the connection may serve another request

    async def raw(self, *parts: bytes, gap: float = 0.0) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if gap:
                await asyncio.sleep(gap)

    async def reply(
        self, body: bytes, *, status: str = "200 OK", kind: str = "application/json", **headers: str
    ) -> None:
        """A whole answer of known length."""
        await self.raw(self.head(status, kind, {"content-length": str(len(body)), **headers}) + body)
        self.kept = True

    async def json(self, payload: object, **how: str) -> None:
        await self.reply(json.dumps(payload, ensure_ascii=False).encode(), **how)

    async def begin(self, kind: str = "", **headers: str) -> None:
        """The headers of an answer in chunks, a stream if one was asked for."""
        kind = kind or ("text/event-stream" if self.streamed else "application/json")
        await self.raw(self.head("200 OK", kind, {"transfer-encoding": "chunked", **headers}))

    async def chunks(self, *parts: bytes, gap: float = 0.0) -> None:
        await self.raw(*(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), gap=gap)

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")
        self.kept = True

    async def events(self, *parts: bytes, gap: float = 0.0) -> None:
        await self.begin()
        await self.chunks(*parts, gap=gap)
        await self.end()

    async def well(self, **how: Any) -> None:
        """Answer as one should."""
        if self.streamed:
            finish = how.pop("finish", "stop")
            usage = "" if self.tells_usage else None
            await self.events(*words_of(self.dialect, **how), *end_of(self.dialect, finish=finish, usage=usage))
        else:
            await self.json(answer_of(self.dialect, **how))

    async def odd(self, **changes: object) -> None:
        """A healthy answer but for these fields; None takes one away. Streamed, they are a lone event."""
        payload = {**answer_of(self.dialect), **changes}
        payload = {key: value for key, value in payload.items() if value is not None}
        if self.streamed:
            await self.events(event(payload), b"data: [DONE]\n\n" if self.dialect == "openai" else b"")
        else:
            await self.json(payload)

    async def counted(self, usage: object) -> None:
        """A healthy answer with another usage; None leaves it out."""
        if self.streamed:
            words = words_of(self.dialect)
            if self.dialect == "anthropic":
                start = {**answer_of(self.dialect), "content": [], "stop_reason": None, "usage": usage}
                words[0] = event({"type": "message_start", "message": start})
            await self.events(*words, *end_of(self.dialect, usage=usage))
        else:
            await self.odd(usage=usage)

    async def refuse(self, status: str, code: str = "some_error", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.json(error_of(self.dialect, code), status=status, **named)

    def head(self, status: str, kind: str, headers: Mapping[str, str]) -> bytes:
        lines = (f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{''.join(lines)}\r\n".encode()

    async def reset(self) -> None:
        """Tear the connection down as a crashed machine does."""
        await asyncio.sleep(0.03)  # or the reset overtakes the bytes before it
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Say nothing until the client leaves."""
        while await self.reader.read(65_536):
            pass


@dataclass
class FaultServer:
    """`arrived` counts the requests of each path's first two parts that came in whole."""

    port: int = 0
    tls_port: int = 0
    closed_port: int = 0
    arrived: Counter[str] = field(default_factory=Counter)
    keys_seen_elsewhere: list[str] = field(default_factory=list)

    def url(self, dialect: str, name: str) -> str:
        """Where a provider that behaves so is found."""
        if name.startswith("refused"):
            return f"http://127.0.0.1:{self.closed_port}/{dialect}/{name}"
        if name.startswith("tls_untrusted"):
            return f"https://127.0.0.1:{self.tls_port}/{dialect}/{name}"
        if name.startswith("tls_plain_text"):
            return f"https://127.0.0.1:{self.port}/{dialect}/{name}"
        return f"http://127.0.0.1:{self.port}/{dialect}/{name}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for reuse in itertools.count():
                talk = await self._hear(reader, writer, reuse)
                if talk is None:
                    break
                await BEHAVIOURS[talk[0]](talk[1])
                if not talk[1].kept:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, UnicodeDecodeError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _hear(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reuse: int
    ) -> tuple[str, Talk] | None:
        try:
            first = await reader.readexactly(1)
            if first == b"\x16":  # a TLS client's greeting
                writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
                return None
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        except asyncio.IncompleteReadError:
            return None
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
        _, dialect, case, *_ = head[0].split(" ")[1].split("/")
        name = case.partition(".")[0]
        if name == "elsewhere":
            self.keys_seen_elsewhere.append(headers.get("authorization", "") + headers.get("x-api-key", ""))
        turn = self.arrived[f"{dialect}/{case}"]
        self.arrived[f"{dialect}/{case}"] += 1
        shape = "anthropic" if dialect == "anthropic" else "openai"
        asked = shape == "anthropic" or bool((body.get("stream_options") or {}).get("include_usage"))
        path = head[0].split(" ")[1]
        return name, Talk(self, shape, path, bool(body.get("stream")), turn, reuse, asked, reader, writer)


@contextlib.contextmanager
def fault_server(folder: Path) -> Iterator[FaultServer]:
    """A server on a thread of its own, gone with the block."""
    server, ready, loop = FaultServer(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with _listening(server, folder):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="fault server")
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the fault server did not start")
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@contextlib.asynccontextmanager
async def _listening(server: FaultServer, folder: Path) -> AsyncIterator[None]:
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await server.serve(reader, writer)
        except asyncio.CancelledError:  # the end of the suite; asyncio would log it as an error of the callback
            writer.transport.abort()
        finally:
            talks.discard(task)

    plain = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    secure = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=_certificate(folder))
    server.port, server.tls_port = (one.sockets[0].getsockname()[1] for one in (plain, secure))
    with socket.socket() as unused:  # bound and never listening: a connection is refused as long as it lives
        unused.bind(("127.0.0.1", 0))
        server.closed_port = unused.getsockname()[1]
        try:
            yield
        finally:
            for one in (plain, secure):
                one.close()
            for talk in tuple(talks):
                talk.cancel()
            await asyncio.gather(*talks, return_exceptions=True)


def _certificate(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody has vouched for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    path = folder / "self-signed.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


# ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────────


@behaviour
async def healthy(talk: Talk) -> None:
    """answers as it should"""
    await talk.well()


@behaviour
async def healthy_json(talk: Talk) -> None:
    """answers as it should, in JSON"""
    await talk.well(text='{"title": "Zoë"}')


@behaviour
async def healthy_batch(talk: Talk) -> None:
    """serves the call as part of a batch"""
    if talk.dialect == "anthropic":
        await talk.counted({**usage_of(talk.dialect), "service_tier": "batch"})
    elif talk.streamed:
        parts = (*words_of(talk.dialect), *end_of(talk.dialect))
        await talk.events(*(part.replace(b'"object"', b'"service_tier": "flex", "object"', 1) for part in parts))
    else:
        await talk.odd(service_tier="flex")


@behaviour
async def healthy_dear(talk: Talk) -> None:
    """thinks, and writes to its cache"""
    usage = usage_of(talk.dialect)
    if talk.dialect == "anthropic":
        kept = {"ephemeral_5m_input_tokens": 13, "ephemeral_1h_input_tokens": 17}
        await talk.counted({**usage, "cache_creation_input_tokens": 30, "cache_creation": kept})
    else:
        thought = {"completion_tokens": 107, "completion_tokens_details": {"reasoning_tokens": 64}}
        await talk.counted({**usage, **thought, "total_tokens": INPUT + 107})


@behaviour
async def one_bad_deployment(talk: Talk) -> None:
    """serves all of its deployments but one"""
    await (talk.refuse("500 Internal Server Error") if "/deployments/bad/" in talk.path else talk.well())


@behaviour
async def throttled_then_fine(talk: Talk) -> None:
    """429 once, with a second to wait"""
    await (talk.refuse("429 Too Many Requests", "r", retry_after="1") if talk.turn == 0 else talk.well())


@behaviour
async def refused(talk: Talk) -> None:
    """nothing listens at its port"""
    raise AssertionError


@behaviour
async def tls_untrusted(talk: Talk) -> None:
    """shows a TLS certificate that nobody has vouched for"""
    raise AssertionError("a request was sent to it")


@behaviour
async def tls_plain_text(talk: Talk) -> None:
    """speaks plain text at a TLS address"""
    raise AssertionError("a request was sent to it")


@behaviour
async def closed_unanswered(talk: Talk) -> None:
    """closes the connection without an answer"""


@behaviour
async def reset_before_headers(talk: Talk) -> None:
    """resets the connection before its headers"""
    await talk.reset()


@behaviour
async def reset_in_headers(talk: Talk) -> None:
    """resets the connection in the middle of its headers"""
    await talk.raw(b"HTTP/1.1 200 OK\r\ncontent-ty")
    await talk.reset()


@behaviour
async def reset_after_headers(talk: Talk) -> None:
    """resets the connection after its headers"""
    await talk.begin()
    await talk.reset()


@behaviour
async def kept_connection_closed(talk: Talk) -> None:
    """closes a kept connection just as it is used again"""
    if talk.reuse < 3:
        await talk.well()


@behaviour
async def garbage_protocol(talk: Talk) -> None:
    """answers in no known protocol"""
    await talk.raw(b"HTTP/1.1 banana\r\n\r\n")


@behaviour
async def early_hints(talk: Talk) -> None:
    """sends an interim 103 before its answer"""
    await talk.raw(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
    await talk.well()


# ── slowness ────────────────────────────────────────────────────────────────────────────────────────────────────────


@behaviour
async def silence(talk: Talk) -> None:
    """accepts the request and stays silent"""
    await talk.gone()


@behaviour
async def slow_headers(talk: Talk) -> None:
    """drips its headers"""
    await talk.raw(*(bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), gap=DRIP)


@behaviour
async def endless_headers(talk: Talk) -> None:
    """sends headers without end"""
    await talk.raw(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        await talk.raw(b"x-%d: y\r\n" % number)


@behaviour
async def headers_then_silence(talk: Talk) -> None:
    """sends its headers and then nothing"""
    await talk.begin()
    await talk.gone()


@behaviour
async def slow_body(talk: Talk) -> None:
    """drips its answer, longer than a call may take"""
    await talk.begin()
    drops = words_of(talk.dialect, TEXT * 9) if talk.streamed else [b" "] * 80
    await talk.chunks(*drops, gap=DRIP)


@behaviour
async def stalled_stream(talk: Talk) -> None:
    """begins its answer and stalls, keep-alives aside"""
    await talk.begin()
    await talk.chunks(*(words_of(talk.dialect) if talk.streamed else [b'{"id": ']))
    alive = event({"type": "ping"}) if talk.dialect == "anthropic" else b": keep-alive\n\n"
    await talk.chunks(*[alive if talk.streamed else b" "] * 40, gap=DRIP)


@behaviour
async def keepalives_only(talk: Talk) -> None:
    """sends keep-alives and no word"""
    await talk.begin()
    alive = event({"type": "ping"}) if talk.dialect == "anthropic" else b": keep-alive\n\n"
    await talk.chunks(*[alive if talk.streamed else b" "] * 40, gap=DRIP)


@behaviour
async def brown_out(talk: Talk) -> None:
    """stays silent once, then answers"""
    if talk.turn == 0:
        await talk.gone()
    else:
        await talk.well()


@behaviour
async def one_byte_at_a_time(talk: Talk) -> None:
    """sends its answer in packets of one byte"""
    if talk.streamed:
        whole = b"".join((*words_of(talk.dialect, "Grüße 👋"), *end_of(talk.dialect)))
        await talk.begin()
        await talk.chunks(*(bytes([byte]) for byte in whole))
        await talk.end()
    else:
        body = json.dumps(answer_of(talk.dialect, text="Grüße 👋"), ensure_ascii=False).encode()
        head = talk.head("200 OK", "application/json", {"content-length": str(len(body))})
        await talk.raw(*(bytes([byte]) for byte in head + body))
        talk.kept = True


@behaviour
async def split_letters(talk: Talk) -> None:
    """splits a letter of several bytes between two chunks"""
    whole = b"".join((*words_of(talk.dialect), *end_of(talk.dialect)))
    if not talk.streamed:
        whole = json.dumps(answer_of(talk.dialect), ensure_ascii=False).encode()
    at = whole.index("👋".encode()) + 2
    await talk.begin()
    await talk.chunks(whole[:at], whole[at:], gap=0.02)
    await talk.end()


# ── answers that break off ──────────────────────────────────────────────────────────────────────────────────────────


@behaviour
async def cut_answer(talk: Talk) -> None:
    """closes the connection in the middle of its answer"""
    await talk.begin()
    await talk.chunks(*(words_of(talk.dialect) if talk.streamed else [b'{"id": "chatcmpl-1", ']))


@behaviour
async def reset_in_answer(talk: Talk) -> None:
    """resets the connection in the middle of its answer"""
    await cut_answer(talk)
    await talk.reset()


@behaviour
async def ended_early(talk: Talk) -> None:
    """ends its answer in good order before it is finished"""
    if talk.streamed:
        await talk.events(*words_of(talk.dialect))
    else:
        await talk.reply(json.dumps(answer_of(talk.dialect)).encode()[:-30])


@behaviour
async def cut_after_finish(talk: Talk) -> None:
    """closes the connection after the finish and before the usage"""
    if not talk.streamed:
        await ended_early(talk)
        return
    await talk.begin()
    ending = end_of(talk.dialect, usage=None) if talk.dialect == "anthropic" else end_of(talk.dialect)
    await talk.chunks(*words_of(talk.dialect), *ending[: 2 if talk.dialect == "anthropic" else 1])


@behaviour
async def truncated_json(talk: Talk) -> None:
    """cuts its JSON short"""
    if talk.streamed:
        await talk.events(*words_of(talk.dialect), b'data: {"type": "content_block_delta", "choi\n\n')
    else:
        await talk.reply(json.dumps(answer_of(talk.dialect)).encode()[:-1])


@behaviour
async def broken_letters(talk: Talk) -> None:
    """sends bytes that are no UTF-8"""
    if talk.streamed:
        await talk.events(*words_of(talk.dialect)[:1], b'data: {"type": "\xff\xfe"}\n\n')
    else:
        await talk.reply(json.dumps(answer_of(talk.dialect)).encode().replace(b"aus", b"\xff\xfe"))


@behaviour
async def empty_body(talk: Talk) -> None:
    """answers 200 with nothing in it"""
    await talk.reply(b"", kind="text/event-stream" if talk.streamed else "application/json")


@behaviour
async def no_content(talk: Talk) -> None:
    """answers 204"""
    await talk.raw(b"HTTP/1.1 204 No Content\r\n\r\n")
    talk.kept = True


# ── bodies that are something else ──────────────────────────────────────────────────────────────────────────────────


@behaviour
async def not_an_object(talk: Talk) -> None:
    """answers with JSON that is no object"""
    if talk.streamed:
        await talk.events(b"data: [1, 2]\n\n", b"data: null\n\n", b"data: 7\n\n")
    else:
        await talk.json([answer_of(talk.dialect)])


@behaviour
async def wrong_content_type(talk: Talk) -> None:
    """gives its answer another content type"""
    if talk.streamed:
        await talk.begin(kind="application/octet-stream")
        await talk.chunks(*words_of(talk.dialect), *end_of(talk.dialect))
        await talk.end()
    else:
        await talk.json(answer_of(talk.dialect), kind="text/plain")


@behaviour
async def html_page(talk: Talk) -> None:
    """answers 200 with a page in HTML"""
    await talk.reply(b"<html>welcome to the hotel's network</html>", kind="text/html")


@behaviour
async def html_502(talk: Talk) -> None:
    """answers 502 with a page in HTML"""
    await talk.reply(b"<html>Bad Gateway</html>", kind="text/html", status="502 Bad Gateway")


@behaviour
async def empty_choices(talk: Talk) -> None:
    """answers with an empty list where the answer should be"""
    await talk.odd(**{"content" if talk.dialect == "anthropic" else "choices": []})


@behaviour
async def no_choices(talk: Talk) -> None:
    """answers without the field that holds the answer"""
    await talk.odd(**{"content" if talk.dialect == "anthropic" else "choices": None})


@behaviour
async def empty_text(talk: Talk) -> None:
    """finishes without a word"""
    await talk.well(text="")


@behaviour
async def blank_text(talk: Talk) -> None:
    """answers with blanks only"""
    await talk.well(text=" \n\n ")


@behaviour
async def bad_json_for_schema(talk: Talk) -> None:
    """answers in prose where a schema was asked for"""
    await talk.well()


@behaviour
async def no_finish(talk: Talk) -> None:
    """does not say why it stopped"""
    if talk.streamed:
        await talk.events(*words_of(talk.dialect), end_of(talk.dialect)[-1])
    else:
        await talk.json(answer_of(talk.dialect, finish=None))


@behaviour
async def length_stop(talk: Talk) -> None:
    """stops at the output cap"""
    await talk.well(finish="length")


@behaviour
async def filtered_finish(talk: Talk) -> None:
    """stops because its filter objects to what it wrote"""
    await talk.well(finish="content_filter")


@behaviour
async def refusal(talk: Talk) -> None:
    """declines to answer, in the field for refusals"""
    if talk.dialect == "anthropic":
        await talk.well(text="", finish="content_filter")
    elif talk.streamed:
        declined = _chunk({"role": "assistant", "content": None, "refusal": "I cannot help with that"})
        await talk.events(declined, *end_of(talk.dialect))
    else:
        message = {"role": "assistant", "content": None, "refusal": "I cannot help with that"}
        await talk.odd(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])


# ── errors inside a success ─────────────────────────────────────────────────────────────────────────────────────────


@behaviour
async def error_in_200(talk: Talk) -> None:
    """answers 200 with an error in JSON, also where a stream was asked for"""
    await talk.json(error_of(talk.dialect, "overloaded_error"))


@behaviour
async def error_first(talk: Talk) -> None:
    """begins its stream with an error"""
    failure = error_of(talk.dialect, "overloaded_error")
    await (talk.events(event(failure)) if talk.streamed else talk.json(failure))


@behaviour
async def error_in_the_middle(talk: Talk) -> None:
    """breaks its answer off with an error"""
    failure = error_of(talk.dialect, "overloaded_error")
    if talk.streamed:
        await talk.events(*words_of(talk.dialect), event(failure))
    else:
        await talk.odd(**failure, usage=None)


@behaviour
async def error_after_usage(talk: Talk) -> None:
    """adds an error after finish and usage"""
    failure = error_of(talk.dialect, "overloaded_error")
    if talk.streamed:
        await talk.events(*words_of(talk.dialect), *end_of(talk.dialect)[:-1], event(failure))
    else:
        await talk.odd(**failure)


# ── usage ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@behaviour
async def missing_usage(talk: Talk) -> None:
    """tells no usage"""
    await talk.counted(None)


@behaviour
async def negative_usage(talk: Talk) -> None:
    """tells a negative count"""
    await talk.counted({key: value if isinstance(value, dict) else -5 for key, value in usage_of(talk.dialect).items()})


@behaviour
async def usage_in_words(talk: Talk) -> None:
    """tells its counts as strings"""
    await talk.counted({key: str(value) for key, value in usage_of(talk.dialect).items()})


@behaviour
async def contradictory_usage(talk: Talk) -> None:
    """tells parts that are larger than their whole"""
    usage = usage_of(talk.dialect)
    if talk.dialect == "anthropic":
        await talk.counted({**usage, "output_tokens_details": {"thinking_tokens": OUTPUT + 1}})
    else:
        await talk.counted({**usage, "prompt_tokens_details": {"cached_tokens": INPUT + 1}})


@behaviour
async def absurd_usage(talk: Talk) -> None:
    """tells counts that no model can reach"""
    await talk.counted(dict.fromkeys(usage_of(talk.dialect), 10**15))


@behaviour
async def zero_usage(talk: Talk) -> None:
    """tells that its words cost nothing"""
    usage = usage_of(talk.dialect)
    await talk.counted({**usage, "completion_tokens": 0, "output_tokens": 0})


@behaviour
async def doubled_chunks(talk: Talk) -> None:
    """sends its finish and its usage twice"""
    if not talk.streamed:
        await talk.well()
        return
    *ending, last = end_of(talk.dialect)
    await talk.events(*words_of(talk.dialect), *(part for part in ending for _ in range(2)), last)


# ── size ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@behaviour
async def huge_answer(talk: Talk) -> None:
    """answers with far more than an answer can have"""
    await talk.begin()
    start = b"data: " if talk.streamed else b""
    await talk.chunks(start + b'{"id": "', *[b"x" * 32_768] * (4 * MOST_BYTES // 32_768), b'"}\n\n')
    await talk.end()


@behaviour
async def endless_stream(talk: Talk) -> None:
    """writes without end"""
    await talk.begin()
    parts = words_of(talk.dialect)[3:] if talk.streamed else [b" " * 4_096]
    while True:
        await talk.chunks(*parts)
        await asyncio.sleep(0.001)  # it shares this machine with the client


@behaviour
async def packed(talk: Talk) -> None:
    """packs its answer with gzip"""
    await _packed(talk, gzip.compress(_whole(talk)))


@behaviour
async def packed_badly(talk: Talk) -> None:
    """packs its answer with gzip and garbles it"""
    body = gzip.compress(_whole(talk))
    await _packed(talk, body[: len(body) // 2] + b"garbage")


@behaviour
async def packed_bomb(talk: Talk) -> None:
    """sends a small gzip that unpacks to gigabytes"""
    await _packed(talk, _BOMB)


@behaviour
async def packed_unasked(talk: Talk) -> None:
    """packs its answer in a way nobody asked for"""
    kind = "text/event-stream" if talk.streamed else "application/json"
    await talk.reply(b"\x28\xb5\x2f\xfd" + b"\x00" * 50, kind=kind, content_encoding="zstd")


_BOMB = gzip.compress(b" " * 16_000_000)  # 16 kB that hold 16 MB


def _whole(talk: Talk) -> bytes:
    if talk.streamed:
        return b"".join((*words_of(talk.dialect), *end_of(talk.dialect)))
    return json.dumps(answer_of(talk.dialect)).encode()


async def _packed(talk: Talk, body: bytes) -> None:
    kind = "text/event-stream" if talk.streamed else "application/json"
    await talk.reply(body, kind=kind, content_encoding="gzip")


# ── statuses ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _status(name: str, does: str, status: str, code: str = "some_error", **headers: str) -> None:
    async def answer(talk: Talk) -> None:
        await talk.refuse(status, code, **headers)

    answer.__name__, answer.__doc__ = name, does
    behaviour(answer)


_LATER = format_datetime(datetime.datetime(2126, 1, 1, tzinfo=datetime.UTC), usegmt=True)
_status("bad_request", "400: the request is malformed", "400 Bad Request", "invalid_request_error")
_status("filtered_prompt", "400: its filter objects to the prompt", "400 Bad Request", "content_filter")
_status("too_long", "400: the prompt is longer than its context", "400 Bad Request", "context_length_exceeded")
_status("unauthorized", "401", "401 Unauthorized", "invalid_api_key")
_status("unpaid", "402", "402 Payment Required", "billing_error")
_status("forbidden", "403", "403 Forbidden", "permission_error")
_status("unknown_model", "404: it has no such model", "404 Not Found", "model_not_found")
_status("request_timeout", "408", "408 Request Timeout", "timeout")
_status("conflict", "409", "409 Conflict", "conflict")
_status("too_large", "413", "413 Payload Too Large", "request_too_large")
_status("unprocessable", "422", "422 Unprocessable Entity", "unprocessable")
_status("throttled", "429 without Retry-After", "429 Too Many Requests", "rate_limit_error")
_status("throttled_seconds", "429 with Retry-After in seconds", "429 Too Many Requests", "r", retry_after="1")
_status("throttled_date", "429 with a date in Retry-After", "429 Too Many Requests", "r", retry_after=_LATER)
_status("throttled_absurdly", "429 with an absurd Retry-After", "429 Too Many Requests", "r", retry_after="9" * 12)
_status("throttled_gibberish", "429 with a Retry-After in words", "429 Too Many Requests", "r", retry_after="soon")
_status("out_of_quota", "429: the account's quota is used up", "429 Too Many Requests", "insufficient_quota")
_status("broken", "500", "500 Internal Server Error", "server_error")
_status("bad_gateway", "502", "502 Bad Gateway")
_status("unavailable", "503 with Retry-After beyond patience", "503 Service Unavailable", "u", retry_after="60")
_status("gateway_timeout", "504", "504 Gateway Timeout")
_status("overloaded", "529", "529 Overloaded", "overloaded_error")


@behaviour
async def redirected(talk: Talk) -> None:
    """307 to another address"""
    elsewhere = f"http://127.0.0.1:{talk.server.port}/{talk.dialect}/elsewhere/v1/messages"
    await talk.refuse("307 Temporary Redirect", location=elsewhere)


@behaviour
async def elsewhere(talk: Talk) -> None:
    """where redirects lead"""
    await talk.well()


@behaviour
async def flapping(talk: Talk) -> None:
    """fails every other time"""
    await (talk.refuse("500 Internal Server Error") if talk.turn % 2 == 0 else talk.well())


def described() -> Sequence[tuple[str, str]]:
    """Every behaviour with what it does."""
    return [(name, (function.__doc__ or "").strip()) for name, function in BEHAVIOURS.items()]
