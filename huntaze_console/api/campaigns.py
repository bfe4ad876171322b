"""Campaigns and their deliveries over HTTP."""

from __future__ import annotations

from aiohttp import web

from engine.kernel.errors import CommandRefused, Refusal
from engine.surface.commands import (
    ApproveDeliveries,
    CancelCampaign,
    Command,
    CreateCampaign,
    Done,
    PauseCampaign,
    RejectDeliveries,
    ResumeCampaign,
    SettleDelivery,
    StartCampaign,
)
from engine.surface.queries import EstimateCampaign, GetCampaign, ListCampaigns, ListDeliveries, Page
from engine.surface.snapshot import CampaignView, Snapshot, finish_at
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.problems import invalid
from huntaze_console.api.shapes import (
    ApprovalRequest,
    CampaignAccepted,
    CampaignChanged,
    CampaignListing,
    CampaignPage,
    CampaignRequest,
    CampaignStatus,
    Delivery,
    DeliveryListing,
    DeliveryPage,
    Estimate,
    Nothing,
    Outcome,
    RejectionRequest,
    SettlementRequest,
)

IDEMPOTENCY_KEY = "Idempotency-Key"
_LONGEST_KEY = 255  # characters
_MOVING = frozenset({"scheduled", "running"})  # campaign states in which messages will go out by themselves


async def create(call: Call) -> web.Response:
    wanted = await call.body(CampaignRequest)
    key = idempotency_key(call.request)
    if wanted.dry_run:
        return await _estimate(call, wanted)
    done = await call.desk.submit(CreateCampaign(actor=ACTOR, draft=wanted.draft(), start=wanted.start, key=key))
    return answer(_accepted(done), 202)


async def status(call: Call) -> web.Response:
    wanted = call.query(CampaignListing)
    if wanted.campaign_id is not None:
        return answer(_status(await _find(call, wanted.campaign_id), call.desk.snapshot(), call.office.clock.now()))
    found: Page[CampaignView] = await call.desk.query(
        ListCampaigns(state=wanted.state, account_id=wanted.account_id, limit=wanted.limit, cursor=wanted.cursor)
    )
    snapshot, now = call.desk.snapshot(), call.office.clock.now()
    campaigns = [_status(view, snapshot, now) for view in found.rows]
    return answer(CampaignPage(campaigns=campaigns, next=found.next, as_of=found.as_of))


async def start(call: Call) -> web.Response:
    return await _change(call, StartCampaign(actor=ACTOR, campaign_id=call.part("campaign_id")))


async def pause(call: Call) -> web.Response:
    return await _change(call, PauseCampaign(actor=ACTOR, campaign_id=call.part("campaign_id")))


async def resume(call: Call) -> web.Response:
    return await _change(call, ResumeCampaign(actor=ACTOR, campaign_id=call.part("campaign_id")))


async def cancel(call: Call) -> web.Response:
    return await _change(call, CancelCampaign(actor=ACTOR, campaign_id=call.part("campaign_id")))


async def approve(call: Call) -> web.Response:
    wanted = await call.body(ApprovalRequest)
    command = ApproveDeliveries(actor=ACTOR, campaign_id=call.part("campaign_id"), texts=wanted.texts)
    return answer(Outcome(summary=(await call.desk.submit(command)).summary))


async def reject(call: Call) -> web.Response:
    wanted = await call.body(RejectionRequest)
    command = RejectDeliveries(
        actor=ACTOR, campaign_id=call.part("campaign_id"), delivery_ids=wanted.delivery_ids, reason=wanted.reason
    )
    return answer(Outcome(summary=(await call.desk.submit(command)).summary))


async def deliveries(call: Call) -> web.Response:
    wanted = call.query(DeliveryListing)
    campaign = await _find(call, call.part("campaign_id"))
    found = await call.desk.query(
        ListDeliveries(
            campaign_id=campaign.campaign_id,
            state=wanted.state,
            fan_id=wanted.fan_id,
            risk=wanted.risk,
            limit=wanted.limit,
            cursor=wanted.cursor,
        )
    )
    rows = [Delivery.model_validate(row) for row in found.rows]
    return answer(DeliveryPage(deliveries=rows, next=found.next, as_of=found.as_of))


async def settle(call: Call) -> web.Response:
    wanted = await call.body(SettlementRequest)
    command = SettleDelivery(actor=ACTOR, delivery_id=call.part("delivery_id"), outcome=wanted.outcome)
    return answer(Outcome(summary=(await call.desk.submit(command)).summary))


def workflow_id(campaign_id: str) -> str:
    """The workflow that carries a campaign out: each has exactly one, with the campaign's own tail."""
    return f"wf_{campaign_id.partition('_')[2] or campaign_id}"


async def _estimate(call: Call, wanted: CampaignRequest) -> web.Response:
    (row,) = (await call.desk.query(EstimateCampaign(draft=wanted.draft()))).rows
    shape = CampaignAccepted(
        campaign_id=None, workflow_id=None, status="dry_run", estimate=Estimate.model_validate(row)
    )
    return answer(shape)


def _accepted(done: Done) -> CampaignAccepted:
    campaign_id = str(done.data["campaign_id"])
    return CampaignAccepted(
        campaign_id=campaign_id,
        workflow_id=done.data.get("workflow_id") or workflow_id(campaign_id),
        status=done.data["status"],
        estimate=Estimate.model_validate(done.data["estimate"]),
    )


async def _change(call: Call, command: Command) -> web.Response:
    await call.body(Nothing)
    done = await call.desk.submit(command)
    view = await _find(call, call.part("campaign_id"))
    status = _status(view, call.desk.snapshot(), call.office.clock.now())
    return answer(CampaignChanged(**dict(status), summary=done.summary))


async def _find(call: Call, campaign_id: str) -> CampaignView:
    page: Page[CampaignView] = await call.desk.query(GetCampaign(campaign_id=campaign_id))
    if not page.rows:
        detail = f"there is no campaign {campaign_id[:100]}"
        raise CommandRefused(Refusal.NOT_FOUND, detail, field="campaign_id")
    return page.rows[0]


def _status(view: CampaignView, snapshot: Snapshot, now: int) -> CampaignStatus:
    return CampaignStatus(
        campaign_id=view.campaign_id,
        workflow_id=workflow_id(view.campaign_id),
        name=view.name,
        account_id=view.account_id,
        tool=view.tool,
        status=view.state,
        reason=view.reason,
        created_at=view.created_at,
        schedule_at=view.starts_at,
        budget_usd=view.budget,
        cost_usd=view.cost,
        unpriced_calls=view.unpriced,
        fans=view.fans,
        counts=dict(view.counts),
        eta=_eta(view, snapshot, now),
    )


def _eta(view: CampaignView, snapshot: Snapshot, now: int) -> int | None:
    """When the campaign's last open message will be out; None while nothing can move it."""
    account = snapshot.accounts.get(view.account_id)
    if view.state not in _MOVING or not view.open or snapshot.engine.halted_by or (account and account.paused):
        return None
    return finish_at(snapshot, view.account_id, view.open, max(now, view.starts_at or 0))


def idempotency_key(request: web.Request) -> str:
    """The sender's key, or nothing. Raises Problem for one that is none."""
    given = request.headers.getall(IDEMPOTENCY_KEY, [])
    if not given:
        return ""
    key = given[0].strip()
    if len(given) > 1 or not 0 < len(key) <= _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        detail = f"one key of 1 to {_LONGEST_KEY} printable ASCII characters"
        raise invalid(f"{IDEMPOTENCY_KEY} must be {detail}", field=IDEMPOTENCY_KEY)
    return key
