"""What a screen is given to paint: the newest snapshot, the link, and the time it is painted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.events import Recorded
from engine.kernel.values import SECOND, Instant
from engine.surface.snapshot import Snapshot
from screens.source import Link

_NEVER = Link(attached=False, up=False, since=Instant(0), now=Instant(0))
_STALE_AFTER = 2 * SECOND  # nanoseconds without a link before what is shown is called old


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One moment as the operator sees it. `now` is the engine's clock; frozen, it is the moment of freezing."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    link: Link = _NEVER
    now: int = 0
    recent: Sequence[Recorded] = ()
    frozen_for: int | None = None  # nanoseconds behind while frozen; None while live
    frozen_events: int = 0  # events held back
    slow: bool = False  # the terminal gets less than there is, and later

    @property
    def zone(self) -> ZoneInfo:
        return _zone(self.snapshot.engine.time_zone)

    @property
    def loaded(self) -> bool:
        """Has the engine ever shown itself?"""
        return bool(self.snapshot.epoch) or self.snapshot.seq > 0

    @property
    def stale_for(self) -> int | None:
        """How long the shown values have not been refreshed for want of a link; None while they are fresh."""
        if self.link.up or not self.loaded:
            return None
        lost = self.link.now - self.link.since
        return lost if lost >= _STALE_AFTER else 0
