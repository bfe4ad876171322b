"""Completion in the shell, as the shell asks for it, and the token that may only look."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.surface.snapshot import QueueView, Snapshot
from tests.integration.test_api_desk import RUNNING, FakeDesk, serving


def huntaze(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "huntaze_console", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def completed(words: str, **environment: str) -> list[str]:
    asked = {"_HUNTAZE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    return huntaze(**asked, **environment).stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    said = huntaze("completion", shell)

    assert (said.returncode, said.stderr) == (0, "")
    assert f"_HUNTAZE_COMPLETE={shell}_complete" in said.stdout


def test_commands_are_completed_without_an_engine(tmp_path: Path) -> None:
    assert completed("huntaze cam") == ["plain,campaign"]
    assert completed("huntaze queue redrive ", HUNTAZE_STATE_DIR=str(tmp_path)) == []


async def test_names_of_the_running_engine_are_completed(tmp_path: Path) -> None:
    queues = {name: QueueView(queue=name) for name in ("letters", "later", "bad\x1b]0;title\x07")}
    desk = FakeDesk(state=Snapshot(epoch="e1", engine=RUNNING, queues=queues))
    async with serving(tmp_path, desk, unix=True) as served:
        where = str(served.directory.path)
        by_flag = await asyncio.to_thread(completed, f"huntaze queue redrive --state-dir {where} l")
        by_variable = await asyncio.to_thread(completed, "huntaze queue redrive ", HUNTAZE_STATE_DIR=where)

    assert by_flag == ["plain,letters", "plain,later"]
    assert not any("\x1b" in name or "\x07" in name for name in by_variable)


def test_a_read_only_token_is_made_once_and_taken_back(tmp_path: Path) -> None:
    where = ("--state-dir", str(tmp_path))
    made = huntaze("token", "create", "--read-only", *where)
    path = tmp_path / "api-token-read-only"

    assert made.stdout == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = huntaze("token", "create", "--read-only", *where)
    assert (again.returncode, again.stdout) == (3, "")
    replaced = huntaze("token", "create", "--read-only", "--replace", *where)
    assert replaced.stdout == path.read_text() != made.stdout
    assert huntaze("token", "revoke", "--read-only", *where).returncode == 0
    assert not path.exists()
    assert huntaze("token", "revoke", "--read-only", *where).returncode == 3


def test_flags_for_an_engine_elsewhere_need_one() -> None:
    assert "add --connect" in huntaze("--insecure").stderr
    assert huntaze("--token-file", "x", "--insecure").returncode == 2
