"""Where configuration and state are looked for."""

from __future__ import annotations

from pathlib import Path

from huntaze_console.places import config_file, state_directory


def test_the_configuration_is_the_flags_then_the_variables_then_the_usual_one(tmp_path: Path) -> None:
    usual = tmp_path / "huntaze" / "config.toml"
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": "/nowhere"}

    assert config_file(None, environ) is None
    usual.parent.mkdir()
    usual.touch()
    assert config_file(None, environ) == usual
    assert config_file(None, environ | {"HUNTAZE_CONFIG": "/named.toml"}) == Path("/named.toml")
    assert config_file(Path("/flag.toml"), environ | {"HUNTAZE_CONFIG": "/named.toml"}) == Path("/flag.toml")


def test_the_state_is_the_flags_then_the_variables_then_the_usual_one() -> None:
    environ = {"XDG_STATE_HOME": "/state", "HOME": "/home/me"}

    assert state_directory(None, environ) == Path("/state/huntaze")
    assert state_directory(None, environ, demo=True) == Path("/state/huntaze-demo")
    assert state_directory(None, environ | {"HUNTAZE_STATE_DIR": "/named"}) == Path("/named")
    assert state_directory(Path("/flag"), environ | {"HUNTAZE_STATE_DIR": "/named"}) == Path("/flag")
    assert state_directory(None, {"HOME": "/home/me", "XDG_STATE_HOME": "relative"}) == Path(
        "/home/me/.local/state/huntaze"
    )
