"""Lines of styled text, and the small marks made of them: gauges, sparklines, slots, badges. Pure.

A line is a tuple of spans, a span a text and a *tone*: the name of a role ("bad", "dim") that the theme turns into a
colour. No markup exists on this way, and equal lines are equal values, so that only what changed is painted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.kernel.values import MINUTE
from screens.cells import most_cells
from screens.formatting import fit

Span = tuple[str, str]
Line = tuple[Span, ...]

BLANK: Line = ()
_EIGHTHS_WIDE = " ▏▎▍▌▋▊▉█"
_EIGHTHS_HIGH = " ▁▂▃▄▅▆▇█"

# state → (glyph, tone, word); a state is told by its glyph as well as by its colour.
_STATES: dict[str, tuple[str, str, str]] = {
    "ok": ("✔", "ok", "ok"), "closed": ("✔", "ok", "closed"), "running": ("▶", "ok", "running"),
    "open": ("✖", "bad", "open"), "half_open": ("◐", "warn", "half open"),
    "draft": ("✎", "dim", "draft"), "awaiting_approval": ("✎", "warn", "to approve"),
    "scheduled": ("◷", "accent", "scheduled"), "paused": ("‖", "warn", "paused"),
    "finished": ("✔", "dim", "finished"), "cancelled": ("∅", "dim", "cancelled"), "failed": ("✖", "bad", "failed"),
    "pending": ("·", "dim", "pending"), "drafted": ("✎", "warn", "to approve"),
    "approved": ("✔", "accent", "approved"),
    "queued": ("…", "plain", "queued"), "sending": ("▷", "accent", "sending"), "sent": ("✔", "ok", "sent"),
    "uncertain": ("?", "bad", "uncertain"), "skipped": ("–", "dim", "left out"), "rejected": ("∅", "dim", "rejected"),
    "expired": ("∅", "dim", "expired"),
    "ready": ("·", "plain", "ready"), "delayed": ("◷", "dim", "delayed"), "leased": ("▶", "accent", "leased"),
    "parked": ("‖", "warn", "parked"), "dead": ("✖", "bad", "dead"), "done": ("✔", "dim", "done"),
    "critical": ("▲", "bad", "critical"), "warning": ("●", "warn", "warning"), "info": ("○", "accent", "info"),
    "off": ("–", "dim", "off"), "behind": ("◐", "warn", "behind"), "failing": ("✖", "bad", "failing"),
    "degraded": ("◐", "warn", "degraded"), "down": ("✖", "bad", "down"),
    "starting": ("◌", "dim", "starting"), "draining": ("◒", "warn", "draining"), "stopped": ("■", "dim", "stopped"),
}  # fmt: skip


def span(text: str, tone: str = "plain") -> Span:
    return text, tone


def cell(text: str, width: int, tone: str = "plain", *, right: bool = False) -> Span:
    """A span of exactly `width` cells."""
    return fit(text, width, right=right), tone


def width_of(line: Line) -> int:
    return sum(most_cells(text) for text, _ in line)


def cut(line: Line, width: int) -> Line:
    """At most `width` cells of a line."""
    kept: list[Span] = []
    for text, tone in line:
        length = most_cells(text)
        if length >= width:
            return (*kept, (fit(text, width), tone)) if width > 0 else tuple(kept)
        kept.append((text, tone))
        width -= length
    return tuple(kept)


def padded(line: Line, width: int) -> Line:
    """Exactly `width` cells of a line."""
    short = width - width_of(line)
    return (*line, (" " * short, "plain")) if short > 0 else cut(line, width)


def beside(left: Sequence[Line], right: Sequence[Line], width: int, gap: int) -> list[Line]:
    """Two blocks side by side, the left one in `width` cells."""
    blank = ((" " * gap, "plain"),)
    rows = max(len(left), len(right))
    pad = [*left, *[BLANK] * (rows - len(left))]
    other = [*right, *[BLANK] * (rows - len(right))]
    return [padded(one, width) + blank + two if two else one for one, two in zip(pad, other, strict=True)]


def spread(left: Line, right: Line, width: int) -> Line:
    """One line, its right part at the right edge; where both do not fit the left one is cut."""
    room = width - width_of(right)
    return padded(left, room) + right if room > 0 else cut(right, width)


def state(name: str) -> tuple[str, str, str]:
    """Glyph, tone and word of a state."""
    return _STATES.get(name, ("·", "plain", name.replace("_", " ")))


def badge(name: str) -> Line:
    glyph, tone, word = state(name)
    return ((f"{glyph} {word}", tone),)


# ── marks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def gauge(part: int, whole: int, width: int, tone: str = "gauge") -> Line:
    """A bar `width` cells wide, filled to the eighth of a cell."""
    eighths = min(max(part, 0), whole) * width * 8 // whole if whole > 0 else 0
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (_EIGHTHS_WIDE[rest] if rest else "")
    return ((filled, tone), ("·" * (width - len(filled)), "track"))


def level(part: int, whole: int) -> str:
    """The tone of a use against its limit: calm, warn from four fifths, bad at the limit."""
    if whole <= 0 or part * 5 < whole * 4:
        return "gauge"
    return "warn" if part < whole else "bad"


def spark(values: Sequence[int], tone: str = "gauge") -> Span:
    """One character a value, as high as its part of the largest; nothing is a blank, anything at least a line."""
    top = max(values, default=0)
    if top <= 0:
        return " " * len(values), tone
    return "".join(_EIGHTHS_HIGH[max(1, value * 8 // top) if value > 0 else 0] for value in values), tone


def by_minute(minutes: Iterable[tuple[int, int]], now: int, columns: int, kept: int = 60) -> list[int]:
    """The last `kept` minutes of cost history summed into `columns` columns, oldest first; best where these divide."""
    newest = now - now % MINUTE
    sums = [0] * columns
    for start, amount in minutes:
        back = (newest - start) // MINUTE
        if 0 <= back < kept:
            sums[columns - 1 - back * columns // kept] += amount
    return sums


def even(minutes: Iterable[tuple[int, int]], now: int, room: int) -> list[int]:
    """The last hour in at most `room` columns, each as many minutes wide as every other."""
    columns = next((each for each in (60, 30, 20, 15, 12) if each <= room), 10)
    return [value for value in by_minute(minutes, now, columns) for _ in range(max(1, room // columns))]


def slots(free: int, limit: int, width: int) -> Line:
    """A dot a slot, free ones filled; more slots than `width` become a gauge."""
    if limit > width:
        return gauge(free, limit, width, "ok" if free else "bad")
    return (("●" * free, "ok"), ("○" * (limit - free), "dim"))
