"""The pure window: what it admits, and that a refusal spends nothing."""

from __future__ import annotations

from engine.kernel.values import SECOND
from engine.limiter import Admission, Reason, Refusal, Window
from engine.limiter.window import IN_FLIGHT

MINUTE = 60 * SECOND


def full(limit: int = 10) -> Window:
    window = Window(limit=limit, width=MINUTE)
    for number in range(limit):
        assert window.admit(f"s{number}", 0) == Admission(f"s{number}")
    return window


def test_the_eleventh_is_refused_while_ten_are_in_flight() -> None:
    window = full()

    assert window.admit("s10", 10 * MINUTE) == Refusal(Reason.WINDOW_FULL, None)


def test_a_slot_is_held_until_the_window_after_its_completion() -> None:
    window = full()
    window.settle("s0", 5 * SECOND + MINUTE)

    assert window.admit("late", MINUTE) == Refusal(Reason.WINDOW_FULL, 5 * SECOND + MINUTE + 1)
    assert window.admit("late", 5 * SECOND + MINUTE + 1) == Admission("late")


def test_two_arrivals_exactly_one_width_apart_are_in_one_window() -> None:
    window = full(limit=1)
    window.settle("s0", MINUTE)

    assert window.admit("late", MINUTE) == Refusal(Reason.WINDOW_FULL, MINUTE + 1)


def test_a_refusal_spends_nothing() -> None:
    window = full()
    window.settle("s0", MINUTE)

    for number in range(100):
        window.admit(f"x{number}", MINUTE - 1)

    assert window.free(MINUTE) == 0
    assert window.free(MINUTE + 1) == 1


def test_reserving_the_same_slot_again_is_the_same_slot() -> None:
    window = Window(limit=2, width=MINUTE)

    window.admit("a", 0)
    window.admit("a", 1)

    assert window.free(1) == 1


def test_a_dropped_slot_is_free_at_once() -> None:
    window = full()

    window.drop("s3")

    assert window.opens_at(0) == 0


def test_it_opens_when_the_earliest_surplus_slot_frees() -> None:
    window = full(limit=3)
    window.settle("s1", 30 * SECOND)
    window.settle("s2", 20 * SECOND)

    assert window.opens_at(0) == 20 * SECOND + 1
    assert full().opens_at(0) == IN_FLIGHT


def test_a_lower_limit_binds_at_once() -> None:
    window = full(limit=3)
    for number, until in enumerate((10, 20, 30)):
        window.settle(f"s{number}", until * SECOND)

    window.limit = 1

    assert window.opens_at(0) == 30 * SECOND + 1
