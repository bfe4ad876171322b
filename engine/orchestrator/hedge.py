"""A second try beside a slow first one: the first usable answer wins, the other is cancelled and billed as it stands.

Only for tasks that bear being done twice, and only so many of them: see HedgeSettings. Whoever answers first concludes;
a second answer that comes in the same moment is paid for and dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from engine.kernel.clock import Clock, sleep
from engine.kernel.values import MINUTE
from engine.orchestrator.retries import Allowance
from engine.orchestrator.settings import HedgeSettings
from engine.orchestrator.task import Answer, Conclusion, Task

Try = Callable[[Task], Awaitable[Answer]]


class Overtaken(Exception):
    """Another try of the same task has concluded first. It never leaves this module's race."""


class Hedges:
    """How many tasks of each tool may be hedged. Tools are rows of the configuration, so these are bounded."""

    def __init__(self, settings: HedgeSettings) -> None:
        self._settings: HedgeSettings = settings
        self._of: dict[str, Allowance] = {}
        self.taken = 0  # hedges since the start
        self.won = 0  # of them, those that answered first

    def configure(self, settings: HedgeSettings) -> None:
        if settings != self._settings:
            self._settings = settings
            self._of.clear()

    def asked(self, tool: str, now: int) -> None:
        """A task that might be hedged."""
        self._allowance(tool).asked(now)

    def take(self, tool: str, now: int) -> bool:
        taken = self._allowance(tool).take(now)
        self.taken += taken
        return taken

    def _allowance(self, tool: str) -> Allowance:
        found = self._of.get(tool)
        if found is None:
            share, floor = self._settings.share, self._settings.floor
            found = self._of[tool] = Allowance(share=share, floor=floor, window=MINUTE)
        return found


def may_hedge(task: Task) -> bool:
    """Whether a task bears being done twice at once: pieces of two streams cannot be told apart."""
    return task.idempotent and task.emit is None and not task.rehearsal


async def race(first: Try, second: Try, task: Task, *, after: int, clock: Clock, go: Callable[[], bool]) -> Answer:
    """The answer of `first`, or of `second` where that comes sooner.

    `second` starts when `after` nanoseconds have passed without an answer and `go` allows it. Whichever loses is
    cancelled and its end awaited: its settlement is on the way when this returns. When one fails the other goes on;
    when both fail the error of `first` is raised.
    """
    once = _once(task)
    async with asyncio.TaskGroup() as group:
        main = group.create_task(_outcome(first(once)))
        timer = group.create_task(sleep(clock, after))
        await asyncio.wait((main, timer), return_when=asyncio.FIRST_COMPLETED)
        tries = [main]
        if not main.done() and go():
            tries.append(group.create_task(_outcome(second(once))))
        waiting = set(tries)
        while waiting and not any(isinstance(found, Answer) for found in _ended(tries)):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        outcomes = _ended(tries)
        for one in (timer, *waiting):
            one.cancel()
    for found in outcomes:
        if isinstance(found, Answer):
            return found
    raise next(error for error in outcomes if isinstance(error, Exception) and not isinstance(error, Overtaken))


async def _outcome(attempt: Awaitable[Answer]) -> Answer | Exception:
    try:
        return await attempt
    except Exception as error:  # noqa: BLE001 - the race raises it, unless the other try answers
        return error


def _ended(tries: list[asyncio.Task[Answer | Exception]]) -> list[Answer | Exception]:
    return [one.result() for one in tries if one.done()]


def _once(task: Task) -> Task:
    """The task, whose conclusion only the first answer may draw."""
    conclude = task.conclude
    if conclude is None:
        return task
    draw: Final[Callable[[Answer], Conclusion | None]] = conclude
    drawn = False

    def first(answer: Answer) -> Conclusion | None:
        nonlocal drawn
        if drawn:
            raise Overtaken
        drawn = True
        return draw(answer)

    return task._replace(conclude=first)
