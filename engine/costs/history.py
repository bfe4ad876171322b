"""How spend went: sums in equal steps of time, by any dimensions but times.

Steps of whole hours come from the hourly sums, whole minutes from those of minutes, and shorter ones, over a few
minutes at most, from the entries themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from engine.costs.breakdown import _COLUMNS, _TIMES, Dimension, _dimensions
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import HOUR, MINUTE, Instant
from engine.storage import Reader


@dataclass(frozen=True, slots=True)
class Course:
    """One group over time: nano-dollars, calls and failed calls of each step. No dimensions: everything together."""

    dimensions: Mapping[str, str]
    cost: tuple[int, ...]
    calls: tuple[int, ...]
    failed: tuple[int, ...]


async def history(
    reader: Reader,
    by: Sequence[Dimension | str],
    start: Instant,
    step: int,
    count: int,
    where: Mapping[str, str],
    *,
    most: int = 50,
) -> tuple[Course, ...]:
    """The whole first, then the `most` dearest groups, over `count` steps from `start`.

    Raises CommandRefused for an unknown dimension, or a time among them.
    """
    wanted, narrowed = _dimensions(by), _dimensions(tuple(where))
    if any(dimension in _TIMES for dimension in (*wanted, *narrowed)):
        raise CommandRefused(Refusal.INVALID, "a history is cut into steps of time already", field="by")
    source = _source(start, step, count)
    condition = "".join(f" AND c.{_COLUMNS[dimension]} = ?" for dimension in narrowed)
    values = tuple(where[dimension.value] for dimension in narrowed)
    whole = await reader.rows(f"{source.sql('', condition)} GROUP BY slot", (*source.bounds, *values))
    found = [_course({}, [(row["slot"], row) for row in whole], count)]
    if not wanted:
        return tuple(found)
    groups = await _dearest(reader, wanted, source, condition, values, most)
    members = orjson.dumps([member for group in groups.values() for member in group]).decode()
    columns = ", ".join(f"c.{_COLUMNS[dimension]}" for dimension in wanted)
    rows = await reader.rows(
        f"{source.sql(f'{columns}, ', f'{condition} AND c.id IN (SELECT value FROM json_each(?))')}"
        f" GROUP BY {columns}, slot",
        (*source.bounds, *values, members),
    )
    slots: dict[tuple[str, ...], list[tuple[int, Any]]] = {name: [] for name in groups}
    for row in rows:
        slots[_name(row, wanted)].append((row["slot"], row))
    names = [dimension.value for dimension in wanted]
    return (*found, *(_course(dict(zip(names, name, strict=True)), part, count) for name, part in slots.items()))


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the figures of a step come from: table, its time, and the figures' columns."""

    table: str
    at: str
    figures: str
    bounds: tuple[int, int, int, int]  # first, step, first, after the last

    def sql(self, columns: str, condition: str) -> str:
        return (
            f"SELECT {columns}(r.{self.at} - ?) / ? AS slot, {self.figures} FROM {self.table} r"
            f" JOIN combinations c ON c.id = r.combination WHERE r.{self.at} >= ? AND r.{self.at} < ?{condition}"
        )


_SUMS = "sum(r.cost) AS cost, sum(r.calls) AS calls, sum(r.failed) AS failed"
_ENTRIES = "ifnull(sum(r.cost), 0) AS cost, count(*) AS calls, sum(r.outcome <> 'ok') AS failed"


def _source(start: Instant, step: int, count: int) -> _Source:
    for table, at, width in (("rollup_hours", "hour", HOUR), ("rollup_minutes", "minute", MINUTE)):
        if step % width == 0 and start % width == 0:
            first = start // width
            return _Source(table, at, _SUMS, (first, step // width, first, first + step // width * count))
    return _Source("entries", "at", _ENTRIES, (start, step, start, start + step * count))


async def _dearest(
    reader: Reader,
    wanted: Sequence[Dimension],
    source: _Source,
    condition: str,
    values: tuple[str, ...],
    most: int,
) -> dict[tuple[str, ...], list[int]]:
    """The groups that cost most, dearest first, each with its combinations."""
    columns = ", ".join(f"c.{_COLUMNS[dimension]}" for dimension in wanted)
    rows = await reader.rows(f"{source.sql(f'c.id, {columns}, ', condition)} GROUP BY c.id", (*source.bounds, *values))
    members: dict[tuple[str, ...], list[int]] = {}
    sums: dict[tuple[str, ...], tuple[int, int]] = {}
    for row in rows:
        name = _name(row, wanted)
        members.setdefault(name, []).append(row["id"])
        cost, calls = sums.get(name, (0, 0))
        sums[name] = (cost + row["cost"], calls + row["calls"])
    order = sorted(sums, key=lambda name: (-sums[name][0], -sums[name][1], name))
    return {name: members[name] for name in order[:most]}


def _name(row: Any, wanted: Sequence[Dimension]) -> tuple[str, ...]:
    return tuple(row[_COLUMNS[dimension]] for dimension in wanted)


def _course(dimensions: Mapping[str, str], slots: Sequence[tuple[int, Any]], count: int) -> Course:
    cost, calls, failed = [0] * count, [0] * count, [0] * count
    for slot, row in slots:
        cost[slot], calls[slot], failed[slot] = row["cost"], row["calls"], row["failed"]
    return Course(dimensions, tuple(cost), tuple(calls), tuple(failed))
