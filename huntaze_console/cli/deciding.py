"""More of `huntaze campaign`: moving its start, why one message was not sent, settling every uncertain send alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from engine.kernel.text import clean
from huntaze_console.cli.finding import newest_delivery
from huntaze_console.cli.flags import Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import Tone, plain, say, say_json
from huntaze_console.cli.reading import ask, instant_of, tell

if TYPE_CHECKING:
    from engine.surface.effects import WhyRow

_WHOSE = ("campaign_id", "account_id", "fan_id", "fan_name", "state")
_MARKS = {"ok": ("+", Tone.GOOD), "waits": ("~", Tone.WARN), "stops": ("x", Tone.BAD), "unknown": ("?", Tone.DIM)}


@click.command(short_help="Start a campaign at a time, or move its start.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@click.argument("when", metavar="TIME")
@about
def schedule(place: Where, *, campaign_id: str, when: str) -> None:
    """Start a draft at a time, or move the start of a campaign that has sent nothing yet.

    TIME is a day or a time with an offset, such as 2026-11-21T18:30+01:00; or now.
    """
    from engine.surface.commands import ScheduleCampaign

    starts_at = None
    if when != "now":
        with reading(place) as line:
            zone = line.snapshot().engine.time_zone
        starts_at = instant_of("TIME", when, zone)
    tell(place, ScheduleCampaign(campaign_id=campaign_id, starts_at=starts_at))


@click.command(short_help="Why one message was not sent, and what helps.")
@click.argument("whom", metavar="ACCOUNT/FAN|NAME|DELIVERY")
@click.option("--campaign", default="", metavar="CAMPAIGN", help="The message of this campaign, by its id or name.")
@about
def why(place: Where, *, whom: str, campaign: str) -> None:
    """Say why one message was not sent, or what it waits for, with everything that was looked at.

    Of a fan it is the newest message, of all campaigns unless one is named.

    \b
    Examples:
      huntaze campaign why anna/fan-000017
      huntaze campaign why "Bea" --campaign spring
    """
    from engine.surface.queries import ExplainDelivery

    with reading(place) as line:
        delivery = newest_delivery(line, whom, campaign)
        row: WhyRow = line.query(ExplainDelivery(delivery_id=delivery.delivery_id)).rows[0]
        named = line.snapshot().campaigns.get(delivery.campaign_id)
    if place.json:
        say_json({**plain(row), **{name: getattr(delivery, name) for name in _WHOSE}})
        return
    fan = f"{delivery.account_id}/{delivery.fan_id}"
    of = f"campaign {named.name if named else delivery.campaign_id}"
    say((clean(f"{fan} {delivery.fan_name} · {of} · {delivery.delivery_id} · {delivery.state}"), Tone.DIM))
    say(row.answer)
    if row.helps:
        say(row.helps)
    say()
    for fact in row.facts:
        mark, tone = _MARKS.get(fact.verdict, _MARKS["unknown"])
        say((f"{mark} ", tone), f"{fact.name:<12}", fact.text)


@click.command("settle-all", short_help="Say what became of every uncertain send of a campaign.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@click.argument("outcome", type=click.Choice(("sent", "failed", "again")))
@click.option("--yes", is_flag=True, help="Do not ask.")
@about
def settle_all(place: Where, *, campaign_id: str, outcome: Literal["sent", "failed", "again"], yes: bool) -> None:
    """Decide every uncertain send of a campaign alike, all or none. It cannot be undone."""
    from engine.surface.commands import SettleDeliveries

    ask(f"Settle every uncertain send of {clean(campaign_id)} as {outcome}?", yes=yes)
    tell(place, SettleDeliveries(campaign_id=campaign_id, outcome=outcome))
