"""Where a replay stands, in one line: running or not, how fast, the time of then, how far, and what lies ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from screens.drawing import Line, Span, width_of
from screens.formatting import clock, clock_exact, count, stamp
from screens.view import View
from screens.widgets.board import Board

if TYPE_CHECKING:
    from screens.recording import Mark, Standing

_GLYPHS = {"alert": ("▲", "bad"), "breaker": ("✖", "warn"), "halt": ("■", "bad"), "engine": ("◆", "accent")}
_QUIET = ("·", "dim")
_LEAST_TRACK = 8  # cells
_STILL = 24 * 3600 * 1_000_000_000  # nanoseconds; a longer recording shows its days


def replay_line(standing: Standing, zone: ZoneInfo, width: int) -> Line:
    """The bar, cut to what fits: what tells least goes first."""
    running = ("▶", "ok") if standing.playing else ("‖", "warn")
    when = clock_exact if standing.ended - standing.began < _STILL else stamp
    now: Line = (
        (" ", "plain"),
        (running[0], running[1]),
        (f" ×{standing.speed:g} ", "plain"),
        (when(standing.now, zone), "head"),
    )
    begun: Line = ((f"  {clock(standing.began, zone)} ", "dim"),)
    ended: Line = ((f" {clock(standing.ended, zone)}", "dim"),)
    place: Line = ((f"  {count(standing.position)} of {count(standing.events)} events", "dim"),)
    words: Line = _words(standing)
    for before, after in (
        (begun, (*ended, *words, *place)),
        (begun, (*ended, *words)),
        ((), words),
        ((), ()),
    ):
        room = width - width_of((*now, *before, *after)) - 3
        if room >= _LEAST_TRACK:
            return (*now, *before, ("├", "dim"), *track(standing, room), ("┤", "dim"), *after)
    return now


def _words(standing: Standing) -> Line:
    from screens.recording import WORDS  # loaded by then: only a recording has a standing

    if standing.flaw:
        return ((f"  {standing.flaw}", "warn"),)
    return ((f"  {WORDS[standing.mark]}", "accent"),) if standing.mark else ()


def track(standing: Standing, width: int) -> Line:
    """The recording from end to end, with its marks, and where the moment shown lies."""
    cells: list[Span] = [("─", "dim")] * width
    for mark in standing.marks:
        at = _column(mark.at, standing, width)
        if cells[at][0] in ("─", _QUIET[0]):
            cells[at] = _glyph(mark)
    cells[_column(standing.now, standing, width)] = ("█", "head")
    return tuple(cells)


def _glyph(mark: Mark) -> Span:
    return _GLYPHS.get(mark.kind, _QUIET)


def _column(at: int, standing: Standing, width: int) -> int:
    length = max(standing.ended - standing.began, 1)
    return min(max((at - standing.began) * width // length, 0), width - 1)


class ReplayBar(Board):
    """Shown only while a recording is."""

    DEFAULT_CSS = "ReplayBar { height: 1; background: $panel; overflow-y: hidden; display: none; }"

    def show(self, view: View) -> None:
        standing = view.link.replay
        self.display = standing is not None
        if standing is not None:
            self.paint(lambda width, _height: (replay_line(standing, view.zone, width),))
