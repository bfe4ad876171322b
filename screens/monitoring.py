"""Rates, errors, fallbacks and latencies of the last hour, by tool, model, provider or endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType

from engine.kernel.values import SECOND
from engine.surface.queries import Monitor
from engine.surface.rows import MonitorRow
from screens.drawing import BLANK, Line, Span
from screens.formatting import NONE, clean, count, plural
from screens.listing import Listing, plain
from screens.view import View
from screens.widgets.table import Column

_KINDS: tuple[Literal["tool", "model", "provider", "endpoint"], ...] = ("tool", "model", "provider", "endpoint")
_MANY = 0.05  # share of errors from which a row is told by its colour


class MonitoringScreen(Listing[MonitorRow]):
    """One row a name, the most called first."""

    title_text = place = "providers"
    empty = "nothing passed in the last hour; v shows the others"
    first_keys = ("by tool, model, provider, endpoint",)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("v", "turn", "by tool, model, provider, endpoint")]

    def __init__(self) -> None:
        super().__init__()
        self._kind = _KINDS[0]

    @property
    def heading(self) -> str:
        return f"providers › the last hour › by {self._kind}"

    def question(self) -> Monitor:
        return Monitor(kind=self._kind)

    def columns(self) -> Sequence[Column[MonitorRow]]:
        return (
            Column(title="name", width=14, weight=2, paint=plain(lambda row: row.name), sort=lambda row: row.name),
            Column(
                title="calls",
                width=8,
                right=True,
                paint=lambda row, _: (count(row.calls), "plain"),
                sort=lambda row: row.calls,
            ),
            Column(
                title="a minute", width=8, right=True, need=100, paint=lambda row, _: (f"{row.per_minute:.1f}", "dim")
            ),
            Column(title="errors", width=7, right=True, paint=_errors, sort=lambda row: row.error_rate),
            Column(title="fallbacks", width=9, right=True, paint=_fallbacks, sort=lambda row: row.fallback_rate or 0.0),
            Column(title="p50", width=8, right=True, paint=lambda row, _: (latency(row.p50), "dim")),
            Column(
                title="p95",
                width=8,
                right=True,
                paint=lambda row, _: (latency(row.p95), "strong"),
                sort=lambda row: row.p95 or 0,
            ),
            Column(title="p99", width=8, right=True, paint=lambda row, _: (latency(row.p99), "dim")),
            Column(
                title="first byte", width=10, right=True, need=120, paint=lambda row, _: (latency(row.first_p95), "dim")
            ),
            Column(title="rating", width=6, right=True, need=90, paint=_rating, sort=lambda row: row.rating or 0.0),
        )

    def key_of(self, row: MonitorRow) -> str:
        return row.name

    def words_of(self, row: MonitorRow) -> str:
        return row.name

    def foot(self, row: MonitorRow, view: View, width: int) -> Sequence[Line]:
        said = f"{plural(row.errors, 'error')}, {plural(row.refused, 'call')} the asker's own doing"
        rated = f", rated {row.rating:.1f} of 5 by {plural(row.ratings, 'rating')}" if row.rating is not None else ""
        return (BLANK, ((f"  {clean(row.name, longest=100)}  ", "head"), (said + rated, "dim")))

    def action_turn(self) -> None:
        self._kind = _KINDS[(_KINDS.index(self._kind) + 1) % len(_KINDS)]
        self.start_over()


def latency(span: int | None) -> str:
    """Nanoseconds as 0.8 ms, 45 ms, 1.25 s."""
    if span is None:
        return NONE
    real = span / SECOND
    if real >= 1:
        return f"{real:,.2f} s"
    return f"{real * 1000:.0f} ms" if real >= 0.01 else f"{real * 1000:.1f} ms"


def _errors(row: MonitorRow, view: View) -> Span:
    tone = "bad" if row.error_rate >= _MANY else "warn" if row.errors else "dim"
    return f"{row.error_rate:.1%}", tone


def _fallbacks(row: MonitorRow, view: View) -> Span:
    if row.fallback_rate is None:
        return NONE, "dim"
    return f"{row.fallback_rate:.1%}", "warn" if row.fallbacks else "dim"


def _rating(row: MonitorRow, view: View) -> Span:
    return (NONE, "dim") if row.rating is None else (f"{row.rating:.1f}", "accent")
