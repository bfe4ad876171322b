"""The daemon as an operator meets it: a process, its signals, its directory and its API, over a simulated world."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.surface.commands import HaltSending
from tests.acceptance.stage import Daemon, Stage, scenario_file, stage

SCENARIO = """
name = "small"
[platform]
latency = ["{latency}", "{latency}"]
opted_out_share = 0.0
new_fans_per_hour = 0.0
accounts = [{{ id = "anna", fans = 3 }}]
"""
HURRIED, BUSY = 75, 5


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Stage]:
    """A world where a message takes a moment."""
    config = "[limiter]\nmessages = 10\n"
    with stage(tmp_path, speed=60, scenario=_scenario(tmp_path, "PT0.1S"), config=config) as play:
        yield play


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Stage]:
    """A world in real time where a message takes four seconds."""
    with stage(tmp_path, speed=1, scenario=_scenario(tmp_path, "PT4S")) as play:
        yield play


def _scenario(folder: Path, latency: str) -> str:
    return scenario_file(folder, SCENARIO.format(latency=latency))


def _start(play: Stage) -> Daemon:
    """With the scenario's own demand, which is none: only what a test asks for happens."""
    return play.start("--scenario", str(play.state.parent / "scenario.toml"))


def _sending(play: Stage) -> tuple[Daemon, str]:
    """A daemon in the middle of a send."""
    daemon = _start(play)
    play.wait(lambda: "providers ready to be called" in play.said(), within=60)  # loading them holds up an exit
    campaign_id = play.create("one", "anna", template="Hello {{name}}", prompt="")
    play.wait(lambda: any(row.state == "sending" for row in play.deliveries(campaign_id)), within=30)
    return daemon, campaign_id


def _state(play: Stage) -> Any:
    return play.ask(lambda client: client.snapshot()).engine


def test_a_signal_drains_what_is_in_flight_and_exits_0(slow: Stage) -> None:
    daemon, campaign_id = _sending(slow)

    assert daemon.stop() == 0

    arrived = slow.records("message")
    assert arrived
    assert all(record["complete"] for record in arrived)
    _start(slow)
    states = [row.state for row in slow.deliveries(campaign_id)]
    assert states.count("sent") >= len(arrived)
    assert "uncertain" not in states


def test_a_second_signal_exits_at_once_and_what_was_in_flight_is_held(slow: Stage) -> None:
    daemon, campaign_id = _sending(slow)
    daemon.process.send_signal(signal.SIGTERM)
    slow.wait(lambda: _state(slow).state == "draining", within=3)

    began = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)

    assert daemon.process.wait(10) == HURRIED
    assert time.monotonic() - began < 2.5
    _start(slow)
    assert any(row.state == "uncertain" for row in slow.deliveries(campaign_id))


def test_a_good_configuration_is_taken_over_and_a_bad_one_rejected_whole(quick: Stage) -> None:
    daemon = _start(quick)
    assert quick.config is not None

    quick.config.write_text("[limiter]\nmessages = 'many'\n")
    daemon.process.send_signal(signal.SIGHUP)
    quick.wait(lambda: "limiter.messages" in _state(quick).settings_error, within=10)
    assert daemon.alive

    quick.config.write_text("[limiter]\nmessages = 5\n")
    daemon.process.send_signal(signal.SIGHUP)
    quick.wait(lambda: _state(quick).settings_error == "", within=10)
    assert daemon.stop() == 0


def test_a_directory_has_one_engine_and_one_mode(quick: Stage) -> None:
    daemon = _start(quick)

    second = _run(quick, "--simulate", "--world", quick.world.url)
    assert second.returncode == BUSY
    assert f"process {daemon.process.pid}" in second.stderr
    assert daemon.alive

    assert daemon.stop() == 0
    real = _run(quick)
    assert real.returncode == 1
    assert "simul" in real.stderr
    assert len(quick.records("message")) == 0


def _run(play: Stage, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "huntaze_console", "daemon", "--port", "0", "--state-dir", str(play.state), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=dict(os.environ), check=False)


def test_a_halt_lasts_across_a_restart(quick: Stage) -> None:
    daemon = _start(quick)
    quick.ask(lambda client: client.submit(HaltSending(actor="me")))
    campaign_id = quick.create("held", "anna", template="Hello {{name}}", prompt="")
    quick.wait(lambda: _count(quick, campaign_id, "queued") == 3, within=10)

    assert daemon.stop() == 0
    _start(quick)

    assert _state(quick).halted_by == "me"
    assert _http(quick, "POST", "/api/v2/resume")[0] == 200
    quick.wait(lambda: _count(quick, campaign_id, "sent") == 3, within=10)
    assert len(quick.records("message")) == 3


def _count(play: Stage, campaign_id: str, state: str) -> int:
    return sum(row.state == state for row in play.deliveries(campaign_id))


def test_a_campaign_by_http_from_a_dry_run_through_its_approval_to_its_end(quick: Stage) -> None:
    _start(quick)
    wanted = {
        "name": "spring",
        "account_id": "anna",
        "audience": {"all": True},
        "prompt": "Say hello.",
        "budget_usd": "5.00",
        "start": True,
    }

    status, dry = _http(quick, "POST", "/api/v2/campaigns/hybrid", {**wanted, "dry_run": True})
    assert (status, dry["campaign_id"], dry["estimate"]["fans"]) == (200, None, 3)
    assert quick.campaigns() == []
    assert quick.records("message") == []

    status, made = _http(quick, "POST", "/api/v2/campaigns/hybrid", wanted)
    campaign_id = made["campaign_id"]
    assert (status, made["status"]) == (202, "awaiting_approval")
    quick.wait(lambda: _count(quick, campaign_id, "drafted") == 3, within=20)
    assert quick.records("message") == []

    texts = {row.delivery_id: row.text_digest for row in quick.deliveries(campaign_id)}
    status, _ = _http(quick, "POST", f"/api/v2/campaigns/{campaign_id}/approve", {"texts": texts})
    assert status == 200
    quick.wait(lambda: quick.campaigns()[0].state == "finished", within=20)

    status, shown = _http(quick, "GET", f"/api/v2/campaigns/status?campaign_id={campaign_id}")
    assert (status, shown["status"], shown["counts"]) == (200, "finished", {"sent": 3})
    assert float(shown["cost_usd"]) > 0
    assert {record["idempotency_key"] for record in quick.records("message")} == set(texts)


def _http(play: Stage, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    state = play.daemons[-1].state
    endpoint = json.loads(state.endpoint_path.read_text())
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {state.token_path.read_text().strip()}", "Content-Type": "application/json"}
    request = urllib.request.Request(endpoint["url"] + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
