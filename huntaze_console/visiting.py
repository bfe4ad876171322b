"""The process of a console in a browser: it is told by a pipe whose console it is, and draws for textual-serve."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from engine.kernel.errors import HuntazeError
from engine.kernel.secret import Secret
from engine.kernel.text import clean
from huntaze_console.console import visit
from huntaze_console.options import ConsoleOptions, SettingsSource
from screens.sources.line import Address


def main(descriptor: int) -> int:
    """Read what it is told, then be a console until the browser leaves."""
    with os.fdopen(descriptor, "rb") as pipe:
        told = json.load(pipe)
    address = Address(
        host=told["host"],
        port=told["port"],
        socket=_path(told["socket"]),
        tls=told["tls"],
        ca_file=_path(told["ca_file"]),
        path=told["path"],
    )
    options = ConsoleOptions(
        settings=SettingsSource(file=_path(told["config"])),
        state_dir=Path(told["state_dir"]),
        read_only=told["read_only"],
        actor=told["actor"],
    )
    try:
        return visit(options, address, Secret(told["token"]))
    except HuntazeError as error:
        sys.stderr.write(f"huntaze: {clean(str(error))}\n")
        return 1


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
