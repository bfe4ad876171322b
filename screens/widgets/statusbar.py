"""The first line of every screen: where one is, and what is true of the whole.

Where there is little room the way gives way. What an operator must never miss is shortened and stays: that sending is
halted, that the picture is frozen, old, of the past or of a simulation, that nothing may be changed, how the engine is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from screens.drawing import Line, Span, cut, spread, state, width_of
from screens.formatting import age, clean, clock, count, stamp, zone_name
from screens.view import View
from screens.widgets.board import Board

_NO_SEED, _NO_NODE, _CAUSE, _SHORTER, _SHORTEST = 1, 2, 3, 4, 5  # how much is left out: the more, the later
_ALARMS = ("banner", "notice")  # tones with a ground of their own

Fact = tuple[tuple[str, ...], str]  # forms from the longest on, one more left out in each, and a tone


def status_line(trail: Sequence[str], tally: str, view: View, width: int, noted: Sequence[Span] = ()) -> Line:
    """Product, way and rows at the left; at the right what is true of the whole."""
    facts = (*_alarms(view), *(_shortened(note) for note in noted), *_whole(view))
    for left, less in _ways(trail, tally):
        right = _fitting(facts, less, width - width_of(left) - 2)
        if right:
            return spread(left, right, width)
    here: Line = ((f" {trail[-1] if trail else ''} ", "head"),)
    right = _joined(facts, [_SHORTEST] * len(facts))
    return spread(cut(here, max(0, width - width_of(right))), right, width)


def _ways(trail: Sequence[str], tally: str) -> Iterator[tuple[Line, int]]:
    """What stands at the left and how much is left out at the right, from all of it to the least."""
    for less in (0, _NO_SEED, _NO_NODE):
        yield _way(trail, tally), less
    for left_out in range(1, len(trail) - 1):
        yield _way((trail[0], "…", *trail[1 + left_out :]), tally), _NO_NODE
    short = trail if len(trail) < 3 else (trail[0], "…", trail[-1])
    yield _way(short, tally), _CAUSE
    yield _way(short, tally), _SHORTER
    yield _way(short, ""), _SHORTER
    yield _way(short, ""), _SHORTEST
    yield _way(trail[-1:], ""), _SHORTEST


def _way(trail: Sequence[str], tally: str) -> Line:
    """`campaigns › spring-ppv › sent  412`: where one is stands out from the way there."""
    *before, here = trail or ("",)
    way = ("".join(f"{step} › " for step in before), "dim")
    return ((" HUNTAZE ", "strong"), way, (here, "head"), (f"  {tally}" if tally else "", "dim"))


def _fitting(facts: Sequence[Fact], less: int, room: int) -> Line:
    """The facts with so much left out, each then as long again as there is room, the first first; () where none is."""
    chosen = [less] * len(facts)
    if width_of(_joined(facts, chosen)) > room:
        return ()
    for at in range(len(facts)):
        for longer in range(_NO_NODE, less):
            tried = [*chosen[:at], longer, *chosen[at + 1 :]]
            if width_of(_joined(facts, tried)) <= room:
                chosen = tried
                break
    return _joined(facts, chosen)


def _joined(facts: Sequence[Fact], less: Sequence[int]) -> Line:
    """`less`: how much is left out of each."""
    said = [(forms[min(each, len(forms) - 1)], tone) for (forms, tone), each in zip(facts, less, strict=True)]
    line: list[Span] = []
    for text, tone in said:
        if text and line:
            apart = tone in _ALARMS or line[-1][1] in _ALARMS
            line.append((" ", "plain") if apart else (" · ", "dim"))
        if text:
            line.append((text, tone))
    return (*line, (" ", "plain"))


def _shortened(note: Span) -> Fact:
    text, tone = note
    short, shortest = (cut((note,), room)[0][0].rstrip() for room in (24, 6))
    return (*[text] * _SHORTER, short, shortest), tone


def _alarms(view: View) -> Iterator[Fact]:
    engine = view.snapshot.engine
    if engine.halted_by:
        by = f" HALTED by {clean(engine.halted_by, longest=20)} "
        since = f"{by}since {clock(engine.halted_at, view.zone)} " if engine.halted_at else by
        yield (*[since] * _SHORTER, by, " HALTED "), "banner"
    if view.frozen_for is not None:
        frozen = f" FROZEN {age(view.frozen_for)} "
        behind = f"{frozen}behind "
        held = f"{frozen}behind, {count(view.frozen_events)} events " if view.frozen_events else behind
        yield (held, held, behind, behind, frozen, " FROZEN "), "notice"
    if view.stale_for is not None:
        lost = f" LINK LOST {age(view.stale_for)} "
        yield (*[f"{lost}ago "] * _CAUSE, lost, lost, " LINK LOST "), "banner"
    if view.link.replay is not None:
        yield (" RECORDING ",), "notice"
    elif view.link.read_only:
        yield ("read-only",), "warn"
    if view.slow:
        yield (*["low bandwidth"] * _SHORTEST, ""), "dim"


def _whole(view: View) -> Iterator[Fact]:
    engine = view.snapshot.engine
    node = clean(engine.node, longest=24)
    if engine.mode == "simulated":
        sim = f"sim ×{engine.speed:g}"
        yield (sim if engine.seed is None else f"{sim} seed {engine.seed}", *[sim] * _SHORTER, "sim"), "accent"
    if engine.settings_error:
        yield (*["settings rejected"] * _SHORTEST, ""), "warn"
    if view.link.replay is not None:
        if node:
            yield (f"of {node}", f"of {node}", ""), "dim"
        then = f"{stamp(view.now, view.zone)} {zone_name(view.now, view.zone)}"
        yield (*[then] * _SHORTEST, stamp(view.now, view.zone)), "plain"
        return
    who = f"{'attached' if view.link.attached else engine.kind or 'engine'} {node}".strip()
    yield (who, who, ""), "dim"
    yield _engine(view)
    if view.now:
        now = f"{clock(view.now, view.zone)} {zone_name(view.now, view.zone)}"
        yield (now, now, now, now if view.link.up else "", now, ""), "plain"  # why it is lost matters more


def _engine(view: View) -> Fact:
    """How the engine is; without a link to it what is said about that, which a lost link's age stands in for."""
    if not view.link.up:
        why = clean(view.link.note, longest=40) or "no engine"
        cause = clean(view.link.note.partition(". ")[0], longest=40) or why
        return ((why, why, why, cause, ""), "bad") if view.loaded else ((why, why, why, why, cause, "no engine"), "dim")
    name = view.snapshot.engine.state
    if name == "running":
        return _working(view)
    glyph, tone, word = state(name)
    return (*[f"{glyph} engine {word}"] * _SHORTEST, f"{glyph} {word}"), tone


def _working(view: View) -> Fact:
    """The worst that one has to know of an engine that runs; only that all is well may be left out."""
    found = view.snapshot
    used = [model for model in found.models.values() if model.calls or model.breaker != "closed"]
    if used and all(model.breaker == "open" for model in used):
        return (*["✖ cannot write: no model"] * _CAUSE, *["✖ no model"] * (_SHORTEST - _CAUSE), "✖ no model"), "bad"
    if found.levels or any(alert.severity == "critical" for alert in found.alerts.values()):
        glyph, tone, _ = state("degraded")
        return (*[f"{glyph} engine degraded"] * _CAUSE, *[f"{glyph} degraded"] * (_SHORTEST - _CAUSE), glyph), tone
    return (*["engine ok"] * _SHORTEST, ""), "ok"


class StatusBar(Board):
    """The first line of a screen."""

    DEFAULT_CSS = "StatusBar { dock: top; height: 1; background: $panel; overflow-y: hidden; }"

    def show(self, trail: Sequence[str], tally: str, view: View) -> None:
        noted: tuple[Span, ...] = getattr(self.app, "recording_note", ())
        self.paint(lambda width, _height: (status_line(trail, tally, view, width, noted),))
