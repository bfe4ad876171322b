"""A replay's figures beside those that the running engine gave at the same instant: costs, courses, budgets, log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.kernel.errors import CommandRefused, ErrorClass, ProviderError
from engine.kernel.values import DAY, MINUTE, SECOND, usd
from engine.runtime import Keyframes, budget_rows
from engine.surface.commands import HaltSending, RemoveBudget, ResumeSending, SetBudget
from engine.surface.queries import (
    CostBreakdown,
    CostHistory,
    GetTrace,
    ListBudgets,
    ListCalls,
    ListDeliveries,
    ListLogs,
    Monitor,
    MonitorHistory,
    Page,
    Query,
)
from screens.recording import Answers, Player, Recorder, Recording, Tape, copy_past
from tests.rig import Rig, rig

GROUPS = (("provider", "model"), ("provider",), ("tool",), ("campaign",), ("account",), ("day",))


def asked(now: int, began: int) -> list[Query]:
    """What the places ask that can be told exactly: of this day, this month, and of time within the recording."""
    day, month = now // DAY * DAY, 1_793_491_200 * SECOND  # 2026-11-01
    questions: list[Query] = [
        CostBreakdown(by=by, from_=from_) for by in GROUPS for from_ in (day, month, began // MINUTE * MINUTE)
    ]
    questions += [CostHistory(by=by, span=2 * MINUTE) for by in GROUPS[:5]]
    questions += [ListBudgets(campaigns=True), CostBreakdown(by=("hour", "tool"), from_=began // MINUTE * MINUTE)]
    for kind in ("tool", "provider", "model"):
        questions += [MonitorHistory(kind=kind, span=3 * MINUTE), Monitor(kind=kind, from_=now - now % MINUTE - MINUTE)]
    return questions


async def spend(one: Rig, name: str, *, failing: int = 0) -> None:
    """A campaign of its own, written by a model; some of the first model's calls fail and fall back."""
    await one.clock.advance(SECOND)
    one.providers["one"].script += [ProviderError("one", "m", ErrorClass.AUTHENTICATION, "no") for _ in range(failing)]
    await one.create(count=4, prompt="Write", tool="message", key=name)
    for _ in range(4):
        await one.write(2)
        await one.send(2)
        await one.clock.advance(7 * SECOND)
    await one.metered.drain()


def keyframes(one: Rig) -> Keyframes:
    """As the bootstrap makes them, only oftener."""
    return Keyframes(
        one.database,
        lambda: one.projector.snapshot,
        budgets=lambda: budget_rows(one.database, "UTC", one.clock.now(), campaigns=True),
        every=9,
    )


async def told(one: Rig, questions: Sequence[Query]) -> list[Page[Any]]:
    return [await one.desk.query(question) for question in questions]


async def test_every_figure_of_a_replay_is_the_one_that_the_engine_gave_then(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await keyframes(one).keep(one.projector.snapshot)
        await spend(one, "before", failing=1)
        await one.clock.advance(3 * MINUTE)
        await one.desk.submit(SetBudget(scope="global", window="day", limit=usd("5")))
        await spend(one, "just before")
        recorder = Recorder(one.desk.query, Tape(tmp_path / "r", most_bytes=8 << 20))
        await recorder.begin(now=one.clock.now())
        began = one.clock.now()
        seen: list[tuple[int, int, list[Query], list[Page[Any]]]] = []
        for number in range(5):
            await recorder.turn(one.clock.now())
            questions = asked(one.clock.now(), began + MINUTE if number > 2 else one.clock.now() + MINUTE)
            questions = [each for each in questions if began_in(each, began, one)]
            seen.append((one.projector.snapshot.seq, one.clock.now(), questions, await told(one, questions)))
            await one.clock.advance(SECOND)
            if number == 2:
                await one.desk.submit(SetBudget(scope="provider", key="one", window="hour", limit=usd("1")))
            if number == 3:
                await one.desk.submit(RemoveBudget(scope="global", window="day"))
            await spend(one, f"run {number}", failing=number % 2)
            await one.clock.advance(40 * SECOND)
        await recorder.turn(one.clock.now())
        recorder.end(one.clock.now())

    with Recording(tmp_path / "r") as recording:
        player, answers = Player(recording, lambda: 0), Answers(recording)
        for order in (1, -1):  # there and back: a moment is the same whichever way one gets there
            for seq, now, questions, answered in seen[::order]:
                player.seek(now)
                assert player.snapshot.seq == seq
                for question, live in zip(questions, answered, strict=True):
                    assert answers.answer(question, player.moment()).rows == live.rows, question
        compared = [
            (type(question), page)
            for *_, questions, pages in seen
            for question, page in zip(questions, pages, strict=True)
        ]
        assert {kind for kind, page in compared if page.rows} == {
            CostBreakdown, CostHistory, ListBudgets, Monitor, MonitorHistory,
        }  # fmt: skip


async def test_a_past_hour_of_the_log_tells_its_costs_its_budgets_and_what_was_logged(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        kept = keyframes(one)
        await kept.keep(one.projector.snapshot)
        await one.desk.submit(SetBudget(scope="global", window="day", limit=usd("5")))
        await spend(one, "before")
        await kept.look()
        logging.getLogger("engine.test").warning("said before")
        await one.clock.advance(5 * MINUTE)
        begin = one.clock.now()
        await spend(one, "within", failing=1)
        logging.getLogger("engine.test").warning("said within")
        await kept.look()
        await one.clock.advance(SECOND)
        await one.desk.submit(HaltSending())
        await one.desk.submit(ResumeSending())
        questions = [CostBreakdown(by=by, from_=begin // DAY * DAY) for by in GROUPS]
        end, live = one.clock.now(), await told(one, [*questions, ListBudgets(campaigns=True)])
        await one.clock.advance(SECOND)
        await spend(one, "later")
        logging.getLogger("engine.test").warning("said later")

        with await copy_past(one.desk.query, begin, end, now=one.clock.now()) as recording:
            player, answers = Player(recording, lambda: 0), Answers(recording)
            player.seek(end)
            shown = player.moment()
            for question, page in zip(questions, live, strict=False):
                assert answers.answer(question, shown).rows == page.rows, question
            (budget,) = answers.answer(ListBudgets(), shown).rows
            assert budget.limit == usd("5")
            assert 0 < budget.spent <= live[-1].rows[0].spent
            (record,) = answers.answer(ListLogs(), shown).rows
            assert record.message == "said within"


async def test_the_log_is_shown_as_it_stood_at_each_moment(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await keyframes(one).keep(one.projector.snapshot)
        log, instants = logging.getLogger("engine.test"), []
        log.warning("before")
        recorder = Recorder(one.desk.query, Tape(tmp_path / "r", most_bytes=8 << 20))
        await recorder.begin(now=one.clock.now())
        for number in range(4):
            await one.clock.advance(SECOND)
            log.warning("said %d", number)
            instants.append(one.clock.now())
            await recorder.turn(one.clock.now())
        recorder.end(one.clock.now())

    with Recording(tmp_path / "r") as recording:
        player, answers = Player(recording, lambda: 0), Answers(recording)

        def said(query: ListLogs) -> list[str]:
            return [row.message for row in answers.answer(query, player.moment()).rows]

        for number in (3, 0, 2):
            player.seek(instants[number])
            assert said(ListLogs()) == ["before", *(f"said {each}" for each in range(number + 1))]
        (newest,) = answers.answer(ListLogs(limit=1), player.moment()).rows
        assert said(ListLogs(text="SAID 1")) == ["said 1"]
        assert said(ListLogs(level="error")) == []
        assert said(ListLogs(limit=2, cursor=str(newest.seq))) == ["said 0", "said 1"]
        player.seek(instants[3])
        assert said(ListLogs(after=newest.seq)) == ["said 3"]


async def test_a_call_is_shown_with_the_attempts_of_its_task(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await keyframes(one).keep(one.projector.snapshot)
        recorder = Recorder(one.desk.query, Tape(tmp_path / "r", most_bytes=8 << 20))
        await recorder.begin(now=one.clock.now())
        await spend(one, "failing", failing=1)
        await recorder.turn(one.clock.now())
        recorder.end(one.clock.now())
        calls = (await one.desk.query(ListCalls())).rows
        tasks = {call.trace_id: await one.desk.query(GetTrace(trace_id=call.trace_id, at=call.at)) for call in calls}

    with Recording(tmp_path / "r") as recording:
        player, answers = Player(recording, lambda: 0), Answers(recording)
        player.seek(recording.ended)
        for call in calls:
            trace = GetTrace(trace_id=call.trace_id, at=call.at)
            assert answers.answer(trace, player.moment()).rows == tasks[call.trace_id].rows
        assert max(len(page.rows) for page in tasks.values()) == 2
        player.seek(recording.began)
        with pytest.raises(CommandRefused, match="not in the recording"):
            answers.answer(GetTrace(trace_id=calls[0].trace_id, at=calls[0].at), player.moment())


async def test_a_campaigns_deliveries_are_the_same_whichever_way_one_gets_there(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await keyframes(one).keep(one.projector.snapshot)
        recorder = Recorder(one.desk.query, Tape(tmp_path / "r", most_bytes=8 << 20))
        await recorder.begin(now=one.clock.now())
        await spend(one, "first")
        await spend(one, "second")
        await recorder.turn(one.clock.now())
        recorder.end(one.clock.now())
        live = await one.desk.query(ListDeliveries(limit=100))

    with Recording(tmp_path / "r") as recording:
        player, answers = Player(recording, lambda: 0), Answers(recording)
        campaign = live.rows[0].campaign_id
        with pytest.raises(CommandRefused, match="none of its deliveries has moved"):
            answers.answer(ListDeliveries(campaign_id=campaign, offset=0), player.moment())
        forward = []
        for _ in range(recording.events):
            player.step(1)
            forward.append(answers.answer(ListDeliveries(order="-changed_at", offset=0), player.moment()))
        for there in reversed(forward[:-1]):
            player.step(-1)
            assert answers.answer(ListDeliveries(order="-changed_at", offset=0), player.moment()) == there
        states = {row.delivery_id: row.state for row in forward[-1].rows}
        assert states == {row.delivery_id: row.state for row in live.rows}
        assert forward[-1].total == len(live.rows) == 8


def began_in(question: Query, began: int, one: Rig) -> bool:
    """Whether a course or a rate lies within the recording at this moment."""
    now = one.clock.now()
    match question:
        case CostHistory() | MonitorHistory():
            return now - question.span - MINUTE > began
        case Monitor():
            return (question.from_ or 0) > began
        case CostBreakdown():
            return (question.from_ or 0) < now
    return True
