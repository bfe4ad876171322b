"""The flags that commands share, and what they mean together."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from huntaze_console.options import SettingsSource, SimulationOptions
from huntaze_console.places import config_file, state_directory

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)


class Ordered(click.Group):
    """A group that lists its commands in the order they were written."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which state and which configuration a command is about, and how it answers."""

    state_dir: Path
    config: Path | None
    json: bool = False

    def source(self, *, simulated: bool, flags: Mapping[str, Any] | None = None) -> SettingsSource:
        return SettingsSource(file=self.config, environ=dict(os.environ), flags=flags or {}, simulated=simulated)


def about(command: F) -> F:
    """Adds --state-dir, --config and --json; the command gets them as its first argument, a Where."""

    @click.option(
        "--json", "as_json", is_flag=True, help="Answer in JSON: money as decimal strings, times in ISO 8601."
    )
    @_places
    @functools.wraps(command)
    def asked(*, state_dir: Path | None, config: Path | None, as_json: bool, **rest: Any) -> Any:
        return command(where(state_dir, config, json=as_json), **rest)

    return asked  # type: ignore[return-value]


def running(command: F) -> F:
    """Adds --state-dir and --config to a command that starts something."""
    return _places(command)


def drawing(command: F) -> F:
    """Adds the flags of a command that draws on the terminal."""
    for option in reversed(
        (
            click.option("--ascii/--no-ascii", default=None, help="Draw with ASCII only [by the terminal]."),
            click.option(
                "--low-bandwidth/--no-low-bandwidth", default=None, help="Send little, and seldom [by the link]."
            ),
        )
    ):
        command = option(command)
    return command


def drawn(flags: dict[str, Any]) -> dict[str, Any]:
    """The settings that the flags of `drawing` stand for; they are taken out."""
    words = {None: None, True: "on", False: "off"}
    return {f"console.{name}": words[flags.pop(name, None)] for name in ("ascii", "low_bandwidth")}


def looking(command: F) -> F:
    """Adds the flags of whoever opens a console."""
    read_only = click.option("--readonly", "--read-only", "read_only", is_flag=True, help="Look, and change nothing.")
    actor = click.option("--actor", metavar="NAME", help="Who acts, for the audit [USER@HOST].")
    return read_only(actor(command))


def connecting(command: F) -> F:
    """Adds the flags of a console on an engine elsewhere."""
    for option in reversed(
        (
            click.option(
                "--connect", metavar="URL", help="Attach to the engine there; its token is no flag, see next."
            ),
            click.option("--token-file", type=FILE, help="Holds its token [HUNTAZE_TOKEN, or a prompt]."),
            click.option("--ca-file", type=FILE, help="Who signed its certificate, in PEM [whom the system trusts]."),
            click.option("--insecure", is_flag=True, help="Plain http, also across a network: it shows the token."),
        )
    ):
        command = option(command)
    return command


def simulating(command: F) -> F:
    """Adds the flags of a simulation."""
    for option in reversed(
        (
            click.option("--world", metavar="URL", help="Use the world that runs there instead of starting one."),
            click.option("--scenario", metavar="NAME|FILE", help="quiet-day, azure-outage, runaway-cost, or a file."),
            click.option("--trace", type=FILE, help="Replay the requests of this CSV file (.csv or .csv.gz)."),
            click.option("--seed", type=click.IntRange(min=0), help="The same seed, the same world."),
            click.option(
                "--speed",
                type=click.FloatRange(min=0, max=10_000, min_open=True),
                help="Virtual seconds to a real one.",
            ),
        )
    ):
        command = option(command)
    return command


def simulation(
    world: str | None, scenario: str | None, trace: Path | None, seed: int | None, speed: float | None
) -> SimulationOptions:
    """The simulation the flags ask for."""
    return SimulationOptions(world=world, scenario=scenario, trace=trace, seed=seed, speed=speed)


def alone() -> bool:
    """Whether a group was called without one of its commands.

    Its own flags would not reach the command, and a --state-dir that is dropped acts on the wrong engine: refused.
    """
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        return True
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        names = {parameter.name: parameter.opts[0] for parameter in context.command.params}
        raise click.UsageError(f"put {names[given[0]]} behind `{context.invoked_subcommand}`")
    return False


def where(state_dir: Path | None, config: Path | None, *, json: bool = False, demo: bool = False) -> Where:
    """Flags, then the environment, then the usual places."""
    return Where(
        state_dir=state_directory(state_dir, os.environ, demo=demo),
        config=config_file(config, os.environ),
        json=json,
    )


def _places(command: F) -> F:
    state = click.option("--state-dir", type=DIRECTORY, help="The state directory [HUNTAZE_STATE_DIR, or the XDG one].")
    config = click.option("--config", type=FILE, help="The configuration [HUNTAZE_CONFIG, or the XDG one].")
    return state(config(command))
