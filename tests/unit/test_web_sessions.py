"""Logins of browsers: how long they last, and how often a token may be tried."""

from __future__ import annotations

from engine.kernel.secret import Secret
from huntaze_console.web.sessions import Sessions, Throttle
from huntaze_console.web.visitor import resized


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def sessions(clock: Clock) -> Sessions:
    return Sessions(clock, idle=60, longest=600)


def test_a_login_is_found_by_its_cookie_alone() -> None:
    known = sessions(Clock())
    cookie = known.open(Secret("t" * 32), read_only=True)

    found = known.find(cookie)

    assert found is not None
    assert found.read_only
    assert known.find(cookie + "x") is None
    assert known.find("") is None
    assert known.find(None) is None
    assert len(cookie) >= 43  # 256 bits in base64
    assert "ttt" not in repr(found)


def test_a_login_that_is_not_used_is_over() -> None:
    clock = Clock()
    known = sessions(clock)
    cookie = known.open(Secret("t" * 32), read_only=False)
    clock.now += 59
    assert known.find(cookie)

    clock.now += 61

    assert known.find(cookie) is None


def test_an_open_console_keeps_its_login_but_not_for_ever() -> None:
    clock = Clock()
    known = sessions(clock)
    cookie = known.open(Secret("t" * 32), read_only=False)
    session = known.find(cookie)
    assert session is not None
    ended: list[bool] = []
    session.open = 1
    session.ends.append(lambda: ended.append(True))

    clock.now += 300
    known.sweep()
    assert not ended
    clock.now += 301
    known.sweep()

    assert ended
    assert known.find(cookie) is None


def test_logging_out_ends_every_console_of_the_login() -> None:
    known = sessions(Clock())
    cookie = known.open(Secret("t" * 32), read_only=False)
    session = known.find(cookie)
    assert session is not None
    ended: list[int] = []
    session.ends += [lambda: ended.append(1), lambda: ended.append(2)]

    known.close(cookie)

    assert ended == [1, 2]


def test_logins_are_bounded() -> None:
    clock = Clock()
    known = sessions(clock)
    first = known.open(Secret("t" * 32), read_only=False)
    for _ in range(100):
        clock.now += 0.1
        known.open(Secret("t" * 32), read_only=False)

    assert known.find(first) is None


def test_an_address_may_fail_a_few_times_a_minute() -> None:
    clock = Clock()
    throttle = Throttle(clock, each=3, together=100)
    for _ in range(3):
        assert throttle.wait("a") == 0
        throttle.failed("a")

    assert throttle.wait("a") == 60
    assert throttle.wait("b") == 0
    clock.now += 60
    assert throttle.wait("a") == 0


def test_many_addresses_together_are_slowed_too() -> None:
    throttle = Throttle(Clock(), each=3, together=10)
    for at in range(10):
        throttle.failed(f"address {at}")

    assert throttle.wait("another") == 60


def test_a_right_token_is_not_counted() -> None:
    throttle = Throttle(Clock(), each=2, together=10)
    for _ in range(10):
        throttle.failed("a")
        throttle.forgive("a")

    assert throttle.wait("a") == 0


def test_a_browsers_size_is_taken_within_reason() -> None:
    assert resized({"width": 120, "height": 40}) == (120, 40)
    assert resized({"width": 10**9, "height": -1}) == (500, 2)
    nonsense: tuple[object, ...] = (None, [], {"width": "9", "height": 9}, {"width": 1.5, "height": 2})
    assert [resized(one) for one in nonsense] == [None] * 4
