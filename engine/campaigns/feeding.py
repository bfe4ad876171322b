"""Lets campaigns go on that a budget stopped, once that budget begins anew or is changed.

A campaign's own total is left to a person. One that still finds no room stops again, and nothing was spent on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence, Set

from engine.campaigns import store
from engine.campaigns.campaign import Campaign, CampaignState, resumed
from engine.events import BudgetChanged, Recorded
from engine.kernel.clock import Clock
from engine.storage import Database, Tx

_STARVED = "SELECT * FROM campaigns WHERE starved_by <> ''"


class Feeding:
    """`go_on` sets a campaign going again, in the transaction that moved it."""

    def __init__(self, database: Database, clock: Clock, go_on: Callable[[Tx, Campaign, int], None]) -> None:
        self._database = database
        self._clock = clock
        self._go_on = go_on
        self._changed = {"global:"}  # whose budgets were, kind:key; before a start the file's may have been

    def observe(self, recorded: Sequence[Recorded]) -> None:
        """Note whose budget was changed."""
        for one in recorded:
            if isinstance(one.event, BudgetChanged):
                self._changed.add(f"{one.event.scope}:{one.event.key}")

    async def due(self) -> int | None:
        """When the next campaign may try again: now where a budget was changed; None where none waits for a time."""
        if self._changed:
            return self._clock.now()
        async with self._database.reader() as reader:
            row = await reader.row("SELECT min(starved_until) AS due FROM campaigns WHERE starved_by <> ''")
        return row["due"] if row else None

    async def feed(self) -> int:
        """Let those try again whose time has come, and say how many."""
        changed, self._changed = self._changed, set()

        def feed(tx: Tx) -> int:
            now = self._clock.now()
            due = [row for row in tx.execute(_STARVED).fetchall() if _may_try(row, changed, now)]
            for row in due:
                campaign = store.of_row(row)
                after = resumed(campaign) if campaign.state is CampaignState.PAUSED else campaign.state
                store.move(tx, campaign, after, now=now, actor="engine")
                self._go_on(tx, store.get(tx, campaign.campaign_id), now)
            return len(due)

        try:
            return await self._database.write(feed)
        except BaseException:  # they may still wait for these
            self._changed |= changed
            raise


def _may_try(row: sqlite3.Row, changed: Set[str], now: int) -> bool:
    """Whether its time has come, or a budget was changed that may be in its way: a model's stand-in has another."""
    if row["starved_until"] is not None and row["starved_until"] <= now:
        return True
    if row["starved_by"].startswith("campaign:"):
        return row["starved_by"] in changed
    return any(not name.startswith(("user:", "campaign:")) for name in changed)
