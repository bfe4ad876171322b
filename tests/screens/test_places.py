"""Costs, campaigns, the audit and their tables, as a tired operator uses them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.surface.queries import CostBreakdown
from engine.surface.rows import BreakdownRow
from tests.screens.harness import console
from tests.screens.scripted import ScriptedSource


@pytest.mark.parametrize(
    "keys", [(), ("o", "o"), ("o", "o", "O")], ids=["as it came", "dearest first", "cheapest first"]
)
async def test_what_is_of_no_campaign_says_so_and_stands_below_the_campaigns(keys: tuple[str, ...]) -> None:
    source = ScriptedSource()
    made = source.rows[CostBreakdown]

    def rows(query: CostBreakdown) -> list[BreakdownRow]:
        found = made(query)
        return [replace(found[0], dimensions=dict.fromkeys(query.by, "")), *found[1:]]

    source.rows[CostBreakdown] = rows
    async with console(source) as running:
        await running.press("2", "b", "b", "b", *keys)

        lines = running.lines()
        heading = next(at for at, line in enumerate(lines) if line.startswith(" what"))
        shown = [line.strip("▌ ").split("  ")[0] for line in lines[heading + 1 : heading + 6]]
        assert shown[-1] == "no campaign"
        assert "no campaign" not in shown[:-1]


async def test_the_states_of_a_campaign_are_stepped_through_where_there_is_a_delivery() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", "down", "enter")
        assert "all 1,021" in running.text()
        states = []
        for _ in range(7):
            await running.press("v")
            states.append(running.lines()[0].split(" › ")[2].split("  ")[0])

    assert states == ["uncertain", "failed", "pending", "queued", "sent", "left out", "all"]


async def test_a_state_that_empties_while_it_is_looked_at_is_left_by_the_same_key() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", "down", "enter", "v")
        spring = source.shown.campaigns["cmp_1"]
        left = {**spring.counts, "uncertain": 0}
        source.become(campaigns={**source.shown.campaigns, "cmp_1": replace(spring, counts=left)})
        await running.settle()
        assert "? 0 uncertain" in running.text()

        await running.press("v")
        assert "› failed" in running.lines()[0]
        assert "uncertain" not in running.text()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_state_is_cut_off_where_one_is_chosen(size: tuple[int, int]) -> None:
    source = ScriptedSource()
    spring = source.shown.campaigns["cmp_1"]
    words = {
        "drafted": "to approve", "uncertain": "uncertain", "failed": "failed", "pending": "pending",
        "approved": "approved", "queued": "queued", "sending": "sending", "sent": "sent", "rejected": "rejected",
        "expired": "expired",
    }  # fmt: skip
    source.become(campaigns={"cmp_1": replace(spring, counts=dict.fromkeys(words, 54_321))})
    async with console(source, size=size) as running:
        await running.press("6", "enter")

        assert [word for word in words.values() if f"54,321 {word}" not in running.text()] == []
