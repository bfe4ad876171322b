"""`[console.keys]`: what cannot work is named with its line before a console opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from huntaze_console.config import InvalidSettings, load_settings
from huntaze_console.configuration.look import look
from huntaze_console.options import SettingsSource
from huntaze_console.remapping import check, listed

SOUND = """[console.keys]
halt = "!"
freeze = ["space", "z"]
"""
WRONG = """[console]
theme = "light"

[console.keys]
freeze = ["space", "z"]
helt = "!"
filter = "ctrl+b"
compose_campaign = "S"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def test_keys_are_read_alike_in_full_and_at_a_glance(tmp_path: Path) -> None:
    file = written(tmp_path, SOUND)
    wanted = {"halt": ("!",), "freeze": ("space", "z")}

    assert load_settings(file, {}).console.keys == wanted
    assert look(SettingsSource(file=file, environ={})).console.keys == wanted
    assert load_settings(None, {"HUNTAZE_CONSOLE__KEYS__HALT": "!,x"}).console.keys == {"halt": ("!", "x")}


def test_what_works_is_taken_and_listed(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, SOUND), {})

    check(settings.console.keys, settings)

    (halt,) = (row for row in listed(settings.console.keys) if row.action == "halt")
    assert (halt.keys, halt.does, halt.where) == ("!", "stop sending", "everywhere")


def test_each_wrong_key_is_told_with_its_line(tmp_path: Path) -> None:
    file = written(tmp_path, WRONG)
    settings = load_settings(file, {})

    with pytest.raises(InvalidSettings) as caught:
        check(settings.console.keys, settings)

    told = {problem.key.rpartition(".")[2]: (problem.source, str(problem)) for problem in caught.value.problems}
    assert set(told) == {"helt", "filter", "compose_campaign"}
    assert told["helt"][0] == f"{file}:6"
    assert told["filter"][0] == f"{file}:7"
    assert told["compose_campaign"][0] == f"{file}:8"
    assert "S is 'stop sending' everywhere" in told["compose_campaign"][1]
