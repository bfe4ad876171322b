"""Every command explains itself, at once and without loading what it does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from huntaze_console.cli.root import huntaze

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "huntaze_console", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def every_command(command: click.Command = huntaze, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from every_command(below, (*path, name))


def test_every_command_has_help() -> None:
    code = (
        "import json, sys\n"
        "from huntaze_console.cli.root import huntaze\n"
        "for path in json.load(sys.stdin):\n"
        "    huntaze.main([*path, '--help'], prog_name='huntaze', standalone_mode=False)\n"
        "    print('\\0')\n"
    )
    paths = list(every_command())

    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=True,
    )

    pages = answer.stdout.split("\0\n")[:-1]
    assert len(pages) == len(paths) > 30
    for path, page in zip(paths, pages, strict=True):
        assert page.startswith(" ".join(("Usage: huntaze", *path))), path
        assert "--help" in page
    assert answer.stderr == ""


@pytest.mark.parametrize("name", ["costs", "campaign", "queue", "limits", "alerts", "stop", "resume", "config"])
def test_the_commands_of_the_product_are_there(name: str) -> None:
    assert name in huntaze.commands


def test_every_command_that_looks_or_acts_takes_the_common_flags() -> None:
    starting = {(), ("demo",), ("daemon",), ("world",), ("campaign",), ("config",), ("breaker",), ("workflow",)}
    starting |= {("completion",), ("web",), ("record",), ("replay",)}

    for path in every_command():
        command: click.Command = huntaze
        for name in path:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        shows = not isinstance(command, click.Group) or command.invoke_without_command
        if shows and path not in starting:
            assert {"--json", "--state-dir", "--config"} <= options, path


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from huntaze_console.cli.root import huntaze\n"
        "huntaze.main(['--help'], standalone_mode=False)\n"
        "heavy = {'pydantic', 'textual', 'aiohttp', 'openai', 'anthropic', 'aioboto3', 'huntaze_console.config'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )

    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert answer.stdout.endswith("heavy: []\n")


def test_the_exit_codes_are_told() -> None:
    assert "4  no engine runs" in run("--help").stdout


def test_a_misspelt_command_is_guessed() -> None:
    answer = run("campain")

    assert answer.returncode == 2
    assert "campaign" in answer.stderr
