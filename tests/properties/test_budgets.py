"""Holds, settlements, resets and changes of limits in any order come to what a simple model says."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.costs import Attempt, BudgetRule, Dimensions, Ledger, Pricer, Settlement, Window
from engine.costs.line import Line
from engine.costs.pricing import Priced
from engine.costs.rules import NoRoom
from engine.costs.windows import bounds
from engine.kernel.errors import BudgetRefused
from engine.kernel.values import MINUTE, AttemptId, Instant, NanoUSD
from engine.storage import Database, Tx, migrate
from tests.fakes import ManualClock

T = TypeVar("T")

CAMPAIGNS = ("", "a", "b")
SCOPES = (("global", ""), ("campaign", "a"), ("campaign", "b"), ("account", "x"))
ZONES = ("", "Asia/Kolkata", "America/Los_Angeles")


@functools.cache
def _migrated() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection)
    return connection


class Inline:
    """A database without threads or disk: each write at once, in a savepoint, as the real one's."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        _migrated().backup(self.connection)

    def hurry(self) -> None: ...

    async def write(self, write: Callable[[Tx], T]) -> T:
        tx = Tx(self.connection)
        tx.execute("SAVEPOINT one")
        try:
            result = write(tx)
        except BaseException:
            tx.execute("ROLLBACK TO one")
            raise
        finally:
            tx.execute("RELEASE one")
        for call in tx.calls:
            call()
        return result


@dataclass(eq=False)
class Model:
    """A budget as a person would keep it."""

    kind: str
    key: str
    window: str
    zone: str
    limit: int
    begins: int
    ends: int
    spent: int
    held: int
    highest: int  # the limit was never lower than what this allowed
    past: dict[int, tuple[int, int]] = field(default_factory=dict)

    def covers(self, campaign: str) -> bool:
        return self.kind != "campaign" or self.key == campaign

    def roll(self, now: int) -> None:
        if now >= self.ends:
            self.past[self.begins] = self.spent, self.held
            begins, self.ends = bounds(Window(self.window), now, self.zone or "UTC")
            self.begins, self.spent, self.held, self.highest = begins, 0, 0, self.limit

    def settle(self, begins: int, worst: int, cost: int) -> None:
        if begins == self.begins:
            self.held, self.spent = self.held - worst, self.spent + cost
        else:
            spent, held = self.past[begins]
            self.past[begins] = spent + cost, held - worst


@dataclass
class Open:
    attempt: Attempt
    campaign: str
    worst: int
    holds: list[tuple[Model, int]]


class Budgets(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.database = Inline()
        self.ledger = Ledger(cast(Database, self.database), cast(Pricer, None), self.clock)
        self.models: dict[tuple[str, str, str], Model] = {}
        self.open: dict[str, Open] = {}
        self.entries: list[tuple[int, int, str]] = []
        self.made = 0
        self.run(self.ledger.adopt(()))

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()
            self.database.connection.close()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(
        scope=st.sampled_from(SCOPES),
        window=st.sampled_from(Window),
        limit=st.integers(0, 400),
        zone=st.sampled_from(ZONES),
    )
    def give(self, scope: tuple[str, str], window: Window, limit: int, zone: str) -> None:
        kind, key = scope
        one = BudgetRule(kind=kind, key=key, window=window, limit=NanoUSD(limit), zone=zone)
        self.run(self.database.write(lambda tx: self.ledger.set_budget(tx, one)))
        now, known = self.clock.now(), self.models.get((kind, key, window))
        if known is not None and (known.zone or "UTC") == (zone or "UTC"):
            known.roll(now)
            known.limit, known.zone = limit, zone
            known.highest = max(known.highest, limit)
            return
        begins, ends = bounds(window, now, zone or "UTC")
        made = Model(kind, key, window, zone, limit, begins, ends, 0, 0, limit)
        made.spent = sum(
            cost for at, cost, campaign in self.entries if made.covers(campaign) and at // MINUTE >= begins // MINUTE
        )
        for call in self.open.values():
            if made.covers(call.campaign):
                made.held += call.worst
                call.holds.append((made, begins))
        made.highest = max(limit, made.spent + made.held)
        self.models[kind, key, window] = made

    @rule(scope=st.sampled_from(SCOPES), window=st.sampled_from(Window))
    def remove(self, scope: tuple[str, str], window: Window) -> None:
        kind, key = scope
        if self.models.pop((kind, key, window), None) is not None:
            self.run(self.database.write(lambda tx: self.ledger.remove_budget(tx, f"{kind}:{key}", window)))

    @rule(campaign=st.sampled_from(CAMPAIGNS), worst=st.integers(0, 150))
    def hold(self, campaign: str, worst: int) -> None:
        now = self.clock.now()
        covering = [model for model in self.models.values() if model.covers(campaign)]
        left = min((m.limit - (0 if now >= m.ends else m.spent) for m in covering), default=worst)
        room = min((m.limit - (0 if now >= m.ends else m.spent + m.held) for m in covering), default=worst)
        self.made += 1
        attempt = Attempt(
            id=AttemptId(f"att_{self.made}"),
            dimensions=Dimensions("own", "m", "message", campaign, account_id="x"),
            opened_at=now,
            worst_case=Priced(NanoUSD(worst), "test", ""),
            input_tokens_bound=0,
            max_output_tokens=0,
        )
        refused = self.refusal(attempt, now)
        if refused is not None:
            assert worst > room
            assert refused.waitable == (worst <= left)
            return
        assert worst <= room
        for model in covering:
            model.roll(now)
            model.held += worst
        self.open[attempt.id] = Open(attempt, campaign, worst, [(model, model.begins) for model in covering])

    def refusal(self, attempt: Attempt, now: Instant) -> BudgetRefused | None:
        try:
            self.run(self.ledger.open(attempt, deadline=now))
        except BudgetRefused as refused:
            return refused
        return None

    @rule(data=st.data(), share=st.floats(0, 1))
    def settle(self, data: st.DataObject, share: float) -> None:
        if not self.open:
            return
        call = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        cost, now = int(call.worst * share), self.clock.now()
        settled = _Fixed(self.ledger, cost)
        self.run(self.database.write(lambda tx: settled.settle(tx, call.attempt, now)))
        for model, begins in call.holds:
            model.settle(begins, call.worst, cost)
        self.entries.append((now, cost, call.campaign))

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        if not self.open:
            return
        call = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        self.run(self.ledger.withdraw(call.attempt))
        for model, begins in call.holds:
            model.settle(begins, call.worst, 0)

    @rule(minutes=st.integers(1, 2_000))
    def wait(self, minutes: int) -> None:
        self.clock.jump(minutes * MINUTE)

    @rule()
    def restart(self) -> None:
        """Everything in memory is forgotten; what was open is charged at its worst."""
        self.ledger = Ledger(cast(Database, self.database), cast(Pricer, None), self.clock)
        now = self.clock.now()
        self.run(self.ledger.recover(now))
        self.run(self.ledger.adopt(()))
        for call in self.open.values():
            for model, begins in call.holds:
                model.settle(begins, call.worst, call.worst)
            self.entries.append((now, call.worst, call.campaign))
        self.open.clear()

    # ── what holds ──────────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "database"):
            return
        rows = self.database.connection.execute("SELECT * FROM budgets").fetchall()
        assert len(rows) == len(self.models)
        for row in rows:
            kind, _, key = row["name"].partition(":")
            model = self.models[kind, key, row["window"]]
            assert (row["limit"], row["begins"], row["ends"]) == (model.limit, model.begins, model.ends)
            assert (row["spent"], row["held"]) == (model.spent, model.held)
            past = self.database.connection.execute(
                "SELECT begins, spent, held FROM budget_windows WHERE budget = ?", (row["id"],)
            )
            assert {begins: (spent, held) for begins, spent, held in past} == model.past

    @invariant()
    def never_overspent(self) -> None:
        for model in getattr(self, "models", {}).values():
            assert model.spent + model.held <= model.highest

    @invariant()
    def room_is_known(self) -> None:
        if not hasattr(self, "ledger"):
            return
        now = self.clock.now()
        for campaign in CAMPAIGNS:
            rooms = [
                m.limit if now >= m.ends else m.limit - m.spent - m.held
                for m in self.models.values()
                if m.covers(campaign)
            ]
            found = self.ledger.room(Dimensions("own", "m", "message", campaign, account_id="x"))
            assert found == (max(0, min(rooms)) if rooms else None)


class _Fixed:
    """Settles at a cost that is given: what a price makes of usage is tested elsewhere."""

    def __init__(self, ledger: Ledger, cost: int) -> None:
        self._ledger = ledger
        self._cost = cost

    def settle(self, tx: Tx, attempt: Attempt, now: int) -> None:
        priced = Priced(NanoUSD(self._cost), "test", "")
        exact = Attempt(
            id=attempt.id,
            dimensions=attempt.dimensions,
            opened_at=attempt.opened_at,
            worst_case=priced,
            input_tokens_bound=0,
            max_output_tokens=0,
        )
        self._ledger.settle(tx, exact, Settlement(outcome="interrupted", ended_at=Instant(now)))


Budgets.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_budgets_as_a_person_would_keep_them = Budgets.TestCase


# ── the line ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Rooms:
    """Scopes with so much room each; a hold takes from all of its own, or is refused by those in the way."""

    room: dict[str, int]

    def take(self, names: tuple[str, ...], amount: int) -> None:
        short = tuple(name for name in names if self.room[name] < amount)
        if short:
            raise NoRoom(short[0], "full", waitable=True, names=short)
        for name in names:
            self.room[name] -= amount

    def give(self, names: tuple[str, ...], amount: int) -> None:
        for name in names:
            self.room[name] += amount


NAMES = ("a", "b", "c", "d")
CALLS = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(tuple), st.integers(1, 10)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(calls=CALLS, lasts=st.lists(st.integers(0, 6), min_size=1, max_size=10))
def test_every_call_gets_its_turn_whatever_it_waits_for(
    calls: list[tuple[tuple[str, ...], int]], lasts: list[int]
) -> None:
    async def play() -> list[int]:
        line, rooms, served = Line(ManualClock()), Rooms(dict.fromkeys(NAMES, 10)), list[int]()

        async def call(number: int, names: tuple[str, ...], amount: int) -> None:
            async def attempt() -> None:
                await asyncio.sleep(0)
                try:
                    rooms.take(names, amount)
                finally:  # as a commit's answer, it comes a little after the fact
                    await asyncio.sleep(0)

            await line.admit(names, attempt, None)
            served.append(number)
            for _ in range(lasts[number % len(lasts)]):
                await asyncio.sleep(0)
            rooms.give(names, amount)
            line.wake(names)

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for number, (names, amount) in enumerate(calls):
                group.create_task(call(number, names, amount))
        assert len(line) == 0
        assert set(rooms.room.values()) == {10}
        return served

    assert sorted(asyncio.run(play())) == list(range(len(calls)))


@settings(max_examples=60, deadline=None)
@given(amounts=st.lists(st.integers(1, 10), min_size=2, max_size=30))
def test_of_one_scope_who_came_first_is_served_first(amounts: list[int]) -> None:
    async def play() -> list[int]:
        line, rooms, served = Line(ManualClock()), Rooms({"a": 0}), list[int]()

        async def call(number: int, amount: int) -> None:
            async def attempt() -> None:
                rooms.take(("a",), amount)

            await line.admit(("a",), attempt, None)
            served.append(number)

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for number, amount in enumerate(amounts):
                group.create_task(call(number, amount))
            while len(served) < len(amounts):
                await asyncio.sleep(0)
                rooms.give(("a",), 1)
                line.wake(("a",))
        return served

    assert asyncio.run(play()) == list(range(len(amounts)))
