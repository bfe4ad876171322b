"""The simulated world's demand on the engine: its campaigns, its background tasks, or the requests of a trace.

Traffic is jobs of the workflow queue, put by the world's clock. A job holds only numbers; its prompt is made again when
it is worked on. Every job's answer is stored in the transaction that settles its call, so a request is answered
exactly once however often the engine is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from engine.kernel.clock import Clock, pause
from engine.kernel.errors import BudgetRefused, HuntazeError, ProviderError
from engine.kernel.values import MINUTE, SECOND, Instant, JobId, NanoUSD, Random, nanos, new_id
from engine.orchestrator import Answer, Conclusion, Orchestrator, Task
from engine.providers import Message, Role
from engine.queue import Bury, Done, JobStore, Lease, NewJob, Outcome, Priority, Retry, Settled
from engine.simulation.scenario import Demand, DemandCampaign
from engine.simulation.trace import TraceRequest, trace_prompt
from engine.storage import Database, Tx
from engine.surface.commands import Audience, CampaignDraft, CreateCampaign
from engine.surface.desk import Desk

TRACE_USERS = 64  # the trace names no users; its requests go round so many

_BACKLOG = 2_000  # traffic jobs that may wait; beyond it the world asks for nothing more
_BATCH = 200  # jobs put in one transaction
_OUTPUT_ROOM = 2  # times the recorded answer, as the output cap of a trace request
_LEAST_OUTPUT = 64  # tokens
_ATTEMPTS = 1_000  # of one traffic job: a killed process costs one, and none may be lost
_NEXT = "trace_next"
_ORIGIN = "trace_origin"


@dataclass(frozen=True, slots=True)
class _Work:
    """What a traffic job asks: a prompt for a tool in somebody's name."""

    tool: str
    prompt: str
    user_id: str
    max_output_tokens: int | None


class Traffic:
    """Makes the jobs and works them off."""

    def __init__(
        self,
        database: Database,
        jobs: JobStore,
        orchestrator: Orchestrator,
        clock: Clock,
        chance: Random,
        *,
        queue: str,
        demand: Demand,
        trace: Sequence[TraceRequest],
        epoch: Instant,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._orchestrator = orchestrator
        self._clock = clock
        self._chance = chance
        self._queue = queue
        self._demand = demand
        self._trace = trace
        self._epoch = epoch

    # ── working them off ────────────────────────────────────────────────────────────────────────────────────────────

    async def handle(self, lease: Lease) -> Outcome:
        """The worker's handler of the jobs made here."""
        work = self._work(orjson.loads(lease.payload))
        if work is None:
            return Bury("the scenario or trace that asked for it is not this one")
        if await self._answered(lease.job_id):
            return Done()
        task = Task(
            tool=work.tool,
            messages=(Message(Role.USER, work.prompt),),
            trace_id=new_id("trc", self._clock.now(), self._chance),
            job_id=lease.job_id,
            user_id=work.user_id,
            max_output_tokens=work.max_output_tokens,
            bare=work.max_output_tokens is not None,
            conclude=lambda answer: self._conclude(lease, answer),
        )
        try:
            await self._orchestrator.complete(task)
        except BudgetRefused as refusal:
            return Retry(refusal.message)
        except ProviderError as error:
            return Retry(error.message, at_least=nanos(error.retry_after or 0))
        return Settled()

    def _work(self, payload: dict[str, int]) -> _Work | None:
        if "trace" in payload:
            index = payload["trace"]
            if index >= len(self._trace):
                return None
            request = self._trace[index]
            cap = max(_LEAST_OUTPUT, request.generated_tokens * _OUTPUT_ROOM)
            user_id = f"user-{index % TRACE_USERS:02d}"
            return _Work("message", trace_prompt(index, request), user_id, cap)
        number = payload["task"]
        if number >= len(self._demand.tasks):
            return None
        task = self._demand.tasks[number]
        return _Work(task.tool, task.prompt.replace("{n}", str(payload["n"])), "", None)

    def _conclude(self, lease: Lease, answer: Answer) -> Conclusion:
        now = self._clock.now()

        def conclude(tx: Tx, _cost: NanoUSD | None) -> None:
            tx.execute(
                "INSERT INTO answers (job_id, attempt_id, text, answered_at) VALUES (?, ?, ?, ?)",
                (lease.job_id, answer.attempt_id, answer.text, now),
            )
            self._jobs.complete(tx, lease)

        return conclude

    async def _answered(self, job_id: str) -> bool:
        async with self._database.reader() as reader:
            return await reader.row("SELECT 1 FROM answers WHERE job_id = ?", (job_id,)) is not None

    # ── making them ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def run_trace(self, stop: asyncio.Event) -> None:
        """Put each request of the trace when its time has come; a restart goes on where the former run stopped."""
        position, origin = await self._database.write(self._resume_trace)
        while position < len(self._trace) and not stop.is_set():
            now = self._clock.now()
            due = position
            while due < len(self._trace) and due < position + _BATCH and origin + self._trace[due].offset <= now:
                due += 1
            if due == position:
                await pause(self._clock, origin + self._trace[position].offset - now, stop)
                continue
            await self._database.write(self._putter(position, due, now))
            position = due

    def _resume_trace(self, tx: Tx) -> tuple[int, int]:
        tx.execute("INSERT OR IGNORE INTO meta VALUES (?, '0'), (?, ?)", (_NEXT, _ORIGIN, str(self._clock.now())))
        found = dict(tx.execute("SELECT key, value FROM meta WHERE key IN (?, ?)", (_NEXT, _ORIGIN)).fetchall())
        return int(found[_NEXT]), int(found[_ORIGIN])

    def _putter(self, first: int, after: int, now: int) -> Callable[[Tx], None]:
        def put(tx: Tx) -> None:
            for index in range(first, after):
                self._jobs.put(tx, self._job(f"trace_{index}", {"trace": index}, now), now)
            tx.execute("UPDATE meta SET value = ? WHERE key = ?", (str(after), _NEXT))

        return put

    async def run_tasks(self, stop: asyncio.Event) -> None:
        """Ask for the background tasks at their rates, as long as the engine keeps up."""
        if not self._demand.tasks:
            return
        owed = [self._chance.random() for _ in self._demand.tasks]
        number = 0
        since = self._clock.now()
        while not stop.is_set():
            await pause(self._clock, SECOND, stop)
            now = self._clock.now()
            elapsed, since = now - since, now
            if (await self._jobs.depth(self._queue)).ready > _BACKLOG:
                continue
            wanted = []
            for position, task in enumerate(self._demand.tasks):
                owed[position] = min(owed[position] + task.per_minute * elapsed / MINUTE, _BATCH)
                for _ in range(int(owed[position])):
                    number += 1
                    wanted.append({"task": position, "n": number})
                owed[position] %= 1
            if wanted:
                await self._database.write(self._task_putter(wanted, now))

    def _task_putter(self, wanted: list[dict[str, int]], now: int) -> Callable[[Tx], None]:
        def put(tx: Tx) -> None:
            for payload in wanted:
                self._jobs.put(tx, self._job(new_id("task", now, self._chance), payload, now), now)

        return put

    def _job(self, job_id: str, payload: dict[str, int], now: int) -> NewJob:
        return NewJob(
            id=JobId(job_id),
            queue=self._queue,
            payload=orjson.dumps(payload),
            priority=Priority.HIGH if "task" in payload else Priority.NORMAL,
            ready_at=now,
            max_attempts=_ATTEMPTS,
        )


async def run_campaigns(demand: Demand, desk: Desk, clock: Clock, epoch: Instant, stop: asyncio.Event) -> None:
    """Create each campaign of the demand at its times. A key a round makes a restart harmless."""
    async with asyncio.TaskGroup() as group:
        for campaign in demand.campaigns:
            group.create_task(_repeat(campaign, desk, clock, epoch, stop), name=f"demand {campaign.name}")


async def _repeat(campaign: DemandCampaign, desk: Desk, clock: Clock, epoch: Instant, stop: asyncio.Event) -> None:
    passed = clock.now() - epoch - campaign.at
    turn = max(0, passed // campaign.every) if campaign.every else 0
    while not stop.is_set():
        at = epoch + campaign.at + turn * (campaign.every or 0)
        await pause(clock, max(0, at - clock.now()), stop)
        if stop.is_set():
            return
        try:
            await desk.submit(_creation(campaign, turn))
        except HuntazeError:
            await pause(clock, MINUTE, stop)  # the platform has an outage, say: the same turn again
            continue
        if campaign.every is None:
            return
        turn += 1


def _creation(campaign: DemandCampaign, turn: int) -> CreateCampaign:
    audience = campaign.audience
    return CreateCampaign(
        actor="world",
        via="engine",
        draft=CampaignDraft(
            name=campaign.name if turn == 0 else f"{campaign.name} {turn + 1}",
            account_id=campaign.account_id,
            audience=Audience(all=audience.all, tag=audience.tag or "", fan_ids=audience.fan_ids),
            tool=campaign.tool,
            prompt=campaign.prompt,
            approval="required" if campaign.approval == "required" else "automatic",
            budget=campaign.budget,
        ),
        start=True,
        key=f"world/{campaign.name}/{turn}",
    )
