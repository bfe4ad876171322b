"""The desk's part that says what an act would do before it is done: to budgets, routes, breakers, flags and trials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.costs import EVER, Budget, BudgetRule, Pricer, as_begun, list_budgets
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import DAY, HOUR, NanoUSD
from engine.orchestrator import (
    Flags,
    Orchestrator,
    OrchestratorSettings,
    Routes,
    Target,
    Task,
    changed_flag,
    favourite,
    route_of,
    target_of,
)
from engine.providers import Message, Role, Usage
from engine.storage import Database, Reader
from engine.surface import commands, queries
from engine.surface.effects import BudgetEffectRow, FlagEffectRow, RouteEffectRow, ShadowEffectRow
from engine.surface.queries import Page, Query
from engine.surface.wire import load_draft

_TYPICAL_DAYS = 7  # that a tool's usual text is reckoned over
_TYPICAL_INPUT = 250  # tokens of a tool that was not called lately
_TYPICAL_OUTPUT = 4  # of its output cap, the share that such a text takes: a quarter
_LIVE = """
SELECT campaign_id, name, account_id, tenant_id, tool, draft, starved, starved_by FROM campaigns
WHERE state IN ('awaiting_approval', 'scheduled', 'running') OR (state = 'paused' AND starved = 1)
ORDER BY campaign_id DESC LIMIT 200
"""
_PENDING = "SELECT 1 FROM deliveries WHERE campaign_id = ? AND state = 'pending' LIMIT 1"
_TOOL_USE = """
SELECT ifnull(sum(calls), 0) AS calls, ifnull(sum(input_tokens), 0) AS input, ifnull(sum(output_tokens), 0) AS output
FROM rollup_hours JOIN combinations ON combinations.id = combination WHERE hour >= ? AND tool = ?
"""
_USERS = """
SELECT DISTINCT coalesce(nullif(user_id, ''), nullif(account_id, ''), tenant_id) AS user
FROM rollup_hours JOIN combinations ON combinations.id = combination WHERE hour >= ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """A campaign with texts still to write, who would write the next one, and the most that costs."""

    name: str
    scopes: frozenset[str]
    starved_by: str
    next_cost: int | None


class Previews:
    """Queries for `EngineDesk.extend`. `zone` is whose clock cuts the windows of budgets that name none."""

    def __init__(
        self,
        database: Database,
        orchestrator: Orchestrator,
        routes: Routes,
        flags: Flags,
        pricer: Pricer,
        clock: Clock,
        zone: str,
    ) -> None:
        self._database = database
        self._orchestrator = orchestrator
        self._routes = routes
        self._flags = flags
        self._pricer = pricer
        self._clock = clock
        self._zone = zone
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.PreviewBudget: self._budget,
            queries.PreviewRoute: self._route,
            queries.PreviewBreaker: self._breaker,
            queries.PreviewFlag: self._flag,
            queries.PreviewShadow: self._shadow,
        }

    # ── budgets ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _budget(self, query: queries.PreviewBudget) -> Page[BudgetEffectRow]:
        rule = BudgetRule(kind=query.scope, key=query.key, window=query.window, limit=NanoUSD(query.limit or 0))
        async with self._database.view() as reader:
            begun = await as_begun(reader, rule, self._zone, self._clock.now())  # refuses what makes no sense
            known = await list_budgets(reader, self._zone, self._clock.now(), campaigns=True)
            old = next((one for one in known if (one.name, one.window) == (rule.name, rule.window)), None)
            writing = [one for one in await self._writing(reader) if rule.name in one.scopes]
        if old is None and query.limit is None:
            raise CommandRefused(Refusal.NOT_FOUND, f"{rule.name} has no budget by the {query.window}", field="key")
        now = old or begun
        return Page((_budget_effect(query, now, old, writing),))

    async def _writing(self, reader: Reader) -> list[_Writing]:
        rows = [row for row in await reader.rows(_LIVE) if await reader.row(_PENDING, (row["campaign_id"],))]
        return [one for one in (self._writer(dict(row)) for row in rows) if one is not None]

    def _writer(self, row: Mapping[str, Any]) -> _Writing | None:
        draft = load_draft(row["draft"])
        if not draft.prompt:  # a template costs nothing, so no budget stops it
            return None
        task = Task(
            tool=row["tool"],
            messages=(Message(Role.USER, draft.prompt),),
            trace_id="",
            account_id=row["account_id"],
            tenant_id=row["tenant_id"],
            rehearsal=True,
        )
        decision = self._orchestrator.decide(task)
        target = favourite(decision)
        cost = next((one.worst_cost for one in decision.candidates if one.target == target), None)
        owners = {"campaign": row["campaign_id"], "account": row["account_id"], "tenant": row["tenant_id"]}
        owners["provider"] = target.provider if target else ""
        scopes = frozenset(f"{kind}:{key}" for kind, key in owners.items() if key) | {"global:"}
        return _Writing(name=row["name"], scopes=scopes, starved_by=_starved_by(row), next_cost=cost)

    # ── whom tasks go to ────────────────────────────────────────────────────────────────────────────────────────────

    async def _route(self, query: queries.PreviewRoute) -> Page[RouteEffectRow]:
        command = commands.SetRoute(
            tool=query.tool,
            strategy=query.strategy,
            chain=query.chain,
            weights=query.weights,
            too_slow=query.too_slow,
        )
        tool, settings = self._routes.proposed(command, reset=query.reset)
        return Page((await self._effect(tool, settings),))

    async def _breaker(self, query: queries.PreviewBreaker) -> Page[RouteEffectRow]:
        target = Target(query.provider, query.model)

        def admits(other: Target, now: bool) -> bool:
            return now if other != target or query.state == "auto" else query.state == "closed"

        tools = self._orchestrator.settings.tools
        named = [tool for tool, route in tools.items() if str(target) in route.chain]
        return Page(tuple([await self._effect(tool, self._orchestrator.settings, admits) for tool in named]))

    async def _effect(
        self, tool: str, settings: OrchestratorSettings, admits: Callable[[Target, bool], bool] | None = None
    ) -> RouteEffectRow:
        usage = await self._typical(tool, settings)
        task = Task(
            tool=tool, messages=(Message(Role.USER, "x" * usage.input_tokens * 4),), trace_id="", rehearsal=True
        )
        decision = self._orchestrator.decide_under(task, settings, admits)
        before, after = self._orchestrator.likely(task), favourite(decision)
        lead = next((one for one in decision.candidates if one.target == after), None)
        why = lead.why if lead else "; ".join(f"{one.target}: {one.why}" for one in decision.candidates[:3])
        return RouteEffectRow(
            tool=tool,
            before=str(before or ""),
            after=str(after or ""),
            cost_before=self._price(before, usage),
            cost_after=self._price(after, usage),
            why=why,
            order=tuple(str(one.target) for one in decision.candidates if one.verdict.usable),
        )

    async def _typical(self, tool: str, settings: OrchestratorSettings) -> Usage:
        """The tokens of the tool's usual text of late; of one not called lately, a short prompt and answer."""
        since = (self._clock.now() - _TYPICAL_DAYS * DAY) // HOUR
        async with self._database.view() as reader:
            row = await reader.row(_TOOL_USE, (since, tool))
        if row is None or not row["calls"] or not row["output"]:
            cap = route_of(settings, tool).max_output_tokens
            return Usage(input_tokens=_TYPICAL_INPUT, output_tokens=cap // _TYPICAL_OUTPUT)
        return Usage(input_tokens=row["input"] // row["calls"], output_tokens=row["output"] // row["calls"])

    def _price(self, target: Target | None, usage: Usage) -> int | None:
        if target is None:
            return None
        return self._pricer.price(target.provider, target.model, usage, self._clock.now()).cost

    # ── flags and trials ────────────────────────────────────────────────────────────────────────────────────────────

    async def _flag(self, query: queries.PreviewFlag) -> Page[FlagEffectRow]:
        old = self._flags.get(query.flag.name)
        new = changed_flag(old, query.flag)
        async with self._database.view() as reader:
            rows = await reader.rows(_USERS, ((self._clock.now() - _TYPICAL_DAYS * DAY) // HOUR,))
        users = [row["user"] for row in rows]
        row = FlagEffectRow(
            name=old.name,
            users=len(users),
            before=sum(map(old.on, users)),
            after=sum(map(new.on, users)),
            described_before=old.described(),
            described_after=new.described(),
        )
        return Page((row,))

    async def _shadow(self, query: queries.PreviewShadow) -> Page[ShadowEffectRow]:
        settings = self._orchestrator.settings
        tool = settings.aliases.get(query.tool, query.tool)
        route_of(settings, tool)
        async with self._database.view() as reader:
            row = await reader.row(_TOOL_USE, ((self._clock.now() - DAY) // HOUR, tool))
        tasks = row["calls"] if row else 0
        tried = round(tasks * min(100.0, max(0.0, query.percentage)) / 100)
        each = self._price(target_of(query.target), await self._typical(tool, settings)) if query.target else None
        cost = None if each is None else min(each * tried, max(0, query.budget))
        return Page(
            (ShadowEffectRow(tool=tool, target=query.target, tasks=tasks, tried=tried, cost=cost, budget=query.budget),)
        )


def _starved_by(row: Mapping[str, Any]) -> str:
    """Whose budget it waits for, kind:key; its own total is stored as nobody's."""
    if not row["starved"]:
        return ""
    return row["starved_by"] or f"campaign:{row['campaign_id']}"


def _budget_effect(
    query: queries.PreviewBudget, now: Budget, old: Budget | None, writing: list[_Writing]
) -> BudgetEffectRow:
    left = None if query.limit is None else max(0, query.limit - now.spent - now.held)
    had = None if old is None else max(0, old.limit - now.spent - now.held)
    pauses = [one.name for one in writing if _lacks(left, one) and not one.starved_by and not _lacks(had, one)]
    goes_on = [one.name for one in writing if one.starved_by == now.name and not _lacks(left, one)]
    return BudgetEffectRow(
        scope=query.scope,
        key=query.key,
        window=query.window,
        before=old.limit if old else None,
        after=query.limit,
        spent=now.spent,
        held=now.held,
        left=left,
        resets_at=None if now.ends == EVER else now.ends,
        pauses=tuple(pauses),
        goes_on=tuple(goes_on),
        actions=now.actions,
    )


def _lacks(left: int | None, one: _Writing) -> bool:
    """Whether what is left has no room for its next text; an unknown price has room in no budget."""
    return left is not None and (one.next_cost is None or one.next_cost > left)
