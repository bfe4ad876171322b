"""Killed between a change and its row, or between both and their commit: what stands is what the audit tells."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson

from engine.kernel.values import decimal_usd
from tests.acceptance.doomed_audit import POINTS

KILLED = -9


def test_the_row_and_its_change_stand_together_or_not_at_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.acceptance.doomed_audit", str(tmp_path), "9"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)

    assert ended.stdout.split() == [str(KILLED)] * len(POINTS)
    for point in POINTS:
        check(tmp_path / point / "huntaze.db")


def check(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        told = connection.execute('SELECT action, subject, "after" FROM audit ORDER BY audit_id').fetchall()
        fans = {f"anna/{row[0]}" for row in connection.execute("SELECT fan_id FROM suppressions")}
        limits = [row[0] for row in connection.execute('SELECT "limit" FROM budgets')]
        events = connection.execute("SELECT count(*) FROM events WHERE kind = 'ActionTaken'").fetchone()[0]

    assert {subject for action, subject, _ in told if action == "suppress-fan"} == fans
    said = [orjson.loads(after)["limit_usd"] for action, _, after in told if action == "set-budget"]
    assert said[-1:] == [decimal_usd(limit) for limit in limits]
    assert len(told) == events > 0
