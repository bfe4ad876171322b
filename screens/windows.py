"""The limits on calls of the models: every window with what is used of it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.surface.queries import ListLimits
from engine.surface.rows import LimitRow
from screens.drawing import BLANK, Line, Span, gauge, level
from screens.formatting import age, clean, clock_exact, count
from screens.listing import Listing, plain
from screens.view import View
from screens.widgets.table import Column

_WIDTHS = {"minute": 60, "hour": 3_600, "day": 86_400}
_LAYERS = {"user_at": "user at", "global": "all"}
_UP = 999_999_999  # nanoseconds; room is never promised earlier than it comes


class WindowsScreen(Listing[LimitRow]):
    """One row a window, the widest layers first and in each the fullest."""

    title_text = place = "limits"
    heading = "limits › calls of the models"
    empty = "no limit on calls is set, and no window is in use: see [limits] in config.toml"

    def question(self) -> ListLimits:
        return ListLimits()

    def columns(self) -> Sequence[Column[LimitRow]]:
        return (
            Column(
                title="layer",
                width=8,
                paint=plain(lambda row: _LAYERS.get(row.layer, row.layer)),
                sort=lambda row: row.layer,
            ),
            Column(title="of", width=14, weight=3, paint=plain(_whose), sort=_whose),
            Column(title="counts", width=8, paint=plain(lambda row: row.measure, "dim"), sort=lambda row: row.measure),
            Column(
                title="in any",
                width=6,
                paint=plain(lambda row: row.per, "dim"),
                sort=lambda row: _WIDTHS.get(row.per, 0),
            ),
            Column(title="used", width=11, right=True, paint=_used, sort=lambda row: row.used / row.allowed),
            Column(title="of at most", width=11, right=True, paint=_allowed, sort=lambda row: row.allowed),
            Column(title="", width=12, need=100, adorns=True, paint=lambda row, _: gauge(row.used, row.allowed, 12)),
            Column(title="frees in", width=8, right=True, need=80, paint=_frees, sort=lambda row: row.frees_at or 0),
        )

    def key_of(self, row: LimitRow) -> str:
        return f"{row.layer}:{row.key}:{row.measure}:{row.per}"

    def words_of(self, row: LimitRow) -> str:
        return f"{row.layer} {row.key} {row.measure} {row.per}"

    def foot(self, row: LimitRow, view: View, width: int) -> Sequence[Line]:
        title: Line = (
            (f"  {_whose(row)}", "head"),
            (f"  {count(row.used)} of {count(row.limit)} {row.measure} in the last {row.per}", "dim"),
        )
        lines = [BLANK, title]
        if row.allowed < row.limit:
            text = f"  the model throttled: {count(row.allowed)} at present, a little more each minute"
            lines.append(((text, "warn"),))
        if row.frees_at is not None and row.frees_at > view.now:
            text = f"  its oldest part frees at {clock_exact(row.frees_at, view.zone)}"
            lines.append(((text, "plain"),))
        return tuple(lines)


def _whose(row: LimitRow) -> str:
    if row.layer == "user_at":
        provider, _, user = row.key.partition("/")
        return clean(f"{user} at {provider}", longest=100)
    return clean(row.key, longest=100) or "everything"


def _used(row: LimitRow, _view: View) -> Span:
    tone = level(row.used, row.allowed)
    return count(row.used), "plain" if tone == "gauge" else tone


def _allowed(row: LimitRow, _view: View) -> Span:
    return count(row.allowed), "warn" if row.allowed < row.limit else "dim"


def _frees(row: LimitRow, view: View) -> Span:
    if row.frees_at is None or row.frees_at <= view.now:
        return "–", "dim"
    return age(row.frees_at - view.now + _UP), "plain"
