"""The delivery's state machine: exactly the moves that its docstring draws, whatever is tried."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.messaging import BEFORE_SENDING, OPEN, DeliveryState, digest_of, may_move

STATES = st.sampled_from(DeliveryState)
FORWARD = {
    "pending": {"drafted", "failed"},
    "drafted": {"approved"},
    "approved": {"queued"},
    "queued": {"sending", "failed"},
    "sending": {"sent", "failed", "uncertain", "queued"},
    "uncertain": {"sent", "failed", "queued"},
}
STOPS = {"skipped", "rejected", "expired", "cancelled"}


def test_the_table_is_complete() -> None:
    found = {(a, b) for a in DeliveryState for b in DeliveryState if may_move(a, b)}

    wanted = {(a, b) for a, nexts in FORWARD.items() for b in nexts}
    wanted |= {(a, b) for a in ("pending", "drafted", "approved", "queued") for b in STOPS}
    assert {(str(a), str(b)) for a, b in found} == wanted


@given(st.lists(STATES, max_size=30))
def test_nothing_is_sent_without_having_been_approved_and_nothing_leaves_an_end(tried: list[DeliveryState]) -> None:
    state, path = DeliveryState.PENDING, [DeliveryState.PENDING]
    for wanted in tried:
        if may_move(state, wanted):
            state = wanted
            path.append(state)

    if DeliveryState.SENDING in path:
        assert DeliveryState.APPROVED in path[: path.index(DeliveryState.SENDING)]
    ends = [one for one in path if one not in OPEN and one is not DeliveryState.UNCERTAIN]
    assert len(ends) <= 1
    assert not ends or path[-1] is ends[0]


@given(STATES)
def test_only_what_has_not_begun_to_leave_can_be_stopped(state: DeliveryState) -> None:
    assert may_move(state, DeliveryState.CANCELLED) == (state in BEFORE_SENDING)


@given(st.text(), st.text())
def test_a_digest_is_that_of_its_text_alone(one: str, other: str) -> None:
    try:
        assert (digest_of(one) == digest_of(other)) == (one == other)
    except UnicodeEncodeError:
        assert any("\ud800" <= character <= "\udfff" for character in one + other)
