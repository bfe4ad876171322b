"""Carries out what an operator says of single messages: approved, rejected, or what became of an uncertain send.

Each command is one transaction: whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.campaigns import store
from engine.campaigns.campaign import Campaign, CampaignState
from engine.campaigns.path import APPROVE, APPROVED, SEND
from engine.campaigns.progress import Progress
from engine.campaigns.writing import enqueue
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.messaging import Delivery, DeliveryState, SendingSettings, deliveries
from engine.queue import JobStore
from engine.storage import Database, Tx
from engine.surface.commands import ApproveDeliveries, Done, RejectDeliveries, SettleDeliveries, SettleDelivery

_SETTLED = {"sent": DeliveryState.SENT, "failed": DeliveryState.FAILED, "again": DeliveryState.QUEUED}


class Decisions:
    """The commands about a campaign's messages."""

    def __init__(
        self, database: Database, jobs: JobStore, progress: Progress, clock: Clock, sending: SendingSettings
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._progress = progress
        self._clock = clock
        self._sending = sending

    async def approve(self, command: ApproveDeliveries) -> Done:
        """Approve exactly the texts that were read: one whose digest is another by now refuses the whole command."""

        def approve(tx: Tx) -> Done:
            now = self._clock.now()
            campaign = store.get(tx, command.campaign_id)
            chosen = _drafted(tx, campaign.campaign_id, command)
            for delivery in chosen:
                deliveries.move(tx, delivery, DeliveryState.APPROVED, now=now, approved_digest=delivery.digest)
            goes_on = self._progress.workflow(tx, campaign, now).after(APPROVE, APPROVED) == SEND
            if goes_on and campaign.due(now) and campaign.state is not CampaignState.PAUSED:
                self.queue_approved(tx, campaign, now)
            self._progress.progressed(tx, campaign.campaign_id, now)
            return Done(f"{len(chosen):,} texts of {campaign.name} are approved", {"approved": len(chosen)})

        return await self._database.write(approve)

    async def reject(self, command: RejectDeliveries) -> Done:
        def reject(tx: Tx) -> Done:
            now = self._clock.now()
            campaign = store.get(tx, command.campaign_id)
            for delivery_id in command.delivery_ids:
                delivery = _of_campaign(tx, delivery_id, campaign.campaign_id)
                deliveries.move(tx, delivery, DeliveryState.REJECTED, now=now, reason=command.reason)
            self._progress.progressed(tx, campaign.campaign_id, now)
            count = len(command.delivery_ids)
            return Done(f"{count:,} texts of {campaign.name} are rejected", {"rejected": count})

        return await self._database.write(reject)

    async def settle(self, command: SettleDelivery) -> Done:
        """A person's word on an uncertain send."""

        def settle(tx: Tx) -> Done:
            delivery = deliveries.get(tx, command.delivery_id)
            after = self._settle(tx, delivery, command.outcome, command.actor)
            return Done(f"The message to {delivery.fan_id} is {after}")

        return await self._database.write(settle)

    async def settle_many(self, command: SettleDeliveries) -> Done:
        """One word on several of a campaign's, all or none."""

        def settle(tx: Tx) -> Done:
            campaign = store.get(tx, command.campaign_id)
            chosen = _uncertain(tx, campaign.campaign_id, command.delivery_ids)
            for delivery in chosen:
                self._settle(tx, delivery, command.outcome, command.actor)
            words = "sent again" if command.outcome == "again" else command.outcome
            return Done(f"{len(chosen):,} messages of {campaign.name} are {words}", {"settled": len(chosen)})

        return await self._database.write(settle)

    def _settle(self, tx: Tx, delivery: Delivery, outcome: str, actor: str) -> DeliveryState:
        now, after = self._clock.now(), _SETTLED[outcome]
        if delivery.state is not DeliveryState.UNCERTAIN:
            raise CommandRefused(
                Refusal.CONFLICT, f"delivery {delivery.delivery_id} is {delivery.state}, not uncertain"
            )
        reason = f"settled by {actor}"
        if after is DeliveryState.QUEUED:
            self._send_again(tx, delivery, now, reason)
        else:
            deliveries.move(tx, delivery, after, now=now, reason=reason)
        self._progress.progressed(tx, delivery.campaign_id, now)
        return after

    def _send_again(self, tx: Tx, delivery: Delivery, now: int, reason: str) -> None:
        """Queue it once more; a campaign that had finished runs again for it, a cancelled one does not."""
        campaign = store.get(tx, delivery.campaign_id)
        if campaign.state in (CampaignState.CANCELLED, CampaignState.FAILED):
            message = f"campaign {campaign.campaign_id} is {campaign.state}: nothing more of it is sent"
            raise CommandRefused(Refusal.CONFLICT, message, remedy="Settle it as sent or as failed")
        step = self._progress.workflow(tx, campaign, now).step(SEND)
        enqueue(tx, self._jobs, delivery, now, self._sending, step)
        if campaign.state is CampaignState.FINISHED:
            store.move(tx, campaign, CampaignState.RUNNING, now=now, actor="engine", reason=reason)

    def queue_approved(self, tx: Tx, campaign: Campaign, now: int) -> None:
        """Let the approved texts of a campaign go out."""
        step = self._progress.workflow(tx, campaign, now).step(SEND)
        rows = tx.execute(
            "SELECT * FROM deliveries WHERE campaign_id = ? AND state = 'approved' ORDER BY delivery_id",
            (campaign.campaign_id,),
        ).fetchall()
        for row in rows:
            enqueue(tx, self._jobs, deliveries.of_row(row), now, self._sending, step)


def _drafted(tx: Tx, campaign_id: str, command: ApproveDeliveries) -> list[Delivery]:
    if not command.texts:
        rows = tx.execute("SELECT * FROM deliveries WHERE campaign_id = ? AND state = 'drafted'", (campaign_id,))
        return [deliveries.of_row(row) for row in rows.fetchall()]
    chosen = [_of_campaign(tx, delivery_id, campaign_id) for delivery_id in command.texts]
    for delivery in chosen:
        if delivery.digest != command.texts[delivery.delivery_id]:
            message = f"the text of {delivery.delivery_id} is not the one you read"
            raise CommandRefused(Refusal.CONFLICT, message, remedy="Read it again, then approve it")
    return chosen


def _uncertain(tx: Tx, campaign_id: str, delivery_ids: Sequence[str]) -> list[Delivery]:
    if delivery_ids:
        return [_of_campaign(tx, delivery_id, campaign_id) for delivery_id in dict.fromkeys(delivery_ids)]
    rows = tx.execute("SELECT * FROM deliveries WHERE campaign_id = ? AND state = 'uncertain'", (campaign_id,))
    return [deliveries.of_row(row) for row in rows.fetchall()]


def _of_campaign(tx: Tx, delivery_id: str, campaign_id: str) -> Delivery:
    delivery = deliveries.get(tx, delivery_id)
    if delivery.campaign_id != campaign_id:
        raise CommandRefused(Refusal.NOT_FOUND, f"delivery {delivery_id} is not of campaign {campaign_id}")
    return delivery
