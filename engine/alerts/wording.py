"""The words and figures of an alert's sentence. What comes from outside is cleaned here, once. Pure."""

from __future__ import annotations

from engine.kernel.text import clean
from engine.kernel.values import MINUTE, NANOS_PER_USD, SECOND
from engine.surface.snapshot import AccountView, ModelView

_QUOTED = 160  # characters of a text from outside in a summary
_NAMES = 3  # names in a summary before "and n more"


def quote(text: str) -> str:
    return clean(text, limit=_QUOTED).strip()


def model_name(model: ModelView) -> str:
    return quote(f"{model.provider}/{model.model}")


def account_name(account: AccountView) -> str:
    return f"Account {quote(account.name or account.account_id)}"


def listed(names: list[str]) -> str:
    shown = ", ".join(quote(name) for name in names[:_NAMES]) or "model unknown"
    return f"{shown} and {len(names) - _NAMES} more" if len(names) > _NAMES else shown


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {many or one + 's'}"


def usd(amount: int) -> str:
    """To the cent, for sentences; sums are shown exactly elsewhere."""
    cents = (amount * 100 + NANOS_PER_USD // 2) // NANOS_PER_USD
    return f"{cents // 100:,}.{cents % 100:02d} USD"


def span(duration: int) -> str:
    """A duration in its two largest units: 95 s, 12 min, 5 h, 5 h 20 min."""
    if duration < 2 * MINUTE:
        return f"{duration // SECOND} s"
    minutes = duration // MINUTE
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60:,} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60:,} h"


def tens(percent: int) -> str:
    """Ten by ten up to double, then doubling by doubling, so that a runaway does not fill the event log."""
    return f"{percent // 10 * 10}%" if percent < 200 else f"{doublings(percent // 100)}x"


def doublings(number: int) -> str:
    return str(max(0, number).bit_length())
