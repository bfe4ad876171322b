"""A screen that answers a key at once: what the key changed does not wait for Textual's next turn of repainting.

Textual collects changes and paints them at its next turn, which is right for what comes by itself and slow for a hand.
"""

from __future__ import annotations

from typing import Any, cast

from textual import events
from textual.screen import Screen


class Prompt:
    """Stands beside `Screen` among a screen's bases."""

    async def _on_idle(self, event: events.Idle) -> None:
        """Before Textual's own, which then finds nothing left to paint."""
        screen = cast("Screen[Any]", self)
        if getattr(screen.app, "answering", False) and screen.is_current:
            screen._on_timer_update()
