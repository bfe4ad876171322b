"""Spend beside its limit: which limit a group is held against, and what the chart says of it."""

from __future__ import annotations

from dataclasses import replace

from engine.kernel.values import DAY, HOUR, MINUTE, usd
from engine.surface.rows import BudgetRow, CostCourseRow
from screens.drawing import Line
from screens.source import Link
from screens.spans import MONTH, SLIDING, TODAY, choice_line, turned
from screens.spending import budget_of, spend_chart
from screens.view import View
from tests.screens.scripted import NOW, snapshot

VIEW = View(snapshot=snapshot("normal"), link=Link(attached=False, up=True, since=NOW, now=NOW), now=NOW)
BUDGET = BudgetRow(
    scope="provider", key="openai", window="day", limit=usd(10), spent=usd(9), held=0, percent=80, began_at=0,
    resets_at=None, actions=(), time_zone="UTC", origin="file",
)  # fmt: skip
COURSE = CostCourseRow(
    dimensions={}, at=NOW - 30 * MINUTE, step=15 * MINUTE, cost=(usd(1), usd(2), 0, 0), calls=(1, 1, 0, 0),
    failed=(0, 0, 0, 0),
)  # fmt: skip


def words(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


def test_a_group_is_held_against_its_own_budget_of_the_spans_window_first() -> None:
    monthly = replace(BUDGET, window="month", limit=usd(100), spent=usd(99))

    assert budget_of({"provider": "openai", "model": "m"}, [monthly, BUDGET], VIEW, "day") == budget_of(
        {"provider": "openai"}, [BUDGET], VIEW, "day"
    )
    found = budget_of({"provider": "openai"}, [BUDGET, monthly], VIEW, "hour")
    assert found is not None
    assert found.window == "month"
    assert budget_of({"provider": "azure"}, [BUDGET, monthly], VIEW, "day") is None


def test_everything_is_held_against_the_threshold_where_no_budget_is() -> None:
    day, month = budget_of({}, [BUDGET], VIEW, "day"), budget_of({}, [], VIEW, "month")

    assert day is not None
    assert (day.limit, day.spent) == (usd(50), usd("18.42"))
    assert month is not None
    assert month.limit == usd(1000)
    hard = budget_of({}, [replace(BUDGET, scope="global", key="", limit=usd(20))], VIEW, "day")
    assert hard is not None
    assert hard.limit == usd(20)


def test_a_running_sum_is_drawn_against_the_limit_and_ends_now() -> None:
    limit = budget_of({"provider": "openai"}, [BUDGET], VIEW, "day")

    lines = spend_chart(COURSE, "openai", limit, True, VIEW, 60, 8)

    text = words(lines)
    assert "openai  $3.00 in all · limit $10/day · 90 % of it used" in text
    assert len(lines) == 8
    assert not lines[-3][-1][0].endswith("⣿")  # the last quarter of an hour has not begun


def test_a_sliding_span_is_drawn_against_an_even_pace() -> None:
    limit = budget_of({}, [], VIEW, "day")

    text = words(spend_chart(COURSE, "everything", limit, False, VIEW, 80, 8))

    assert "at most $2.0000 in 15 m · the line is $50/day spent evenly" in text
    assert "┄" in text


def test_a_course_that_was_not_read_yet_says_so() -> None:
    assert "being read" in words(spend_chart(None, "openai", None, False, VIEW, 60, 6))


def test_spans_turn_and_begin_with_a_whole_step() -> None:
    hour = SLIDING[2]

    assert turned((TODAY, MONTH), MONTH) is TODAY
    assert hour.start(VIEW) == NOW // MINUTE * MINUTE + MINUTE - HOUR
    assert hour.words(VIEW) == "the last 1 h, since 13:33"
    assert SLIDING[5].words(VIEW).startswith("the last 7 d, since 15:00 on 13 Nov")
    assert TODAY.start(VIEW) == NOW // DAY * DAY
    assert ("1 h", "chosen") in choice_line("over", SLIDING, hour)
