"""An engine that is only looked at: whatever the console would ask it to change is refused before it is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.kernel.errors import CommandRefused, Refusal
from engine.surface.commands import Command, Done
from screens.source import Link, Source


class LookingOnly:
    """A source whose link is read-only, whoever the operator is; everything else is the source's own."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def link(self) -> Link:
        return replace(self._source.link(), read_only=True)

    async def submit(self, command: Command) -> Done:
        raise CommandRefused(
            Refusal.CONFLICT,
            "this console only looks on: nothing was changed",
            remedy="Open it without --readonly to act",
        )
