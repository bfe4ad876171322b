"""Commands on a state directory that no engine runs on."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from huntaze_console.cli.root import huntaze


def run(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(huntaze, [*arguments, "--state-dir", str(directory)], catch_exceptions=False)


def halted_by(directory: Path) -> str | None:
    found: str | None = json.loads(run(directory, "limits", "--json").stdout)["halted_by"]
    return found


def test_stop_takes_effect_without_an_engine_until_resume(tmp_path: Path) -> None:
    assert run(tmp_path, "stop").exit_code == 0
    assert halted_by(tmp_path)

    assert run(tmp_path, "resume").exit_code == 0
    assert not halted_by(tmp_path)


def test_stop_takes_effect_whatever_the_configuration_says(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[deamon]\n")
    state = tmp_path / "state"

    answer = run(state, "stop", "--config", str(wrong))

    assert answer.exit_code == 0
    assert "built-in settings" in answer.stderr
    assert halted_by(state)


@pytest.mark.parametrize(
    "arguments", [("costs",), ("providers",), ("queue",), ("limits",), ("alerts",), ("campaign", "list")]
)
def test_what_is_looked_at_is_read_from_the_files(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    run(tmp_path, "resume")

    assert run(tmp_path, *arguments).exit_code == 0
    assert run(tmp_path, *arguments, "--json").exit_code == 0


def test_acting_needs_an_engine(tmp_path: Path) -> None:
    run(tmp_path, "resume")

    assert run(tmp_path, "suppress", "anna", "f1").exit_code == 4


def test_a_directory_whose_engine_does_not_answer_is_busy(tmp_path: Path) -> None:
    run(tmp_path, "resume")
    lock = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "kind": "daemon"}).encode(), 0)

    try:
        assert run(tmp_path, "costs").exit_code == 5
        assert run(tmp_path, "suppress", "anna", "f1").exit_code == 5
    finally:
        os.close(lock)
