"""Where configuration and state live, by flag, environment and the XDG base directories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

REAL = "huntaze"
DEMO = "huntaze-demo"


def config_file(flag: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: --config, HUNTAZE_CONFIG, or the XDG one if it exists; None for the built-in defaults."""
    if flag is not None:
        return flag
    if named := environ.get("HUNTAZE_CONFIG"):
        return Path(named).expanduser()
    usual = _home(environ, "XDG_CONFIG_HOME", ".config") / REAL / "config.toml"
    return usual if usual.exists() else None


def state_directory(flag: Path | None, environ: Mapping[str, str], *, demo: bool = False) -> Path:
    """The state directory: --state-dir, HUNTAZE_STATE_DIR, or the XDG one; the demo has its own."""
    if flag is not None:
        return flag.absolute()
    if named := environ.get("HUNTAZE_STATE_DIR"):
        return Path(named).expanduser().absolute()
    return _home(environ, "XDG_STATE_HOME", ".local/state") / (DEMO if demo else REAL)


def _home(environ: Mapping[str, str], name: str, usual: str) -> Path:
    """An XDG base directory. The standard has relative ones ignored."""
    named = Path(environ.get(name, ""))
    if named.is_absolute():
        return named
    return Path(environ["HOME"] if environ.get("HOME") else Path.home()) / usual
