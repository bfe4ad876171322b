"""Budgets over HTTP: what each has left, setting and removing them, and what is refused by its field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.kernel.values import HOUR, usd
from engine.surface.commands import RemoveBudget, SetBudget
from engine.surface.queries import ListBudgets
from engine.surface.rows import BudgetRow
from tests.fakes import MORNING
from tests.integration.test_api_desk import FakeDesk, serving

BUDGETS = "/api/v2/budgets"
ROW = BudgetRow(
    scope="global",
    key="",
    window="hour",
    limit=usd(50),
    spent=usd("42.5"),
    held=usd("1.25"),
    percent=80,
    began_at=MORNING,
    resets_at=MORNING + HOUR,
    actions=("clamp", "stop"),
    time_zone="UTC",
    origin="file",
)


async def test_each_budget_shows_what_is_spent_held_and_left(tmp_path: Path) -> None:
    desk = FakeDesk(answers={ListBudgets: [ROW]})

    async with serving(tmp_path, desk) as served:
        reply = await served.client.get(BUDGETS, params={"campaigns": "true"})

    assert reply.json()["budgets"] == [
        {
            "scope": "global",
            "key": "",
            "window": "hour",
            "limit_usd": "50.00",
            "spent_usd": "42.50",
            "held_usd": "1.25",
            "left_usd": "7.50",
            "percent": 80,
            "began_at": "2026-11-20T08:00:00.000000000Z",
            "resets_at": "2026-11-20T09:00:00.000000000Z",
            "actions": ["clamp", "stop"],
            "time_zone": "UTC",
            "origin": "file",
        }
    ]
    assert desk.asked == [ListBudgets(campaigns=True)]


async def test_a_budget_is_set_and_removed(tmp_path: Path) -> None:
    wanted = {"scope": "account", "key": "anna", "window": "day", "limit_usd": "5", "actions": ["clamp", "throttle"]}

    async with serving(tmp_path) as served:
        given = await served.client.request("PUT", BUDGETS, route="", token=True, json=wanted)
        gone = await served.client.request(
            "DELETE", BUDGETS, route="", token=True, params={"scope": "account", "key": "anna", "window": "day"}
        )

    assert (given.status, gone.status) == (200, 200)
    assert served.desk.submitted == [
        SetBudget(actor="api", scope="account", key="anna", window="day", limit=usd(5), actions=("clamp", "throttle")),
        RemoveBudget(actor="api", scope="account", key="anna", window="day"),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scope": "planet"}, "scope"),
        ({"window": "week"}, "window"),
        ({"limit_usd": 5}, "limit_usd"),
        ({"limit_usd": "-5"}, "limit_usd"),
        ({"limit_usd": None}, "limit_usd"),
        ({"actions": []}, "actions"),
        ({"actions": ["beg"]}, "actions"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_happens(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.request(
            "PUT", BUDGETS, route="", token=True, json={"scope": "global", "limit_usd": "5", **change}
        )

    assert reply.status == 400
    assert field in str(reply.json())
    assert served.desk.submitted == []
