"""The peers' own environment: made once, so that none of them is a part of the product's.

    python -m benchmarks.environment

makes `benchmarks/peers/.venv` with the versions pinned in `benchmarks/peers/requirements.txt`. The benchmarks make it
themselves when it is not there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent / "peers"
_REQUIREMENTS = HOME / "requirements.txt"
_VENV = HOME / ".venv"


def python() -> Path:
    """The environment's interpreter, made first if it is missing or of other versions."""
    interpreter, done = _VENV / "bin" / "python", _VENV / "requirements.txt"
    wanted = _REQUIREMENTS.read_text()
    if not (done.exists() and done.read_text() == wanted):
        venv.create(_VENV, with_pip=True, clear=True)
        command = [str(interpreter), "-m", "pip", "--quiet", "--quiet", "install", "--requirement", str(_REQUIREMENTS)]
        subprocess.run(command, check=True)
        done.write_text(wanted)
    return interpreter


def measure(script: str, *arguments: str | float) -> Any:
    """What a script of `benchmarks/peers` prints, as JSON."""
    command = [str(python()), str(HOME / script), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


if __name__ == "__main__":
    sys.stdout.write(f"{python()}\n")
