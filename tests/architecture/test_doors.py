"""Time, chance and tasks come through doors; the linter that guards them is asked, not believed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

import pytest

from tests.architecture.tree import PRODUCT, ROOT, modules

BANNED = {
    "time.time": "import time\ntime.time()",
    "time.time_ns": "import time\ntime.time_ns()",
    "time.sleep": "import time\ntime.sleep(1)",
    "random.random": "import random\nrandom.random()",
    "datetime.now": "from datetime import UTC, datetime\ndatetime.now(UTC)",
    "datetime.utcnow": "from datetime import datetime\ndatetime.utcnow()",
    "asyncio.create_task": "import asyncio\nasyncio.create_task(work())",
    "asyncio.ensure_future": "import asyncio\nasyncio.ensure_future(work())",
}
# Where a ban is lifted, line by line, and why.
LIFTED = {
    "engine/kernel/clock.py",  # the door to time
    "huntaze_console/doctor.py",  # asks whether the machine's clock is plausible
}


@pytest.mark.parametrize("package", PRODUCT)
def test_the_linter_refuses_what_goes_past_a_door(package: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json"]
    command += ["--select", "TID251", "--stdin-filename", f"{package}/example.py", "-"]
    lines = "\n".join(BANNED.values())

    told = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, text=True, check=False).stdout

    assert len([found for found in json.loads(told) if found["code"] == "TID251"]) == len(BANNED), told


def test_the_linter_is_told_to_look() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]

    assert {"TID", "DTZ", "BLE", "ASYNC"} <= set(lint["select"])
    loosened = [place for place, rules in lint["per-file-ignores"].items() if {"TID251", "TID"} & set(rules)]
    assert set(loosened) == {"tests/**", "benchmarks/**"}


def test_a_ban_is_lifted_only_at_its_door() -> None:
    lifted = {
        str(path.relative_to(ROOT))
        for path in modules().values()
        if re.search(r"noqa:[^#\n]*\b(TID251|DTZ\d+)|ruff: noqa", path.read_text())
    }

    assert lifted == LIFTED
