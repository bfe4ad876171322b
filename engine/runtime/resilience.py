"""The desk's part about failing models: breakers as operators see and hold them, and drills."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from engine.events import DrillEnded
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.orchestrator import (
    BreakerState,
    Drill,
    Guarded,
    Orchestrator,
    Part,
    Plan,
    Rehearsed,
    Standing,
    Target,
    Trailing,
    target_of,
)
from engine.storage import Database, Tx
from engine.surface import commands, queries
from engine.surface.commands import Command, Done
from engine.surface.queries import Page, Query
from engine.surface.rows import BreakerRow, DrillRow

_IDLE = "this engine only reads its files; a drill needs a running one"


class Resilience:
    """Commands and queries for `EngineDesk.extend`. Without a drill, of an engine that calls nobody, it refuses one."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        guarded: Guarded,
        drill: Drill | None,
        trailing: Trailing,
        database: Database,
        clock: Clock,
    ) -> None:
        self._orchestrator = orchestrator
        self._guarded = guarded
        self._drill = drill
        self._trailing = trailing
        self._database = database
        self._clock = clock
        self.commands: Mapping[type[Command], Callable[[Any], Awaitable[Done]]] = {
            commands.ForceBreaker: self._force,
            commands.RunDrill: self._run_drill,
        }
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.ListBreakers: self._breakers,
            queries.PlanDrill: self._plan_drill,
        }

    # ── breakers ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _force(self, command: commands.ForceBreaker) -> Done:
        target = Target(command.provider, command.model)
        self._check(target)
        match command.state:
            case "open":
                await self._guarded.hold(target, BreakerState.OPEN, command.actor)
                return Done(f"{target} is asked no more until its breaker is closed or left to itself")
            case "closed":
                await self._guarded.hold(target, BreakerState.CLOSED, command.actor)
                return Done(f"{target} is asked whatever it does until its breaker is left to itself")
            case "auto":
                held = await self._guarded.release(target, command.actor)
                return Done(f"The breaker of {target} moves by itself{' again' if held else ': nobody held it'}")
        raise CommandRefused(
            Refusal.INVALID, "a breaker is held open or closed, or left to itself: auto", field="state"
        )

    def _check(self, target: Target) -> None:
        known = [standing.target for standing in self._guarded.standings(self._targets())]
        if target not in known:
            names = ", ".join(map(str, known))
            message = f"nobody asks a model {target}; those asked are {names}"
            raise CommandRefused(Refusal.NOT_FOUND, message, field="model")

    def _targets(self) -> Sequence[Target]:
        return [target_of(name) for route in self._orchestrator.settings.tools.values() for name in route.chain]

    async def _breakers(self, query: queries.ListBreakers) -> Page[BreakerRow]:
        return Page(tuple(map(_breaker_row, self._guarded.standings(self._targets()))))

    # ── drills ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _plan_drill(self, query: queries.PlanDrill) -> Page[DrillRow]:
        return Page(tuple(map(_plan_row, self._ready().plan(query.down, query.tools))))

    async def _run_drill(self, command: commands.RunDrill) -> Done:
        started = self._clock.now()
        parts = await self._ready().run(command.down, command.tools, begun=lambda: self._database.write(_begun))
        await self._trailing.drain()  # so that its costs are in the ledger
        rows = [_part_row(part, await self._cost(part.trace_id, started)) for part in parts]
        unserved = sum(part.part is Part.UNSERVED for part in parts)
        event = DrillEnded(
            at=self._clock.now(),
            down=command.down,
            tools=len(parts),
            taken_over=sum(part.part is Part.TAKEN_OVER for part in parts),
            unserved=unserved,
            cost=sum(row["cost"] for row in rows),
            actor=command.actor,
        )
        await self._database.write(lambda tx: tx.emit(event))
        whoever = ", ".join(part.tool for part in parts) if command.tools else "every tool"
        served = (
            f"{unserved} of {len(parts)} tools would be served by nobody" if unserved else f"{whoever} would be served"
        )
        return Done(
            f"With {command.down} down, {served}",
            {"down": command.down, "unserved": unserved, "cost": event.cost, "tools": rows},
        )

    def _ready(self) -> Drill:
        if self._drill is None:
            raise CommandRefused(Refusal.UNAVAILABLE, _IDLE)
        return self._drill

    async def _cost(self, trace_id: str, since: int) -> int:
        """What the calls of one rehearsal came to, the failed ones included, as the ledger has it."""
        if not trace_id:
            return 0
        async with self._database.reader() as reader:
            sql = "SELECT ifnull(sum(cost), 0) AS cost FROM entries WHERE at >= ? AND trace_id = ?"
            row = await reader.row(sql, (since, trace_id))
        return int(row["cost"]) if row else 0


def _begun(tx: Tx) -> None:
    """Nothing but a commit: the audit has the drill before the first of its calls costs something."""


def _breaker_row(one: Standing) -> BreakerRow:
    return BreakerRow(
        provider=one.target.provider,
        model=one.target.model,
        state=str(one.state),
        reason=one.reason,
        changed_at=one.since or None,
        retry_at=one.retry_at,
        held_by=one.held_by,
        calls=one.calls,
        failed=one.failed,
        slow=one.slow,
    )


def _plan_row(plan: Plan) -> DrillRow:
    return DrillRow(tool=plan.tool, models=tuple(map(str, plan.targets)), cost_high=plan.most)


def _part_row(part: Rehearsed, cost: int) -> dict[str, Any]:
    return {
        "tool": part.tool,
        "part": str(part.part),
        "target": str(part.target) if part.target else "",
        "failed": list(part.failed),
        "took": part.took,
        "cost": cost,
        "trace_id": part.trace_id,
        "error": part.error,
    }
