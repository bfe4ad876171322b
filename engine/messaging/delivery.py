"""One message to one fan, as a pure state machine.

    pending → drafted → approved → queued → sending → sent | failed | uncertain
                                      ↑________|  (certainly not sent: it goes back)
    uncertain → sent | failed | queued    by a person, or by the platform's own word

From any state before sending a delivery may be skipped (with its reason), rejected, expired or cancelled.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum


class DeliveryState(StrEnum):
    PENDING = "pending"
    DRAFTED = "drafted"
    APPROVED = "approved"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


BEFORE_SENDING = (DeliveryState.PENDING, DeliveryState.DRAFTED, DeliveryState.APPROVED, DeliveryState.QUEUED)
OPEN = (*BEFORE_SENDING, DeliveryState.SENDING)

_STOPS = {DeliveryState.SKIPPED, DeliveryState.REJECTED, DeliveryState.EXPIRED, DeliveryState.CANCELLED}
_NEXT: dict[DeliveryState, set[DeliveryState]] = {
    DeliveryState.PENDING: {DeliveryState.DRAFTED, DeliveryState.FAILED},
    DeliveryState.DRAFTED: {DeliveryState.APPROVED},
    DeliveryState.APPROVED: {DeliveryState.QUEUED},
    DeliveryState.QUEUED: {DeliveryState.SENDING, DeliveryState.FAILED},
    DeliveryState.SENDING: {
        DeliveryState.SENT,
        DeliveryState.FAILED,
        DeliveryState.UNCERTAIN,
        DeliveryState.QUEUED,
    },
    DeliveryState.UNCERTAIN: {DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.QUEUED},
}


def may_move(before: DeliveryState, after: DeliveryState) -> bool:
    """Whether a delivery in one state may take the other."""
    return after in _NEXT.get(before, ()) or (after in _STOPS and before in BEFORE_SENDING)


def digest_of(text: str) -> str:
    """SHA-256 of a text, in hex: what an approval binds to."""
    return hashlib.sha256(text.encode()).hexdigest()
