"""Budgets begin anew on time, act in the order their owner gave, and one budget's queue holds up no other's calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.costs import (
    Attempt,
    Budget,
    BudgetRule,
    CostSettings,
    Dimensions,
    Ledger,
    PriceOverride,
    Pricer,
    Settlement,
    Window,
    find_budget,
)
from engine.costs.line import Line
from engine.costs.rules import NoRoom
from engine.costs.windows import bounds
from engine.events import BudgetWarned
from engine.kernel.errors import BudgetRefused, CommandRefused
from engine.kernel.values import HOUR, MINUTE, SECOND, AttemptId, Instant, NanoUSD, from_datetime
from engine.providers.port import Usage
from engine.storage import Database
from tests.fakes import MORNING, ManualClock, settle

PRICER = Pricer(
    CostSettings(
        overrides=tuple(
            PriceOverride(
                provider="own", model=model, from_day=date(2026, 1, 1), input=Decimal("0.001"), output=Decimal("0.001")
            )
            for model in ("m", "small")
        )
    )
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(database: Database, clock: ManualClock) -> Ledger:
    return Ledger(database, PRICER, clock, ladder={"own/m"}, least_output=10)


def attempt(number: int, *, read: int = 40, write: int = 60, model: str = "m", campaign: str = "cmp_1") -> Attempt:
    """A call that costs a nano-dollar a token, read or written."""
    return Attempt(
        id=AttemptId(f"att_{number:04d}"),
        dimensions=Dimensions("own", model, "message", campaign, account_id="acc_1", tenant_id="ten_1", user_id="u_1"),
        opened_at=MORNING,
        worst_case=PRICER.worst_case("own", model, input_tokens=read, max_output_tokens=write, at=MORNING),
        input_tokens_bound=read,
        max_output_tokens=write,
    )


async def give(
    database: Database,
    ledger: Ledger,
    limit: int,
    *,
    kind: str = "global",
    key: str = "",
    window: str = "hour",
    actions: tuple[str, ...] = ("stop",),
    zone: str = "",
) -> None:
    rule = BudgetRule(kind=kind, key=key, window=window, limit=NanoUSD(limit), actions=actions, zone=zone)
    await database.write(lambda tx: ledger.set_budget(tx, rule))


async def end(database: Database, ledger: Ledger, call: Attempt, cost: int, at: int = MORNING) -> None:
    settlement = Settlement(outcome="ok", ended_at=Instant(at), usage=Usage(input_tokens=cost))
    await database.write(lambda tx: ledger.settle(tx, call, settlement))


async def stand(database: Database, kind: str = "global", key: str = "", window: str = "hour") -> Budget:
    async with database.reader() as reader:
        found = await find_budget(reader, kind, key, window)
    assert found is not None
    return found


async def refusal(ledger: Ledger, call: Attempt, deadline: Instant | None = MORNING) -> BudgetRefused:
    with pytest.raises(BudgetRefused) as caught:
        await ledger.open(call, deadline=deadline)
    return caught.value


async def until_waiting(ledger: Ledger, count: int) -> None:
    async with asyncio.timeout(5):
        while ledger.waiting < count:
            await asyncio.sleep(0.001)


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def at(text: str, zone: str = "UTC") -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25), ("2026-06-01T00:00", 24)]
)
def test_a_day_is_as_long_as_the_zones_clocks_make_it(day: str, hours: int) -> None:
    found = bounds(Window.DAY, at(day, "Europe/Paris"), "Europe/Paris")

    assert found.ends - found.begins == hours * HOUR
    assert datetime.fromtimestamp(found.begins // SECOND, ZoneInfo("Europe/Paris")).hour == 0


@pytest.mark.parametrize(
    ("month", "days"), [("2026-02-28T23:59", 28), ("2028-02-10T00:00", 29), ("2026-12-31T23:00", 31)]
)
def test_a_month_ends_with_the_calendars(month: str, days: int) -> None:
    found = bounds(Window.MONTH, at(month), "UTC")

    assert found.ends - found.begins == days * 24 * HOUR


def test_hours_follow_zones_that_are_off_by_half_an_hour() -> None:
    found = bounds(Window.HOUR, at("2026-06-01T10:40"), "Asia/Kolkata")

    assert datetime.fromtimestamp(found.begins // SECOND, UTC).minute == 30
    assert found.ends - found.begins == HOUR


async def test_a_new_window_begins_with_nothing_spent(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    await give(database, ledger, 150)
    first = attempt(1)
    await ledger.open(first)
    await end(database, ledger, first, 90)
    refused = await refusal(ledger, attempt(2))

    clock.jump(HOUR)
    await ledger.open(attempt(2))

    assert not refused.waitable
    found = await stand(database)
    assert (found.spent, found.held) == (0, 100)


async def test_a_call_over_the_boundary_counts_where_it_was_held(
    database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    await give(database, ledger, 150)
    early, late = attempt(1), attempt(2)
    await ledger.open(early)
    clock.jump(HOUR)

    await ledger.open(late)  # the whole of the new window is free
    await end(database, ledger, early, 90, clock.now())

    found = await stand(database)
    assert (found.spent, found.held) == (0, 100)
    async with database.reader() as reader:
        (past,) = await reader.rows("SELECT spent, held FROM budget_windows")
    assert tuple(past) == (90, 0)


async def test_a_restart_over_a_boundary_charges_the_old_window(tmp_path: Path, clock: ManualClock) -> None:
    zone = "Europe/Paris"
    clock.jump(at("2026-10-24T23:30", zone) - clock.now())
    async with Database.open(tmp_path / "one.db", readers=1, synchronous="OFF") as database:
        ledger = Ledger(database, PRICER, clock, zone=zone)
        await give(database, ledger, 150, window="day")
        await ledger.open(attempt(1))
    clock.jump(24 * HOUR)  # into a day of 25 hours

    async with Database.open(tmp_path / "one.db", readers=1, synchronous="OFF") as database:
        ledger = Ledger(database, PRICER, clock, zone=zone)
        await ledger.recover(clock.now())
        await ledger.adopt(())
        room = ledger.room(attempt(2).dimensions)
        await ledger.open(attempt(2))

        found = await stand(database, window="day")
    assert room == 150
    assert (found.spent, found.held, found.ends - found.begins) == (0, 100, 25 * HOUR)


async def test_who_waits_for_held_money_goes_on_when_the_window_begins_anew(
    database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    await give(database, ledger, 150)
    await ledger.open(attempt(1))

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(ledger.open(attempt(2)))
        await until_waiting(ledger, 1)
        await settle()
        await clock.advance(HOUR)

    assert waiting.result().max_output_tokens == 60


async def test_a_new_budget_knows_its_window_only(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    for number, ended in ((1, MORNING - 2 * HOUR), (2, MORNING), (3, MORNING + MINUTE)):
        call = attempt(number)
        await ledger.open(call)
        await end(database, ledger, call, 10 * number, ended)
    await ledger.open(attempt(4))

    for window in Window:
        await give(database, ledger, 1_000, window=window)
    await give(database, ledger, 1_000, kind="user", key="u_1", zone="Asia/Kolkata")

    assert [(await stand(database, window=window)).spent for window in Window] == [50, 60, 60, 60]
    half_past = await stand(database, "user", "u_1")
    assert (half_past.spent, half_past.held) == (50, 100)


# ── several budgets ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_scope_and_window_of_a_call_is_held_and_settled(database: Database, ledger: Ledger) -> None:
    scopes = [("global", ""), ("tenant", "ten_1"), ("campaign", "cmp_1"), ("account", "acc_1"), ("user", "u_1")]
    scopes.append(("provider", "own"))
    for kind, key in scopes:
        for window in Window:
            await give(database, ledger, 1_000, kind=kind, key=key, window=window)
    call = attempt(1)

    await ledger.open(call)
    held = {(await stand(database, kind, key, window)).held for kind, key in scopes for window in Window}
    await end(database, ledger, call, 30)

    assert held == {100}
    left = [await stand(database, kind, key, window) for kind, key in scopes for window in Window]
    assert {(one.spent, one.held) for one in left} == {(30, 0)}


async def test_others_calls_pass_those_that_wait_for_their_own_budget(database: Database, ledger: Ledger) -> None:
    await give(database, ledger, 10_000)
    await give(database, ledger, 150, kind="campaign", key="cmp_1")
    await ledger.open(attempt(1))

    async with asyncio.TaskGroup() as group:
        blocked = group.create_task(ledger.open(attempt(2)))
        await until_waiting(ledger, 1)
        await ledger.open(attempt(3, campaign="cmp_2"))
        still = not blocked.done()
        await end(database, ledger, attempt(1), 10)

    assert still


async def test_two_calls_never_wait_for_one_another(database: Database, ledger: Ledger) -> None:
    """Each of many needs room in two of three budgets, in every combination; all come through, one after the other."""
    for key in ("cmp_1", "cmp_2"):
        await give(database, ledger, 100, kind="campaign", key=key)
    await give(database, ledger, 100)

    async def run(number: int) -> None:
        call = attempt(number, campaign=f"cmp_{number % 3}")
        await ledger.open(call)
        await end(database, ledger, call, 0)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(run(number))

    assert ledger.waiting == 0
    assert (await stand(database)).held == 0


async def test_room_is_the_tightest_budgets(database: Database, ledger: Ledger) -> None:
    await ledger.adopt(())
    nobody = ledger.room(attempt(1).dimensions)
    await give(database, ledger, 1_000)
    await give(database, ledger, 250, kind="user", key="u_1", window="total")
    await ledger.open(attempt(1))

    assert nobody is None
    assert ledger.room(attempt(2).dimensions) == 150
    await end(database, ledger, attempt(1), 30)
    assert ledger.room(attempt(2).dimensions) == 220


# ── actions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_only_budgets_that_refuse_speak_to_the_router_and_holds_do_not(
    database: Database, ledger: Ledger
) -> None:
    await ledger.adopt(())
    await give(database, ledger, 150, actions=("clamp", "stop"))
    bending = ledger.unspent(attempt(1).dimensions)
    await give(database, ledger, 250, kind="user", key="u_1", window="total")
    await ledger.open(attempt(1))

    assert bending is None
    assert ledger.unspent(attempt(2).dimensions) == 250
    await end(database, ledger, attempt(1), 30)
    assert ledger.unspent(attempt(2).dimensions) == 220


async def test_clamp_lets_a_call_write_what_is_left(database: Database, ledger: Ledger) -> None:
    await give(database, ledger, 75, actions=("clamp", "stop"))

    opened = await ledger.open(attempt(1))

    assert opened.max_output_tokens == 35
    assert (await stand(database)).held == 75
    await end(database, ledger, opened, 75)
    assert (await stand(database)).spent == 75


async def test_clamp_leaves_no_call_too_short_to_be_worth_it(database: Database, ledger: Ledger) -> None:
    await give(database, ledger, 49, actions=("clamp", "stop"))

    refused = await refusal(ledger, attempt(1))

    assert (refused.waitable, refused.downgrade) == (False, False)
    assert (await stand(database)).held == 0


async def test_actions_come_in_their_order(database: Database, ledger: Ledger) -> None:
    await give(database, ledger, 75, actions=("downgrade", "clamp", "stop"))

    first = await refusal(ledger, attempt(1))
    below = await ledger.open(attempt(2, model="small"))  # the ladder ends there

    assert (first.downgrade, first.waitable) == (True, False)
    assert below.max_output_tokens == 35


async def test_the_strictest_of_several_budgets_is_heard(database: Database, ledger: Ledger) -> None:
    await give(database, ledger, 75, actions=("clamp", "stop"))
    await give(database, ledger, 75, kind="user", key="u_1", actions=("stop",))

    refused = await refusal(ledger, attempt(1))

    assert refused.scope == "user:u_1"
    assert not refused.waitable


async def test_throttle_says_when_there_will_be_room(database: Database, ledger: Ledger) -> None:
    await give(database, ledger, 75, actions=("throttle",))

    refused = await refusal(ledger, attempt(1), Instant(MORNING + MINUTE))

    assert refused.waitable
    assert refused.retry_at == MORNING + HOUR
    assert ledger.waiting == 0


async def test_throttle_waits_where_the_window_ends_in_time(
    database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    await give(database, ledger, 150, actions=("throttle",))
    first = attempt(1)
    await ledger.open(first)
    await end(database, ledger, first, 60)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(ledger.open(attempt(2), deadline=Instant(MORNING + 2 * HOUR)))
        await until_waiting(ledger, 1)
        await settle()
        early = waiting.done()
        await clock.advance(HOUR)

    assert not early
    assert (await stand(database)).held == 100


async def test_thresholds_are_told_once_a_window(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    await give(database, ledger, 100)
    for number, cost in enumerate((20, 35, 5, 25)):  # 20, 55, 60, 85
        call = attempt(number, read=cost, write=0)
        await ledger.open(call)
        await end(database, ledger, call, cost)
    for number in (10, 11):
        await refusal(ledger, attempt(number))
    clock.jump(HOUR)
    call = attempt(20, read=50, write=0)
    await ledger.open(call)
    await end(database, ledger, call, 50)

    warned = [one.event for one in await database.events_after(0) if isinstance(one.event, BudgetWarned)]
    assert [event.percent for event in warned] == [50, 80, 100, 50]
    assert {(event.scope, event.key, event.window) for event in warned} == {("global", "", "hour")}


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (BudgetRule(kind="planet", key="mars", limit=NanoUSD(1)), "scope"),
        (BudgetRule(kind="global", key="x", limit=NanoUSD(1)), "key"),
        (BudgetRule(kind="user", limit=NanoUSD(1)), "key"),
        (BudgetRule(kind="global", window="week", limit=NanoUSD(1)), "window"),
        (BudgetRule(kind="global", limit=NanoUSD(-1)), "limit"),
        (BudgetRule(kind="global", limit=NanoUSD(1), actions=()), "actions"),
        (BudgetRule(kind="global", limit=NanoUSD(1), actions=("beg",)), "actions"),
        (BudgetRule(kind="global", limit=NanoUSD(1), actions=("stop", "clamp")), "actions"),
        (BudgetRule(kind="global", limit=NanoUSD(1), actions=("clamp", "clamp")), "actions"),
        (BudgetRule(kind="global", limit=NanoUSD(1), actions=("throttle",)), "actions"),
        (BudgetRule(kind="global", limit=NanoUSD(1), zone="Mars/Base"), "time_zone"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_by_its_field(
    database: Database, ledger: Ledger, rule: BudgetRule, field: str
) -> None:
    with pytest.raises(CommandRefused) as caught:
        await database.write(lambda tx: ledger.set_budget(tx, rule))

    assert caught.value.field == field


async def test_what_a_command_said_stands_over_the_file(database: Database, ledger: Ledger) -> None:
    daily = BudgetRule(kind="global", window="day", limit=NanoUSD(100))
    hourly = BudgetRule(kind="global", window="hour", limit=NanoUSD(50))
    await ledger.adopt((daily, hourly))
    await database.write(lambda tx: ledger.remove_budget(tx, "global:", "hour"))
    await give(database, ledger, 300, window="day")

    await ledger.adopt((daily, hourly, BudgetRule(kind="user", key="u", limit=NanoUSD(7))))
    await ledger.adopt((daily, hourly))

    async with database.reader() as reader:
        rows = await reader.rows('SELECT name, "window", "limit" FROM budgets')
    assert [tuple(row) for row in rows] == [("global:", "day", 300)]


# ── the line ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_only_so_many_calls_wait() -> None:
    line, refusal = Line(ManualClock(), places=2), NoRoom("global:", "full", waitable=True, names=("global:",))

    async def attempt() -> None:
        raise refusal

    waiting = [asyncio.ensure_future(line.admit(("global:",), attempt, None)) for _ in range(2)]
    await settle()
    with pytest.raises(BudgetRefused, match="already wait") as caught:
        await line.admit(("global:",), attempt, None)

    assert caught.value.waitable
    for call in waiting:
        call.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(line) == 0


async def test_behind_a_throttled_call_nobody_waits_beyond_its_deadline(database: Database, ledger: Ledger) -> None:
    await give(database, ledger, 75, actions=("throttle",))

    async with asyncio.TaskGroup() as group:
        patient = group.create_task(ledger.open(attempt(1)))
        await until_waiting(ledger, 1)
        refused = await refusal(ledger, attempt(2), Instant(MORNING + MINUTE))
        patient.cancel()

    assert refused.retry_at == MORNING + HOUR
    assert ledger.waiting == 0


async def test_a_budget_given_in_a_later_window_leaves_the_hold_in_the_earlier_one(
    database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    await give(database, ledger, 1_000)
    await ledger.open(attempt(1))  # holds in the hour's budget
    clock.jump(HOUR)
    await ledger.open(attempt(2))  # which begins anew
    await give(database, ledger, 1_000, kind="campaign", key="cmp_1")  # with what is open, in the hour that is now

    await end(database, ledger, attempt(1), 30)

    found = await stand(database)
    assert (found.spent, found.held) == (0, 100)
