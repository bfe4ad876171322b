"""The commands that start something: the console, the demo, the daemon, the world, and the doctor."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from engine.kernel.text import clean
from huntaze_console.cli import exits
from huntaze_console.cli.flags import (
    DIRECTORY,
    FILE,
    Where,
    ask_secret,
    drawing,
    drawn,
    elsewhere,
    here,
    looking,
    running,
    simulating,
    simulation,
    where,
)
from huntaze_console.cli.paper import Tone, say, say_json
from huntaze_console.options import ConsoleOptions, DaemonOptions

_DEMO_SCENARIO = "azure-outage"
_LONGEST_ACTOR = 100  # characters
_TONES = {"ok": Tone.GOOD, "warn": Tone.WARN, "fail": Tone.BAD}


def open_console(
    *,
    state_dir: Path | None,
    config: Path | None,
    read_only: bool,
    actor: str | None,
    **flags: Any,
) -> None:
    """Run the console until it is left."""
    look, remote = drawn(flags), elsewhere(flags)
    _need_terminal()
    from huntaze_console.console import run

    place = where(state_dir, config)
    options = ConsoleOptions(
        settings=place.source(simulated=False, flags=look),
        state_dir=place.state_dir,
        remote=remote,
        read_only=read_only,
        actor=_name(actor),
    )
    sys.exit(run(options, ask=ask_secret))


def _name(actor: str | None) -> str:
    """Who acts, as others will read it."""
    if actor is None:
        return ""
    found = clean(actor, limit=_LONGEST_ACTOR).strip()
    if not found:
        raise click.UsageError("--actor is empty: leave it out to act as the user on this host")
    return found


@click.command(short_help="The console over a live simulated world.")
@running
@looking
@drawing
@simulating
def demo(*, state_dir: Path | None, config: Path | None, read_only: bool, actor: str | None, **flags: Any) -> None:
    """Open the console over a live simulated world: nothing real is read, called or spent.

    The demo keeps its own state directory, huntaze-demo beside the usual one. Unless --scenario or --trace says
    otherwise, Azure has an outage soon after the start, so that there is something to see.

    \b
    Examples:
      huntaze demo
      huntaze demo --scenario runaway-cost --speed 20
    """
    _need_terminal()
    from huntaze_console.console import run

    if flags["scenario"] is None and flags["trace"] is None:
        flags["scenario"] = _DEMO_SCENARIO
    look = drawn(flags)
    place = where(state_dir, config, demo=True)
    options = ConsoleOptions(
        settings=place.source(simulated=True, flags=look),
        state_dir=place.state_dir,
        simulation=simulation(**flags),
        read_only=read_only,
        actor=_name(actor),
    )
    sys.exit(run(options, ask=ask_secret))


def _need_terminal() -> None:
    """The console reads keys from stdin and draws on stderr: anywhere else it would run unseen, and for ever."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("the console needs a terminal, for input and on stderr; without one: huntaze daemon")


@click.command(short_help="The engine without a terminal.")
@click.option("--host", help="Where the API listens [127.0.0.1]; others than loopback need TLS.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Its port [8642]; 0 takes a free one.")
@running
@click.option("--simulate", is_flag=True, help="Run over a simulated world; nothing real is read, called or spent.")
@simulating
def daemon(
    *, host: str | None, port: int | None, state_dir: Path | None, config: Path | None, simulate: bool, **flags: Any
) -> None:
    """Run the engine without a terminal, with its HTTP API.

    Prints one line with its address when ready. SIGTERM drains: what is in flight is finished or safely parked; a
    second signal stops at once. SIGHUP reads the configuration again, and keeps the old one if the new is wrong.

    \b
    Examples:
      huntaze daemon                            the real engine
      huntaze daemon --simulate --speed 20      a simulated world, twenty times as fast
      huntaze daemon --host 0.0.0.0 --port 443  for other machines: needs [daemon] tls_cert and tls_key
    """
    if not simulate and any(value is not None for value in flags.values()):
        given = next(name for name, value in flags.items() if value is not None)
        raise click.UsageError(f"--{given} is about a simulation: add --simulate")
    from huntaze_console.daemon import run

    place = where(state_dir, config, demo=simulate)
    options = DaemonOptions(
        settings=place.source(simulated=simulate, flags={"daemon.host": host, "daemon.port": port}),
        state_dir=place.state_dir,
        simulation=simulation(**flags) if simulate else None,
    )
    sys.exit(run(options))


@click.command(short_help="The simulated providers, platform and clock.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="Where it listens on loopback; 0 takes a free one [0]."
)
@click.option(
    "--speed", type=click.FloatRange(min=0, max=10_000), default=1.0, help="Virtual seconds to a real one [1]."
)
@click.option("--seed", type=click.IntRange(min=0), default=7, help="The same seed, the same world [7].")
@click.option(
    "--scenario", default="quiet-day", metavar="NAME|FILE", help="A shipped scenario, or a TOML file [quiet-day]."
)
@click.option("--start", metavar="TIME", help="Virtual start: ISO 8601 with an offset, or nanoseconds.")
@click.option("--record", type=FILE, help="A file to append one JSON line to for everything that arrives.")
@click.option("--state", type=DIRECTORY, help="Where it keeps its clock, so that a restart goes on with it.")
@click.option("--parent-pid", type=int, help="End when this process is gone.")
def world(*, start: str | None, **options: Any) -> None:
    """Run a simulated world by itself: AI providers, a message platform, its fans, faults, and virtual time."""
    from engine.simulation.__main__ import main

    arguments = [
        part
        for name, value in {"start": start, **options}.items()
        if value is not None
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    sys.exit(main(arguments))


@click.command(short_help="Check this machine, the state and the configuration.")
@click.option("--online", is_flag=True, help="Also ask each provider's address for an answer; costs nothing.")
@here
def doctor(place: Where, *, online: bool) -> None:
    """Check Python, SQLite, the state directory, configuration, keys, terminal, clock and disk.

    Each check is ok, warn or fail, and says what to do. Exits with 1 when something fails.
    """
    from huntaze_console.doctor import examine

    findings = list(examine(place.state_dir, place.config, os.environ, online=online))
    if place.json:
        say_json(findings)
    else:
        widest = max(len(finding.name) for finding in findings)
        for finding in findings:
            name = f"  {finding.name:<{widest}}  "
            say((f"{finding.state:<4}", _TONES[finding.state]), name, finding.message)
            if finding.remedy:
                say(f"{'':<{widest + 8}}{finding.remedy}")
    sys.exit(exits.FAILED if any(finding.state == "fail" for finding in findings) else exits.OK)
