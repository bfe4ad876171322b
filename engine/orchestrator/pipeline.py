"""The orchestrator as the rest of the engine sees it: one way in, over whatever stages the bootstrap has joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.orchestrator.decision import Decision, Strategy
from engine.orchestrator.router import Router, at_level, chain_of
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.task import Answer, Level, Stage, Target, Task


class Orchestrator:
    """The way from a task to its answer.

    `stage` is the outermost; `reconfigure` tells each stage its new settings; `level` is how well a tool is served now.
    """

    def __init__(
        self,
        stage: Stage,
        router: Router,
        serves: Callable[[Target], bool],
        settings: OrchestratorSettings,
        reconfigure: Sequence[Callable[[OrchestratorSettings], None]] = (),
        level: Callable[[str], Level] = lambda tool: Level.FULL,
    ) -> None:
        self._stage = stage
        self._router = router
        self._serves = serves
        self._reconfigure = reconfigure
        self.level = level
        self.settings = settings

    def configure(self, settings: OrchestratorSettings) -> None:
        """Take new routes and figures over; tasks under way end under the old ones."""
        self.settings = self._router.settings = settings
        for tell in self._reconfigure:
            tell(settings)

    def tool_name(self, name: str) -> str:
        """A tool's own name, also where an alias of it is given."""
        return self.settings.aliases.get(name, name)

    def serves(self, target: Target) -> bool:
        """Whether the target's provider is set up."""
        return self._serves(target)

    def targets(self, tool: str) -> tuple[Target, ...]:
        """The tool's chain as far as its providers are configured."""
        return tuple(target for target in chain_of(self.settings, tool) if self._serves(target))

    def likely(self, task: Task) -> Target | None:
        """The model that most such tasks go to now: the first in line, or where chance decides the heaviest."""
        return favourite(self.decide(task))

    def decide_under(
        self,
        task: Task,
        settings: OrchestratorSettings | None = None,
        admits: Callable[[Target, bool], bool] | None = None,
    ) -> Decision:
        """Who would be asked under other settings, or if breakers let others through: `admits` is told what they do."""
        known = self._router.admits
        asked = known if admits is None else lambda target: admits(target, known(target))
        return self._router.under(settings or self.settings, asked).decide(self._as_served(task))

    def decide(self, task: Task) -> Decision:
        """Who would be asked now, at the level its tool is served at, and why; nothing is asked."""
        return self._router.decide(self._as_served(task))

    def _as_served(self, task: Task) -> Task:
        return at_level(task, self.level(task.tool))

    async def complete(self, task: Task) -> Answer:
        """A usable answer.

        Raises the last ProviderError when nobody answered, BudgetRefused when the worst case has no room,
        CommandRefused for a tool without a route.
        """
        return await self._stage.complete(task)


def favourite(decision: Decision) -> Target | None:
    """The model that most tasks of a decision go to: the first in line, or where chance decides the heaviest."""
    line = [one for one in decision.candidates if one.verdict.usable]
    if decision.strategy is Strategy.WEIGHTED and line:
        return max(line, key=lambda one: (one.flaw is None, one.facts.weight)).target
    return line[0].target if line else None
