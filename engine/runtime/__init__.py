"""The running engine: its desk, its services, and the snapshot they keep."""

from engine.runtime.budgeting import Purse
from engine.runtime.desk import EngineDesk
from engine.runtime.engine import Engine
from engine.runtime.health import Health
from engine.runtime.monitoring import Watch
from engine.runtime.opening import first_snapshot
from engine.runtime.projector import Projector
from engine.runtime.sampling import HOUSEKEEP_EVERY, SAMPLE_EVERY, Housekeeper, Sampler
from engine.runtime.services import Service, every

__all__ = [
    "HOUSEKEEP_EVERY",
    "SAMPLE_EVERY",
    "Engine",
    "EngineDesk",
    "Health",
    "Housekeeper",
    "Projector",
    "Purse",
    "Sampler",
    "Service",
    "Watch",
    "every",
    "first_snapshot",
]
