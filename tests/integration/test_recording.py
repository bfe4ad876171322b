"""Recording a real daemon from the command line, killing what can be killed, and playing it in a real terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.kernel.values import HOUR, iso
from engine.storage.directory import StateDirectory
from engine.surface import Snapshot
from engine.surface.commands import HaltSending, ResumeSending
from huntaze_console.cli.root import huntaze
from huntaze_console.client import connect
from screens.recording import Recording, RecordingError
from tests.integration.test_attach import daemon
from tests.system.terminal import terminal

HUNTAZE = [sys.executable, "-m", "huntaze_console"]


@contextmanager
def recorder(file: Path, state: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [*HUNTAZE, "record", str(file), "--state-dir", str(state), *more]
    environment = {"PATH": os.environ["PATH"], "HOME": str(file.parent)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 15
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def acts(state: Path, count: int) -> Snapshot:
    """Each is an event."""
    with connect(StateDirectory(state)) as client:
        for number in range(count):
            client.submit(HaltSending(actor=f"mia {number}"))
            client.submit(ResumeSending(actor=f"mia {number}"))
        client.submit(HaltSending(actor="the last"))
        return client.snapshot()


def recorded(file: Path) -> int:
    """How many events a recording holds that may just be made."""
    try:
        with Recording(file) as found:
            return found.events
    except RecordingError:
        return -1


def test_a_killed_recorder_leaves_what_was_written_and_a_restarted_engine_is_recorded_on(tmp_path: Path) -> None:
    state, file, other = tmp_path / "state", tmp_path / "killed", tmp_path / "whole"
    with daemon(state) as first, recorder(other, state) as staying:
        with recorder(file, state) as killed:
            until(lambda: recorded(file) >= 0 and recorded(other) >= 0)
            last = acts(state, 5)
            until(lambda: recorded(file) >= 11)

            killed.send_signal(signal.SIGKILL)
            killed.wait(10)

        with Recording(other) as found:
            begun = found.first.seq
        with Recording(file) as found:
            assert found.snapshot(found.events).engine.halted_by == "the last"
            assert found.snapshot(last.seq - found.first.seq) == last
            assert found.flaw == ""
        assert file.stat().st_mode & 0o777 == 0o600
        first.kill()
        with daemon(state):
            end = acts(state, 2)
            until(lambda: recorded(other) >= end.seq - begun)
            staying.send_signal(signal.SIGTERM)
            said, _ = staying.communicate(timeout=15)

    assert staying.returncode == 0
    assert "Recorded" in said
    with Recording(other) as found:
        assert found.snapshot(end.seq - begun) == end
        assert [mark.kind for mark in found.marks].count("engine") == 1  # the second start
        assert found.flaw == ""


def test_a_recording_and_a_past_hour_are_played_in_a_terminal(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "r"
    with daemon(state) as running:
        with recorder(file, state, "--for", "1s") as ends:
            assert ends.wait(15) == 0
        acts(state, 2)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(15) == 0

    with Recording(file) as found:
        began, later = iso(found.began - HOUR), iso(found.began + HOUR)  # longer ago than the log goes back
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm-256color"}
    for what in ([str(file)], ["--from", began, "--to", later]):
        with terminal([*HUNTAZE, "replay", *what, "--state-dir", str(state)], environment=environment) as shown:
            shown.wait("RECORDING")
            shown.press("n", "n")
            shown.wait("HALTED by mia 0" if what[0] == "--from" else "no further mark")
            shown.press("q")
            assert shown.finish() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["replay"], 2, "a FILE, or --from"),
        (["replay", "x", "--from", "14:00"], 2, "a FILE, or --from"),
        (["replay", "x", "--to", "14:00"], 2, "--to goes with --from"),
        (["replay", "x", "--connect", "http://127.0.0.1:1"], 2, "goes with --from"),
        (["replay", "x"], 2, "needs a terminal"),
        (["record", "r", "--for", "soon"], 2, "90s, 10m"),
        (["record", "r", "--token-file", "t"], 2, "add --connect"),
        (["record", "r"], 4, "huntaze daemon"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(huntaze, [*arguments, "--state-dir", str(tmp_path / "none")])

    assert (result.exit_code, words in result.output) == (code, True), result.output
    assert not (tmp_path / "r").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "precious"
    file.write_text("mine")
    with daemon(state):
        result = CliRunner().invoke(huntaze, ["record", str(file), "--state-dir", str(state)])

    assert result.exit_code == 1
    assert "nothing is written over" in result.output
    assert file.read_text() == "mine"
