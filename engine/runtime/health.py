"""What the engine depends on, and how each of it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from engine.kernel.clock import Clock
from engine.kernel.errors import StorageError
from engine.runtime.projector import Projector
from engine.storage import Database
from engine.surface.rows import DependencyRow
from engine.surface.snapshot import ModelView, Snapshot, quantile

_WRITE_LIMIT = 2.0  # real seconds that a healthy database needs at most for one commit
_ERROR_RATE = 0.2  # of recent calls, above which a model counts as degraded


class Health:
    """Looks at each dependency. What sends traffic of its own is judged by that traffic, not by probes that cost."""

    def __init__(
        self,
        database: Database,
        projector: Projector,
        clock: Clock,
        *,
        platform_url: Callable[[], str],
        idle_tools: Callable[[], Sequence[str]],
    ) -> None:
        self._database = database
        self._projector = projector
        self._clock = clock
        self._platform_url = platform_url
        self._idle_tools = idle_tools

    async def check(self) -> tuple[DependencyRow, ...]:
        snapshot = self._projector.snapshot
        models = [self._model(view) for view in snapshot.models.values()]
        copies = (self._sync(snapshot), self._broker(snapshot))
        return (await self._storage(), self._platform(), self._tools(), *copies, *models)

    async def _storage(self) -> DependencyRow:
        started = self._clock.now()
        try:
            async with asyncio.timeout(_WRITE_LIMIT):
                await self._database.write(lambda tx: None)
        except TimeoutError:
            return self._row("database", "down", None, f"no commit within {_WRITE_LIMIT:g} s")
        except StorageError as error:
            return self._row("database", "down", None, error.message)
        return self._row("database", "ok", self._clock.now() - started, "")

    def _platform(self) -> DependencyRow:
        if not self._platform_url():
            return self._row("platform", "off", None, "ONLYFANS_API_URL is not set")
        paused = [view.account_id for view in self._projector.snapshot.accounts.values() if view.paused]
        return self._row("platform", "degraded" if paused else "ok", None, _paused(paused))

    def _tools(self) -> DependencyRow:
        idle = ", ".join(self._idle_tools())
        return self._row("tools", "degraded" if idle else "ok", None, f"no model has a key for {idle}" if idle else "")

    def _sync(self, snapshot: Snapshot) -> DependencyRow:
        state = {"off": "off", "ok": "ok", "behind": "degraded"}.get(snapshot.sync.state, "down")
        return self._row("dynamodb", state, None, snapshot.sync.error)

    def _broker(self, snapshot: Snapshot) -> DependencyRow:
        """The engine works without it: events wait, and can be read over HTTP."""
        view = snapshot.broker
        state = {"off": "off", "connected": "ok"}.get(view.state, "degraded")
        lost = "events that waited for it were dropped" if view.dropped else ""
        return self._row("mqtt", state, None, "; ".join(part for part in (view.error, lost) if part))

    def _model(self, view: ModelView) -> DependencyRow:
        failed = view.outcomes.count(False)
        state, error = "ok", ""
        if view.breaker == "open":
            state, error = "down", view.breaker_reason
        elif failed > len(view.outcomes) * _ERROR_RATE:
            state, error = "degraded", f"{failed} of the last {len(view.outcomes)} calls failed: {view.last_error}"
        return self._row(f"{view.provider}/{view.model}", state, quantile(view.latencies, 0.5), error)

    def _row(self, name: str, state: str, latency: int | None, error: str) -> DependencyRow:
        return DependencyRow(name=name, state=state, latency=latency, error=error, checked_at=self._clock.now())


def _paused(accounts: list[str]) -> str:
    return f"paused: {', '.join(sorted(accounts))}" if accounts else ""
