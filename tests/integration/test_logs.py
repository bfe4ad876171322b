"""The engine's log from a logger to whoever asks: over the desk, over HTTP, on the command line, and after the end."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.kernel.errors import CommandRefused
from engine.kernel.redaction import Redactor
from engine.kernel.secret import Secret
from engine.runtime import Logs
from engine.surface.queries import ListLogs
from engine.surface.rows import LogRow
from engine.telemetry import LogBook
from huntaze_console.cli.root import huntaze
from huntaze_console.configuration.sections import LoggingSection
from huntaze_console.logs import configure_logging, hide
from tests.acceptance.stage import stage
from tests.fakes import ManualClock
from tests.integration.test_api_desk import FakeDesk, serving

HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\u202eevil\x9b31m\nforged line " + "x" * 10_000


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    logger = logging.getLogger()
    before, level = list(logger.handlers), logger.level
    logger.setLevel(logging.DEBUG)
    yield logger
    for handler in list(logger.handlers):
        if handler not in before:
            logger.removeHandler(handler)
            handler.close()
    for handler in before:
        if handler not in logger.handlers:
            logger.addHandler(handler)
    logger.setLevel(level)


def filled(count: int, **changes: Any) -> LogBook:
    book = LogBook(ManualClock(), Redactor([Secret("known-secret-1")]), **{"kept": 2_000, **changes})
    for number in range(1, count + 1):
        level = logging.WARNING if number % 10 == 0 else logging.INFO
        book.handle(logging.LogRecord("engine.a", level, "f.py", 1, "number %d", (number,), None))
    return book


async def ask(logs: Logs, **question: Any) -> tuple[list[int], str | None]:
    page = await logs.queries[ListLogs](ListLogs(**question))
    return [row.seq for row in page.rows], page.next


# ── the desk ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_pages_go_back_from_the_newest_and_on_from_a_number() -> None:
    logs = Logs(filled(250))

    newest, cursor = await ask(logs, limit=100)
    older, further = await ask(logs, limit=100, cursor=cursor or "")
    oldest, end = await ask(logs, limit=100, cursor=further or "")

    assert (newest, older, oldest, end) == (list(range(151, 251)), list(range(51, 151)), list(range(1, 51)), None)
    assert await ask(logs, after=240, limit=5) == ([241, 242, 243, 244, 245], None)
    assert await ask(logs, after=250) == ([], None)
    assert await ask(logs, level="warning", limit=3) == ([230, 240, 250], "230")
    assert await ask(logs, text="NUMBER 25") == ([25, 250], None)


async def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(CommandRefused, match=r"cursor|listing"):
        await ask(Logs(filled(1)), cursor="١")
    with pytest.raises(CommandRefused, match="one of"):
        await ask(Logs(filled(1)), level="loud")
    with pytest.raises(CommandRefused, match="no engine runs here"):
        await ask(Logs(None))


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_api_answers_as_it_describes(tmp_path: Path) -> None:
    desk = FakeDesk()
    row = LogRow(
        seq=7,
        at=ManualClock().now(),
        level="error",
        area="engine.a",
        message="it broke",
        fields={"job": "write_1"},
        error="ValueError at a.py:1",
        trace=("a.py:1 in f", "ValueError"),
    )
    desk.answers[ListLogs] = [row]
    async with serving(tmp_path, desk) as served:
        reply = await served.client.get("/api/v2/logs?level=warning&text=broke&after=3&limit=5")
        secret = await served.client.get("/api/v2/logs", token=False)
        wrong = await served.client.get("/api/v2/logs?level=loud")

    assert desk.asked[-1] == ListLogs(level="warning", text="broke", after=3, limit=5)
    (line,) = reply.json()["rows"]
    assert line == {
        "seq": 7,
        "at": "2026-11-20T08:00:00.000000000Z",
        "level": "error",
        "area": "engine.a",
        "message": "it broke",
        "fields": {"job": "write_1"},
        "error": "ValueError at a.py:1",
        "trace": ["a.py:1 in f", "ValueError"],
    }
    assert secret.status == 401
    assert wrong.status == 400


# ── a whole engine ──────────────────────────────────────────────────────────────────────────────────────────────────


def run(state: Path, *words: str) -> Any:
    answer = CliRunner().invoke(huntaze, ["logs", "--state-dir", str(state), *words], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer


def test_a_daemons_log_is_asked_while_it_runs_and_read_when_it_is_gone(tmp_path: Path) -> None:
    """A broker that is not there gives it something to say."""
    config = '[mqtt]\nhost = "127.0.0.1"\nport = 1\ntls = false\n[logging]\nlevel = "debug"\n'
    with stage(tmp_path, speed=60, config=config) as play:
        daemon = play.start()
        play.wait(lambda: "is away" in run(play.state, "--level", "warning").output, within=10)
        told = json.loads(run(play.state, "--json", "--level", "warning", "-n", "5").output)
        following = subprocess.Popen(
            [sys.executable, "-m", "huntaze_console", "logs", "--state-dir", str(play.state), "-f", "--json"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert following.stdout is not None
        first = json.loads(following.stdout.readline())
        following.terminate()
        following.communicate()
        assert daemon.stop() == 0
        afterwards = run(play.state, "--level", "warning")
        as_json = json.loads(run(play.state, "--json", "--text", "BROKER").output)

    (row,) = [one for one in told["rows"] if one["area"] == "engine.bus.mqtt"]
    assert row["message"].startswith("the MQTT broker at 127.0.0.1:1 is away")
    assert set(first) == {"seq", "at", "level", "area", "message", "fields", "error", "trace"}
    assert "no engine runs here" in afterwards.stderr
    assert re.search(r"warning +engine\.bus\.mqtt: the MQTT broker", afterwards.stdout)
    assert [one["area"] for one in as_json["rows"]] == ["engine.bus.mqtt"]
    assert (play.state / "engine.log").stat().st_mode & 0o777 == 0o600


def test_a_file_that_somebody_spoilt_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    good = {"at": "2026-11-20T08:00:00.000000000Z", "level": "error", "area": "engine.a", "message": HOSTILE}
    lines = [
        b'half of a line"}',
        json.dumps(good).encode(),
        b"[1, 2]",
        b'{"level": 5}',
        b'{"level": "loud"}',
        b"\xff\xfe",
    ]
    (tmp_path / "engine.log").write_bytes(b"\n".join(lines))

    answer = run(tmp_path)

    assert answer.stdout.count("\n") == 1
    assert "evil" in answer.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", answer.stdout)


def test_nothing_to_read_says_what_to_do(tmp_path: Path) -> None:
    answer = CliRunner().invoke(huntaze, ["logs", "--state-dir", str(tmp_path)])

    assert answer.exit_code != 0
    assert "huntaze daemon" in answer.stderr


# ── what goes to stderr and console.log ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_of_the_process_holds_no_secret_and_no_control(tmp_path: Path, root: logging.Logger, form: str) -> None:
    file = tmp_path / "console.log"
    configure_logging(LoggingSection(format=form), file=file)  # type: ignore[arg-type]
    hide([Secret("known-secret-1")])

    root.warning("%s known-secret-1 sk-do-not-show-0123456789 redis://:planted@host", HOSTILE[:60])
    try:
        raise ValueError("known-secret-1 planted")
    except ValueError:
        root.exception("broke")

    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(text.splitlines()) == 2
    assert not re.search(r"known-secret|do-not-show|planted|[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "ValueError at test_logs.py" in text
