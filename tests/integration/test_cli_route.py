"""`huntaze route`: on a running engine, and on the files where none runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.storage import Mode, StateDirectory
from engine.surface.commands import ResetRoute, SetRoute
from huntaze_console.bootstrap import open_engine
from huntaze_console.cli.root import huntaze
from huntaze_console.config import load_settings

KEYS = {"OPENAI_API_KEY": "sk-x", "ANTHROPIC_API_KEY": "sk-y", "HUNTAZE_CONFIG": ""}


def run(directory: Path, *arguments: str) -> Result:
    return CliRunner(env=KEYS).invoke(
        huntaze, ["route", *arguments, "--state-dir", str(directory)], catch_exceptions=False
    )


def told(directory: Path, *commands: Any) -> None:
    """What an engine on the directory is told, before it ends again."""

    async def tell() -> None:
        state = StateDirectory(directory)
        state.acquire(kind="daemon", mode=Mode.REAL, version="1")
        try:
            async with open_engine(load_settings(None, KEYS), state, kind="daemon", idle=True) as built:
                for command in commands:
                    await built.desk.submit(command)
        finally:
            state.release()

    asyncio.run(tell())


def test_a_route_that_was_set_is_shown_after_a_restart_until_it_is_reset(tmp_path: Path) -> None:
    told(tmp_path, SetRoute(tool="pack-createur", strategy="cheapest", chain=("grok-3", "openai/gpt-4o"), actor="ada"))

    shown = run(tmp_path, "show", "--tool", "creator-pack").output
    assert "cheapest" in shown
    assert "xai/grok-3, openai/gpt-4o" in shown
    assert "holds over the file" in shown
    row = json.loads(run(tmp_path, "show", "--tool", "creator-pack", "--json").output)["rows"][0]
    assert (row["set_by"], row["file"]["strategy"]) == ("ada", "fixed")

    told(tmp_path, ResetRoute(tool="creator-pack"))
    assert "ada" not in run(tmp_path, "show").output


def test_an_explanation_says_a_sentence_about_each_model(tmp_path: Path) -> None:
    told(tmp_path)

    explained = run(tmp_path, "explain", "--tool", "message", "--strategy", "cheapest").output

    assert "openai/gpt-4o-mini: costs at most" in explained
    assert "deepseek/deepseek-chat: its provider deepseek has no key here" in explained
    rows = json.loads(run(tmp_path, "explain", "--tool", "title-generator", "--needs", "images", "--json").output)
    verdicts = {row["model"]: row["verdict"] for row in rows["candidates"]}
    assert verdicts == {"claude-sonnet-4-5": "taken", "deepseek-chat": "no_key", "grok-3": "no_key"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "--tool", "nothing"), "there is no tool 'nothing'"),
        (("explain", "--tool", "message", "--needs", "sound"), "Invalid value for '--needs'"),
        (("set", "--tool", "message"), "say what to change"),
        (("set", "--tool", "message", "--weights", "1,x"), "no whole number"),
        (("set", "--tool", "message", "--strategy", "fixed"), "no engine runs"),
    ],
)
def test_what_means_nothing_is_refused_in_words(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    told(tmp_path)

    found = run(tmp_path, *arguments)

    assert found.exit_code != 0
    assert words in found.output
