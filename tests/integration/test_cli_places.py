"""Options that several commands take mean the same before the command as behind it, and every example is taken: by the
parser itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner

from huntaze_console.cli.flags import Shared
from huntaze_console.cli.root import huntaze

Words = tuple[str, ...]


def commands(command: click.Command = huntaze, path: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))


def worded(option: click.Parameter) -> tuple[str, ...]:
    return (option.opts[0],) if isinstance(option, click.Option) and option.is_flag else (option.opts[0], "3")


def needed(command: click.Command) -> list[str]:
    """What the command cannot be called without."""
    words: list[str] = []
    for parameter in command.params:
        if isinstance(parameter, Shared) or not parameter.required:
            continue
        kind = parameter.type
        value = str(kind.choices[0]) if isinstance(kind, click.Choice) else "3"
        if isinstance(parameter, click.Option):
            words += [parameter.opts[0]] if parameter.is_flag else [parameter.opts[0], value]
        else:
            words.append(value)
    return words


def runs(command: click.Command) -> bool:
    return not isinstance(command, click.Group) or command.invoke_without_command


RUNNING = [(path, command) for path, command in commands() if path and runs(command)]
SHARED = {one.name: one for _, command in commands() for one in command.params if isinstance(one, Shared)}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each command of a line was called with, the groups' too."""
    calls: list[dict[str, Any]] = []

    def note(**given: Any) -> None:
        calls.append(given)

    for _, command in commands():
        monkeypatch.setattr(command, "callback", note)
    return calls


@pytest.mark.parametrize(("path", "command"), RUNNING, ids=[" ".join(path) for path, _ in RUNNING])
def test_what_a_command_shares_is_taken_before_it_and_behind_it(
    path: Words, command: click.Command, called: list[dict[str, Any]]
) -> None:
    rest = needed(command)
    for name, option in SHARED.items():
        own = next((one for one in command.params if isinstance(one, Shared) and one.name == name), None)
        for place in range(len(path)):
            words = [*path[:place], *worded(option), *path[place:], *rest]
            called.clear()

            answer = CliRunner().invoke(huntaze, words)

            if own is None:
                assert answer.exit_code == 2, words
                continue
            assert answer.exit_code == 0, (words, answer.output)
            before = called[-1][name]
            CliRunner().invoke(huntaze, [*path, *rest, *worded(own)])
            assert before == called[-1][name] is not None, words


def examples() -> list[str]:
    """Every example of every help page, without what is said of it."""
    pages = [command.help or "" for _, command in commands()]
    lines = [line.strip() for page in pages for line in page.partition("Examples:")[2].splitlines()]
    return [re.split(r" {2,}", line)[0] for line in lines if line.startswith("huntaze")]


@pytest.mark.parametrize("line", examples())
def test_an_example_in_the_help_is_a_line_that_is_taken(line: str, called: list[dict[str, Any]]) -> None:
    answer = CliRunner().invoke(huntaze, shlex.split(line)[1:])

    assert answer.exit_code == 0, answer.output
    assert called
