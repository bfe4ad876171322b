"""After a start every workflow goes on at the step where it stopped.

Jobs are put in the transactions that move deliveries, so there is nothing to repair after a kill. What is looked for
all the same is a delivery at a step that no job would ever take further: its job was lost with a queue elsewhere. Jobs
have the ids of their deliveries, so one that is there is never put twice, and a dead one stays a person's matter.
"""

from __future__ import annotations

from engine.campaigns import store
from engine.campaigns.campaign import WRITES, Campaign, CampaignState
from engine.campaigns.path import AUTOMATIC, GENERATE, SEND
from engine.campaigns.progress import Progress
from engine.campaigns.writing import enqueue, write_batch, write_job
from engine.messaging import DeliveryState, SendingSettings, deliveries, send_job
from engine.queue import JobStore, NewJob
from engine.storage import Tx

_STRANDED = (
    "SELECT * FROM deliveries WHERE campaign_id = ? AND state = ?"
    " AND NOT EXISTS (SELECT 1 FROM jobs WHERE id = ? || delivery_id) ORDER BY delivery_id"
)


def take_up(tx: Tx, jobs: JobStore, progress: Progress, sending: SendingSettings, now: int) -> int:
    """Bring every campaign's workflow up to date and set going what is stranded. Returns how many deliveries that was.

    A campaign from before workflows gets its own here.
    """
    rows = tx.execute(
        "SELECT * FROM campaigns c WHERE state NOT IN ('finished', 'cancelled', 'failed')"
        " OR NOT EXISTS (SELECT 1 FROM workflows w WHERE w.campaign_id = c.campaign_id) ORDER BY campaign_id"
    ).fetchall()
    found = 0
    for row in rows:
        campaign = store.of_row(row)
        if campaign.state in WRITES:
            found += _set_going(tx, campaign, jobs, progress, sending, now)
        progress.progressed(tx, campaign.campaign_id, now)
    return found


def _set_going(
    tx: Tx, campaign: Campaign, jobs: JobStore, progress: Progress, sending: SendingSettings, now: int
) -> int:
    workflow = progress.workflow(tx, campaign, now)
    put: list[NewJob] = []
    if not (campaign.state is CampaignState.SCHEDULED and AUTOMATIC in workflow.facts):  # the schedule puts its jobs
        tries = workflow.step(GENERATE).tries
        put += [
            write_job(row["delivery_id"], campaign.campaign_id, now, tries=tries)
            for row in tx.execute(_STRANDED, (campaign.campaign_id, DeliveryState.PENDING, "write_"))
        ]
    put += [
        send_job(row["delivery_id"], row["account_id"], campaign.campaign_id, now, sending)
        for row in tx.execute(_STRANDED, (campaign.campaign_id, DeliveryState.QUEUED, "send_"))
    ]
    for job in put:
        jobs.put(tx, job, now)
    if campaign.starved:
        jobs.park(tx, write_batch(campaign.campaign_id))
    approved: list[str] = []
    if campaign.state is CampaignState.RUNNING and campaign.due(now):
        for row in tx.execute(_STRANDED, (campaign.campaign_id, DeliveryState.APPROVED, "send_")).fetchall():
            enqueue(tx, jobs, deliveries.of_row(row), now, sending, workflow.step(SEND))
            approved.append(row["delivery_id"])
    return len(put) + len(approved)
