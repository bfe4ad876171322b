"""From settings to a running engine: the only package that picks adapters.

composition.py  the order in which everything is opened, recovered and joined; begin here
start.py        what a start was asked for             stores.py     what lasts, and what a killed process left
limits.py       who counts what goes out               view.py       the snapshot, and who is told of it
calls.py        one call to one model, on the books    answering.py  from a task to an answer
campaigns.py    from a campaign to its messages        desk.py       what an operator asks and is told
gateway.py      models for the clients of `/v1`         services.py   what runs
reloading.py    new settings for a running engine
"""

from huntaze_console.bootstrap.composition import Built, open_engine, open_offline
from huntaze_console.bootstrap.reloading import TAKEN_WHILE_RUNNING
from huntaze_console.bootstrap.start import VERSION

__all__ = ["TAKEN_WHILE_RUNNING", "VERSION", "Built", "open_engine", "open_offline"]
