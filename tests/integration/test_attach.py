"""Consoles attached to a real daemon: killed, restarted, cut off, silent, of another version, and several at once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from engine.events import SendingHalted
from engine.kernel.errors import CommandRefused, EngineUnavailable, HuntazeError, Refusal
from engine.kernel.secret import Secret
from engine.surface import Snapshot, wire
from engine.surface.commands import HaltSending, ResumeSending
from engine.surface.queries import ListCampaigns
from screens.sources.line import Address
from screens.sources.remote import RemoteSource
from tests.integration.test_api_server import certificate_of_localhost
from tests.proxy import Proxy
from tests.system.terminal import Terminal, terminal

LOOKING = "l" * 43  # a read-only token
LAST_WORD = b'event: end\ndata: {"reason":"this token was revoked"}\n\n'


@dataclass
class Daemon:
    """A `huntaze daemon` of its own, without a provider: nothing but the engine."""

    state: Path
    process: subprocess.Popen[str]
    port: int

    @property
    def token(self) -> Secret:
        return Secret((self.state / "api-token").read_text().strip())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def daemon(state: Path, **settings: str) -> Iterator[Daemon]:
    command = [sys.executable, "-m", "huntaze_console", "daemon", "--port", "0", "--state-dir", str(state)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(state.parent), **settings}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert " ready at " in said
        yield Daemon(state, process, urlsplit(said.rsplit(" ", 1)[-1].strip()).port or 0)
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@asynccontextmanager
async def console(port: int, token: Secret, **named: Any) -> AsyncIterator[RemoteSource]:
    address = Address(host="127.0.0.1", port=port)
    source = RemoteSource(address, token, chance=random.Random(1), version="0.1.0", **named)
    source.start()
    try:
        yield source
    finally:
        await asyncio.to_thread(source.close)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_killed_daemon_is_noticed_and_its_successor_caught_up_with(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as first:
        async with Proxy(first.port).running() as proxy, console(proxy.port, first.token) as source:
            await until(lambda: source.link().up)
            await source.submit(HaltSending(actor="mia@laptop"))
            await until(lambda: source.snapshot().engine.halted_by == "mia@laptop")
            before = source.snapshot()
            first.kill()
            await until(lambda: not source.link().up)
            assert source.snapshot() == before
            with pytest.raises(EngineUnavailable):
                await source.submit(ResumeSending(actor="mia@laptop"))

            with daemon(tmp_path / "s") as second:
                proxy.target = second.port
                await until(lambda: source.link().up and source.snapshot().seq > before.seq)
                after = source.snapshot()
                assert (after.epoch, after.engine.halted_by) == (before.epoch, "mia@laptop")
                await until(lambda: [one.seq for one in source.recent(before.seq)][-1:] == [source.snapshot().seq])
                seen = [one.seq for one in source.recent(0)]
                assert seen == list(range(seen[0], seen[-1] + 1))


async def test_another_database_behind_the_same_address_begins_anew(tmp_path: Path) -> None:
    with daemon(tmp_path / "one") as first:
        (tmp_path / "two").mkdir(mode=0o700)
        (tmp_path / "two" / "api-token").write_text(first.token.reveal())
        async with Proxy(first.port).running() as proxy, console(proxy.port, first.token) as source:
            await until(lambda: source.link().up)
            await source.submit(HaltSending(actor="mia"))
            await until(lambda: source.snapshot().engine.halted_by == "mia")
            epoch = source.snapshot().epoch
            first.kill()
            with daemon(tmp_path / "two") as second:
                proxy.target = second.port
                await until(lambda: source.snapshot().epoch not in ("", epoch))

                assert source.snapshot().engine.halted_by == ""
                assert not any(isinstance(one.event, SendingHalted) for one in source.recent(0))


async def test_links_that_are_cut_go_silent_or_die_without_a_word_lose_nothing(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as engine:
        async with (
            Proxy(engine.port).running() as proxy,
            console(proxy.port, engine.token, patience=1.5) as source,
            console(engine.port, engine.token) as other,
        ):
            await until(lambda: source.link().up and other.link().up)

            proxy.cut()
            await until(lambda: not source.link().up)
            await other.submit(HaltSending(actor="ben@desk"))
            await until(lambda: source.link().up and source.snapshot().engine.halted_by == "ben@desk")

            proxy.open.clear()  # nothing passes any more, and nothing says so
            await until(lambda: not source.link().up)
            assert source.link().note == "no word from the engine"
            assert source.snapshot().engine.halted_by == "ben@desk"
            await other.submit(ResumeSending(actor="ben@desk"))
            proxy.open.set()
            await until(lambda: source.link().up and not source.snapshot().engine.halted_by)

            proxy.open.clear()
            accepted = proxy.accepted
            await until(lambda: proxy.accepted > accepted)  # it gave that connection up
            proxy.open.set()
            await until(lambda: source.link().up)
            assert source.snapshot() == other.snapshot()


async def test_consoles_see_each_others_acts_and_who_did_them(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as engine:
        async with console(engine.port, engine.token) as one, console(engine.port, engine.token) as two:
            await until(lambda: one.link().up and two.link().up)
            await one.submit(HaltSending(actor="mia@laptop"))
            await until(lambda: two.snapshot().engine.halted_by == "mia@laptop")
            await two.submit(ResumeSending(actor="ben@desk"))
            await until(lambda: not one.snapshot().engine.halted_by)

            acts = [(one.kind, getattr(one.event, "actor", "")) for one in one.recent(0)]
            assert ("SendingResumed", "ben@desk") in acts


async def test_a_read_only_token_makes_the_link_read_only(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as engine:
        path = tmp_path / "s" / "api-token-read-only"
        path.write_text("l" * 43)
        path.chmod(0o600)
        async with console(engine.port, Secret("l" * 43)) as source:
            await until(lambda: source.link().up)
            assert source.link().read_only
            assert (await source.query(ListCampaigns())).rows == ()
            with pytest.raises(CommandRefused, match="change nothing"):
                await source.submit(HaltSending(actor="mia"))


def read_only(engine: Daemon, token: str) -> None:
    path = engine.state / "api-token-read-only"
    path.touch(0o600)
    path.write_text(token)


async def test_a_console_whose_token_is_revoked_is_gone_within_a_second_and_says_why(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as engine:
        read_only(engine, LOOKING)
        async with console(engine.port, Secret(LOOKING)) as guest, console(engine.port, engine.token) as owner:
            await until(lambda: guest.link().up and owner.link().up)
            (engine.state / "api-token-read-only").unlink()
            revoked = time.monotonic()
            await until(lambda: not guest.link().up)

            assert time.monotonic() - revoked < 1.5
            seen = guest.snapshot().seq
            await owner.submit(HaltSending(actor="mia"))
            await until(lambda: owner.snapshot().engine.halted_by == "mia")
            for _ in range(20):
                assert "this token was revoked" in guest.link().note
                await asyncio.sleep(0.05)
            assert guest.snapshot().seq == seen
            assert owner.link().up


async def test_every_stream_ends_with_its_token_and_says_why(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as engine:
        read_only(engine, LOOKING)
        headers = {"Authorization": f"Bearer {LOOKING}"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{engine.port}", headers=headers) as session:
            streams = [await session.get(f"/api/v2/{path}") for path in ("events", "watch")]
            assert [stream.status for stream in streams] == [200, 200]
            read_only(engine, "another-" * 5)

            async with asyncio.timeout(2):
                told = [await stream.read() for stream in streams]

            assert [text.endswith(LAST_WORD) for text in told] == [True, True]
            async with session.get("/api/v2/events") as again:
                assert (again.status, (await again.json(content_type=None))["detail"]) == (
                    401,
                    "this token was revoked",
                )


async def test_a_token_that_may_do_more_than_before_is_told_so(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as engine:
        read_only(engine, LOOKING)
        async with console(engine.port, Secret(LOOKING)) as source:
            await until(lambda: source.link().up)
            assert source.link().read_only
            (engine.state / "api-token").write_text(LOOKING)

            await until(lambda: source.link().up and not source.link().read_only)

            await source.submit(HaltSending(actor="mia"))


# ── an engine of another version ────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Stranger:
    """A daemon that speaks what a test has it say."""

    level: str | None = "1.1"
    version: str = "9.0"
    frames: tuple[bytes, ...] = ()
    refusal: dict[str, Any] | None = None

    @asynccontextmanager
    async def served(self) -> AsyncIterator[int]:
        app = web.Application()
        app.add_routes(
            [
                web.get("/api/v2/watch", self._watch),
                web.post("/api/v2/command", self._refuse),
                web.post("/api/v2/query", self._refuse),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": "text/event-stream", "X-Huntaze-Version": self.version}
        response = web.StreamResponse(headers=headers | ({"X-Huntaze-Wire": self.level} if self.level else {}))
        await response.prepare(request)
        for frame in self.frames:
            await response.write(frame)
        while True:
            await response.write(b":\n\n")
            await asyncio.sleep(0.1)

    async def _refuse(self, request: web.Request) -> web.Response:
        return web.json_response(self.refusal, status=400, content_type="application/problem+json")


def told(event: str, **data: Any) -> bytes:
    return b"event: " + event.encode() + b"\ndata: " + wire.dump(data) + b"\n\n"


BEGIN = Snapshot(epoch="e1", seq=5)


async def test_what_a_newer_engine_says_beyond_what_is_known_is_passed_over() -> None:
    fields = {"at": 1, "actor": "mia", "mood": "calm"}
    newer = {"epoch": "e1", "seq": 5, "at": 0, "weather": {"sun": 3}, "money": {"today": 7, "tips": 4}}
    patch = {"seq": {"whole": 7}, "weather": {"whole": 1}, "money": {"fields": {"today": 9, "tips": 5}}}
    events = [
        {"seq": 6, "kind": "MoonRose", "fields": {"at": 1}},
        {"seq": 7, "kind": "SendingHalted", "fields": fields},
    ]
    frames = (
        told("snapshot", snapshot=newer, now=1),
        told("weather", sun=1),
        told("change", after=5, now=2, patch=patch, events=events, skipped=0, mood="calm"),
    )
    async with Stranger(level="1.7", frames=frames).served() as port, console(port, Secret("t")) as source:
        await until(lambda: source.snapshot().seq == 7)

        assert source.link().up
        assert source.snapshot().money.today == 9
        assert [(one.seq, one.kind) for one in source.recent(0)] == [(7, "SendingHalted")]


async def test_an_engine_of_an_incompatible_level_is_refused_with_what_to_do() -> None:
    frames = (told("snapshot", snapshot=BEGIN, now=1),)
    stranger = Stranger(level="2.0", frames=frames)
    async with stranger.served() as port, console(port, Secret("t")) as source:
        failure = await asyncio.to_thread(source.first, 10)

        assert isinstance(failure, HuntazeError)
        assert "the engine is 9.0 and speaks 2.0; this console (0.1.0) speaks 1.1" in str(failure)
        assert "Install huntaze-console 9.0 here" in failure.remedy
        assert not source.link().up
        assert "speaks 2.0" in source.link().note


@pytest.mark.parametrize(
    ("detail", "place"),
    [
        ("command must be one of PauseCampaign, StartCampaign", "command"),
        ("HaltSending has no actor", "actor"),
    ],
)
async def test_an_older_engine_says_which_it_is_when_it_does_not_know_a_command(detail: str, place: str) -> None:
    refusal = {"detail": detail, "reason": "invalid", "field": place, "status": 400}
    stranger = Stranger(version="0.1", frames=(told("snapshot", snapshot=BEGIN, now=1),), refusal=refusal)
    async with stranger.served() as port, console(port, Secret("t")) as source:
        await until(lambda: source.link().up)

        with pytest.raises(CommandRefused, match=r"This engine \(0\.1\) does not know that") as refused:
            await source.submit(HaltSending(actor="mia"))
        assert refused.value.reason is Refusal.UNAVAILABLE


@pytest.mark.parametrize(
    "frame",
    [
        told("snapshot", snapshot=[1], now=1),
        told("snapshot", snapshot={"seq": "5"}, now=1),
        b"event: snapshot\ndata: {\n\n",
        told("snapshot", snapshot=BEGIN, now=1)
        + told("change", after=5, now=1, patch={"money": {"fields": {"today": "x"}}}, events=[], skipped=0),
        told("snapshot", snapshot=BEGIN, now=1) + told("change", after=5, now=1, patch={}, events=[{}], skipped=0),
    ],
)
async def test_what_cannot_be_read_is_said_and_never_shown(frame: bytes) -> None:
    async with Stranger(frames=(frame,)).served() as port, console(port, Secret("t")) as source:
        await until(lambda: "cannot be read" in source.link().note)

        assert source.snapshot() in (Snapshot(), BEGIN)


# ── the command itself, on a terminal ───────────────────────────────────────────────────────────────────────────────


def _console(state: Path, url: str, *flags: str, **environment: str) -> AbstractContextManager[Terminal]:
    command = [sys.executable, "-m", "huntaze_console", "--connect", url, "--state-dir", str(state / "here"), *flags]
    return terminal(command, environment={"PATH": os.environ["PATH"], "HOME": str(state), **environment})


def test_a_console_is_opened_on_an_engine_elsewhere_with_a_token_from_a_file(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as engine:
        url = f"http://127.0.0.1:{engine.port}"
        with _console(tmp_path, url, "--token-file", str(tmp_path / "s" / "api-token")) as shown:
            assert "engine ok" in shown.wait("SPEND")
            engine.kill()
            shown.wait(lambda screen: "engine ok" not in screen)
            shown.type("q")
            assert shown.finish() == 0
        said = [path.read_text() for path in (tmp_path / "here").glob("*.log")]
        assert not any(engine.token.reveal() in text for text in said)


def test_a_token_is_asked_for_without_an_echo_and_a_wrong_one_ends_it_in_words(tmp_path: Path) -> None:
    with daemon(tmp_path / "s") as engine, _console(tmp_path, f"http://127.0.0.1:{engine.port}") as shown:
        shown.wait("Token for http://127.0.0.1")
        shown.type("hunter2" * 6 + "\r")
        screen = shown.wait("the token is wrong")

        assert "hunter2" not in screen
        assert shown.finish() == 5


def test_under_tls_the_certificate_is_verified(tmp_path: Path) -> None:
    certificate, key = certificate_of_localhost(tmp_path)
    flags = {"HUNTAZE_DAEMON__TLS_CERT": str(certificate), "HUNTAZE_DAEMON__TLS_KEY": str(key)}
    with daemon(tmp_path / "s", **flags) as engine:
        token, url = {"HUNTAZE_TOKEN": engine.token.reveal()}, f"https://localhost:{engine.port}"
        with _console(tmp_path, url, **token) as stranger:
            assert "certificate is not trusted" in stranger.wait("huntaze: ")
            assert stranger.finish() == 5
        with _console(tmp_path, url, "--ca-file", str(certificate), **token) as shown:
            assert "engine ok" in shown.wait("SPEND")
        with _console(tmp_path, f"https://127.0.0.1:{engine.port}", "--ca-file", str(certificate), **token) as other:
            assert "certificate is not trusted" in other.wait("huntaze: ")


def test_the_first_frame_loads_neither_an_engine_nor_what_checks_settings_and_bodies() -> None:
    code = (
        "import sys\n"
        "import huntaze_console.cli, huntaze_console.console, screens.app, screens.overview, screens.sources.remote\n"
        "from huntaze_console.configuration.look import look\n"
        "from huntaze_console.options import SettingsSource\n"
        "look(SettingsSource())\n"
        "heavy = {'pydantic', 'aiohttp', 'sqlite3', 'aiosqlite', 'engine.orchestrator', 'engine.surface.queries'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert said.stdout.strip() == "[]"
