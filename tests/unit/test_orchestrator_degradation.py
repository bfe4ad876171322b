"""Serving a little worse before not serving at all: levels are entered on what is measured, and left with patience."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import ServiceLevelChanged
from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import SECOND, NanoUSD
from engine.orchestrator import Answer, DegradationSettings, Degraded, Level, Target, Task
from engine.orchestrator.degradation import LADDER, Ladder
from engine.orchestrator.retries import OWN_LIMIT
from engine.providers import Finish, Message, Role
from engine.storage import Tx
from tests.fakes import ManualClock
from tests.rig import SETTINGS, Rig, rig

FIGURES = DegradationSettings()
WITH_TEMPLATE = replace(
    SETTINGS, tools={"message": replace(SETTINGS.tools["message"], template="Hi {{name}}, thinking of you")}
)


class Inner:
    """A stage that answers, fails, or takes its time; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Task] = []
        self.failure: ProviderError | None = None
        self.clock: ManualClock | None = None
        self.takes = 0
        self.began: int | None = None

    async def complete(self, task: Task) -> Answer:
        self.asked.append(task)
        if self.failure is not None:
            raise self.failure
        if self.clock is not None:
            self.clock.jump(self.takes)
        answer = Answer(text="hello", target=Target("one", "m"), finish=Finish.STOP, usage=None, attempt_id="a")
        return answer._replace(duration=self.takes, began=self.began)


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def degraded(play: Rig, inner: Inner) -> Degraded:
    return Degraded(inner, play.database, play.clock, play.chance, WITH_TEMPLATE)


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, **changes})


def failure(error_class: ErrorClass = ErrorClass.SERVER_ERROR) -> ProviderError:
    return ProviderError("one", "m", error_class, "no")


async def fail(degraded: Degraded, inner: Inner, times: int, error: ProviderError | None = None) -> None:
    inner.failure = error or failure()
    for _ in range(times):
        with pytest.raises(ProviderError):
            await degraded.complete(task())
    inner.failure = None


async def shifts(play: Rig) -> list[tuple[str, str]]:
    found = [one.event for one in await play.database.events_after(0)]
    return [(event.before, event.level) for event in found if isinstance(event, ServiceLevelChanged)]


async def test_an_outage_ends_at_the_template_which_costs_nothing_and_asks_nobody(
    play: Rig, degraded: Degraded, inner: Inner
) -> None:
    await fail(degraded, inner, FIGURES.least_tasks)
    await degraded.complete(task())  # the probe that is due
    asked = len(inner.asked)

    answer = await degraded.complete(task())

    assert (answer.text, answer.level, answer.cost) == ("Hi {{name}}, thinking of you", Level.TEMPLATE, 0)
    assert len(inner.asked) == asked
    assert await shifts(play) == [("full", "template")]


async def test_a_template_is_concluded_like_any_answer(play: Rig, degraded: Degraded, inner: Inner) -> None:
    await fail(degraded, inner, FIGURES.least_tasks)
    await degraded.complete(task())
    booked: list[int | None] = []

    def conclude(_: Answer) -> Any:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            booked.append(cost)

        return write

    await degraded.complete(task(conclude=conclude))

    assert booked == [0]


async def test_models_are_asked_again_once_enough_probes_were_answered(
    play: Rig, degraded: Degraded, inner: Inner
) -> None:
    await fail(degraded, inner, FIGURES.least_tasks)

    for _ in range(FIGURES.probes):
        answer = await degraded.complete(task())
        play.clock.jump(FIGURES.probe_every)

    assert answer.text == "hello"
    assert degraded.levels() == {"message": Level.CHEAPER}
    assert (await degraded.complete(task())).text == "hello"


async def test_a_failed_probe_begins_the_count_anew(play: Rig, degraded: Degraded, inner: Inner) -> None:
    await fail(degraded, inner, FIGURES.least_tasks)
    for _ in range(FIGURES.probes - 1):
        await degraded.complete(task())
        play.clock.jump(FIGURES.probe_every)

    await fail(degraded, inner, 1)

    play.clock.jump(FIGURES.probe_every)
    await degraded.complete(task())
    assert degraded.levels() == {"message": Level.TEMPLATE}


async def test_a_tool_without_a_template_still_asks_its_models(play: Rig, inner: Inner) -> None:
    degraded = Degraded(inner, play.database, play.clock, play.chance, SETTINGS)
    await fail(degraded, inner, FIGURES.least_tasks)
    asked = len(inner.asked)

    await degraded.complete(task())
    await degraded.complete(task())

    assert len(inner.asked) == asked + 2


@pytest.mark.parametrize(
    ("share", "level", "strategy"),
    [(0.0, Level.FULL, ""), (0.1, Level.CACHED, ""), (0.4, Level.CHEAPER, "cheapest")],
)
async def test_tasks_carry_the_level_their_tool_stands_at(
    play: Rig, degraded: Degraded, inner: Inner, share: float, level: Level, strategy: str
) -> None:
    poor = round(share * 20)
    for number in range(20):
        if number % 20 < 20 - poor:
            await degraded.complete(task())
        else:
            await fail(degraded, inner, 1)

    answer = await degraded.complete(task())

    assert (inner.asked[-1].level, inner.asked[-1].strategy) == (level, strategy)
    assert answer.level is level


async def test_what_the_caller_did_wrong_degrades_nothing(play: Rig, degraded: Degraded, inner: Inner) -> None:
    await fail(degraded, inner, 30, failure(ErrorClass.INVALID_REQUEST))

    assert degraded.levels() == {}


@pytest.mark.parametrize(("began", "poor"), [(None, True), (SECOND, False), (40 * SECOND, True)])
async def test_a_long_stream_is_no_slow_answer_but_one_that_begins_late_is(
    play: Rig, degraded: Degraded, inner: Inner, began: int | None, poor: bool
) -> None:
    inner.takes, inner.began = 60 * SECOND, began
    degraded.configure(replace(WITH_TEMPLATE, degradation=replace(FIGURES, least_tasks=1)))

    inner.clock = play.clock
    await degraded.complete(task())

    assert bool(degraded.levels()) == poor


async def test_a_caller_held_back_by_our_own_limits_degrades_nobody(
    play: Rig, degraded: Degraded, inner: Inner
) -> None:
    held_back = ProviderError("one", "m", ErrorClass.RATE_LIMIT, "60 a minute", reached=False, code=OWN_LIMIT)

    await fail(degraded, inner, 30, held_back)

    assert degraded.levels() == {}
    await fail(degraded, inner, FIGURES.least_tasks, failure(ErrorClass.RATE_LIMIT))  # the provider's own word counts
    assert degraded.levels() != {}


async def test_rehearsals_are_neither_measured_nor_degraded(play: Rig, degraded: Degraded, inner: Inner) -> None:
    inner.failure = failure()
    for _ in range(30):
        with pytest.raises(ProviderError):
            await degraded.complete(task(rehearsal=True))

    assert degraded.levels() == {}


async def test_the_snapshot_says_which_tool_is_served_worse_and_forgets_it_after(
    play: Rig, degraded: Degraded, inner: Inner
) -> None:
    await fail(degraded, inner, FIGURES.least_tasks)

    assert {tool: view.level for tool, view in play.projector.snapshot.levels.items()} == {"message": "template"}

    for _ in range(400):
        await degraded.complete(task())
        play.clock.jump(FIGURES.probe_every)
    assert play.projector.snapshot.levels == {}


async def test_levels_do_not_flap_around_a_threshold(play: Rig, degraded: Degraded, inner: Inner) -> None:
    for number in range(300):
        if number % 10 == 0:
            await fail(degraded, inner, 1)
        else:
            await degraded.complete(task())
        play.clock.jump(SECOND)

    assert len(await shifts(play)) <= 1


def test_a_tool_that_grew_quiet_comes_back_too() -> None:
    ladder, now = Ladder(FIGURES), 0
    for number in range(FIGURES.least_tasks):
        ladder.record(now, poor=number % 2 == 0)
    fallen: Level = ladder.level
    assert fallen is Level.CHEAPER

    for _ in range(4):  # far fewer in a window than a way down needs
        now += FIGURES.window
        ladder.record(now, poor=False)

    assert ladder.level is Level.FULL


def test_a_few_poor_tasks_lead_nowhere() -> None:
    ladder = Ladder(FIGURES)

    for _ in range(FIGURES.least_tasks - 1):
        ladder.record(0, poor=True)

    assert ladder.level is Level.FULL


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=200))
def test_a_level_is_left_one_step_at_a_time_and_only_when_it_is_calm(steps: list[tuple[bool, int]]) -> None:
    ladder, now, since = Ladder(FIGURES), 0, 0

    for poor, waited in steps:
        now += waited * SECOND
        shift = ladder.record(now, poor=poor)
        if shift is None:
            continue
        before, after = LADDER.index(shift.before), LADDER.index(shift.level)
        assert after > before or before - after == 1
        if after < before and shift.before is not Level.TEMPLATE:
            assert now - since >= FIGURES.calm
            assert not poor or ladder.share(now) < FIGURES.cheaper_at / 2
        since = now


def test_a_step_up_says_what_led_down_and_what_leads_on() -> None:
    ladder, now = Ladder(FIGURES), 0
    shifts = [ladder.record(now, poor=number % 2 == 0) for number in range(FIGURES.least_tasks)]
    for _ in range(4):
        now += FIGURES.window
        shifts.append(ladder.record(now, poor=False))

    down, first, last = [shift for shift in shifts if shift is not None]

    assert "50%" in down.reason
    assert "the next step up takes" in down.reason
    assert first.reason.startswith("a step up from cheaper, entered at 50%: ")
    assert "the next step up takes" in first.reason
    assert "0%" not in first.reason.split(";")[0].replace("50%", "")
    assert "next step" not in last.reason
