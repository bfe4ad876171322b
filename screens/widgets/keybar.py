"""The last line or two of every screen: which keys work here, now."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events

from screens.drawing import Line, Span
from screens.registry import NUMBERED
from screens.widgets.board import Board

_GAP: Span = ("  ", "plain")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that works here and now: how it is written, what it does, and Textual's name for it."""

    key: str
    label: str
    press: str
    group: str  # place, here or everywhere


_FEWER = (Key(f"{NUMBERED[0].number}-{NUMBERED[-1].number}", "places", "", "place"),)
Spot = tuple[int, int, int, str]  # line, from, to, key
TWO_LINES_FROM = 30  # rows of the terminal from which the places get a line of their own


def key_lines(keys: tuple[Key, ...], here: str, width: int, rows: int) -> tuple[tuple[Line, ...], tuple[Spot, ...]]:
    """The keys that fit in one line or two, and where each stands. Help is never dropped."""
    places = tuple(key for key in keys if key.group == "place")
    local = tuple(key for key in keys if key.group == "here")
    rest = tuple(key for key in keys if key.group == "everywhere")
    if rows > 1:
        first, one = _set(_fitting((*local, *rest), width), here, 0)
        second, two = _set(_fitting(places, width), here, 1)
        return (first, second), (*one, *two)
    whole = (*local, *places, *rest)
    fewer = (*local, *(_FEWER if places else ()), *rest)
    line, spots = _set(whole if _length(whole) <= width else _fitting(fewer, width), here, 0)
    return (line,), spots


def _fitting(keys: tuple[Key, ...], width: int) -> tuple[Key, ...]:
    """As many as fit, the last one always: what is dropped stands in the help."""
    while len(keys) > 1 and _length(keys) > width:
        keys = (*keys[:-2], keys[-1])
    return keys


def _length(keys: tuple[Key, ...]) -> int:
    return sum(len(key.key) + len(key.label) + 3 for key in keys)


def _set(keys: tuple[Key, ...], here: str, row: int) -> tuple[Line, tuple[Spot, ...]]:
    line: list[Span] = [(" ", "plain")]
    spots: list[Spot] = []
    at = 1
    for key in keys:
        line += [(key.key, "key"), (f" {key.label}", "chosen" if key.label == here else "dim"), _GAP]
        end = at + len(key.key) + len(key.label) + 1
        spots.append((row, at, end, key.press))
        at = end + 2
    return tuple(line), tuple(spots)


class KeyBar(Board):
    """The last line or two of a screen. A click on a key is the key."""

    DEFAULT_CSS = "KeyBar { dock: bottom; height: 1; background: $panel; overflow-y: hidden; }"

    def __init__(self) -> None:
        super().__init__()
        self._spots: tuple[Spot, ...] = ()

    def show(self, keys: tuple[Key, ...], here: str) -> None:
        rows = 2 if self.app.size.height >= TWO_LINES_FROM else 1
        self.styles.height = rows

        def painted(width: int, _height: int) -> tuple[Line, ...]:
            lines, self._spots = key_lines(keys, here, width, rows)
            return lines

        self.paint(painted)

    def on_click(self, event: events.Click) -> None:
        for row, start, end, key in self._spots:
            if row == event.y and start <= event.x < end and key:
                self.app.simulate_key(key)
