"""The times that flags such as --since and --from take."""

from __future__ import annotations

import click
import pytest

from engine.kernel.values import DAY, HOUR, MINUTE
from huntaze_console.cli.reading import instant_of

NOW = 20_000 * DAY + 15 * HOUR + 30 * MINUTE


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("today", 20_000 * DAY - 2 * HOUR),  # midnight in Paris
        ("90m", NOW - 90 * MINUTE),
        ("2h", NOW - 2 * HOUR),
        ("1d", NOW - DAY),
        ("2h ago", NOW - 2 * HOUR),
        ("2024-10-04", 20_000 * DAY - 2 * HOUR),
        ("2024-10-04T12:00+00:00", 20_000 * DAY + 12 * HOUR),
    ],
)
def test_a_time_is_understood_by_the_engines_present_and_zone(text: str, meant: int) -> None:
    assert instant_of("since", text, "Europe/Paris", NOW) == meant


@pytest.mark.parametrize("text", ["tomorrow", "0h", "2w", "-1h", "99999999999h", "ago", ""])
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(click.UsageError, match="today, or 2h for two hours ago"):
        instant_of("since", text, "UTC", NOW)


def test_where_the_present_is_not_known_nothing_is_reckoned_from_it() -> None:
    with pytest.raises(click.UsageError, match="with its offset: "):
        instant_of("until", "2h", "UTC")
    assert instant_of("until", None, "UTC") is None
