"""Where every face is served: the one port between the engine and its faces."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from engine.events import Recorded
from engine.surface.commands import Command, Done, Via
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot


class Listener(Protocol):
    """A bounded buffer of events that a face reads; `missed` counts those dropped because it was too slow."""

    missed: int

    async def get(self) -> list[Recorded]: ...


class Desk(Protocol):
    """The engine as its faces know it. Awaited methods belong to the engine's own loop; `snapshot` to any thread."""

    def snapshot(self) -> Snapshot:
        """The newest snapshot. Never waits."""
        ...

    async def query(self, query: Query) -> Page[Any]:
        """Raises CommandRefused(INVALID) for a filter that means nothing, StorageError when the database fails."""
        ...

    async def submit(self, command: Command) -> Done:
        """Carry a command out. Raises CommandRefused and changes nothing when it cannot be."""
        ...

    async def events_after(self, seq: int, *, limit: int = 1000) -> list[Recorded]:
        """Recorded events past a sequence number, oldest first."""
        ...

    def subscribe(self) -> AbstractContextManager[Listener]:
        """Listen to events as they are committed."""
        ...


class ViaDesk:
    """A desk as seen from one door: its commands say which."""

    def __init__(self, desk: Desk, via: Via) -> None:
        self._desk = desk
        self._via = via

    def snapshot(self) -> Snapshot:
        return self._desk.snapshot()

    async def query(self, query: Query) -> Page[Any]:
        return await self._desk.query(query)

    async def submit(self, command: Command) -> Done:
        return await self._desk.submit(replace(command, via=self._via))

    async def events_after(self, seq: int, *, limit: int = 1000) -> list[Recorded]:
        return await self._desk.events_after(seq, limit=limit)

    def subscribe(self) -> AbstractContextManager[Listener]:
        return self._desk.subscribe()
