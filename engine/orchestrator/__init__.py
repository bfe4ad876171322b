"""Routes each task to a model and brings back an answer, whatever single providers do."""

from engine.orchestrator.fallback import Orchestrator
from engine.orchestrator.guard import Guarded
from engine.orchestrator.meter import Call, Meter, Metered, Result, input_bound
from engine.orchestrator.router import chain_of, route_of, target_of
from engine.orchestrator.settings import TOOLS, BreakerSettings, OrchestratorSettings, RetrySettings, ToolRoute
from engine.orchestrator.task import Answer, Stage, Target, Task

__all__ = [
    "TOOLS",
    "Answer",
    "BreakerSettings",
    "Call",
    "Guarded",
    "Meter",
    "Metered",
    "Orchestrator",
    "OrchestratorSettings",
    "Result",
    "RetrySettings",
    "Stage",
    "Target",
    "Task",
    "ToolRoute",
    "chain_of",
    "input_bound",
    "route_of",
    "target_of",
]
