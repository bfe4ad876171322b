"""The overview uses the room it has: more of each thing on a large terminal, nothing lost on a small one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.surface.snapshot import AlertView
from screens.drawing import Line, width_of
from screens.overview import overview_lines
from screens.panels import alerts, campaigns, heights
from screens.view import View
from tests.screens.scripted import NOW, STATES, ScriptedSource, snapshot


def view_of(state: str = "normal") -> View:
    source = ScriptedSource(state)
    return View(snapshot=source.snapshot(), link=source.link(), now=NOW, recent=tuple(source.recent(0)))


def words(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines]


@pytest.mark.parametrize("size", [(160, 45), (200, 45), (200, 57), (240, 70)])
def test_a_calm_engine_leaves_no_column_of_a_large_terminal_blank(size: tuple[int, int]) -> None:
    width, height = size

    shown = words(overview_lines(view_of(), width, height))

    lower = shown[height * 2 // 3 : height - 4]
    third = min(70, width - 2 * 58 - 4)
    middle = (width - third - 4) * 55 // 100 + 2
    for first, last in ((0, middle - 2), (middle, width - third - 2)):
        assert sum(bool(line[first:last].strip()) for line in lower) >= len(lower) * 2 // 3


def test_a_narrow_terminal_that_is_high_has_the_chart_and_the_newest_events() -> None:
    shown = words(overview_lines(view_of(), 90, 57))

    assert len(shown) > 50
    assert any("$0.075┤" in line for line in shown)
    assert any("412 sent" in line for line in shown)
    assert any(line.startswith(" LATEST") for line in shown)


@pytest.mark.parametrize("state", STATES)
@given(width=st.integers(60, 260), height=st.integers(14, 80))
def test_the_overview_is_never_larger_than_its_room(state: str, width: int, height: int) -> None:
    lines = overview_lines(view_of(state), width, height)

    assert len(lines) <= height
    assert all(width_of(line) <= width for line in lines)


def test_an_alert_is_told_in_full_where_there_is_room_and_cut_where_there_is_none() -> None:
    long = "The oldest of 1,244 ready jobs of huntaze-hybrid-workflows waits for 22 s, which is more than it may"
    one = AlertView(alert_id="a", rule="r", subject="s", severity="warning", summary=long, opened_at=NOW)
    view = replace(view_of(), snapshot=replace(snapshot("normal"), alerts={"a": one, "b": replace(one, alert_id="b")}))

    roomy, tight = words(alerts(view, 60, 9)), words(alerts(view, 60, 3))

    assert len(tight) == 3
    assert tight[1].count("…") == 1
    assert "…" not in "".join(roomy)
    assert " ".join(" ".join(roomy).split()).count("which is more than it may") == 2


def test_each_live_campaign_tells_what_became_of_its_messages_where_all_find_room() -> None:
    roomy, tight = words(campaigns(view_of(), 72, 12)), words(campaigns(view_of(), 72, 6))

    assert "3 uncertain" in next(line for line in roomy if "412 sent" in line)
    assert not any("412 sent" in line for line in tight)
    assert len(tight) == 6


def test_what_runs_tells_more_before_what_is_over_is_listed() -> None:
    found = snapshot("normal").campaigns
    over = {f"old_{at}": replace(found["cmp_5"], campaign_id=f"old_{at}", state="finished") for at in range(40)}
    view = replace(view_of(), snapshot=replace(snapshot("normal"), campaigns={**found, **over}))

    shown = words(campaigns(view, 72, 30))

    assert len(shown) == 30
    assert any("412 sent" in line for line in shown)
    assert shown[0] == f" CAMPAIGNS   {sum('finished' in line for line in shown) + 4} of 45 shown"


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60), st.integers(1, 8))
def test_columns_are_as_high_as_their_part_of_the_largest(values: list[int], rows: int) -> None:
    drawn = heights(values, rows)

    assert len(drawn) == rows
    assert {len(row) for row in drawn} == {len(values)}
    eighths = [sum(" ▁▂▃▄▅▆▇█".index(row[at]) for row in drawn) for at in range(len(values))]
    assert all((each > 0) == (value > 0) for each, value in zip(eighths, values, strict=True))
    assert sorted(eighths) == [each for _, each in sorted(zip(values, eighths, strict=True))]
    assert not any(values) or max(eighths) == rows * 8
