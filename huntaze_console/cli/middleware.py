"""The commands about kept answers, feature flags and models on trial."""

from __future__ import annotations

import click

from engine.kernel.values import decimal_usd, iso, seconds
from huntaze_console.cli.dry import dry, foretell
from huntaze_console.cli.flags import Ordered, Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import count, moment, money, say, say_json, span, table
from huntaze_console.cli.reading import ask, tell

_SHARE = click.IntRange(0, 100)


# ── kept answers ────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(cls=Ordered, short_help="Answers kept for the next who asks the same: what they save; forget them.")
@about
def cache(_: Where) -> None:
    """Show what kept answers and shared calls save, and forget kept answers."""


@cache.command(short_help="What is kept, and what it saved today.")
@about
def stats(place: Where) -> None:
    """Show how many answers are kept and what they, and calls that served several, have saved today."""
    from engine.surface.queries import GetCache
    from engine.surface.rows import CacheRow

    with reading(place) as line:
        page = line.query(GetCache())
        day = line.snapshot().money.day
    row: CacheRow = page.rows[0]
    asked = row.hits + row.kept
    if place.json:
        say_json(
            {
                "entries": row.entries,
                "bytes": row.bytes,
                "max_bytes": row.most_bytes,
                "day": day,
                "day_hits": row.hits,
                "day_near_hits": row.near,
                "day_misses": row.kept,
                "day_hit_rate": row.hits / asked if asked else None,
                "day_shared": row.shared,
                "day_saved_usd": decimal_usd(row.saved),
                "as_of": page.as_of,
            }
        )
        return
    rate = f" ({100 * row.hits / asked:.1f} %)" if asked else ""
    say(f"saved today  {money(row.saved)}")
    table(
        ("today", "tasks"),
        (
            (f"answered from kept answers{rate}", count(row.hits)),
            ("  of them by one that came near", count(row.near)),
            ("asked, and their answers kept", count(row.kept)),
            ("answered by a call that others had asked for", count(row.shared)),
        ),
        right=(1,),
    )
    say(f"kept  {count(row.entries)} answers, {row.bytes / 2**20:,.1f} of {row.most_bytes / 2**20:,.0f} MiB")


@cache.command(short_help="Forget kept answers.")
@click.option("--tenant", metavar="ID", help="Only this tenant's; an empty one for those of no tenant.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@about
def clear(place: Where, *, tenant: str | None, yes: bool) -> None:
    """Forget kept answers: a tenant's, or everybody's. What they were for will be asked, and paid for, again."""
    from engine.surface.commands import ClearCache

    whose = "all kept answers" if tenant is None else f"the kept answers of {tenant or 'no tenant'}"
    ask(f"Forget {whose}?", yes=yes)
    tell(place, ClearCache(tenant_id=tenant))


# ── feature flags ───────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(cls=Ordered, short_help="Feature flags: who has what switched on.")
@about
def flag(_: Where) -> None:
    """Show feature flags, and switch them while the engine runs."""


@flag.command("list", short_help="The flags as they stand.")
@about
def list_(place: Where) -> None:
    """Show each flag, what it switches, and for whom it is on."""
    from engine.surface.queries import ListFlags

    with reading(place) as line:
        page = line.query(ListFlags())
        zone = line.snapshot().engine.time_zone
    if place.json:
        rows = [
            {
                "name": row.name,
                "about": row.about,
                "enabled": row.enabled,
                "percentage": row.percentage,
                "allow": row.allow,
                "deny": row.deny,
                "changed_at": iso(row.changed_at) if row.changed_at else None,
                "changed_by": row.changed_by,
            }
            for row in page.rows
        ]
        say_json({"rows": rows, "as_of": page.as_of})
        return
    table(
        ("flag", "state", "users", "allowed", "denied", f"changed ({zone})", "by"),
        (
            (
                row.name,
                "on" if row.enabled else "off",
                f"{row.percentage} %",
                count(len(row.allow)),
                count(len(row.deny)),
                moment(row.changed_at, zone) if row.changed_at else "-",
                row.changed_by or "-",
            )
            for row in page.rows
        ),
        right=(2, 3, 4),
    )
    for row in page.rows:
        say()
        say(f"{row.name}: {row.about}")


@flag.command("set", short_help="Switch a flag; what is not named stays.")
@click.argument("name", metavar="FLAG")
@click.option("--on/--off", "enabled", default=None, help="Off is for everybody, whatever else is said.")
@click.option("--percentage", type=_SHARE, metavar="N", help="Of the users; raising it takes the flag from nobody.")
@click.option("--allow", multiple=True, metavar="USER", help="Has it whatever the percentage; may be repeated.")
@click.option("--deny", multiple=True, metavar="USER", help="Has it not; may be repeated.")
@click.option("--clear-lists", is_flag=True, help="Forget who is allowed and who is denied.")
@dry
@about
def set_(
    place: Where,
    *,
    name: str,
    enabled: bool | None,
    percentage: int | None,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    clear_lists: bool,
    dry_run: bool,
) -> None:
    """Switch a flag while the engine runs. The lists given take the place of those there were.

    \b
    Examples:
      huntaze flag set use_kept_answers --percentage 25 --dry-run
    """
    from engine.surface.commands import FlagSetting, SetFlags
    from engine.surface.queries import PreviewFlag

    none: tuple[str, ...] | None = () if clear_lists else None
    setting = FlagSetting(name=name, enabled=enabled, percentage=percentage, allow=allow or none, deny=deny or none)
    if dry_run:
        from screens.effects import flag_effect

        foretell(place, PreviewFlag(flag=setting), lambda rows: flag_effect(rows[0]))
        return
    tell(place, SetFlags(flags=(setting,)))


# ── models on trial ─────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(cls=Ordered, short_help="Models on trial, beside those that answer.")
@about
def shadow(_: Where) -> None:
    """Try a model on a part of a tool's tasks, after the answer was given, and see how it compares."""


@shadow.command("list", short_help="The trials, and how they compare.")
@about
def trials(place: Where) -> None:
    """Show each trial: the means over the calls it compared in the last 30 days, the answers' first, then its own."""
    from engine.surface.queries import ListShadows

    with reading(place) as line:
        page = line.query(ListShadows())
    if place.json:
        rows = [
            {
                "tool": row.tool,
                "target": row.target,
                "percentage": row.percentage,
                "budget_usd": decimal_usd(row.budget),
                "spent_today_usd": decimal_usd(row.spent_today),
                "fans": row.fans,
                "compared": row.compared,
                "failed": row.failed,
                "total_seconds": seconds(row.duration),
                "shadow_total_seconds": seconds(row.shadow_duration),
                "total_usd": decimal_usd(row.cost),
                "shadow_total_usd": decimal_usd(row.shadow_cost),
                "mean_likeness": row.likeness / row.compared / 1000 if row.compared else None,
            }
            for row in page.rows
        ]
        say_json({"rows": rows, "as_of": page.as_of})
        return
    table(
        ("tool", "on trial", "sample", "compared", "failed", "took", "its", "cost", "its", "alike", "today of"),
        (
            (
                row.tool,
                row.target,
                f"{row.percentage:g} %" if row.percentage else "over",
                count(row.compared),
                count(row.failed),
                *((span(row.duration // n), span(row.shadow_duration // n)) if (n := row.compared) else ("-", "-")),
                *((money(row.cost // n), money(row.shadow_cost // n)) if n else ("-", "-")),
                f"{row.likeness / n / 10:.0f} %" if n else "-",
                f"{money(row.spent_today)} {money(row.budget)}" if row.budget else "-",
            )
            for row in page.rows
        ),
        right=range(2, 11),
    )


@shadow.command("set", short_help="Begin, change or end a trial.")
@click.option("--tool", required=True, metavar="TOOL", help="The tool, by its name or an alias.")
@click.option("--target", default="", metavar="PROVIDER/MODEL", help="The model on trial.")
@click.option("--percentage", type=click.FloatRange(0, 100), required=True, help="Of the tool's tasks; 0 ends it.")
@click.option("--budget", default="0", metavar="USD", help="The most it may cost in a UTC day, at the worst.")
@click.option("--fans", is_flag=True, help="Also send prompts that may hold a person's data.")
@dry
@about
def try_(place: Where, *, tool: str, target: str, percentage: float, budget: str, fans: bool, dry_run: bool) -> None:
    """Try a model on a part of a tool's tasks. The answer is never touched and never waits for it.

    \b
    Examples:
      huntaze shadow set --tool message --target deepseek/deepseek-chat --percentage 2 --budget 1.50
    """
    from engine.kernel.values import usd
    from engine.surface.commands import SetShadow
    from engine.surface.queries import PreviewShadow

    try:
        amount = usd(budget)
    except ValueError as error:
        raise click.UsageError(f"--budget: {error}") from error
    if dry_run:
        from screens.effects import shadow_effect

        query = PreviewShadow(tool=tool, target=target, percentage=percentage, budget=amount)
        foretell(place, query, lambda rows: shadow_effect(rows[0]))
        return
    tell(
        place,
        SetShadow(tool=tool, target=target, percentage=percentage, budget=amount, fans=fans),
    )
