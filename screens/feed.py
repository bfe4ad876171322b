"""One timer between the engine and the eye: takes the newest snapshot, and paints the visible screen if it changed.

However many events come, a screen is painted at most four times a second, and more seldom where that is dear: see
`screens.pacing`. While nothing shown changes nothing is painted, so nothing is written to the terminal.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.events import Recorded
from engine.kernel.values import MINUTE, SECOND
from screens.pacing import FULL, LOW, Pacer
from screens.source import Link, Source
from screens.view import View

_BUSY = FULL.least  # seconds between looks while things change: four paintings a second
_IDLE = 0.5  # seconds between looks once they have not for a while
_SOONEST = 0.02  # seconds between two looks at least
_CALM_LOOKS = 8  # unchanged looks before slowing down
_KEPT = 200  # events shown at most

Show = Callable[[View], None]


class Feed:
    """Holds what is shown. `show` paints the visible screen; `tick` says in how many seconds to look again."""

    def __init__(self, source: Source, show: Show, pacer: Pacer | None = None) -> None:
        self._source, self._show, self._pacer = source, show, pacer
        self.view = View()
        self._key: tuple[object, ...] = ()
        self._calm = 0
        self._frozen: View | None = None

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def tick(self) -> float:
        """Look once."""
        view = self._look()
        key = _key(view)
        if key == self._key:
            self._calm += 1
            return _IDLE if self._calm > _CALM_LOOKS else _BUSY
        if self._pacer is not None and not self._is_urgent(view):
            owed = self._pacer.wait()
            if owed > _SOONEST:
                return min(owed, _BUSY)  # no longer: the link may be lost meanwhile
        self._key, self._calm = key, 0
        self.view = view
        if self._pacer is not None:
            self._pacer.painted()
        self._show(view)
        return _BUSY

    def _is_urgent(self, view: View) -> bool:
        """What the operator must see at once, whatever it costs: the link lost or found, frozen or not."""
        shown = self.view
        return (shown.link.up, shown.frozen_for is None, shown.loaded) != (
            view.link.up, view.frozen_for is None, view.loaded,
        )  # fmt: skip

    def now(self) -> View:
        """Look without painting, for a screen that opens."""
        self.view = self._look()
        self._key = _key(self.view)
        return self.view

    def freeze(self) -> bool:
        """Hold what is shown, or let it go on. The engine does not notice. True when it is frozen now."""
        self._frozen = None if self._frozen else self._look()
        self._key = ()
        return self.frozen

    def turn_to(self, source: Source) -> None:
        """Show another source from now on."""
        self._source, self._frozen, self.view, self._key = source, None, View(), ()

    def touch(self) -> None:
        """Paint once more: something shown changed that no source tells of."""
        self._key = ()
        self.tick()

    def _look(self) -> View:
        link, snapshot = self._source.link(), self._source.snapshot()
        if self._frozen is not None:
            held = self._frozen
            return View(
                snapshot=held.snapshot,
                link=link,
                now=held.now,
                recent=held.recent,
                frozen_for=link.now - held.now,
                frozen_events=max(0, snapshot.seq - held.snapshot.seq),
            )
        slow = self._pacer is not None and self._pacer.rate == LOW
        return View(snapshot=snapshot, link=link, now=link.now, recent=self._recent(snapshot.seq), slow=slow)

    def _recent(self, seq: int) -> tuple[Recorded, ...]:
        if self.view.snapshot.seq == seq and self.view.recent:
            return tuple(self.view.recent)
        return tuple(self._source.recent(max(0, seq - _KEPT)))[-_KEPT:]


def _key(view: View) -> tuple[object, ...]:
    """What a painting depends on: equal keys look the same. Time counts in seconds only while something runs in it."""
    link = view.link
    grain = SECOND if _moving(view) else MINUTE
    behind = None if view.frozen_for is None else view.frozen_for // (SECOND if view.frozen_for < MINUTE else MINUTE)
    return (
        id(view.snapshot),
        view.now // grain,
        link.up,
        link.note,
        link.read_only,
        _lost(view, link),
        behind,
        view.slow,
        link.replay,
    )


def _lost(view: View, link: Link) -> int | None:
    stale = view.stale_for
    if stale is None:
        return None
    return stale // (SECOND if stale < MINUTE else MINUTE)


def _moving(view: View) -> bool:
    """Does a second change what is shown: a slot on its way back, a young age, a breaker about to probe?"""
    if view.frozen_for is not None:
        return False
    now, snapshot = view.now, view.snapshot
    return (
        any(until > now for account in snapshot.accounts.values() for until in account.slots.values())
        or any(now - queue.oldest_at < MINUTE for queue in snapshot.queues.values() if queue.oldest_at is not None)
        or any(now - alert.opened_at < MINUTE for alert in snapshot.alerts.values())
        or any(model.retry_at is not None and 0 < model.retry_at - now < MINUTE for model in snapshot.models.values())
    )
