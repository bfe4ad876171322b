"""Campaigns in SQLite: their rows, and the moves of their states with the events."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

import orjson

from engine.campaigns.audience import Member
from engine.campaigns.campaign import Campaign, CampaignState
from engine.costs.breakdown import Figures, campaign_costs
from engine.events import CampaignCreated, CampaignMoved, CampaignScheduled
from engine.kernel.errors import CommandRefused, Refusal
from engine.messaging import OPEN, DeliveryState
from engine.storage import Reader, Tx
from engine.surface.commands import CampaignDraft
from engine.surface.queries import ListCampaigns, Page
from engine.surface.snapshot import CampaignView
from engine.surface.wire import load_draft

_COUNTS = "SELECT state, count(*) AS fans FROM deliveries WHERE campaign_id = ? GROUP BY state"


def get(tx: Tx, campaign_id: str) -> Campaign:
    """Raises CommandRefused(NOT_FOUND)."""
    row = tx.execute("SELECT * FROM campaigns WHERE campaign_id = ?", (campaign_id,)).fetchone()
    if row is None:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no campaign {campaign_id!r}", field="campaign_id")
    return of_row(row)


def of_row(row: sqlite3.Row) -> Campaign:
    return Campaign(
        campaign_id=row["campaign_id"],
        name=row["name"],
        account_id=row["account_id"],
        tenant_id=row["tenant_id"],
        tool=row["tool"],
        needs_approval=row["approval"] == "required",
        budget=row["budget"],
        state=CampaignState(row["state"]),
        reason=row["reason"],
        resume_to=row["resume_to"],
        starved=bool(row["starved"]),
        starts_at=row["starts_at"],
        starved_by=row["starved_by"],
    )


def insert(tx: Tx, campaign_id: str, draft: CampaignDraft, chosen: Sequence[Member], now: int) -> None:
    """A new campaign, a draft, with a delivery for each of the audience; those left out are skipped with the reason."""
    tx.execute(
        "INSERT INTO campaigns (campaign_id, name, account_id, tenant_id, tool, draft, approval, budget, state,"
        " created_at, starts_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            campaign_id,
            draft.name,
            draft.account_id,
            draft.tenant_id,
            draft.tool,
            orjson.dumps(draft),
            draft.approval,
            draft.budget,
            CampaignState.DRAFT,
            now,
            draft.starts_at,
        ),
    )
    tx.executemany(
        "INSERT INTO deliveries (delivery_id, campaign_id, account_id, fan_id, fan_name, time_zone, tags, state,"
        " reason, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                f"{campaign_id.replace('cmp', 'dlv', 1)}-{number:06d}",
                campaign_id,
                draft.account_id,
                member.fan.fan_id,
                member.fan.name,
                member.fan.time_zone,
                ",".join(member.fan.tags),
                DeliveryState.SKIPPED if member.left_out else DeliveryState.PENDING,
                member.left_out,
                now,
            )
            for number, member in enumerate(chosen)
        ],
    )
    tx.emit(
        CampaignCreated(
            at=now,
            campaign_id=campaign_id,
            name=draft.name,
            account_id=draft.account_id,
            tool=draft.tool,
            state=str(CampaignState.DRAFT),
            fans=len(chosen),
            skipped=sum(bool(member.left_out) for member in chosen),
            budget=draft.budget,
            starts_at=draft.starts_at,
        )
    )


def move(
    tx: Tx, campaign: Campaign, after: CampaignState, *, now: int, actor: str, reason: str = "", resume_to: str = ""
) -> None:
    """Move a campaign to a state its pure decision named."""
    ended = now if after in ("finished", "cancelled", "failed") else None
    tx.execute(
        "UPDATE campaigns SET state = ?, reason = ?, resume_to = ?, ended_at = ? WHERE campaign_id = ?",
        (after, reason, resume_to, ended, campaign.campaign_id),
    )
    tx.emit(
        CampaignMoved(
            at=now,
            campaign_id=campaign.campaign_id,
            before=str(campaign.state),
            after=str(after),
            reason=reason,
            actor=actor,
        )
    )


def schedule(tx: Tx, campaign: Campaign, starts_at: int, *, now: int, actor: str) -> None:
    """Let a campaign start at another time; its draft says so too."""
    row = tx.execute("SELECT draft FROM campaigns WHERE campaign_id = ?", (campaign.campaign_id,)).fetchone()
    draft = orjson.dumps(replace(load_draft(row["draft"]), starts_at=starts_at))
    tx.execute(
        "UPDATE campaigns SET starts_at = ?, draft = ? WHERE campaign_id = ?", (starts_at, draft, campaign.campaign_id)
    )
    tx.emit(CampaignScheduled(at=now, campaign_id=campaign.campaign_id, starts_at=starts_at, actor=actor))


def starve(tx: Tx, campaign_id: str, scope: str, until: int | None) -> None:
    """A budget has no room for another text. Its own total is raised by a person; for any other the campaign waits."""
    own_total = scope == f"campaign:{campaign_id}" and until is None
    tx.execute(
        "UPDATE campaigns SET starved = 1, starved_by = ?, starved_until = ? WHERE campaign_id = ?",
        ("" if own_total else scope, until, campaign_id),
    )


def feed(tx: Tx, campaign_id: str) -> None:
    """It may try again whether there is room."""
    tx.execute(
        "UPDATE campaigns SET starved = 0, starved_by = '', starved_until = NULL WHERE campaign_id = ?", (campaign_id,)
    )


def open_states(tx: Tx, campaign_id: str) -> set[DeliveryState]:
    """The open states that at least one of its deliveries is in. One index probe a state, however many fans."""
    probe = "SELECT 1 FROM deliveries WHERE campaign_id = ? AND state = ? LIMIT 1"
    return {state for state in OPEN if tx.execute(probe, (campaign_id, state)).fetchone()}


async def listing(reader: Reader, query: ListCampaigns) -> Page[CampaignView]:
    """Campaigns, newest first."""
    wanted = (("state = ?", query.state), ("account_id = ?", query.account_id), ("campaign_id < ?", query.cursor))
    used = [(clause, value) for clause, value in wanted if value]
    where = " AND ".join(clause for clause, _ in used) or "1"
    limit = max(1, min(query.limit, 1000))
    rows = await reader.rows(
        f"SELECT * FROM campaigns WHERE {where} ORDER BY campaign_id DESC LIMIT ?",
        (*(value for _, value in used), limit + 1),
    )
    views = await views_of(reader, rows[:limit])
    return Page(views, views[-1].campaign_id if len(rows) > limit else None)


async def view(reader: Reader, campaign_id: str) -> CampaignView:
    """One campaign. Raises CommandRefused(NOT_FOUND)."""
    row = await reader.row("SELECT * FROM campaigns WHERE campaign_id = ?", (campaign_id,))
    if row is None:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no campaign {campaign_id!r}", field="campaign_id")
    return (await views_of(reader, [row]))[0]


async def views_of(reader: Reader, rows: Sequence[sqlite3.Row]) -> tuple[CampaignView, ...]:
    """Rows of `campaigns` as the faces see them, with their deliveries counted and their calls summed."""
    spent = await campaign_costs(reader, [row["campaign_id"] for row in rows])
    return tuple([await _view(reader, row, spent.get(row["campaign_id"]) or Figures()) for row in rows])


async def _view(reader: Reader, row: sqlite3.Row, spent: Figures) -> CampaignView:
    counts = await reader.rows(_COUNTS, (row["campaign_id"],))
    return CampaignView(
        campaign_id=row["campaign_id"],
        name=row["name"],
        account_id=row["account_id"],
        tool=row["tool"],
        state=row["state"],
        reason=row["reason"],
        created_at=row["created_at"],
        starts_at=row["starts_at"],
        budget=row["budget"],
        cost=spent.cost,
        unpriced=spent.unpriced_calls,
        counts={count["state"]: count["fans"] for count in counts},
    )
