"""Routes each task to a model and brings back an answer, whatever single providers do.

task.py      what is asked and answered; the ports Stage (a task) and Hop (a task at one model)
pipeline.py  the way in       router.py, decision.py   who is asked, and why
fallback.py  one after the other until one answers     guard.py, breaker.py   leave a failing model alone
meter.py     one attempt, on the books
"""

from engine.orchestrator.decision import Candidate, Decision, Strategy, Verdict
from engine.orchestrator.degradation import TEMPLATE_PROVIDER, Degraded
from engine.orchestrator.fallback import Fallback
from engine.orchestrator.guard import Guarded
from engine.orchestrator.meter import Call, Meter, Metered, Result, input_bound, text_bound
from engine.orchestrator.pipeline import Orchestrator
from engine.orchestrator.router import Router, chain_of, route_of, target_of
from engine.orchestrator.settings import (
    TOOLS,
    BreakerSettings,
    DegradationSettings,
    OrchestratorSettings,
    RetrySettings,
    ToolRoute,
)
from engine.orchestrator.task import Answer, Conclusion, Emit, Hit, Hop, Level, Need, Stage, Target, Task

__all__ = [
    "TEMPLATE_PROVIDER",
    "TOOLS",
    "Answer",
    "BreakerSettings",
    "Call",
    "Candidate",
    "Conclusion",
    "Decision",
    "DegradationSettings",
    "Degraded",
    "Emit",
    "Fallback",
    "Guarded",
    "Hit",
    "Hop",
    "Level",
    "Meter",
    "Metered",
    "Need",
    "Orchestrator",
    "OrchestratorSettings",
    "Result",
    "RetrySettings",
    "Router",
    "Stage",
    "Strategy",
    "Target",
    "Task",
    "ToolRoute",
    "Verdict",
    "chain_of",
    "input_bound",
    "route_of",
    "target_of",
    "text_bound",
]
