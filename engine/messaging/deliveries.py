"""The delivery ledger: one row a fan, moved only along the state machine, each move with its event."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.events import DeliveriesMoved, DeliveryMoved
from engine.kernel.errors import CommandRefused, Refusal
from engine.messaging.arranging import arranged
from engine.messaging.delivery import DeliveryState, may_move
from engine.storage import Reader, Tx
from engine.surface.queries import ListDeliveries, Page
from engine.surface.rows import DeliveryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A row of the ledger."""

    delivery_id: str
    campaign_id: str
    account_id: str
    fan_id: str
    fan_name: str
    state: DeliveryState
    text: str
    digest: str
    approved_digest: str
    attempts: int
    tags: tuple[str, ...]


_COLUMNS = (
    "delivery_id, campaign_id, account_id, fan_id, fan_name, state, reason, text, digest, approved_digest, platform_id,"
    " attempts, cost, changed_at, tags, risk, risk_reason"
)


def get(tx: Tx, delivery_id: str) -> Delivery:
    """Raises CommandRefused(NOT_FOUND)."""
    row = tx.execute(f"SELECT {_COLUMNS} FROM deliveries WHERE delivery_id = ?", (delivery_id,)).fetchone()
    if row is None:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no delivery {delivery_id!r}", field="delivery_id")
    return of_row(row)


def of_row(row: sqlite3.Row) -> Delivery:
    return Delivery(
        delivery_id=row["delivery_id"],
        campaign_id=row["campaign_id"],
        account_id=row["account_id"],
        fan_id=row["fan_id"],
        fan_name=row["fan_name"],
        state=DeliveryState(row["state"]),
        text=row["text"],
        digest=row["digest"],
        approved_digest=row["approved_digest"],
        attempts=row["attempts"],
        tags=tuple(filter(None, row["tags"].split(","))),
    )


def move(tx: Tx, delivery: Delivery, after: DeliveryState, *, now: int, reason: str = "", **columns: Any) -> None:
    """Move one delivery, with other columns. Raises CommandRefused(CONFLICT) where the state machine forbids it."""
    if not may_move(delivery.state, after):
        raise CommandRefused(
            Refusal.CONFLICT, f"delivery {delivery.delivery_id} is {delivery.state}, not to be {after}"
        )
    assignments = "".join(f", {name} = ?" for name in columns)
    changed = tx.execute(
        f"UPDATE deliveries SET state = ?, reason = ?, changed_at = ?{assignments} WHERE delivery_id = ? AND state = ?",
        (after, reason, now, *columns.values(), delivery.delivery_id, delivery.state),
    )
    if changed.rowcount != 1:
        raise CommandRefused(Refusal.CONFLICT, f"delivery {delivery.delivery_id} is no longer {delivery.state}")
    tx.emit(
        DeliveryMoved(
            at=now,
            delivery_id=delivery.delivery_id,
            campaign_id=delivery.campaign_id,
            account_id=delivery.account_id,
            fan_id=delivery.fan_id,
            before=str(delivery.state),
            after=str(after),
            reason=reason,
        )
    )


def move_all(
    tx: Tx, campaign_id: str, befores: Iterable[DeliveryState], after: DeliveryState, *, now: int, reason: str = ""
) -> int:
    """Move every delivery of a campaign that is in one of the states, and say how many."""
    total = 0
    for before in befores:
        if not may_move(before, after):
            raise CommandRefused(Refusal.CONFLICT, f"{before} deliveries are not to be {after}")
        count = tx.execute(
            "UPDATE deliveries SET state = ?, reason = ?, changed_at = ? WHERE campaign_id = ? AND state = ?",
            (after, reason, now, campaign_id, before),
        ).rowcount
        if count:
            tx.emit(
                DeliveriesMoved(
                    at=now, campaign_id=campaign_id, before=str(before), after=str(after), count=count, reason=reason
                )
            )
        total += count
    return total


def counts(tx: Tx, campaign_id: str) -> dict[DeliveryState, int]:
    """How many deliveries of a campaign are in each state."""
    rows = tx.execute("SELECT state, count(*) FROM deliveries WHERE campaign_id = ? GROUP BY state", (campaign_id,))
    return {DeliveryState(state): count for state, count in rows}


async def listing(reader: Reader, query: ListDeliveries) -> Page[DeliveryRow]:
    """Deliveries by their ids, which are in the order of the audience; with an offset as the query wants them."""
    if query.offset is not None:
        statement, values, total = await arranged(reader, query, _COLUMNS)
        return Page(tuple(_shown(row) for row in await reader.rows(statement, values)), total=total)
    wanted: Sequence[tuple[str, str]] = (
        ("campaign_id = ?", query.campaign_id),
        ("state = ?", query.state),
        ("fan_id = ?", query.fan_id),
        ("risk = ?", query.risk),
        ("delivery_id = ?", query.delivery_id),
        ("delivery_id > ?", query.cursor),
    )
    used = [(clause, value) for clause, value in wanted if value]
    where = " AND ".join(clause for clause, _ in used) or "1"
    limit = max(1, min(query.limit, 1000))
    rows = await reader.rows(
        f"SELECT {_COLUMNS} FROM deliveries WHERE {where} ORDER BY delivery_id LIMIT ?",
        (*(value for _, value in used), limit + 1),
    )
    page = tuple(_shown(row) for row in rows[:limit])
    return Page(page, page[-1].delivery_id if len(rows) > limit else None)


def _shown(row: sqlite3.Row) -> DeliveryRow:
    return DeliveryRow(
        delivery_id=row["delivery_id"],
        campaign_id=row["campaign_id"],
        account_id=row["account_id"],
        fan_id=row["fan_id"],
        fan_name=row["fan_name"],
        state=row["state"],
        reason=row["reason"],
        text=row["text"],
        text_digest=row["digest"],
        platform_id=row["platform_id"],
        attempts=row["attempts"],
        cost=row["cost"],
        changed_at=row["changed_at"],
        risk=row["risk"],
        risk_reason=row["risk_reason"],
    )
