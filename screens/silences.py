"""Silences: what keeps alerts from notifying anybody for a while, making one, and ending one early."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar
from zoneinfo import ZoneInfo

from textual.binding import Binding, BindingType

from engine.kernel.values import DAY, HOUR, MINUTE
from engine.surface.commands import EndSilence, SilenceAlerts
from engine.surface.queries import ListSilences
from engine.surface.rows import SilenceRow
from engine.surface.snapshot import AlertView, SilenceView, Snapshot
from screens.acting import Acting
from screens.drafting import starts_at
from screens.drawing import BLANK, Line, Span
from screens.formatting import age, clean, count, moment, plural
from screens.listing import Listing, plain
from screens.view import View
from screens.widgets.asking import Entry, Values
from screens.widgets.table import Column

LASTS = ("1 h", "4 h", "1 d", "until ")
_SPAN = re.compile(r"^(\d{1,3})\s*(m|min|h|d)$")
_UNITS = {"m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY}
_LONGEST = 30 * DAY
_SEVERITIES = ("info", "warning", "critical")
_NAMED = 3


def end_of(text: str, now: int, zone: ZoneInfo) -> int | str:
    """When a silence ends that lasts `1 h`, or `until 18:30`; or what would be right."""
    text = text.strip()
    found = _SPAN.match(text)
    if found:
        end: int | str | None = now + int(found[1]) * _UNITS[found[2]]
    else:
        end = starts_at(text.removeprefix("until").strip() or "?", now, zone)
    if not isinstance(end, int) or end <= now:
        return "1 h, 4 h, 1 d, or until 18:30, until tomorrow 09:00"
    return end if end - now <= _LONGEST else "30 days at most"


def make_silence(screen: Acting, rule: str = "", subject: str = "") -> None:
    """A small form; what it would match now stands below."""

    def check(values: Values) -> Mapping[str, str]:
        wrong = {}
        if not (values["rule"] or values["subject"] or values["severity"]):
            wrong["rule"] = "a rule, a subject or a severity: one of them at least"
        if values["severity"] and values["severity"] not in _SEVERITIES:
            wrong["severity"] = f"one of {', '.join(_SEVERITIES)}, or empty"
        if not values["reason"]:
            wrong["reason"] = "why, for whoever finds it"
        end = end_of(values["lasts"], screen.view.now, screen.view.zone)
        if isinstance(end, str):
            wrong["lasts"] = end
        return wrong

    async def preview(values: Values) -> str:
        return would_cover(screen.view.snapshot, values["rule"], values["subject"], values["severity"])

    alerts = screen.view.snapshot.alerts.values()
    screen.ask(
        "Silence alerts for a while. They open and show all the same, but notify nobody.",
        (
            Entry(name="rule", label="rule", value=rule, hint="any", known=_known(one.rule for one in alerts)),
            Entry(name="subject", label="about", value=subject, hint="anything; openai* for all that begin so"),
            Entry(name="severity", label="severity", hint="any", known=_SEVERITIES),
            Entry(name="lasts", label="for", value=LASTS[0], known=LASTS),
            Entry(name="reason", label="reason", hint="known, being worked on, …", loose=True),
        ),
        lambda values: SilenceAlerts(
            rule=values["rule"],
            subject=values["subject"],
            severity=values["severity"],
            ends_at=_end(values, screen.view),
            reason=values["reason"],
            actor=screen.actor,
        ),
        check=check,
        preview=preview,
        go="silence them",
    )


def _end(values: Values, view: View) -> int:
    found = end_of(values["lasts"], view.now, view.zone)
    return found if isinstance(found, int) else view.now


def _known(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({clean(str(word), longest=60) for word in words}))


def would_cover(snapshot: Snapshot, rule: str, subject: str, severity: str) -> str:
    """Which open alerts a silence would match now."""
    silence = SilenceView(
        silence_id="", rule=rule, subject=subject, severity=severity, reason="", actor="", created_at=0, ends_at=0
    )
    found = [one for one in snapshot.alerts.values() if silence.covers(one.rule, one.subject, one.severity)]
    if not found:
        return "It would match no alert that is open now."
    return f"It would match {plural(len(found), 'open alert')} now: {'; '.join(map(_short, found[:_NAMED]))}"


def _short(alert: AlertView) -> str:
    return clean(alert.summary, longest=90)


class SilencesScreen(Listing[SilenceRow], Acting):
    """Those that last, the next to end first; `v` shows also those that ended."""

    title_text = place = "alerts"
    first_keys = ("new silence", "end it", "all", "live ones")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "make", "new silence"),
        Binding("x", "end", "end it"),
        Binding("v", "view", "all"),
        Binding("v", "view_live", "live ones"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._all = False

    @property
    def heading(self) -> str:
        return f"alerts › silences{', all' if self._all else ''}"

    @property
    def empty(self) -> str:  # type: ignore[override]
        if self._all:
            return "no silence yet; n makes one"
        return "nothing is silenced; n makes a silence, v shows past ones"

    def question(self) -> ListSilences:
        return ListSilences(all=self._all)

    def columns(self) -> Sequence[Column[SilenceRow]]:
        return (
            Column(title="lasts", width=12, paint=self._lasts, sort=lambda row: row.ends_at),
            Column(title="rule", width=14, weight=1, paint=_pattern("rule"), sort=lambda row: row.rule),
            Column(title="about", width=14, weight=1, paint=_pattern("subject"), sort=lambda row: row.subject),
            Column(title="severity", width=9, paint=_pattern("severity"), sort=lambda row: row.severity),
            Column(title="matches", width=7, right=True, paint=lambda row, _: (count(row.matched), "plain")),
            Column(title="by", width=10, paint=plain(lambda row: row.actor, "dim"), sort=lambda row: row.actor),
            Column(title="why", width=14, weight=2, need=100, paint=plain(lambda row: row.reason)),
        )

    def key_of(self, row: SilenceRow) -> str:
        return row.silence_id

    def words_of(self, row: SilenceRow) -> str:
        return f"{row.rule} {row.subject} {row.severity} {row.reason} {row.actor}"

    def foot(self, row: SilenceRow, view: View, width: int) -> Sequence[Line]:
        made = f"made {moment(row.created_at, view.now, view.zone)} by {clean(row.actor, longest=40)}"
        ends = f"ends {moment(row.ends_at, view.now, view.zone)}"
        if row.ended_at is not None:
            ends = f"ended early {moment(row.ended_at, view.now, view.zone)}"
        return BLANK, ((f"  {made}, {ends}", "dim"),), ((f"  {clean(row.reason, longest=300)}", "plain"),)

    def _live(self, row: SilenceRow) -> bool:
        return row.ended_at is None and row.ends_at > self.view.now

    def _lasts(self, row: SilenceRow, view: View) -> Span:
        return (f"◌ {age(row.ends_at - view.now)}", "plain") if self._live(row) else ("over", "dim")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "make":
            return self.may_act
        if action == "end":
            row = self.row if self.is_mounted else None
            return row is not None and self._live(row) and self.may_act
        if action in ("view", "view_live"):
            return (action == "view_live") is self._all
        return super().check_action(action, parameters)

    def action_make(self) -> None:
        make_silence(self)

    def action_end(self) -> None:
        if self.row is not None:
            self.act(EndSilence(silence_id=self.row.silence_id, actor=self.actor))

    def action_view(self) -> None:
        self._all = not self._all
        self.start_over()

    action_view_live = action_view


def _pattern(name: str) -> Callable[[SilenceRow, View], Span]:
    def paint(row: SilenceRow, _view: View) -> Span:
        value: str = getattr(row, name)
        return (clean(value, longest=80), "plain") if value else ("any", "dim")

    return paint
