"""Every provider's model: may it be called, how fast and how sure it is, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from engine.kernel.values import HOUR
from engine.surface.queries import ListGauges, MonitorHistory
from engine.surface.rows import GaugeRow, MonitorCourseRow
from engine.surface.snapshot import ModelView, quantile
from screens.acting import Acting
from screens.aside import Aside
from screens.breakers import turn_breaker
from screens.calls import CallsScreen
from screens.drawing import BLANK, Line, Span, even, spark, state
from screens.facts import failing_share, failing_tone
from screens.flags import FlagsScreen
from screens.formatting import (
    NONE,
    age,
    age_rough,
    clean,
    clock,
    count,
    count_short,
    duration,
    money,
    percent,
    plural,
    wrap,
)
from screens.listing import Listing, number
from screens.monitoring import MonitoringScreen
from screens.routes import RoutesScreen
from screens.times import SPARK, chart_rows, times_and_errors
from screens.view import View
from screens.widgets.plot import sparkline
from screens.widgets.table import Column


class ProvidersScreen(Listing[ModelView], Acting):
    """One row a model, the dearest first, or one a provider; below, why its breaker stands so, and its times."""

    title_text = place = "providers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "turn", "by provider, by model"),
        Binding("b", "breaker", "breaker"),
        Binding("r", "routes", "routes and decisions"),
        Binding("f", "flags", "flags and trials"),
        Binding("t", "times", "times and errors"),
    ]
    empty = "no provider was called yet: the first call of a campaign or of the gateway shows here"

    def __init__(self, provider: str = "") -> None:
        super().__init__()
        self._provider = provider
        self._whole = False  # a row a provider?
        self._courses: Aside[MonitorCourseRow] = Aside(self, self._course_question)

    @property
    def heading(self) -> str:
        return f"providers › {clean(self._provider, longest=40)}" if self._provider else "providers"

    def question(self) -> ListGauges:
        return ListGauges()

    def _course_question(self) -> MonitorHistory:
        return MonitorHistory(kind="provider" if self._whole else "model")

    def paint(self, view: View) -> None:
        self._courses.keep(view)
        super().paint(view)

    def gauge(self, row: ModelView) -> GaugeRow | None:
        """What is measured of a model, as last read; nothing of a whole provider."""
        gauges: tuple[Any, ...] = self.read
        return next((each for each in gauges if (each.provider, each.model) == (row.provider, row.model)), None)

    def action_times(self) -> None:
        self.app.push_screen(MonitoringScreen())

    def action_breaker(self) -> None:
        row = self.row
        if row is not None:
            turn_breaker(self, row.provider, row.model, row.breaker_held_by)

    def action_flags(self) -> None:
        self.app.push_screen(FlagsScreen())

    def action_routes(self) -> None:
        self.app.push_screen(RoutesScreen())

    def action_turn(self) -> None:
        self._whole = not self._whole
        self._courses.start_over()
        self.show(self.view)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "breaker":
            return self.is_mounted and self.row is not None and not self._whole and self.may_act
        return not self._provider if action == "turn" else super().check_action(action, parameters)

    def rows_of(self, view: View) -> Sequence[ModelView]:
        found = [model for model in view.snapshot.models.values() if self._provider in ("", model.provider)]
        rows = by_provider(found) if self._whole else found
        return sorted(rows, key=lambda model: (-model.today, model.provider, model.model))

    def head(self, view: View, width: int) -> Sequence[Line]:
        trouble = self._courses.trouble(view)
        return ((("  the courses ", "dim"), *trouble),) if trouble else ()

    def columns(self) -> Sequence[Column[ModelView]]:
        return (
            Column(title="breaker", width=11, paint=_state, sort=lambda row: row.breaker),
            Column(
                title="provider and model", width=18, weight=1, paint=_name, sort=lambda row: (row.provider, row.model)
            ),
            Column(
                title="today",
                width=9,
                right=True,
                paint=lambda row, _: (money(row.today), "strong" if row.today else "dim"),
                sort=lambda row: row.today,
            ),
            Column(
                title="share",
                width=6,
                right=True,
                need=170,
                paint=lambda row, view: (percent(row.today, view.snapshot.money.today), "dim"),
                sort=lambda row: row.today,
            ),
            Column(
                title="month",
                width=10,
                right=True,
                need=160,
                paint=lambda row, _: (money(row.month), "plain"),
                sort=lambda row: row.month,
            ),
            Column(title="calls", width=8, right=True, paint=number(lambda row: row.calls), sort=lambda row: row.calls),
            Column(
                title="err", width=6, right=True, paint=_errors, sort=lambda row: sum(not ok for ok in row.outcomes)
            ),
            Column(
                title="p50",
                width=6,
                right=True,
                need=100,
                paint=_quantile(0.5),
                sort=lambda row: quantile(row.latencies, 0.5) or 0,
            ),
            Column(
                title="p95",
                width=6,
                right=True,
                paint=_quantile(0.95),
                sort=lambda row: quantile(row.latencies, 0.95) or 0,
            ),
            Column(
                title="p99",
                width=6,
                right=True,
                need=90,
                paint=_quantile(0.99),
                sort=lambda row: quantile(row.latencies, 0.99) or 0,
            ),
            Column(title="calls, last hour", width=SPARK, need=134, adorns=True, paint=self._course_of),
            Column(title="expected", width=8, right=True, need=170, paint=self._expected),
            Column(title="now", width=4, right=True, paint=self._in_flight),
            Column(title="quality", width=7, right=True, need=180, paint=self._quality),
            Column(
                title="tokens in",
                width=9,
                right=True,
                need=200,
                paint=lambda row, _: (count_short(row.input_tokens), "plain"),
                sort=lambda row: row.input_tokens,
            ),
            Column(
                title="out",
                width=8,
                right=True,
                need=200,
                paint=lambda row, _: (count_short(row.output_tokens), "plain"),
                sort=lambda row: row.output_tokens,
            ),
            Column(title="why", width=14, weight=2, need=106, paint=_why),
            Column(
                title="cost, last hour",
                width=30,
                need=220,
                adorns=True,
                paint=lambda row, view: spark(even(row.minutes, view.now, 30)),
            ),
        )

    def key_of(self, row: ModelView) -> str:
        return f"{row.provider}/{row.model}"

    def words_of(self, row: ModelView) -> str:
        return f"{row.provider} {row.model} {row.breaker} {row.last_error}"

    def foot(self, row: ModelView, view: View, width: int) -> Sequence[Line]:
        charts = times_and_errors(self._course(row), view, width, chart_rows(self.app.size.height))
        known = (gauge_line(self.gauge(row)),) if row.model else ()
        return (*model_lines(row, view, width), *known, *charts)

    def _course(self, row: ModelView) -> MonitorCourseRow | None:
        name = f"{row.provider}/{row.model}" if row.model else row.provider
        return next((each for each in self._courses.rows if each.name == name), None)

    def _course_of(self, row: ModelView, _view: View) -> Span:
        course = self._course(row)
        return ("", "dim") if course is None else sparkline(course.calls, SPARK)

    def _expected(self, row: ModelView, _view: View) -> Span:
        gauge = self.gauge(row)
        return (NONE, "dim") if gauge is None or gauge.latency is None else (duration(gauge.latency), "plain")

    def _in_flight(self, row: ModelView, _view: View) -> Span:
        gauge = self.gauge(row)
        return (NONE, "dim") if gauge is None else (count(gauge.in_flight), "plain" if gauge.in_flight else "dim")

    def _quality(self, row: ModelView, _view: View) -> Span:
        gauge = self.gauge(row)
        return (NONE, "dim") if gauge is None else (f"{gauge.quality:.2f}", "plain")

    def open(self, row: ModelView) -> None:
        if not row.model:
            self.app.push_screen(ProvidersScreen(row.provider))
            return
        where = {"provider": row.provider, "model": row.model}
        title = f"{clean(row.provider, longest=40)} {clean(row.model, longest=60)}"
        self.app.push_screen(
            CallsScreen(where, "providers", title, model_lines(row, self.view, self.app.size.width)[1:])
        )


_WORST = ("closed", "half_open", "open")


def by_provider(models: Sequence[ModelView]) -> list[ModelView]:
    """The models of each provider as one, under no model's name; its breaker is the worst of theirs."""
    groups: dict[str, list[ModelView]] = {}
    for model in models:
        groups.setdefault(model.provider, []).append(model)
    return [_joined(provider, members) for provider, members in groups.items()]


def _joined(provider: str, members: Sequence[ModelView]) -> ModelView:
    worst = max(members, key=lambda each: _WORST.index(each.breaker) if each.breaker in _WORST else 0)
    failed = max(members, key=lambda each: each.last_error_at)
    shut = sum(each.breaker != "closed" for each in members)
    why = f"{shut} of {plural(len(members), 'model')}: {worst.model}: {worst.breaker_reason}" if shut else ""
    return ModelView(
        provider=provider,
        model="",
        today=sum(each.today for each in members),
        month=sum(each.month for each in members),
        calls=sum(each.calls for each in members),
        failed=sum(each.failed for each in members),
        unpriced=sum(each.unpriced for each in members),
        input_tokens=sum(each.input_tokens for each in members),
        output_tokens=sum(each.output_tokens for each in members),
        minutes=tuple(sorted(minute for each in members for minute in each.minutes)),
        latencies=tuple(latency for each in members for latency in each.latencies),
        outcomes=tuple(outcome for each in members for outcome in each.outcomes),
        breaker=worst.breaker,
        breaker_reason=why,
        breaker_since=worst.breaker_since,
        breaker_held_by=worst.breaker_held_by,
        retry_at=worst.retry_at,
        last_error=failed.last_error,
        last_error_at=failed.last_error_at,
    )


def model_lines(row: ModelView, view: View, width: int) -> list[Line]:
    """The breaker, the last error, and over how many calls the shares are reckoned."""
    glyph, tone, word = state(row.breaker)
    since = f" since {clock(row.breaker_since, view.zone)}" if row.breaker_since else ""
    name: Line = ((f"  {clean(row.provider)} {clean(row.model)}", "head"), (f"  {glyph} breaker {word}{since}", tone))
    lines: list[Line] = [BLANK, name]
    if row.breaker_reason:
        lines += [
            ((f"  {text}", "plain"),) for text in wrap(f"{clean(row.breaker_reason)}{_probe(row, view)}", width - 4)[:2]
        ]
    last = "none"
    if row.last_error:
        last = f"{clean(row.last_error.replace('_', ' '), longest=80)}, {age_rough(view.now - row.last_error_at)} ago"
    priced = f" · {row.unpriced:,} unpriced today" if row.unpriced else ""
    over = f"err, p50, p95 of the newest {len(row.outcomes)} calls"
    facts = f"last error {last} · {row.failed:,} failed today{priced} · {over}"
    return [*lines, *(((f"  {text}", "dim"),) for text in wrap(facts, width - 4)[:2])]


def gauge_line(gauge: GaugeRow | None) -> Line:
    """What is expected of a model. Always one line: it comes a moment after the rest, which must not jump."""
    if gauge is None:
        return (("  nothing is measured of it yet", "dim"),)
    expected = "not measured lately" if gauge.latency is None else f"{duration(gauge.latency)} expected"
    calls = f"{plural(gauge.in_flight, 'call')} under way"
    return ((f"  {expected} · {calls} · quality {gauge.quality:.2f} of 1", "dim"),)


def _probe(row: ModelView, view: View) -> str:
    if row.retry_at is None or row.breaker != "open":
        return ""
    return (
        f"; tries one call in {age(row.retry_at - view.now)}" if row.retry_at > view.now else "; about to try one call"
    )


def _state(row: ModelView, _view: View) -> Span:
    glyph, tone, word = state(row.breaker)
    return f"{glyph} {word}", tone


def _name(row: ModelView, _view: View) -> Span:
    return f"{clean(row.provider, longest=60)} {clean(row.model, longest=100)}".rstrip(), "plain"


def _why(row: ModelView, view: View) -> Span:
    """What the breaker's state comes from; of a closed one the last error, while it is young."""
    if row.breaker_held_by:
        return f"held by {clean(row.breaker_held_by, longest=40)}", "warn"
    if row.breaker_reason and row.breaker != "closed":
        return clean(f"{row.breaker_reason}{_probe(row, view)}", longest=160), state(row.breaker)[1]
    if row.last_error and view.now - row.last_error_at < HOUR:
        ago = age_rough(view.now - row.last_error_at)
        return f"last error {clean(row.last_error.replace('_', ' '), longest=60)}, {ago} ago", "dim"
    return "", "dim"


def _errors(row: ModelView, _view: View) -> Span:
    failed, tried = failing_share(row)
    return percent(failed, tried), failing_tone(failed, tried)


def _quantile(q: float) -> Callable[[ModelView, View], Span]:
    def paint(row: ModelView, _view: View) -> Span:
        found = quantile(row.latencies, q)
        return (NONE, "dim") if found is None else (duration(found), "plain")

    return paint
