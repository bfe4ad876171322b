"""The desk's part about hard limits: listing, setting and removing budgets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.costs import EVER, Budget, BudgetRule, Ledger, Window, get_budget, list_budgets
from engine.kernel.clock import Clock
from engine.kernel.values import Instant, NanoUSD, decimal_usd
from engine.storage import Database, Tx
from engine.surface import commands, queries
from engine.surface.commands import Command, Done
from engine.surface.queries import Page, Query
from engine.surface.rows import BudgetRow

_SPANS = {Window.HOUR: "an hour", Window.DAY: "a day", Window.MONTH: "a month", Window.TOTAL: "in total"}


class Purse:
    """Commands and queries for `EngineDesk.extend`. `zone` is whose clock cuts the windows of most budgets."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock, zone: str) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._zone = zone
        self.commands: Mapping[type[Command], Callable[[Any], Awaitable[Done]]] = {
            commands.SetBudget: self._set,
            commands.RemoveBudget: self._remove,
        }
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.ListBudgets: self._list,
        }

    async def _set(self, command: commands.SetBudget) -> Done:
        budget = await self._database.write(lambda tx: self._change(tx, command))
        what = f"{_whose(command.scope, command.key)} may spend {decimal_usd(budget.limit)} USD"
        return Done(f"{what} {_SPANS[Window(budget.window)]}")

    def _change(self, tx: Tx, command: commands.SetBudget) -> Budget:
        old = get_budget(tx, f"{command.scope}:{command.key}", command.window)
        actions, zone = (old.actions, old.zone) if old else (("stop",), "")
        rule = BudgetRule(
            kind=command.scope,
            key=command.key,
            window=command.window,
            limit=NanoUSD(command.limit),
            actions=actions if command.actions is None else command.actions,
            zone=zone if command.time_zone is None else command.time_zone,
        )
        return self._ledger.set_budget(tx, rule)

    async def _remove(self, command: commands.RemoveBudget) -> Done:
        name = f"{command.scope}:{command.key}"
        await self._database.write(lambda tx: self._ledger.remove_budget(tx, name, command.window))
        return Done(f"{_whose(command.scope, command.key)} has no limit by the {command.window} any more")

    async def _list(self, query: queries.ListBudgets) -> Page[BudgetRow]:
        return Page(await budget_rows(self._database, self._zone, self._clock.now(), campaigns=query.campaigns))


async def budget_rows(database: Database, zone: str, now: int, *, campaigns: bool) -> tuple[BudgetRow, ...]:
    """Every budget as it stands now, the campaigns' own if asked for; `zone` cuts the windows of most."""
    async with database.reader() as reader:
        found = await list_budgets(reader, zone, Instant(now), campaigns=campaigns)
    return tuple(_row(budget, zone) for budget in found)


def _row(budget: Budget, zone: str) -> BudgetRow:
    endless = budget.ends == EVER
    return BudgetRow(
        scope=budget.kind,
        key=budget.key,
        window=budget.window,
        limit=budget.limit,
        spent=budget.spent,
        held=budget.held,
        percent=budget.warned,
        began_at=None if endless else budget.begins,
        resets_at=None if endless else budget.ends,
        actions=budget.actions,
        time_zone=budget.zone or zone,
        origin=budget.origin,
    )


def _whose(scope: str, key: str) -> str:
    return f"The {scope} {key}" if key else "Everything together"
