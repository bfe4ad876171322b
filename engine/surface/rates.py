"""Counts of calls as rows: what the monitor answers of its tables, and a recording of its events. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.kernel.series import Series
from engine.kernel.values import MINUTE
from engine.surface.courses import Grid, MonitorCourseRow
from engine.surface.rows import MonitorRow


def monitor_row(
    kind: str, name: str, at: int, series: Series, length: int, *, rating: float | None = None, ratings: int = 0
) -> MonitorRow:
    """The counts of one name from `at` on, over so many nanoseconds."""
    p50, p95, p99 = series.whole.quantiles(0.5, 0.95, 0.99)
    first_p50, first_p95 = series.first.quantiles(0.5, 0.95)
    counted = series.calls - series.refused
    return MonitorRow(
        kind=kind,
        name=name,
        at=at,
        calls=series.calls,
        errors=series.errors,
        refused=series.refused,
        fallbacks=series.fallbacks,
        error_rate=series.errors / counted if counted else 0.0,
        fallback_rate=_fallback_rate(kind, series),
        per_minute=series.calls * MINUTE / max(length, MINUTE),
        p50=p50,
        p95=p95,
        p99=p99,
        first_p50=first_p50,
        first_p95=first_p95,
        rating=rating,
        ratings=ratings,
    )


def _fallback_rate(kind: str, series: Series) -> float | None:
    """Of a tool: the answers that not the first choice gave. Of a model: the times wanted that another took over."""
    if kind == "endpoint":
        return None
    answered = series.calls - series.errors - series.refused
    wanted = answered if kind == "tool" else series.calls + series.passed
    return min(1.0, series.fallbacks / wanted) if wanted else float(series.fallbacks > 0)


def monitor_course(kind: str, name: str, series: Sequence[Series | None], cut: Grid) -> MonitorCourseRow:
    """The counts of one name, one for each step; None for a step without any."""
    nothing: tuple[int | None, ...] = (None, None, None)
    quantiles = [each.whole.quantiles(0.5, 0.95, 0.99) if each is not None else nothing for each in series]
    return MonitorCourseRow(
        kind=kind,
        name=name,
        at=cut.start,
        step=cut.step,
        calls=tuple(each.calls if each is not None else 0 for each in series),
        errors=tuple(each.errors if each is not None else 0 for each in series),
        p50=tuple(each[0] for each in quantiles),
        p95=tuple(each[1] for each in quantiles),
        p99=tuple(each[2] for each in quantiles),
    )
