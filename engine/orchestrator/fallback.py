"""Tries the models that the router chose, in order, until one answers."""

from __future__ import annotations

from dataclasses import replace

from engine.events import FallbackTaken
from engine.kernel.clock import Clock, sleep
from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import Random, nanos, seconds
from engine.orchestrator.decision import Verdict
from engine.orchestrator.guard import Guarded
from engine.orchestrator.router import Router
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.task import Answer, Hop, Target, Task
from engine.storage import Database

RETRIED = frozenset(
    {ErrorClass.RATE_LIMIT, ErrorClass.SERVER_ERROR, ErrorClass.NETWORK_ERROR, ErrorClass.TIMEOUT, ErrorClass.UNKNOWN}
)
"""Classes worth another try on the same model."""

_BREAKER_OPEN = "breaker_open"


class Fallback:
    """See Stage. `hop` leads to one model; `guarded` is its breakers' step, asked whether a model may be tried."""

    def __init__(
        self,
        router: Router,
        hop: Hop,
        guarded: Guarded,
        database: Database,
        clock: Clock,
        chance: Random,
        settings: OrchestratorSettings,
    ) -> None:
        self._router = router
        self._hop = hop
        self._guarded = guarded
        self._database = database
        self._clock = clock
        self._chance = chance
        self._settings = settings

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    async def complete(self, task: Task) -> Answer:
        """The first usable answer. Raises the last ProviderError when nobody answered."""
        started = self._clock.now()
        task = task if task.deadline is not None else replace(task, deadline=started + self._settings.total)
        decision = self._router.decide(task)
        targets = tuple(
            candidate.target
            for candidate in decision.candidates
            if candidate.verdict.usable or candidate.verdict is Verdict.BREAKER_OPEN
        )
        if not targets:
            raise _nobody(self._settings, task)
        if self._late(task):
            raise _too_late(targets[0])
        opened = [one.target for one in decision.candidates if one.verdict is Verdict.BREAKER_OPEN]
        failure: tuple[Target, str, int] | None = (opened[0], _BREAKER_OPEN, started) if opened else None
        refusal: ProviderError | None = None
        failed: list[str] = []
        for position, target in enumerate(decision.order):
            if not self._guarded.admits(target):
                failure = failure or (target, _BREAKER_OPEN, self._clock.now())
                continue
            try:
                answer = await self._persist(task, target, alone=position == len(decision.order) - 1)
            except ProviderError as error:
                failure = failure or (target, error.error_class, self._clock.now())
                refusal = error
                failed.append(str(target))
                if error.begun or error.error_class is ErrorClass.INVALID_REQUEST or self._late(task):
                    raise
                continue
            if failure is not None and targets.index(failure[0]) != targets.index(target):
                await self._tell(task, failure, target)
            return replace(answer, failed=tuple(failed))
        raise refusal or self._all_open(targets)

    async def _persist(self, task: Task, target: Target, *, alone: bool) -> Answer:
        """Try one model, and again where that can help. A throttled one is waited for only if no other is left."""
        retry = self._settings.retry
        tried = 0
        while True:
            tried += 1
            try:
                return await self._hop.complete(task, target)
            except ProviderError as error:
                throttled = error.error_class is ErrorClass.RATE_LIMIT and not alone
                if error.begun or tried >= retry.attempts or error.error_class not in RETRIED or throttled:
                    raise
                asked = nanos(error.retry_after or 0)
                wait = retry.backoff.wait(tried, self._chance, at_least=asked)
                beyond = self._clock.now() + wait >= (task.deadline or 0)
                if asked > retry.patience or beyond or not self._guarded.admits(target):
                    raise
                await sleep(self._clock, wait)
                if not self._guarded.admits(target):  # others failed meanwhile: this call would pass for a probe
                    raise

    def _all_open(self, targets: tuple[Target, ...]) -> ProviderError:
        """Nobody may be asked; `retry_after` is when the first breaker lets somebody through."""
        first = targets[0]
        left = min(self._guarded.admits_at(target) for target in targets) - self._clock.now()
        message = "every model of the chain is left alone for now, after failures"
        return ProviderError(
            first.provider,
            first.model,
            ErrorClass.SERVER_ERROR,
            message,
            retry_after=seconds(max(0, left)),
            reached=False,
        )

    def _late(self, task: Task) -> bool:
        return task.deadline is not None and self._clock.now() >= task.deadline

    async def _tell(self, task: Task, failure: tuple[Target, str, int], target: Target) -> None:
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
        await self._database.write(lambda tx: tx.emit(event))


def _nobody(settings: OrchestratorSettings, task: Task) -> ProviderError:
    chain = ", ".join(settings.tools[task.tool].chain) if task.pinned is None else str(task.pinned)
    return ProviderError(
        "none", task.tool, ErrorClass.AUTHENTICATION, f"no provider of its chain ({chain}) has a key", reached=False
    )


def _too_late(target: Target) -> ProviderError:
    message = "its time was over before it was asked"
    return ProviderError(target.provider, target.model, ErrorClass.TIMEOUT, message, reached=False)
