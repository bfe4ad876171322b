"""The commands that stop sending and let it go on: all of it, or to one fan."""

from __future__ import annotations

import click

from huntaze_console.cli.flags import Where, about
from huntaze_console.cli.line import insisting
from huntaze_console.cli.paper import say, say_json
from huntaze_console.cli.reading import tell


@click.command(short_help="Halt all sending at once, until `huntaze resume`.")
@about
def stop(place: Where) -> None:
    """Halt all sending at once and across restarts, until `huntaze resume`.

    Works without a running engine too: the next one starts halted. A message on its way is finished; no other leaves.
    """
    from engine.surface.commands import HaltSending

    with insisting(place) as line:
        _say(place, line.submit(HaltSending()).summary)


@click.command(short_help="Let sending go on after `huntaze stop`.")
@about
def resume(place: Where) -> None:
    """Let sending go on after `huntaze stop`. Works without a running engine too."""
    from engine.surface.commands import ResumeSending

    with insisting(place) as line:
        _say(place, line.submit(ResumeSending()).summary)


@click.command(short_help="Never message this fan again.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("fan_id", metavar="FAN")
@click.option("--reason", default="suppressed by the operator", help="Kept with the entry.")
@about
def suppress(place: Where, *, account_id: str, fan_id: str, reason: str) -> None:
    """Never message this fan again, whatever the campaign, until `huntaze unsuppress`."""
    from engine.surface.commands import SuppressFan

    tell(place, SuppressFan(account_id=account_id, fan_id=fan_id, reason=reason))


@click.command(short_help="Take a fan off the suppression list.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("fan_id", metavar="FAN")
@about
def unsuppress(place: Where, *, account_id: str, fan_id: str) -> None:
    """Take a fan off the suppression list. An opt-out at the platform still holds."""
    from engine.surface.commands import UnsuppressFan

    tell(place, UnsuppressFan(account_id=account_id, fan_id=fan_id))


def _say(place: Where, summary: str) -> None:
    if place.json:
        say_json({"summary": summary})
    else:
        say(summary)
