"""The desk's part about thresholds: from which sum of a day and of a month on an alert is critical, changed running."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.alerts import AlertSettings, Rule, conditions
from engine.events import ThresholdsChanged
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.text import clean
from engine.kernel.values import NanoUSD, decimal_usd, usd
from engine.storage import Database, Tx
from engine.surface import commands, queries
from engine.surface.commands import Command, Done
from engine.surface.effects import ThresholdEffectRow, ThresholdRow
from engine.surface.projection import turned
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot

_RULES = {"day": Rule.DAY_COST, "month": Rule.MONTH_COST}
_LARGEST = usd(1_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """What an operator set for a period; 0 is no alert."""

    limit: int
    by: str
    at: int


def _all(tx: Tx) -> Sequence[sqlite3.Row]:
    return tx.execute("SELECT * FROM thresholds").fetchall()


def _kept(rows: Sequence[sqlite3.Row]) -> dict[str, _Set]:
    return {row["period"]: _Set(limit=row["limit"], by=row["set_by"], at=row["set_at"]) for row in rows}


class Thresholds:
    """Commands and queries for `EngineDesk.extend`. `tell` gets the alerts' settings whenever they are others."""

    def __init__(self, database: Database, clock: Clock, settings: AlertSettings) -> None:
        self._database = database
        self._clock = clock
        self._file = settings
        self._set: dict[str, _Set] = {}
        self._snapshot: Callable[[], Snapshot] = Snapshot
        self._tell: Callable[[AlertSettings], None] = lambda settings: None
        self.commands: Mapping[type[Command], Callable[[Any], Awaitable[Done]]] = {
            commands.SetThreshold: self._change,
            commands.ResetThreshold: self._reset,
        }
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.ListThresholds: self._list,
            queries.PreviewThreshold: self._preview,
        }

    async def load(self) -> None:
        """At start: what was set before."""
        async with self._database.reader() as reader:
            rows = await reader.rows("SELECT * FROM thresholds")
        self._set = _kept(rows)

    def join(self, snapshot: Callable[[], Snapshot], tell: Callable[[AlertSettings], None]) -> None:
        """Where spending is read, and who obeys."""
        self._snapshot, self._tell = snapshot, tell

    def configure(self, settings: AlertSettings) -> None:
        """Take over what the file says now; what was set stays."""
        self._file = settings
        self._tell(self.settings)

    @property
    def settings(self) -> AlertSettings:
        """The alerts' settings with what was set over the file's."""
        return self._with(self._set)

    @property
    def pair(self) -> tuple[int | None, int | None]:
        """The day's and the month's."""
        return self.settings.day_threshold, self.settings.month_threshold

    def _with(self, chosen: Mapping[str, _Set]) -> AlertSettings:
        changes = {f"{period}_threshold": NanoUSD(one.limit) if one.limit else None for period, one in chosen.items()}
        return replace(self._file, **changes)  # type: ignore[arg-type]

    # ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _change(self, command: commands.SetThreshold) -> Done:
        chosen = self._wanted(command.day, command.month, command.actor)
        await self._database.write(lambda tx: self._store(tx, {**_kept(_all(tx)), **chosen}, command.actor))
        return Done(self._told())

    async def _reset(self, command: commands.ResetThreshold) -> Done:
        await self._database.write(lambda tx: self._store(tx, {}, command.actor))
        return Done(f"The file decides again: {self._told()}")

    def _wanted(self, day: int | None, month: int | None, actor: str = "") -> dict[str, _Set]:
        chosen = {period: limit for period, limit in (("day", day), ("month", month)) if limit is not None}
        for period, limit in chosen.items():
            if not 0 <= limit <= _LARGEST:
                raise CommandRefused(
                    Refusal.INVALID, f"a threshold is 0 to {decimal_usd(_LARGEST)} dollars; 0 gives none", field=period
                )
        by, now = clean(actor, limit=200) or "operator", self._clock.now()
        return {period: _Set(limit=limit, by=by, at=now) for period, limit in chosen.items()}

    def _store(self, tx: Tx, chosen: Mapping[str, _Set], actor: str) -> None:
        before, after = self.settings, self._with(chosen)
        tx.execute("DELETE FROM thresholds")
        tx.executemany(
            "INSERT INTO thresholds VALUES (?, ?, ?, ?)",
            [(period, one.limit, one.by, one.at) for period, one in chosen.items()],
        )
        if after != before:
            day, month = after.day_threshold, after.month_threshold
            tx.emit(ThresholdsChanged(at=self._clock.now(), day=day, month=month, actor=actor))
        tx.after_commit(lambda: self._take(chosen))

    def _take(self, chosen: Mapping[str, _Set]) -> None:
        self._set = dict(chosen)
        self._tell(self.settings)

    def _told(self) -> str:
        day, month = (f"{decimal_usd(limit)} USD" if limit else "no sum" for limit in self.pair)
        return f"An alert is critical from {day} a day and {month} a month"

    # ── queries ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _list(self, _: queries.ListThresholds) -> Page[ThresholdRow]:
        file = {"day": self._file.day_threshold, "month": self._file.month_threshold}
        now = dict(zip(("day", "month"), self.pair, strict=True))
        return Page(tuple(self._row(period, now[period], file[period]) for period in file))

    def _row(self, period: str, limit: int | None, file: int | None) -> ThresholdRow:
        chosen = self._set.get(period)
        return ThresholdRow(
            period=period,
            limit=limit,
            file_limit=file,
            spent=self._spent(period),
            set_by=chosen.by if chosen else "",
            set_at=chosen.at if chosen else None,
        )

    async def _preview(self, query: queries.PreviewThreshold) -> Page[ThresholdEffectRow]:
        chosen = self._wanted(query.day, query.month)
        before, after = self.settings, self._with({**self._set, **chosen})
        was, would = self._severities(before), self._severities(after)
        rows = [
            ThresholdEffectRow(
                period=period,
                before=getattr(before, f"{period}_threshold"),
                after=getattr(after, f"{period}_threshold"),
                spent=self._spent(period),
                severity_before=was.get(period, ""),
                severity_after=would.get(period, ""),
            )
            for period in chosen
        ]
        return Page(tuple(rows))

    def _severities(self, settings: AlertSettings) -> dict[str, str]:
        """How grave the alert of each period would be, by what is spent now."""
        periods = {rule: period for period, rule in _RULES.items()}
        seen = conditions(self._snapshot(), settings, self._clock.now())
        return {periods[one.rule]: str(one.severity) for one in seen if one.rule in periods}

    def _spent(self, period: str) -> int:
        snapshot = self._snapshot()
        money = turned(snapshot.money, self._clock.now(), snapshot.engine.time_zone)
        return money.today if period == "day" else money.month
