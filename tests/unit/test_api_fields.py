"""Money and times as JSON writes them, both ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from engine.kernel.values import decimal_usd, from_datetime, iso, usd
from huntaze_console.api.fields import BudgetUsd, Time, Usd, moment, moment_or_day

PARIS = ZoneInfo("Europe/Paris")
NANOS = st.integers(1, usd(999_999_999))


class _In(BaseModel):
    amount: BudgetUsd


class _Out(BaseModel):
    amount: Usd
    at: Time


@given(NANOS)
def test_an_amount_that_was_written_reads_back_to_the_nano_dollar(amount: int) -> None:
    assert _In(amount=decimal_usd(amount)).amount == amount  # type: ignore[arg-type]


@given(st.integers(-usd(10_000), usd(10_000)), st.integers(0, (1 << 63) - 1))
def test_answers_lose_nothing(amount: int, at: int) -> None:
    found = _Out(amount=amount, at=at).model_dump()

    assert Decimal(found["amount"]) * 10**9 == amount
    assert moment(found["at"]) == at - at % 1_000  # read back to the microsecond, which is Python's own limit


@given(st.text(max_size=40))
def test_any_other_text_is_refused_as_money_without_a_crash(text: str) -> None:
    try:
        found = _In(amount=text)  # type: ignore[arg-type]
    except ValidationError:
        return
    assert usd(text) == found.amount


@given(st.text(max_size=40))
def test_any_other_text_is_refused_as_a_time_without_a_crash(text: str) -> None:
    try:
        found = moment_or_day(text, PARIS)
    except ValueError:
        return
    assert 0 <= found < 1 << 63


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2262, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
    st.integers(-14 * 60, 14 * 60),
)
def test_an_offset_is_taken_off(local: datetime, minutes: int) -> None:
    there = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    assert moment(there.isoformat()) == from_datetime(there.astimezone(UTC))


@pytest.mark.parametrize(
    ("day", "begins"),
    [
        ("2026-03-29", "2026-03-28T23:00:00.000000000Z"),  # the clock goes forward that night
        ("2026-10-25", "2026-10-24T22:00:00.000000000Z"),
        ("2026-10-26", "2026-10-25T23:00:00.000000000Z"),
    ],
)
def test_a_date_begins_at_midnight_of_its_zone(day: str, begins: str) -> None:
    assert iso(moment_or_day(day, PARIS)) == begins
