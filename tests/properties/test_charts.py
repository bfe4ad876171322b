"""Whatever the size, the numbers and the time: a chart's lines are exactly as wide as asked for, and few runs long."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.values import DAY
from screens.drawing import width_of
from screens.widgets.plot import Course, plot, resampled, sparkline

VALUES = st.lists(st.one_of(st.none(), st.integers(0, 2**63 - 1), st.integers(0, 9)), max_size=240)
ZONES = st.sampled_from(["UTC", "Europe/Paris", "Asia/Kathmandu", "Pacific/Apia", "America/St_Johns"])


@given(
    values=VALUES,
    start=st.integers(0, 60 * 365 * DAY),
    step=st.integers(1, 30 * DAY),
    unit=st.sampled_from(["money", "time", "count", "share"]),
    limit=st.one_of(st.none(), st.integers(-5, 2**63 - 1)),
    width=st.integers(0, 200),
    height=st.integers(0, 40),
    zone=ZONES,
    style=st.sampled_from(["line", "area", "blocks"]),
)
def test_a_chart_fills_its_place_exactly(
    values: list[int | None],
    start: int,
    step: int,
    unit: str,
    limit: int | None,
    width: int,
    height: int,
    zone: str,
    style: str,
) -> None:
    course = Course(values=values, start=start, step=step, unit=unit, limit=limit)  # type: ignore[arg-type]

    lines = plot(course, width, height, ZoneInfo(zone), style=style)  # type: ignore[arg-type]

    assert len(lines) == height
    assert all(width_of(line) == width for line in lines)
    crossed = sum(len(line) > 4 for line in lines)
    assert crossed <= 1  # only the limit's own row may be more than a few runs


@given(values=VALUES, width=st.integers(0, 200))
def test_a_sparkline_fills_its_place_and_shows_whatever_is_there(values: list[int | None], width: int) -> None:
    text, _ = sparkline(values, width)

    assert len(text) == width
    if width >= len(values):
        assert bool(text.strip()) is any(values)


@given(values=VALUES, columns=st.integers(1, 300))
def test_resampling_keeps_the_peak(values: list[int | None], columns: int) -> None:
    known = [value for value in values if value is not None]

    found = [value for value in resampled(values, columns) if value is not None]

    assert max(found, default=None) == max(known, default=None)
