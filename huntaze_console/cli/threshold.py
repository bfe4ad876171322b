"""`huntaze costs threshold`: from which sum of a day and of a month on an alert is critical."""

from __future__ import annotations

import click

from engine.kernel.values import usd
from huntaze_console.cli.dry import dry, foretell, in_dollars
from huntaze_console.cli.flags import Ordered, Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import moment, money, say_json, table
from huntaze_console.cli.reading import tell


@click.group(cls=Ordered, short_help="From which sum of a day or a month on an alert is critical.")
@about
def threshold(_: Where) -> None:
    """Sums of a day and of a month from which on an alert is critical. They stop nothing; a budget does.

    What is set here holds at once and across restarts, over the configuration's.
    """


@threshold.command(name="list", short_help="Both thresholds, what is spent, and who set them.")
@about
def list_(place: Where) -> None:
    """Show both thresholds, what is spent of each, and who set them over the file."""
    from engine.surface.queries import ListThresholds

    with reading(place) as line:
        page = line.query(ListThresholds())
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": [in_dollars(row) for row in page.rows], "as_of": page.as_of})
        return
    table(
        ("a", "spent", "critical at", "the file says", "set by", f"set at ({zone})"),
        (
            (
                row.period,
                money(row.spent),
                money(row.limit) if row.limit else "no alert",
                money(row.file_limit) if row.file_limit else "no alert",
                row.set_by or "the file",
                moment(row.set_at, zone) if row.set_at else "-",
            )
            for row in page.rows
        ),
        right=(1, 2, 3),
    )


@threshold.command(name="set", short_help="Change one or both, from now on.")
@click.option("--day", metavar="USD", help="Of a day; 0 for no such alert.")
@click.option("--month", metavar="USD", help="Of a month; 0 for no such alert.")
@dry
@about
def set_(place: Where, *, day: str | None, month: str | None, dry_run: bool) -> None:
    """Change from which sum on an alert is critical. What is not given stays."""
    from engine.surface.commands import SetThreshold
    from engine.surface.queries import PreviewThreshold

    if day is None and month is None:
        raise click.UsageError("say what to change: --day, --month or both")
    sums = _sum("--day", day), _sum("--month", month)
    if dry_run:
        from screens.effects import threshold_effect

        foretell(place, PreviewThreshold(day=sums[0], month=sums[1]), threshold_effect)
    else:
        tell(place, SetThreshold(day=sums[0], month=sums[1]))


@threshold.command(short_help="Let the configuration file decide again.")
@about
def reset(place: Where) -> None:
    """Let the configuration file decide over both thresholds again."""
    from engine.surface.commands import ResetThreshold

    tell(place, ResetThreshold())


def _sum(flag: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        amount = usd(text.removeprefix("$"))
    except ValueError as error:
        raise click.UsageError(f"{flag}: {error}") from error
    if amount < 0:
        raise click.UsageError(f"{flag} must not be negative")
    return amount
