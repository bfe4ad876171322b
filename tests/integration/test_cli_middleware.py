"""`huntaze cache`, `huntaze flag` and `huntaze shadow`: on the files where no engine runs, and on a running one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from engine.events import AnswerReused
from engine.kernel.values import usd
from engine.orchestrator.savings import Reuse, note
from engine.storage import Mode, StateDirectory, Tx
from engine.surface.commands import FlagSetting, SetFlags, SetShadow
from huntaze_console.bootstrap import Built, open_engine
from huntaze_console.cli.root import huntaze
from huntaze_console.config import load_settings

KEYS = {"OPENAI_API_KEY": "sk-x", "XAI_API_KEY": "sk-y", "HUNTAZE_CONFIG": ""}


def run(directory: Path, *arguments: str) -> Result:
    return CliRunner(env=KEYS).invoke(huntaze, [*arguments, "--state-dir", str(directory)], catch_exceptions=False)


def told(directory: Path, *commands: Any, write: Callable[[Built], Any] | None = None) -> None:
    """What an engine on the directory is told, before it ends again."""

    async def tell() -> None:
        state = StateDirectory(directory)
        state.acquire(kind="daemon", mode=Mode.REAL, version="1")
        try:
            async with open_engine(load_settings(None, KEYS), state, kind="daemon", idle=True) as built:
                for command in commands:
                    await built.desk.submit(command)
                if write is not None:
                    await write(built)
        finally:
            state.release()

    asyncio.run(tell())


def test_flags_are_listed_with_what_they_switch(tmp_path: Path) -> None:
    told(tmp_path, SetFlags(flags=(FlagSetting(name="use_hybrid_orchestrator", percentage=30),), actor="ada"))

    shown = run(tmp_path, "flag", "list").output
    rows = json.loads(run(tmp_path, "flag", "list", "--json").output)["rows"]

    assert "30 %" in shown
    assert "ada" in shown
    assert "the first model of the tool's chain alone" in shown
    assert [(row["name"], row["percentage"]) for row in rows] == [
        ("use_hybrid_orchestrator", 30),
        ("use_kept_answers", 100),
    ]


def test_what_changes_something_needs_an_engine(tmp_path: Path) -> None:
    told(tmp_path)

    for arguments in (
        ("flag", "set", "use_hybrid_orchestrator", "--off"),
        ("cache", "clear", "--yes"),
        ("shadow", "set", "--tool", "message", "--percentage", "0"),
    ):
        assert run(tmp_path, *arguments).exit_code == 4


def test_wrong_use_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    told(tmp_path)

    assert run(tmp_path, "flag", "set", "use_hybrid_orchestrator", "--percentage", "101").exit_code == 2
    wrong = ("shadow", "set", "--tool", "message", "--percentage", "5", "--budget", "much")
    assert run(tmp_path, *wrong).exit_code == 2
    assert run(tmp_path, "cache", "clear").exit_code == 2  # nobody is here to confirm


def test_trials_are_listed(tmp_path: Path) -> None:
    told(tmp_path, SetShadow(tool="message", target="xai/grok-3", percentage=2.5, budget=usd("1.5")))

    assert "xai/grok-3" in run(tmp_path, "shadow", "list").output
    (row,) = json.loads(run(tmp_path, "shadow", "list", "--json").output)["rows"]
    assert (row["target"], row["percentage"], row["budget_usd"], row["mean_likeness"]) == (
        "xai/grok-3",
        2.5,
        "1.50",
        None,
    )


def test_what_kept_answers_saved_is_shown(tmp_path: Path) -> None:
    async def save(built: Built) -> None:
        now = built.clock.now()

        def write(tx: Tx) -> None:
            note(tx, now, "", "message", Reuse(hits=3, near=1, kept=1, saved=usd("2.31")))
            tx.emit(AnswerReused(at=now, tenant_id="", tool="message", kind="hit", saved=1))

        await built.engine.database.write(write)

    told(tmp_path, write=save)
    shown = run(tmp_path, "cache", "stats").output
    found = json.loads(run(tmp_path, "cache", "stats", "--json").output)

    assert "$2.31" in shown
    assert "75.0 %" in shown
    assert (found["day_hits"], found["day_hit_rate"], found["day_saved_usd"]) == (3, 0.75, "2.31")
