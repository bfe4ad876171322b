"""An operator who raises a budget and suppresses a fan again and again, and kills the engine at each named point.

`python -m tests.acceptance.doomed_audit FOLDER COUNT`: the n-th time that a point is reached is the last. Each point
has a folder of its name; said is how each ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from engine.kernel.values import usd
from engine.storage import Tx
from engine.surface.commands import SetBudget, SuppressFan
from tests.rig import rig

POINTS = {
    "changed": "AFTER INSERT ON main.suppressions",  # the change is written, its row is not
    "row-begins": "BEFORE INSERT ON main.audit",
    "row-written": "AFTER INSERT ON main.audit",  # both are written, the commit is not
    "committed": "",  # both stand, nobody was told
}
MOST = 20


async def live(folder: Path, point: str, count: int) -> None:
    left = count

    def meet() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(tx: Tx) -> None:
        tx.connection.create_function("meet", 0, meet)
        tx.execute(f"CREATE TEMP TRIGGER doom {POINTS[point]} BEGIN SELECT meet(); END")

    async with rig(folder) as play:
        if POINTS[point]:
            await play.database.write(arm)
        else:
            play.bus.observe(lambda recorded: meet())
        for number in range(1, MOST):
            await asyncio.gather(
                play.desk.submit(SetBudget(scope="global", window="day", limit=usd(number))),
                play.desk.submit(SuppressFan(account_id="anna", fan_id=f"f{number}", reason="x")),
            )


def doom(folder: Path, point: str, count: int) -> int:
    """Live in a child of this process, which has everything imported; how it ended."""
    folder.mkdir()
    child = os.fork()
    if child == 0:
        asyncio.run(live(folder, point, count))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for point in POINTS:
        print(doom(Path(sys.argv[1]) / point, point, int(sys.argv[2])))
