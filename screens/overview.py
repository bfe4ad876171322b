"""The overview: what is spent, what is wrong, what waits and what runs, on one screen of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from screens.drawing import BLANK, Line, beside, cut
from screens.panels import (
    CHART_FROM,
    COURSE_ROWS,
    alerts,
    campaigns,
    courses,
    is_live,
    latest,
    providers,
    queue,
    spend,
    sync,
    tokens,
)
from screens.place import Place, waiting_lines
from screens.view import View
from screens.widgets.board import Board

_WIDE = 104  # columns from which two stand side by side
_WIDEST = 160  # columns from which the newest events get a third
_LATEST_FROM = 3  # spare rows from which they stand below instead
_TALL = 34  # rows from which the last hour is drawn with axes
_MOST_TOP = 24  # rows of the two uppermost panels at most
_SMALL = (60, 16)  # below this one panel at a time

PANELS: Sequence[tuple[str, Callable[[View, int, int], list[Line]]]] = (
    ("spend", spend), ("alerts", alerts), ("providers", providers),
    ("queue", queue), ("tokens", tokens), ("campaigns", campaigns),
)  # fmt: skip


def overview_lines(view: View, width: int, height: int, panel: int = 0) -> list[Line]:
    """The overview for a size: one panel, one column, two, or three."""
    if not view.loaded:
        return [BLANK, *waiting_lines(view, "Overview")]
    if width < _SMALL[0] or height < _SMALL[1] - 2:
        return PANELS[panel % len(PANELS)][1](view, width, height)[:height]
    lines = _one_column(view, width, height) if width < _WIDE else _columns(view, width, height)
    return [cut(line, width) for line in lines]


def _columns(view: View, width: int, height: int) -> list[Line]:
    third = min(70, width - 2 * 58 - 4) if width >= _WIDEST else 0
    both = width - (third + 2 if third else 0)
    left = (both - 2) * 55 // 100
    if third:
        lines = beside(_left(view, left, height, whole=True), _whole_right(view, both - 2 - left, height), left, 2)
        return beside(lines, latest(view, third, height), both, 2)
    lines = beside(_left(view, left, height), _right(view, both - 2 - left, height), left, 2)
    return _with_latest(lines, view, width, height)


def _one_column(view: View, width: int, height: int) -> list[Line]:
    """Spend and queues whole; alerts, accounts, providers and campaigns share what is left by need. What nobody needs
    is half the chart's, half the newest events'."""
    found = view.snapshot
    queues = 1 + max(1, len(found.queues))
    live = sum(map(is_live, found.campaigns.values()))
    wanted = [
        (1 + max(1, min(3, number)), 1 + number + more)
        for number, more in (
            (len(found.alerts), 0), (len(found.models), 0), (len(found.accounts), 0), (len(found.campaigns), live)
        )
    ]  # fmt: skip
    top = min(_MOST_TOP, 4 + (height - 4 - queues - sum(most for _, most in wanted)) // 2)
    if top < CHART_FROM or not found.money.minutes:
        top = 4
    a, p, t, c = share(height - top - queues, wanted)
    lines = [
        *spend(view, width, top), *alerts(view, width, a), *providers(view, width, p),
        *queue(view, width, queues), *tokens(view, width, t), *campaigns(view, width, c),
    ][:height]  # fmt: skip
    return _with_latest(lines, view, width, height)


def _with_latest(lines: list[Line], view: View, width: int, height: int) -> list[Line]:
    spare = height - len(lines) - 1
    return [*lines, BLANK, *latest(view, width, spare)] if spare > _LATEST_FROM else lines


def _top(view: View, height: int) -> int:
    """Rows of the two uppermost panels, which end together: what the ones below leave, within reason."""
    if height < _TALL:
        return 4
    found = view.snapshot
    below = max(2 + len(found.models) + len(found.campaigns), 3 + len(found.queues) + len(found.accounts)) + 4
    return max(CHART_FROM, min(_MOST_TOP, height - below, height * 2 // 5))


def _left(view: View, width: int, height: int, *, whole: bool = False) -> list[Line]:
    """`whole`: nothing comes below, so campaigns tell all of theirs and the chart takes what is left, within reason."""
    found = view.snapshot
    high = 1 + max(1, len(found.campaigns)) + (sum(map(is_live, found.campaigns.values())) if whole else 0)
    top = _top(view, height)
    if whole and top >= CHART_FROM and found.money.minutes:
        top = max(top, min(height * 2 // 3, height - high - max(1, len(found.models)) - 3))
    models, live = share(height - top - 2, [(4, 1 + max(1, len(found.models))), (4, high)])
    return [*spend(view, width, top), BLANK, *providers(view, width, models), BLANK, *campaigns(view, width, live)]


def _right(view: View, width: int, height: int) -> list[Line]:
    found = view.snapshot
    tail = sync(view, width)
    queues = 1 + max(1, len(found.queues))
    floor = _top(view, height)
    room = height - queues - len(tail) - 2
    shown, accounts = share(room, [(floor, max(floor, 1 + len(found.alerts))), (4, 1 + max(1, len(found.accounts)))])
    top = alerts(view, width, shown)
    top += [BLANK] * (min(floor, shown) - len(top))
    return [*top, BLANK, *queue(view, width, queues), BLANK, *tokens(view, width, accounts), *tail]


def _whole_right(view: View, width: int, height: int) -> list[Line]:
    """As the right column, and below it the last hour of each model where that finds room."""
    found = view.snapshot
    models = 1 + sum(bool(model.minutes) for model in found.models.values())
    queues, tail = 1 + max(1, len(found.queues)), sync(view, width)
    floor, accounts = max(CHART_FROM, height // 5), 1 + max(1, len(found.accounts))
    room = height - queues - len(tail) - 3
    if models == 1 or room < floor + accounts + models:
        return _right(view, width, height)
    shown, accounts, drawn = share(
        room,
        [
            (floor, max(floor, 1 + 2 * len(found.alerts))),
            (accounts, accounts),
            (models, 1 + COURSE_ROWS * (models - 1)),
        ],
    )
    top = alerts(view, width, shown)
    top += [BLANK] * (floor - len(top))
    rest = [BLANK, *queue(view, width, queues), BLANK, *tokens(view, width, accounts), *tail]
    return [*top, *rest, BLANK, *courses(view, width, drawn)]


def share(room: int, wanted: Sequence[tuple[int, int]]) -> list[int]:
    """Rows for each of several blocks of (least, most): the least first, then one at a time to whoever wants more."""
    given = [least for least, _ in wanted]
    while sum(given) > room and max(given) > 2:
        given[given.index(max(given))] -= 1
    while sum(given) < room:
        hungry = [at for at, (_, most) in enumerate(wanted) if given[at] < most]
        if not hungry:
            break
        given[min(hungry, key=lambda at: given[at])] += 1
    return given


class OverviewScreen(Place):
    """Paints the panels for the size at hand."""

    title_text = place = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "panel", "next panel")]

    def __init__(self) -> None:
        super().__init__()
        self._panel = 0

    def body(self) -> ComposeResult:
        yield Board(id="panels", classes="still")

    def paint(self, view: View) -> None:
        self.query_one("#panels", Board).paint(lambda width, height: overview_lines(view, width, height, self._panel))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "panel":
            size = self.app.size
            return size.width < _SMALL[0] or size.height < _SMALL[1]
        return super().check_action(action, parameters)

    def action_panel(self) -> None:
        self._panel += 1
        self.paint(self.view)


__all__ = ["OverviewScreen", "overview_lines"]
