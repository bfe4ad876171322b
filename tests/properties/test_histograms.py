"""Histograms of durations: how far a quantile may be off, and that adding loses nothing."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.histogram import (
    BUCKETS,
    LEAST,
    MOST,
    RELATIVE_ERROR,
    Histogram,
    bucket_of,
    dump,
    load,
    merged,
    middle_of,
)

DURATIONS = st.integers(min_value=LEAST, max_value=MOST)
MANY = st.lists(DURATIONS, min_size=1, max_size=200)
SHARES = st.floats(min_value=0, max_value=1, allow_nan=False)


def recorded(durations: list[int]) -> Histogram:
    histogram = Histogram()
    for duration in durations:
        histogram.record(duration)
    return histogram


@given(MANY, SHARES)
def test_a_quantile_is_within_the_stated_error_of_the_exact_one(durations: list[int], share: float) -> None:
    exact = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]

    (found,) = recorded(durations).quantiles(share)

    assert found is not None
    assert abs(found - exact) <= RELATIVE_ERROR * exact * (1 + 1e-9) + 1


@given(st.lists(st.lists(DURATIONS, max_size=50), max_size=6))
def test_adding_parts_in_any_order_equals_recording_everything_in_one(parts: list[list[int]]) -> None:
    whole = recorded([duration for part in parts for duration in part])
    histograms = [recorded(part) for part in parts]

    assert merged(histograms) == whole
    assert merged(reversed(histograms)) == whole
    assert merged([merged(histograms[:2]), merged(histograms[2:])]) == whole


@given(MANY)
def test_adding_leaves_what_was_added_alone(durations: list[int]) -> None:
    one, other = recorded(durations), recorded(durations)

    Histogram().add(one)
    merged([one, one])

    assert one == other


@given(st.integers(min_value=-(10**20), max_value=10**20))
def test_any_duration_falls_into_one_of_the_fixed_buckets(duration: int) -> None:
    bucket = bucket_of(duration)

    assert 0 <= bucket < BUCKETS
    assert BUCKETS <= 1_100


@given(MANY)
def test_what_is_stored_is_what_was_recorded(durations: list[int]) -> None:
    histogram = recorded(durations)

    assert load(dump(histogram)) == histogram
    assert len(dump(histogram)) == 6 * len(histogram.counts) <= 6 * BUCKETS


@given(MANY, SHARES, SHARES)
def test_quantiles_ascend_with_their_shares(durations: list[int], one: float, other: float) -> None:
    low, high = recorded(durations).quantiles(*sorted((one, other)))

    assert low is not None
    assert high is not None
    assert low <= high


def test_the_quantile_of_nothing_is_nothing() -> None:
    assert Histogram().quantiles(0.5, 0.99) == (None, None)


def test_the_ends_of_the_scale_stand_for_themselves() -> None:
    for duration in (LEAST, MOST):
        assert abs(middle_of(bucket_of(duration)) - duration) <= RELATIVE_ERROR * duration + 1
