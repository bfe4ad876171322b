"""What the console says in passing: what stands of it, in which lines, and where these cover nothing one acts on.

The newest stands last. The same words said again are counted, not repeated. A notice goes once there was time to read
it; an error then waits for a key, so that whoever was away still finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.geometry import Region

from screens.drawing import Line, cell, cut, padded, state, width_of
from screens.formatting import count, wrap
from screens.widgets.board import Board

_KEPT = 4  # notices at most; the oldest goes first, one that is no error before one that is
_EACH = 3  # lines of one notice
_WIDEST = 76  # cells
_LEAST, _LETTERS = 4.0, 15  # seconds a notice stands at least, and letters of it that are read in one
_MARKS = {"information": state("info")[:2], "warning": state("warning")[:2], "error": state("failing")[:2]}


@dataclass(frozen=True, slots=True)
class Notice:
    """Clean words; `until` is when they can have been read, in seconds of a clock that never turns back."""

    text: str
    severity: str  # information, warning, error
    until: float
    times: int = 1


def said(standing: Sequence[Notice], text: str, severity: str, now: float) -> tuple[Notice, ...]:
    """What stands once this was said, too."""
    times = 1 + sum(one.times for one in standing if (one.text, one.severity) == (text, severity))
    kept = [one for one in standing if (one.text, one.severity) != (text, severity)]
    if len(kept) == _KEPT:
        kept.remove(next((one for one in kept if one.severity != "error"), kept[0]))
    return (*kept, Notice(text, severity, now + max(_LEAST, len(text) / _LETTERS), times))


def standing_at(notices: Sequence[Notice], now: float, *, pressed: bool = False) -> tuple[Notice, ...]:
    """What still stands at an instant, at which a key was `pressed` or not."""
    return tuple(one for one in notices if now < one.until or (one.severity == "error" and not pressed))


def notice_lines(standing: Sequence[Notice], width: int, rows: int) -> tuple[Line, ...]:
    """The newest that fit, in lines of one width."""
    found: list[Line] = []
    for one in reversed(standing):
        lines = _lines(one, min(width, _WIDEST), min(rows, _EACH))
        if len(found) + len(lines) > rows:
            break
        found = [*lines, *found]
    widest = max(map(width_of, found), default=0)
    return tuple(padded(line, widest) for line in found)


def _lines(notice: Notice, width: int, most: int) -> list[Line]:
    glyph, tone = _MARKS[notice.severity]
    text = notice.text if notice.times == 1 else f"×{count(notice.times)} {notice.text}"
    first, *more = wrap(text, width - 4)
    lines: list[Line] = [((f"▌{glyph} ", tone), (first, "strong"), (" ", "plain"))]
    lines += [(("▌  ", tone), (line, "strong"), (" ", "plain")) for line in more]
    if len(lines) > most:
        lines[most - 1] = (*cut(lines[most - 1], width - 3), cell(" …", 3, "dim"))
    return lines[:most]


def spot(screen: Region, acted_on: Region, keys: int, width: int, rows: int) -> Region:
    """Where lines stand: at the right above the keys; else below the status line; else in what room there is.

    `acted_on` is the row or field with the focus, or the question asked, and `keys` the rows at the bottom.
    """
    x, bottom = max(0, screen.width - width), screen.height - keys
    for y in (bottom - rows, 1):
        wanted = Region(x, y, width, rows)
        if y > 0 and not wanted.overlaps(acted_on):
            return wanted
    below, above = bottom - acted_on.bottom, acted_on.y - 1
    least = max(1, min(rows, max(below, above)))
    return Region(x, 1 if above > max(below, 0) else max(bottom, acted_on.bottom + 1) - least, width, least)


class Notices(Board):
    """The notices over one screen."""

    DEFAULT_CSS = "Notices { layer: notices; dock: top; background: $panel; overflow: hidden; }"

    def show(self, lines: Sequence[Line], place: Region) -> None:
        self.styles.width, self.styles.height = place.width, place.height
        self.styles.offset = (place.x, place.y)
        self.paint(lambda _width, _height: lines)
