"""The hop that keeps each model's breaker: it watches every call and refuses those a breaker does not admit."""

from __future__ import annotations

from engine.events import BreakerChanged
from engine.kernel.clock import Clock
from engine.kernel.errors import ProviderError
from engine.kernel.values import Random
from engine.orchestrator.breaker import Breaker, Change
from engine.orchestrator.settings import BreakerSettings, OrchestratorSettings
from engine.orchestrator.task import Answer, Hop, Target, Task
from engine.storage import Database


class Guarded:
    """See Hop. Ask `admits` first: `complete` takes the caller's word that the breaker lets the call through."""

    def __init__(self, inner: Hop, database: Database, clock: Clock, chance: Random, settings: BreakerSettings) -> None:
        self._inner = inner
        self._database = database
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._breakers: dict[Target, Breaker] = {}

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings.breaker
        for breaker in self._breakers.values():
            breaker.settings = settings.breaker

    def admits(self, target: Target) -> bool:
        """Whether the target's breaker lets a call through now."""
        return self._breaker(target).admits(self._clock.now())

    async def complete(self, task: Task, target: Target) -> Answer:
        breaker = self._breaker(target)
        change = breaker.enter(self._clock.now())
        probe = breaker.probing
        try:
            await self._tell(target, change)
            answer = await self._inner.complete(task, target)
        except ProviderError as error:
            await self._tell(target, breaker.failed(self._clock.now(), error.error_class, probe=probe))
            raise
        except BaseException:  # no room in a budget, cancelled, a database that fails: nothing is known of the model
            breaker.leave(probe=probe)
            raise
        await self._tell(target, breaker.answered(self._clock.now(), probe=probe))
        return answer

    def admits_at(self, target: Target) -> int:
        """When the target's breaker lets the next call through, as far as it can tell now."""
        return self._breaker(target).admits_at

    def _breaker(self, target: Target) -> Breaker:
        if target not in self._breakers:
            self._breakers[target] = Breaker(self._settings, self._chance)
        return self._breakers[target]

    async def _tell(self, target: Target, change: Change | None) -> None:
        if change is None:
            return
        event = BreakerChanged(
            at=self._clock.now(),
            provider=target.provider,
            model=target.model,
            state=str(change.state),
            reason=change.reason,
            retry_at=change.retry_at,
        )
        await self._database.write(lambda tx: tx.emit(event))
