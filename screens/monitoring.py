"""Rates, errors, fallbacks and latencies over any span, by tool, model, provider or endpoint, with their courses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType

from engine.surface.queries import Monitor, MonitorHistory
from engine.surface.rows import MonitorCourseRow, MonitorRow
from screens.aside import Aside
from screens.drawing import BLANK, Line, Span, cut
from screens.formatting import NONE, clean, count, plural
from screens.listing import plain
from screens.place import as_of
from screens.spanned import Spanned
from screens.spans import HOURLY, SLIDING, choice_line
from screens.times import SPARK, chart_rows, latency, times_and_errors
from screens.view import View
from screens.widgets.plot import sparkline
from screens.widgets.table import Column

_KINDS: tuple[Literal["tool", "model", "provider", "endpoint"], ...] = ("tool", "model", "provider", "endpoint")
_MANY = 0.05  # share of errors from which a row is told by its colour


class MonitoringScreen(Spanned[MonitorRow]):
    """One row a name, the most called first, each with its course over the span."""

    title_text = place = "providers"
    stretches = SLIDING[1:]  # times are counted by the minute
    empty = "nothing passed in this time; t looks further back, v shows the others"
    first_keys = ("by tool, model, provider, endpoint",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "turn", "by tool, model, provider, endpoint"),
    ]

    def __init__(self) -> None:
        super().__init__(HOURLY)
        self._kind = _KINDS[0]
        self._courses: Aside[MonitorCourseRow] = Aside(self, self._course_question)

    @property
    def heading(self) -> str:
        return f"providers › times and errors › by {self._kind}"

    def question(self) -> Monitor:
        return Monitor(kind=self._kind, from_=self.stretch.start(self.view))

    def _course_question(self) -> MonitorHistory:
        return MonitorHistory(kind=self._kind, span=self.stretch.width)

    def paint(self, view: View) -> None:
        self._courses.keep(view)
        super().paint(view)

    def head(self, view: View, width: int) -> Sequence[Line]:
        line = (*choice_line("over", self.stretches, self.stretch), (f" {self.over(view)}  ", "dim"))
        return (cut((*line, *self._courses.trouble(view), *as_of(view)), width),)

    def _course(self, name: str) -> MonitorCourseRow | None:
        return next((each for each in self._courses.rows if each.name == name), None)

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
            Column(title="calls, course", width=SPARK, need=104, adorns=True, paint=self._calls_course),
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

    def _calls_course(self, row: MonitorRow, _view: View) -> Span:
        course = self._course(row.name)
        return ("", "dim") if course is None else sparkline(course.calls, SPARK)

    def foot(self, row: MonitorRow, view: View, width: int) -> Sequence[Line]:
        said = f"{plural(row.errors, 'error')}, {plural(row.refused, 'call')} the asker's own doing"
        rated = f", rated {row.rating:.1f} of 5 by {plural(row.ratings, 'rating')}" if row.rating is not None else ""
        title: Line = ((f"  {clean(row.name, longest=100)}  ", "head"), (said + rated, "dim"))
        rows = self.app.size.height
        return (BLANK, title, *times_and_errors(self._course(row.name), view, width, chart_rows(rows)))

    def action_turn(self) -> None:
        self._kind = _KINDS[(_KINDS.index(self._kind) + 1) % len(_KINDS)]
        self.anew()

    def anew(self) -> None:
        self._courses.start_over()
        super().anew()


def _errors(row: MonitorRow, view: View) -> Span:
    tone = "bad" if row.error_rate >= _MANY else "warn" if row.errors else "dim"
    return f"{row.error_rate:.1%}", tone


def _fallbacks(row: MonitorRow, view: View) -> Span:
    if row.fallback_rate is None:
        return NONE, "dim"
    return f"{row.fallback_rate:.1%}", "warn" if row.fallbacks else "dim"


def _rating(row: MonitorRow, view: View) -> Span:
    return (NONE, "dim") if row.rating is None else (f"{row.rating:.1f}", "accent")
