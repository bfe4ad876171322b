"""What operators think of answers: 1 to 5, one rating an answer and operator, no words.

A rating names a call of the ledger; the sums are by tool and model, for the monitor and for whoever chooses models.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.events import CallRated
from engine.kernel.errors import CommandRefused, Refusal
from engine.storage import Reader, Tx

LOWEST, HIGHEST = 1, 5

Subject = tuple[str, str, str]
"""Tool, provider, model."""

_CALL = (
    "SELECT id, tool, provider, model FROM ledger WHERE {column} = ? AND outcome = 'ok' ORDER BY number DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What was rated: the call, and for which tool which model wrote it."""

    attempt_id: str
    tool: str
    provider: str
    model: str
    score: int


async def find(reader: Reader, call_id: str, score: int) -> Rated:
    """The call to be rated: named by its attempt, or by its trace and then the last one of it that gave an answer.

    Raises CommandRefused: INVALID for a score outside 1 to 5, NOT_FOUND for a call that gave no answer.
    """
    if not LOWEST <= score <= HIGHEST:
        raise CommandRefused(Refusal.INVALID, f"a rating is {LOWEST} to {HIGHEST}, not {score}", field="score")
    row = None
    for column in ("id", "trace_id") if call_id else ():
        row = row or await reader.row(_CALL.format(column=column), (call_id,))
    if row is None:
        message = f"no call {call_id!r} in the ledger has an answer to rate"
        raise CommandRefused(Refusal.NOT_FOUND, message, field="call_id", remedy="huntaze costs --calls lists them")
    return Rated(attempt_id=row["id"], tool=row["tool"], provider=row["provider"], model=row["model"], score=score)


def rate(tx: Tx, rated: Rated, actor: str, now: int) -> None:
    """Keep a rating; another one by the same operator takes its place."""
    tx.execute(
        "INSERT OR REPLACE INTO ratings VALUES (?, ?, ?, ?, ?, ?, ?)",
        (rated.attempt_id, actor, now, rated.tool, rated.provider, rated.model, rated.score),
    )
    tx.emit(
        CallRated(
            at=now,
            attempt_id=rated.attempt_id,
            tool=rated.tool,
            provider=rated.provider,
            model=rated.model,
            score=rated.score,
            actor=actor,
        )
    )


async def recent(reader: Reader, limit: int) -> list[Rated]:
    """The newest ratings, oldest first."""
    rows = await reader.rows(
        "SELECT attempt_id, tool, provider, model, score FROM ratings ORDER BY at DESC LIMIT ?", (limit,)
    )
    return [Rated(**dict(row)) for row in reversed(rows)]


@dataclass(frozen=True, slots=True)
class Mean:
    """How often something was rated, and the sum of its scores."""

    count: int = 0
    total: int = 0

    @property
    def score(self) -> float | None:
        return self.total / self.count if self.count else None


async def means(reader: Reader) -> dict[Subject, Mean]:
    """The ratings of each tool's models."""
    rows = await reader.rows(
        "SELECT tool, provider, model, count(*) AS n, sum(score) AS total FROM ratings GROUP BY tool, provider, model"
    )
    return {(row["tool"], row["provider"], row["model"]): Mean(row["n"], row["total"]) for row in rows}
