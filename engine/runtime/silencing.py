"""The desk's part about alerts that are to be quiet for a while, or loud again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.alerts import create_silence, end_silence, list_silences, unacknowledge
from engine.kernel.clock import Clock
from engine.kernel.values import Random, new_id
from engine.storage import Database, Tx
from engine.surface import commands, queries
from engine.surface.commands import Command, Done
from engine.surface.queries import Page, Query
from engine.surface.rows import SilenceRow


class Silencing:
    """Commands and queries for `EngineDesk.extend`."""

    def __init__(self, database: Database, clock: Clock, chance: Random) -> None:
        self._database = database
        self._clock = clock
        self._chance = chance
        self.commands: Mapping[type[Command], Callable[[Any], Awaitable[Done]]] = {
            commands.SilenceAlerts: self._silence,
            commands.EndSilence: self._end,
            commands.UnacknowledgeAlert: self._unacknowledge,
        }
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.ListSilences: self._list,
        }

    async def _silence(self, command: commands.SilenceAlerts) -> Done:
        now = self._clock.now()
        silence_id = new_id("sil", now, self._chance)

        def silence(tx: Tx) -> Done:
            covered = create_silence(tx, silence_id, command, now)
            alerts = "alert" if covered == 1 else "alerts"
            return Done(f"Silenced; {covered:,} open {alerts} covered", {"silence_id": silence_id, "covered": covered})

        return await self._database.write(silence)

    async def _end(self, command: commands.EndSilence) -> Done:
        now = self._clock.now()
        await self._database.write(lambda tx: end_silence(tx, command.silence_id, command.actor, now))
        return Done("The silence is over: what it covered and is still open notifies again")

    async def _unacknowledge(self, command: commands.UnacknowledgeAlert) -> Done:
        now = self._clock.now()
        await self._database.write(lambda tx: unacknowledge(tx, command.alert_id, command.actor, now))
        return Done("The alert notifies again")

    async def _list(self, query: queries.ListSilences) -> Page[SilenceRow]:
        async with self._database.reader() as reader:
            return await list_silences(reader, query, self._clock.now())
