"""The sums of what asking less has saved: kept answers that served again, calls that served several."""

from __future__ import annotations

from dataclasses import dataclass

from engine.kernel.values import MINUTE
from engine.storage import Reader, Tx

QUARTER = 15 * MINUTE

_ADD = """
INSERT INTO reuse_quarters (quarter, tenant_id, tool, hits, near, shared, kept, saved) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET hits = hits + excluded.hits, near = near + excluded.near, shared = shared + excluded.shared,
                          kept = kept + excluded.kept, saved = saved + excluded.saved
"""
_SUM = """
SELECT ifnull(sum(hits), 0) AS hits, ifnull(sum(near), 0) AS near, ifnull(sum(shared), 0) AS shared,
       ifnull(sum(kept), 0) AS kept, ifnull(sum(saved), 0) AS saved
FROM reuse_quarters WHERE quarter >= ? AND quarter < ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """`hits` were answered from kept answers, `near` of them by one that only came near; `shared` callers by another's
    call. `kept` found nothing, asked, and left their answer. `saved` is nano-dollars, unpriced calls left out."""

    hits: int = 0
    near: int = 0
    shared: int = 0
    kept: int = 0
    saved: int = 0

    @property
    def rate(self) -> float | None:
        """The share answered from kept answers, of all that could have been; None of none."""
        asked = self.hits + self.kept
        return self.hits / asked if asked else None


def note(tx: Tx, now: int, tenant_id: str, tool: str, reuse: Reuse) -> None:
    """Add to the sums of now's quarter hour."""
    figures = (reuse.hits, reuse.near, reuse.shared, reuse.kept, reuse.saved)
    tx.execute(_ADD, (now // QUARTER, tenant_id, tool, *figures))


async def reuse_between(reader: Reader, start: int, end: int) -> Reuse:
    """The sums of [start, end), both at a quarter hour."""
    row = await reader.row(_SUM, (start // QUARTER, -(-end // QUARTER)))
    return Reuse(**dict(row)) if row is not None else Reuse()


def forget(tx: Tx, before: int, at_once: int) -> None:
    """Drop the sums and splits of long ago."""
    tx.execute("DELETE FROM reuse_quarters WHERE quarter < ?", (before // QUARTER,))
    old = "SELECT attempt_id FROM call_shares WHERE at < ? ORDER BY at LIMIT ?"
    tx.execute(f"DELETE FROM call_shares WHERE attempt_id IN ({old})", (before, at_once))
