"""Alerts: what is open now, and what was in the last 90 days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.surface.commands import AcknowledgeAlert
from engine.surface.queries import ListAlerts
from engine.surface.rows import AlertRow
from screens.acting import Acting
from screens.drawing import BLANK, Line, Span, state
from screens.facts import severity_rank
from screens.formatting import NONE, age, clean, clean_lines, count, moment, plural
from screens.listing import Listing, plain
from screens.silences import SilencesScreen, make_silence
from screens.view import View
from screens.widgets.table import Column


class AlertsScreen(Listing[AlertRow], Acting):
    """Open alerts, the worst first; `v` turns to the history."""

    title_text = place = "alerts"
    first_keys = ("acknowledge", "silence", "silences", "history", "open ones")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "acknowledge"),
        Binding("s", "silence", "silence"),
        Binding("i", "silences", "silences"),
        Binding("v", "view", "history"),
        Binding("v", "view_open", "open ones"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._history = False

    @property
    def heading(self) -> str:
        return "alerts › history, 90 days" if self._history else "alerts › open"

    @property
    def empty(self) -> str:  # type: ignore[override]
        return "no alert in 90 days" if self._history else "no alert is open; v shows the history"

    def question(self) -> ListAlerts:
        return ListAlerts(open_only=not self._history)

    def rows_of(self, view: View) -> Sequence[AlertRow]:
        if self._history:
            return self.read
        return sorted(self.read, key=lambda row: (severity_rank(row.severity), -row.opened_at))

    def columns(self) -> Sequence[Column[AlertRow]]:
        return (
            Column(title="severity", width=10, paint=_severity, sort=lambda row: severity_rank(row.severity)),
            Column(title="what", width=24, weight=4, paint=_summary, sort=lambda row: row.summary),
            Column(
                title="rule",
                width=12,
                weight=1,
                need=110,
                paint=plain(lambda row: row.rule, "dim"),
                sort=lambda row: row.rule,
            ),
            Column(
                title="opened",
                width=15,
                right=True,
                need=100,
                paint=lambda row, view: (moment(row.opened_at, view.now, view.zone), "plain"),
                sort=lambda row: row.opened_at,
            ),
            Column(
                title="open",
                width=6,
                right=True,
                paint=_for,
                sort=lambda row: (row.resolved_at or self.view.now) - row.opened_at,
            ),
            Column(
                title="notices",
                width=7,
                right=True,
                need=100,
                paint=lambda row, _: (count(row.notices), "warn" if row.last_notice_error else "dim"),
                sort=lambda row: row.notices,
            ),
            Column(
                title="seen by",
                width=10,
                paint=lambda row, _: (clean(row.acknowledged_by, longest=40) or NONE, "dim"),
                sort=lambda row: row.acknowledged_by,
            ),
        )

    def key_of(self, row: AlertRow) -> str:
        return row.alert_id

    def words_of(self, row: AlertRow) -> str:
        return f"{row.severity} {row.summary} {row.rule} {row.subject} {row.acknowledged_by}"

    def foot(self, row: AlertRow, view: View, width: int) -> Sequence[Line]:
        quiet = f" · silenced until {moment(row.silenced_until, view.now, view.zone)}" if _quiet(row, view) else ""
        closed = f" · resolved {moment(row.resolved_at, view.now, view.zone)}" if row.resolved_at is not None else ""
        about = f"{clean(row.rule, longest=60)} about {clean(row.subject, longest=80) or 'the whole'}"
        seen = f" · seen by {clean(row.acknowledged_by, longest=40)}" if row.acknowledged_by else ""
        lines: list[Line] = [
            BLANK,
            ((f"  {about}", "head"), (f"{closed}{seen}{quiet} · {plural(row.notices, 'notice')} sent", "dim")),
        ]
        lines += [((f"  {text}", "plain"),) for text in clean_lines(row.summary, width - 4)[:3]]
        if row.last_notice_error:
            lines.append(((f"  the last notice failed: {clean(row.last_notice_error, longest=200)}", "warn"),))
        return lines

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "acknowledge":
            row = self.row if self.is_mounted else None
            return row is not None and row.resolved_at is None and not row.acknowledged_by and self.may_act
        if action == "silence":
            return self.may_act
        if action in ("view", "view_open"):
            return (action == "view_open") is self._history
        return super().check_action(action, parameters)

    def action_acknowledge(self) -> None:
        if self.row is not None:
            self.act(AcknowledgeAlert(alert_id=self.row.alert_id, actor=self.actor))

    def action_silence(self) -> None:
        """The alert under the cursor and its like; without one the form is empty."""
        row = self.row
        make_silence(self, *((row.rule, row.subject) if row is not None else ()))

    def action_silences(self) -> None:
        self.app.push_screen(SilencesScreen())

    def action_view(self) -> None:
        self._history = not self._history
        self.start_over()

    action_view_open = action_view


def _quiet(row: AlertRow, view: View) -> bool:
    """Whether a silence covers it now."""
    return row.silenced_until is not None and row.silenced_until > view.now


def _severity(row: AlertRow, view: View) -> Span:
    glyph, tone, word = state(row.severity)
    if row.resolved_at is None and _quiet(row, view):
        return f"◌ {word}", "dim"
    return f"{glyph} {word}", tone if row.resolved_at is None else "dim"


def _summary(row: AlertRow, _view: View) -> Span:
    return clean(row.summary, longest=300), "dim" if row.acknowledged_by or row.resolved_at is not None else "plain"


def _for(row: AlertRow, view: View) -> Span:
    return age((view.now if row.resolved_at is None else row.resolved_at) - row.opened_at), "plain"
