"""What every file of the product keeps to: a docstring, a bearable length, a migration number of its own."""

from __future__ import annotations

import ast
import re
from collections import Counter

from tests.architecture.tree import ROOT, modules, parsed

LONGEST = 500
LIMITS = {"screens.app": 300}
MIGRATIONS = ROOT / "engine" / "storage" / "migrations"


def test_every_module_says_what_it_owns() -> None:
    silent = [name for name, path in modules().items() if name != "engine" and not ast.get_docstring(parsed(path))]

    assert silent == []


def test_no_module_outgrows_its_reader() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}

    too_long = {name: length for name, length in lengths.items() if length > LIMITS.get(name, LONGEST)}

    assert too_long == {}


def test_migrations_are_numbered_once_and_without_a_gap() -> None:
    names = sorted(path.name for path in MIGRATIONS.iterdir() if path.suffix == ".sql")
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", name) for name in names), names

    numbers = Counter(int(name[:4]) for name in names)

    assert numbers == Counter(range(1, len(names) + 1))


def test_tests_pass_in_what_they_replace_and_skip_nothing() -> None:
    forbidden = re.compile(r"unittest\.mock|import mock|mocker|pytest\.(skip|xfail|importorskip)|mark\.(skip|xfail)")

    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if path.parent.name != "architecture" and forbidden.search(path.read_text())
    ]

    assert found == []
