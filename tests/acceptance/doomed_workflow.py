"""A campaign's workflow over a real database, in a process that kills itself at a named point of a step.

`python -m tests.acceptance.doomed_workflow FOLDER STEP POINT N`: SIGKILL at the N-th time the point is passed in
the step. The same functions carry the campaign on afterwards, in the process of the test.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from engine.campaigns import take_up
from engine.kernel.values import MINUTE, SECOND
from engine.messaging import SendingSettings, recover
from engine.messaging.platform import Sent
from engine.storage.sqlite import Database
from engine.surface.commands import ApproveDeliveries
from tests.fakes import MORNING, ManualClock
from tests.rig import Rig, rig

STEPS = ("plan", "generate", "approve", "send")
POINTS = ("before-commit", "after-commit", "under-way")
FANS = 3
KEY = "one"
SENT = "sent.log"


class Doom:
    """Kills this process at the n-th passing of a point while it is armed."""

    def __init__(self, point: str, left: int) -> None:
        self.point, self.left, self.armed = point, left, False

    def meet(self, point: str) -> None:
        if not self.armed or point != self.point:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def arm_commits(doom: Doom) -> None:
    commit = Database._commit

    def committed(self: Database, connection: Any, group: Any) -> Any:
        last = group[-1].write

        def write(tx: Any) -> Any:
            result = last(tx)
            doom.meet("before-commit")
            return result

        group[-1].write = write
        done = commit(self, connection, group)
        doom.meet("after-commit")
        return done

    Database._commit = committed  # type: ignore[method-assign]


def log_sends(play: Rig, folder: Path, doom: Doom | None = None) -> None:
    """What the platform took is on disk at once: it outlives the process that sent it."""

    async def take(message: Any) -> Sent:
        with (folder / SENT).open("a") as log:
            log.write(message.key + "\n")
        if doom is not None:
            doom.meet("under-way")
        return Sent(f"msg_{message.key}")

    play.platform.send = take  # type: ignore[method-assign]


async def create(play: Rig) -> str:
    return await play.create(count=FANS, prompt="Say hello.", approval="required", key=KEY)


async def carry_on(play: Rig, campaign_id: str) -> None:
    """Everything that is left to do, as workers and an operator would."""
    for _ in range(40):
        await play.write()
        await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
        await play.send()
        if await play.state(campaign_id) == "finished":
            return
        await play.clock.advance(30 * SECOND)
    raise AssertionError("it does not end")


async def restart(play: Rig) -> None:
    """What an engine does first: see the bootstrap."""
    now = play.clock.now()
    await play.jobs.recover(now)
    await play.ledger.recover(now)
    await play.database.write(lambda tx: recover(tx, now, idempotent=False))
    await play.database.write(lambda tx: take_up(tx, play.jobs, play.progress, SendingSettings(), now))


def later() -> ManualClock:
    """The clock of the next process."""
    return ManualClock(MORNING + 10 * MINUTE)


async def until_doom(folder: Path, step: str, point: str, left: int) -> None:
    doom = Doom(point, left)
    arm_commits(doom)
    async with rig(folder) as play:
        log_sends(play, folder, doom)
        for provider in play.providers.values():
            around(provider, doom)
        doom.armed = step == "plan"
        campaign_id = await create(play)
        doom.armed = step == "generate"
        await play.write()
        await play.metered.drain()
        doom.armed = step == "approve"
        await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
        doom.armed = step == "send"
        await play.send()


def around(provider: Any, doom: Doom) -> None:
    """A point between the model's answer and its settlement."""
    inner = provider.complete

    async def complete(model: str, request: Any) -> Any:
        answer = await inner(model, request)
        doom.meet("under-way")
        return answer

    provider.complete = complete


if __name__ == "__main__":
    asyncio.run(until_doom(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
