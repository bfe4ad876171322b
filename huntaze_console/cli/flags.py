"""The flags that commands share, and what they mean together."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from huntaze_console.options import Remote, SettingsSource, SimulationOptions
from huntaze_console.places import config_file, state_directory

F = TypeVar("F", bound=Callable[..., Any])

AWAY = ("connect", "token_file", "ca_file", "insecure")  # the flags of `connecting`
_SCENARIO = "quiet-day, azure-outage, runaway-cost, or a file [quiet-day; in the demo azure-outage]."

FILE = click.Path(dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)


_GIVEN = frozenset({ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP})  # here, or by the group around


class Shared(click.Option):
    """An option that means the same to every command that takes it: it may stand before the command or behind it."""


class Ordered(click.Group):
    """A group that lists its commands in the order they were written, and hands shared options down to them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """What was given before the command counts as given behind it; behind it again, the later one counts.

        An option that the command does not take is refused: a --state-dir that is dropped acts on the wrong engine.
        """
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            ctx.default_map = {name: _handed_down(ctx, command)}
        return name, command, rest


def _handed_down(ctx: click.Context, command: click.Command) -> dict[str, Any]:
    """The values, by name, that the group's options have for this command of it."""
    taken = {parameter.name for parameter in command.params if isinstance(parameter, Shared)}
    found = {}
    for parameter in ctx.command.params:
        name = parameter.name
        if ctx.get_parameter_source(name) not in _GIVEN:
            continue
        if isinstance(parameter, Shared) and name in taken:
            found[name] = ctx.params[name]
        elif not ctx.resilient_parsing:
            raise click.UsageError(_misplaced(parameter.opts[0], command), ctx)
    return found


def _misplaced(option: str, command: click.Command) -> str:
    if any(option in parameter.opts for parameter in command.params):
        return f"put {option} behind `{command.name}`"
    return f"`{command.name}` takes no {option}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which state and which configuration a command is about, and how it answers."""

    state_dir: Path
    config: Path | None
    json: bool = False
    remote: Remote | None = None  # an engine elsewhere instead

    def source(self, *, simulated: bool, flags: Mapping[str, Any] | None = None) -> SettingsSource:
        return SettingsSource(file=self.config, environ=dict(os.environ), flags=flags or {}, simulated=simulated)


def shared(*names: str, **more: Any) -> Callable[[F], F]:
    """As click.option, of an option that may stand before the command too."""
    return click.option(*names, cls=Shared, **more)


def about(command: F) -> F:
    """Adds what names an engine, here or elsewhere, and --json; the command gets it as its first argument, a Where."""

    @answering
    @_places
    @connecting
    @functools.wraps(command)
    def asked(*, state_dir: Path | None, config: Path | None, as_json: bool, **rest: Any) -> Any:
        remote = elsewhere(rest)
        return command(replace(where(state_dir, config, json=as_json), remote=remote), **rest)

    return asked  # type: ignore[return-value]


def here(command: F) -> F:
    """As `about`, for a command about this host: it takes no --connect."""

    @answering
    @_places
    @functools.wraps(command)
    def asked(*, state_dir: Path | None, config: Path | None, as_json: bool, **rest: Any) -> Any:
        return command(where(state_dir, config, json=as_json), **rest)

    return asked  # type: ignore[return-value]


def elsewhere(flags: dict[str, Any]) -> Remote | None:
    """The engine that the flags of `connecting` name; they are taken out."""
    url, *rest = (flags.pop(name) for name in AWAY)
    more = dict(zip(AWAY[1:], rest, strict=True))
    if url is not None:
        return Remote(url=url, **more)
    if alone() and (given := next((name for name, value in more.items() if value), None)):
        raise click.UsageError(f"--{given.replace('_', '-')} is about an engine elsewhere: add --connect")
    return None


def ask_secret(words: str) -> str:
    """Prompt without an echo."""
    answer: str = click.prompt(words, hide_input=True, err=True)
    return answer


def answering(command: F) -> F:
    """Adds --json."""
    words = "Answer in JSON: money as decimal strings, times in ISO 8601."
    return shared("--json", "as_json", is_flag=True, help=words)(command)


def running(command: F) -> F:
    """Adds --state-dir and --config to a command that starts something."""
    return _places(command)


def drawing(command: F) -> F:
    """Adds the flags of a command that draws on the terminal."""
    for option in reversed(
        (
            shared("--ascii/--no-ascii", default=None, help="Draw with ASCII only [by the terminal]."),
            shared("--low-bandwidth/--no-low-bandwidth", default=None, help="Send little, and seldom [by the link]."),
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
    read_only = shared("--readonly", "--read-only", "read_only", is_flag=True, help="Look, and change nothing.")
    actor = shared("--actor", metavar="NAME", help="Who acts, for the audit [USER@HOST].")
    return read_only(actor(command))


def connecting(command: F) -> F:
    """Adds the flags of a console on an engine elsewhere."""
    for option in reversed(
        (
            shared("--connect", metavar="URL", help="Attach to the engine there, such as https://host:8642."),
            shared(
                "--token-file", type=FILE, help="A file of yours alone with its token [HUNTAZE_TOKEN, or a prompt]."
            ),
            shared("--ca-file", type=FILE, help="Certificates (PEM) that its own must be signed by [the system's]."),
            shared("--insecure", is_flag=True, help="Allow plain http across a network: who listens reads the token."),
        )
    ):
        command = option(command)
    return command


def simulating(command: F) -> F:
    """Adds the flags of a simulation."""
    for option in reversed(
        (
            click.option("--world", metavar="URL", help="Use the world that runs there instead of starting one."),
            click.option("--scenario", metavar="NAME|FILE", help=_SCENARIO),
            click.option("--trace", type=FILE, help="Replay the requests of this CSV file (.csv or .csv.gz)."),
            click.option(
                "--seed", type=click.IntRange(min=0), help="The same seed, the same world [the configuration's, 7]."
            ),
            click.option(
                "--speed",
                type=click.FloatRange(min=0, max=10_000, min_open=True),
                help="Virtual seconds to a real one [the configuration's, 60].",
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
    """Whether a group was called without one of its commands."""
    return click.get_current_context().invoked_subcommand is None


def where(state_dir: Path | None, config: Path | None, *, json: bool = False, demo: bool = False) -> Where:
    """Flags, then the environment, then the usual places."""
    return Where(
        state_dir=state_directory(state_dir, os.environ, demo=demo),
        config=config_file(config, os.environ),
        json=json,
    )


def _places(command: F) -> F:
    state = shared("--state-dir", type=DIRECTORY, help="The state directory [HUNTAZE_STATE_DIR, or the XDG one].")
    config = shared("--config", type=FILE, help="The configuration [HUNTAZE_CONFIG, or the XDG one].")
    return state(config(command))
