from engine.simulation.pace import Pace


def after(pace: Pace, *lags: float) -> Pace:
    for lag in lags:
        pace = pace.observe(lag)
    return pace


def test_one_late_tick_changes_nothing() -> None:
    assert after(Pace.at(20), 0.4, 0.0, 0.4, 0.0).speed == 20


def test_sustained_lag_slows_virtual_time_but_never_below_real_time() -> None:
    assert after(Pace.at(20), *[0.1] * 3).speed == 14
    assert after(Pace.at(20), *[0.1] * 300).speed == 1
    assert after(Pace.at(0.5), *[0.1] * 300).speed == 0.5


def test_it_recovers_slowly_to_what_was_asked_and_not_beyond() -> None:
    slowed = after(Pace.at(20), *[0.1] * 3)

    assert after(slowed, *[0.0] * 19).speed == 14
    assert 14 < after(slowed, *[0.0] * 20).speed < 20
    assert after(slowed, *[0.0] * 200).speed == 20


def test_stopped_time_stays_stopped() -> None:
    assert after(Pace.at(0), *[0.1] * 10, *[0.0] * 100).speed == 0
