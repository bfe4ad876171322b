"""The commands about the gateway's keys: making one, listing them, taking one back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from engine.kernel.values import DAY, HOUR, decimal_usd, iso, usd
from huntaze_console.cli.flags import Ordered, Where, about
from huntaze_console.cli.line import reading, writing
from huntaze_console.cli.paper import moment, money, say, say_json, table
from huntaze_console.cli.reading import instant_of, present, tell

if TYPE_CHECKING:
    from engine.surface.rows import KeyRow
    from engine.surface.snapshot import Snapshot

_WINDOWS = ("hour", "day", "month", "total")
_SPAN = re.compile(r"(\d{1,5})([hd])")


@click.group(cls=Ordered, short_help="Keys for programs that use the models through the gateway.")
@about
def key(_: Where) -> None:
    """Keys for the gateway: any program that speaks OpenAI's interface, pointed at this engine's /v1."""


@key.command(short_help="Make a key; it is shown this once.")
@click.option("--tenant", default="", metavar="ID", help="Whom its calls are booked for.")
@click.option("--budget", metavar="USD[/WINDOW]", help="Such as 25/month; hour, day, month or total [no budget].")
@click.option(
    "--models", default="", metavar="NAME,…", help="Names or patterns, such as 'huntaze/*,gpt-4o-mini' [all]."
)
@click.option("--name", default="", help="What you know it by.")
@click.option("--expires", metavar="WHEN", help="After 90d or 12h, or at a day or a time with an offset [never].")
@about
def create(place: Where, *, tenant: str, budget: str | None, models: str, name: str, expires: str | None) -> None:
    """Make a key and show it, this once: only its digest is kept.

    Its calls are booked for the tenant and for the key itself; a budget is a hard limit on what they may cost.

    \b
    Examples:
      huntaze key create --name web --tenant acme --budget 25/month --expires 90d
    """
    from engine.surface.commands import CreateKey

    limit, window = _budget(budget)
    with writing(place) as line:
        command = CreateKey(
            tenant_id=tenant,
            name=name,
            models=tuple(filter(None, (one.strip() for one in models.split(",")))),
            limit=limit,
            window=window,
            expires_at=_expiry(expires, line.snapshot()),
        )
        done = line.submit(command)
    if place.json:
        say_json({"summary": done.summary, **done.data})
        return
    click.echo(done.data["secret"])
    click.echo(f"{done.summary}. Its id is {done.data['key_id']}.", err=True)


@key.command(name="list", short_help="Each key's tenant, budget, models and last use.")
@click.option("--all", "every", is_flag=True, help="With those that are revoked or expired.")
@click.option("--tenant", default="", metavar="ID", help="Of one tenant.")
@about
def list_(place: Where, *, every: bool, tenant: str) -> None:
    """Show the keys, newest first. No key can be shown again, only how it begins."""
    from engine.surface.queries import ListKeys

    with reading(place) as line:
        page = line.query(ListKeys(tenant_id=tenant, all=every, limit=1_000))
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": [_plain(row) for row in page.rows], "next": page.next, "as_of": page.as_of})
        return
    if not page.rows:
        say("There are no keys. Make one with: huntaze key create --tenant acme --budget 25/month")
        return
    table(
        ("key", "id", "name", "tenant", "budget", "models", "state", "last used", "expires"),
        (
            (
                f"{row.prefix}…",
                row.key_id,
                row.name or "-",
                row.tenant_id or "-",
                f"{money(row.limit)}/{row.window}" if row.limit is not None else "-",
                ", ".join(row.models) or "all",
                row.state,
                moment(row.used_at, zone) if row.used_at else "never",
                moment(row.expires_at, zone) if row.expires_at else "never",
            )
            for row in page.rows
        ),
    )


@key.command(short_help="Take a key back: from now on it opens nothing.")
@click.argument("key", metavar="KEY")
@about
def revoke(place: Where, *, key: str) -> None:
    """Take a key back, by its id or by how it begins. From now on it opens nothing."""
    from engine.surface.commands import RevokeKey

    tell(place, RevokeKey(key=key))


def _budget(given: str | None) -> tuple[int | None, str]:
    """Nano-dollars and the window of such as 25/month."""
    if given is None:
        return None, "total"
    amount, _, window = given.partition("/")
    window = window or "total"
    if window not in _WINDOWS:
        raise click.BadParameter(f"{window!r} is none of {', '.join(_WINDOWS)}", param_hint="--budget")
    try:
        return usd(amount.strip().removeprefix("$")), window
    except ValueError as error:
        raise click.BadParameter(
            f"{amount!r} is not an amount of dollars such as 25.00", param_hint="--budget"
        ) from error


def _expiry(given: str | None, snapshot: Snapshot) -> int | None:
    """An instant: so long from now by the engine's clock, or a day or time."""
    if given is not None and (found := _SPAN.fullmatch(given.strip())):
        return present(snapshot) + int(found[1]) * (DAY if found[2] == "d" else HOUR)
    return instant_of("expires", given, snapshot.engine.time_zone)


def _plain(row: KeyRow) -> dict[str, Any]:
    return {
        "key_id": row.key_id,
        "name": row.name,
        "prefix": row.prefix,
        "tenant": row.tenant_id,
        "models": list(row.models),
        "budget_usd": None if row.limit is None else decimal_usd(row.limit),
        "window": row.window,
        "state": row.state,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at) if row.expires_at else None,
        "used_at": iso(row.used_at) if row.used_at else None,
    }
