"""The peers' own environments: made once, so that none of them is a part of the product's.

    python -m benchmarks.environment [lite | consoles/NAME]

makes `benchmarks/peers/.venv`, or `benchmarks/lite/.venv` for LiteLLM and `benchmarks/consoles/NAME/.venv` for
another console, with the versions pinned in the `requirements.txt` beside it. The benchmarks make them themselves when
they are not there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent / "peers"
LITE = Path(__file__).parent / "lite"
CONSOLES = Path(__file__).parent / "consoles"


def python(home: Path = PEERS) -> Path:
    """The environment's interpreter, made first if it is missing or of other versions."""
    requirements, made = home / "requirements.txt", home / ".venv"
    interpreter, done = made / "bin" / "python", made / "requirements.txt"
    wanted = requirements.read_text()
    if not (done.exists() and done.read_text() == wanted):
        venv.create(made, with_pip=True, clear=True)
        command = [str(interpreter), "-m", "pip", "--quiet", "--quiet", "install", "--requirement", str(requirements)]
        subprocess.run(command, check=True)
        done.write_text(wanted)
    return interpreter


def measure(script: str, *arguments: str | float) -> Any:
    """What a script of `benchmarks/peers` prints, as JSON."""
    command = [str(python()), str(PEERS / script), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


if __name__ == "__main__":
    sys.stdout.write(f"{python(Path(__file__).parent / (sys.argv[1:] or ['peers'])[0])}\n")
