"""Killed at every named point, again and again: no hold leaks, nothing is lost, and no budget is ever overspent."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from engine.costs import Ledger
from engine.kernel.values import HOUR, Instant
from engine.storage import Database
from tests.acceptance.doomed_books import POINTS, RULES, Stepping, pricer
from tests.fakes import MORNING

KILLED = -9
MEMBERS = {"global": "1", "campaign": "campaign_id = 'cmp_0'", "account": "account_id = 'acc_1'", "provider": "1"}


@pytest.mark.parametrize("kills", [24, pytest.param(240, marks=pytest.mark.soak)])
async def test_no_hold_leaks_and_nothing_is_overspent(tmp_path: Path, kills: int) -> None:
    chance, path, prices = random.Random(kills), tmp_path / "huntaze.db", pricer()
    ended, recovered = Counter[int](), 0
    with subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.doomed_books"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        for number in range(kills):
            start = MORNING + number * 2 * HOUR + HOUR // 2  # each crosses a full hour
            point = POINTS[number % len(POINTS)]
            nursery.stdin.write(f"{path} {start} {point} {chance.randint(1, 25)}\n")
            nursery.stdin.flush()
            ended[int(nursery.stdout.readline())] += 1

            async with Database.open(path, readers=1) as database:
                ledger = Ledger(database, prices, Stepping(start + 3 * HOUR // 2))
                recovered += await ledger.recover(Instant(start + 3 * HOUR // 2))
                await _check(database)
        nursery.stdin.close()

    assert ended[KILLED] > kills * 0.9, ended  # a few end before their point is reached so often
    assert ended[KILLED] + ended[0] == kills
    assert recovered > kills  # or the kills met nothing under way


async def _check(database: Database) -> None:
    async with database.view() as reader:
        assert await reader.rows("SELECT * FROM attempts") == []
        for rule in RULES:
            row = await reader.row('SELECT * FROM budgets WHERE name = ? AND "window" = ?', (rule.name, rule.window))
            assert row is not None
            past = await reader.rows("SELECT spent, held FROM budget_windows WHERE budget = ?", (row["id"],))
            total = await reader.row(f"SELECT ifnull(sum(cost), 0) AS cost FROM ledger WHERE {MEMBERS[rule.kind]}")
            assert total is not None
            windows = [(row["spent"], row["held"]), *map(tuple, past)]
            assert all(held == 0 for _, held in windows), (rule.name, rule.window, windows)
            assert all(spent <= rule.limit for spent, _ in windows), (rule.name, rule.window, windows)
            assert sum(spent for spent, _ in windows) == total["cost"], (rule.name, rule.window)
