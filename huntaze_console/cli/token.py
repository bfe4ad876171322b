"""The commands about the API's second token, which may look and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.kernel.errors import CommandRefused, Refusal
from huntaze_console.cli.flags import Ordered, Where, here
from huntaze_console.cli.paper import say_json

if TYPE_CHECKING:
    from engine.storage.directory import StateDirectory

_READ_ONLY = click.option(
    "--read-only", is_flag=True, required=True, help="The one that may look; the other is the engine's own api-token."
)


@click.group(cls=Ordered, short_help="A token for consoles and programs that only look.")
@here
def token(_: Where) -> None:
    """The API's token that may look and change nothing, beside the one that the engine makes at its first start."""


@token.command(short_help="Make one; the engine takes it from then on.")
@_READ_ONLY
@click.option("--replace", is_flag=True, help="In place of the one there is, which ends at once.")
@here
def create(place: Where, *, read_only: bool, replace: bool) -> None:
    """Make the read-only token and show it. A running engine takes it at once; it stands in api-token-read-only.

    \b
    Examples:
      huntaze token create --read-only
    """
    from huntaze_console.tokens import make_token

    state = _state(place)
    path = state.read_only_token_path
    if path.exists() and not replace:
        remedy = f"It stands in {path}; a new one in its place: add --replace"
        raise CommandRefused(Refusal.CONFLICT, "there is a read-only token already", remedy=remedy)
    made = make_token()
    state.write_private(path, made + "\n")
    if place.json:
        say_json({"token": made, "file": str(path), "read_only": read_only})
        return
    click.echo(made)
    click.echo(f"It may look and change nothing. Use: huntaze --connect URL --token-file {path}", err=True)


@token.command(short_help="Take it back, at once.")
@_READ_ONLY
@here
def revoke(place: Where, *, read_only: bool) -> None:
    """Take the read-only token back. Who is connected with it is told so and cut off within a second."""
    path = _state(place).read_only_token_path
    if not path.exists():
        raise CommandRefused(Refusal.NOT_FOUND, "there is no read-only token")
    path.unlink()
    if place.json:
        say_json({"file": str(path), "read_only": read_only})
        return
    click.echo("The read-only token is taken back.")


def _state(place: Where) -> StateDirectory:
    from engine.storage.directory import StateDirectory

    found = StateDirectory(place.state_dir)
    if not found.path.is_dir():
        remedy = "Start the engine once with: huntaze daemon, or name another with --state-dir"
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no state in {found.path}", remedy=remedy)
    return found
