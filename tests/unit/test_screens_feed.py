"""When the feed paints, and when it leaves the terminal alone."""

from __future__ import annotations

from dataclasses import replace

from engine.events import LimitAdapted, Recorded
from engine.kernel.values import MINUTE, SECOND, Instant
from engine.surface.snapshot import AccountView
from screens.drawing import by_minute, even, gauge, slots, spark, width_of
from screens.events import event_line
from screens.feed import Feed
from screens.view import View
from screens.widgets.keybar import Key, key_lines
from tests.screens.scripted import NOW, ScriptedSource


class Watched:
    """A feed, its source, and what it painted."""

    def __init__(self, state: str = "empty") -> None:
        self.source = ScriptedSource(state)
        self.painted: list[View] = []
        self.feed = Feed(self.source, self.painted.append)

    def pass_time(self, span: int) -> None:
        link = self.source.linked
        self.source.linked = replace(link, now=Instant(link.now + span))


def test_what_did_not_change_is_not_painted_again() -> None:
    watched = Watched()
    for _ in range(20):
        watched.feed.tick()
        watched.pass_time(SECOND)

    assert len(watched.painted) == 1


def test_a_model_that_is_slowed_says_how_far_and_until_when() -> None:
    slowed = LimitAdapted(at=NOW, layer="model", key="openai/m", limit=2_000, allowed=1_000, whole_at=NOW + 10 * MINUTE)

    line = event_line(Recorded(1, slowed), View(), 100)

    text = "".join(part for part, _ in line)
    assert "model openai/m throttled: 1,000 of 2,000 a window for now, whole again at " in text


def test_an_idle_feed_looks_less_often() -> None:
    watched = Watched()
    waits = [watched.feed.tick() for _ in range(20)]

    assert (waits[0], waits[-1]) == (0.25, 0.5)


def test_a_minute_is_painted_because_the_clock_shows_minutes() -> None:
    watched = Watched()
    watched.feed.tick()
    watched.pass_time(MINUTE)
    watched.feed.tick()

    assert len(watched.painted) == 2


def test_seconds_are_painted_only_while_a_slot_is_on_its_way_back() -> None:
    watched = Watched()
    account = AccountView(account_id="a", slots={"s": NOW + 2 * SECOND})
    watched.source.become(accounts={"a": account})
    for _ in range(8):
        watched.feed.tick()
        watched.pass_time(SECOND)

    assert len(watched.painted) == 3


def test_a_lost_link_is_painted_at_once() -> None:
    watched = Watched()
    watched.feed.tick()
    watched.source.linked = replace(watched.source.linked, up=False, note="gone")
    watched.feed.tick()

    assert watched.painted[-1].link.note == "gone"


def test_frozen_holds_the_moment_and_counts_what_it_missed() -> None:
    watched = Watched()
    watched.feed.tick()
    watched.feed.freeze()
    watched.source.become()
    watched.pass_time(40 * SECOND)
    watched.feed.tick()

    last = watched.painted[-1]
    assert (last.now, last.snapshot.seq, last.frozen_for, last.frozen_events) == (NOW, 1, 40 * SECOND, 1)


def test_an_hour_in_columns_loses_nothing() -> None:
    minutes = tuple((NOW - NOW % MINUTE - back * MINUTE, back + 1) for back in range(60))

    assert sum(by_minute(minutes, NOW, 20)) == sum(amount for _, amount in minutes)
    assert len(even(minutes, NOW, 45)) == 30
    assert len(even(minutes, NOW, 130)) == 120


def test_marks_take_their_room_whatever_the_value() -> None:
    assert {width_of(gauge(part, 7, 13)) for part in range(-1, 9)} == {13}
    assert width_of(gauge(1, 0, 5)) == 5
    assert spark((0, 1, 1_000))[0] == " ▁█"
    assert width_of(slots(3, 10, 20)) == 10
    assert width_of(slots(3, 500, 20)) == 20


def test_the_key_line_never_drops_the_help() -> None:
    keys = tuple(Key(str(n), f"something {n}", str(n), "here") for n in range(20))
    help_ = Key("?", "help", "question_mark", "everywhere")
    for width in range(8, 200, 7):
        (line,), _ = key_lines((*keys, help_), "", width, 1)
        assert "".join(text for text, _ in line).rstrip().endswith("? help")
