"""The console's quick reading of its part of the configuration says what the full one says, or leaves it to that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.kernel.errors import ConfigError
from huntaze_console.configuration.look import Look, look, look_of
from huntaze_console.configuration.sections import ConsoleSection, LoggingSection, SimulationSection
from huntaze_console.options import SettingsSource

OTHER = """
[console]
theme = "light"
confirm_above_fans = 7
mouse = false
ascii = "on"
low_bandwidth = "off"
clipboard = false

[logging]
level = "debug"
format = "json"

[simulation]
scenario = "azure-outage"
seed = 3
speed = 20
"""


def _source(tmp_path: Path, text: str | None, **named: Any) -> SettingsSource:
    file = None
    if text is not None:
        file = tmp_path / "config.toml"
        file.write_text(text)
    return SettingsSource(file=file, **named)


def test_it_knows_every_key_and_every_default() -> None:
    quick = Look()

    assert {name: getattr(quick.console, name) for name in ConsoleSection.model_fields} == ConsoleSection().model_dump()
    assert {name: getattr(quick.logging, name) for name in LoggingSection.model_fields} == LoggingSection().model_dump()
    simulation = {name: getattr(quick.simulation, name) for name in SimulationSection.model_fields}
    assert simulation == SimulationSection().model_dump()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, {}),
        ("", {}),
        (OTHER, {}),
        (OTHER, {"flags": {"console.ascii": "off", "console.low_bandwidth": None}}),
        ("[simulation]\nspeed = 0.5", {}),
        (OTHER, {"environ": {"HUNTAZE_SIMULATION__SEED": "11"}}),
        (OTHER, {"environ": {"HUNTAZE_CONSOLE__THEME": "contrast", "HUNTAZE_LOGGING__LEVEL": "error"}}),
    ],
)
def test_it_says_what_the_full_reading_says(tmp_path: Path, text: str | None, named: dict[str, Any]) -> None:
    source = _source(tmp_path, text, **named)

    assert look(source) == look_of(source.load())


@pytest.mark.parametrize(
    "text",
    [
        '[console]\ntheme = "pink"',
        '[console]\nmouse = "yes"',
        "[console]\nconfirm_above_fans = -1",
        "[console]\nconfirm_above_fans = true",
        "[console]\nspeed = 1",
        "[simulation]\nspeed = -0.5",
        '[simulation]\nspeed = "fast"',
        "console = 3",
        "[console",
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_full_reading(tmp_path: Path, text: str) -> None:
    source = _source(tmp_path, text)
    with pytest.raises(ConfigError) as full:
        source.load()

    with pytest.raises(ConfigError) as quick:
        look(source)

    assert str(quick.value) == str(full.value)
