"""The commands about hard limits: what each has left, setting and removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.kernel.values import decimal_usd, iso, usd
from huntaze_console.cli.dry import dry, foretell_budget
from huntaze_console.cli.flags import Ordered, Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import moment, money, say, say_json, table
from huntaze_console.cli.reading import tell

if TYPE_CHECKING:
    from engine.surface.rows import BudgetRow

_SCOPE = click.argument("scope", type=click.Choice(("global", "tenant", "campaign", "account", "user", "provider")))
_KEY = click.argument("key", required=False, default="", metavar="[ID]")
_WINDOW = click.option(
    "--window",
    type=click.Choice(("hour", "day", "month", "total")),
    default="total",
    help="What the limit is for: each hour, day or month, or all time [total].",
)


@click.group(cls=Ordered, short_help="Hard limits on what AI calls may cost.")
@about
def budget(_: Where) -> None:
    """Hard limits: no call is made that could overspend one.

    A budget covers everything (global), or one tenant, campaign, account, user or provider, by the hour, day or month
    or in total. What is set here holds at once and across restarts, over the configuration's.
    """


@budget.command(name="list", short_help="Spent, held, limit, and when each begins anew.")
@click.option("--campaigns", is_flag=True, help="With those that campaigns brought along.")
@about
def list_(place: Where, *, campaigns: bool) -> None:
    """Show every budget: what is spent, what calls under way may yet cost, the limit, and when it begins anew."""
    from engine.surface.queries import ListBudgets

    with reading(place) as line:
        page = line.query(ListBudgets(campaigns=campaigns))
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": [_plain(row) for row in page.rows], "as_of": page.as_of})
        return
    if not page.rows:
        say("There are no budgets. Set one with: huntaze budget set global --window day --limit 50")
        return
    table(
        ("budget", "window", "spent", "held", "limit", "used", "resets", "when it does not fit", "from"),
        (
            (
                f"{row.scope} {row.key}".strip(),
                row.window,
                money(row.spent),
                money(row.held),
                money(row.limit),
                f"{row.spent * 100 // row.limit}%" if row.limit else "-",
                moment(row.resets_at, zone) if row.resets_at else "never",
                ", ".join(row.actions),
                row.origin,
            )
            for row in page.rows
        ),
        right=range(2, 6),
    )


@budget.command(name="set", short_help="Give a limit, or change it.")
@_SCOPE
@_KEY
@click.option("--limit", required=True, metavar="USD", help="The most that may be spent in a window, such as 50.00.")
@_WINDOW
@click.option(
    "--actions",
    metavar="A,…",
    help="For a call that does not fit, in this order: clamp, downgrade, throttle, stop [stop].",
)
@click.option("--time-zone", metavar="ZONE", help="Cuts the windows, such as Europe/Paris [the costs'].")
@dry
@about
def set_(
    place: Where,
    *,
    scope: str,
    key: str,
    limit: str,
    window: str,
    actions: str | None,
    time_zone: str | None,
    dry_run: bool,
) -> None:
    """Give a limit, or change it: what is left out stays as it was. Calls that wait for more room go on at once.

    A call that does not fit what is left may write less (clamp), be done by the ladder's next model (downgrade), wait
    for the next window (throttle) or be refused (stop).

    \b
    Examples:
      huntaze budget set global --window day --limit 50
      huntaze budget set campaign cmp_01kaesv7 --limit 5.00 --actions downgrade,stop --dry-run
    """
    from engine.surface.commands import SetBudget
    from engine.surface.queries import PreviewBudget

    if dry_run:
        foretell_budget(place, PreviewBudget(scope=scope, key=key, window=window, limit=_usd(limit)))
        return
    chosen = None if actions is None else tuple(part.strip() for part in actions.split(",") if part.strip())
    command = SetBudget(scope=scope, key=key, window=window, limit=_usd(limit), actions=chosen, time_zone=time_zone)
    tell(place, command)


@budget.command(short_help="Take a limit away.")
@_SCOPE
@_KEY
@_WINDOW
@dry
@about
def remove(place: Where, *, scope: str, key: str, window: str, dry_run: bool) -> None:
    """Take a limit away, also one of the configuration's: it stays away until it is set again."""
    from engine.surface.commands import RemoveBudget
    from engine.surface.queries import PreviewBudget

    if dry_run:
        foretell_budget(place, PreviewBudget(scope=scope, key=key, window=window))
        return
    tell(place, RemoveBudget(scope=scope, key=key, window=window))


def _usd(text: str) -> int:
    try:
        amount = usd(text.removeprefix("$"))
    except ValueError as error:
        raise click.UsageError(f"--limit: {error}") from error
    if amount < 0:
        raise click.UsageError("--limit must not be negative")
    return amount


def _plain(row: BudgetRow) -> dict[str, Any]:
    return {
        "scope": row.scope,
        "key": row.key,
        "window": row.window,
        "limit_usd": decimal_usd(row.limit),
        "spent_usd": decimal_usd(row.spent),
        "held_usd": decimal_usd(row.held),
        "percent": row.percent,
        "began_at": iso(row.began_at) if row.began_at else None,
        "resets_at": iso(row.resets_at) if row.resets_at else None,
        "actions": list(row.actions),
        "time_zone": row.time_zone,
        "origin": row.origin,
    }
