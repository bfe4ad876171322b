"""Completion in the shell, as the shell asks for it, and the token that may only look."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import BashComplete

from engine.surface.queries import ListFlags
from engine.surface.rows import FlagRow
from engine.surface.snapshot import CampaignView, ModelView, QueueView, Snapshot
from huntaze_console.cli.root import huntaze as root
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


def offered(path: tuple[str, ...], typed: str) -> set[str]:
    complete = BashComplete(root, {}, "huntaze", "_HUNTAZE_COMPLETE")
    return {item.value for item in complete.get_completions(list(path), typed)}


def every_command(command: click.Command = root, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in command.commands.items() if isinstance(command, click.Group) else ():
        yield from every_command(below, (*path, name))


def _named(value: Any) -> str:
    return " ".join(value) or "huntaze" if isinstance(value, tuple) else "."


@pytest.mark.parametrize(("path", "command"), list(every_command()), ids=_named)
def test_every_command_and_every_option_is_known(path: tuple[str, ...], command: click.Command) -> None:
    words = {word for option in command.params for word in (*option.opts, *option.secondary_opts)}
    options = {word for word in words if word.startswith("--")}

    assert options <= offered(path, "--") | {"--help"}
    if isinstance(command, click.Group):
        assert set(command.commands) <= offered(path, "")


async def test_campaigns_are_completed_by_id_and_by_name_wherever_the_state_is_named(tmp_path: Path) -> None:
    named = {"cmp_1": "Spring", "cmp_2": "Summer"}
    campaigns = {
        key: CampaignView(campaign_id=key, name=name, account_id="anna", tool="message", state="running")
        for key, name in named.items()
    }
    desk = FakeDesk(state=Snapshot(epoch="e1", engine=RUNNING, campaigns=campaigns))
    async with serving(tmp_path, desk, unix=True) as served:
        where = str(served.directory.path)
        first = await asyncio.to_thread(completed, f"huntaze --state-dir {where} campaign pause cmp")
        second = await asyncio.to_thread(completed, f"huntaze campaign --state-dir {where} why --campaign sum")

    assert (first, second) == (["plain,cmp_1", "plain,cmp_2"], ["plain,cmp_2"])


async def test_tools_flags_and_providers_are_completed(tmp_path: Path) -> None:
    flag = FlagRow(
        name="use_kept_answers", about="", enabled=True, percentage=100, allow=(), deny=(), changed_at=0, changed_by=""
    )
    models = {f"azure/{name}": ModelView(provider="azure", model=name) for name in ("gpt-4o", "gpt-4o-mini")}
    desk = FakeDesk(state=Snapshot(epoch="e1", engine=RUNNING, models=models), answers={ListFlags: (flag,)})
    async with serving(tmp_path, desk, unix=True) as served:
        where = str(served.directory.path)
        flags = await asyncio.to_thread(completed, f"huntaze flag --state-dir {where} set ")
        providers = await asyncio.to_thread(completed, f"huntaze drill --state-dir {where} --down a")

    assert (flags, providers) == (["plain,use_kept_answers"], ["plain,azure"])


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
