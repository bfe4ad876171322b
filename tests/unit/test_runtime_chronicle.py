"""How things went: spend, depths and latencies over time, cut so that no figure is lost and none is counted twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.errors import CommandRefused
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, JobId
from engine.queue import NewJob, Priority
from engine.runtime import Depths
from engine.surface import queries
from engine.surface.courses import LONGEST, MOST_POINTS, grid
from engine.surface.rows import CostCourseRow
from engine.surface.snapshot import QueueView
from tests.fakes import MORNING
from tests.rig import Rig, rig


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


@given(end=st.integers(LONGEST, 2**61), span=st.integers(1, LONGEST), finest=st.sampled_from([SECOND, MINUTE, HOUR]))
def test_a_span_is_cut_into_few_steps_that_hold_its_end(end: int, span: int, finest: int) -> None:
    cut = grid(end, span, finest=finest)

    assert 1 <= cut.count <= MOST_POINTS
    assert cut.start % cut.step == 0
    assert cut.start + cut.step * (cut.count - 1) <= end < cut.start + cut.step * cut.count


@given(end=st.integers(LONGEST, 2**61), span=st.integers(1, LONGEST - MINUTE))
def test_a_span_with_a_start_is_held_whole(end: int, span: int) -> None:
    cut = grid(end, 0, finest=MINUTE, start=end - span)

    assert 1 <= cut.count <= MOST_POINTS
    assert cut.start <= end - span < cut.start + MINUTE
    assert cut.start + cut.step * cut.count >= end


@pytest.mark.parametrize("span", [0, -1, LONGEST + 1])
async def test_a_span_that_nobody_kept_is_refused(play: Rig, span: int) -> None:
    with pytest.raises(CommandRefused, match="92 days"):
        await play.desk.query(queries.CostHistory(span=span))


async def book(play: Rig, at: int, cost: int, *, model: str = "m", campaign: str = "", trace: str = "t") -> None:
    """An entry as the ledger writes it; its trigger keeps the sums."""

    def write(tx: object) -> None:
        execute = tx.execute  # type: ignore[attr-defined]
        names = ("one", model, "message", campaign, "anna", "", "")
        execute(
            "INSERT OR IGNORE INTO combinations (provider, model, tool, campaign_id, account_id, tenant_id, user_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            names,
        )
        (combination,) = execute(
            "SELECT id FROM combinations WHERE model = ? AND campaign_id = ?", (model, campaign)
        ).fetchone()
        execute(
            "INSERT INTO entries (id, at, timestamp, combination, trace_id, job_id, outcome, basis, cost, input_tokens,"
            " cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, price_source, price_date,"
            " model_reported, duration) VALUES (?, ?, '', ?, ?, '', ?, 'measured', ?, 1, 0, 0, 1, 0, '', '', '', ?)",
            (f"att_{at}_{model}", at, combination, trace, "ok" if cost else "timeout", cost, SECOND),
        )

    await play.database.write(write)


async def courses(play: Rig, **asked: object) -> dict[str, CostCourseRow]:
    page = await play.desk.query(queries.CostHistory(**asked))  # type: ignore[arg-type]
    return {" ".join(row.dimensions.values()): row for row in page.rows}


@pytest.mark.parametrize(
    ("span", "step", "count"),
    [
        (MINUTE, SECOND, 60),
        (15 * MINUTE, MINUTE, 15),
        (HOUR, MINUTE, 60),
        (6 * HOUR, 5 * MINUTE, 72),
        (DAY, 15 * MINUTE, 96),
        (7 * DAY, HOUR, 168),
        (30 * DAY, 3 * HOUR, 240),
    ],
)
async def test_every_span_sums_up_to_what_was_spent_in_it(play: Rig, span: int, step: int, count: int) -> None:
    now = play.clock.now()
    first = (now // step + 1 - count) * step
    for at, cost in ((first - 1, 100_000), (first, 7), (now - 3 * SECOND, 20), (now, 300)):
        await book(play, at, cost)

    found = await courses(play, span=span)

    whole = found[""]
    assert (whole.at, whole.step, len(whole.cost)) == (first, step, count)
    assert sum(whole.cost) == 327
    assert whole.cost[0] == 7
    assert sum(whole.calls) == 3
    assert found["one"] == CostCourseRow(
        dimensions={"provider": "one"}, at=first, step=step, cost=whole.cost, calls=whole.calls, failed=whole.failed
    )


async def test_a_start_off_the_hour_counts_nothing_before_it(play: Rig) -> None:
    start = MORNING // HOUR * HOUR - 20 * DAY + 30 * MINUTE  # where a day begins in Kathmandu and others
    await book(play, start - 1, 1_000)
    await book(play, start, 5)

    found = await courses(play, by=(), from_=start)

    assert found[""].at == start
    assert sum(found[""].cost) == 5


async def test_the_dearest_come_first_and_many_groups_stay_few_rows(play: Rig) -> None:
    now = play.clock.now()
    for number in range(60):
        await book(play, now - number * SECOND, number, campaign=f"cmp_{number}", model=f"m{number}")

    found = await courses(play, by=("campaign",), span=HOUR)

    assert len(found) == 51
    assert list(found)[1:3] == ["cmp_59", "cmp_58"]
    assert sum(found[""].cost) == sum(range(60))


async def test_calls_of_no_campaign_are_a_group_and_not_the_whole(play: Rig) -> None:
    await book(play, play.clock.now(), 5)
    await book(play, play.clock.now() - SECOND, 70, campaign="cmp_1", model="other")

    page = await play.desk.query(queries.CostHistory(by=("campaign",), span=MINUTE))

    assert [(row.dimensions, sum(row.cost), sum(row.calls)) for row in page.rows] == [
        ({}, 75, 2),
        ({"campaign": "cmp_1"}, 70, 1),
        ({"campaign": ""}, 5, 1),
    ]


async def test_nothing_spent_is_a_course_of_nothing(play: Rig) -> None:
    (whole,) = (await play.desk.query(queries.CostHistory(by=("provider",), span=HOUR))).rows

    assert (whole.dimensions, sum(whole.calls), len(whole.cost)) == ({}, 0, 60)


async def test_a_history_can_be_narrowed_and_is_not_cut_by_days(play: Rig) -> None:
    await book(play, play.clock.now(), 5, model="m")
    await book(play, play.clock.now(), 70, model="other")

    found = await courses(play, by=("model",), where={"model": "m"})

    assert sum(found[""].cost) == 5
    assert list(found) == ["", "m"]
    with pytest.raises(CommandRefused, match="steps of time already"):
        await courses(play, by=("day",))


async def test_a_trace_tells_its_attempts_in_order_with_what_one_under_way_holds(play: Rig) -> None:
    now = play.clock.now()
    await book(play, now - 10 * SECOND, 0, model="m", trace="trc_1")
    await book(play, now - 5 * SECOND, 40, model="other", trace="trc_1")
    await book(play, now - 4 * SECOND, 900, model="m", trace="trc_2")
    await play.database.write(
        lambda tx: tx.execute(
            'INSERT INTO budgets (name, "window", zone, actions, origin, "limit", spent, held, begins, ends)'
            " VALUES ('campaign:cmp_1', 'total', '', 'stop', 'campaign', 1000, 0, 77, 0, 1)"
        )
    )
    await play.database.write(
        lambda tx: tx.execute(
            "INSERT INTO attempts (id, combination, job_id, trace_id, opened_at, worst_cost, price_source, price_date,"
            " input_bound, max_output_tokens, held) VALUES ('att_open', 1, '', 'trc_1', ?, 77, '', '', 1, 1, '1 0')",
            (now,),
        )
    )

    page = await play.desk.query(queries.GetTrace(trace_id="trc_1", at=now))

    assert [(row.model, row.outcome, row.cost) for row in page.rows] == [
        ("m", "timeout", 0),
        ("other", "ok", 40),
        ("m", "", None),
    ]
    assert page.rows[2].held == 77
    assert page.rows[2].held_by == ("campaign:cmp_1 total",)
    assert page.rows[0].began_at == now - 11 * SECOND


# ── queues ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Looked:
    """A projector that shows what a test says."""

    def __init__(self, play: Rig) -> None:
        self.snapshot = play.projector.snapshot

    def show(self, **figures: int | None) -> None:
        from dataclasses import replace

        view = QueueView(queue="sending", **figures)  # type: ignore[arg-type]
        self.snapshot = replace(self.snapshot, queues={"sending": view})


async def test_each_minute_keeps_its_highest_depth(play: Rig) -> None:
    shown = Looked(play)
    depths = Depths(play.database, shown, play.clock)  # type: ignore[arg-type]
    start = play.clock.now()
    for ready in (3, 9, 1):
        shown.show(ready=ready, oldest_at=start)
        await depths.look()
        play.clock.jump(20 * SECOND)
    await depths.look()
    play.clock.jump(MINUTE)
    await depths.look()

    (row,) = (await play.desk.query(queries.QueueHistory(span=5 * MINUTE))).rows

    assert row.ready[-3:] == (9, 1, None)
    assert row.ready[:2] == (None, None)
    assert row.waited[-3] == 40 * SECOND
    assert (await play.desk.query(queries.QueueHistory(queue="other"))).rows == ()


async def test_days_of_depths_come_from_the_hours_and_old_ones_go(play: Rig) -> None:
    shown = Looked(play)
    depths = Depths(play.database, shown, play.clock)  # type: ignore[arg-type]
    shown.show(ready=5)
    await depths.look()
    play.clock.jump(MINUTE)
    await depths.look()
    play.clock.jump(3 * DAY)
    shown.show(ready=2)
    await depths.look()
    play.clock.jump(MINUTE)
    await depths.look()

    (row,) = (await play.desk.query(queries.QueueHistory(span=7 * DAY))).rows

    assert row.step == HOUR
    assert max(value for value in row.ready if value is not None) == 5
    (minutes,) = await play.rows("SELECT min(minute) AS oldest FROM queue_minutes")
    assert minutes["oldest"] * MINUTE > play.clock.now() - 2 * DAY


async def test_priorities_tell_depth_and_age(play: Rig) -> None:
    now = play.clock.now()
    jobs = [
        NewJob(id=JobId("a"), queue="q", payload=b"{}", ready_at=now - HOUR, priority=Priority.BULK),
        NewJob(id=JobId("b"), queue="q", payload=b"{}", ready_at=now - MINUTE, priority=Priority.BULK),
        NewJob(id=JobId("c"), queue="q", payload=b"{}", ready_at=now + HOUR, priority=Priority.HIGH),
    ]
    await play.database.write(lambda tx: [play.jobs.put(tx, job, now) for job in jobs])

    found = (await play.desk.query(queries.ListPriorities(queue="q"))).rows

    assert [(row.priority, row.ready, row.delayed, row.oldest_at) for row in found] == [
        ("high", 0, 1, None),
        ("bulk", 2, 0, now - HOUR),
    ]
