"""The difference between two snapshots leads from one to the other, as JSON, whatever happened between them."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events
from engine.events import Recorded
from engine.kernel.values import MINUTE, SECOND
from engine.surface import Snapshot, fold, wire
from engine.surface.delta import difference, patched

START = 1_700_000_000 * SECOND
names = st.sampled_from(["a", "b", "c"])
small = st.integers(0, 50)


def _call(model: str, cost: int | None, outcome: str, ahead: int) -> events.CallSettled:
    fields: dict[str, Any] = {
        field: "" for field in events.CallSettled.__dataclass_fields__ if field not in ("at", "cost", "duration")
    }
    fields |= {name: 5 for name in fields if name.endswith("tokens")}
    fields |= {"provider": "p", "model": model, "outcome": outcome, "cost": cost, "duration": ahead * SECOND}
    return events.CallSettled(at=START + ahead * MINUTE, **fields)


happenings = st.one_of(
    st.builds(_call, names, st.none() | small, st.sampled_from(["ok", "timeout"]), st.integers(0, 90)),
    st.builds(
        lambda slot, until: events.SlotTaken(at=START, account_id="anna", slot_id=slot, until=START + until * SECOND),
        names,
        small,
    ),
    st.builds(lambda by: events.SendingHalted(at=START, actor=by), names),
    st.builds(lambda: events.SendingResumed(at=START, actor="x")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(happenings, max_size=150), min_size=1, max_size=4))
def test_patches_lead_from_one_snapshot_to_the_next(batches: list[list[events.Event]]) -> None:
    here = there = Snapshot(epoch="e1")
    for batch in batches:
        after = fold(there, [Recorded(there.seq + at, event) for at, event in enumerate(batch, 1)])

        here = patched(here, orjson.loads(orjson.dumps(difference(there, after))))

        there = after
        assert here == there
        assert wire.load_snapshot(wire.dump(there)) == there


def test_a_history_that_slid_is_said_by_what_is_new() -> None:
    calls = [_call("a", 1, "ok", 0) for _ in range(200)]
    before = fold(Snapshot(epoch="e1"), [Recorded(seq, call) for seq, call in enumerate(calls, 1)])
    after = fold(before, [Recorded(201, _call("a", 1, "ok", 1))])

    assert len(orjson.dumps(difference(before, after))) < 600 < len(wire.dump(after))
