"""Tries the models of a tool's chain in order until one answers."""

from __future__ import annotations

from dataclasses import replace

from engine.events import FallbackTaken
from engine.kernel.clock import Clock, sleep
from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import Random, nanos, seconds
from engine.orchestrator.guard import Guarded
from engine.orchestrator.meter import Metered
from engine.orchestrator.router import chain_of
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.task import Answer, Target, Task
from engine.storage import Database

RETRIED = frozenset(
    {ErrorClass.RATE_LIMIT, ErrorClass.SERVER_ERROR, ErrorClass.NETWORK_ERROR, ErrorClass.TIMEOUT, ErrorClass.UNKNOWN}
)
"""Classes worth another try on the same model."""

_BREAKER_OPEN = "breaker_open"


class Orchestrator:
    """The way from a task to its answer: route ▸ fallback ▸ retry ▸ breaker ▸ books ▸ provider."""

    def __init__(
        self,
        metered: Metered,
        guarded: Guarded,
        database: Database,
        clock: Clock,
        chance: Random,
        settings: OrchestratorSettings,
    ) -> None:
        self._metered = metered
        self._guarded = guarded
        self._database = database
        self._clock = clock
        self._chance = chance
        self.settings = settings

    def configure(self, settings: OrchestratorSettings) -> None:
        """Take new routes and figures over; tasks under way end under the old ones."""
        self.settings = self._metered.settings = settings
        self._guarded.configure(settings.breaker)

    def targets(self, tool: str) -> tuple[Target, ...]:
        """The tool's chain as far as its providers are configured."""
        return tuple(target for target in chain_of(self.settings, tool) if self._metered.serves(target))

    async def complete(self, task: Task) -> Answer:
        """The first usable answer of the chain.

        Raises the last ProviderError when nobody answered, BudgetRefused when the worst case has no room,
        CommandRefused for a tool without a route.
        """
        started = self._clock.now()
        task = task if task.deadline is not None else replace(task, deadline=started + self.settings.total)
        targets = self.targets(task.tool)
        if not targets:
            raise _nobody(self.settings, task.tool)
        if self._late(task):
            raise _too_late(targets[0])
        failure: tuple[Target, str, int] | None = None
        refusal: ProviderError | None = None
        for position, target in enumerate(targets):
            if not self._guarded.admits(target):
                failure = failure or (target, _BREAKER_OPEN, self._clock.now())
                continue
            try:
                answer = await self._persist(task, target, alone=position == len(targets) - 1)
            except ProviderError as error:
                failure = failure or (target, error.error_class, self._clock.now())
                refusal = error
                if error.error_class is ErrorClass.INVALID_REQUEST or self._late(task):
                    raise
                continue
            if failure is not None:
                await self._tell(task, failure, target)
            return answer
        raise refusal or self._all_open(targets)

    async def _persist(self, task: Task, target: Target, *, alone: bool) -> Answer:
        """Try one model, and again where that can help. A throttled one is waited for only if no other is left."""
        retry = self.settings.retry
        tried = 0
        while True:
            tried += 1
            try:
                return await self._guarded.complete(task, target)
            except ProviderError as error:
                throttled = error.error_class is ErrorClass.RATE_LIMIT and not alone
                if tried >= retry.attempts or error.error_class not in RETRIED or throttled:
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


def _nobody(settings: OrchestratorSettings, tool: str) -> ProviderError:
    chain = ", ".join(settings.tools[tool].chain)
    return ProviderError(
        "none", tool, ErrorClass.AUTHENTICATION, f"no provider of its chain ({chain}) has a key", reached=False
    )


def _too_late(target: Target) -> ProviderError:
    message = "its time was over before it was asked"
    return ProviderError(target.provider, target.model, ErrorClass.TIMEOUT, message, reached=False)
