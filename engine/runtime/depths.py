"""How deep the queues were: keeps the highest figures of each minute and hour, and answers how they went.

A process that is killed loses the minute it was in; the queues themselves are the job store's matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.kernel.clock import Clock
from engine.kernel.values import DAY, HOUR, MINUTE
from engine.runtime.projector import Projector
from engine.storage import Database, Reader, Tx
from engine.surface.snapshot import QueueView

MINUTES_KEPT = 2 * DAY  # nanoseconds
HOURS_KEPT = 90 * DAY  # nanoseconds

_FIGURES = ("ready", "delayed", "leased", "parked", "dead", "waited")
_TABLES = (("queue_minutes", "minute", MINUTE, MINUTES_KEPT), ("queue_hours", "hour", HOUR, HOURS_KEPT))
_CATCH_UP = 60  # minutes at most that one write fills: a clock that runs fast passes several between two looks
_OLD_AT_ONCE = 2_000  # rows deleted with one write

Figures = tuple[int, ...]
"""As `_FIGURES` names them."""


@dataclass(frozen=True, slots=True)
class DepthCourse:
    """One queue over time: for each figure the highest of each step, None for a step in which nobody looked."""

    queue: str
    figures: dict[str, tuple[int | None, ...]]


class Depths:
    """Looks at the newest snapshot, and writes each minute once it has ended."""

    def __init__(self, database: Database, projector: Projector, clock: Clock) -> None:
        self._database = database
        self._projector = projector
        self._clock = clock
        self._highest: dict[str, Figures] = {}
        self._minute = 0

    async def look(self) -> None:
        """Take in what the queues hold now; write the minutes that have ended since the last look."""
        now = self._clock.now()
        minute = now // MINUTE
        first, self._minute = max(self._minute, minute - _CATCH_UP), minute
        if first < minute and self._highest:
            highest, self._highest = self._highest, {}
            await self._database.write(lambda tx: _keep(tx, range(first, minute), highest, now))
        for view in self._projector.snapshot.queues.values():
            known, figures = self._highest.get(view.queue), _figures(view, now)
            self._highest[view.queue] = figures if known is None else tuple(map(max, known, figures))


def _figures(view: QueueView, now: int) -> Figures:
    waited = max(0, now - view.oldest_at) if view.oldest_at is not None else 0
    return (view.ready, view.delayed, view.leased, view.parked, view.dead, waited)


async def depth_history(reader: Reader, only: str, start: int, step: int, count: int) -> list[DepthCourse]:
    """Each queue, or one, over `count` steps from `start`; steps of whole hours come from the hours."""
    coarse = step % HOUR == 0 and start % HOUR == 0
    table, column, width, _ = _TABLES[coarse]
    first, steps = start // width, step // width
    highest = ", ".join(f"max({name}) AS {name}" for name in _FIGURES)
    rows = await reader.rows(
        f"SELECT queue, ({column} - ?) / ? AS slot, {highest} FROM {table}"
        f" WHERE {column} >= ? AND {column} < ? AND (? = '' OR queue = ?) GROUP BY queue, slot ORDER BY queue",
        (first, steps, first, first + steps * count, only, only),
    )
    courses: dict[str, dict[str, list[int | None]]] = {}
    for row in rows:
        course = courses.setdefault(row["queue"], {name: [None] * count for name in _FIGURES})
        for name in _FIGURES:
            course[name][row["slot"]] = row[name]
    return [DepthCourse(queue, {name: tuple(course[name]) for name in _FIGURES}) for queue, course in courses.items()]


def _keep(tx: Tx, minutes: range, highest: dict[str, Figures], now: int) -> None:
    for queue, figures in highest.items():
        for minute in minutes:
            _merge(tx, "queue_minutes", "minute", minute, queue, figures)
        for hour in {minute * MINUTE // HOUR for minute in minutes}:
            _merge(tx, "queue_hours", "hour", hour, queue, figures)
    for table, column, width, kept in _TABLES:
        tx.execute(
            f"DELETE FROM {table} WHERE ({column}, queue) IN"
            f" (SELECT {column}, queue FROM {table} WHERE {column} < ? LIMIT ?)",
            ((now - kept) // width, _OLD_AT_ONCE),
        )


def _merge(tx: Tx, table: str, column: str, at: int, queue: str, figures: Figures) -> None:
    raised = ", ".join(f"{name} = max({name}, excluded.{name})" for name in _FIGURES)
    tx.execute(
        f"INSERT INTO {table} ({column}, queue, {', '.join(_FIGURES)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        f" ON CONFLICT DO UPDATE SET {raised}",
        (at, queue, *figures),
    )
