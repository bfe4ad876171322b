"""The first and the last line of every screen: where you are and how it stands; which keys work here, now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events

from screens.drawing import Line, Span, spread, state, width_of
from screens.formatting import age, clean, clock, count, stamp, zone_name
from screens.registry import NUMBERED
from screens.view import View
from screens.widgets.board import Board

_GAP: Span = ("  ", "plain")


def status_line(trail: Sequence[str], tally: str, view: View, width: int, noted: tuple[Span, ...] = ()) -> Line:
    """Product, way and rows; at the right what is true of the whole: halted, frozen, the link, the engine, the time."""
    banner = (*_banner(view), *noted)
    whole = _whole(view)
    for left in (_way(trail, tally), _way(_short(trail), tally), _way(_short(trail), "")):
        for parts in (whole, whole[-2:], whole[-1:], ()):
            right = _joined((*banner, *parts))
            if width_of(left) + width_of(right) + 2 <= width:
                return spread(left, right, width)
    return spread(left, _joined(banner), width)


def _way(trail: Sequence[str], tally: str) -> Line:
    """`campaigns › spring-ppv › sent  412`: where one is stands out from the way there."""
    *before, here = trail or ("",)
    way = ("".join(f"{step} › " for step in before), "dim")
    return ((" HUNTAZE ", "strong"), way, (here, "head"), (f"  {tally}" if tally else "", "dim"))


def _short(trail: Sequence[str]) -> Sequence[str]:
    """The place and where one is; the steps between them left out."""
    return trail if len(trail) < 3 else (trail[0], "…", trail[-1])


def _joined(parts: tuple[Span, ...]) -> Line:
    line: list[Span] = []
    for index, part in enumerate(parts):
        if index:
            line.append((" · ", "dim") if part[1] not in ("banner", "notice") else (" ", "plain"))
        line.append(part)
    return (*line, (" ", "plain"))


def _banner(view: View) -> tuple[Span, ...]:
    parts: list[Span] = []
    engine = view.snapshot.engine
    if engine.halted_by:
        since = f" since {clock(engine.halted_at, view.zone)}" if engine.halted_at else ""
        parts.append((f" HALTED by {clean(engine.halted_by, longest=20)}{since} ", "banner"))
    if view.frozen_for is not None:
        held = f", {count(view.frozen_events)} events" if view.frozen_events else ""
        parts.append((f" FROZEN {age(view.frozen_for)} behind{held} ", "notice"))
    if view.stale_for is not None:
        parts.append((f" LINK LOST {age(view.stale_for)} ago ", "banner"))
    if view.link.replay is not None:
        parts.append((" RECORDING ", "notice"))
    elif view.link.read_only:
        parts.append(("read-only", "warn"))
    if view.slow:
        parts.append(("low bandwidth", "dim"))
    return tuple(parts)


def _whole(view: View) -> tuple[Span, ...]:
    engine = view.snapshot.engine
    parts: list[Span] = []
    if engine.mode == "simulated":
        seed = "" if engine.seed is None else f" seed {engine.seed}"
        parts.append((f"sim ×{engine.speed:g}{seed}", "accent"))
    if engine.settings_error:
        parts.append(("settings rejected", "warn"))
    if view.link.replay is not None:
        return (*parts, *_then(view))
    parts.append(
        (
            f"{'attached' if view.link.attached else engine.kind or 'engine'} {clean(engine.node, longest=24)}".strip(),
            "dim",
        )
    )
    parts.append(_engine_state(view))
    if view.now:
        parts.append((f"{clock(view.now, view.zone)} {zone_name(view.now, view.zone)}", "plain"))
    return tuple(parts)


def _then(view: View) -> tuple[Span, ...]:
    """Whose past it is, and from when; the replay's own line tells the rest."""
    node = clean(view.snapshot.engine.node, longest=24)
    then: Span = (f"{stamp(view.now, view.zone)} {zone_name(view.now, view.zone)}", "plain")
    return ((f"of {node}", "dim"), then) if node else (then,)


def _engine_state(view: View) -> Span:
    if not view.link.up:
        return clean(view.link.note, longest=40) or "no engine", "bad" if view.loaded else "dim"
    name = view.snapshot.engine.state
    glyph, tone, word = state("ok" if name == "running" else name)
    return f"engine {word}" if name == "running" else f"{glyph} engine {word}", tone


class StatusBar(Board):
    """The first line of a screen."""

    DEFAULT_CSS = "StatusBar { dock: top; height: 1; background: $panel; overflow-y: hidden; }"

    def show(self, trail: Sequence[str], tally: str, view: View) -> None:
        noted: tuple[Span, ...] = getattr(self.app, "recording_note", ())
        self.paint(lambda width, _height: (status_line(trail, tally, view, width, noted),))


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
    line, spots = _set(whole if _length(whole) <= width else _fitting((*local, *_FEWER, *rest), width), here, 0)
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
