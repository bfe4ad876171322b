"""The number of tasks at once stays within its bounds, gives way under trouble, and comes back when it is over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.orchestrator import Load, Tuning, TuningSettings

SETTINGS = TuningSettings()
CALM = Load(answers=20, slowness=22.0)
loads = st.builds(
    lambda answers, slow, failures, throttled: Load(
        answers, answers * slow, failures + min(throttled, 40), min(throttled, 40)
    ),
    st.integers(0, 50),
    st.floats(0.5, 20),
    st.integers(0, 20),
    st.integers(0, 40),
)


def tuning(ceiling: int) -> Tuning:
    return Tuning(ceiling=ceiling, limit=ceiling, told=ceiling)


@given(
    st.integers(1, 200),
    st.integers(1, 8),
    st.lists(st.tuples(loads, st.integers(0, 300), st.integers(0, 500)), max_size=60),
)
def test_it_never_leaves_its_bounds(ceiling: int, least: int, looks: list[tuple[Load, int, int]]) -> None:
    state, settings = tuning(ceiling), TuningSettings(least=least)

    for load, running, waiting in looks:
        before = state
        state = state.look(load, running=running, waiting=waiting, settings=settings)
        assert min(least, ceiling) <= state.limit <= ceiling
        assert state.limit <= before.limit + max(1, before.limit // 8, least)


@given(st.integers(2, 200), st.integers(1, 40))
def test_throttling_cuts_a_share_and_then_rests(ceiling: int, throttled: int) -> None:
    load = Load(answers=10, slowness=10.0, failures=throttled, throttled=throttled)

    cut = tuning(ceiling).look(load, running=ceiling, waiting=50, settings=SETTINGS)
    again = cut.look(load, running=ceiling, waiting=50, settings=SETTINGS)

    assert cut.limit == max(1, int(ceiling * SETTINGS.cut))
    assert again.limit == cut.limit


@given(st.integers(2, 200))
def test_slow_calls_cut_and_usual_ones_do_not(ceiling: int) -> None:
    slow = Load(answers=10, slowness=10 * SETTINGS.tolerance * 1.01)
    usual = Load(answers=10, slowness=10 * SETTINGS.tolerance * 0.99)

    assert tuning(ceiling).look(slow, running=ceiling, waiting=9, settings=SETTINGS).limit < ceiling
    assert tuning(ceiling).look(usual, running=ceiling, waiting=9, settings=SETTINGS).limit == ceiling


@given(st.integers(2, 300))
def test_when_trouble_is_over_it_climbs_back_to_the_ceiling(ceiling: int) -> None:
    state = Tuning(ceiling=ceiling, limit=1, told=1)

    looks = 0
    while state.limit < ceiling:
        state = state.look(CALM, running=state.limit, waiting=100, settings=SETTINGS)
        looks += 1
        assert state.limit <= ceiling

    assert looks <= 60  # two minutes for three hundred


@given(st.integers(2, 100), st.integers(1, 100))
def test_what_does_not_use_its_number_does_not_raise_it(ceiling: int, limit: int) -> None:
    state = Tuning(ceiling=ceiling, limit=min(limit, ceiling), told=1)

    after = state.look(CALM, running=state.limit - 1, waiting=0, settings=SETTINGS)

    assert after.limit == state.limit


@given(st.integers(4, 60), st.integers(64, 200))
def test_it_settles_round_what_the_models_bear(capacity: int, ceiling: int) -> None:
    """Models that answer `capacity` calls a look and throttle the rest."""
    state, seen = tuning(ceiling), []

    for _ in range(200):
        over = max(0, state.limit - capacity)
        load = Load(answers=capacity, slowness=float(capacity), failures=over, throttled=over)
        state = state.look(load, running=state.limit, waiting=1_000, settings=SETTINGS)
        seen.append(state.limit)

    settled = seen[100:]
    assert 0.6 * capacity <= sum(settled) / len(settled) <= 1.25 * capacity + 1


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 100))
def test_a_new_ceiling_holds_at_once(ceiling: int, limit: int, fresh: int) -> None:
    state = Tuning(ceiling=ceiling, limit=min(limit, ceiling), told=min(limit, ceiling))

    after = state.under(fresh)

    assert after.limit <= fresh
    assert after.limit == fresh or state.limit < ceiling  # at its old ceiling it follows to the new one


@given(st.integers(1, 200), st.integers(1, 200))
def test_only_a_step_that_matters_is_told(told: int, limit: int) -> None:
    state = Tuning(ceiling=200, limit=limit, told=told)

    if limit == told or (limit != 200 and abs(limit - told) < told * 0.25):
        assert not state.worth_telling
    if abs(limit - told) >= max(1, told * 0.25):
        assert state.worth_telling
