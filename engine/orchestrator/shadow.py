"""A model on trial: a sample of a tool's tasks goes to it too, after the answer, and only the difference is kept.

The answer is given first and is never touched; what follows runs in a service of its own, a few at a time. Each call on
trial is a rehearsal (nothing learns from it, nothing is kept of it), stands on no campaign's, account's, user's or
tenant's budget, and is held against a daily budget of its own at the most it can cost. Prompts that may hold a person's
data stay out unless the operator says otherwise. What is recorded is figures, never a text.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.events import ShadowChanged, ShadowCompared
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, HuntazeError, ProviderError, Refusal
from engine.kernel.values import DAY, NanoUSD, Random
from engine.orchestrator.fingerprint import holds_a_person
from engine.orchestrator.router import route_of, target_of
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.similarity import likeness
from engine.orchestrator.task import Answer, Hit, Level, Stage, Target, Task
from engine.providers import Finish, Operation
from engine.storage import Database, Tx

AT_ONCE = 4  # calls on trial under way; a trial is in no hurry
WAITING = 64  # answered tasks that wait for theirs; further ones are left out of the sample

_OK = "ok"
_ADD = """
INSERT INTO shadow_days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    compared = compared + excluded.compared, failed = failed + excluded.failed, duration = duration + excluded.duration,
    shadow_duration = shadow_duration + excluded.shadow_duration, cost = cost + excluded.cost,
    shadow_cost = shadow_cost + excluded.shadow_cost, length = length + excluded.length,
    shadow_length = shadow_length + excluded.shadow_length, likeness = likeness + excluded.likeness
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Which model is tried on a tool, on what percentage of its tasks, for how many nano-dollars a UTC day."""

    tool: str
    target: Target
    percentage: float
    budget: NanoUSD
    fans: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    trial: Trial
    task: Task
    answer: Answer


class Shadowed:
    """See Stage. `rehearse` is where calls on trial go; `worst_cost` what one can cost at most, None where unpriced."""

    def __init__(
        self,
        inner: Stage,
        rehearse: Stage,
        worst_cost: Callable[[Task, Target], NanoUSD | None],
        database: Database,
        clock: Clock,
        chance: Random,
        settings: OrchestratorSettings,
    ) -> None:
        self._inner = inner
        self._rehearse = rehearse
        self._worst_cost = worst_cost
        self._database = database
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._trials: dict[str, Trial] = {}
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(WAITING)
        self._spent: dict[str, tuple[int, int]] = {}  # tool -> (day, nano-dollars spent and held)
        self.left_out = 0  # sampled tasks for which there was no room

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    async def load(self) -> None:
        today = self._clock.now() // DAY
        async with self._database.view() as reader:
            rows = await reader.rows("SELECT * FROM shadows")
            spent = await reader.rows(
                "SELECT tool, sum(shadow_cost) AS spent FROM shadow_days WHERE day = ? GROUP BY tool", (today,)
            )
        self._trials = {row["tool"]: _trial(row) for row in rows}
        self._spent = {row["tool"]: (today, row["spent"]) for row in spent}

    def trials(self) -> Iterator[Trial]:
        return iter(self._trials.values())

    def spent_today(self, tool: str) -> int:
        """Nano-dollars that a tool's trial has spent this UTC day, and holds for calls under way."""
        day, spent = self._spent.get(tool, (0, 0))
        return spent if day == self._clock.now() // DAY else 0

    async def set(self, trial: Trial, *, actor: str, serves: Callable[[Target], bool] = lambda target: True) -> None:
        """Begin or change a tool's trial; at 0 percent it ends. Raises CommandRefused for one that makes no sense."""
        route_of(self._settings, trial.tool)
        if not 0 <= trial.percentage <= 100:
            raise CommandRefused(Refusal.INVALID, "the percentage is 0 to 100", field="percentage")
        if trial.percentage and not (trial.target.provider and trial.target.model):
            raise CommandRefused(Refusal.INVALID, "the model on trial is written provider/model", field="target")
        if trial.percentage and trial.budget <= 0:
            message = "a trial needs a budget: the most it may cost in a day"
            raise CommandRefused(Refusal.INVALID, message, field="budget")
        if trial.percentage and not serves(trial.target):
            message = f"{trial.target.provider[:100]!r} is no provider that is set up here"
            raise CommandRefused(Refusal.INVALID, message, field="target", remedy="Give it its key, or try another")
        now = self._clock.now()

        def write(tx: Tx) -> None:
            tx.execute("DELETE FROM shadows WHERE tool = ?", (trial.tool,))
            if trial.percentage:
                values = (str(trial.target), trial.percentage, trial.budget, trial.fans, now, actor)
                tx.execute("INSERT INTO shadows VALUES (?, ?, ?, ?, ?, ?, ?)", (trial.tool, *values))
            tx.emit(
                ShadowChanged(
                    at=now,
                    tool=trial.tool,
                    provider=trial.target.provider,
                    model=trial.target.model,
                    percentage=trial.percentage,
                    budget=trial.budget,
                    actor=actor,
                )
            )
            tx.after_commit(take)

        def take() -> None:
            self._trials.pop(trial.tool, None)
            if trial.percentage:
                self._trials[trial.tool] = trial

        await self._database.write(write)

    async def complete(self, task: Task) -> Answer:
        answer = await self._inner.complete(task)
        trial = self._trials.get(task.tool)
        if trial is not None and self._samples(trial, task, answer):
            try:
                self._queue.put_nowait(_Waiting(trial, task, answer))
            except asyncio.QueueFull:
                self.left_out += 1
        return answer

    async def run(self, stop: asyncio.Event) -> None:
        """Make the calls on trial until `stop`; those under way end, those that wait are left out."""
        async with asyncio.TaskGroup() as group:
            stopped = group.create_task(stop.wait())
            workers = [group.create_task(self._work()) for _ in range(AT_ONCE)]
            await stopped
            for _ in range(self._queue.qsize()):
                self._queue.get_nowait()
                self.left_out += 1
            for _ in workers:
                self._queue.put_nowait(_LAST)

    async def _work(self) -> None:
        while (waiting := await self._queue.get()) is not _LAST:
            await self._try(waiting)

    def _samples(self, trial: Trial, task: Task, answer: Answer) -> bool:
        """Whether this task is one of the sample: answered by another model just now, and fit to be shown to this."""
        if task.rehearsal or task.operation is not Operation.CHAT or answer.target == trial.target:
            return False
        if answer.hit is not Hit.MISS or answer.level is Level.TEMPLATE:
            return False
        if self._chance.random() * 100 >= trial.percentage:
            return False
        return trial.fans or not (task.fan_id or holds_a_person(task))

    async def _try(self, waiting: _Waiting) -> None:
        trial, now = waiting.trial, self._clock.now()
        task = waiting.task._replace(
            trace_id=f"shadow_{waiting.task.trace_id}",
            rehearsal=True,
            fresh=True,
            fingerprint=b"",
            pinned=trial.target,
            strategy="",
            level=Level.FULL,
            deadline=now + self._settings.total,
            conclude=None,
            emit=None,
            job_id="",
            campaign_id="",
            account_id="",
            tenant_id="",
            user_id="",
        )
        held = self._worst_cost(task, trial.target)
        if held is None or self.spent_today(trial.tool) + held > trial.budget:
            self.left_out += 1
            return
        day = now // DAY
        self._add(trial.tool, day, held)
        cost: NanoUSD | None = held  # unless it is known better
        try:
            shadow: Answer | None = await self._rehearse.complete(task)
            outcome, cost = _OK, shadow.cost if shadow is not None else held
        except ProviderError as error:
            shadow, outcome, cost = None, str(error.error_class), held if error.reached else NanoUSD(0)
        except HuntazeError as error:
            shadow, outcome, cost = None, type(error).__name__, NanoUSD(0)
        finally:
            self._add(trial.tool, day, (cost or 0) - held)
        await self._record(waiting, shadow, outcome, cost or NanoUSD(0), day)

    def _add(self, tool: str, day: int, amount: int) -> None:
        known, spent = self._spent.get(tool, (day, 0))
        if known > day:  # a call of yesterday's: that day's budget is over
            return
        self._spent[tool] = (day, (spent if known == day else 0) + amount)

    async def _record(self, waiting: _Waiting, shadow: Answer | None, outcome: str, cost: int, day: int) -> None:
        answer, trial, now = waiting.answer, waiting.trial, self._clock.now()
        alike = likeness(answer.text, shadow.text) if shadow is not None else 0
        event = ShadowCompared(
            at=now,
            tool=trial.tool,
            provider=answer.target.provider,
            model=answer.target.model,
            shadow_provider=trial.target.provider,
            shadow_model=trial.target.model,
            outcome=outcome,
            duration=answer.duration,
            shadow_duration=shadow.duration if shadow is not None else 0,
            cost=answer.cost,
            shadow_cost=cost,
            length=len(answer.text),
            shadow_length=len(shadow.text) if shadow is not None else 0,
            likeness=alike,
        )

        def write(tx: Tx) -> None:
            failed = shadow is None
            figures = (event.duration, event.shadow_duration, event.cost or 0, cost, event.length, event.shadow_length)
            sums = (0, 0, 0, cost, 0, 0) if failed else figures
            tx.execute(_ADD, (day, trial.tool, str(trial.target), not failed, failed, *sums, alike))
            tx.emit(event)

        await self._database.write(write)


_LAST = _Waiting(
    Trial(tool="", target=Target("", ""), percentage=0, budget=NanoUSD(0)),
    Task(tool="", messages=(), trace_id=""),
    Answer(text="", target=Target("", ""), finish=Finish.STOP, usage=None, attempt_id=""),
)  # tells a worker to end


def _trial(row: sqlite3.Row) -> Trial:
    return Trial(
        tool=row["tool"],
        target=target_of(row["target"]),
        percentage=row["percentage"],
        budget=NanoUSD(row["budget"]),
        fans=bool(row["fans"]),
    )
