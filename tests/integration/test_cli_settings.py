"""`huntaze config` and `huntaze doctor` on a machine without an engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from huntaze_console.cli.root import huntaze

UNSET = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "GEMINI_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "ONLYFANS_API_URL",
    "HUNTAZE_CONFIG",
    "HUNTAZE_STATE_DIR",
    "XDG_CONFIG_HOME",
)


def run(tmp_path: Path, *arguments: str, environ: Mapping[str, str | None] | None = None) -> Result:
    flags = (*arguments, "--state-dir", str(tmp_path / "state"))
    env = {**dict.fromkeys(UNSET), "HOME": str(tmp_path), **(environ or {})}
    return CliRunner().invoke(huntaze, flags, env=env, catch_exceptions=False)


def test_check_is_content_with_the_built_in_settings_and_says_what_will_not_work(tmp_path: Path) -> None:
    answer = run(tmp_path, "config", "check")

    assert answer.exit_code == 0
    assert "built-in defaults" in answer.stdout
    assert "OPENAI_API_KEY is not set" in answer.stdout
    assert "platform.url is empty" in answer.stdout


def test_check_names_everything_wrong_and_ends_with_two(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("[daemon]\nprot = 1\n[deamon]\n")

    shown = run(tmp_path, "config", "check", "--config", str(file))
    parsed = run(tmp_path, "config", "check", "--config", str(file), "--json")

    assert (shown.exit_code, parsed.exit_code) == (2, 2)
    assert f"{file}:2: daemon.prot" in shown.stdout
    assert {problem["key"] for problem in json.loads(parsed.stdout)["problems"]} == {"daemon.prot", "deamon"}


def test_show_tells_who_said_what_and_no_secret(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": "do-not-show", "HUNTAZE_DAEMON__PORT": "9000"}

    shown = run(tmp_path, "config", "show", "--changed", environ=environ)
    parsed = run(tmp_path, "config", "show", "--json", environ=environ)

    assert "daemon.port  " in shown.stdout
    assert "HUNTAZE_DAEMON__PORT" in shown.stdout
    assert "(set)" in shown.stdout
    assert "daemon.host" not in shown.stdout
    assert "do-not-show" not in shown.stdout + parsed.stdout
    values = {row["key"]: row["value"] for row in json.loads(parsed.stdout)["settings"]}
    assert values["daemon.port"] == "9000"


def test_a_wrong_configuration_stops_show_with_its_words(tmp_path: Path) -> None:
    answer = run(tmp_path, "config", "show", environ={"HUNTAZE_DAEMON__PORT": "many"})

    assert answer.exit_code == 2
    assert "HUNTAZE_DAEMON__PORT: daemon.port: must be a whole number" in answer.stderr


def test_the_doctor_finds_nothing_failing_on_a_fresh_machine(tmp_path: Path) -> None:
    answer = run(tmp_path, "doctor", "--json")

    findings = {finding["name"]: finding for finding in json.loads(answer.stdout)}
    assert answer.exit_code == 0
    assert {"python", "sqlite", "state", "disk", "clock", "configuration", "tools", "platform"} <= set(findings)
    assert findings["provider openai"]["state"] == "warn"
    assert not (tmp_path / "state").exists()


def test_the_doctor_names_keys_and_never_shows_them(tmp_path: Path) -> None:
    answer = run(tmp_path, "doctor", environ={"OPENAI_API_KEY": "do-not-show"})

    assert "OPENAI_API_KEY is set" in answer.stdout
    assert "do-not-show" not in answer.stdout


def test_the_doctor_fails_for_what_keeps_an_engine_from_working(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    (state / "api-token").write_text("t")
    (state / "api-token").chmod(0o644)

    answer = run(tmp_path, "doctor", environ={"HUNTAZE_LIMITER__MESSAGES": "0"})

    assert answer.exit_code == 1
    assert f"chmod 700 {state}" in answer.stdout
    assert "chmod 600" in answer.stdout
    assert "limiter.messages" in answer.stdout


@pytest.mark.parametrize(
    "arguments",
    [("suppress", "anna", "f1"), ("campaign", "start", "c"), ("alerts", "ack", "a"), ("costs",), ("queue",)],
)
def test_without_an_engine_and_without_state_the_code_is_four_and_nothing_is_made(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    answer = run(tmp_path, *arguments)

    assert answer.exit_code == 4
    assert "huntaze daemon" in answer.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--actor", "bea", "audit"), "put --actor behind `audit`"),
        (("alerts", "--all", "ack", "alr_1"), "`ack` takes no --all"),
        (("--state-dir", "/nowhere", "world"), "`world` takes no --state-dir"),
        (("--json",), "--json is for a command's answer"),
    ],
)
def test_flags_that_would_be_dropped_are_refused(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    answer = CliRunner().invoke(huntaze, arguments)

    assert answer.exit_code == 2
    assert words in answer.stderr


def test_flags_of_a_simulation_need_one(tmp_path: Path) -> None:
    answer = run(tmp_path, "daemon", "--speed", "20")

    assert answer.exit_code == 2
    assert "add --simulate" in answer.stderr
