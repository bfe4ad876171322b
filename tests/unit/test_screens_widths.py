"""How columns share a table's width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from screens.widgets.widths import GAP, Share, Wishes, shared

FIGURE, EMPTY = Share(8, 5), Share(22, 4, weight=1)


def test_a_name_takes_what_another_column_does_not_fill() -> None:
    found = shared([Share(12, 24, weight=1), EMPTY], 12 + 22 + 2 * GAP)

    assert found == [24, 10]


def test_a_sentence_never_cuts_a_name() -> None:
    name, sentence = shared([Share(8, 20, weight=1), Share(14, 200, weight=4)], 60)

    assert (name, sentence) == (20, 60 - 20 - 2 * GAP)


def test_a_bar_gives_way_to_a_name_and_to_no_sentence() -> None:
    bar = Share(10, 10, adorns=True)

    assert shared([Share(12, 24), bar, FIGURE], 40)[1] is None
    assert shared([Share(12, 200), bar, FIGURE], 40)[1] == 10


def test_what_is_left_goes_by_weight_where_nothing_is_cut() -> None:
    assert shared([Share(10, 4, weight=3), Share(10, 4, weight=1), FIGURE], 28 + 3 * GAP + 8) == [16, 12, 8]


@given(
    st.lists(st.builds(Share, st.integers(1, 30), st.integers(1, 300), st.integers(0, 4), st.booleans()), min_size=1),
    st.integers(0, 250),
)
def test_columns_take_no_more_than_there_is_and_shrink_to_what_they_hold_at_most(
    columns: list[Share], spare: int
) -> None:
    width = sum(one.least + GAP for one in columns) + spare

    rooms = shared(columns, width)

    assert sum(room + GAP for room in rooms if room is not None) <= width
    for one, room in zip(columns, rooms, strict=True):
        assert one.adorns if room is None else room >= min(one.least, one.wish)


def test_a_wish_grows_at_once_and_shrinks_only_after_a_while() -> None:
    wishes = Wishes(1)
    wishes.see(0, 30)
    for _ in range(59):
        wishes.look()
        wishes.see(0, 4)
    still = wishes[0]
    for _ in range(61):
        wishes.look()
        wishes.see(0, 4)

    assert (still, wishes[0]) == (30, 4)
