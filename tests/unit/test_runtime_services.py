"""Services, the bus, and the small values below them: what lasts, what ends, what is never lost in silence."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bus import Bus
from engine.events import Recorded, SendingHalted
from engine.kernel.backoff import Backoff
from engine.kernel.values import SECOND, decimal_usd, new_id, usd
from engine.runtime import Service
from engine.runtime.services import run_all

CHANCE = random.Random(3)


@dataclass
class Stops:
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, *services: Service, grace: float = 5.0) -> None:
        async with asyncio.timeout(5):
            await run_all(services, self.stop, hurry=self.hurry, grace=grace, chance=CHANCE)


async def test_a_service_that_breaks_begins_again_and_the_others_never_notice() -> None:
    stops, runs = Stops(), []

    async def breaks(stop: asyncio.Event) -> None:
        runs.append(1)
        if len(runs) > 1:
            stop.set()
            return
        raise ValueError("broken")

    async def steady(stop: asyncio.Event) -> None:
        await stop.wait()
        runs.append(2)

    await stops.run(Service("breaks", breaks), Service("steady", steady))

    assert runs == [1, 1, 2]


async def test_a_service_whose_work_is_done_is_not_begun_again() -> None:
    stops, runs = Stops(), []

    async def done(_: asyncio.Event) -> None:
        runs.append(1)

    async def later(stop: asyncio.Event) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        stops.stop.set()

    await stops.run(Service("done", done), Service("later", later))

    assert runs == [1]


@pytest.mark.parametrize(("grace", "hurry"), [(0.01, False), (5.0, True)])
async def test_stragglers_are_cancelled_after_the_grace_or_in_a_hurry(grace: float, hurry: bool) -> None:
    stops, ended = Stops(), []

    async def slow(_: asyncio.Event) -> None:
        try:
            stops.stop.set()
            if hurry:
                stops.hurry.set()
            await asyncio.Event().wait()
        finally:
            ended.append("settled")

    await stops.run(Service("slow", slow), grace=grace)

    assert ended == ["settled"]


async def test_a_slow_listener_loses_events_and_is_told() -> None:
    bus = Bus()
    with bus.subscribe(depth=3) as slow, bus.subscribe() as quick:
        bus.publish([Recorded(number, SendingHalted(at=number, actor="me")) for number in range(5)])
        bus.publish([Recorded(5, SendingHalted(at=5, actor="me"))])

        assert [one.seq for one in await slow.get()] == [3, 4, 5]
        assert slow.missed == 3
        assert [one.seq for one in await quick.get()] == [0, 1, 2, 3, 4, 5]
        assert quick.missed == 0


async def test_who_has_left_hears_nothing_more() -> None:
    bus = Bus()
    with bus.subscribe() as left:
        pass

    bus.publish([Recorded(1, SendingHalted(at=1, actor="me"))])

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await left.get()


@given(st.integers(1, 10_000), st.integers(0, 10**12), st.integers(0, 2**32))
def test_a_backoff_stays_between_its_floor_and_its_ceiling(attempt: int, at_least: int, seed: int) -> None:
    backoff = Backoff(base=SECOND, ceiling=60 * SECOND, floor=SECOND // 10)

    wait = backoff.wait(attempt, random.Random(seed), at_least=at_least)

    assert max(SECOND // 10, at_least) <= wait <= max(60 * SECOND, at_least)


@given(st.integers(-(10**18), 10**18))
def test_money_survives_its_decimal_text(amount: int) -> None:
    assert usd(decimal_usd(amount)) == amount


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=20, unique=True))
def test_ids_sort_as_their_milliseconds(moments: list[int]) -> None:
    ids = [new_id("x", moment * 1_000_000, CHANCE) for moment in sorted(moments)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
