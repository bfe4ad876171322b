"""`python -m engine.simulation`: a world by itself, for the engine to start and for hands that want to look at one."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from engine.kernel.errors import ConfigError
from engine.kernel.values import from_datetime
from engine.simulation.options import START, WorldOptions
from engine.simulation.world import run


def main(arguments: list[str] | None = None) -> int:
    """Run a world with the given command line; returns the exit code."""
    try:
        run(_options(arguments))
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"huntaze world: {error}\n")
        return 2
    return 0


def _options(arguments: list[str] | None) -> WorldOptions:
    parser = argparse.ArgumentParser(prog="huntaze world", description="The simulated providers, platform and clock.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--speed", type=float, default=1.0, help="virtual seconds to a real one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scenario", default="quiet-day", help="a shipped scenario's name, or a TOML file")
    parser.add_argument("--start", type=instant, default=START, help="virtual start: ISO 8601 or nanoseconds")
    parser.add_argument("--record", type=Path, help="JSONL file to append to")
    parser.add_argument("--state", type=Path, help="directory of the clock page")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    given = parser.parse_args(arguments)
    return WorldOptions(**vars(given))


def instant(text: str) -> int:
    """Nanoseconds since the epoch, from ISO 8601 with an offset or from digits. Raises ValueError."""
    return int(text) if text.isdigit() else from_datetime(datetime.fromisoformat(text))


if __name__ == "__main__":
    sys.exit(main())
