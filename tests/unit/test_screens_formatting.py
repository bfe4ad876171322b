"""Values as text."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.kernel.values import DAY, HOUR, MILLISECOND, MINUTE, SECOND, from_datetime, usd
from screens import formatting as f

_UTC = ZoneInfo("UTC")
_NOW = from_datetime(datetime(2026, 11, 20, 14, 32, tzinfo=UTC))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (usd("0.000000001"), "<$0.01"),
        (usd("18.42"), "$18.42"),
        (usd("18.425"), "$18.43"),
        (usd("1204.5"), "$1,204.50"),
        (-usd("3"), "-$3.00"),
        (usd("123456.78"), "$123,456"),
        (usd("12345678"), "$12.3 M"),
        (None, "–"),
    ],
)
def test_totals_are_shown_to_the_digit_that_matters(amount: int | None, text: str) -> None:
    assert f.money(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (usd("0.000123456"), "$0.000123456"),
        (usd("0.02"), "$0.0200"),
        (0, "$0"),
        (1, "$0.000000001"),
        (None, "unpriced"),
    ],
)
def test_a_call_below_a_cent_is_shown_in_full(amount: int | None, text: str) -> None:
    assert f.price(amount) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (12 * MILLISECOND, "12 ms"),
        (400 * MILLISECOND, "0.4 s"),
        (12 * SECOND, "12 s"),
        (38 * MINUTE + 10 * SECOND, "38 m 10 s"),
        (3 * HOUR + 4 * MINUTE, "3 h 4 m"),
        (2 * DAY, "2 d 0 h"),
    ],
)
def test_durations_name_two_units(span: int, text: str) -> None:
    assert f.duration(span) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "–"), (0, 5, "0 %"), (1, 2_000, "<0.1 %"), (53, 1_000, "5.3 %"), (999, 1_000, "99 %"), (2, 2, "100 %")],
)
def test_a_share_is_never_nothing_for_something_nor_all_for_not_all(part: int, whole: int, text: str) -> None:
    assert f.percent(part, whole) == text


def test_a_moment_is_said_as_one_would() -> None:
    assert f.moment(_NOW + HOUR, _NOW, _UTC) == "15:32"
    assert f.moment(_NOW + 24 * HOUR, _NOW, _UTC) == "14:32 tomorrow"
    assert f.moment(_NOW - 24 * HOUR, _NOW, _UTC) == "14:32 yesterday"
    assert f.moment(_NOW + 4 * DAY, _NOW, _UTC) == "14:32 on 24 Nov"
    assert f.moment(_NOW + 60 * DAY, _NOW, _UTC) == "14:32 on 19 Jan 2027"
    assert f.moment(_NOW, _NOW, ZoneInfo("Europe/Paris")) == "15:32"


def test_counts_shorten_at_ten_thousand() -> None:
    assert [f.count_short(n) for n in (9_999, 12_400, 418_000, 3_100_000)] == ["9,999", "12.4 k", "418 k", "3.1 M"]


def test_fitting_cuts_with_an_ellipsis_and_pads_on_either_side() -> None:
    assert (f.fit("hello", 4), f.fit("hi", 4), f.fit("hi", 4, right=True)) == ("hel…", "hi  ", "  hi")
    assert f.fit("漢字漢", 4) == "漢 …"
