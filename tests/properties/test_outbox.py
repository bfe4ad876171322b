"""The outbox to a broker: bounded, in order, and every event is either handed on or inside a gap that was told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.bus import Batch, Outbox
from engine.events import EngineDraining, Event, Recorded, SlotTaken

WANTED, OTHER = EngineDraining(at=1, reason="asked"), SlotTaken(at=1, account_id="a", slot_id="s", until=2)
STEP = st.one_of(
    st.lists(st.sampled_from([WANTED, OTHER]), max_size=30).map(lambda events: ("offer", events)),
    st.integers(1, 12).map(lambda limit: ("take", limit)),
)


@given(st.lists(STEP, max_size=40), st.integers(1, 20), st.integers(0, 1_000))
def test_batches_join_without_a_seam_and_gaps_hold_exactly_what_was_dropped(
    steps: list[tuple[str, object]], most: int, seq: int
) -> None:
    outbox = Outbox(seq, most=most, kinds=[EngineDraining])
    offered: list[int] = []
    newest, batches = seq, list[Batch]()

    for what, detail in steps:
        if what == "take":
            batches += [batch] if (batch := outbox.take(int(str(detail)))) else []
            continue
        assert isinstance(detail, list)
        recorded = [Recorded(newest + number, event) for number, event in enumerate(detail, 1)]
        newest += len(detail)
        offered += [one.seq for one in recorded if one.event is WANTED]
        assert outbox.offer(recorded) == (WANTED in detail)
        assert len(outbox) <= most
    while batch := outbox.take(1_000):
        batches.append(batch)

    handed = [one.seq for batch in batches for one in batch.events]
    assert handed == sorted(handed)
    assert [batch.after for batch in batches] == [seq, *(batch.through for batch in batches)][: len(batches)]
    for batch in batches:
        first, last = batch.events[0].seq, batch.events[-1].seq
        assert batch.after < first <= last <= batch.through
        if batch.gap:
            assert batch.after == batch.gap.first - 1 < batch.gap.last < first
    lost = [one for one in offered if one not in handed]
    gaps = [batch.gap for batch in batches if batch.gap]
    assert all(any(gap.first <= one <= gap.last for gap in gaps) for one in lost)
    assert sum(gap.count for gap in gaps) == outbox.dropped == len(lost)


def test_the_newest_stay_when_there_is_no_room() -> None:
    outbox = Outbox(0, most=3, kinds=[EngineDraining])
    events: list[Event] = [WANTED] * 10

    outbox.offer([Recorded(number, event) for number, event in enumerate(events, 1)])

    batch = outbox.take(100)
    assert batch is not None
    assert [one.seq for one in batch.events] == [8, 9, 10]
    assert batch.gap is not None
    assert (batch.gap.first, batch.gap.last, batch.gap.count) == (1, 7, 7)
