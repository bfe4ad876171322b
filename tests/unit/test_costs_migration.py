"""Budgets of campaigns from before other scopes: their figures and their open holds stay what they were."""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

from engine.costs import CostSettings, Ledger, Pricer, find_budget
from engine.kernel.values import HOUR, Instant
from engine.storage import Database
from engine.storage.sqlite import _apply
from tests.fakes import MORNING, ManualClock

BEFORE = 12  # the migration that brought the other scopes


def old_database(path: Path) -> None:
    """As the version before left it: one campaign's budget with a call under way, one of an ended campaign."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
    files = sorted(resources.files("engine.storage").joinpath("migrations").iterdir(), key=lambda item: item.name)
    for item in files:
        if item.name.endswith(".sql") and int(item.name[:4]) < BEFORE:
            _apply(connection, int(item.name[:4]), item.name, item.read_text())
    connection.execute("INSERT INTO budgets VALUES ('campaign', 'cmp_1', 1000, 300, 70)")
    connection.execute("INSERT INTO budgets VALUES ('campaign', 'cmp_2', 500, 500, 0)")
    connection.execute("INSERT INTO combinations VALUES (1, 'own', 'm', 'message', 'cmp_1', 'acc_1', '', '')")
    for attempt_id, worst, holds in (("att_1", 70, 1), ("att_2", None, 0)):
        connection.execute(
            "INSERT INTO attempts (id, combination, job_id, trace_id, opened_at, worst_cost, price_source, price_date,"
            " input_bound, max_output_tokens, holds) VALUES (?, 1, '', '', ?, ?, 'test', '', 10, 60, ?)",
            (attempt_id, MORNING - HOUR, worst, holds),
        )
    connection.execute("INSERT INTO holds VALUES ('att_1', 'campaign', 'cmp_1', 70)")
    connection.close()


async def test_budgets_and_open_holds_move_over_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "huntaze.db"
    old_database(path)

    async with Database.open(path, readers=1) as database:
        async with database.reader() as reader:
            moved = [await find_budget(reader, "campaign", key) for key in ("cmp_1", "cmp_2")]
        await Ledger(database, Pricer(CostSettings()), ManualClock()).recover(Instant(MORNING))
        async with database.reader() as reader:
            charged = await find_budget(reader, "campaign", "cmp_1")

    assert [(one.limit, one.spent, one.held, one.origin, one.actions) for one in moved if one] == [
        (1000, 300, 70, "campaign", ("stop",)),
        (500, 500, 0, "campaign", ("stop",)),
    ]
    assert charged is not None
    assert (charged.spent, charged.held) == (370, 0)
