"""Values as text. Pure. Text from outside is made safe for the terminal here and only here.

Amounts are nano-dollars, instants and durations nanoseconds. A number always says its unit; a value that is not there
is an en dash.
"""

from __future__ import annotations

import unicodedata
from zoneinfo import ZoneInfo

from engine.kernel.text import unpiled
from engine.kernel.values import DAY, HOUR, MILLISECOND, MINUTE, NANOS_PER_USD, SECOND, to_datetime
from screens.cells import beginning, most_cells

NONE = "–"
ELLIPSIS = "…"
LONGEST = 4_000  # characters of one outside text that are ever looked at
_MOST_PER_CELL = 4  # characters: a letter and its marks; of a longer text nobody measures more than that
_CENT = NANOS_PER_USD // 100
_LARGE = 100_000 * NANOS_PER_USD  # cents no longer matter

# Bidi controls, zero-width and invisible characters, variation selectors, tags: none of them is ever a visible letter.
_INVISIBLE = {
    0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x2800, 0x3164, 0xFEFF, 0xFFA0,
    *range(0x180B, 0x1810), *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFFC), *range(0x1D173, 0x1D17B), *range(0x1F3FB, 0x1F400),
    *range(0xE0000, 0xE0FFF + 1),
}  # fmt: skip


def clean(text: str, *, longest: int = LONGEST) -> str:
    """Outside text as one line that can neither style, move nor escape the terminal. Line ends become blanks."""
    cut = text[:longest]
    if cut.isascii() and cut.isprintable():
        return cut + (ELLIPSIS if len(text) > longest else "")
    kept = unicodedata.normalize("NFC", cut).translate(_SAFE)
    return unpiled(kept) + (ELLIPSIS if len(text) > longest else "")


class _Safe(dict[int, str]):
    """What stands for each letter, worked out once a letter: itself, a blank, or nothing."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        category = unicodedata.category(letter)
        if letter in "\n\r\t\v\f" or category in ("Zl", "Zp"):
            found = " "
        else:
            found = "" if category[0] == "C" or code in _INVISIBLE else letter
        if code < _REMEMBERED:
            self[code] = found
        return found


_REMEMBERED = 0x3000  # what hostile texts could make it grow to
_SAFE = _Safe()


def clean_lines(text: str, width: int, *, most: int = 400) -> list[str]:
    """Outside text as safe lines at most `width` cells wide, its own line ends kept; the rest is counted, not shown."""
    lines: list[str] = []
    for part in text[: LONGEST * 4].replace("\r\n", "\n").split("\n"):
        lines.extend(wrap(clean(part), width))
        if len(lines) > most:
            return [*lines[:most], f"{ELLIPSIS} and more"]
    return (
        [*lines, f"{ELLIPSIS} and {count(len(text) - LONGEST * 4)} more characters"][:most]
        if len(text) > LONGEST * 4
        else lines
    )


def wrap(text: str, width: int) -> list[str]:
    """Words folded to lines of at most `width` cells; a longer word is cut."""
    lines, line = [], ""
    for word in text.split(" "):
        while len(word) > _MOST_PER_CELL * width or most_cells(word) > width:
            room = beginning(word[: _MOST_PER_CELL * width], width) or word[:1]
            if line:
                lines.append(line)
                line = ""
            lines.append(room)
            word = word[len(room) :]
        joined = f"{line} {word}" if line else word
        if most_cells(joined) > width:
            lines.append(line)
            line = word
        else:
            line = joined
    return [*lines, line]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Text in exactly `width` cells: padded, or cut with an ellipsis."""
    width = max(width, 0)
    length = most_cells(text)
    if length > width:
        cut = beginning(text, width - 1)
        return cut + " " * (width - 1 - most_cells(cut)) + ELLIPSIS if width else ""
    return " " * (width - length) + text if right else text + " " * (width - length)


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def money(amount: int | None) -> str:
    """A total, to the cent: $1,204.50, from $100,000 on to the dollar. Under a cent but not nothing says so."""
    if amount is None:
        return NONE
    if 0 < amount < _CENT:
        return "<$0.01"
    sign = "-" if amount < 0 else ""
    if abs(amount) >= _LARGE:
        return f"{sign}${_large(abs(amount) // NANOS_PER_USD)}"
    cents = (abs(amount) + _CENT // 2) // _CENT
    return f"{sign}${cents // 100:,}.{cents % 100:02d}"


def _large(dollars: int) -> str:
    return f"{dollars:,}" if dollars < 10_000_000 else f"{dollars / 1_000_000:,.1f} M"


def money_short(amount: int | None) -> str:
    """A threshold or a bound: without the cents where they are none."""
    return money(amount).removesuffix(".00")


def price(amount: int | None) -> str:
    """The cost of one call: in full below a cent, to the hundredth of a cent above."""
    if amount is None:
        return "unpriced"
    if abs(amount) >= _CENT:
        return f"${amount / NANOS_PER_USD:,.4f}"
    digits = f"{amount / NANOS_PER_USD:.9f}".rstrip("0")
    return f"${digits}" if "." in digits and not digits.endswith(".") else "$0"


def rate(amount: int) -> str:
    """Money by the minute, three digits behind the point."""
    return f"${amount / NANOS_PER_USD:,.3f}/min"


def count(number: int) -> str:
    return f"{number:,}"


def count_short(number: int) -> str:
    """Large counts in three digits: 9,999 then 12.4 k and 3.1 M."""
    if abs(number) < 10_000:
        return f"{number:,}"
    if abs(number) < 1_000_000:
        return f"{number / 1_000:.1f} k" if abs(number) < 100_000 else f"{number // 1_000} k"
    return f"{number / 1_000_000:,.1f} M"


def percent(part: int, whole: int) -> str:
    """A share; one digit behind the point below ten percent, and never 0 for something or 100 for not all."""
    if not whole:
        return NONE
    share = 100 * part / whole
    if share >= 1_000:
        return ">999 %"
    if share == 0 or share >= 10:
        return f"{min(int(share), 99) if part < whole and share > 99 else round(share)} %"
    return f"{share:.1f} %" if share >= 0.1 else "<0.1 %"


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def duration(span: int) -> str:
    """A measured duration, as on a call: 140 ms, 0.4 s, 12 s, 2 m 10 s, 3 h 4 m, 2 d 4 h."""
    span = max(span, 0)
    if span < 100 * MILLISECOND:
        return f"{span // MILLISECOND} ms"
    if span < 10 * SECOND:
        return f"{span / SECOND:.1f} s"
    return _units(span)


def age(span: int) -> str:
    """How long ago or until: whole seconds below a minute, then only what matters: 4 s, 2 m, 38 m, 3 h, 2 d."""
    span = max(span, 0)
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if span >= unit:
            return f"{span // unit} {name}"
    return f"{span // SECOND} s"


def age_rough(span: int) -> str:
    """As `age`, for what is not painted every second: less than a minute says only that."""
    return age(span) if span >= MINUTE else "<1 m"


def _units(span: int) -> str:
    if span >= DAY:
        return f"{span // DAY} d {span % DAY // HOUR} h"
    if span >= HOUR:
        return f"{span // HOUR} h {span % HOUR // MINUTE} m"
    if span >= MINUTE:
        return f"{span // MINUTE} m {span % MINUTE // SECOND} s"
    return f"{span // SECOND} s"


def clock(instant: int, zone: ZoneInfo) -> str:
    """Hour and minute in the operator's zone."""
    return f"{to_datetime(instant).astimezone(zone):%H:%M}"


def clock_exact(instant: int, zone: ZoneInfo) -> str:
    return f"{to_datetime(instant).astimezone(zone):%H:%M:%S}"


def moment(instant: int | None, now: int, zone: ZoneInfo) -> str:
    """A point in time as one would say it: 16:12, 16:12 tomorrow, 16:12 on 24 Nov."""
    if instant is None:
        return NONE
    then, today = to_datetime(instant).astimezone(zone), to_datetime(now).astimezone(zone)
    days = (then.date() - today.date()).days
    if days == 0:
        return f"{then:%H:%M}"
    if abs(days) == 1:
        return f"{then:%H:%M} {'tomorrow' if days == 1 else 'yesterday'}"
    return f"{then:%H:%M} on {then.day} {then:%b}{f' {then:%Y}' if then.year != today.year else ''}"


def moment_there(instant: int | None, now: int, zone: ZoneInfo) -> str:
    """As `moment`, with its zone, for what a person plans by: 09:00 Europe/Paris tomorrow."""
    if instant is None:
        return NONE
    time, _, day = moment(instant, now, zone).partition(" ")
    return f"{time} {zone.key} {day}".rstrip()


def stamp(instant: int | None, zone: ZoneInfo) -> str:
    """Date and time to the second, for a single record."""
    return NONE if instant is None else f"{to_datetime(instant).astimezone(zone):%Y-%m-%d %H:%M:%S}"


def zone_name(instant: int, zone: ZoneInfo) -> str:
    return to_datetime(instant).astimezone(zone).tzname() or zone.key


def plural(number: int, one: str, many: str = "") -> str:
    """A count with its noun: 1 fan, 1,000 fans."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
