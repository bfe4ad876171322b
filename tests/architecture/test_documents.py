"""What the documentation points at is there: files, headings, tests, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from huntaze_console.cli.root import huntaze
from tests.architecture.tree import ROOT, text_files

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
TEST = re.compile(r"`((?:unit|properties|contracts|integration|acceptance|screens|architecture|system|faults)/\w*)`")
COMMAND = re.compile(r"huntaze((?: [a-z]+)+)")


def test_links_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in _documents()
        for match in LINK.finditer(path.read_text())
        if not _exists(path, match.group(1), match.group(2))
    ]

    assert broken == []


def test_a_guarantee_names_tests_that_exist() -> None:
    named = set(TEST.findall((ROOT / "docs" / "guarantees.md").read_text()))
    assert len(named) > 15

    tests = ROOT / "tests"
    assert [name for name in named if not (tests / f"{name}.py").exists() and not (tests / name).is_dir()] == []


def test_the_guide_names_commands_that_exist() -> None:
    paths = [ROOT / "README.md", ROOT / "docs" / "operating.md", ROOT / "docs" / "cli.md"]
    named = {words for path in paths for code in _code(path) for words in COMMAND.findall(code)}
    assert len(named) > 15

    assert [words for words in named if not _is_command(words.split())] == []


def _documents() -> Iterator[Path]:
    return (path for path in text_files() if path.suffix == ".md")


def _exists(document: Path, target: str, heading: str | None) -> bool:
    path = (document.parent / target) if target else document
    if not path.exists():
        return False
    if heading is None:
        return True
    headings = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    return heading in {re.sub(r"[^\w\- ]", "", found).strip().lower().replace(" ", "-") for found in headings}


def _code(path: Path) -> list[str]:
    """What stands between back-ticks, and the lines of shell blocks."""
    text = path.read_text()
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text) + re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)


def _is_command(words: list[str]) -> bool:
    """Whether the words walk down the tree of commands; what follows the last command is its own."""
    command: click.Command = huntaze
    for word in words:
        if not isinstance(command, click.Group):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True
