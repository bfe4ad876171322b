"""`huntaze config`: is it right, and what is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.kernel.errors import ConfigError
from huntaze_console.cli import exits
from huntaze_console.cli.flags import Ordered, Where, here
from huntaze_console.cli.paper import Tone, say, say_json, table

if TYPE_CHECKING:
    from huntaze_console.config import Settings


@click.group(cls=Ordered, short_help="Check the configuration, or show what is in force.")
@here
def config(_: Where) -> None:
    """Check the configuration, or show what is in force and who said so."""


@config.command(short_help="Name everything that is wrong.")
@here
def check(place: Where) -> None:
    """Read the configuration as an engine would, and name everything that is wrong. Exits with 2 when something is."""
    from huntaze_console.config import InvalidSettings

    try:
        settings = _load(place)
        if settings.console.keys:
            from huntaze_console.remapping import check as check_keys

            check_keys(settings.console.keys, settings)
    except InvalidSettings as error:
        _say_problems(place, error.problems)
        click.get_current_context().exit(exits.INVALID)
    warnings = _warnings(settings)
    if place.json:
        say_json({"valid": True, "source": settings.source, "warnings": warnings, "problems": []})
        return
    say(("ok", Tone.GOOD), f"  {settings.source}")
    for warning in warnings:
        say(("warn", Tone.WARN), f"  {warning}")


@config.command(short_help="Show every setting in force, and who said so.")
@click.option("--changed", is_flag=True, help="Only what is not the built-in default.")
@here
def show(place: Where, *, changed: bool) -> None:
    """Show every setting in force and where it comes from. Secrets are shown as set or not, never themselves."""
    settings = _load(place)
    rows = [row for row in settings.shown if not changed or row.place != "default"]
    if place.json:
        say_json({"source": settings.source, "settings": rows})
    else:
        table(("setting", "value", "from"), ((row.key, row.value, row.place) for row in rows))


@config.command(short_help="List what keys can be given to, in [console.keys].")
@here
def keys(place: Where) -> None:
    """List every action of the console: its name in [console.keys], its keys, what it does and where."""
    from huntaze_console.remapping import listed

    rows = listed(_load(place).console.keys)
    if place.json:
        say_json({"actions": rows})
    else:
        table(("action", "keys", "does", "where"), ((row.action, row.keys, row.does, row.where) for row in rows))


def _load(place: Where) -> Settings:
    from engine.storage.directory import Mode, StateDirectory

    simulated = StateDirectory(place.state_dir).mode() is Mode.SIMULATED
    return place.source(simulated=simulated).load()


def _say_problems(place: Where, problems: tuple[ConfigError, ...]) -> None:
    if place.json:
        found = [{"source": p.source, "key": p.key, "message": p.message, "remedy": p.remedy} for p in problems]
        say_json({"valid": False, "warnings": [], "problems": found})
        return
    for problem in problems:
        say(("wrong", Tone.BAD), f"  {problem}")


def _warnings(settings: Settings) -> list[str]:
    """What is allowed and still keeps something from working."""
    found = [f"{name} cannot be used: {row.missing}" for name, row in settings.providers.items() if row.missing]
    found += [f"no model of the tool {tool} can be used" for tool in settings.idle_tools()]
    if not settings.platform.url:
        found.append("platform.url is empty: nothing can be sent (set it, or ONLYFANS_API_URL)")
    if settings.alerts.email_to and not settings.smtp.host:
        found.append("alerts.email_to is set, but smtp.host is not: no e-mail will go out")
    return found
