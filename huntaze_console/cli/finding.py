"""Which delivery is meant by what a person types: its own id, its fan's, ACCOUNT/FAN, or the fan's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.text import clean
from huntaze_console.cli.line import Line

if TYPE_CHECKING:
    from engine.surface.rows import DeliveryRow
    from engine.surface.snapshot import Snapshot

_MOST = 1_000  # rows of one look
_NAMED = 8  # fans that are named where several are meant

Rows = Sequence["DeliveryRow"]


def newest_delivery(line: Line, said: str, campaign: str = "") -> DeliveryRow:
    """The delivery of that id, or the newest to the fan that is meant; of one campaign where that is named.

    Raises CommandRefused: NOT_FOUND for nobody, CONFLICT naming the fans where several are meant.
    """
    from engine.surface.queries import ListDeliveries

    snapshot = line.snapshot()
    campaign_id = _campaign(snapshot, campaign) if campaign else ""

    def fan(fan_id: str) -> Rows:
        return line.query(ListDeliveries(fan_id=fan_id, campaign_id=campaign_id, limit=_MOST)).rows

    def named(name: str) -> Rows:
        found = line.query(
            ListDeliveries(find=(f"fan:{name}",), campaign_id=campaign_id, order="-changed_at", offset=0, limit=_MOST)
        ).rows
        return [row for row in found if row.fan_name.casefold() == name.casefold()] or found

    of_id = line.query(ListDeliveries(delivery_id=said, campaign_id=campaign_id, limit=1)).rows
    found = of_id or fan(said) or _of_account(snapshot, said, fan, named) or named(said)
    if not found:
        where = f" of campaign {clean(campaign)}" if campaign else ""
        remedy = "Say a delivery's id, ACCOUNT/FAN or a fan's name; huntaze campaign deliveries CAMPAIGN lists them"
        message = f"no delivery{where} is {clean(said)}, or to a fan of that id or name"
        raise CommandRefused(Refusal.NOT_FOUND, message, field="DELIVERY", remedy=remedy)
    fans = {(row.account_id, row.fan_id): row for row in found}
    if len(fans) > 1:
        raise _several(said, list(fans.values()))
    return max(found, key=lambda row: (row.changed_at, row.delivery_id))


def _of_account(snapshot: Snapshot, said: str, fan: Callable[[str], Rows], named: Callable[[str], Rows]) -> Rows:
    """ACCOUNT/FAN, either by id or name."""
    account, slash, who = said.partition("/")
    if not slash or not who:
        return ()
    wanted = account.strip().casefold()
    ids = {one.account_id for one in snapshot.accounts.values() if one.name.casefold() == wanted} | {account.strip()}
    for look in (fan, named):
        if found := [row for row in look(who.strip()) if row.account_id in ids]:
            return found
    return ()


def _campaign(snapshot: Snapshot, said: str) -> str:
    """The id of the campaign of that id or name."""
    if said in snapshot.campaigns:
        return said
    ids = [one.campaign_id for one in snapshot.campaigns.values() if one.name.casefold() == said.casefold()]
    if len(ids) > 1:
        message = f"{len(ids)} campaigns are named {clean(said)}: {', '.join(ids[:_NAMED])}"
        raise CommandRefused(Refusal.CONFLICT, message, field="campaign", remedy="Say which by its id")
    return ids[0] if ids else said


def _several(said: str, rows: Rows) -> CommandRefused:
    fans = [f"{row.account_id}/{row.fan_id} ({row.fan_name or 'no name'})" for row in rows[:_NAMED]]
    more = f" and {len(rows) - _NAMED:,} more" if len(rows) > _NAMED else ""
    message = clean(f"{len(rows):,} fans are meant by {said}: {', '.join(fans)}{more}")
    return CommandRefused(Refusal.CONFLICT, message, field="DELIVERY", remedy="Say which as ACCOUNT/FAN")
