"""The ledger: every call that may have been billed, exactly once.

An attempt commits, with what it may cost at most and the holds on its budgets, before the first byte of the call
leaves. Settling it replaces the attempt by an entry of the same id, in the transaction of the caller's own result; the
sums by minute and hour follow by trigger. An attempt that a killed process left behind becomes an estimated entry at
the next start. So the entries and the open attempts together are every call there ever was.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.costs.budgets import USED_UP, Budgets
from engine.costs.line import Line
from engine.costs.pricing import Priced, Pricer
from engine.costs.rules import Ask, Budget, BudgetRule, Kind, NoRoom, Origin
from engine.costs.settings import HOLD_LEASE, LEAST_OUTPUT
from engine.costs.windows import EVER, Window
from engine.events import CallSettled
from engine.kernel.clock import Clock
from engine.kernel.errors import StorageError
from engine.kernel.values import DAY, SECOND, AttemptId, Instant, NanoUSD, iso
from engine.providers.port import Usage
from engine.storage import Database, Tx

OK = "ok"
INTERRUPTED = "interrupted"  # the outcome of an attempt whose end nobody saw

SYNC_REACH = 30 * DAY  # nanoseconds; what DynamoDB keeps, and so what switching the sync on looks back
_BATCH = 256  # attempts recovered in one transaction
_COMBINATIONS_KEPT = 65_536


@dataclass(frozen=True, slots=True)
class Dimensions:
    """By what and for whom a call is made. Empty where it has none."""

    provider: str
    model: str
    tool: str
    campaign_id: str = ""
    account_id: str = ""
    tenant_id: str = ""
    user_id: str = ""


class Basis(StrEnum):
    """How an amount is known."""

    MEASURED = "measured"  # from the usage the provider reported, or certain to be nothing
    ESTIMATED = "estimated"  # it may have been billed and nobody told: the most it can have cost
    UNPRICED = "unpriced"  # no price is known: no amount, which is not zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one provider. `input_tokens_bound` and `max_output_tokens` are what `worst_case` was computed from."""

    id: AttemptId
    dimensions: Dimensions
    opened_at: Instant
    worst_case: Priced
    input_tokens_bound: int
    max_output_tokens: int
    job_id: str = ""
    trace_id: str = ""
    choices: int = 1  # answers asked for at once: they share the output, and each has a token at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How an attempt ended. `billed` is False only when it is certain that it costs nothing."""

    outcome: str  # ok, or the error class
    ended_at: Instant  # the entry's timestamp: chosen before the first try to settle, so a repeat changes nothing
    usage: Usage | None = None  # as the provider reported it
    billed: bool = True
    model_reported: str = ""
    duration: int | None = None  # nanoseconds; None: since the attempt opened
    received: str = ""  # what arrived of an answer that broke off: the estimate is made from it, not from the cap


@dataclass(frozen=True, slots=True)
class Entry:
    """What an attempt came to."""

    basis: Basis
    priced: Priced
    usage: Usage


def scopes_of(dimensions: Dimensions) -> tuple[str, ...]:
    """The names of all scopes a call falls under, whether or not they have budgets."""
    keys = (
        (Kind.TENANT, dimensions.tenant_id),
        (Kind.CAMPAIGN, dimensions.campaign_id),
        (Kind.ACCOUNT, dimensions.account_id),
        (Kind.USER, dimensions.user_id),
        (Kind.PROVIDER, dimensions.provider),
    )
    return ("global:", *(f"{kind}:{key}" for kind, key in keys if key))


class Ledger:
    """Opens and settles attempts. `outbox` also queues each entry for the sync to DynamoDB.

    `zone` is whose clock cuts the budgets' windows, `ladder` the models (`provider/model`) that have a cheaper one
    below them, `least_output` the fewest output tokens a budget may leave a call.
    """

    def __init__(
        self,
        database: Database,
        pricer: Pricer,
        clock: Clock,
        *,
        outbox: bool = False,
        lease: int = HOLD_LEASE,
        zone: str = "UTC",
        ladder: Container[str] = (),
        least_output: int = LEAST_OUTPUT,
    ) -> None:
        self._database = database
        self._pricer = pricer
        self._outbox = outbox
        self._lease = lease
        self._clock = clock
        self._budgets = Budgets(zone)
        self._ladder = ladder
        self._least_output = least_output
        self._line = Line(clock, hurry=database.hurry)
        self._combinations: dict[Dimensions, int] = {}  # committed ones only
        self._names: dict[Dimensions, tuple[str, ...]] = {}  # of their scopes
        self._second = 0, iso(0)[:-10]  # the newest second, and its timestamp up to the fraction

    @property
    def waiting(self) -> int:
        """How many calls wait for other calls' holds."""
        return len(self._line)

    # ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, attempt: Attempt, *, deadline: Instant | None = None) -> Attempt:
        """Commit an attempt and the holds on its budgets. Only then may a byte leave. A repeat is harmless.

        Returns the attempt as it may be made: a budget may have lowered its output. While nothing but time stands in
        the way it waits its turn, until the deadline (None: as long as it takes). Raises BudgetRefused: `waitable`
        past the deadline, else because the call does not fit what is left or has no known price.
        """
        names = self._scopes(attempt.dimensions)
        try:
            return await self._line.admit(names, lambda: self._commit(attempt, names), deadline)
        except NoRoom as refused:
            acted = [budget for budget in refused.used_up if budget.warned < USED_UP]
            if acted:
                await self._database.write(lambda tx: self._budgets.used_up(tx, acted, self._clock.now()))
            raise

    def room(self, dimensions: Dimensions) -> NanoUSD | None:
        """What is left in the tightest budget that covers such a call, None where none does. From memory."""
        return self._budgets.rooms.tightest(self._scopes(dimensions), self._clock.now())

    def unspent(self, dimensions: Dimensions) -> NanoUSD | None:
        """The least that is unspent in a budget that would refuse such a call. From memory."""
        return self._budgets.rooms.unspent(self._scopes(dimensions), self._clock.now())

    async def withdraw(self, attempt: Attempt) -> None:
        """Take back an attempt of which no byte ever left, without an entry. Its holds are free again."""
        await self._database.write(lambda tx: self._withdraw(tx, attempt.id))

    def _scopes(self, dimensions: Dimensions) -> tuple[str, ...]:
        names = self._names.get(dimensions)
        if names is None:
            if len(self._names) >= _COMBINATIONS_KEPT:
                self._names.clear()
            names = self._names[dimensions] = scopes_of(dimensions)
        return names

    async def _commit(self, attempt: Attempt, names: Sequence[str]) -> Attempt:
        try:
            combination, opened = await self._database.write(lambda tx: self._insert(tx, attempt, names))
        except asyncio.CancelledError:  # the write goes on without us: take back what nobody will settle
            await asyncio.shield(self.withdraw(attempt))
            raise
        if len(self._combinations) >= _COMBINATIONS_KEPT:
            self._combinations.clear()
        self._combinations[attempt.dimensions] = combination
        return opened

    def _insert(self, tx: Tx, attempt: Attempt, names: Sequence[str]) -> tuple[int, Attempt]:
        combination = self._combinations.get(attempt.dimensions) or _intern(tx, attempt.dimensions)
        try:
            now, worst_cost = self._clock.now(), attempt.worst_case.cost
            grant, held = self._budgets.hold(tx, names, worst_cost, lambda: self._ask(attempt), now)
        except NoRoom:
            if tx.execute(_FIND_ATTEMPT, (attempt.id,)).fetchone() is not None:
                return combination, attempt
            raise
        if grant is not None and grant.tokens != attempt.max_output_tokens:
            worst_case = replace(attempt.worst_case, cost=grant.worst)
            attempt = replace(attempt, max_output_tokens=grant.tokens, worst_case=worst_case)
        worst = attempt.worst_case
        inserted = tx.execute(
            _INSERT_ATTEMPT,
            (
                attempt.id,
                combination,
                attempt.job_id,
                attempt.trace_id,
                attempt.opened_at,
                worst.cost,
                worst.source,
                worst.price_date,
                attempt.input_tokens_bound,
                attempt.max_output_tokens,
                held,
            ),
        ).rowcount
        if held and not inserted:  # a repeat: it holds already
            self._budgets.release(tx, held, worst.cost, NanoUSD(0), self._clock.now())
        return combination, attempt

    def _ask(self, attempt: Attempt) -> Ask:
        dimensions = attempt.dimensions

        def price(tokens: int) -> NanoUSD | None:
            return self._pricer.worst_case(
                dimensions.provider,
                dimensions.model,
                input_tokens=attempt.input_tokens_bound,
                max_output_tokens=tokens,
                at=attempt.opened_at,
            ).cost

        return Ask(
            worst=attempt.worst_case.cost,
            tokens=attempt.max_output_tokens,
            price=price,
            least=self._least_output * attempt.choices,
            rung=f"{dimensions.provider}/{dimensions.model}" in self._ladder,
        )

    def _withdraw(self, tx: Tx, attempt_id: AttemptId) -> None:
        found = tx.execute(_FIND_ATTEMPT, (attempt_id,)).fetchone()
        if found is not None:
            tx.execute(_CLOSE_ATTEMPT, (attempt_id,))
            _, held, worst = found
            self._release(tx, held, worst, NanoUSD(0))

    # ── settling ────────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self, tx: Tx, attempt: Attempt, settlement: Settlement) -> NanoUSD | None:
        """Book how an attempt ended, within the caller's transaction; returns its cost, None where unpriced.

        Idempotent: settling again returns the cost of the entry and changes nothing. Raises StorageError for an
        attempt that was never opened.
        """
        found = tx.execute(_FIND_ATTEMPT, (attempt.id,)).fetchone()
        if found is None:
            return _booked_cost(tx, attempt.id)
        tx.execute(_CLOSE_ATTEMPT, (attempt.id,))
        combination, held, worst = found
        entry = self.appraise(attempt, settlement)
        cost = self._book(tx, attempt, settlement, entry, combination)
        self._release(tx, held, worst, cost)
        return cost

    def _release(self, tx: Tx, held: str, worst: NanoUSD | None, cost: NanoUSD | None) -> None:
        if held:
            names = self._budgets.release(tx, held, worst, cost, self._clock.now())
            if self._line.stir():
                tx.after_commit(lambda: self._line.wake(names))

    # ── budgets ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def set_budget(self, tx: Tx, rule: BudgetRule, origin: Origin = Origin.COMMAND) -> Budget:
        """Give a budget or change it; calls that waited for more room try again. Raises CommandRefused."""
        budget = self._budgets.set(tx, rule, origin, self._clock.now())
        tx.after_commit(lambda: self._line.wake((rule.name,)))
        return budget

    def set_limit(self, tx: Tx, scope: str, key: str, limit: NanoUSD | None) -> None:
        """As `set_budget` or, with None, `remove_budget`, of a total that stops at its limit."""
        if limit is None:
            self.remove_budget(tx, f"{scope}:{key}", Window.TOTAL)
        else:
            self.set_budget(tx, BudgetRule(kind=scope, key=key, limit=limit), Origin.CAMPAIGN)

    def remove_budget(self, tx: Tx, name: str, window: str) -> None:
        """Take a budget away; calls that it kept waiting try again. Raises CommandRefused where there is none."""
        self._budgets.remove(tx, name, window, self._clock.now())
        tx.after_commit(lambda: self._line.wake((name,)))

    async def adopt(self, rules: Sequence[BudgetRule]) -> None:
        """Take over the budgets of the configuration, and know what is left in all; what a command said stands."""
        await self._database.write(lambda tx: self._budgets.adopt(tx, rules, self._clock.now()))
        self._line.wake([rule.name for rule in rules])

    # ── prices ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def appraise(self, attempt: Attempt, settlement: Settlement) -> Entry:
        """What settling the attempt so will book. Pure."""
        if not settlement.billed:
            worst = attempt.worst_case
            return Entry(Basis.MEASURED, Priced(NanoUSD(0), worst.source, worst.price_date), Usage())
        dimensions = attempt.dimensions
        if settlement.usage is None:
            output = attempt.max_output_tokens
            if settlement.received:  # a token has at least one byte
                output = min(output, len(settlement.received.encode()))
            bound = Usage(input_tokens=attempt.input_tokens_bound, output_tokens=output)
            basis = Basis.UNPRICED if attempt.worst_case.cost is None else Basis.ESTIMATED
            if output == attempt.max_output_tokens:
                return Entry(basis, attempt.worst_case, bound)
            return Entry(
                basis,
                self._pricer.worst_case(
                    dimensions.provider,
                    dimensions.model,
                    input_tokens=bound.input_tokens,
                    max_output_tokens=output,
                    at=attempt.opened_at,
                ),
                bound,
            )
        priced = self._pricer.price(dimensions.provider, dimensions.model, settlement.usage, attempt.opened_at)
        return Entry(Basis.UNPRICED if priced.cost is None else Basis.MEASURED, priced, settlement.usage)

    def _book(self, tx: Tx, attempt: Attempt, settlement: Settlement, entry: Entry, combination: int) -> NanoUSD | None:
        usage, priced = entry.usage, entry.priced
        lasted = settlement.duration
        duration = settlement.ended_at - attempt.opened_at if lasted is None else lasted
        inserted = tx.execute(
            _INSERT_ENTRY,
            (
                attempt.id,
                settlement.ended_at,
                self._timestamp(settlement.ended_at),
                combination,
                attempt.trace_id,
                attempt.job_id,
                settlement.outcome,
                entry.basis.value,
                priced.cost,
                usage.input_tokens,
                usage.cached_tokens,
                usage.cache_write_tokens,
                usage.output_tokens,
                usage.reasoning_tokens,
                priced.source,
                priced.price_date,
                settlement.model_reported,
                duration,
            ),
        )
        if not inserted.rowcount:  # opened a second time after it was settled
            return _booked_cost(tx, attempt.id)
        if self._outbox:
            tx.execute("INSERT INTO ledger_outbox (entry) VALUES (?)", (inserted.lastrowid,))
        tx.emit(_settled(attempt, settlement, entry, duration))
        return priced.cost

    def _timestamp(self, at: Instant) -> str:
        """As `iso`, which most entries of a second share but for the fraction."""
        second, fraction = divmod(at, SECOND)
        known, text = self._second
        if second != known:
            text = iso(second * SECOND)[:-10]
            self._second = second, text
        return f"{text}{fraction:09d}Z"

    # ── what a killed process left ──────────────────────────────────────────────────────────────────────────────────

    async def recover(self, now: Instant) -> int:
        """At start, before anything opens: charge every attempt left open, at its worst; returns how many there were.

        Also brings the outbox in step with the sync being on or off.
        """
        await self._database.write(lambda tx: self._align_outbox(tx, now))
        return await self._charge_lost(now, EVER)

    async def sweep(self, now: Instant) -> int:
        """While running: charge attempts older than the lease, whose tasks must have been lost; returns how many."""
        return await self._charge_lost(now, now - self._lease)

    async def _charge_lost(self, now: Instant, opened_before: int) -> int:
        charged = 0
        while batch := await self._database.write(lambda tx: self._charge_batch(tx, now, opened_before)):
            charged += batch
        return charged

    def _charge_batch(self, tx: Tx, now: Instant, opened_before: int) -> int:
        rows = tx.execute(_LOST_ATTEMPTS, (opened_before, _BATCH)).fetchall()
        for row in rows:
            self.settle(tx, _attempt(row), Settlement(outcome=INTERRUPTED, ended_at=now, duration=0))
        return len(rows)

    def _align_outbox(self, tx: Tx, now: Instant) -> None:
        """Switched off, remember where; switched on again, queue what was booked since, as far as DynamoDB keeps it."""
        paused = tx.execute("SELECT after FROM ledger_outbox_pause").fetchone()
        if self._outbox and paused is not None:
            missed = "SELECT number FROM entries WHERE number > ? AND at >= ?"
            tx.execute(f"INSERT OR IGNORE INTO ledger_outbox (entry) {missed}", (paused[0], now - SYNC_REACH))
            tx.execute("DELETE FROM ledger_outbox_pause")
        elif not self._outbox and paused is None:
            tx.execute("INSERT INTO ledger_outbox_pause (after) SELECT ifnull(max(number), 0) FROM entries")


_INSERT_ATTEMPT = """
INSERT INTO attempts (id, combination, job_id, trace_id, opened_at, worst_cost, price_source, price_date,
                      input_bound, max_output_tokens, held)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_FIND_ATTEMPT = (
    "SELECT combination, held, worst_cost FROM attempts WHERE id = ?"  # with the DELETE still cheaper than RETURNING
)
_CLOSE_ATTEMPT = "DELETE FROM attempts WHERE id = ?"
_INSERT_ENTRY = """
INSERT INTO entries (id, at, timestamp, combination, trace_id, job_id, outcome, basis, cost,
                     input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
                     price_source, price_date, model_reported, duration)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""
_LOST_ATTEMPTS = """
SELECT * FROM (SELECT id AS attempt_id, * FROM attempts WHERE opened_at < ? ORDER BY opened_at LIMIT ?) a
JOIN combinations c ON c.id = a.combination
"""
_DIMENSIONS = "provider, model, tool, campaign_id, account_id, tenant_id, user_id"


def _intern(tx: Tx, dimensions: Dimensions) -> int:
    """The number of a combination, given when it is first seen. Not to be remembered before the commit."""
    values = (
        dimensions.provider,
        dimensions.model,
        dimensions.tool,
        dimensions.campaign_id,
        dimensions.account_id,
        dimensions.tenant_id,
        dimensions.user_id,
    )
    find = f"SELECT id FROM combinations WHERE ({_DIMENSIONS}) = (?, ?, ?, ?, ?, ?, ?)"
    found = tx.execute(find, values).fetchone()
    if found is not None:
        return int(found[0])
    inserted = tx.execute(f"INSERT INTO combinations ({_DIMENSIONS}) VALUES (?, ?, ?, ?, ?, ?, ?)", values).lastrowid
    assert inserted is not None  # noqa: S101 - an INSERT has just succeeded
    return inserted


def _booked_cost(tx: Tx, attempt_id: AttemptId) -> NanoUSD | None:
    row = tx.execute("SELECT cost FROM entries WHERE id = ?", (attempt_id,)).fetchone()
    if row is None:
        raise StorageError(f"attempt {attempt_id} was never opened", remedy="This is a defect: please report it")
    cost: NanoUSD | None = row[0]
    return cost


def _attempt(row: sqlite3.Row) -> Attempt:
    """An attempt as its row, joined with its combination, has it."""
    return Attempt(
        id=row["attempt_id"],
        dimensions=Dimensions(*(row[name] for name in _DIMENSIONS.split(", "))),
        opened_at=row["opened_at"],
        worst_case=Priced(row["worst_cost"], row["price_source"], row["price_date"]),
        input_tokens_bound=row["input_bound"],
        max_output_tokens=row["max_output_tokens"],
        job_id=row["job_id"],
        trace_id=row["trace_id"],
    )


def _settled(attempt: Attempt, settlement: Settlement, entry: Entry, duration: int) -> CallSettled:
    dimensions, usage = attempt.dimensions, entry.usage
    return CallSettled(
        at=settlement.ended_at,
        attempt_id=attempt.id,
        provider=dimensions.provider,
        model=dimensions.model,
        tool=dimensions.tool,
        campaign_id=dimensions.campaign_id,
        account_id=dimensions.account_id,
        tenant_id=dimensions.tenant_id,
        user_id=dimensions.user_id,
        trace_id=attempt.trace_id,
        outcome=settlement.outcome,
        basis=entry.basis.value,
        cost=entry.priced.cost,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        duration=duration,
    )
