"""Where a budget asks for a cheaper model, the ladder's next one does the work, held at its own price."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.costs import BudgetRule
from engine.kernel.errors import BudgetRefused
from engine.kernel.values import HOUR, NanoUSD
from engine.orchestrator import Answer, Downgrading, Need, Target, Task, input_bound
from engine.providers import UNKNOWN_MODEL, Finish, Message, ModelRequest, Operation, Role
from tests.rig import COST, Rig, rig

WORST = (2 + 16) * 1_000 + 100 * 2_000  # "hi" and what goes around it, and the output's cap
LADDER = {"p/large": "p/middle", "p/middle": "p/small", "p/small": "p/large"}


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, **changes})


class Books:
    """A hop that refuses all models but those it can pay for."""

    def __init__(self, *cheap: str, downgrade: bool = True) -> None:
        self.cheap = cheap
        self.downgrade = downgrade
        self.asked: list[str] = []

    async def complete(self, task: Task, target: Target) -> Answer:
        self.asked.append(str(target))
        if target.model not in self.cheap:
            raise BudgetRefused("global:", str(target), downgrade=self.downgrade)
        return Answer(text="yes", target=target, finish=Finish.STOP, usage=None, attempt_id="a")


async def test_the_first_rung_that_is_cheap_enough_answers() -> None:
    books = Books("small")

    found = await Downgrading(books, LADDER, lambda target: True).complete(task(), Target("p", "large"))

    assert found.target == Target("p", "small")
    assert books.asked == ["p/large", "p/middle", "p/small"]


async def test_a_ladder_that_turns_in_a_circle_ends() -> None:
    books = Books()

    with pytest.raises(BudgetRefused, match="p/small"):
        await Downgrading(books, LADDER, lambda target: True).complete(task(), Target("p", "large"))

    assert books.asked == ["p/large", "p/middle", "p/small"]


async def test_a_rung_whose_breaker_is_open_is_stepped_over() -> None:
    books = Books("middle", "small")

    found = await Downgrading(books, LADDER, lambda target: target.model != "middle").complete(
        task(), Target("p", "large")
    )

    assert found.target.model == "small"


async def test_a_rung_that_cannot_do_the_task_is_stepped_over() -> None:
    blind = {"middle": replace(UNKNOWN_MODEL, images=False)}
    steps = Downgrading(
        Books("middle", "small"), LADDER, lambda _: True, lambda one: blind.get(one.model, UNKNOWN_MODEL)
    )

    seeing = await steps.complete(task(needs=frozenset({Need.IMAGES})), Target("p", "large"))
    reading = await steps.complete(task(), Target("p", "large"))

    assert (seeing.target.model, reading.target.model) == ("small", "middle")


async def test_embeddings_have_no_ladder() -> None:
    books = Books("middle")

    with pytest.raises(BudgetRefused):
        await Downgrading(books, LADDER, lambda _: True).complete(
            task(operation=Operation.EMBEDDINGS), Target("p", "large")
        )

    assert books.asked == ["p/large"]


async def test_only_a_budget_that_asks_for_it_is_given_another_model() -> None:
    books = Books("middle", downgrade=False)

    with pytest.raises(BudgetRefused):
        await Downgrading(books, LADDER, lambda target: True).complete(task(), Target("p", "large"))

    assert books.asked == ["p/large"]


# ── over a real ledger ──────────────────────────────────────────────────────────────────────────────────────────────


async def give(play: Rig, limit: int, *actions: str, kind: str = "global", key: str = "") -> None:
    rule = BudgetRule(kind=kind, key=key, window="hour", limit=NanoUSD(limit), actions=actions)
    await play.database.write(lambda tx: play.ledger.set_budget(tx, rule))


async def test_a_budget_of_one_provider_sends_the_call_to_the_other(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        await give(play, WORST - 1, "downgrade", "stop", kind="provider", key="one")
        await give(play, 10 * WORST, "stop")

        found = await play.orchestrator.complete(task(pinned=Target("one", "m")))

        held = await play.rows("SELECT name, spent, held FROM budgets ORDER BY name")
    assert found.target.provider == "two"
    assert [tuple(row.values()) for row in held] == [("global:", COST, 0), ("provider:one", 0, 0)]


async def test_a_clamped_call_reaches_its_provider_with_the_lower_cap(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        await give(play, 18_000 + 60 * 2_000 + 1_999, "clamp", "stop")

        await play.orchestrator.complete(task())

        assert play.providers["one"].requests[0].max_output_tokens == 60


async def test_a_clamp_leaves_each_of_several_answers_enough_or_refuses_them(tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "n": 4}
    async with rig(tmp_path) as play:
        size = input_bound(ModelRequest(messages=(), max_output_tokens=0, body=body)) * 1_000
        asked = task(messages=(), body=body, max_output_tokens=4 * 100, fresh=True)

        await give(play, size + 199 * 2_000, "clamp", "stop")
        with pytest.raises(BudgetRefused):
            await play.orchestrator.complete(asked)
        await give(play, size + 200 * 2_000, "clamp", "stop")
        await play.orchestrator.complete(asked)

        assert [request.max_output_tokens for request in play.providers["one"].requests] == [200]


async def test_a_throttled_text_waits_for_the_next_window(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        await give(play, WORST - 1, "throttle")
        campaign = await play.create(count=1, prompt="Write")
        await play.write()
        waiting = await play.rows("SELECT ready_at FROM jobs")

        await give(play, 100 * WORST, "throttle")
        play.clock.jump(HOUR)
        await play.write()

        assert [row["ready_at"] for row in waiting] == [play.clock.now()]
        assert await play.states(campaign) != {"pending": 1}
