"""One profile for every property: no clock decides whether a test passes, and CI repeats what it ran before."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "huntaze", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("huntaze")
