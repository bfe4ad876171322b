"""Every provider's model: may it be called, how fast and how sure it is, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from engine.surface.queries import ListGauges
from engine.surface.rows import GaugeRow
from engine.surface.snapshot import ModelView, quantile
from screens.calls import CallsScreen
from screens.drawing import BLANK, Line, Span, even, spark, state
from screens.facts import failing_share, failing_tone
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
from screens.view import View
from screens.widgets.table import Column


class ProvidersScreen(Listing[ModelView]):
    """One row a model, the dearest first; below, why its breaker stands as it does and what is expected of it."""

    title_text = place = "providers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "routes", "routes and decisions"),
        Binding("t", "times", "times and errors"),
    ]
    empty = "no provider was called yet: the first call of a campaign or of the gateway shows here"

    def question(self) -> ListGauges:
        return ListGauges()

    def gauge(self, row: ModelView) -> GaugeRow | None:
        """What is measured of a model, as last read."""
        gauges: tuple[Any, ...] = self.read
        return next((each for each in gauges if (each.provider, each.model) == (row.provider, row.model)), None)

    def action_times(self) -> None:
        self.app.push_screen(MonitoringScreen())

    def action_routes(self) -> None:
        self.app.push_screen(RoutesScreen())

    def rows_of(self, view: View) -> Sequence[ModelView]:
        return sorted(view.snapshot.models.values(), key=lambda model: (-model.today, model.provider, model.model))

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
                need=130,
                paint=lambda row, view: (percent(row.today, view.snapshot.money.today), "dim"),
                sort=lambda row: row.today,
            ),
            Column(
                title="month",
                width=10,
                right=True,
                need=90,
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
            Column(title="expected", width=8, right=True, need=110, paint=self._expected),
            Column(title="now", width=4, right=True, paint=self._in_flight),
            Column(title="quality", width=7, right=True, need=120, paint=self._quality),
            Column(
                title="tokens in",
                width=9,
                right=True,
                need=160,
                paint=lambda row, _: (count_short(row.input_tokens), "plain"),
                sort=lambda row: row.input_tokens,
            ),
            Column(
                title="out",
                width=8,
                right=True,
                need=160,
                paint=lambda row, _: (count_short(row.output_tokens), "plain"),
                sort=lambda row: row.output_tokens,
            ),
            Column(
                title="cost, last hour",
                width=30,
                need=190,
                paint=lambda row, view: spark(even(row.minutes, view.now, 30)),
            ),
        )

    def key_of(self, row: ModelView) -> str:
        return f"{row.provider}/{row.model}"

    def words_of(self, row: ModelView) -> str:
        return f"{row.provider} {row.model} {row.breaker} {row.last_error}"

    def foot(self, row: ModelView, view: View, width: int) -> Sequence[Line]:
        return (*model_lines(row, view, width), gauge_line(self.gauge(row)))

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
        where = {"provider": row.provider, "model": row.model}
        title = f"{clean(row.provider, longest=40)} {clean(row.model, longest=60)}"
        self.app.push_screen(
            CallsScreen(where, "providers", title, model_lines(row, self.view, self.app.size.width)[1:])
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
    return f"{clean(row.provider, longest=60)} {clean(row.model, longest=100)}", "plain"


def _errors(row: ModelView, _view: View) -> Span:
    failed, tried = failing_share(row)
    return percent(failed, tried), failing_tone(failed, tried)


def _quantile(q: float) -> Callable[[ModelView, View], Span]:
    def paint(row: ModelView, _view: View) -> Span:
        found = quantile(row.latencies, q)
        return (NONE, "dim") if found is None else (duration(found), "plain")

    return paint
