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
