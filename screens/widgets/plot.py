"""Charts over time, drawn with characters: a line, an area or blocks, with axes, units and a limit. Pure.

A row of a chart is one run of one tone, two where the limit crosses it, so a chart costs next to nothing to paint.
Every line is exactly as wide as was asked for, whatever the size and the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from rich.cells import cell_len

from engine.kernel.periods import day_bounds
from engine.kernel.values import DAY, HOUR, MILLISECOND, MINUTE, NANOS_PER_USD, SECOND, to_datetime
from screens.drawing import BLANK, Line, Span, padded
from screens.formatting import count_short, fit

Unit = Literal["money", "time", "count", "share"]
Style = Literal["line", "area", "blocks"]

_HIGH = " ▁▂▃▄▅▆▇█"
_LABELS_FROM = 20  # columns from which the values have an axis of their own
_TIMES_FROM = 4  # rows from which the times have one
_FAR = 3  # a limit so many times above the highest value stands beside the chart, not in it
_TICKS = (
    *(SECOND * each for each in (1, 2, 5, 10, 15, 30)), *(MINUTE * each for each in (1, 2, 5, 10, 15, 30)),
    *(HOUR * each for each in (1, 2, 3, 6, 12)), *(DAY * each for each in (1, 2, 7, 14, 28, 91, 365)),
)  # fmt: skip
_ROUND_TIMES = (
    *(MILLISECOND * each * ten for ten in (1, 10, 100, 1_000) for each in (1, 2, 5)),
    *(SECOND * each for each in (10, 20, 30)), *(MINUTE * each for each in (1, 2, 5, 10, 15, 30)),
    *(HOUR * each for each in (1, 2, 3, 6, 12)), *(DAY * each for each in (1, 2, 5, 10, 20, 50, 100)),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a chart shows: a value for each step, oldest first, None where none is known.

    `start` and `step` are nanoseconds. Amounts of money are nano-dollars, durations nanoseconds, shares millionths.
    """

    values: Sequence[int | None]
    start: int
    step: int
    unit: Unit = "count"
    limit: int | None = None

    @property
    def end(self) -> int:
        return self.start + self.step * len(self.values)

    @property
    def top(self) -> int:
        """The highest value; 0 of none."""
        return max((value for value in self.values if value is not None), default=0)


def plot(
    course: Course, width: int, height: int, zone: ZoneInfo, *, style: Style = "area", tone: str = "gauge"
) -> list[Line]:
    """A chart in exactly `height` lines of exactly `width` cells; the times are those of `zone`.

    A chart that was drawn lately is not drawn again: most paintings find the same course.
    """
    fixed = course if isinstance(course.values, tuple) else replace(course, values=tuple(course.values))
    return list(_drawn(fixed, width, height, zone, style, tone))


@lru_cache(maxsize=32)
def _drawn(course: Course, width: int, height: int, zone: ZoneInfo, style: Style, tone: str) -> tuple[Line, ...]:
    if width <= 0 or height <= 0:
        return (BLANK,) * max(height, 0)
    times = height >= _TIMES_FROM and width >= _LABELS_FROM
    rows = height - 2 if times else height
    top = scale(course)
    labels = _labels(course, top, rows) if width >= _LABELS_FROM else {}
    margin = max((cell_len(text) for text in labels.values()), default=0)
    room = width - margin - 1 if labels else width
    lines = _body(course, top, room, rows, style, tone)
    if labels:
        lines = [_edge(labels.get(at, ""), margin, tick=at in labels) + line for at, line in enumerate(lines)]
    if times:
        lines += _time_axis(course, room, margin, zone)
    return tuple(padded(line, width) for line in lines)


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def scale(course: Course) -> int:
    """The value at the upper edge: a round one that the highest value, and a limit not far above it, stand below."""
    highest = max(course.top, 1)
    if course.limit is not None and 0 < course.limit <= highest * _FAR:
        highest = max(highest, course.limit)
    return rounded_up(highest, course.unit)


def rounded_up(value: int, unit: Unit) -> int:
    """The least round number at or above a value: 1, 2 or 5 with noughts; of time what clocks show."""
    if unit == "share":
        return next((each for each in (10_000, 20_000, 50_000, 100_000, 200_000, 500_000) if each >= value), 1_000_000)
    if unit == "time":
        found = next((each for each in _ROUND_TIMES if each >= value), None)
        return found if found is not None else -(-value // (100 * DAY)) * 100 * DAY
    ten: int = 10 ** max(0, len(str(max(value, 1))) - 1)
    return next(part * ten // 2 for part in (2, 3, 4, 5, 10, 15, 20) if part * ten // 2 >= value)


def tick_label(value: int, unit: Unit) -> str:
    """A value as it stands beside an axis: short, with its unit."""
    if unit == "money":
        return _money_label(value)
    if unit == "time":
        return _time_label(value)
    if unit == "share":
        return f"{value / 10_000:g} %" if value % 10_000 == 0 else f"{value / 10_000:.1f} %"
    return count_short(value)


def _money_label(amount: int) -> str:
    """As few digits as tell the ticks of one axis apart."""
    if amount >= 1_000_000 * NANOS_PER_USD:
        return f"${amount / NANOS_PER_USD / 1_000_000:.4g} M"
    if amount >= 10_000 * NANOS_PER_USD:
        return f"${amount / NANOS_PER_USD / 1_000:.4g} k"
    if amount % NANOS_PER_USD == 0:
        return f"${amount // NANOS_PER_USD:,}"
    if amount >= NANOS_PER_USD // 100_000:
        whole, _, part = f"{amount / NANOS_PER_USD:.7f}".rstrip("0").partition(".")
        return f"${whole}.{part:0<2}"
    return f"{amount / 1_000:g} µ$"


def _time_label(span: int) -> str:
    if span == 0:
        return "0"
    if span < MILLISECOND:
        return f"{span / 1_000:.3g} µs"
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")):
        if span >= unit:
            return f"{span / unit:.3g} {name}" if span < 1_000 * unit else f"{span // unit} {name}"
    return f"{span / MILLISECOND:.3g} ms"


def _labels(course: Course, top: int, rows: int) -> dict[int, str]:
    """The values beside the chart, by row: the upper edge, the middle where there is room, nought at the bottom."""
    if rows < 1:
        return {}
    found = {0: tick_label(top, course.unit)}
    if rows >= 2:
        found[rows - 1] = tick_label(0, course.unit)
    if rows >= 5 and rows % 2 and top % 2 == 0:
        found[rows // 2] = tick_label(top // 2, course.unit)
    return found


def _edge(label: str, margin: int, *, tick: bool) -> Line:
    return ((fit(label, margin, right=True) + ("┤" if tick else "│"), "dim"),)


# ── the body ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _body(course: Course, top: int, room: int, rows: int, style: Style, tone: str) -> list[Line]:
    if style == "blocks":
        drawn = _blocks(resampled(course.values, room), top, rows)
    else:
        drawn = _dots(resampled(course.values, room * 2), top, rows, line=style == "line")
    limit = course.limit
    if limit is None or limit <= 0:
        return [_row(text, tone) for text in drawn]
    if limit > top:
        return [
            _above(drawn[0], tone, tick_label(limit, course.unit)),
            *(_row(text, tone) for text in drawn[1:]),
        ]
    at = min(rows - 1, rows * (top - limit) // top)
    return [
        _crossed(text, tone) if row == at else _row(text, "bad" if row < at else tone) for row, text in enumerate(drawn)
    ]


def _row(text: str, tone: str) -> Line:
    return ((text, tone),) if text.strip() else ((text, "plain"),)


def _crossed(text: str, tone: str) -> Line:
    """The row in which the limit lies: its line wherever nothing is drawn."""
    line: list[Span] = []
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or (text[at] == " ") is not (text[start] == " "):
            part = text[start:at]
            line.append(("┄" * len(part), "warn") if part[0] == " " else (part, tone))
            start = at
    return tuple(line)


def _above(text: str, tone: str, label: str) -> Line:
    """The uppermost row, with a limit that lies above the chart told at its right edge where nothing is drawn."""
    note = f" ↑ limit {label}"
    length = cell_len(note)
    if length >= len(text) or text[-length:].strip():
        return _row(text, tone)
    return (*_row(text[:-length], tone), (note, "dim"))


def resampled(values: Sequence[int | None], columns: int) -> list[int | None]:
    """As many values as columns: each the highest of its part of the course, so that no peak is lost; None of none."""
    number = len(values)
    if not number or columns <= 0:
        return [None] * max(columns, 0)
    found: list[int | None] = []
    for column in range(columns):
        first = column * number // columns
        after = max(first + 1, (column + 1) * number // columns)
        found.append(max((value for value in values[first:after] if value is not None), default=None))
    return found


def _dots(values: Sequence[int | None], top: int, rows: int, *, line: bool) -> list[str]:
    """Braille: two values a cell and four steps a row."""
    heights = [None if value is None else _height(value, top, rows * 4) for value in values]
    return _dotted_line(heights, rows) if line else _dotted_area([high or 0 for high in heights], rows)


def _dotted_area(heights: Sequence[int], rows: int) -> list[str]:
    pairs = list(zip(heights[::2], heights[1::2], strict=True))
    return [
        "".join(_FILLED[min(max(left - base, 0), 4)][min(max(right - base, 0), 4)] for left, right in pairs)
        for base in range((rows - 1) * 4, -1, -4)
    ]


def _dotted_line(heights: Sequence[int | None], rows: int) -> list[str]:
    """Each value joined to the one before; what is nothing or not known parts the line."""
    grid = [[0] * (len(heights) // 2) for _ in range(rows)]
    before: int | None = None
    for column, high in enumerate(heights):
        if high:
            low = min(high, before + 1) if before and before < high else high
            peak = max(high, before - 1) if before and before > high else high
            for dot in range(low, peak + 1):
                row, part = divmod(rows * 4 - dot, 4)
                grid[row][column // 2] |= _DOTS[column % 2][part]
        before = high or None
    return ["".join(chr(_BRAILLE + cell) if cell else " " for cell in row) for row in grid]


_BRAILLE = 0x2800
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of the left and the right column, from the top
_FILLED = tuple(  # by how many dots of the left and of the right column are set, from the bottom
    tuple(
        chr(_BRAILLE + sum(_DOTS[0][4 - left :]) + sum(_DOTS[1][4 - right :])) if left or right else " "
        for right in range(5)
    )
    for left in range(5)
)


def _blocks(values: Sequence[int | None], top: int, rows: int) -> list[str]:
    """One value a cell and eight steps a row."""
    heights = [0 if value is None else _height(value, top, rows * 8) for value in values]
    return ["".join(_HIGH[min(max(high - row * 8, 0), 8)] for high in heights) for row in range(rows - 1, -1, -1)]


def _height(value: int, top: int, steps: int) -> int:
    """Steps above the bottom: at least one for anything, none for nothing."""
    return 0 if value <= 0 else min(steps, max(1, -(-value * steps // top)))


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _time_axis(course: Course, room: int, margin: int, zone: ZoneInfo) -> list[Line]:
    span = max(course.end - course.start, 1)
    places = [((at - course.start) * room // span, text) for at, text in time_ticks(course, room, zone)]
    rule, words = ["─"] * room, [" "] * room
    free = 0  # the first cell that no label stands in yet
    for column, text in places:
        if not 0 <= column < room:
            continue
        rule[column] = "┬"
        start = min(max(column - len(text) // 2, 0), room - len(text))
        if start >= free and start >= 0:
            words[start : start + len(text)] = text
            free = start + len(text) + 1
    lead = " " * margin
    return [((f"{lead}└{''.join(rule)}", "dim"),), ((f"{lead} {''.join(words)}", "dim"),)]


def time_ticks(course: Course, room: int, zone: ZoneInfo) -> list[tuple[int, str]]:
    """Instants to mark and what to call them, on round times of the zone, as many as have room."""
    span = max(course.end - course.start, 1)
    for every in _TICKS:
        spell = _speller(every, zone)
        if span // every * (len(spell(course.start)) + 3) <= room:
            return [(at, spell(at)) for at in _round_times(course.start, course.end, every, zone)]
    return []


def _speller(every: int, zone: ZoneInfo) -> Callable[[int], str]:
    form = "%H:%M:%S" if every < MINUTE else "%H:%M" if every < DAY else "%d %b" if every < 300 * DAY else "%Y"
    return lambda at: to_datetime(at).astimezone(zone).strftime(form)


def _round_times(start: int, end: int, every: int, zone: ZoneInfo) -> Iterator[int]:
    """The instants of [start, end) at which the zone's clocks show a multiple of `every`; of days, its midnights."""
    at = start
    if every >= DAY:
        days = every // DAY
        for _ in range(400):
            at = day_bounds(at, zone)[1]
            if at >= end:
                return
            if to_datetime(at).astimezone(zone).toordinal() % days == 0:
                yield at
        return
    at = _next_round(start - 1, every, zone)
    while at < end:
        yield at
        at = _next_round(at, every, zone)


def _next_round(at: int, every: int, zone: ZoneInfo) -> int:
    """The next instant after `at` at which the zone's clocks show a multiple, also where they are put forth or back."""
    shift = _offset(at + 1, zone)
    found = ((at + shift) // every + 1) * every - shift
    moved = _offset(found, zone)
    if moved != shift:
        found = max(at + 1, (found + moved + every // 2) // every * every - moved)
    return found


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = to_datetime(at).astimezone(zone).utcoffset()
    return round(offset.total_seconds()) * SECOND if offset is not None else 0


# ── one line ────────────────────────────────────────────────────────────────────────────────────────────────────────


def sparkline(values: Sequence[int | None], width: int, tone: str = "gauge") -> Span:
    """A course in one line of `width` cells, as high as its part of the highest value; nothing known is a blank."""
    course = resampled(values, width)
    top = max((value for value in course if value is not None), default=0)
    if top <= 0:
        return " " * max(width, 0), tone
    return "".join(_HIGH[_height(value or 0, top, 8)] for value in course), tone
