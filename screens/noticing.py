"""The console says things in passing. How long they stand and where: see widgets/notices.py."""

from __future__ import annotations

import time
from typing import Any

from textual import events
from textual.geometry import Region
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widget import Widget

from screens.drawing import width_of
from screens.formatting import clean
from screens.place import Console, Place
from screens.widgets.keybar import KeyBar
from screens.widgets.notices import Notice, Notices, notice_lines, said, spot, standing_at
from screens.widgets.replaybar import ReplayBar
from screens.widgets.table import Table

_LONGEST = 400  # letters of a notice
_PART = 6  # of a screen's rows that notices take at most: one in so many


class NoticingConsole(Console):
    """A console that says things. `notices` are those that stand, the newest last."""

    notices: tuple[Notice, ...] = ()
    _going: Timer | None = None  # until the next of them may go

    def tell(self, text: str, *, severity: str = "information") -> None:
        level = severity if severity in ("warning", "error") else "information"
        self.notices = said(self.notices, clean(text, longest=_LONGEST), level, time.monotonic())
        self.call_later(self._show_notices)

    def notify(self, message: str, *, severity: str = "information", **_: Any) -> None:
        """Textual's own words, too."""
        self.tell(message, severity=severity)

    def clear_notifications(self) -> None:
        self.notices = ()
        self.call_later(self._show_notices)

    def _refresh_notifications(self) -> None:
        """Textual asks for this when a screen comes to the front."""
        self.call_after_refresh(self._show_notices)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Resize) and self.notices:
            pressed = isinstance(event, events.Key)
            self.notices = standing_at(self.notices, time.monotonic(), pressed=pressed)
            self.call_after_refresh(self._show_notices)  # where it acts may be elsewhere now
        await super().on_event(event)

    async def _show_notices(self) -> None:
        """Over the screen in sight, and over no other."""
        if not self.screen_stack:
            return
        now, shown = time.monotonic(), self.screen
        self.notices = standing_at(self.notices, now)
        for screen in self.screen_stack:
            if screen is not shown or not self.notices:
                await screen.query_children(Notices).remove()
        if not self.notices:
            return
        board = next(iter(shown.query_children(Notices)), None)
        if board is None:
            board = Notices()
            await shown.mount(board)
        size = shown.size.region
        lines = notice_lines(self.notices, size.width, max(1, size.height // _PART))
        place = spot(size, _acted_on(shown), self._rows_of_keys(), width_of(lines[0]), len(lines))
        board.show(notice_lines(self.notices, size.width, place.height), place)
        self._wait(now)

    def _wait(self, now: float) -> None:
        if self._going is not None:
            self._going.stop()
        later = [one.until - now for one in self.notices if one.until > now]
        self._going = self.set_timer(min(later), self._show_notices) if later else None

    def _rows_of_keys(self) -> int:
        """What stands at the bottom of the place in sight, also under a question."""
        place = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Place)), None)
        bars = () if place is None else (place.query_one(KeyBar), place.query_one(ReplayBar))
        return sum(bar.size.height for bar in bars if bar.display)


def _acted_on(screen: Screen[Any]) -> Region:
    """A question whole; of a place the row with the cursor, or the field with the focus."""
    if isinstance(screen, ModalScreen):
        parts = [part.region for part in screen.children if not isinstance(part, Notices) and part.region.area]
        return Region.from_union(parts) if parts else Region()
    focused = screen.focused
    if isinstance(focused, Table):
        row = 1 + focused.cursor - round(focused.scroll_y)
        return Region(focused.region.x, focused.region.y + row, focused.region.width, 1)
    return focused.region if isinstance(focused, Widget) else Region()
