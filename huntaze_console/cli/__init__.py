"""The command line. `main` is what `huntaze` runs.

    root.py       the group, and how errors become words and exit codes
    flags.py      the flags commands share                    exits.py   the exit codes
    line.py       reaching the engine, or its files           paper.py   values as JSON and as text
    run.py        the console, demo, daemon, world, doctor    fans.py    a list of fans from a file
    reading.py    costs, providers, queue, limits             alerts.py, audit.py, campaign.py, sending.py, settings.py

No module here imports anything heavy at its top, so that `huntaze --help` answers at once.
"""

from huntaze_console.cli.root import main

__all__ = ["main"]
