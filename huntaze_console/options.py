"""What the command line asks of the console and of the daemon. Light: it is imported before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huntaze_console.config import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSource:
    """Where the settings come from, kept so that a reload reads the same places again."""

    file: Path | None = None  # None: the built-in defaults
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # it may hold keys
    flags: Mapping[str, Any] = field(default_factory=dict)  # dotted key -> value; None where the flag was not given
    simulated: bool = False

    def load(self) -> Settings:
        """Raises ConfigError holding everything that is wrong."""
        from huntaze_console.config import load_settings

        return load_settings(self.file, self.environ, self.flags, simulated=self.simulated)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """A simulation as the flags ask for it; what is None comes from `[simulation]`."""

    world: str | None = None  # the address of a running world; None: start one
    scenario: str | None = None  # a shipped one's name, or a file
    trace: Path | None = None  # requests to replay instead of the scenario's own demand
    seed: int | None = None
    speed: float | None = None  # virtual seconds to a real one


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """An engine elsewhere, as the flags name it. Its token is never a flag: other users can read a command line."""

    url: str
    token_file: Path | None = None  # None: HUNTAZE_TOKEN, or a prompt
    ca_file: Path | None = None  # PEM; None: what the system trusts
    insecure: bool = False  # the token may cross a network in the clear


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleOptions:
    """An interactive run: attach to `remote`, or to the engine of `state_dir`, or embed one there."""

    settings: SettingsSource
    state_dir: Path
    simulation: SimulationOptions | None = None
    remote: Remote | None = None
    read_only: bool = False
    actor: str = ""  # who acts, for the audit; empty: the user on this host


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonOptions:
    """A headless run. `--host` and `--port` are flags of `settings`, so that a reload keeps them."""

    settings: SettingsSource
    state_dir: Path
    simulation: SimulationOptions | None = None
