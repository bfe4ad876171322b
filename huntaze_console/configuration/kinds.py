"""The kinds of value that a configuration file may hold: each says in words what is wrong with one that is none."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, StringConstraints
from pydantic_core import PydanticCustomError

from engine.kernel.secret import Secret
from engine.kernel.text import clean
from engine.kernel.values import NanoUSD, usd

_DAY_SECONDS = 86_400


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _money(value: object) -> object:
    if isinstance(value, int | float):
        raise PydanticCustomError("money", 'money is written in quotes, as in "5.00": a float cannot hold it exactly')
    if not isinstance(value, str):
        raise PydanticCustomError("money", 'is not an amount of dollars in quotes such as "5.00"')
    try:
        amount = usd(value)
    except ValueError as error:
        raise PydanticCustomError("money", 'is not an amount of dollars such as "5.00"') from error
    if amount < 0:
        raise PydanticCustomError("money", "is negative")
    return amount


def _price(value: object) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("price", 'is not a price in dollars per million tokens in quotes, such as "0.15"')
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise PydanticCustomError("price", 'is not a price in dollars per million tokens such as "0.15"') from error
    if not (amount.is_finite() and 0 <= amount <= 1_000_000):
        raise PydanticCustomError("price", "is not between 0 and 1000000 dollars per million tokens")
    return amount


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PydanticCustomError("day", "is not a day such as 2026-01-31") from error


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise PydanticCustomError("zone", "is not a time zone such as Europe/Paris") from error
    return name


def _address(url: str) -> str:
    if not url:
        return url
    if not url.startswith(("http://", "https://")):
        raise PydanticCustomError("address", "is not an address that starts with https:// or http://")
    if "@" in url.split("//", 1)[1].split("/", 1)[0]:
        raise PydanticCustomError("address", "holds a user or password; a secret does not belong into an address")
    if any(not "!" <= letter <= "~" for letter in url):
        raise PydanticCustomError("address", "holds a blank or a character no address can hold")
    return url.rstrip("/")


def _variable(name: str) -> str:
    if name and not (name.replace("_", "").isalnum() and name.upper() == name and not name[0].isdigit()):
        raise PydanticCustomError("variable", "is not the NAME of an environment variable, such as OPENAI_API_KEY")
    return name


def one_line(text: str) -> str:
    if not text.strip() or clean(text) != text or text.strip() != text:
        raise PydanticCustomError("one_line", "must be one line of visible text without blanks around it")
    return text


def _no_literal(value: object) -> object:
    if not isinstance(value, Secret):
        raise PydanticCustomError("secret_in_file", "a secret does not belong into a configuration file")
    return value


def _temperature(value: object) -> object:
    return None if value == "default" else value


Seconds = Annotated[float, Field(gt=0, le=400 * _DAY_SECONDS)]
Wait = Annotated[float, Field(ge=0, le=400 * _DAY_SECONDS)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Rated = Annotated[int, Field(ge=0, le=10**15)]
Share = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[Annotated[float, Field(ge=0, le=2)] | None, BeforeValidator(_temperature)]
Rate = Annotated[float, Field(gt=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Money = Annotated[NanoUSD, BeforeValidator(_money)]
Price = Annotated[Decimal, BeforeValidator(_price)]
Day = Annotated[date, BeforeValidator(_day)]
Zone = Annotated[str, AfterValidator(_zone)]
Address = Annotated[str, AfterValidator(_address)]
Variable = Annotated[str, AfterValidator(_variable)]
Words = Annotated[tuple[str, ...], Field(strict=False)]
KeyNames = Annotated[Words, BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Key = Annotated[InstanceOf[Secret], BeforeValidator(_no_literal)]
