"""A console with an engine in it, in a real terminal: the terminal may stall, vanish or be told to go."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from itertools import cycle
from pathlib import Path

import pytest

from engine.surface.queries import ListCampaigns
from huntaze_console.client import connect
from tests.system.embedded import Demo, alive, longest_silence, started
from tests.system.terminal import Terminal, terminal


@pytest.mark.parametrize("stalled", [8, pytest.param(40, marks=pytest.mark.system)])
def test_a_terminal_that_stops_reading_does_not_slow_the_engine(tmp_path: Path, stalled: int) -> None:
    demo = Demo(tmp_path)
    with terminal(demo.command(), environment=demo.environment) as shown:
        started(shown)
        shown.wait(lambda _: demo.sent() >= 10)
        _stop_reading(shown)
        sent, now = demo.sent(), demo.records("call")[-1]["at"]

        time.sleep(stalled)

        assert shown.stalled
        assert demo.sent() - sent >= stalled * 20 / 60 * 10 * 0.8  # one account's limit alone allows more than this
        assert longest_silence(demo, now) < 1.5
        with connect(demo.state) as client:  # and it answers
            assert client.query(ListCampaigns()).rows

        shown.wait(lambda _: not shown.stalled)
        shown.press("1")
        shown.wait(alive)
        _leave(shown)
    assert not demo.locked()


def test_losing_the_terminal_drains_the_engine(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with terminal(demo.command(), environment=demo.environment) as shown:
        started(shown)
        shown.wait(lambda _: demo.sent() >= 5)
        assert demo.locked()
        assert len(demo.processes()) == 2  # the console and its world

        shown.hang_up()
        code = shown.finish()

    assert code == 128 + signal.SIGHUP
    assert not demo.locked()
    assert demo.processes() == []
    assert not demo.state.endpoint_path.exists()
    left = demo.deliveries()
    assert left["sent"] == len({record["message_id"] for record in demo.records("message") if record["status"] == 200})
    assert not {"sending", "uncertain"} & left.keys()


def test_a_terminal_that_lives_on_is_given_back(tmp_path: Path) -> None:
    """SIGHUP by hand, or of a shell that ends while its terminal is shared."""
    demo = Demo(tmp_path)
    with terminal(demo.command(), environment=demo.environment) as shown:
        started(shown)

        shown.process.send_signal(signal.SIGHUP)
        code = shown.finish()

        assert code == 128 + signal.SIGHUP
        given_back(shown)
    assert not demo.locked()


def given_back(shown: Terminal) -> None:
    """With the settings it had, the screen of before, a cursor, and no reports."""
    assert shown.restored
    for mode in (b"?1049", b"?1000", b"?1006", b"?2004"):  # alternate screen, mouse, pasting
        last = max(shown.written.rfind(b"\x1b[" + mode + end) for end in (b"h", b"l"))
        assert last < 0 or shown.written[last + 2 + len(mode)] == ord("l"), mode
    assert b"\x1b[?25h" in shown.written[shown.written.rfind(b"\x1b[?1049l") :]
    assert b"Traceback" not in shown.written


def test_a_terminal_that_vanishes_without_a_signal_is_left_too(tmp_path: Path) -> None:
    """As when the session's leader has gone already: nobody sends SIGHUP, and reading the terminal just fails."""
    demo = Demo(tmp_path)
    ours, theirs = pty.openpty()
    environment = {**os.environ, **demo.environment, "TERM": "xterm-256color"}
    with subprocess.Popen(
        demo.command(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environment
    ) as console:
        os.close(theirs)
        shown = b""
        while b"HUNTAZE" not in shown:
            shown += os.read(ours, 65_536)
        os.close(ours)

        try:
            assert console.wait(15) == 128 + signal.SIGHUP
        finally:
            console.kill()  # no change once it has left; without it a console that stays would hang the test

    assert not demo.locked()
    assert demo.processes() == []


def test_sigterm_drains_the_engine_and_gives_the_terminal_back(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with terminal(demo.command(), environment=demo.environment) as shown:
        started(shown)
        shown.wait(lambda _: demo.sent() >= 5)

        shown.process.send_signal(signal.SIGTERM)
        code = shown.finish()

        assert code == 128 + signal.SIGTERM
        given_back(shown)
    assert not demo.locked()
    assert demo.processes() == []
    assert "sending" not in demo.deliveries()


def test_a_second_console_attaches_and_leaves_the_first_ones_engine_alone(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with terminal(demo.command(), environment=demo.environment) as first:
        started(first)
        owner = json.loads(demo.state.lock_path.read_text())["pid"]

        command = [demo.command()[0], "--state-dir", str(demo.state.path)]
        with terminal(command, columns=80, lines=24, environment=demo.environment) as second:
            started(second)
            second.hang_up()
            assert second.finish() == 128 + signal.SIGHUP

        os.kill(owner, 0)
        sent = demo.sent()
        first.wait(lambda _: demo.sent() > sent)
        _leave(first)


def _stop_reading(shown: Terminal) -> None:
    """Type what makes the console write a great deal, and read none of it, until its writes have to wait."""
    places = cycle("1234567")
    give_up = time.monotonic() + 40  # beside an engine that is busy, on a busy machine
    while not shown.stalled:
        assert time.monotonic() < give_up, "the terminal never filled up"
        shown.type(next(places))
        time.sleep(0.3)  # a burst of keys is painted once, at its end


def _leave(shown: Terminal) -> None:
    shown.type("q")
    shown.wait("Leave and stop the engine?")
    shown.type("y")
    assert shown.finish() == 0
