"""Makes the pictures of the documentation: `.venv/bin/python docs/screenshots/make.py`.

A real daemon over a seeded simulated world, and the console attached to it; nothing in the pictures is drawn by hand.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from engine.kernel.secret import Secret
from engine.storage.directory import StateDirectory
from screens.app import ConsoleApp
from screens.sources.line import Address
from screens.sources.remote import RemoteSource

HERE = Path(__file__).parent
SIZE = (120, 40)
FLAGS = ("--scenario", "azure-outage", "--seed", "7", "--speed", "30")
SECONDS = 40  # real ones: some twenty virtual minutes
STEP = 0.6  # real seconds for each key to be answered
_PROMPT = [" ".join(letter.split()) or "space" for letter in "say hello to the fan"]
PICTURES = (
    ("overview", ()),
    ("costs", ("2",)),
    ("providers", ("3",)),
    ("events", ("8",)),
    ("review", ("6", "m")),
    ("campaign", ("1", "c", *"spring", *["tab"] * 5, *_PROMPT)),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = StateDirectory(Path(folder))
        command = [sys.executable, "-m", "huntaze_console", "daemon", "--simulate", "--port", "0", *FLAGS]
        with subprocess.Popen([*command, "--state-dir", folder], stdout=subprocess.PIPE) as daemon:  # noqa: S603
            assert daemon.stdout is not None  # noqa: S101 - asked for a line above
            daemon.stdout.readline()
            try:
                asyncio.run(_take(state))
            finally:
                daemon.send_signal(signal.SIGTERM)


async def _take(state: StateDirectory) -> None:
    token = Secret(state.token_path.read_text().strip())
    source = RemoteSource(Address(socket=state.socket_path), token, chance=random.Random(7))  # noqa: S311
    source.start()
    app = ConsoleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(SECONDS)
        for name, keys in PICTURES:
            for key in keys:
                await pilot.press(key)
                await pilot.pause(STEP)
            _save(name, app)
    source.close()


def _save(name: str, app: ConsoleApp) -> None:
    """As Textual exports it, without the fonts it would load from elsewhere."""
    picture = re.sub(r"@font-face \{.*?\}\n?", "", app.export_screenshot(title="huntaze"), flags=re.DOTALL)
    kept = picture.replace("<svg ", '<svg xml:space="preserve" ', 1)  # else some viewers drop leading blanks
    (HERE / f"{name}.svg").write_text(re.sub(r"[ \t]+$", "", kept, flags=re.MULTILINE))


if __name__ == "__main__":
    main()
