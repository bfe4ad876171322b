"""Notices: how long they stand, in which lines, and that they cover neither the keys nor what one acts on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region

from screens.drawing import width_of
from screens.widgets.asking import Ask, Entry
from screens.widgets.notices import Notice, notice_lines, said, spot, standing_at
from tests.screens.harness import console

_LONG = "The engine refused this because " + "of a reason that takes its time to be told, " * 8


# ── how long ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_words_are_counted_and_stand_anew() -> None:
    notices: tuple[Notice, ...] = ()
    for now in (0.0, 1.0, 3.0):
        notices = said(notices, "No further mark", "information", now)

    assert [(one.text, one.times) for one in notices] == [("No further mark", 3)]
    assert standing_at(notices, 6.9) == notices
    assert standing_at(notices, 7.1) == ()
    assert "×3 No further mark" in text_of(notices, 80, 4)[0]


def test_a_longer_notice_stands_longer() -> None:
    (brief,), (long,) = said((), "Paused", "information", 0.0), said((), _LONG, "information", 0.0)

    assert brief.until == 4.0
    assert long.until > 20.0


def test_an_error_waits_for_a_key_that_comes_once_it_was_read() -> None:
    notices = said((), "It was refused", "error", 0.0)

    assert standing_at(notices, 1.0, pressed=True) == notices
    assert standing_at(notices, 3_600.0) == notices
    assert standing_at(notices, 3_600.0, pressed=True) == ()


def test_few_are_kept_and_errors_longest() -> None:
    notices = said((), "It was refused", "error", 0.0)
    for number in range(9):
        notices = said(notices, f"copied {number}", "information", 0.0)

    assert [one.text for one in notices] == ["It was refused", "copied 6", "copied 7", "copied 8"]


# ── in which lines ──────────────────────────────────────────────────────────────────────────────────────────────────


def text_of(notices: tuple[Notice, ...], width: int, rows: int) -> list[str]:
    return ["".join(text for text, _ in line) for line in notice_lines(notices, width, rows)]


@given(st.lists(st.text("ab 漢", max_size=300), min_size=1, max_size=6), st.integers(20, 200), st.integers(1, 10))
def test_lines_are_of_one_width_and_no_more_than_there_is_room_for(texts: list[str], width: int, rows: int) -> None:
    notices: tuple[Notice, ...] = ()
    for text in texts:
        notices = said(notices, text, "warning", 0.0)

    lines = notice_lines(notices, width, rows)

    assert 1 <= len(lines) <= rows
    assert len({width_of(line) for line in lines}) == 1
    assert width_of(lines[0]) <= width


def test_the_newest_is_last_and_what_is_cut_says_so() -> None:
    notices = said(said((), "first", "information", 0.0), _LONG, "error", 0.0)

    lines = text_of(notices, 80, 4)

    assert len(lines) == 4
    assert "first" in lines[0]
    assert "The engine refused" in lines[1]
    assert lines[3].rstrip().endswith("…")


# ── where ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(20, 200), st.integers(8, 60), st.integers(1, 3), st.integers(1, 4), st.data())
def test_a_notice_covers_neither_the_keys_nor_the_status_nor_a_row_that_is_acted_on(
    width: int, height: int, keys: int, rows: int, data: st.DataObject
) -> None:
    acted_on = Region(0, data.draw(st.integers(1, height - keys - 1)), width, 1)
    rows = min(rows, max(1, height // 6))

    place = spot(Region(0, 0, width, height), acted_on, keys, min(40, width), rows)

    assert place.y >= 1
    assert place.bottom <= height - keys
    assert not place.overlaps(acted_on)


SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_notices_leave_the_keys_and_the_status_line_alone(size: tuple[int, int]) -> None:
    async with console(size=size) as running:
        await running.press("6")
        before = running.lines()
        for _ in range(3):
            running.app.tell(_LONG, severity="error")
        running.app.tell("Paused spring-ppv")
        await running.settle()

        keys = 2 if size[1] >= 30 else 1
        assert running.lines()[0] == before[0]
        assert running.lines()[-keys:] == before[-keys:]
        assert "×3 The engine refused" in running.text()
        assert "Paused spring-ppv" in running.lines()[-keys - 1]


@pytest.mark.parametrize("size", SIZES)
async def test_a_notice_over_a_form_covers_none_of_its_words(size: tuple[int, int]) -> None:
    async with console(size=size) as running:
        entries = [Entry(name=f"f{number}", label=f"field {number}", value="value") for number in range(12)]
        running.app.push_screen(Ask("A long form?", entries))
        await running.settle()
        before = running.lines()
        running.app.tell("Paused spring-ppv", severity="error")
        await running.settle()

        covered = [old for old, new in zip(before, running.lines(), strict=True) if old != new]
        assert "Paused spring-ppv" in running.text()
        assert not any("field" in line or "enter do it" in line for line in covered)
        await running.press("escape")
        assert "Paused spring-ppv" in running.lines()[-2 if size[1] < 30 else -3]


async def test_a_notice_gives_way_to_the_row_one_comes_to() -> None:
    async with console("huge", size=(80, 24)) as running:
        await running.press("6")
        running.app.tell("Paused spring-ppv")
        await running.press("pagedown", "pagedown")
        chosen = next(line for line in running.lines() if line.startswith("▌"))

        assert "Paused spring-ppv" in running.text()
        assert "Paused" not in chosen


async def test_a_notice_stands_on_the_place_one_goes_to() -> None:
    async with console() as running:
        running.app.tell("Paused spring-ppv")
        await running.press("6")
        assert "Paused spring-ppv" in running.text()
        await running.press("1")
        assert running.text().count("Paused spring-ppv") == 1
