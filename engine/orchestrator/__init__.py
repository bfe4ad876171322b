"""Routes each task to a model and brings back an answer, whatever single providers do.

task.py      what is asked and answered; the ports Stage (a task) and Hop (a task at one model)
pipeline.py  the way in       router.py, strategies.py, decision.py   who is asked, and why
gauges.py    what is measured of each model            tuning.py   how much goes at once
routes.py    routes that operators set while it runs
cache.py, similarity.py, fingerprint.py   answers kept for the next one who asks the same     replay.py   as a stream
coalescer.py one call for all who ask the same at once     savings.py   what both saved
flags.py     what operators switch     shadow.py   models on trial, beside the answer
limited.py   keeps to the providers' limits
fallback.py  one after the other until one answers     retries.py, throttles.py, hedge.py   what a failure calls for
guard.py, breaker.py   leave a failing model alone     drill.py   an outage, rehearsed
meter.py     one attempt, on the books                 trailing.py   writes that nobody waits for
"""

from engine.orchestrator.breaker import BreakerState
from engine.orchestrator.cache import Cached, Shelf
from engine.orchestrator.coalescer import Coalescer
from engine.orchestrator.decision import Candidate, Decision, Facts, Strategy, Verdict, Wish
from engine.orchestrator.degradation import TEMPLATE_PROVIDER, Degraded
from engine.orchestrator.downgrade import Downgrading
from engine.orchestrator.drill import Drill, Part, Plan, Rehearsed
from engine.orchestrator.fallback import Fallback
from engine.orchestrator.flags import FLAGS, Flag, Flagged, Flags, changed_flag
from engine.orchestrator.gauges import Gauged, Gauges, Lesson
from engine.orchestrator.guard import Guarded, Standing, standings
from engine.orchestrator.keeping import Keeping
from engine.orchestrator.limited import Limited, Quotas, Seat, Shut
from engine.orchestrator.loadtest import LoadTests, Report
from engine.orchestrator.meter import Call, Meter, Metered, Result, input_bound, text_bound
from engine.orchestrator.pipeline import Orchestrator, favourite
from engine.orchestrator.router import Outlook, Router, chain_of, route_of, target_of
from engine.orchestrator.routes import Routes
from engine.orchestrator.savings import Reuse, reuse_between
from engine.orchestrator.settings import (
    GATEWAY,
    TOOLS,
    BreakerSettings,
    CacheMode,
    CacheSettings,
    DegradationSettings,
    GaugeSettings,
    HedgeSettings,
    OrchestratorSettings,
    RetrySettings,
    ToolRoute,
    TuningSettings,
)
from engine.orchestrator.shadow import Shadowed, Trial
from engine.orchestrator.task import Answer, Conclusion, Emit, Hit, Hop, Level, Need, Stage, Target, Task
from engine.orchestrator.throttles import Throttles
from engine.orchestrator.trailing import Trailing
from engine.orchestrator.tuner import Tuner
from engine.orchestrator.tuning import Load, Tuning

__all__ = [
    "FLAGS",
    "GATEWAY",
    "TEMPLATE_PROVIDER",
    "TOOLS",
    "Answer",
    "BreakerSettings",
    "BreakerState",
    "CacheMode",
    "CacheSettings",
    "Cached",
    "Call",
    "Candidate",
    "Coalescer",
    "Conclusion",
    "Decision",
    "DegradationSettings",
    "Degraded",
    "Downgrading",
    "Drill",
    "Emit",
    "Facts",
    "Fallback",
    "Flag",
    "Flagged",
    "Flags",
    "GaugeSettings",
    "Gauged",
    "Gauges",
    "Guarded",
    "HedgeSettings",
    "Hit",
    "Hop",
    "Keeping",
    "Lesson",
    "Level",
    "Limited",
    "Load",
    "LoadTests",
    "Meter",
    "Metered",
    "Need",
    "Orchestrator",
    "OrchestratorSettings",
    "Outlook",
    "Part",
    "Plan",
    "Quotas",
    "Rehearsed",
    "Report",
    "Result",
    "RetrySettings",
    "Reuse",
    "Router",
    "Routes",
    "Seat",
    "Shadowed",
    "Shelf",
    "Shut",
    "Stage",
    "Standing",
    "Strategy",
    "Target",
    "Task",
    "Throttles",
    "ToolRoute",
    "Trailing",
    "Trial",
    "Tuner",
    "Tuning",
    "TuningSettings",
    "Verdict",
    "Wish",
    "chain_of",
    "changed_flag",
    "favourite",
    "input_bound",
    "reuse_between",
    "route_of",
    "standings",
    "target_of",
    "text_bound",
]
