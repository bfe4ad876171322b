"""From a tool to the models that may do it, in order. Pure."""

from __future__ import annotations

from engine.kernel.errors import CommandRefused, Refusal
from engine.orchestrator.settings import OrchestratorSettings, ToolRoute
from engine.orchestrator.task import Target


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
