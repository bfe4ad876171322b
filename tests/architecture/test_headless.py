"""What runs without a terminal never loads what draws on one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.storage import StateDirectory
from huntaze_console.client import connect
from tests.architecture.tree import ROOT, modules

FACES = {"textual", "rich", "pygments"}
REPORT = "import atexit, sys; atexit.register(lambda: print('loaded', *sorted(sys.modules)))\n"


SLOW = {"engine.providers.anthropic", "engine.simulation.__main__"}  # the daemon below loads them


def test_the_whole_engine_loads_no_face() -> None:
    names = [name for name in modules() if name.startswith("engine") and name not in SLOW]

    loaded = _loaded(_run(f"import importlib\nfor name in {names}: importlib.import_module(name)"))

    assert set(names) <= loaded
    assert not {*FACES, "click", "huntaze_console", "screens"} & loaded


def test_the_engines_name_alone_loads_none_of_its_parts() -> None:
    loaded = _loaded(_run("import engine"))

    assert {name for name in loaded if name.startswith("engine")} == {"engine"}


@pytest.mark.parametrize("arguments", [["--help"], ["daemon", "--help"], ["costs", "--help"], ["config", "check"]])
def test_commands_load_no_face(arguments: list[str]) -> None:
    loaded = _loaded(_run(f"sys.argv[1:] = {arguments}\nfrom huntaze_console.cli import main\nmain()"))

    assert "huntaze_console.cli" in loaded
    assert not FACES & loaded


def test_an_engine_is_built_without_a_server_and_without_an_sdk() -> None:
    loaded = _loaded(_run("import huntaze_console.bootstrap, huntaze_console.worlds"))

    assert "engine.runtime.engine" in loaded
    assert not {"aiohttp", "openai", "anthropic", "redis", "aiomqtt", "aioboto3", *FACES} & loaded


def test_a_daemon_that_ran_has_loaded_no_face(tmp_path: Path) -> None:
    code = f"{REPORT}from huntaze_console.cli import main\nmain()"
    command = [sys.executable, "-c", code, "daemon", "--simulate", "--port", "0", "--state-dir", str(tmp_path)]

    with subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        assert "ready at" in daemon.stdout.readline()
        _wait_for_a_call(tmp_path)
        daemon.send_signal(signal.SIGTERM)
        said = daemon.stdout.read()

    loaded = _loaded(said)
    assert daemon.returncode == 0
    assert {"engine.runtime.engine", "huntaze_console.api.server", "openai", "anthropic"} <= loaded
    assert not {*FACES, "screens"} & loaded


def _wait_for_a_call(state: Path) -> None:
    """The first is made once every provider's SDK is loaded."""
    give_up = time.monotonic() + 120
    with connect(StateDirectory(state)) as client:
        while not client.snapshot().money.today_calls:
            assert time.monotonic() < give_up, "nobody was called"
            time.sleep(0.1)


def _run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", REPORT + code], cwd=ROOT, env=_environment(), capture_output=True, text=True, check=True
    ).stdout


def _loaded(said: str) -> set[str]:
    report = said.splitlines()[-1].split()
    assert report[0] == "loaded"
    return set(report)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
