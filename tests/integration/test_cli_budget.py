"""`huntaze budget`: on a running engine, and on the files where none runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.kernel.values import usd
from engine.storage import Mode, StateDirectory
from engine.surface.commands import RemoveBudget, SetBudget
from huntaze_console.bootstrap import open_engine
from huntaze_console.cli.root import huntaze
from huntaze_console.config import InvalidSettings, load_settings

KEYS = {"OPENAI_API_KEY": "sk-x", "HUNTAZE_CONFIG": ""}
FILE = """
[[costs.budgets]]
scope = "global"
window = "day"
limit_usd = "50.00"
actions = ["clamp", "downgrade", "stop"]
time_zone = "Europe/Paris"

[[costs.budgets]]
scope = "account"
key = "anna"
limit_usd = "5.00"

[costs.ladder]
"openai/gpt-4o" = "openai/gpt-4o-mini"
"""


def run(directory: Path, *arguments: str) -> Result:
    return CliRunner(env=KEYS).invoke(
        huntaze, ["budget", *arguments, "--state-dir", str(directory)], catch_exceptions=False
    )


def told(directory: Path, config: Path | None, *commands: Any) -> None:
    """What an engine on the directory is told, before it ends again."""

    async def tell() -> None:
        state = StateDirectory(directory)
        state.acquire(kind="daemon", mode=Mode.REAL, version="1")
        try:
            async with open_engine(load_settings(config, KEYS), state, kind="daemon") as built:
                for command in commands:
                    await built.desk.submit(command)
        finally:
            state.release()

    asyncio.run(tell())


def listed(directory: Path) -> dict[tuple[str, str], tuple[str, str]]:
    rows = json.loads(run(directory, "list", "--json").output)["rows"]
    return {(f"{row['scope']}:{row['key']}", row["window"]): (row["limit_usd"], row["origin"]) for row in rows}


def test_a_raised_limit_keeps_what_it_does_about_calls_that_do_not_fit(tmp_path: Path) -> None:
    config, state = tmp_path / "config.toml", tmp_path / "state"
    config.write_text(FILE)

    told(state, config, SetBudget(scope="global", window="day", limit=usd("80")))

    (row,) = (row for row in json.loads(run(state, "list", "--json").output)["rows"] if row["scope"] == "global")
    assert (row["limit_usd"], row["origin"]) == ("80.00", "command")
    assert (row["actions"], row["time_zone"]) == (["clamp", "downgrade", "stop"], "Europe/Paris")


def test_what_the_file_says_holds_until_a_command_says_otherwise(tmp_path: Path) -> None:
    config, state = tmp_path / "config.toml", tmp_path / "state"
    config.write_text(FILE)

    told(state, config)
    first = listed(state)
    told(
        state, config, SetBudget(scope="global", window="day", limit=usd(80)), RemoveBudget(scope="account", key="anna")
    )
    told(state, config)
    second = listed(state)
    told(state, None)
    third = listed(state)
    shown = run(state, "list").output

    assert first == {("global:", "day"): ("50.00", "file"), ("account:anna", "total"): ("5.00", "file")}
    assert second == third == {("global:", "day"): ("80.00", "command")}
    assert "$80.00" in shown


def test_without_budgets_it_says_how_to_set_one(tmp_path: Path) -> None:
    told(tmp_path, None)

    assert "huntaze budget set global" in run(tmp_path, "list").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "planet", "mars", "--limit", "1"), "Invalid value for"),
        (("set", "global", "--limit", "much"), "--limit"),
        (("set", "global", "--limit", "-1"), "must not be negative"),
        (("set", "global", "--limit", "1", "--window", "week"), "Invalid value for '--window'"),
        (("set", "global"), "Missing option '--limit'"),
    ],
)
def test_wrong_use_is_said_before_an_engine_is_asked(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner(env=KEYS).invoke(huntaze, ["budget", *arguments, "--state-dir", str(tmp_path)])

    assert result.exit_code != 0
    assert words in result.output


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('scope = "global"\nkey = "x"\nlimit_usd = "1"', "the global budget has no id"),
        ('scope = "user"\nlimit_usd = "1"', "needs the user's id"),
        ('scope = "global"\nlimit_usd = "1"\nactions = ["stop", "clamp"]', "put it last"),
        ('scope = "global"\nlimit_usd = "1"\nactions = ["throttle"]', "never begins anew"),
        ('scope = "global"\nlimit_usd = 1', "in quotes"),
    ],
)
def test_a_budget_of_the_file_that_makes_no_sense_is_told(tmp_path: Path, wrong: str, words: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[[costs.budgets]]\n{wrong}\n")

    with pytest.raises(InvalidSettings, match=words):
        load_settings(config, KEYS)


def test_a_rung_that_is_no_model_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[costs.ladder]\n"openai/gpt-4o" = "nobody/nothing"\n')

    with pytest.raises(InvalidSettings, match="nobody is not a provider"):
        load_settings(config, KEYS)
