"""However sends are spaced, however long they take and wherever the process dies: never an eleventh in any window."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernel.values import SECOND
from engine.limiter import Admission, LimiterSettings, Window
from engine.limiter.local import LocalLimiter
from engine.storage import Database
from tests.fakes import ManualClock

WIDTH = 60 * SECOND
TIMEOUT = 30 * SECOND
seconds = st.integers(0, 90).map(lambda value: value * SECOND)


def most_in_any_window(arrivals: list[int]) -> int:
    """The receiver's count: the most arrivals in any closed span of one width."""
    ordered = sorted(arrivals)
    return max((sum(start <= at <= start + WIDTH for at in ordered) for start in ordered), default=0)


@given(st.lists(st.tuples(seconds, st.integers(0, 5 * SECOND), st.floats(0, 1)), min_size=1, max_size=120))
def test_never_more_than_the_limit_arrive_in_any_window(sends: list[tuple[int, int, float]]) -> None:
    window = Window(limit=10, width=WIDTH)
    now = 0
    arrivals: list[int] = []
    settled: list[tuple[str, int]] = []
    for number, (gap, duration, share) in enumerate(sends):
        now += gap // 10
        for slot, end in [entry for entry in settled if entry[1] <= now]:
            window.settle(slot, end + WIDTH)
            settled.remove((slot, end))
        if isinstance(window.admit(str(number), now), Admission):
            arrivals.append(now + round(duration * share))
            settled.append((str(number), now + duration))

    assert most_in_any_window(arrivals) <= 10


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["send", "wait", "slow", "timeout", "restart", "unsent"]), min_size=5, max_size=60),
    st.integers(1, 4),
)
def test_neither_restarts_nor_slow_sends_let_one_too_many_through(steps: list[str], limit: int) -> None:
    """`restart` forgets every send in flight, as kill -9 does; the sends themselves may still arrive."""
    asyncio.run(_live(steps, limit))


async def _live(steps: list[str], limit: int) -> None:
    clock = ManualClock()
    arrivals: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "limits.db"
        rest = list(steps)
        while rest:
            async with Database.open(path, readers=1, synchronous="OFF") as database:
                limiter = LocalLimiter(
                    database, clock, LimiterSettings(messages=limit, width=WIDTH, send_timeout=TIMEOUT), {}
                )
                await limiter.load()
                await _until_restart(limiter, clock, rest, arrivals)
    ordered = sorted(arrivals)
    worst = max((sum(start <= at <= start + WIDTH for at in ordered) for start in ordered), default=0)
    assert worst <= limit


async def _until_restart(limiter: LocalLimiter, clock: ManualClock, rest: list[str], arrivals: list[int]) -> None:
    while rest:
        step = rest.pop(0)
        if step == "wait":
            clock.jump(20 * SECOND)
            continue
        slot = f"slot-{len(rest)}-{clock.now()}"
        if not isinstance(await limiter.reserve("anna", slot), Admission):
            clock.jump(SECOND)
            continue
        if step == "restart":
            arrivals.append(clock.now() + TIMEOUT)  # the latest moment at which an abandoned send can still arrive
            return
        if step == "unsent":
            await limiter.release("anna", slot)
            continue
        arrivals.append(clock.now())
        clock.jump(5 * SECOND if step == "slow" else 0)
        await limiter.complete("anna", slot, timed_out=step == "timeout")
