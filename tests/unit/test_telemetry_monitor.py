"""The monitor: what it counts, what it keeps over a restart, and that no write counts twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from engine.events import CallSettled, FallbackTaken, Recorded
from engine.kernel.errors import CommitUnknown
from engine.kernel.values import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from engine.storage import Database, Tx
from engine.telemetry import HOURS_KEPT, MINUTES_KEPT, Figures, Kind, Monitor, Recorder
from engine.telemetry.series import OTHERS
from tests.fakes import MORNING, ManualClock

T = TypeVar("T")


def settled(at: int = MORNING, **changes: Any) -> CallSettled:
    fields: dict[str, Any] = {
        "attempt_id": "att_1",
        "provider": "openai",
        "model": "gpt",
        "tool": "message",
        "campaign_id": "",
        "account_id": "",
        "tenant_id": "",
        "user_id": "",
        "trace_id": "",
        "outcome": "ok",
        "basis": "measured",
        "cost": 1,
        "input_tokens": 1,
        "cached_tokens": 0,
        "output_tokens": 1,
        "reasoning_tokens": 0,
        "duration": 800 * MILLISECOND,
    }
    return CallSettled(at=at, **{**fields, **changes})


def taken(at: int = MORNING, reason: str = "server_error") -> FallbackTaken:
    return FallbackTaken(
        at=at,
        tool="message",
        failed_provider="openai",
        failed_model="gpt",
        provider="claude",
        model="haiku",
        reason=reason,
        recovery=SECOND,
    )


def told(monitor: Monitor, *events: CallSettled | FallbackTaken) -> None:
    monitor.observe([Recorded(number, event) for number, event in enumerate(events, 1)])


async def totals(monitor: Monitor, kind: Kind, start: int, end: int) -> dict[str, tuple[int, int, int]]:
    found = await monitor.figures(kind, start, end)
    return {one.name: (one.series.calls, one.series.errors, one.series.fallbacks) for one in found}


def build(database: Database, clock: ManualClock) -> Monitor:
    return Monitor(database, clock, random.SystemRandom())


async def test_a_call_counts_for_its_tool_its_provider_and_its_model(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, clock)

        told(monitor, settled(outcome="timeout"), taken(), settled(provider="claude", model="haiku"))

        span = (MORNING, MORNING + HOUR)
        assert await totals(monitor, Kind.TOOL, *span) == {"message": (2, 1, 1)}
        assert await totals(monitor, Kind.PROVIDER, *span) == {"openai": (1, 1, 1), "claude": (1, 0, 0)}
        assert await totals(monitor, Kind.MODEL, *span) == {"openai/gpt": (1, 1, 1), "claude/haiku": (1, 0, 0)}


async def test_a_call_that_its_caller_left_is_no_error_and_has_no_latency(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, ManualClock())

        told(monitor, settled(outcome="cancelled"))

        (found,) = await monitor.figures(Kind.TOOL, MORNING, MORNING + HOUR)
        assert (found.series.errors, found.series.refused, found.series.whole.count) == (0, 1, 0)


async def test_a_restart_keeps_what_was_written(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, clock)
        told(monitor, settled(), settled(at=MORNING + MINUTE))
        await monitor.flush(None)

    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        again = build(database, clock)
        told(again, settled(at=MORNING + MINUTE))  # the same minute, after the restart
        assert await totals(again, Kind.TOOL, MORNING, MORNING + HOUR) == {"message": (3, 0, 0)}
        await again.flush(None)
        assert await totals(again, Kind.TOOL, MORNING, MORNING + HOUR) == {"message": (3, 0, 0)}


async def test_minutes_and_hours_agree(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, clock)
        for minute in range(0, 180, 7):
            told(monitor, settled(at=MORNING + minute * MINUTE, duration=(minute + 1) * MILLISECOND))
            await monitor.flush(None)

        minutely = await monitor.figures(Kind.MODEL, MORNING, MORNING + 3 * HOUR)
        clock.jump(MINUTES_KEPT + HOUR)  # from here on the minutes are too old to be asked
        hourly = await monitor.figures(Kind.MODEL, MORNING, MORNING + 3 * HOUR)

        assert [(one.name, one.series) for one in minutely] == [(one.name, one.series) for one in hourly]
        assert minutely[0].series.calls == 26


async def test_only_minutes_that_have_ended_are_written_each_once(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, clock)
        told(monitor, settled())

        before = database.commits
        await monitor.flush(MORNING + MINUTE - 1)
        assert database.commits == before

        await monitor.flush(MORNING + MINUTE)
        await monitor.flush(MORNING + MINUTE)
        assert database.commits == before + 1


async def test_a_write_whose_commit_is_unknown_is_repeated_and_counts_once(tmp_path: Path) -> None:
    class Doubtful:
        """A database whose first commit stands and yet is reported as unknown."""

        def __init__(self, database: Database) -> None:
            self._database = database
            self.doubts = 1
            self.reader = database.reader

        async def write(self, write: Callable[[Tx], T]) -> T:
            done = await self._database.write(write)
            if self.doubts:
                self.doubts -= 1
                raise CommitUnknown("the disk did not say")
            return done

    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(Doubtful(database), ManualClock())  # type: ignore[arg-type]
        told(monitor, settled())

        await monitor.flush(None)

        assert await totals(monitor, Kind.TOOL, MORNING, MORNING + HOUR) == {"message": (1, 0, 0)}


async def test_what_is_counted_while_a_write_is_under_way_stays_for_the_next(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, ManualClock())
        told(monitor, settled())

        writing = asyncio.ensure_future(monitor.flush(None))
        await asyncio.sleep(0)
        told(monitor, settled())
        await writing
        await monitor.flush(None)

        assert await totals(monitor, Kind.TOOL, MORNING, MORNING + HOUR) == {"message": (2, 0, 0)}


async def test_old_minutes_and_hours_are_forgotten(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, clock)
        told(monitor, settled())
        await monitor.flush(None)

        told(monitor, settled(at=MORNING + MINUTES_KEPT + MINUTE))
        await monitor.flush(None)
        async with database.reader() as reader:
            minutes = await reader.rows("SELECT DISTINCT minute FROM monitor_minutes")
            hours = await reader.rows("SELECT DISTINCT hour FROM monitor_hours")
        assert (len(minutes), len(hours)) == (1, 2)

        told(monitor, settled(at=MORNING + HOURS_KEPT + DAY))
        await monitor.flush(None)
        async with database.reader() as reader:
            assert len(await reader.rows("SELECT DISTINCT hour FROM monitor_hours")) == 2


async def test_what_was_counted_when_the_engine_stops_is_written(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, ManualClock())
        running = asyncio.ensure_future(monitor.run(stop))
        await asyncio.sleep(0)
        told(monitor, settled())

        stop.set()
        await running

        async with database.reader() as reader:
            assert len(await reader.rows("SELECT * FROM monitor_minutes WHERE kind = 'tool'")) == 1


async def test_a_step_gives_each_bucket_its_row(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "h.db", synchronous="OFF") as database:
        monitor = build(database, ManualClock())
        told(monitor, settled(), settled(at=MORNING + 2 * MINUTE), settled(at=MORNING + 2 * MINUTE))
        await monitor.flush(MORNING + MINUTE)  # one bucket from the disk, one from memory

        found: list[Figures] = await monitor.figures(Kind.TOOL, MORNING, MORNING + HOUR, step=MINUTE)

        assert [(one.at - MORNING, one.series.calls) for one in found] == [(0, 1), (2 * MINUTE, 2)]


def test_names_and_minutes_in_memory_are_bounded() -> None:
    recorder = Recorder(names=3, minutes=2)

    for number in range(10):
        recorder.endpoint(MORNING, f"GET /{number}", 200, SECOND, None)
    for minute in range(5):
        recorder.endpoint(MORNING + minute * MINUTE, "GET /", 200, SECOND, None)

    assert len(recorder.ended(None)) == 2
    assert recorder.lost == 3
    other = Recorder(names=3)
    for number in range(10):
        other.endpoint(MORNING, f"GET /{number}", 200, SECOND, None)
    names = {name: series.calls for _, (_, name), series in other.between(0, 2 * MORNING)}
    assert names == {"GET /0": 1, "GET /1": 1, "GET /2": 1, OTHERS: 7}


def test_a_servers_fault_is_an_error_and_the_askers_is_not() -> None:
    recorder = Recorder()

    for status in (200, 302, 404, 422, 500, 503):
        recorder.endpoint(MORNING, "GET /", status, SECOND, None)

    ((_, _, series),) = recorder.between(0, 2 * MORNING)
    assert (series.calls, series.errors, series.refused) == (6, 2, 2)
