"""The event feed: whatever is cut, lost or late, a client sees every event once, or is told to begin again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.surface.snapshot import Snapshot
from huntaze_console.api.feed import Feed, Guest, Reset, Seats, Silence, Step
from huntaze_console.api.sse import frame
from tests.fakes import settle
from tests.integration.test_api_desk import FakeDesk

NEVER = 3_600.0


@dataclass
class Reader:
    """A client of the stream: it keeps its place, and fetches the snapshot when told to begin again."""

    desk: FakeDesk
    position: int = 0
    events: list[int] = field(default_factory=list)
    resets: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    started: bool = False

    async def take(self, step: Step) -> None:
        await self.open.wait()
        if isinstance(step, Reset):
            self.resets.append(step.reason)
            self.position = self.desk.snapshot().seq
            assert self.position >= step.seq
        elif not isinstance(step, Silence):
            for recorded in step:
                self._take(recorded.seq)

    def _take(self, seq: int) -> None:
        if self.resets and seq <= self.position:
            return  # the snapshot already holds it
        assert seq == self.position + 1, "a gap or a repeat"
        self.position = seq
        self.events.append(seq)


Action = tuple[str, int]
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 12)),
        st.tuples(st.just("publish"), st.just(0)),
        st.tuples(st.just("cut"), st.just(0)),
        st.tuples(st.just("stall"), st.just(0)),
        st.tuples(st.just("run"), st.integers(1, 6)),
        st.tuples(st.just("forget"), st.integers(0, 40)),
    ),
    max_size=40,
)


async def _play(actions: Sequence[Action], *, depth: int, kept: bool) -> Reader:
    desk = FakeDesk(depth=depth)
    reader = Reader(desk)
    reader.open.set()
    stop = asyncio.Event()

    async def connect() -> None:
        feed = Feed(desk, [stop], NEVER, reader.take)
        await feed.run(f"{desk.state.epoch}:{reader.position}")

    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(connect())
        for action, number in actions:
            match action:
                case "commit":
                    desk.commit(number)
                case "publish":
                    desk.publish()
                case "stall":
                    reader.open.clear()
                case "run":
                    reader.open.set()
                    await settle(number)
                case "cut":
                    feeding.cancel()
                    await asyncio.wait([feeding])
                    reader.open.set()
                    feeding = tasks.create_task(connect())
                case "forget" if not kept:
                    desk.forget(min(number, desk.snapshot().seq))
        reader.open.set()
        desk.happen()
        await settle(200)
        stop.set()
    return reader


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_a_stream_cut_anywhere_goes_on_without_a_gap_or_a_repeat(actions: list[Action]) -> None:
    reader = asyncio.run(_play(actions, depth=10_000, kept=True))

    assert not reader.resets
    assert reader.events == list(range(1, reader.desk.newest + 1))


@settings(max_examples=150, deadline=None)
@given(ACTIONS, st.integers(1, 8))
def test_what_cannot_be_caught_up_is_begun_again_and_ends_at_the_present(actions: list[Action], depth: int) -> None:
    reader = asyncio.run(_play(actions, depth=depth, kept=False))

    assert reader.position == reader.desk.newest


async def _steps(desk: FakeDesk, last_event_id: str | None) -> list[Step]:
    taken: list[Step] = []
    stop = asyncio.Event()

    async def take(step: Step) -> None:
        taken.append(step)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Feed(desk, [stop], NEVER, take).run(last_event_id))
        await settle()
        stop.set()
    return taken


async def test_without_an_id_the_feed_begins_at_the_present() -> None:
    desk = FakeDesk()
    desk.happen(3)

    assert await _steps(desk, None) == []


@pytest.mark.parametrize(
    "last_event_id", ["e0:2", "nonsense", "", ":", "e1:", "e1:-1", "e1:99999999999999999999", "e1:4", "e1:٣"]
)
async def test_an_id_of_another_history_resets(last_event_id: str) -> None:
    desk = FakeDesk()
    desk.happen(3)

    (step,) = await _steps(desk, last_event_id)

    assert isinstance(step, Reset)
    assert step.seq == 3


async def test_pruned_events_reset_even_when_nothing_is_left_of_the_log() -> None:
    desk = FakeDesk(state=Snapshot(epoch="e1", seq=9))

    (step,) = await _steps(desk, "e1:4")

    assert isinstance(step, Reset)


async def test_an_event_heard_before_the_snapshot_held_it_resumes() -> None:
    desk = FakeDesk()
    desk.commit(3)

    assert await _steps(desk, "e1:3") == []


async def test_silence_is_broken_by_heartbeats() -> None:
    desk, stop = FakeDesk(), asyncio.Event()

    async def take(step: Step) -> None:
        assert step == Silence()
        stop.set()

    await asyncio.wait_for(Feed(desk, [stop], 0.01, take).run(None), 5)


async def test_a_feed_leaves_the_bus_when_it_ends() -> None:
    desk, stop = FakeDesk(), asyncio.Event()
    stop.set()

    await Feed(desk, [stop], NEVER, lambda step: asyncio.sleep(0)).run(None)

    assert desk.listeners == 0


def test_seats_are_given_back() -> None:
    seats = Seats(1)

    with seats.take(Guest.FULL) as first, seats.take(Guest.FULL) as second:
        assert first
        assert not second
    with seats.take(Guest.FULL) as third:
        assert third


def test_no_guest_can_take_the_seats_of_another() -> None:
    seats = Seats(64)

    assert [seats.share(guest) for guest in (Guest.READ_ONLY, Guest.FULL, Guest.HOST)] == [16, 48, 64]
    with ExitStack() as stack:
        taken = [stack.enter_context(seats.take(Guest.READ_ONLY)) for _ in range(64)]
        assert sum(taken) == 16
        for guest in (Guest.FULL, Guest.HOST):
            with seats.take(guest) as free:
                assert free


def test_a_frame_carries_the_durable_id_the_kind_and_the_wire_form() -> None:
    desk = FakeDesk()
    desk.happen()

    assert frame(desk.log, "e1") == (
        b"id: e1:1\nevent: AccountSeen\n"
        b'data: {"seq":1,"kind":"AccountSeen","fields":{"at":1795161600000000000,"account_id":"anna-1",'
        b'"name":"Anna","limit":10,"window":60000000000}}\n\n'
    )
