"""The desk's part for kept answers, feature flags and models on trial."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.periods import day_bounds
from engine.kernel.values import DAY, NanoUSD, decimal_usd
from engine.orchestrator import FLAGS, Flag, Flags, Keeping, Orchestrator, Shadowed, Trial, reuse_between, target_of
from engine.storage import Database, Reader
from engine.surface import commands, queries
from engine.surface.commands import Command, Done
from engine.surface.queries import Page, Query
from engine.surface.rows import CacheRow, FlagRow, ShadowRow

_SHADOW_DAYS = 30  # that a trial's sums go back
_MOST_FLAGS = 100  # of one command
_HELD = "SELECT (SELECT count(*) FROM kept_answers WHERE kept_until > ?) AS entries, bytes FROM kept_bytes"
_SUMS = """
SELECT tool, target, sum(compared) AS compared, sum(failed) AS failed, sum(duration) AS duration,
       sum(shadow_duration) AS shadow_duration, sum(cost) AS cost, sum(shadow_cost) AS shadow_cost,
       sum(length) AS length, sum(shadow_length) AS shadow_length, sum(likeness) AS likeness
FROM shadow_days WHERE day > ? GROUP BY tool, target ORDER BY tool, target
"""


class MiddlewareDesk:
    """Carries out what faces ask of these stages; `commands` and `queries` are what the desk takes on."""

    def __init__(
        self,
        database: Database,
        keeping: Keeping,
        flags: Flags,
        shadowed: Shadowed,
        orchestrator: Orchestrator,
        clock: Clock,
        time_zone: str,
    ) -> None:
        self._database = database
        self._keeping = keeping
        self._flags = flags
        self._shadowed = shadowed
        self._orchestrator = orchestrator
        self._clock = clock
        self._zone = ZoneInfo(time_zone)
        self.commands: Mapping[type[Command], Callable[[Any], Awaitable[Done]]] = {
            commands.ClearCache: self._clear,
            commands.SetFlags: self._set_flags,
            commands.SetShadow: self._set_shadow,
        }
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.GetCache: self._cache,
            queries.ListFlags: self._list_flags,
            queries.ListShadows: self._shadows,
        }

    async def _clear(self, command: commands.ClearCache) -> Done:
        count = await self._keeping.clear(command.tenant_id)
        whose = "" if command.tenant_id is None else f" of {command.tenant_id or 'no tenant'}"
        return Done(f"{count:,} kept answers{whose} are forgotten", {"count": count})

    async def _set_flags(self, command: commands.SetFlags) -> Done:
        names = [setting.name for setting in command.flags]
        if not names or len(names) > _MOST_FLAGS or len(set(names)) < len(names):
            message = f"name 1 to {_MOST_FLAGS} flags, each once; the flags are {', '.join(FLAGS)}"
            raise CommandRefused(Refusal.INVALID, message, field="flags")
        flags = await self._flags.set(*command.flags, actor=command.actor)
        return Done("; ".join(f"{flag.name}: {flag.described()}" for flag in flags))

    async def _set_shadow(self, command: commands.SetShadow) -> Done:
        trial = Trial(
            tool=self._orchestrator.settings.aliases.get(command.tool, command.tool),
            target=target_of(command.target),
            percentage=command.percentage,
            budget=NanoUSD(command.budget),
            fans=command.fans,
        )
        await self._shadowed.set(trial, actor=command.actor, serves=self._orchestrator.serves)
        if not trial.percentage:
            return Done(f"Nothing is tried on {trial.tool} any more")
        most = decimal_usd(trial.budget)
        return Done(f"{trial.target} is tried on {trial.percentage:g} % of {trial.tool}, for at most {most} USD a day")

    async def _cache(self, _: queries.GetCache) -> Page[CacheRow]:
        start, end = day_bounds(self._clock.now(), self._zone)
        async with self._database.view() as reader:
            reuse = await reuse_between(reader, start, end)
            held = await reader.row(_HELD, (self._clock.now(),))
        row = CacheRow(
            entries=held["entries"] if held else 0,
            bytes=held["bytes"] if held else 0,
            most_bytes=self._orchestrator.settings.cache.most_bytes,
            hits=reuse.hits,
            near=reuse.near,
            shared=reuse.shared,
            kept=reuse.kept,
            saved=reuse.saved,
        )
        return Page((row,))

    async def _list_flags(self, _: queries.ListFlags) -> Page[FlagRow]:
        return Page(tuple(map(_flag_row, self._flags)))

    async def _shadows(self, _: queries.ListShadows) -> Page[ShadowRow]:
        """Those under way first, then those that ended within the days looked at."""
        async with self._database.view() as reader:
            sums = await self._sums(reader)
        running = {(trial.tool, str(trial.target)): trial for trial in self._shadowed.trials()}
        keys = sorted({*running, *sums}, key=lambda key: (key not in running, key))
        return Page(tuple(self._shadow_row(key, running.get(key), sums.get(key, {})) for key in keys))

    async def _sums(self, reader: Reader) -> dict[tuple[str, str], dict[str, int]]:
        rows = [dict(row) for row in await reader.rows(_SUMS, (self._clock.now() // DAY - _SHADOW_DAYS,))]
        return {(row.pop("tool"), row.pop("target")): row for row in rows}

    def _shadow_row(self, key: tuple[str, str], trial: Trial | None, sums: dict[str, int]) -> ShadowRow:
        tool, target = key
        return ShadowRow(
            tool=tool,
            target=target,
            percentage=trial.percentage if trial else 0.0,
            budget=trial.budget if trial else 0,
            spent_today=self._shadowed.spent_today(tool) if trial else 0,
            fans=trial.fans if trial else False,
            compared=sums.get("compared", 0),
            failed=sums.get("failed", 0),
            duration=sums.get("duration", 0),
            shadow_duration=sums.get("shadow_duration", 0),
            cost=sums.get("cost", 0),
            shadow_cost=sums.get("shadow_cost", 0),
            length=sums.get("length", 0),
            shadow_length=sums.get("shadow_length", 0),
            likeness=sums.get("likeness", 0),
        )


def _flag_row(flag: Flag) -> FlagRow:
    return FlagRow(
        name=flag.name,
        about=FLAGS[flag.name],
        enabled=flag.enabled,
        percentage=flag.percentage,
        allow=flag.allow,
        deny=flag.deny,
        changed_at=flag.changed_at,
        changed_by=flag.changed_by,
    )
