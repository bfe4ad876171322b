"""`huntaze costs threshold`, dry runs and `huntaze campaign why`: on the files where no engine runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from engine.kernel.values import usd
from engine.storage import Mode, StateDirectory
from engine.surface.commands import SetBudget, SetThreshold
from huntaze_console.bootstrap import open_engine
from huntaze_console.cli.root import huntaze
from huntaze_console.config import load_settings

KEYS = {"OPENAI_API_KEY": "sk-x", "DEEPSEEK_API_KEY": "sk-y", "HUNTAZE_CONFIG": ""}


def run(directory: Path, *arguments: str) -> Result:
    return CliRunner(env=KEYS).invoke(huntaze, [*arguments, "--state-dir", str(directory)])


def told(directory: Path, *commands: Any) -> None:
    """What an engine on the directory is told, before it ends again."""

    async def tell() -> None:
        state = StateDirectory(directory)
        state.acquire(kind="daemon", mode=Mode.REAL, version="1")
        try:
            settings = load_settings(None, environ=KEYS)
            async with open_engine(settings, state, kind="daemon", idle=True) as built:
                for command in commands:
                    await built.engine.desk.submit(command)
        finally:
            state.release()

    asyncio.run(tell())


def test_thresholds_last_over_a_restart_and_say_who_set_them(tmp_path: Path) -> None:
    told(tmp_path, SetThreshold(actor="mia", day=usd(30), month=0))

    rows = json.loads(run(tmp_path, "costs", "threshold", "list", "--json").output)["rows"]

    assert [row["set_by"] for row in rows] == ["mia", "mia"]
    assert [row["limit_usd"] for row in rows] == ["30.00", None]
    shown = run(tmp_path, "costs", "threshold", "list").output
    assert "$30.00" in shown
    assert "no alert" in shown


def test_a_dry_run_of_a_threshold_says_what_would_open_and_changes_nothing(tmp_path: Path) -> None:
    told(tmp_path)

    result = run(tmp_path, "costs", "threshold", "set", "--day", "30", "--dry-run")

    assert result.exit_code == 0, result.output
    assert "day $50.00 → $30.00: $0.00 is spent; no alert opens by it" in result.output
    rows = json.loads(run(tmp_path, "costs", "threshold", "list", "--json").output)["rows"]
    assert [row["set_by"] for row in rows] == ["", ""]


def test_a_threshold_below_nothing_is_refused(tmp_path: Path) -> None:
    assert "must not be negative" in run(tmp_path, "costs", "threshold", "set", "--day", "-1").output
    assert "say what to change" in run(tmp_path, "costs", "threshold", "set").output


def test_a_dry_run_of_a_limit_says_what_is_left(tmp_path: Path) -> None:
    told(tmp_path, SetBudget(scope="global", window="day", limit=usd(50)))

    lowered = run(tmp_path, "budget", "set", "global", "--window", "day", "--limit", "30", "--dry-run")
    taken = run(tmp_path, "budget", "remove", "global", "--window", "day", "--dry-run")

    assert "limit $50.00 → $30.00: $0.00 is spent, $30.00 left" in lowered.output
    assert "limit $50.00 → none" in taken.output
    listed = json.loads(run(tmp_path, "budget", "list", "--json").output)["rows"]
    assert listed[0]["limit_usd"] == "50.00"


def test_a_dry_run_of_a_route_says_who_would_take_it(tmp_path: Path) -> None:
    told(tmp_path)

    result = run(tmp_path, "route", "set", "--tool", "message", "--chain", "deepseek/deepseek-chat", "--dry-run")

    assert result.exit_code == 0, result.output
    assert "deepseek/deepseek-chat" in result.output
    (row,) = json.loads(
        run(tmp_path, "route", "set", "--tool", "message", "--strategy", "cheapest", "--dry-run", "--json").output
    )["rows"]
    assert {"before", "after", "cost_after_usd", "order"} <= set(row)


def test_a_dry_run_is_refused_as_the_act_would_be(tmp_path: Path) -> None:
    told(tmp_path)

    result = run(tmp_path, "route", "set", "--tool", "message", "--chain", "nobody/m", "--dry-run")

    assert result.exit_code != 0
    assert "is not a provider" in result.output


def test_dry_runs_of_breakers_flags_and_trials_change_nothing(tmp_path: Path) -> None:
    told(tmp_path)

    breaker = run(tmp_path, "breaker", "open", "openai/gpt-4o-mini", "--dry-run")
    flag = run(tmp_path, "flag", "set", "use_kept_answers", "--off", "--dry-run")
    trial = run(
        tmp_path, "shadow", "set", "--tool", "message", "--target", "deepseek/deepseek-chat", "--percentage", "5",
        "--budget", "1", "--dry-run",
    )  # fmt: skip

    for result in (breaker, flag, trial):
        assert result.exit_code == 0, result.output
    assert "nobody called in the last 7 days" in flag.output
    assert "would try deepseek/deepseek-chat on 0 of 0 tasks" in trial.output
    assert "off" not in run(tmp_path, "flag", "list").output.split("\n")[2]


def test_a_delivery_nobody_knows_has_no_reason(tmp_path: Path) -> None:
    told(tmp_path)

    result = run(tmp_path, "campaign", "why", "dlv_nobody")

    assert result.exit_code != 0
    assert "no delivery is dlv_nobody" in result.output
