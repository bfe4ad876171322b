"""A source that is not there yet: the console paints its first frame while the engine still starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.events import Recorded
from engine.kernel.errors import EngineUnavailable
from engine.kernel.values import Instant
from engine.surface.commands import Command, Done
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot
from screens.source import Link, Source


class LateSource:
    """Stands in until `become`. Both may be called from any thread."""

    def __init__(self, clock_now: Callable[[], int], *, note: str = "engine starting") -> None:
        """`clock_now` may answer 0 while the engine's clock is not known; no time is shown then."""
        self._now, self._note = clock_now, note
        self._since = clock_now()
        self._source: Source | None = None
        self._empty = Snapshot()

    def become(self, source: Source) -> None:
        """From now on be that source."""
        self._source = source

    def fail(self, note: str) -> None:
        """Say why there will be none."""
        self._note = note

    def snapshot(self) -> Snapshot:
        return self._source.snapshot() if self._source is not None else self._empty

    def link(self) -> Link:
        if self._source is not None:
            return self._source.link()
        now = Instant(self._now())
        return Link(attached=False, up=False, since=Instant(self._since), now=now, note=self._note)

    async def query(self, query: Query) -> Page[Any]:
        return await self._there().query(query)

    async def submit(self, command: Command) -> Done:
        return await self._there().submit(command)

    def recent(self, after: int) -> Sequence[Recorded]:
        return self._source.recent(after) if self._source is not None else ()

    def _there(self) -> Source:
        if self._source is None:
            raise EngineUnavailable(f"Not yet: {self._note}")
        return self._source
