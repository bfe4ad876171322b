"""The last look before a message leaves, inside the transaction that records the intent to send it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from engine.messaging import consent, switch
from engine.messaging.deliveries import Delivery
from engine.messaging.delivery import DeliveryState, digest_of
from engine.storage import Tx


class Verdict(Enum):
    GO = auto()
    WAIT = auto()  # not now: the job goes back
    SKIP = auto()  # never: the delivery is skipped, with the reason
    DROP = auto()  # nothing to do: the delivery is settled already


@dataclass(frozen=True, slots=True)
class Ruling:
    verdict: Verdict
    reason: str = ""


GO = Ruling(Verdict.GO)


class Campaigns(Protocol):
    """What sending needs to know of campaigns, and tells them."""

    def ruling(self, tx: Tx, campaign_id: str) -> Ruling:
        """Whether a campaign's messages may go out: GO, WAIT, or SKIP when it is over."""
        ...

    def progressed(self, tx: Tx, campaign_id: str, now: int) -> None:
        """A delivery of it took a final state, or was found in one."""
        ...


class Screen(Protocol):
    """The hard blocks."""

    def __call__(self, text: str) -> str:
        """Why the text must never go out, or empty."""
        ...


def recheck(tx: Tx, delivery: Delivery, campaigns: Campaigns, screen: Screen) -> Ruling:
    """Everything that may have changed since the message was approved and queued."""
    if delivery.state is not DeliveryState.QUEUED:
        return Ruling(Verdict.DROP, f"the delivery is {delivery.state}")
    if switch.halted(tx):
        return Ruling(Verdict.WAIT, "all sending is halted")
    if reason := switch.paused(tx, delivery.account_id):
        return Ruling(Verdict.WAIT, f"the account is paused: {reason}")
    ruling = campaigns.ruling(tx, delivery.campaign_id)
    if ruling.verdict is not Verdict.GO:
        return ruling
    if not delivery.approved_digest == delivery.digest == digest_of(delivery.text):
        return Ruling(Verdict.SKIP, "the text is not the one that was approved")
    if reason := consent.suppression(tx, delivery.account_id, delivery.fan_id):
        return Ruling(Verdict.SKIP, f"suppressed: {reason}")
    if reason := screen(delivery.text):
        return Ruling(Verdict.SKIP, f"blocked: {reason}")
    return GO
