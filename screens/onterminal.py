"""What the console does about the terminal it is on: themes, fewer colours, ASCII, slow links, copying, suspending."""

from __future__ import annotations

import re
import time
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.filter import ANSIToTruecolor

from screens import theme as themes
from screens.clipboard import LONGEST, copied, sequence
from screens.formatting import clean
from screens.glyphs import AsciiOnly, Visible
from screens.lasting import lasting
from screens.pacing import FREE, FULL, LOW, Meter, Pacer, SlowLink
from screens.place import Console
from screens.shades import Shades
from screens.source import ConsoleOptions
from screens.widgets.table import Table

_COLUMNS = re.compile(" {2,}")
_SHOWN = 60  # characters of a copied text in its notice


class TerminalConsole(Console):
    """A console that knows its terminal. `meter` counts what it writes, `pacer` says when it may paint."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy_id", "copy", show=False),
        Binding("Y", "copy_row", "copy the row", show=False),
        Binding("B", "low_bandwidth", "low bandwidth", show=False),
        Binding("ctrl+t", "next_theme", "next theme", show=False),
        Binding("ctrl+z", "suspend", "suspend", show=False),
    ]

    def __init__(self, options: ConsoleOptions) -> None:
        self.meter = Meter(time.monotonic)
        super().__init__()
        self.options = options
        self.pacer = Pacer(time.monotonic, time.thread_time, self.meter)
        self._slow_link = SlowLink(time.monotonic, self.meter)
        self._low = options.low_bandwidth  # None: by the link
        self.animation_level = "none"
        for name in themes.NAMES:
            self.register_theme(themes.theme(name))
        self.theme = f"huntaze-{options.theme if options.theme in themes.NAMES else 'dark'}"
        self._apply_terminal()

    @property
    def answering(self) -> bool:
        """Whether what changes now answers a key; see prompt.py."""
        return self.pacer.answering

    def delay_update(self, delay: float = 0.0) -> None:
        """Textual holds painting for 50 ms when the place changes, to mask the change. Ours paint whole, at once."""

    def get_driver_class(self) -> type[Driver]:
        return lasting(super().get_driver_class())

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.pacer.acted()
        await super().on_event(event)

    # ── what every line goes through ────────────────────────────────────────────────────────────────────────────────

    def _apply_terminal(self) -> None:
        """New filters, as Textual keeps what an old one made."""
        terminal = self.options.terminal
        depth = "256" if self.slow and terminal.depth == "true" else terminal.depth
        kept = [one for one in self._filters if isinstance(one, ANSIToTruecolor)]
        self._filters = [*kept, Visible(), Shades(depth, self.theme.removeprefix("huntaze-"))]
        if not terminal.unicode:
            self._filters.append(AsciiOnly())
        self.pacer.rate = FREE if self.is_headless else LOW if self.slow else FULL
        if self.is_running:
            self._paint_all()

    def _paint_all(self) -> None:
        """Every line again: what was made of them, or what stands on the terminal, is no longer right."""
        for screen in self.screen_stack:
            for widget in (screen, *screen.walk_children()):
                widget.refresh()
        self.refresh(layout=True)

    def action_next_theme(self) -> None:
        at = themes.NAMES.index(self.theme.removeprefix("huntaze-"))
        self.theme = f"huntaze-{themes.NAMES[(at + 1) % len(themes.NAMES)]}"
        self._apply_terminal()

    # ── slow links ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def slow(self) -> bool:
        """Is as little as possible written to the terminal?"""
        return self._slow_link.slow if self._low is None else self._low

    def look_at_link(self) -> None:
        """Called now and then: a link that turned slow, or fast again, changes what is sent over it."""
        if self.is_headless:
            self.pacer.rate = FREE
        if not self._slow_link.look() or self._low is not None:
            return
        self._apply_terminal()
        self.tell(
            "The link to your terminal is slow: less is sent over it, and later. B sends all of it"
            if self.slow
            else "The link to your terminal is fast again"
        )

    def action_low_bandwidth(self) -> None:
        self._low = not self.slow
        self._apply_terminal()
        self.tell("Low bandwidth: painted once a second at most" if self._low else "Full bandwidth")

    # ── copying ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def action_copy_id(self) -> None:
        self._copy(whole=False)

    def action_copy_row(self) -> None:
        self._copy(whole=True)

    def _copy(self, *, whole: bool) -> None:
        table = self.focused if isinstance(self.focused, Table) else next(iter(self.screen.query(Table)), None)
        text = "" if table is None else copied(_row_text(table) if whole else _row_key(table))
        if not text:
            self.tell("There is no row here to copy")
        else:
            self.copy_to_clipboard(text)

    def copy_to_clipboard(self, text: str) -> None:
        """Also where one of Textual's own widgets copies."""
        if not self.options.clipboard:
            self.tell("Copying is turned off: [console] clipboard in config.toml", severity="warning")
            return
        text = copied(text)
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(sequence(text, self.options.terminal.within))
        size = f", cut at {LONGEST:,} characters" if len(text) > LONGEST else ""
        self.tell(f"Copied {clean(text, longest=_SHOWN)}{size}")

    # ── suspending ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def may_suspend(self) -> bool:
        """Not with an engine in this process: it would stop as well, in the middle of whatever it does."""
        return not self.options.drains

    def action_suspend(self) -> None:
        if self.may_suspend:
            self.action_suspend_process()
        else:
            self.refuse_suspending()

    def went_on(self) -> None:
        self.call_later(self._paint_all)

    def refuse_suspending(self) -> None:
        self.tell(
            "Not suspended: the engine runs in this console and would stop with it. Open another terminal; or leave,"
            " start `huntaze daemon`, and every console attaches to it and may be suspended",
            severity="warning",
        )


def _row_key(table: Table[Any]) -> str:
    """What the chosen row is known by: an id, where it has one."""
    return "" if table.row is None else table._key(table.row)


def _row_text(table: Table[Any]) -> str:
    """The chosen row as it is shown, its columns two blanks apart."""
    if table.row is None:
        return ""
    line = table._line(table.cursor - round(table.scroll_y) + 1, table.size.width)
    return _COLUMNS.sub("  ", "".join(text for text, _ in line).lstrip("▌ "))
