"""The kinds of value a request or an answer is made of: money, instants, ids, as JSON writes them.

Inside, money is integer nano-dollars and an instant integer nanoseconds; in JSON money is a decimal string and an
instant ISO 8601 in UTC. The conversion happens here and only here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

from engine.kernel.values import Instant, decimal_usd, from_datetime, iso, seconds, usd

_END_OF_TIME = 1 << 63  # nanoseconds; the database's integers end there, in the year 2262
_MONEY_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"
_PLAIN_TEXT = r"^[^\x00-\x1f\x7f]+$"  # no control characters: a name stands on screens, an id in a path


def moment(text: object) -> Instant:
    """The instant of an ISO 8601 time with an offset. Raises ValueError otherwise: a naive time would be a guess."""
    if not isinstance(text, str):
        raise ValueError("must be text, an ISO 8601 time such as 2026-11-20T18:00:00+01:00")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"is no ISO 8601 time such as 2026-11-20T18:00:00+01:00{_hint(text)}") from None
    if found.tzinfo is None:
        raise ValueError("has no offset: write it as 2026-11-20T18:00:00+01:00, or with Z for UTC")
    return _kept(from_datetime(found))


def moment_or_day(text: str, zone: ZoneInfo) -> Instant:
    """As `moment`; a bare date is the midnight it begins with, in the costs' time zone."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return moment(text)
    return _kept(from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone)))


def _kept(instant: Instant) -> Instant:
    if not 0 <= instant < _END_OF_TIME:
        raise ValueError("lies outside the years 1970 to 2262")
    return instant


def _hint(text: str) -> str:
    return " (in a query, write + as %2B)" if " " in text else ""


def _amount(text: object) -> int | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError('must be text, a decimal amount of dollars such as "5.00"')
    if len(text) > 19 or not text.isascii() or not text.replace(".", "", 1).isdigit():
        raise ValueError('is no decimal amount of dollars such as "5.00"')
    try:
        amount = usd(text)
    except ValueError:
        raise ValueError("is finer than a nano-dollar (nine decimals)") from None
    if not 0 < amount <= usd(999_999_999):
        raise ValueError("must be more than 0 and less than a billion dollars")
    return amount


def _parsed_moment(value: object) -> int | None:
    return None if value is None else moment(value)


def _schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema(schema)


# ── in answers: from the engine's integers ──────────────────────────────────────────────────────────────────────────

_USD_SCHEMA = {"type": "string", "description": "US dollars, exact", "examples": ["0.00173"]}
_TIME_SCHEMA = {"type": "string", "format": "date-time", "examples": ["2026-11-20T08:00:00.000000000Z"]}

Usd = Annotated[int, PlainSerializer(decimal_usd), WithJsonSchema(_USD_SCHEMA)]
UsdOrNull = Annotated[
    int | None,
    PlainSerializer(lambda amount: None if amount is None else decimal_usd(amount)),
    WithJsonSchema({**_USD_SCHEMA, "type": ["string", "null"]}),
]
Time = Annotated[int, PlainSerializer(iso), WithJsonSchema(_TIME_SCHEMA)]
TimeOrNull = Annotated[
    int | None,
    PlainSerializer(lambda instant: None if instant is None else iso(instant)),
    WithJsonSchema({**_TIME_SCHEMA, "type": ["string", "null"]}),
]
Seconds = Annotated[int, PlainSerializer(seconds), _schema(type="number", description="seconds")]
SecondsOrNull = Annotated[
    int | None,
    PlainSerializer(lambda duration: None if duration is None else seconds(duration)),
    _schema(type=["number", "null"], description="seconds"),
]

# ── in requests: to the engine's integers ───────────────────────────────────────────────────────────────────────────

BudgetUsd = Annotated[
    int | None,
    BeforeValidator(_amount),
    _schema(type=["string", "null"], pattern=_MONEY_PATTERN, examples=["5.00"], description="US dollars"),
]
FutureTime = Annotated[
    int | None,
    BeforeValidator(_parsed_moment),
    _schema(type=["string", "null"], format="date-time", description="ISO 8601 with an offset"),
]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=_PLAIN_TEXT)]
Id = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=_PLAIN_TEXT)]
Prose = Annotated[str, StringConstraints(strict=True, max_length=20_000)]
Digest = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")]
Limit = Annotated[int, Field(ge=1, le=1_000)]
Cursor = Annotated[str, StringConstraints(max_length=500)]
