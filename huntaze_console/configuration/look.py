"""What a console wants of the configuration, read without checking all the rest.

Checking a whole configuration takes longer than a console, or the world of a demo, has to be there. Whatever is not
plainly right here, or stands in the environment, is left to the full reading and its words; a test keeps the two alike.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from engine.surface.decoding import decode

if TYPE_CHECKING:
    from huntaze_console.config import Settings
    from huntaze_console.options import SettingsSource

_AS_VARIABLES = ("HUNTAZE_CONSOLE__", "HUNTAZE_LOGGING__", "HUNTAZE_SIMULATION__")

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLook:
    """`[console]`, as its section has it."""

    theme: Literal["dark", "light", "contrast", "colour-blind"] = "dark"
    confirm_above_fans: int = 2_000
    mouse: bool = True
    ascii: Literal["auto", "on", "off"] = "auto"
    low_bandwidth: Literal["auto", "on", "off"] = "auto"
    clipboard: bool = True
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingLook:
    """`[logging]`, as its section has it."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    kept: int = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationLook:
    """`[simulation]`, as its section has it."""

    scenario: str = "quiet-day"
    seed: int = 7
    speed: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a console needs to show itself, and to start a world."""

    console: ConsoleLook = ConsoleLook()
    logging: LoggingLook = LoggingLook()
    simulation: SimulationLook = SimulationLook()


def look(source: SettingsSource) -> Look:
    """The console's part of the settings. Raises ConfigError where they are wrong."""
    found = None if _in_environment(source.environ) else _read(source)
    return look_of(source.load()) if found is None else found


def look_of(settings: Settings) -> Look:
    """The same of settings that were read in full."""
    return Look(
        console=ConsoleLook(**settings.console.model_dump()),
        logging=LoggingLook(**settings.logging.model_dump()),
        simulation=SimulationLook(**settings.simulation.model_dump()),
    )


def _in_environment(environ: Mapping[str, str]) -> bool:
    return any(value and name.startswith(_AS_VARIABLES) for name, value in environ.items())


def _read(source: SettingsSource) -> Look | None:
    try:
        tables = tomllib.loads(source.file.read_text("utf-8")) if source.file is not None else {}
        return Look(
            console=_section(ConsoleLook, tables.get("console", {}), _flags(source, "console")),
            logging=_section(LoggingLook, tables.get("logging", {}), _flags(source, "logging")),
            simulation=_section(SimulationLook, tables.get("simulation", {}), _flags(source, "simulation")),
        )
    except (OSError, ValueError):
        return None


def as_list(given: object) -> object:
    """One text stands for a list of it."""
    return [given] if isinstance(given, str) else given


def _flags(source: SettingsSource, section: str) -> dict[str, Any]:
    given = ((key.partition("."), value) for key, value in source.flags.items() if value is not None)
    return {name: value for (table, _, name), value in given if table == section}


def _section(kind: type[S], table: Any, flags: Mapping[str, Any]) -> S:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(table, dict) or not known.issuperset(table):
        raise ValueError("a key that is not known here")
    table = {**table, **flags}
    if isinstance(table.get("keys"), dict):
        table["keys"] = {name: as_list(given) for name, given in table["keys"].items()}
    found: S = decode(kind, table)
    if any(isinstance(value, int | float) and value < 0 for value in asdict(found).values()):  # type: ignore[call-overload]
        raise ValueError("a number below zero")
    return found
