"""Where packages that must not know each other are joined: small adapters between their ports."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from engine.costs import (
    LOCAL,
    Attempt,
    BudgetRule,
    CallFilter,
    Dimensions,
    Ledger,
    Pricer,
    Settlement,
    TokenCounter,
    calls,
)
from engine.events import REHEARSED, Event
from engine.kernel.clock import Clock
from engine.kernel.values import Instant, NanoUSD
from engine.limiter import Claim, Grant
from engine.limiter import Quotas as Windows
from engine.orchestrator import (
    Answer,
    Call,
    Gauges,
    Lesson,
    Limited,
    Orchestrator,
    OrchestratorSettings,
    Result,
    Router,
    Seat,
    Shut,
    Stage,
    Target,
    Task,
    input_bound,
    route_of,
    text_bound,
)
from engine.providers import LateProvider, Message, ModelRequest, Role, choices_of
from engine.queue import Bury, Lease, Outcome
from engine.storage import Database, Tx
from engine.surface.snapshot import Snapshot
from engine.telemetry import HIGHEST, LOWEST, Rated, recent

__all__ = [
    "LedgerMeter",
    "Prepared",
    "QuotaBook",
    "key_budget",
    "lessons",
    "note",
    "priced",
    "priced_at",
    "ready_in",
    "recall_ratings",
    "route_jobs",
    "spare",
    "teach",
    "tool_bound",
    "trial_cost",
    "worst_cost",
]

_log = logging.getLogger(__name__)

_AMPLE = 10_000  # calls a budget has room for, each at its worst by bytes, from which a closer count helps nobody
_RATINGS_RECALLED = 500  # at a start; older ones have faded by then


class LedgerMeter:
    """The orchestrator's Meter, kept by the costs' Ledger."""

    def __init__(self, ledger: Ledger, pricer: Pricer, counter: TokenCounter | None = None) -> None:
        self._ledger = ledger
        self._pricer = pricer
        self._counter = counter or TokenCounter(counting=False)
        self._under_way: dict[str, Attempt] = {}  # as opened, until they are settled

    async def open(self, call: Call) -> Call:
        deadline = Instant(call.task.deadline) if call.task.deadline is not None else None
        attempt, room = self._attempt(call), self.room(call.task, call.target)
        worst = attempt.worst_case.cost
        close = room is not None and (worst is None or room < _AMPLE * worst)  # else nobody waits for what is held
        bound = await self._counter.bound(call.target.model, call.request, call.input_bound, close=close)
        if bound != call.input_bound:
            call = replace(call, input_bound=bound)
            attempt = self._attempt(call)
        opened = await self._ledger.open(attempt, deadline=deadline)
        if opened.max_output_tokens != call.request.max_output_tokens:
            call = replace(call, request=replace(call.request, max_output_tokens=opened.max_output_tokens))
        self._under_way[opened.id] = opened
        return call

    def room(self, task: Task, target: Target) -> NanoUSD | None:
        """What is left in the tightest budget that covers such a call; None without one."""
        return self._ledger.room(_dimensions(task, target))

    def unspent(self, task: Task, target: Target) -> NanoUSD | None:
        """What the tightest budget that would refuse such a call has not spent; None without one.

        For the router: a budget that shortens the answer, steps down a ladder or waits does so by itself, in its order.
        """
        return self._ledger.unspent(_dimensions(task, target))

    @property
    def waited_for(self) -> bool:
        return self._ledger.waiting > 0

    def cost(self, call: Call, result: Result) -> NanoUSD | None:
        attempt = self._under_way.get(call.attempt_id) or self._attempt(call)
        return self._ledger.appraise(attempt, _settlement(result)).priced.cost

    def settle(self, tx: Tx, call: Call, result: Result) -> NanoUSD | None:
        attempt = self._under_way.pop(call.attempt_id, None) or self._attempt(call)  # again after a failed commit
        return self._ledger.settle(tx, attempt, _settlement(result))

    def _attempt(self, call: Call) -> Attempt:
        task, target, opened_at = call.task, call.target, Instant(call.opened_at)
        return Attempt(
            id=call.attempt_id,
            dimensions=_dimensions(task, target),
            opened_at=opened_at,
            worst_case=self._pricer.worst_case(
                target.provider,
                target.model,
                input_tokens=call.input_bound,
                max_output_tokens=call.request.max_output_tokens,
                at=opened_at,
            ),
            input_tokens_bound=call.input_bound,
            max_output_tokens=call.request.max_output_tokens,
            job_id=task.job_id,
            trace_id=task.trace_id,
            choices=choices_of(task.body or {}),
        )


def _dimensions(task: Task, target: Target) -> Dimensions:
    return Dimensions(
        provider=target.provider,
        model=target.model,
        tool=task.tool,
        campaign_id=task.campaign_id,
        account_id=task.account_id,
        tenant_id=task.tenant_id,
        user_id=task.user_id,
    )


def _settlement(result: Result) -> Settlement:
    return Settlement(
        outcome=result.outcome,
        usage=result.usage,
        billed=result.billed,
        ended_at=Instant(result.ended_at),
        duration=result.duration,
        received=result.received,
    )


def teach(gauges: Gauges) -> Callable[[Rated], None]:
    """An operator's rating speaks for or against a model as an answer and a failure do: 1 is useless, 5 is right."""
    best, worst = HIGHEST, LOWEST

    def learn(rated: Rated) -> None:
        gauges.rate(rated.tool, Target(rated.provider, rated.model), (rated.score - worst) / (best - worst))

    return learn


async def recall_ratings(database: Database, gauges: Gauges) -> None:
    """What operators said before this start counts on."""
    async with database.reader() as reader:
        for rated in await recent(reader, _RATINGS_RECALLED):
            teach(gauges)(rated)


def tool_bound(
    orchestrator: Orchestrator, pricer: Pricer, clock: Clock
) -> Callable[[str, Sequence[Message]], NanoUSD | None]:
    """The most that one task of a tool may cost: every try at every model of its chain, each at its dearest."""

    def bound(tool: str, messages: Sequence[Message]) -> NanoUSD | None:
        settings = orchestrator.settings
        route = route_of(settings, tool)
        standing = (Message(Role.SYSTEM, route.system),) if route.system else ()
        whole = 0
        for target in orchestrator.targets(tool):
            priced = pricer.worst_case(
                target.provider,
                target.model,
                input_tokens=text_bound((*standing, *messages)),
                max_output_tokens=route.max_output_tokens,
                at=clock.now(),
            )
            if priced.cost is None:
                return None
            whole += priced.cost * settings.retry.attempts
        return NanoUSD(whole)

    return bound


def trial_cost(
    pricer: Pricer, clock: Clock, settings: Callable[[], OrchestratorSettings]
) -> Callable[[Task, Target], NanoUSD | None]:
    """The most that one task can cost at a model on trial, its retries included; None where it has no known price."""

    def worst(task: Task, target: Target) -> NanoUSD | None:
        route = route_of(settings(), task.tool)
        standing = (Message(Role.SYSTEM, route.system),) if route.system and not task.bare else ()
        output = task.max_output_tokens or route.max_output_tokens
        request = ModelRequest(
            messages=(*standing, *task.messages), max_output_tokens=output, body=task.body, operation=task.operation
        )
        priced = pricer.worst_case(
            target.provider,
            target.model,
            input_tokens=input_bound(request),
            max_output_tokens=output,
            at=clock.now(),
        )
        return None if priced.cost is None else NanoUSD(priced.cost * settings().retry.attempts)

    return worst


def priced_at(pricer: Pricer) -> Callable[[Target, int, int, int], NanoUSD | None]:
    """The Router's prices, kept by the costs' Pricer."""

    def worst(target: Target, input_tokens: int, output_tokens: int, now: int) -> NanoUSD | None:
        card = pricer.card(target.provider, target.model, Instant(now))
        return None if isinstance(card, str) else card.worst(input_tokens, output_tokens)

    return worst


def worst_cost(pricer: Pricer, clock: Clock) -> Callable[[Target, int, int], NanoUSD | None]:
    """The same, for who asks but now and then."""
    worst = priced_at(pricer)
    return lambda target, input_tokens, output_tokens: worst(target, input_tokens, output_tokens, clock.now())


async def lessons(database: Database, limit: int = 1_000) -> Sequence[Lesson]:
    """The ledger's newest calls as the Gauges learn from them, oldest first. Rehearsals teach nothing."""
    async with database.view() as reader:
        found = await calls(reader, CallFilter(), limit=limit)
    return [
        Lesson(Target(call.provider, call.model), call.tool, call.outcome, call.at, call.duration)
        for call in reversed(found.rows)
        if not call.trace_id.startswith(REHEARSED)
    ]


def ready_in(snapshot: Snapshot, queue: str) -> int:
    """Jobs of a queue that wait for nothing but a hand."""
    view = snapshot.queues.get(queue)
    return view.ready if view else 0


class QuotaBook:
    """The orchestrator's Quotas, kept by the limiter's."""

    def __init__(self, windows: Windows, clock: Clock, settings: OrchestratorSettings) -> None:
        self._windows = windows
        self._clock = clock
        self._settings = settings

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    def lines(self, task: Task, target: Target) -> Sequence[str]:
        return [bound.name for bound in self._windows.bounds(target, task.user_id, task.account_id)]

    async def reserve(self, task: Task, target: Target) -> Seat | Shut:
        decision = await self._windows.reserve(target, self._claim(task, target))
        if isinstance(decision, Grant):
            return decision
        return Shut(decision.bound.name if decision.bound else "", str(decision), decision.opens_at)

    async def settle(self, seat: Seat, tokens: int) -> None:
        if isinstance(seat, Grant) and seat.claim.tokens:
            await self._windows.settle(seat, tokens)

    async def release(self, seat: Seat) -> None:
        if isinstance(seat, Grant):
            await self._windows.release(seat)

    def throttled(self, target: Target) -> None:
        self._windows.throttled(target)

    def opens_at(self, task: Task, target: Target) -> int:
        return self._windows.opens_at(self._claim(task, target))

    def _claim(self, task: Task, target: Target) -> Claim:
        return self._windows.claim(target, task.user_id, task.account_id, lambda: self._tokens_at_most(task))

    def _tokens_at_most(self, task: Task) -> int:
        route = route_of(self._settings, task.tool)
        if task.body is not None:
            read = len(repr(task.body).encode())
        else:
            standing = (Message(Role.SYSTEM, route.system),) if route.system and not task.bare else ()
            read = text_bound((*standing, *task.messages))
        return read + (task.max_output_tokens or route.max_output_tokens)


class Prepared:
    """A Stage that lets tasks through once every provider's SDK is loaded, so that no call's time tells of that."""

    def __init__(self, inner: Stage, providers: Iterable[LateProvider]) -> None:
        self._inner = inner
        self._unopened = tuple(providers)

    async def open(self) -> None:
        """Load them one after the other, for two threads would only wait for each other. A failure waits for a call."""
        for provider in self._unopened:
            (failure,) = await asyncio.gather(provider.open(), return_exceptions=True)
            if isinstance(failure, Exception):
                _log.warning("%s could not be loaded; its next call tries again: %s", provider.name, failure)
        if self._unopened:
            _log.info("providers ready to be called: %s", ", ".join(one.name for one in self._unopened if one.is_open))
        self._unopened = ()

    async def complete(self, task: Task) -> Answer:
        if self._unopened:
            await self.open()
        return await self._inner.complete(task)


def spare(router: Router, limited: Limited, clock: Clock, task: Task, target: Target) -> bool:
    """Whether a model that would be tried after this one could take the task now, by its limits."""
    later, now = task.others, clock.now()
    if later is None:
        order = router.decide(task).order
        later = order[order.index(target) + 1 :] if target in order else order
    return any(limited.opens_at(task, other) <= now for other in later)


def note(database: Database, event: Event) -> None:
    """Record an event that nobody waits for. Lost with the database, it is missed on a screen and nowhere else."""

    def noted(done: asyncio.Future[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.warning("%s could not be recorded: %s", type(event).__name__, error)

    database.submit(lambda tx: tx.emit(event)).add_done_callback(noted)


def route_jobs(handlers: Mapping[str, Callable[[Lease], Awaitable[Outcome]]]) -> Callable[[Lease], Awaitable[Outcome]]:
    """One queue, several kinds of work: a job's id begins with its kind, as in `write_dlv_…`."""

    async def handle(lease: Lease) -> Outcome:
        handler = handlers.get(lease.job_id.partition("_")[0])
        if handler is None:
            return Bury("nobody here knows this kind of job")
        return await handler(lease)

    return handle


def key_budget(ledger: Ledger) -> Callable[[Tx, str, NanoUSD | None, str], None]:
    """A gateway key's budget: what is booked for a key is booked for it as a user."""

    def give(tx: Tx, key_id: str, limit: NanoUSD | None, window: str) -> None:
        if limit is None:
            ledger.remove_budget(tx, f"user:{key_id}", window)
        else:
            ledger.set_budget(tx, BudgetRule(kind="user", key=key_id, window=window, limit=limit))

    return give


def priced(pricer: Pricer, clock: Clock) -> Callable[[Target], bool]:
    """Whether a model has a price of its own now: an endpoint that is free as a whole tells nothing of its models."""

    def known(target: Target) -> bool:
        card = pricer.card(target.provider, target.model, clock.now())
        return not isinstance(card, str) and card.source != LOCAL

    return known
