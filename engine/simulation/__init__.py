"""The simulated world: providers, platform, fans, faults and virtual time behind real protocols on loopback.

The server lives in a process of its own and imports nothing of the engine but the kernel. What the engine may read of
it is here: scenarios (whose `demand` a service acts on) and the traffic trace.
"""

from engine.simulation.scenario import (
    Audience,
    Demand,
    DemandCampaign,
    DemandTask,
    Scenario,
    load_scenario,
    shipped,
)
from engine.simulation.trace import TraceRequest, read_trace, trace_prompt

__all__ = [
    "Audience",
    "Demand",
    "DemandCampaign",
    "DemandTask",
    "Scenario",
    "TraceRequest",
    "load_scenario",
    "read_trace",
    "shipped",
    "trace_prompt",
]
