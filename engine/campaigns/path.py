"""The campaign's way as a workflow: plan → generate → moderate → approve → send.

    plan       the audience is read and every fan's delivery made, in the transaction that creates the campaign
    generate   a model writes the text, or the template is filled in
    moderate   the hard blocks, in the transaction that stores the text
    approve    a person says yes; where texts are approved by themselves the graph leads past it
    send       recheck, slot, intent, platform

Each delivery is one item. The database counts every move of a delivery's state; here those moves are read as passages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from engine.campaigns.workflow import Edge, Graph, Passage, Step, Waits
from engine.kernel.backoff import Backoff
from engine.kernel.values import MINUTE, SECOND
from engine.messaging import DeliveryState, SendingSettings

AUTOMATIC = "automatic"  # the fact that texts need no person's yes

PLAN, GENERATE, MODERATE, APPROVE, SEND = "plan", "generate", "moderate", "approve", "send"

WRITTEN, REFUSED, PASSED, BLOCKED, APPROVED, REJECTED = (
    "written",
    "refused",
    "passed",
    "blocked",
    "approved",
    "rejected",
)
CHOSEN, LEFT_OUT, SENT, FAILED, UNCERTAIN, SKIPPED, STOPPED = (
    "chosen",
    "left out",
    "sent",
    "failed",
    "uncertain",
    "skipped",
    "stopped",
)

GENERATE_TRIES = 6  # of a text, each through the whole fallback chain, before its job is a dead letter
_GENERATE_BACKOFF = Backoff(base=2 * SECOND, ceiling=2 * MINUTE, floor=SECOND // 10)


def campaign_graph(sending: SendingSettings) -> Graph:
    """The graph a campaign made now will follow to its end."""
    return Graph(
        "campaign",
        (
            Step(name=PLAN, waits=Waits.NOTHING),
            Step(name=GENERATE, tries=GENERATE_TRIES, backoff=_GENERATE_BACKOFF),
            Step(name=MODERATE, waits=Waits.NOTHING),
            Step(name=APPROVE, waits=Waits.PERSON),
            Step(name=SEND, tries=sending.max_attempts, backoff=sending.backoff),
        ),
        (
            Edge(PLAN, CHOSEN, GENERATE, passes=True),
            Edge(PLAN, LEFT_OUT),
            Edge(GENERATE, WRITTEN, MODERATE, passes=True),
            Edge(GENERATE, REFUSED),
            Edge(GENERATE, FAILED),
            Edge(GENERATE, STOPPED),
            Edge(MODERATE, PASSED, SEND, when=AUTOMATIC, passes=True),
            Edge(MODERATE, PASSED, APPROVE, passes=True),
            Edge(MODERATE, BLOCKED),
            Edge(APPROVE, APPROVED, SEND, passes=True),
            Edge(APPROVE, REJECTED),
            Edge(APPROVE, STOPPED),
            Edge(SEND, SENT, passes=True),
            Edge(SEND, FAILED),
            Edge(SEND, UNCERTAIN),
            Edge(SEND, SKIPPED),
            Edge(SEND, STOPPED),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """So many deliveries of a campaign went from one state to another; from nothing when they were made.

    `blocked` tells a text that moderation kept back from one that no model would write.
    """

    before: str
    after: str
    blocked: bool
    count: int
    first_at: int
    last_at: int
    reason: str = ""  # of the last one


_S = DeliveryState
_ENDS: Mapping[str, str] = {
    _S.SENT: SENT,
    _S.FAILED: FAILED,
    _S.UNCERTAIN: UNCERTAIN,
    _S.SKIPPED: SKIPPED,
    _S.REJECTED: STOPPED,
    _S.EXPIRED: STOPPED,
    _S.CANCELLED: STOPPED,
}
_SENDING = frozenset({_S.APPROVED, _S.QUEUED, _S.SENDING, _S.UNCERTAIN})


def passages(moves: Iterable[Move], facts: frozenset[str]) -> list[Passage]:
    """What the moves of deliveries mean for the steps."""
    moves = list(moves)
    found = [passage for move in moves for passage in _passages(move, facts)]
    back = sum(move.count for move in moves if move.before == _S.UNCERTAIN)
    net = [_less(one, back) if one.outcome == UNCERTAIN else one for one in _joined(found)]
    return [one for one in net if one.count]


def sent_back(moves: Iterable[Move]) -> Move | None:
    """The messages that were on their way and came back for another try; None where there were none."""
    return next((move for move in moves if (move.before, move.after) == (_S.SENDING, _S.QUEUED)), None)


def _passages(move: Move, facts: frozenset[str]) -> Iterator[Passage]:
    for step, outcome in _steps(move, facts):
        yield Passage(step=step, outcome=outcome, count=move.count, first_at=move.first_at, last_at=move.last_at)


def _steps(move: Move, facts: frozenset[str]) -> list[tuple[str, str]]:
    """The steps that a move of a delivery leaves, with the outcomes; none for a move within a step."""
    match move.before, move.after:
        case ("", _S.PENDING):
            return [(PLAN, CHOSEN)]
        case ("", _):
            return [(PLAN, LEFT_OUT)]
        case (_S.PENDING, _S.DRAFTED):
            return [(GENERATE, WRITTEN), (MODERATE, PASSED)]
        case (_S.PENDING, _S.REJECTED) if move.blocked:
            return [(GENERATE, WRITTEN), (MODERATE, BLOCKED)]
        case (_S.PENDING, _S.REJECTED):
            return [(GENERATE, REFUSED)]
        case (_S.PENDING, _S.FAILED):
            return [(GENERATE, FAILED)]
        case (_S.PENDING, _):
            return [(GENERATE, STOPPED)]
        case (_S.DRAFTED, _S.APPROVED):
            return [] if AUTOMATIC in facts else [(APPROVE, APPROVED)]
        case (_S.DRAFTED, after) if AUTOMATIC in facts:
            return [(SEND, _ENDS[after])]
        case (_S.DRAFTED, _S.REJECTED):
            return [(APPROVE, REJECTED)]
        case (_S.DRAFTED, _):
            return [(APPROVE, STOPPED)]
        case (before, after) if before in _SENDING and after in _ENDS:
            return [(SEND, _ENDS[after])]
        case _:
            return []


def _joined(found: Iterable[Passage]) -> list[Passage]:
    """One passage for each step and outcome."""
    whole: dict[tuple[str, str], Passage] = {}
    for one in found:
        key = (one.step, one.outcome)
        old = whole.get(key)
        whole[key] = (
            one
            if old is None
            else Passage(
                step=one.step,
                outcome=one.outcome,
                count=old.count + one.count,
                first_at=min(old.first_at, one.first_at),
                last_at=max(old.last_at, one.last_at),
            )
        )
    return list(whole.values())


def _less(passage: Passage, count: int) -> Passage:
    """Of sends whose outcome was unknown, those that it still is of."""
    return Passage(
        step=passage.step,
        outcome=passage.outcome,
        count=passage.count - count,
        first_at=passage.first_at,
        last_at=passage.last_at,
    )
