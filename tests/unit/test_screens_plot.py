"""Charts to the character: axes, units, round times of the operator's zone, the limit, and what has no braille."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.kernel.values import DAY, HOUR, MILLISECOND, MINUTE, SECOND, from_datetime, usd
from screens.drawing import Line
from screens.glyphs import ascii_form
from screens.widgets.plot import Course, Style, Unit, plot, resampled, rounded_up, sparkline, tick_label, time_ticks

UTC_ZONE = ZoneInfo("UTC")
NOON = from_datetime(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
RAMP = Course(values=(1, 2, 3, 4, 5, 6, 7, 8), start=NOON, step=MINUTE)


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _ in line) for line in lines]


def test_an_area_stands_on_axes_with_units_and_times() -> None:
    course = Course(values=(0, usd(1), usd(2), usd(4)), start=NOON, step=15 * MINUTE, unit="money")

    assert text(plot(course, 30, 6, UTC_ZONE)) == [
        "$5┤                    ⢀⣀⣀⣀⣀⣀⣀",
        "  │                    ⢸⣿⣿⣿⣿⣿⣿",
        "  │             ⢰⣶⣶⣶⣶⣶⣶⣾⣿⣿⣿⣿⣿⣿",
        "$0┤       ⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿",
        "  └┬────────────┬─────────────",
        "   12:00      12:30           ",
    ]


def test_blocks_tell_eighths_of_a_row() -> None:
    assert text(plot(RAMP, 8, 1, UTC_ZONE, style="blocks")) == ["▁▂▃▄▄▅▆▇"]
    assert text(plot(RAMP, 8, 2, UTC_ZONE, style="blocks")) == ["     ▂▄▅", "▂▄▅▇████"]


def test_a_line_is_joined_and_leaves_out_what_is_not_known() -> None:
    course = Course(values=(1, 8, None, 4), start=NOON, step=MINUTE)

    (row,) = text(plot(course, 2, 1, UTC_ZONE, style="line"))

    assert row == "⡸⠠"


def test_the_limit_crosses_the_chart_and_what_is_above_it_is_told() -> None:
    course = Course(values=(2, 2, 9, 2), start=NOON, step=MINUTE, limit=5)

    lines = plot(course, 4, 4, UTC_ZONE, style="blocks")

    assert lines[0] == (("  ▅ ", "bad"),)
    assert lines[2] == (("┄┄", "warn"), ("█", "gauge"), ("┄", "warn"))
    assert [len(line) for line in lines] == [1, 1, 3, 1]


def test_a_limit_far_above_stands_beside_and_does_not_flatten_the_course() -> None:
    course = Course(values=(usd("0.1"),) * 4, start=NOON, step=MINUTE, unit="money", limit=usd(50))

    lines = text(plot(course, 40, 6, UTC_ZONE))

    assert lines[0].startswith("$0.10┤")
    assert any("↑ limit $50" in line for line in text(plot(replace_low(course), 40, 6, UTC_ZONE)))


def replace_low(course: Course) -> Course:
    return Course(values=(usd("0.011"),) * 4, start=course.start, step=course.step, unit="money", limit=course.limit)


@pytest.mark.parametrize(
    ("value", "unit", "label"),
    [
        (0, "money", "$0"),
        (usd("0.000002"), "money", "2 µ$"),
        (usd("0.0005"), "money", "$0.0005"),
        (usd("0.25"), "money", "$0.25"),
        (usd(50), "money", "$50"),
        (usd(20_000), "money", "$20 k"),
        (usd(2_500_000), "money", "$2.5 M"),
        (0, "time", "0"),
        (500 * MILLISECOND, "time", "500 ms"),
        (2 * SECOND, "time", "2 s"),
        (90 * SECOND, "time", "1.5 m"),
        (36 * HOUR, "time", "1.5 d"),
        (20_000, "count", "20.0 k"),
        (50_000, "share", "5 %"),
        (1_000_000, "share", "100 %"),
    ],
)
def test_a_tick_says_its_unit(value: int, unit: Unit, label: str) -> None:
    assert tick_label(value, unit) == label


@pytest.mark.parametrize(
    ("value", "unit", "top"),
    [
        (1, "count", 1),
        (11, "count", 15),
        (99, "count", 100),
        (101, "count", 150),
        (usd("1.31"), "money", usd("1.50")),
        (1_300 * MILLISECOND, "time", 2 * SECOND),
        (11 * SECOND, "time", 20 * SECOND),
        (61 * SECOND, "time", 2 * MINUTE),
        (30_000, "share", 50_000),
        (999_999, "share", 1_000_000),
    ],
)
def test_the_upper_edge_is_the_next_round_number(value: int, unit: Unit, top: int) -> None:
    assert rounded_up(value, unit) == top


@pytest.mark.parametrize(
    ("span", "zone", "labels"),
    [
        (MINUTE, "UTC", ["12:00:00", "12:00:10", "12:00:20", "12:00:30", "12:00:40", "12:00:50"]),
        (HOUR, "UTC", ["12:00", "12:10", "12:20", "12:30", "12:40", "12:50"]),
        (HOUR, "Asia/Kathmandu", ["17:50", "18:00", "18:10", "18:20", "18:30", "18:40"]),
        (DAY, "America/New_York", ["09:00", "12:00", "15:00", "18:00", "21:00", "00:00", "03:00", "06:00"]),
        (7 * DAY, "UTC", ["21 Nov", "22 Nov", "23 Nov", "24 Nov", "25 Nov", "26 Nov", "27 Nov"]),
    ],
)
def test_times_are_marked_on_round_ones_of_the_zone(span: int, zone: str, labels: list[str]) -> None:
    course = Course(values=(1,) * 60, start=NOON, step=span // 60)

    assert [label for _, label in time_ticks(course, 70, ZoneInfo(zone))] == labels


def test_times_stay_round_when_the_clocks_are_put_back() -> None:
    start = from_datetime(datetime(2026, 10, 24, 22, 0, tzinfo=UTC))  # midnight in Paris; 25 hours follow

    found = time_ticks(Course(values=(1,) * 25, start=start, step=HOUR), 60, ZoneInfo("Europe/Paris"))

    assert [label for _, label in found] == ["00:00", "06:00", "12:00", "18:00"]
    assert [(at - start) // HOUR for at, _ in found] == [0, 7, 13, 19]


def test_no_peak_is_lost_where_many_values_share_a_column() -> None:
    assert resampled((1, 1, 9, 1, 1, 1, 1, None), 4) == [1, 9, 1, 1]
    assert resampled((None, None, 1, 1), 2) == [None, 1]
    assert resampled((1, 2), 4) == [1, 1, 2, 2]
    assert resampled((), 3) == [None, None, None]


def test_a_sparkline_is_as_wide_as_asked() -> None:
    assert sparkline((0, 1, 4, 8), 4) == (" ▁▄█", "gauge")
    assert sparkline((0, 0), 5) == ("     ", "gauge")
    assert sparkline((), 3) == ("   ", "gauge")


@pytest.mark.parametrize("style", ["line", "area", "blocks"])
def test_a_terminal_without_unicode_gets_ascii_only(style: Style) -> None:
    course = Course(values=(1, 5, 3, None), start=NOON, step=HOUR, limit=4)

    lines = [*text(plot(course, 40, 8, UTC_ZONE, style=style)), sparkline((1, 2, 3), 9)[0]]
    plain = [ascii_form(line) for line in lines]

    assert "".join(plain).isascii()
    assert [len(line) for line in plain] == [*[40] * 8, 9]
    assert [line[:2] for line in plain] == ["5+", " |", " |", " |", " |", "0+", " +", "  ", "::"]
