"""Routes that operators set while the engine runs: kept in the database, laid over those of the configuration file.

A route set here holds strategy, chain, weights and bound of its tool, across restarts and reloads; the instruction, the
output's cap and all else still come from the file, and so does everything of the tools that nobody set.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from engine.events import RouteChanged
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.text import clean
from engine.kernel.values import NanoUSD
from engine.orchestrator.decision import Candidate, Strategy, Verdict
from engine.orchestrator.degradation import TEMPLATE_PROVIDER
from engine.orchestrator.gauges import Gauges
from engine.orchestrator.pipeline import Orchestrator
from engine.orchestrator.router import route_of, strategy_of, target_of
from engine.orchestrator.settings import OrchestratorSettings, ToolRoute
from engine.orchestrator.task import Level, Need, Task
from engine.providers import Message, Role
from engine.storage import Database, Tx
from engine.surface.commands import Command, Done, ResetRoute, SetRoute
from engine.surface.queries import ExplainRoute, ListGauges, ListRoutes, Page, Query
from engine.surface.rows import CandidateRow, GaugeRow, RouteRow

_LONGEST_CHAIN = 20
_LONGEST_NAME = 200  # characters
_HEAVIEST = 1_000_000
_SERVED = {
    Level.CACHED: "kept answers are preferred, since many of its tool's tasks go wrong",
    Level.CHEAPER: "the cheapest comes first, since many of its tool's tasks go wrong",
    Level.TEMPLATE: "for probes, the cheapest first",
}
_LONGEST_PROMPT = 4_000_000  # characters that an explanation is asked for; no model's window is longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What an operator set for one tool."""

    strategy: Strategy
    chain: tuple[str, ...]
    weights: tuple[int, ...]
    too_slow: int | None
    set_by: str
    set_at: int

    def over(self, route: ToolRoute) -> ToolRoute:
        return replace(route, strategy=self.strategy, chain=self.chain, weights=self.weights, too_slow=self.too_slow)


class Routes:
    """Keeps the overrides and tells the orchestrator what holds. `providers` are the names the configuration knows."""

    def __init__(
        self,
        database: Database,
        orchestrator: Orchestrator,
        gauges: Gauges,
        clock: Clock,
        providers: Collection[str],
    ) -> None:
        self._database = database
        self._orchestrator = orchestrator
        self._gauges = gauges
        self._clock = clock
        self._providers = providers
        self._file = orchestrator.settings
        self._overrides: dict[str, Override] = {}

    @property
    def commands(self) -> Mapping[type[Command], Callable[[Any], Awaitable[Done]]]:
        return {SetRoute: self.change, ResetRoute: self.reset}

    @property
    def queries(self) -> Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]]:
        return {ListRoutes: self.listing, ExplainRoute: self.explain, ListGauges: self.gauges}

    async def load(self) -> None:
        """At start: what was set before."""
        async with self._database.reader() as reader:
            rows = await reader.rows("SELECT * FROM routes")
        for row in rows:
            self._overrides[row["tool"]] = _override(row)
        self.configure(self._file)

    def configure(self, settings: OrchestratorSettings) -> None:
        """Take over what the file says now; the overrides stay."""
        self._file = settings
        tools = {
            name: override.over(route) if (override := self._overrides.get(name)) else route
            for name, route in settings.tools.items()
        }
        self._orchestrator.configure(replace(settings, tools=tools))

    # ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def change(self, command: SetRoute) -> Done:
        tool = self._tool(command.tool)
        await self._database.write(lambda tx: self._change(tx, tool, command))
        return Done(self._told(tool), {"tool": tool})

    def _change(self, tx: Tx, tool: str, command: SetRoute) -> None:
        """What the command leaves as it is, is what the transaction finds: of two changes at once neither is lost."""
        row = tx.execute("SELECT * FROM routes WHERE tool = ?", (tool,)).fetchone()
        route = route_of(self._file, tool)
        self._store(tx, tool, self._wanted(_override(row).over(route) if row else route, command))

    async def reset(self, command: ResetRoute) -> Done:
        tool = self._tool(command.tool)
        if not await self._database.write(lambda tx: self._forget(tx, tool, command.actor)):
            return Done(f"The file decides over {tool} already", {"tool": tool})
        return Done(f"The file decides again: {self._told(tool)}", {"tool": tool})

    def proposed(self, command: SetRoute, *, reset: bool = False) -> tuple[str, OrchestratorSettings]:
        """The tool, and the settings as they would be after the change or a reset. Refuses as the change does."""
        tool = self._tool(command.tool)
        route = route_of(self._file, tool)
        if not reset:
            route = self._wanted(route_of(self._orchestrator.settings, tool), command).over(route)
        settings = self._orchestrator.settings
        return tool, replace(settings, tools={**settings.tools, tool: route})

    def _wanted(self, present: ToolRoute, command: SetRoute) -> Override:
        """The route as it is to be. Raises CommandRefused(INVALID) naming the field at fault."""
        chain = present.chain if command.chain is None else self._chain(command.chain)
        weights = command.weights
        if weights is None:
            weights = present.weights if chain == present.chain else ()
        too_slow = present.too_slow if command.too_slow is None else command.too_slow
        if too_slow is not None and too_slow < 0:
            raise _invalid("a bound on latency is not negative", "too_slow")
        return Override(
            strategy=strategy_of(command.strategy) if command.strategy else present.strategy,
            chain=chain,
            weights=_weights(weights, chain),
            too_slow=too_slow or None,
            set_by=clean(command.actor, limit=_LONGEST_NAME) or "operator",
            set_at=self._clock.now(),
        )

    def _chain(self, names: Sequence[str]) -> tuple[str, ...]:
        chain = tuple(self._file.model_aliases.get(name, name) for name in names)
        if not chain:
            raise _invalid("a chain names at least one model", "chain")
        if len(chain) > _LONGEST_CHAIN:
            raise _invalid(f"a chain names at most {_LONGEST_CHAIN} models", "chain")
        for name in chain:
            self._check_model(name)
        if len(set(chain)) < len(chain):
            raise _invalid("a chain names no model twice", "chain")
        return chain

    def _check_model(self, name: str) -> None:
        target = target_of(name)
        if not target.provider or not target.model or len(name) > _LONGEST_NAME or clean(name) != name or " " in name:
            shown = clean(name, limit=60)
            raise _invalid(f"{shown!r} is no provider/model, such as openai/gpt-4o-mini", "chain")
        if target.provider not in self._providers:
            known = ", ".join(sorted(self._providers))
            raise _invalid(f"{target.provider!r} is not a provider; the providers are {known}", "chain")

    def _store(self, tx: Tx, tool: str, override: Override) -> None:
        tx.execute(
            "INSERT OR REPLACE INTO routes (tool, strategy, chain, weights, too_slow, set_by, set_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                tool,
                str(override.strategy),
                orjson.dumps(override.chain).decode(),
                orjson.dumps(override.weights).decode(),
                override.too_slow,
                override.set_by,
                override.set_at,
            ),
        )
        tx.emit(_changed(tool, override, override.set_by, override.set_at, from_file=False))
        tx.after_commit(lambda: self._take(tool, override))

    def _forget(self, tx: Tx, tool: str, actor: str) -> bool:
        if not tx.execute("DELETE FROM routes WHERE tool = ?", (tool,)).rowcount:
            return False
        tx.emit(_changed(tool, route_of(self._file, tool), actor, self._clock.now(), from_file=True))
        tx.after_commit(lambda: self._take(tool, None))
        return True

    def _take(self, tool: str, override: Override | None) -> None:
        if override is None:
            self._overrides.pop(tool, None)
        else:
            self._overrides[tool] = override
        self.configure(self._file)

    def _told(self, tool: str) -> str:
        route = route_of(self._orchestrator.settings, tool)
        weights = f" with weights {', '.join(map(str, route.weights))}" if route.weights else ""
        return f"{tool} is routed {route.strategy} over {', '.join(route.chain)}{weights}"

    def _tool(self, name: str) -> str:
        """The tool's own name, also where an alias was given. Raises CommandRefused(NOT_FOUND) for none of them."""
        tool = self._file.aliases.get(name, name)
        if tool not in self._file.tools:
            known = ", ".join(sorted(self._file.tools))
            raise CommandRefused(Refusal.NOT_FOUND, f"there is no tool {name!r}; the tools are {known}", field="tool")
        return tool

    # ── queries ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def listing(self, query: ListRoutes) -> Page[RouteRow]:
        wanted = self._tool(query.tool) if query.tool else ""
        return Page(tuple(self._row(tool) for tool in self._file.tools if wanted in ("", tool)))

    async def explain(self, query: ExplainRoute) -> Page[CandidateRow]:
        """Who would be asked, as the router would decide now: also while the tool is served at a lower level."""
        if not 0 <= query.characters <= _LONGEST_PROMPT:
            raise _invalid(f"a prompt has 0 to {_LONGEST_PROMPT:,} characters", "characters")
        task = Task(
            tool=self._tool(query.tool),
            messages=(Message(Role.USER, "x" * query.characters),),
            trace_id="",
            campaign_id=query.campaign_id,
            account_id=query.account_id,
            tenant_id=query.tenant_id,
            user_id=query.user_id,
            needs=frozenset(map(_need, query.needs)),
            strategy=query.strategy,
            rehearsal=True,
        )
        level, decision = self._orchestrator.level(task.tool), self._orchestrator.decide(task)
        rows = [_candidate(number, one) for number, one in enumerate(decision.candidates, 1)]
        if level is not Level.FULL:
            rows = [replace(row, why=f"{row.why}; {_SERVED[level]}") if row.position else row for row in rows]
        if level is Level.TEMPLATE and route_of(self._orchestrator.settings, task.tool).template:
            return Page((_template(task.tool), *map(_behind, rows)))
        return Page(tuple(rows))

    async def gauges(self, query: ListGauges) -> Page[GaugeRow]:
        tools: dict[str, list[str]] = {}
        for tool, route in self._orchestrator.settings.tools.items():
            for name in route.chain:
                tools.setdefault(name, []).append(tool)
        names = dict.fromkeys((*tools, *map(str, self._gauges.targets)))
        return Page(tuple(self._gauge(name, tools.get(name, ())) for name in names))

    def _row(self, tool: str) -> RouteRow:
        route, file = route_of(self._orchestrator.settings, tool), route_of(self._file, tool)
        override = self._overrides.get(tool)
        return RouteRow(
            tool=tool,
            strategy=str(route.strategy),
            chain=route.chain,
            weights=route.weights,
            too_slow=route.too_slow,
            set_by=override.set_by if override else "",
            set_at=override.set_at if override else None,
            file_strategy=str(file.strategy),
            file_chain=file.chain,
            file_weights=file.weights,
            file_too_slow=file.too_slow,
        )

    def _gauge(self, name: str, tools: Sequence[str]) -> GaugeRow:
        target = target_of(name)
        return GaugeRow(
            provider=target.provider,
            model=target.model,
            latency=self._gauges.latency(target, self._clock.now()),
            in_flight=self._gauges.in_flight(target),
            quality=self._gauges.overall(target),
            tools=tuple(tools),
        )


def _override(row: sqlite3.Row) -> Override:
    return Override(
        strategy=Strategy(row["strategy"]),
        chain=tuple(orjson.loads(row["chain"])),
        weights=tuple(orjson.loads(row["weights"])),
        too_slow=row["too_slow"],
        set_by=row["set_by"],
        set_at=row["set_at"],
    )


def _weights(weights: Sequence[int], chain: Sequence[str]) -> tuple[int, ...]:
    if not weights:
        return ()
    if len(weights) != len(chain):
        raise _invalid(f"{len(chain)} models need as many weights, not {len(weights)}", "weights")
    if not all(0 <= weight <= _HEAVIEST for weight in weights):
        raise _invalid(f"a weight is a whole number from 0 to {_HEAVIEST:,}", "weights")
    if not any(weights):
        raise _invalid("one weight at least is above 0", "weights")
    return tuple(weights)


def _need(name: str) -> Need:
    try:
        return Need(name)
    except ValueError as error:
        raise _invalid(f"there is no need {name!r}; the needs are {', '.join(Need)}", "needs") from error


def _invalid(message: str, field: str) -> CommandRefused:
    return CommandRefused(Refusal.INVALID, message, field=field)


def _candidate(number: int, one: Candidate) -> CandidateRow:
    return CandidateRow(
        position=number if one.verdict.usable else 0,
        provider=one.target.provider,
        model=one.target.model,
        verdict=str(one.verdict),
        flaw=str(one.flaw or ""),
        why=one.why,
        worst_cost=one.worst_cost,
        latency=one.latency,
        in_flight=one.in_flight,
        quality=one.quality,
        room=one.room,
    )


def _template(tool: str) -> CandidateRow:
    return CandidateRow(
        position=1,
        provider=TEMPLATE_PROVIDER,
        model=tool,
        verdict=str(Verdict.TAKEN),
        flaw="",
        why="its tool is served at the last level: a fixed text answers, and models are asked by a probe at times",
        worst_cost=NanoUSD(0),
        latency=None,
        in_flight=0,
        quality=0.0,
        room=None,
    )


def _behind(row: CandidateRow) -> CandidateRow:
    """As it stands behind the template, for probes."""
    return replace(row, position=row.position + 1, verdict=str(Verdict.STANDS_IN)) if row.position else row


def _changed(tool: str, route: Override | ToolRoute, actor: str, at: int, *, from_file: bool) -> RouteChanged:
    return RouteChanged(
        at=at,
        tool=tool,
        strategy=str(route.strategy),
        chain=",".join(route.chain),
        weights=",".join(map(str, route.weights)),
        actor=actor,
        from_file=from_file,
    )
