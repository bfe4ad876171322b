"""From a task to the models that may do it, in order, each with its reason."""

from __future__ import annotations

from collections.abc import Callable

from engine.kernel.errors import CommandRefused, Refusal
from engine.orchestrator.decision import Candidate, Decision, Strategy, Verdict
from engine.orchestrator.settings import OrchestratorSettings, ToolRoute
from engine.orchestrator.task import Target, Task


class Router:
    """Decides who is asked. It only looks: a decision reserves nothing."""

    def __init__(
        self, settings: OrchestratorSettings, serves: Callable[[Target], bool], admits: Callable[[Target], bool]
    ) -> None:
        self._serves = serves
        self._admits = admits
        self.settings = settings

    def targets(self, task: Task) -> tuple[Target, ...]:
        """The models a task may go to, first choice first, whether or not they can be asked now."""
        if task.pinned is not None:
            return (task.pinned,)
        return chain_of(self.settings, task.tool)

    def decide(self, task: Task) -> Decision:
        """Who is asked, in order, and why nobody else. Raises CommandRefused for a tool without a route."""
        usable: list[Candidate] = []
        passed: list[Candidate] = []
        for target in self.targets(task):
            if not self._serves(target):
                why = "its provider has no key here"
                passed.append(Candidate(target=target, verdict=Verdict.NO_KEY, why=why))
            elif not self._admits(target):
                why = "its breaker is open"
                passed.append(Candidate(target=target, verdict=Verdict.BREAKER_OPEN, why=why))
            else:
                verdict = Verdict.STANDS_IN if usable else Verdict.TAKEN
                usable.append(Candidate(target=target, verdict=verdict, why="next of its chain"))
        return Decision(tool=task.tool, strategy=Strategy.FIXED, candidates=(*usable, *passed))


def route_of(settings: OrchestratorSettings, tool: str) -> ToolRoute:
    """The route of a tool. Raises CommandRefused(INVALID) for a tool without one."""
    route = settings.tools.get(tool)
    if route is None:
        known = ", ".join(sorted(settings.tools))
        raise CommandRefused(Refusal.INVALID, f"there is no tool {tool!r}; the tools are {known}", field="tool")
    return route


def chain_of(settings: OrchestratorSettings, tool: str) -> tuple[Target, ...]:
    """The models for a tool, first choice first."""
    return tuple(target_of(name) for name in route_of(settings, tool).chain)


def target_of(name: str) -> Target:
    """The target written as provider/model; a model's own name may hold further slashes."""
    provider, _, model = name.partition("/")
    return Target(provider, model)
