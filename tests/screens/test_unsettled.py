"""A campaign that ended but for sends that a person must settle; and what leads from a campaign to its records."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.surface.queries import ListDeliveries, ListLogs
from engine.surface.rows import LogRow
from tests.screens.harness import console
from tests.screens.rig_source import until
from tests.screens.scripted import NOW, ScriptedSource, delivery


def unsettled() -> ScriptedSource:
    """The first campaign has ended, with 88 sends of which nobody knows whether they arrived."""
    source = ScriptedSource()
    first = replace(source.shown.campaigns["cmp_1"], state="finished", counts={"sent": 12, "uncertain": 88})
    source.become(campaigns={**source.shown.campaigns, "cmp_1": first})
    return source


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_campaign_that_ended_with_uncertain_sends_is_not_done_with(size: tuple[int, int]) -> None:
    async with console(unsettled(), size=size) as running:
        overview = next(line for line in running.lines() if "spring-ppv" in line and "settle" in line)
        await running.press("6")
        row = next(line for line in running.lines() if "spring-ppv" in line)

    assert "?" in overview
    assert "✔" not in overview
    assert "? uncertain" in row
    assert "88 to settle" in row


async def test_a_campaign_leads_to_its_log_lines_and_to_its_events() -> None:
    source = ScriptedSource()
    row = LogRow(
        seq=1, at=NOW, level="warning", area="engine.messaging", message="it waits", fields={}, error="", trace=()
    )
    source.rows[ListLogs] = lambda query: (
        [
            row,
            replace(row, seq=2, message="its outcome is written again", fields={"campaign": "cmp_1"}),
        ]
        * (query.after is None)
    )
    async with console(source) as running:
        await running.press("colon")
        await running.type("campaign spring-ppv")
        await running.press("enter", "l")
        logs = await until(running, "1 of 2 match cmp_1")
        await running.press("escape", "escape", "i")
        events = running.lines()[0]

    assert "its outcome is written again" in logs
    assert "events" in events


async def test_a_filter_never_finds_more_than_there_are() -> None:
    source = ScriptedSource()
    rows = [delivery(at) for at in range(75)]
    source.rows[ListDeliveries] = lambda query: rows
    async with console(source) as running:
        await running.press("6", "down", "enter", "slash")
        await running.type("fan")
        await until(running, "75 of 75 match fan")
        rows += [delivery(at) for at in range(75, 88)]
        source.become()
        await running.press("enter", "ctrl+r")

        await until(running, "88 of 88 match fan")


async def test_a_fan_that_several_match_is_named_in_each_row() -> None:
    source = ScriptedSource()
    source.rows[ListDeliveries] = lambda query: (
        [] if query.fan_id else [replace(delivery(at), fan_name=name) for at, name in enumerate(("Zoe", "Zora"))]
    )
    async with console(source, size=(80, 24)) as running:
        await running.press("6", "down", "enter", "colon")
        await running.type("fan zo")
        await running.press("enter")
        await until(running, "Zora")

        assert sum("Zoe" in line or "Zora" in line for line in running.lines()[:-8]) >= 2
        assert "every campaign › fan zo" in running.lines()[0]
        assert "campaigns ›" not in running.lines()[0]
