"""Money, ids and instants: the words every package shares.

Money is an integer count of nano-dollars, an instant an integer count of nanoseconds since the epoch in UTC. Neither is
ever a float inside; they become decimals and aware datetimes at the edge, with the functions below.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import NewType, Protocol

NanoUSD = NewType("NanoUSD", int)
Instant = NewType("Instant", int)  # nanoseconds since the epoch, UTC

AccountId = NewType("AccountId", str)
AlertId = NewType("AlertId", str)
AttemptId = NewType("AttemptId", str)
CampaignId = NewType("CampaignId", str)
DeliveryId = NewType("DeliveryId", str)
FanId = NewType("FanId", str)
JobId = NewType("JobId", str)
TenantId = NewType("TenantId", str)
TraceId = NewType("TraceId", str)
UserId = NewType("UserId", str)

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NANOS_PER_USD = 1_000_000_000

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)  # ten bits at once
_SHIFTS = tuple(range(120, -1, -10))
_STAMPED = re.compile(
    rf"(?:.*_(?P<stamp>[{_CROCKFORD}]{{10}})[{_CROCKFORD}]{{16}}|(?P<hex>[0-9a-f]{{12}})[0-9a-f]{{20}})"
)


def usd(amount: str | int | Decimal) -> NanoUSD:
    """Nano-dollars of a decimal amount of dollars. Raises ValueError for anything finer than a nano-dollar."""
    try:
        nanos = Decimal(amount) * NANOS_PER_USD
    except InvalidOperation as error:
        raise ValueError(f"{amount!r} is not an amount of dollars such as 5.00") from error
    if not nanos.is_finite() or nanos != nanos.to_integral_value():
        raise ValueError(f"{amount!r} is not a whole number of nano-dollars")
    return NanoUSD(int(nanos))


def round_nanos(amount: Decimal, *, up: bool = False) -> NanoUSD:
    """Nano-dollars of a decimal dollar amount, half to even; `up` for worst cases, which must never be too small."""
    rounding = ROUND_CEILING if up else ROUND_HALF_EVEN
    return NanoUSD(int((amount * NANOS_PER_USD).to_integral_value(rounding)))


def decimal_usd(amount: NanoUSD | int) -> str:
    """The exact decimal string of an amount, at least two places: 5000000000 -> "5.00", 1 -> "0.000000001"."""
    sign, nanos = ("-", -amount) if amount < 0 else ("", amount)
    whole, fraction = divmod(nanos, NANOS_PER_USD)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{sign}{whole}.{digits:0<2}"


def seconds(duration: int) -> float:
    """A duration in nanoseconds as seconds, for libraries that want a float."""
    return duration / SECOND


def nanos(duration_seconds: float) -> int:
    """A duration in seconds, as configuration states it, in nanoseconds."""
    return round(duration_seconds * SECOND)


def to_datetime(instant: Instant | int) -> datetime:
    """The aware UTC datetime of an instant, cut to microseconds."""
    whole, rest = divmod(instant, SECOND)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest // MICROSECOND)


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime. Raises ValueError for a naive one: its zone would be a guess."""
    if moment.tzinfo is None:
        raise ValueError("the time has no zone: write it with an offset, as in 2026-11-20T18:00:00+01:00")
    delta = moment - datetime.fromtimestamp(0, UTC)
    return Instant((delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * MICROSECOND)


def iso(instant: Instant | int) -> str:
    """ISO 8601 UTC with nine decimals, so that the text sorts as the instants do and loses nothing."""
    whole, rest = divmod(instant, SECOND)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


class Random(Protocol):
    """The part of `random.Random` that the engine asks for; injected, so that a seed repeats a run."""

    def random(self) -> float: ...
    def getrandbits(self, k: int, /) -> int: ...
    def uniform(self, a: float, b: float) -> float: ...


def new_id(prefix: str, now: Instant | int, chance: Random) -> str:
    """A sortable unique id such as `cmp_01jd…`: 48 bits of milliseconds, then 80 bits of chance, Crockford base 32."""
    number = (now // MILLISECOND & (1 << 48) - 1) << 80 | chance.getrandbits(80)
    return f"{prefix}_{''.join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])}"


def new_hex_id(now: Instant | int, chance: Random) -> str:
    """The same 128 bits as 32 hexadecimal digits, for those who expect a trace's id as W3C writes it."""
    return f"{now // MILLISECOND & (1 << 48) - 1:012x}{chance.getrandbits(80):020x}"


def instant_in(name: str) -> Instant | None:
    """When an id of `new_id` or `new_hex_id` was made, to the millisecond; None of any other text."""
    found = _STAMPED.fullmatch(name)
    if found is None:
        return None
    if found["hex"]:
        return Instant(int(found["hex"], 16) * MILLISECOND)
    number = 0  # the first ten letters: two bits more than the 48 need, and those are 0
    for letter in found["stamp"]:
        number = number << 5 | _CROCKFORD.index(letter)
    return Instant(number * MILLISECOND)
