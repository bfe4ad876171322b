"""Holds the newest snapshot: folds every committed event into it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.events import Recorded
from engine.surface import Snapshot, fold


class Projector:
    """The engine's own copy of what its faces see. `snapshot` may be read from any thread: it is replaced whole."""

    def __init__(self, first: Snapshot) -> None:
        self.snapshot = first

    def observe(self, recorded: Sequence[Recorded]) -> None:
        self.snapshot = fold(self.snapshot, recorded)
