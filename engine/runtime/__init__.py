"""The running engine: its desk, its services, and the snapshot they keep."""

from engine.runtime.budgeting import Purse, budget_rows
from engine.runtime.chronicle import Chronicle
from engine.runtime.depths import Depths
from engine.runtime.desk import EngineDesk
from engine.runtime.engine import Engine
from engine.runtime.explaining import Explaining
from engine.runtime.health import Health
from engine.runtime.logs import Logs
from engine.runtime.middleware import MiddlewareDesk
from engine.runtime.monitoring import Watch
from engine.runtime.opening import first_snapshot
from engine.runtime.past import KEYFRAMES_LOOK, Keyframes, Past
from engine.runtime.previewing import Previews
from engine.runtime.projector import Projector
from engine.runtime.quotas import Limits
from engine.runtime.resilience import Resilience
from engine.runtime.sampling import HOUSEKEEP_EVERY, MEND_EVERY, SAMPLE_EVERY, Housekeeper, Sampler
from engine.runtime.services import Service, every
from engine.runtime.silencing import Silencing
from engine.runtime.thresholds import Thresholds
from engine.runtime.workflows import WorkflowShelf

__all__ = [
    "HOUSEKEEP_EVERY",
    "KEYFRAMES_LOOK",
    "MEND_EVERY",
    "SAMPLE_EVERY",
    "Chronicle",
    "Depths",
    "Engine",
    "EngineDesk",
    "Explaining",
    "Health",
    "Housekeeper",
    "Keyframes",
    "Limits",
    "Logs",
    "MiddlewareDesk",
    "Past",
    "Previews",
    "Projector",
    "Purse",
    "Resilience",
    "Sampler",
    "Service",
    "Silencing",
    "Thresholds",
    "Watch",
    "WorkflowShelf",
    "budget_rows",
    "every",
    "first_snapshot",
]
