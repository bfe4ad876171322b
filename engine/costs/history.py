"""How spend went: sums in equal steps of time, by any dimensions but times.

Steps of whole hours come from the hourly sums, whole minutes from those of minutes, and shorter ones, over a few
minutes at most, from the entries themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


async def spend_history(
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
    values = tuple(where[dimension.value] for dimension in narrowed)
    sql = _courses(source, [_COLUMNS[each] for each in wanted], [_COLUMNS[each] for each in narrowed])
    rows = await reader.rows(sql, (*source.bounds, *values, *((most,) if wanted else ())))
    names = [dimension.value for dimension in wanted]
    groups: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        if not row["whole"]:
            groups.setdefault(_name(row, wanted), []).append(row)
    return (
        _course({}, [row for row in rows if row["whole"]], count),
        *(_course(dict(zip(names, name, strict=True)), part, count) for name, part in groups.items()),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the figures of a step come from: table, its time, and the figures."""

    table: str
    at: str
    figures: str
    bounds: tuple[int, int, int, int]  # first, step, first, after the last


_SUMS = "sum(cost) AS cost, sum(calls) AS calls, sum(failed) AS failed"
_ENTRIES = "ifnull(sum(cost), 0) AS cost, count(*) AS calls, sum(outcome <> 'ok') AS failed"


def _source(start: Instant, step: int, count: int) -> _Source:
    for table, at, width in (("rollup_hours", "hour", HOUR), ("rollup_minutes", "minute", MINUTE)):
        if step % width == 0 and start % width == 0:
            first = start // width
            return _Source(table, at, _SUMS, (first, step // width, first, first + step // width * count))
    return _Source("entries", "at", _ENTRIES, (start, step, start, start + step * count))


def _courses(source: _Source, columns: Sequence[str], narrowed: Sequence[str]) -> str:
    """One look at the table. Sums are formed by combination first, so that the join meets each only once a step."""
    condition = " AND ".join(f"c.{column} = ?" for column in narrowed)
    named = "".join(f"c.{column}, " for column in columns)
    names = ", ".join(columns)
    nothing = "".join(f"'' AS {column}, " for column in columns)
    sums = f"""
        WITH r AS MATERIALIZED (
            SELECT combination, ({source.at} - ?) / ? AS slot, {source.figures} FROM {source.table}
            WHERE {source.at} >= ? AND {source.at} < ? GROUP BY combination, slot
        ), g AS MATERIALIZED (
            SELECT {named}r.slot, {_SUMS} FROM r JOIN combinations c ON c.id = r.combination
            {f"WHERE {condition}" if condition else ""} GROUP BY {named}r.slot
        )"""
    whole = f"SELECT {nothing}slot, {_SUMS}, 1 AS whole, 0 AS place FROM g GROUP BY slot"
    if not columns:
        return f"{sums} {whole}"
    same = " AND ".join(f"g.{column} = t.{column}" for column in columns)
    own = ", ".join(f"g.{column}" for column in columns)
    return f"""{sums}, t AS MATERIALIZED (
            SELECT {names}, row_number() OVER (ORDER BY sum(cost) DESC, sum(calls) DESC, {names}) AS place
            FROM g GROUP BY {names} ORDER BY place LIMIT ?
        )
        {whole} UNION ALL
        SELECT {own}, g.slot, g.cost, g.calls, g.failed, 0 AS whole, t.place FROM g JOIN t ON {same}
        ORDER BY place"""


def _name(row: Any, wanted: Sequence[Dimension]) -> tuple[str, ...]:
    return tuple(row[_COLUMNS[dimension]] for dimension in wanted)


def _course(dimensions: Mapping[str, str], slots: Sequence[Any], count: int) -> Course:
    cost, calls, failed = [0] * count, [0] * count, [0] * count
    for row in slots:
        slot = row["slot"]
        cost[slot], calls[slot], failed[slot] = row["cost"], row["calls"], row["failed"]
    return Course(dimensions, tuple(cost), tuple(calls), tuple(failed))
