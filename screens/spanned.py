"""A listing over a span of time that one turns longer and shorter while the cursor stays on its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual.binding import Binding, BindingType

from screens.formatting import clock_exact
from screens.listing import Listing
from screens.spans import Stretch, turned
from screens.view import View

if TYPE_CHECKING:
    from engine.surface.queries import Page

R = TypeVar("R")


class Spanned(Listing[R]):
    """Fill in `stretches` and set `stretch`; `anew` is called when another was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "time(1)", "longer"),
        Binding("T", "time(-1)", "shorter"),
    ]
    stretches: ClassVar[tuple[Stretch, ...]] = ()

    def __init__(self, stretch: Stretch) -> None:
        super().__init__()
        self.stretch = stretch
        self.since = 0  # from when on is known what was read, where that is later than the span's start
        self._sought = ""

    def over(self, view: View) -> str:
        """`today`; of a recording that does not reach back so far `recorded since 14:00:12`."""
        if self.since:
            return f"recorded since {clock_exact(self.since, view.zone)}"
        return self.stretch.words(view)

    def anew(self) -> None:
        """Ask for everything that depends on the span."""
        self.start_over()

    async def _ask(self, **how: Any) -> Page[R] | None:
        page = await super()._ask(**how)
        self.since = page.since if page is not None else self.since
        return page

    def paint(self, view: View) -> None:
        super().paint(view)
        if self._sought and (self.done or self.question() is None):
            sought, self._sought = self._sought, ""
            self.table.seek(sought)

    def action_time(self, by: int) -> None:
        row = self.row
        self._sought = self.key_of(row) if row is not None else self._sought
        self.stretch = turned(self.stretches, self.stretch, by)
        self.anew()
