"""Hard budgets: the worst case of a call is held before it leaves, and its exact cost takes the hold's place after.

The functions here run inside a caller's write transaction, so a hold commits with its attempt and its release with the
settlement. `Line` is where calls wait, first come, first served, while only other calls' holds stand in their way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from engine.kernel.clock import Clock
from engine.kernel.errors import BudgetRefused, CommandRefused, Refusal
from engine.kernel.values import Instant, NanoUSD, decimal_usd
from engine.storage import Reader, Tx

T = TypeVar("T")

_COLUMNS = {"campaign": "campaign_id", "account": "account_id", "tenant": "tenant_id", "user": "user_id"}
_HOLDERS = "(SELECT attempt_id FROM holds WHERE scope = ? AND key = ?)"


class Scope(NamedTuple):
    """What a budget covers: a kind (campaign, account, tenant, user) and the id within it."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget's state, in nano-dollars. `held` is what calls under way may yet cost."""

    limit: NanoUSD
    spent: NanoUSD
    held: NanoUSD


def set_limit(tx: Tx, scope: str, key: str, limit: NanoUSD | None) -> None:
    """Give a budget, change its limit, or take it away with None. A lower limit stops nothing that is under way.

    A new budget begins with what its scope has already spent, and holds what its open attempts may yet cost. `Ledger`
    has the same method, which also wakes the calls that waited for more room.
    """
    if scope not in _COLUMNS:
        raise CommandRefused(Refusal.INVALID, f"{scope} has no budgets", remedy=f"Known: {', '.join(_COLUMNS)}")
    if limit is None:
        tx.execute("UPDATE attempts SET holds = holds - 1 WHERE id IN " + _HOLDERS, (scope, key))
        tx.execute("DELETE FROM holds WHERE scope = ? AND key = ?", (scope, key))
        tx.execute("DELETE FROM budgets WHERE scope = ? AND key = ?", (scope, key))
    elif not tx.execute('UPDATE budgets SET "limit" = ? WHERE scope = ? AND key = ?', (limit, scope, key)).rowcount:
        _begin(tx, Scope(scope, key), limit)


def _begin(tx: Tx, scope: Scope, limit: NanoUSD) -> None:
    members = f"(SELECT id FROM combinations WHERE {_COLUMNS[scope.kind]} = ?)"
    tx.execute(
        "INSERT INTO holds SELECT id, ?, ?, ifnull(worst_cost, 0) FROM attempts WHERE combination IN " + members,
        (*scope, scope.key),
    )
    tx.execute("UPDATE attempts SET holds = holds + 1 WHERE id IN " + _HOLDERS, scope)
    tx.execute(
        f"""INSERT INTO budgets (scope, key, "limit", spent, held) VALUES (?, ?, ?,
            (SELECT ifnull(sum(cost), 0) FROM rollup_hours WHERE combination IN {members}),
            (SELECT ifnull(sum(amount), 0) FROM holds WHERE scope = ? AND key = ?))""",
        (*scope, limit, scope.key, *scope),
    )


async def find_budget(reader: Reader, scope: str, key: str) -> Budget | None:
    """The budget of a scope, or None when it has none."""
    row = await reader.row('SELECT "limit", spent, held FROM budgets WHERE scope = ? AND key = ?', (scope, key))
    return Budget(limit=row["limit"], spent=row["spent"], held=row["held"]) if row else None


def hold(tx: Tx, attempt_id: str, scopes: Sequence[Scope], worst: NanoUSD | None) -> int:
    """Hold `worst` in every scope that has a budget; returns how many have. All or none.

    Raises BudgetRefused, which rolls the transaction back: `waitable` when only other calls' holds stand in the way.
    """
    budgeted: list[Scope] = []
    wait: BudgetRefused | None = None
    for scope in scopes:
        row = tx.execute('SELECT "limit", spent, held FROM budgets WHERE scope = ? AND key = ?', scope).fetchone()
        if row is not None:
            refused = _judge(scope, Budget(limit=row[0], spent=row[1], held=row[2]), worst)
            if refused is not None and not refused.waitable:
                raise refused
            wait = wait or refused
            budgeted.append(scope)
    if wait is not None:
        raise wait
    for scope in budgeted:
        tx.execute("UPDATE budgets SET held = held + ? WHERE scope = ? AND key = ?", (worst, *scope))
        tx.execute(
            "INSERT INTO holds (attempt_id, scope, key, amount) VALUES (?, ?, ?, ?)", (attempt_id, *scope, worst)
        )
    return len(budgeted)


def _judge(scope: Scope, budget: Budget, worst: NanoUSD | None) -> BudgetRefused | None:
    """Why a call does not fit a budget; None when it does."""
    name = f"{scope.kind}:{scope.key}"
    if worst is None:
        return BudgetRefused(name, f"the {scope.kind} has a budget, and the most this call can cost is not known")
    left = budget.limit - budget.spent
    if worst > left:
        wanted, room = decimal_usd(worst), decimal_usd(max(0, left))
        return BudgetRefused(name, f"the call may cost {wanted} USD and the {scope.kind}'s budget has {room} USD left")
    if worst > left - budget.held:
        held = decimal_usd(budget.held)
        return BudgetRefused(name, f"calls under way hold {held} USD of the {scope.kind}'s budget", waitable=True)
    return None


def release(tx: Tx, attempt_id: str, cost: NanoUSD | None) -> list[Scope]:
    """Put the exact cost in the place of the attempt's holds; returns the scopes that have room again.

    A cost that is not known is charged as the hold: a budget never takes unpriced for zero.
    """
    rows = tx.execute("DELETE FROM holds WHERE attempt_id = ? RETURNING scope, key, amount", (attempt_id,)).fetchall()
    for scope, key, amount in rows:
        tx.execute(
            "UPDATE budgets SET held = held - ?, spent = spent + ? WHERE scope = ? AND key = ?",
            (amount, amount if cost is None else cost, scope, key),
        )
    return [Scope(scope, key) for scope, key, _ in rows]


@dataclass(eq=False, slots=True)
class _Place:
    """One call's place in the line."""

    scopes: frozenset[Scope]
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    queued: bool = False  # it has to wait, so later calls of its scopes stand behind it
    expired: bool = False


class Line:
    """Calls that wait for room in a budget, first come, first served. Lives on one event loop.

    A place is taken before the first try, so that no release between the try and the wait is missed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: dict[_Place, None] = {}  # in the order they came

    def __len__(self) -> int:
        """How many calls wait for money."""
        return sum(place.queued for place in self._places)

    async def admit(self, scopes: Sequence[Scope], attempt: Callable[[], Awaitable[T]], deadline: Instant | None) -> T:
        """Await `attempt()` at this call's turns until it is not refused, or the deadline passes.

        Raises the BudgetRefused of the last try; one that is not waitable at once.
        """
        place = _Place(frozenset(scopes))
        place.queued = any(other.queued and other.scopes & place.scopes for other in self._places)
        if not place.queued:
            place.turn.set()
        self._places[place] = None
        try:
            return await self._take_turns(place, attempt, deadline)
        finally:
            del self._places[place]
            self.wake(place.scopes)

    def wake(self, scopes: Iterable[Scope]) -> None:
        """Room came back in these scopes: give a turn to the first call in line of each."""
        freed, taken = frozenset(scopes), set[Scope]()
        for place in self._places:
            if not place.scopes & taken:
                if place.scopes & freed:
                    place.turn.set()
                if place.queued:
                    taken |= place.scopes

    async def _take_turns(self, place: _Place, attempt: Callable[[], Awaitable[T]], deadline: Instant | None) -> T:
        name = ", ".join(f"{scope.kind}:{scope.key}" for scope in sorted(place.scopes))
        refusal = BudgetRefused(name, "other calls already wait for this budget", waitable=True)
        while True:
            await self._turn(place, deadline)
            if place.expired:
                raise refusal
            place.turn.clear()
            try:
                return await attempt()
            except BudgetRefused as refused:
                if not refused.waitable:
                    raise
                refusal = refused
                place.queued = True

    async def _turn(self, place: _Place, deadline: Instant | None) -> None:
        if deadline is None or place.turn.is_set():
            await place.turn.wait()
            return
        async with asyncio.TaskGroup() as group:
            alarm = group.create_task(self._expire(place, deadline))
            await place.turn.wait()
            alarm.cancel()

    async def _expire(self, place: _Place, deadline: Instant) -> None:
        await self._clock.sleep_until(deadline)
        place.expired = True
        place.turn.set()
