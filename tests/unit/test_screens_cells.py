"""Columns stand where the layout has them, on a terminal that counts code points and on one that counts letters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from screens.cells import beginning, is_unsure, most_cells, placed, roomy
from screens.drawing import cell, cut, padded, width_of
from screens.formatting import clean, fit, wrap
from screens.glyphs import _TABLE
from tests.screens.grid import Count, Grid, by_code_point, by_letter

NAMES = [
    "कि" * 20, "प्रिया கவின் 👍🏽👍🏽", "❤️" * 10, "கவின்", "👩‍👩‍👧‍👦 family", "สวัสดีครับ", "שָׁלוֹם", "مُحَمَّد", "မြန်မာ",
    "🇫🇷 équipe", "漢字かな", "Ünïcödé", "한국어", "🫠🫡", "plain",
]  # fmt: skip


COUNTS = pytest.mark.parametrize("count", [by_code_point, by_letter])


def row_of(name: str, width: int) -> str:
    """A row of a table as it is painted: a mark, a name, a state."""
    line = padded((("▌", "accent"), cell(name, width), ("  ", "plain"), ("✔ running", "ok")), width + 14)
    return "".join(f"\x1b[38;5;1m{roomy(text)}\x1b[0m" for text, _ in line)


@COUNTS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [3, 8, 17, 60])
def test_what_stands_behind_a_name_stands_where_it_does_behind_any_other(count: Count, name: str, width: int) -> None:
    grid = Grid(count)

    grid.write(placed(f"\x1b[4;10H{row_of(clean(name), width)}\n\x1b[5;10H{row_of('plain', width)}"))

    assert grid.text(4, 11 + width, 24 + width) == grid.text(5, 11 + width, 24 + width) == "  ✔ running  "
    assert "~" not in grid.text(4, 10, 24 + width)  # nothing old shines through
    assert max(column for row, column in grid.cells if row == 4) == 23 + width


@COUNTS
def test_nor_without_colours_where_nothing_parts_a_cell_from_the_next(count: Count) -> None:
    grid = Grid(count)

    grid.write(placed(f"\x1b[1;1H{roomy(fit('कि' * 20, 12))}  state  {roomy(fit('कविता', 9))}end"))

    assert grid.text(1, 13, 22) == "  state  "
    assert grid.text(1, 31, 34) == "end"


@COUNTS
def test_a_text_whose_room_was_cut_by_what_lies_over_it_stays_in_it(count: Count) -> None:
    grid = Grid(count)

    grid.write(placed("\x1b[1;1H\x1b[1mकिकिकि\x1b[0m\x1b[2m│ asked │\x1b[0m"))
    grid.write(placed("\x1b[2;1H\x1b[1mकिकिकि\x1b[0m"))

    assert grid.text(1, 4, 13) == "│ asked │"
    assert max(column for row, column in grid.cells if row == 2) == 3


@COUNTS
def test_a_cursor_behind_what_was_typed_is_seen(count: Count) -> None:
    grid = Grid(count)

    grid.write(placed("\x1b[1;1H\x1b[1mकिकि\x1b[0m\x1b[7m \x1b[0m\x1b[2m       │\x1b[0m"))

    assert grid.text(1, 11, 12) == "│"
    assert grid.text(1, 1, 6).replace(" ", "") == "किकि"
    assert grid.text(1, 5, 6) == " "


def test_plain_text_is_written_as_it_is() -> None:
    plain = "\x1b[1;1H\x1b[38;5;1m▌ anna ✔ running  Żółć 漢字 Привет │▁▂▃\x1b[0m"

    assert placed(plain) is plain
    assert roomy(plain) is plain


def test_every_terminal_gives_the_same_cells_to_what_is_sure() -> None:
    sure = [letter for letter in map(chr, range(0x20, 0x110000)) if not is_unsure(letter)]

    known = [letter for letter in sure if unicodedata.category(letter) not in ("Cn", "Cc")]
    assert [hex(ord(each)) for each in known if by_code_point(each) != [(each, cell_len(each))]] == []
    assert [letter for letter in known if unicodedata.category(letter)[0] == "M"] == []


def test_our_own_marks_are_sure() -> None:
    assert [chr(code) for code in _TABLE if is_unsure(chr(code))] == []


_letters = st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from(list("".join(NAMES)))


@given(st.text(_letters, max_size=80), st.integers(0, 40), st.booleans())
@settings(max_examples=300, deadline=None)
def test_what_is_fitted_takes_its_room_at_most_however_it_is_counted(text: str, width: int, right: bool) -> None:
    fitted = fit(clean(text), width, right=right)

    assert most_cells(fitted) == width
    assert cell_len(roomy(fitted)) == width
    assert sum(cells for _, cells in by_code_point(fitted)) <= width
    assert width_of(cut((("x ", "dim"), (clean(text), "dim")), width)) <= width


@given(st.text(_letters, max_size=80), st.integers(2, 40))
@settings(max_examples=200, deadline=None)
def test_what_is_folded_does_too(text: str, width: int) -> None:
    for line in wrap(clean(text), width):
        assert sum(cells for _, cells in by_code_point(line)) <= width


@COUNTS
@given(text=st.text(_letters, max_size=60), width=st.integers(1, 30))
@settings(max_examples=200, deadline=None)
def test_any_name_leaves_the_next_column_where_it_is(count: Count, text: str, width: int) -> None:
    grid = Grid(count)

    grid.write(placed(f"\x1b[1;1H{row_of(clean(text), width)}"))

    assert grid.text(1, width + 2, width + 13) == "  ✔ running"


def test_a_letter_is_cut_with_its_marks() -> None:
    assert beginning("किकि", 3) == "कि"
    assert beginning("abc", 2) == "ab"
    assert beginning("漢字", 3) == "漢"
