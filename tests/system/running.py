"""A daemon over a simulated world, as `huntaze daemon --simulate` runs it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.embedded import HUNTAZE, Demo


@contextmanager
def daemon(demo: Demo, *flags: str, speed: float = 20) -> Iterator[subprocess.Popen[str]]:
    """Ready at the beginning of the block, and drained at its end."""
    command = [HUNTAZE, "daemon", "--simulate", "--port", "0", "--speed", str(speed), *flags]
    with subprocess.Popen(
        [*command, "--state-dir", str(demo.state.path)], stdout=subprocess.PIPE, text=True, env=demo.environment
    ) as running:
        assert running.stdout is not None
        assert "ready at" in running.stdout.readline()
        try:
            yield running
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == 0
        finally:
            running.kill()
