"""Looks at the load every few seconds and sets how many tasks a stage works on at once; `tuning.py` decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.events import ConcurrencyChanged
from engine.kernel.clock import Clock
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.tuning import Load, Tuning
from engine.storage import Database


class Tuner:
    """One stage's number. `running` and `waiting` tell its tasks; `apply` gives the stage its new number."""

    def __init__(
        self,
        stage: str,
        database: Database,
        clock: Clock,
        load: Callable[[], Load],
        running: Callable[[], int],
        waiting: Callable[[], int],
        apply: Callable[[int], None],
        settings: OrchestratorSettings,
    ) -> None:
        self._stage = stage
        self._database = database
        self._clock = clock
        self._load = load
        self._running = running
        self._waiting = waiting
        self._apply = apply
        self._settings = settings.tuning
        self.state = Tuning(ceiling=settings.concurrency, limit=settings.concurrency, told=settings.concurrency)

    @property
    def every(self) -> float:
        """Real seconds between two looks."""
        return self._settings.every

    def configure(self, settings: OrchestratorSettings) -> None:
        """Take a new ceiling and new figures over at once."""
        self._settings = settings.tuning
        self.state = self.state.under(settings.concurrency)
        self._apply(self.state.limit)

    async def look(self) -> None:
        """One look: the stage follows, and a change that matters is told."""
        state = self.state.look(self._load(), running=self._running(), waiting=self._waiting(), settings=self._settings)
        if state.limit != self.state.limit:
            self._apply(state.limit)
        self.state = state
        if not state.worth_telling:
            return
        event = ConcurrencyChanged(
            at=self._clock.now(),
            stage=self._stage,
            concurrency=state.limit,
            ceiling=state.ceiling,
            reason=str(state.reason),
        )
        await self._database.write(lambda tx: tx.emit(event))
        self.state = replace(self.state, told=state.limit)
