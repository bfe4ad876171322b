"""Hard budgets: the worst case of a call is held before it leaves, and its exact cost takes the hold's place after.

The functions here run inside a caller's write transaction, so a hold commits with its attempt and its release with the
settlement. A hold belongs to the windows it was taken in: a call that ends after its window was over is settled there,
so neither window is overspent. The attempt itself remembers them, as pairs of a budget's id and its window's beginning.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from engine.costs.room import Figures, Rooms
from engine.costs.rules import Ask, Budget, BudgetRule, Grant, Kind, Origin, Scope, check_rule, judge
from engine.costs.windows import EVER, Window, bounds
from engine.events import BudgetChanged, BudgetWarned
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import HOUR, MINUTE, Instant, NanoUSD
from engine.storage import Reader, Tx

THRESHOLDS = (50, 80, 100)  # percent of the limit that are told, once a window each
USED_UP = THRESHOLDS[-1]
_WINDOWS_KEPT = 400  # past windows of a budget: a year of days

_COLUMNS = 'id, name, "window", zone, actions, origin, "limit", spent, held, begins, ends, warned'
_MEMBERS = {
    Kind.TENANT: "tenant_id",
    Kind.CAMPAIGN: "campaign_id",
    Kind.ACCOUNT: "account_id",
    Kind.USER: "user_id",
    Kind.PROVIDER: "provider",
}
_HOT = 'id, "limit", spent, held, begins, ends'  # what most calls need of a budget


def _marks(count: int) -> str:
    return ", ".join("?" * count)


_MOST = len(Kind) * len(Window) + 1  # budgets that can cover one call
_FIND = tuple(f"SELECT {_HOT} FROM budgets WHERE name IN ({_marks(count)})" for count in range(len(Kind) + 1))
_FIND_WHOLE = tuple(f"SELECT {_COLUMNS} FROM budgets WHERE name IN ({_marks(count)})" for count in range(len(Kind) + 1))
_HOLD = tuple(f"UPDATE budgets SET held = held + ? WHERE id IN ({_marks(count)})" for count in range(_MOST))
# By its ids first, which are indexed. The pairs count: one budget's window may begin when another's hold was taken.
_SETTLE = tuple(
    f"UPDATE budgets SET held = held - ?, spent = spent + ? WHERE id IN ({_marks(count)})"
    f" AND (id, begins) IN (VALUES {', '.join(['(?, ?)'] * count)})"
    ' RETURNING id, name, "limit", spent, held, ends, warned'
    for count in range(_MOST)
)
_SETTLE_LATE = "UPDATE budget_windows SET held = held - ?, spent = spent + ? WHERE budget = ? AND begins = ?"


class Budgets:
    """The budgets' rows. `zone` is whose clock cuts the windows of budgets that name none."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.rooms = Rooms()

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def hold(
        self, tx: Tx, names: Sequence[str], worst: NanoUSD | None, ask: Callable[[], Ask], now: Instant
    ) -> tuple[Grant | None, str]:
        """Hold the worst case in every budget of these scopes, or in none: what was granted, and what to remember.

        No grant, where nothing had to be decided. Raises NoRoom, which rolls the transaction back.
        """
        names = self.rooms.among(names)
        rows = tx.execute(_FIND[len(names)], names).fetchall() if names else ()
        if not rows:
            return None, ""
        numbers, pairs = [], []
        for number, limit, spent, held, begins, ends in rows:
            if worst is None or worst > limit - spent - held or now >= ends:
                return self._decide(tx, names, ask(), now)
            numbers.append(number)
            pairs.append(f"{number} {begins}")
        tx.execute(_HOLD[len(rows)], (worst, *numbers))
        self._tell(tx, [(number, spent, held + worst, ends) for number, _, spent, held, _, ends in rows])
        return None, " ".join(pairs)

    def _decide(self, tx: Tx, names: Sequence[str], ask: Ask, now: Instant) -> tuple[Grant, str]:
        rows = tx.execute(_FIND_WHOLE[len(names)], names).fetchall()
        budgets = [self._current(tx, one, now) for one in map(_budget, rows)]
        return self._hold(tx, budgets, judge(ask, budgets), now)

    def _hold(self, tx: Tx, budgets: Sequence[Budget], grant: Grant, now: Instant) -> tuple[Grant, str]:
        for budget in budgets:
            tx.execute("UPDATE budgets SET held = held + ? WHERE id = ?", (grant.worst, budget.id))
        self._tell(tx, [(one.id, one.spent, one.held + grant.worst, one.ends) for one in budgets])
        for budget in grant.used_up:
            _warn(tx, budget, USED_UP, now)
        return grant, " ".join(f"{budget.id} {budget.begins}" for budget in budgets)

    def release(self, tx: Tx, held: str, worst: NanoUSD | None, cost: NanoUSD | None, now: Instant) -> list[str]:
        """Put the exact cost in the place of an attempt's holds; returns the scopes that have room again.

        A cost that is not known is charged as the hold: a budget never takes unpriced for zero.
        """
        amount = worst or 0
        charged = amount if cost is None else cost
        parts = held.split(" ")
        if len(parts) >= 2 * _MOST:  # budgets were taken away and given again while the call was under way
            halves = " ".join(parts[: 2 * _MOST - 2]), " ".join(parts[2 * _MOST - 2 :])
            return [name for half in halves for name in self.release(tx, half, worst, cost, now)]
        numbers, begins = parts[::2], parts[1::2]
        count = len(numbers)
        rows = tx.execute(_SETTLE[count], (amount, charged, *map(int, numbers), *map(int, parts))).fetchall()
        for number, _, limit, spent, _, _, warned in rows:
            if warned < USED_UP and spent * 100 >= limit * THRESHOLDS[0]:
                self._reached(tx, number, now)
        self._tell(tx, [(number, spent, still_held, ends) for number, _, _, spent, still_held, ends, _ in rows])
        if len(rows) < count:  # a window is over, or a budget was taken away
            settled = {str(row[0]) for row in rows}
            late = ((amount, charged, int(n), int(b)) for n, b in zip(numbers, begins, strict=True) if n not in settled)
            tx.executemany(_SETTLE_LATE, late)
        return [name for _, name, *_ in rows]

    def _reached(self, tx: Tx, number: int, now: Instant) -> None:
        budget = _budget(tx.execute(f"SELECT {_COLUMNS} FROM budgets WHERE id = ?", (number,)).fetchone())
        _warn(tx, budget, max(step for step in THRESHOLDS if budget.spent * 100 >= budget.limit * step), now)

    def used_up(self, tx: Tx, budgets: Iterable[Budget], now: Instant) -> None:
        """Tell that these had to act, once a window."""
        for budget in budgets:
            row = tx.execute(f"SELECT {_COLUMNS} FROM budgets WHERE id = ?", (budget.id,)).fetchone()
            if row is not None and now < row["ends"]:
                _warn(tx, _budget(row), USED_UP, now)

    def _current(self, tx: Tx, budget: Budget, now: Instant) -> Budget:
        """The budget in the window around now: a new one begins with nothing spent and nothing held."""
        if now < budget.ends:
            return budget
        begins, ends = bounds(Window(budget.window), now, budget.zone or self.zone)
        begins = max(begins, Instant(budget.ends))  # should the zone have changed meanwhile
        past = (budget.id, budget.begins, budget.ends, budget.limit, budget.spent, budget.held)
        tx.execute("INSERT OR REPLACE INTO budget_windows VALUES (?, ?, ?, ?, ?, ?)", past)
        tx.execute(
            "DELETE FROM budget_windows WHERE budget = ? AND begins <= (SELECT begins FROM budget_windows"
            " WHERE budget = ? ORDER BY begins DESC LIMIT 1 OFFSET ?)",
            (budget.id, budget.id, _WINDOWS_KEPT),
        )
        row = tx.execute(
            "UPDATE budgets SET spent = 0, held = 0, warned = 0, begins = ?, ends = ? WHERE id = ?"
            f" RETURNING {_COLUMNS}",
            (begins, ends, budget.id),
        ).fetchone()
        return _budget(row)

    # ── owners ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def set(self, tx: Tx, rule: BudgetRule, origin: Origin, now: Instant) -> Budget:
        """Give a budget, or change it. A lower limit stops nothing that is under way.

        A new one, or one of another zone, begins with what its scope has already spent in the window, and holds what
        its open attempts may yet cost. Raises CommandRefused for a rule that makes no sense.
        """
        check_rule(rule)
        found = tx.execute(
            f'SELECT {_COLUMNS} FROM budgets WHERE name = ? AND "window" = ?', (rule.name, rule.window)
        ).fetchone()
        if found is not None and (_budget(found).zone or self.zone) == (rule.zone or self.zone):
            self._current(tx, _budget(found), now)
            tx.execute(
                'UPDATE budgets SET "limit" = ?1, zone = ?2, actions = ?3, origin = ?4,'
                ' warned = iif("limit" = ?1, warned, 0) WHERE id = ?5',
                (rule.limit, rule.zone, ",".join(rule.actions), origin, found["id"]),
            )
        else:
            tx.execute('DELETE FROM budgets WHERE name = ? AND "window" = ?', (rule.name, rule.window))
            self._begin(tx, rule, origin, now)
        if origin is Origin.COMMAND:
            _tell_change(tx, rule.name, rule.window, rule.limit, now)
            tx.execute("INSERT OR IGNORE INTO budget_commands VALUES (?, ?)", (rule.name, rule.window))
        self._follow(tx, rule.name)
        row = tx.execute(f'SELECT {_COLUMNS} FROM budgets WHERE name = ? AND "window" = ?', (rule.name, rule.window))
        return _budget(row.fetchone())

    def remove(self, tx: Tx, name: str, window: str, now: Instant) -> None:
        """Take a budget away, also one of the file's. What open attempts hold in it is nobody's concern any more.

        Raises CommandRefused where there is none.
        """
        if not tx.execute('DELETE FROM budgets WHERE name = ? AND "window" = ?', (name, window)).rowcount:
            raise CommandRefused(Refusal.NOT_FOUND, f"{name} has no budget by the {window}", field="key")
        tx.execute("INSERT OR IGNORE INTO budget_commands VALUES (?, ?)", (name, window))
        _tell_change(tx, name, window, None, now)
        self._follow(tx, name)

    def adopt(self, tx: Tx, rules: Sequence[BudgetRule], now: Instant) -> None:
        """What the file says, where no command has spoken; budgets that it no longer has go."""
        spoken = {(row[0], row[1]) for row in tx.execute('SELECT name, "window" FROM budget_commands')}
        wanted = {(rule.name, str(rule.window)): rule for rule in rules}
        known = tx.execute('SELECT id, name, "window", origin FROM budgets').fetchall()
        self.rooms.expect_only({*(row["name"] for row in known), *(rule.name for rule in rules)})
        for row in known:
            if row["origin"] == Origin.FILE and (row["name"], row["window"]) not in wanted:
                tx.execute("DELETE FROM budgets WHERE id = ?", (row["id"],))
        for place, rule in wanted.items():
            if place not in spoken:
                self.set(tx, rule, Origin.FILE, now)
        budgets = [_budget(row) for row in tx.execute(f"SELECT {_COLUMNS} FROM budgets").fetchall()]
        tx.after_commit(lambda: self.rooms.load(budgets))

    # ── what is known of them in memory ─────────────────────────────────────────────────────────────────────────────

    def _follow(self, tx: Tx, name: str) -> None:
        rows = tx.execute(f"SELECT {_COLUMNS} FROM budgets WHERE name = ?", (name,)).fetchall()
        budgets = [_budget(row) for row in rows]
        self.rooms.expect(name)
        tx.after_commit(lambda: self.rooms.replace(name, budgets))

    def _tell(self, tx: Tx, figures: list[Figures]) -> None:
        tx.after_commit(lambda: self.rooms.stand(figures))

    def _begin(self, tx: Tx, rule: BudgetRule, origin: Origin, now: Instant) -> None:
        begins, ends = bounds(Window(rule.window), now, rule.zone or self.zone)
        members, key = _members(rule)
        sums = _sums(rule, begins)
        number = tx.execute(
            f"""INSERT INTO budgets (name, "window", zone, actions, origin, "limit", spent, held, begins, ends)
                VALUES (?, ?, ?, ?, ?, ?,
                    (SELECT ifnull(sum(cost), 0) FROM {sums} {members}),
                    (SELECT ifnull(sum(worst_cost), 0) FROM attempts WHERE {members}), ?, ?)""",
            (rule.name, rule.window, rule.zone, ",".join(rule.actions), origin, rule.limit, *key, *key, begins, ends),
        ).lastrowid
        pair = f"{number} {begins}"
        tx.execute(f"UPDATE attempts SET held = ltrim(held || ' ' || ?) WHERE {members}", (pair, *key))


def _sums(rule: BudgetRule, begins: int) -> str:
    """Where the sums of a rule's window stand, up to a condition on the combination."""
    if rule.window == Window.TOTAL:
        return "rollup_hours WHERE"
    if begins % HOUR == 0:
        return f"rollup_hours WHERE hour >= {begins // HOUR} AND"
    return f"rollup_minutes WHERE minute >= {begins // MINUTE} AND"


def _members(rule: BudgetRule) -> tuple[str, tuple[str, ...]]:
    if rule.kind == Kind.GLOBAL:
        return "1", ()
    column = _MEMBERS[Kind(rule.kind)]
    return f"combination IN (SELECT id FROM combinations WHERE {column} = ?)", (rule.key,)


def _warn(tx: Tx, budget: Budget, percent: int, now: Instant) -> None:
    if percent <= budget.warned:
        return
    tx.execute("UPDATE budgets SET warned = ? WHERE id = ?", (percent, budget.id))
    tx.emit(
        BudgetWarned(
            at=now,
            scope=budget.kind,
            key=budget.key,
            window=budget.window,
            percent=percent,
            limit=budget.limit,
            spent=budget.spent,
            held=budget.held,
            resets_at=None if budget.ends == EVER else budget.ends,
        )
    )


def _tell_change(tx: Tx, name: str, window: str, limit: NanoUSD | None, now: Instant) -> None:
    scope, _, key = name.partition(":")
    tx.emit(BudgetChanged(at=now, scope=scope, key=key, window=window, limit=limit))


def _budget(row: sqlite3.Row) -> Budget:
    number, name, window, zone, actions, origin, limit, spent, held, begins, ends, warned = row
    return Budget(
        id=number,
        name=name,
        window=window,
        zone=zone,
        actions=tuple(actions.split(",")),
        origin=origin,
        limit=limit,
        spent=spent,
        held=held,
        begins=begins,
        ends=ends,
        warned=warned,
    )


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def get_budget(tx: Tx, name: str, window: str) -> Budget | None:
    """A budget as the transaction finds it, or None where there is none."""
    row = tx.execute(f'SELECT {_COLUMNS} FROM budgets WHERE name = ? AND "window" = ?', (name, window)).fetchone()
    return _budget(row) if row else None


async def find_budget(reader: Reader, scope: str, key: str, window: str = Window.TOTAL) -> Budget | None:
    """The budget of a scope, or None when it has none."""
    row = await reader.row(
        f'SELECT {_COLUMNS} FROM budgets WHERE name = ? AND "window" = ?', (Scope(scope, key).name, window)
    )
    return _budget(row) if row else None


async def as_begun(reader: Reader, rule: BudgetRule, zone: str, now: Instant) -> Budget:
    """A budget as it would begin now, which is not there yet: with what its scope has spent in the window, and holds.

    Raises CommandRefused for a rule that makes no sense.
    """
    check_rule(rule)
    begins, ends = bounds(Window(rule.window), now, rule.zone or zone)
    members, key = _members(rule)
    spent = await reader.row(f"SELECT ifnull(sum(cost), 0) AS sum FROM {_sums(rule, begins)} {members}", key)
    held = await reader.row(f"SELECT ifnull(sum(worst_cost), 0) AS sum FROM attempts WHERE {members}", key)
    return Budget(
        id=0,
        name=rule.name,
        window=rule.window,
        zone=rule.zone,
        actions=rule.actions,
        origin=Origin.COMMAND,
        limit=rule.limit,
        spent=NanoUSD(spent["sum"] if spent else 0),
        held=NanoUSD(held["sum"] if held else 0),
        begins=begins,
        ends=ends,
        warned=0,
    )


async def list_budgets(reader: Reader, zone: str, now: Instant, *, campaigns: bool = False) -> list[Budget]:
    """Every budget as it stands now, the campaigns' own if asked for. A window that is over shows as begun anew."""
    where = "" if campaigns else " WHERE origin <> 'campaign'"
    rows = await reader.rows(f"SELECT {_COLUMNS} FROM budgets{where} ORDER BY name, ends - begins")
    return [_shown(_budget(row), zone, now) for row in rows]


def _shown(budget: Budget, zone: str, now: Instant) -> Budget:
    if now < budget.ends:
        return budget
    begins, ends = bounds(Window(budget.window), now, budget.zone or zone)
    return Budget(
        id=budget.id,
        name=budget.name,
        window=budget.window,
        zone=budget.zone,
        actions=budget.actions,
        origin=budget.origin,
        limit=budget.limit,
        spent=NanoUSD(0),
        held=NanoUSD(0),
        begins=begins,
        ends=ends,
        warned=0,
    )
