"""An outage, rehearsed: what would happen to each tool if a provider were down, on the configuration as it runs now.

Each tool gets one small task that counts the provider as down; the calls to the others are real, and booked. Nothing
learns from it: breakers, gauges and the counts of traffic stay as they are, and what it learns of throttled models it
keeps for itself. Live breakers and throttles are looked at, because they would stand in the way of a real outage too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.kernel.clock import Clock
from engine.kernel.errors import BudgetRefused, CommandRefused, ProviderError, Refusal
from engine.kernel.values import SECOND, NanoUSD, Random, new_id
from engine.orchestrator.fallback import Admission, Fallback
from engine.orchestrator.meter import text_bound
from engine.orchestrator.pipeline import Orchestrator
from engine.orchestrator.router import Router, route_of
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.task import Answer, Hop, Target, Task
from engine.orchestrator.throttles import Throttles
from engine.orchestrator.trailing import Trailing
from engine.providers import Message, Role

USER = "drill"  # whom the calls of a drill are booked under
_PROMPT = (Message(Role.USER, "This is a rehearsal, nobody waits for it. Answer with the one word: ready"),)
_OUTPUT = 256  # tokens at most; a model that reasons needs some even for one word
_TIME = 45 * SECOND  # nanoseconds for one task; whoever asked for the drill waits for the answer


class Part(StrEnum):
    """How a tool came through."""

    UNTOUCHED = "untouched"  # its chain does not use the provider: nothing was asked
    UNAFFECTED = "unaffected"  # its first choice is another, and answered
    TAKEN_OVER = "taken_over"
    UNSERVED = "unserved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a drill would ask for one tool: whom, in order, and the most it can cost; None: a price is not known."""

    tool: str
    targets: tuple[Target, ...]
    most: NanoUSD | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """How one tool came through. `took` is nanoseconds from the simulated failure to the answer."""

    tool: str
    part: Part
    trace_id: str = ""
    target: Target | None = None  # who answered
    failed: tuple[str, ...] = ()
    took: int = 0
    error: str = ""


class Drill:
    """Rehearses outages, one at a time."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        router: Router,
        hop: Hop,
        admission: Admission,
        throttles: Throttles,
        trailing: Trailing,
        worst_cost: Callable[[Target, int, int], NanoUSD | None],
        clock: Clock,
        chance: Random,
    ) -> None:
        self._orchestrator = orchestrator
        self._router = router
        self._hop = hop
        self._admission = admission
        self._throttles = throttles
        self._trailing = trailing
        self._worst_cost = worst_cost
        self._clock = clock
        self._chance = chance
        self._running = False

    def plan(self, down: str, tools: Sequence[str] = ()) -> tuple[Plan, ...]:
        """What `run` would ask. Raises CommandRefused for a provider or a tool that is not configured."""
        settings = self._orchestrator.settings
        self._check(settings, down)
        return tuple(self._plan(settings, down, tool) for tool in self._tools(settings, tools))

    async def run(
        self, down: str, tools: Sequence[str] = (), *, begun: Callable[[], Awaitable[None]]
    ) -> tuple[Rehearsed, ...]:
        """How each tool came through, in the order of their names. Raises as `plan`, and CONFLICT beside another.

        `begun` is awaited when nothing objects any more and before anything is asked.
        """
        plans = self.plan(down, tools)
        if self._running:
            raise CommandRefused(Refusal.CONFLICT, "another drill is under way")
        self._running = True
        settings = self._orchestrator.settings
        fallback = Fallback(
            self._router,
            self._hop,
            self._admission,
            self._trailing,
            self._clock,
            self._chance,
            settings,
            self._throttles,
        )
        try:
            await begun()
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(self._rehearse(fallback, settings, down, plan)) for plan in plans]
        finally:
            self._running = False
        return tuple(part.result() for part in parts)

    async def _rehearse(self, fallback: Fallback, settings: OrchestratorSettings, down: str, plan: Plan) -> Rehearsed:
        if not plan.targets:
            return Rehearsed(tool=plan.tool, part=Part.UNTOUCHED)
        task = self._task(settings, plan.tool, down)
        started = self._clock.now()
        try:
            answer = await fallback.complete(task)
        except (ProviderError, BudgetRefused) as error:
            return Rehearsed(tool=plan.tool, part=Part.UNSERVED, trace_id=task.trace_id, error=error.message)
        return _came_through(plan.tool, task, answer, self._clock.now() - started)

    def _plan(self, settings: OrchestratorSettings, down: str, tool: str) -> Plan:
        task = self._task(settings, tool, down)
        order = self._router.decide(task).order
        if order and not any(target.provider == down for target in order):
            return Plan(tool=tool, targets=(), most=NanoUSD(0))
        others = tuple(target for target in order if target.provider != down)
        size, cap = text_bound(_PROMPT), task.max_output_tokens or 0
        costs = [self._worst_cost(target, size, cap) for target in others]
        known = [cost for cost in costs if cost is not None]
        most = sum(known) * settings.retry.attempts if len(known) == len(costs) else None
        # a tool that nobody else serves is rehearsed too: it says so
        targets = others or order or self._router.targets(task)
        return Plan(tool=tool, targets=targets, most=None if most is None else NanoUSD(most))

    def _task(self, settings: OrchestratorSettings, tool: str, down: str) -> Task:
        now = self._clock.now()
        return Task(
            tool=tool,
            messages=_PROMPT,
            trace_id=new_id("drill", now, self._chance),
            user_id=USER,
            bare=True,
            fresh=True,
            rehearsal=True,
            outage=down,
            max_output_tokens=min(_OUTPUT, route_of(settings, tool).max_output_tokens),
            deadline=now + min(_TIME, settings.total),
        )

    def _tools(self, settings: OrchestratorSettings, tools: Sequence[str]) -> list[str]:
        for tool in tools:
            route_of(settings, tool)
        return sorted(set(tools) or settings.tools)

    def _check(self, settings: OrchestratorSettings, down: str) -> None:
        known = sorted({name.partition("/")[0] for route in settings.tools.values() for name in route.chain})
        if down not in known:
            message = f"no tool uses a provider {down!r}; those used are {', '.join(known)}"
            raise CommandRefused(Refusal.INVALID, message, field="down")


def _came_through(tool: str, task: Task, answer: Answer, took: int) -> Rehearsed:
    hit = any(name.startswith(f"{task.outage}/") for name in answer.failed)
    part = Part.TAKEN_OVER if hit else Part.UNAFFECTED
    return Rehearsed(
        tool=tool, part=part, trace_id=task.trace_id, target=answer.target, failed=answer.failed, took=took
    )
