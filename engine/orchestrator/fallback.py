"""Tries the models that the router chose, in order, until one answers.

What each failure calls for is decided in retries.py; here it is done, all of it within the task's time: waiting,
repeating, going on, giving up. A throttled model is passed over while another can be asked, and waited for when none
can.

Rehearsals know what tasks have learnt of throttled models and learn apart: a load test is to find out what happens at
its pace, and a 429 that only its pace brought on must not send tasks elsewhere. They do share the account with their
provider. Where that is short, the first task that is asked for patience finds out by itself, at the price of one quick
refusal; and the configured limits, which count every call whoever made it, hold both within it. Their retries come out
of an allowance of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from engine.events import FallbackTaken
from engine.kernel.clock import Clock
from engine.kernel.errors import BudgetRefused, ErrorClass, HuntazeError, ProviderError
from engine.kernel.values import Random, nanos, seconds
from engine.orchestrator.breaker import NEVER
from engine.orchestrator.decision import Candidate, Verdict
from engine.orchestrator.hedge import Hedges, may_hedge, race
from engine.orchestrator.retries import OWN_LIMIT, Course, RetryBudgets, course_of
from engine.orchestrator.router import Router, route_of
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.task import Answer, Hop, Target, Task
from engine.orchestrator.throttles import Throttles
from engine.orchestrator.trailing import Trailing

_BREAKER_OPEN = "breaker_open"
_THROTTLED = "throttled"
_LAST_RESORTS = frozenset({Verdict.OVER_LIMIT, Verdict.OVER_BUDGET})


class Admission(Protocol):
    """Whether a model may be asked at all: the breakers."""

    def admits(self, target: Target) -> bool: ...
    def admits_at(self, target: Target) -> int: ...


@dataclass(frozen=True, slots=True)
class _Memory:
    """What failures have taught, and how many more tries they allow."""

    throttles: Throttles
    budgets: RetryBudgets


@dataclass(slots=True)
class _Walk:
    """How far a task has come along its models. The two tries of a hedged task share one."""

    memory: _Memory
    left: list[Target]  # not given up yet, in order
    places: dict[Target, int]  # of every model of the decision in its chain
    failure: tuple[Target, str, int] | None = None  # the first one: of whom, why, when
    refusal: HuntazeError | None = None  # the last one
    last: frozenset[Target] = frozenset()  # of those left, the last resorts: over a limit or a budget when it began
    busy: set[Target] = field(default_factory=set)  # asked just now
    tries: dict[Target, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def give_up(self, targets: Iterable[Target]) -> None:
        for target in targets:
            if target in self.left:
                self.left.remove(target)


class Fallback:
    """See Stage. `hop` leads to one model; `admission` is asked whether it may be tried."""

    def __init__(
        self,
        router: Router,
        hop: Hop,
        admission: Admission,
        trailing: Trailing,
        clock: Clock,
        chance: Random,
        settings: OrchestratorSettings,
        throttles: Throttles,
    ) -> None:
        retry = settings.retry
        self._router = router
        self._hop = hop
        self._admission = admission
        self._trailing = trailing
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._tasks, self._rehearsals = (
            _Memory(known, RetryBudgets(retry.budget_share, retry.budget_floor, retry.budget_window))
            for known in (throttles, throttles.beside())
        )
        self.hedges = Hedges(settings.hedge)

    def configure(self, settings: OrchestratorSettings) -> None:
        retry = settings.retry
        self._settings = settings
        for memory in (self._tasks, self._rehearsals):
            memory.budgets.configure(retry.budget_share, retry.budget_floor, retry.budget_window)
            memory.throttles.backoff = retry.backoff
        self.hedges.configure(settings.hedge)

    async def complete(self, task: Task) -> Answer:
        """The first usable answer. Raises the last ProviderError when nobody answered."""
        now = self._clock.now()
        if task.deadline is None:
            task = task._replace(deadline=now + self._settings.total)
        decision = self._router.decide(task)
        walk = _begin(decision.candidates, now, self._rehearsals if task.rehearsal else self._tasks)
        if not walk.places:
            raise decision.refusal()
        if self._late(task):
            raise _too_late(next(iter(walk.places)))
        hedge_after = route_of(self._settings, task.tool).hedge_after
        if hedge_after is None or len(walk.left) - len(walk.last) < 2 or not may_hedge(task):
            return await self._along(task, walk)
        self.hedges.asked(task.tool, now)
        return await race(
            lambda one: self._along(one, walk),
            lambda one: self._beside(one, walk),
            task,
            after=hedge_after,
            clock=self._clock,
            go=lambda: self._can_hedge(task, walk),
        )

    # ── along the models ────────────────────────────────────────────────────────────────────────────────────────────

    async def _along(self, task: Task, walk: _Walk) -> Answer:
        while True:
            target = self._choose(walk)
            if target is None:
                await self._wait(task, walk)
                continue
            answer = await self._ask(task, target, walk)
            if answer is None:
                continue
            walk.memory.throttles.answered(target)
            if walk.failure is not None and walk.failure[0] != target and not task.rehearsal:
                self._tell(task, walk.failure, target)
            return answer._replace(failed=tuple(walk.failed)) if walk.failed else answer

    def _choose(self, walk: _Walk) -> Target | None:
        """The next model that may be asked now; those whose breaker is open are given up."""
        now = self._clock.now()
        for target in tuple(walk.left):
            if target in walk.busy:
                continue
            if not self._admission.admits(target):
                walk.failure = walk.failure or (target, _BREAKER_OPEN, now)
                walk.left.remove(target)
            elif walk.memory.throttles.until(target) > now:
                walk.failure = walk.failure or (target, _THROTTLED, now)
            else:
                return target
        return None

    async def _wait(self, task: Task, walk: _Walk) -> None:
        """Wait for the throttled model that may be asked soonest. Raises where that helps nobody."""
        waiting = [target for target in walk.left if target not in walk.busy]
        if not waiting:
            raise walk.refusal or self._all_open(tuple(walk.places))
        target = min(waiting, key=walk.memory.throttles.until)
        now, until = self._clock.now(), walk.memory.throttles.until(target)
        too_long = until - now > self._settings.retry.patience or until >= (task.deadline or 0)
        if too_long or (walk.tries.get(target) and not walk.memory.budgets.take(target.provider, now)):
            raise walk.refusal or _throttled(target, until - now)
        walk.busy.add(target)  # nobody else waits for the same
        try:
            await self._clock.sleep_until(until)
        finally:
            walk.busy.discard(target)

    async def _ask(self, task: Task, target: Target, walk: _Walk) -> Answer | None:
        """Ask one model, and again where that can help; None when the next is to be asked. Raises what ends it all."""
        if walk.tries:
            task = task._replace(others=self._others(task, target, walk))
        walk.busy.add(target)
        try:
            while True:
                if not walk.tries.get(target):
                    walk.memory.budgets.asked(target.provider, self._clock.now())
                walk.tries[target] = walk.tries.get(target, 0) + 1
                try:
                    return await self._hop.complete(task, target)
                except ProviderError as error:
                    again_at = self._learn(task, target, walk, error)
                except BudgetRefused as error:
                    if target in walk.last:  # as was to be expected: what failed before says more
                        walk.refusal = walk.refusal or error
                        walk.give_up((target,))
                        return None
                    if error.waitable:
                        raise
                    walk.refusal = error  # another model may cost less, or have a price, or another provider's budget
                    walk.give_up((target,))
                    return None
                if again_at is None:
                    return None
                await self._clock.sleep_until(again_at)
                if not self._admission.admits(target):  # others failed meanwhile: this call would pass for a probe
                    walk.give_up((target,))
                    return None
        finally:
            walk.busy.discard(target)

    def _others(self, task: Task, target: Target, walk: _Walk) -> tuple[Target, ...]:
        """Who could do the task if this model cannot: those left that may be asked before anybody loses patience."""
        latest = min(self._clock.now() + self._settings.retry.patience, task.deadline or NEVER)
        away = {target, *walk.busy}
        return tuple(one for one in walk.left if one not in away and walk.memory.throttles.until(one) <= latest)

    def _learn(self, task: Task, target: Target, walk: _Walk, error: ProviderError) -> int | None:
        """Note a failure; when to ask the same model again, None for not now. Raises it when it ends the task."""
        now = self._clock.now()
        walk.failure = walk.failure or (target, error.error_class, now)
        if target not in walk.last or error.code != OWN_LIMIT or walk.refusal is None:
            walk.refusal = error
        if str(target) not in walk.failed:
            walk.failed.append(str(target))
        walk.memory.throttles.note(target, error, now)
        others = any(one != target and one not in walk.busy and one not in walk.last for one in walk.left)
        course = course_of(error, alone=not others)
        if course is Course.NOWHERE or self._late(task):
            raise walk.refusal
        worn_out = walk.tries[target] >= self._settings.retry.attempts
        if course is Course.LATER:
            if worn_out:
                walk.give_up((target,))
            return None
        if course is Course.AGAIN and not worn_out:
            wait = self._settings.retry.backoff.wait(walk.tries[target], self._chance)
            asked = nanos(error.retry_after or 0)
            patient = asked <= self._settings.retry.patience and not (others and asked > wait)
            again_at = now + max(wait, asked)
            fits = patient and again_at < (task.deadline or 0) and self._admission.admits(target)
            if fits and walk.memory.budgets.take(target.provider, now):
                return again_at
        same = [one for one in walk.left if one.provider == target.provider]
        walk.give_up(same if course is Course.OTHERS else (target,))
        return None

    # ── a second try beside the first ───────────────────────────────────────────────────────────────────────────────

    def _can_hedge(self, task: Task, walk: _Walk) -> bool:
        second = self._choose(walk)
        return second is not None and second not in walk.last and self.hedges.take(task.tool, self._clock.now())

    async def _beside(self, task: Task, walk: _Walk) -> Answer:
        answer = await self._along(task, walk)
        self.hedges.won += 1
        return answer

    # ── what is said of it ──────────────────────────────────────────────────────────────────────────────────────────

    def _all_open(self, targets: tuple[Target, ...]) -> ProviderError:
        """Nobody may be asked; `retry_after` is when the first breaker lets somebody through."""
        first = targets[0]
        opens_at = min(self._admission.admits_at(target) for target in targets)
        held = opens_at >= NEVER
        why = "by an operator" if held else "for now, after failures"
        return ProviderError(
            first.provider,
            first.model,
            ErrorClass.SERVER_ERROR,
            f"every model of the chain is left alone {why}",
            retry_after=None if held else seconds(max(0, opens_at - self._clock.now())),
            reached=False,
        )

    def _late(self, task: Task) -> bool:
        return task.deadline is not None and self._clock.now() >= task.deadline

    def _tell(self, task: Task, failure: tuple[Target, str, int], target: Target) -> None:
        failed, reason, since = failure
        now = self._clock.now()
        event = FallbackTaken(
            at=now,
            tool=task.tool,
            failed_provider=failed.provider,
            failed_model=failed.model,
            provider=target.provider,
            model=target.model,
            reason=str(reason),
            recovery=now - since,
        )
        if not self._trailing.full:
            self._trailing.put(lambda tx: tx.emit(event), f"the fallback of {task.trace_id}")


def _begin(candidates: tuple[Candidate, ...], now: int, memory: _Memory) -> _Walk:
    """A walk along the usable models and, behind them, those that only time or money keeps away.

    Whoever is over a limit or a budget is tried when all others failed, the first to open first: its limit may be
    waited for, and the ledger, which has the last word on money, counts more closely than the router.

    A model that stands before the first usable one in its chain and may not be asked now is the task's first failure.
    """
    left: list[Target] = []
    places: dict[Target, int] = {}
    away: list[tuple[int, Target, str]] = []
    last: list[tuple[bool, int, int, Target]] = []
    for candidate in candidates:
        target, position = candidate.target, candidate.facts.position
        if candidate.verdict.usable:
            left.append(target)
        elif candidate.verdict is Verdict.BREAKER_OPEN:
            away.append((position, target, _BREAKER_OPEN))
        elif candidate.verdict is Verdict.THROTTLED:
            away.append((position, target, _THROTTLED))
        elif candidate.verdict in _LAST_RESORTS:
            costs = candidate.verdict is Verdict.OVER_BUDGET
            last.append((costs, 0 if costs else candidate.facts.opens_at, position, target))
        else:
            continue
        places[target] = position
    walk = _Walk(memory, left, places)
    if away:
        position, target, reason = min(away)
        if not left or position < places[left[0]]:
            walk.failure = target, reason, now
        left += [target for _, target, reason in away if reason == _THROTTLED]
    if last:
        left += [target for *_, target in sorted(last)]
        walk.last = frozenset(target for *_, target in last)
    return walk


def _too_late(target: Target) -> ProviderError:
    message = "its time was over before it was asked"
    return ProviderError(target.provider, target.model, ErrorClass.TIMEOUT, message, reached=False)


def _throttled(target: Target, left: int) -> ProviderError:
    return ProviderError(
        target.provider,
        target.model,
        ErrorClass.RATE_LIMIT,
        "every model of the chain asked for patience",
        retry_after=seconds(max(0, left)),
        reached=False,
    )
