"""Keeps answers for the next one who asks the same: behind the coalescer, where each call is seen once, with its bill.

An answer is kept after it was paid for, and nobody waits for that. What comes while the database is at something else
is kept together: one statement, one sum and one event for all of them. A crash in between loses kept answers, not paid
ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

import orjson

from engine.events import AnswersKept
from engine.kernel.clock import Clock
from engine.kernel.usage import Usage
from engine.kernel.values import DAY, NanoUSD
from engine.orchestrator.cache import Entry, Shelf, near_words, wants_variety
from engine.orchestrator.fingerprint import digest_of_words, fingerprint
from engine.orchestrator.router import route_of
from engine.orchestrator.savings import Reuse, forget, note
from engine.orchestrator.settings import CacheMode, OrchestratorSettings, ToolRoute
from engine.orchestrator.similarity import bucket
from engine.orchestrator.task import Answer, Hit, Level, Stage, Task
from engine.providers import Finish
from engine.storage import Database, Tx

_log = logging.getLogger(__name__)

UPKEEP = 400  # bytes that an entry takes beside its answer, in the database and in memory
_SUMS_KEPT = 400 * DAY  # nanoseconds that sums and splits of bills are kept: a year and some to compare with
_AT_ONCE = 5_000  # splits deleted in one transaction
_WHOLE = frozenset({Finish.STOP, Finish.TOOL})
_ENDED_WELL = ("stop", "tool_calls", "function_call")  # a tuple: what a provider writes there need not be hashable


@dataclass(slots=True)
class _Keep:
    """An answer on its way to its row."""

    key: bytes
    tenant_id: str
    tool: str
    packed: bytes
    words: str
    bucket: bytes | None
    size: int
    cost: NanoUSD | None
    at: int
    good_until: int
    kept_until: int

    def entry(self, row: int) -> Entry:
        return Entry(row, self.tenant_id, self.good_until, self.kept_until, self.size, self.bucket)

    def values(self, row: int) -> tuple[object, ...]:
        described = (self.bucket, self.words, self.tenant_id, self.tool, self.packed, self.size, self.cost)
        return (row, self.key, *described, self.at, self.good_until, self.kept_until, self.at)


class Keeping:
    """See Stage. Keeps each answer worth keeping."""

    def __init__(
        self, inner: Stage, shelf: Shelf, database: Database, clock: Clock, settings: OrchestratorSettings
    ) -> None:
        self._inner = inner
        self._shelf = shelf
        self._database = database
        self._clock = clock
        self._settings = settings
        self._waiting: deque[_Keep] = deque()  # filled on the loop, emptied in the writer's thread
        self._asked = False  # whether a write is on its way that will take what waits

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    async def complete(self, task: Task) -> Answer:
        route = route_of(self._settings, task.tool)
        answer = await self._inner.complete(task)
        keeps = route.cache is not CacheMode.OFF and not task.rehearsal
        if keeps and worth_keeping(answer) and not wants_variety(task):
            self._keep(task, route, answer)
        return answer

    async def clear(self, tenant_id: str | None) -> int:
        """Forget a tenant's answers, or everybody's; returns how many there were."""

        def clear(tx: Tx) -> int:
            dropped = _drop(tx, "1") if tenant_id is None else _drop(tx, "tenant_id = ?", tenant_id)
            tx.after_commit(lambda: self._shelf.drop(dropped))
            return len(dropped)

        self._database.hurry()  # answers that were given before this, and are not kept yet, are forgotten too
        return await self._database.write(clear)

    async def tidy(self) -> None:
        """Forget what is over."""
        now = self._clock.now()

        def tidy(tx: Tx) -> None:
            forget(tx, now - _SUMS_KEPT, _AT_ONCE)
            dropped = _drop(tx, "kept_until <= ?", now)
            if dropped:
                tx.after_commit(lambda: self._shelf.drop(dropped))

        await self._database.write(tidy)

    # ── one answer ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, task: Task, route: ToolRoute, answer: Answer) -> None:
        settings, now, packed = self._settings.cache, self._clock.now(), _packed(answer)
        words = near_words(task) if route.cache is CacheMode.NEAR else ()
        said = orjson.dumps(words).decode() if words else ""
        size = len(packed) + len(said.encode()) + UPKEEP
        if size > min(settings.most_bytes_each, settings.most_bytes):
            return
        key, good_until = task.fingerprint or fingerprint(task, route), now + settings.keep
        self._shelf.coming[key] = answer._replace(failed=())
        self._waiting.append(
            _Keep(
                key=key,
                tenant_id=task.tenant_id,
                tool=task.tool,
                packed=packed,
                words=said,
                bucket=digest_of_words(task, route, bucket(words)) if words else None,
                size=size,
                cost=answer.cost,
                at=now,
                good_until=good_until,
                kept_until=good_until + (0 if task.fan_id else settings.keep_old),
            )
        )
        if not self._asked:
            self._asked = True
            self._database.submit(self._write, lingers=True).add_done_callback(self._written)

    # ── all that wait, at once ──────────────────────────────────────────────────────────────────────────────────────

    def _write(self, tx: Tx) -> None:
        self._asked = False  # before the first is taken: who comes from here on asks for another write
        taken: dict[bytes, _Keep] = {}
        while self._waiting:
            one = self._waiting.popleft()
            taken[one.key] = one
        if not taken:
            return
        replaced = [(row, key) for key in taken if (row := self._shelf.row(key)) is not None]
        tx.executemany("DELETE FROM kept_answers WHERE id = ? AND key = ?", replaced)
        first = 1 + tx.execute("SELECT ifnull(max(id), 0) FROM kept_answers").fetchone()[0]
        rows = dict(enumerate(taken.values(), first))
        tx.executemany(_INSERT, [one.values(row) for row, one in rows.items()])
        at = max(one.at for one in rows.values())
        for (tenant_id, tool), answers in Counter((one.tenant_id, one.tool) for one in rows.values()).items():
            note(tx, at, tenant_id, tool, Reuse(kept=answers))
            tx.emit(AnswersKept(at=at, tenant_id=tenant_id, tool=tool, answers=answers))
        dropped = _make_room(tx, self._settings.cache.most_bytes)
        tx.after_commit(lambda: self._shelve(rows, dropped))

    def _shelve(self, rows: dict[int, _Keep], dropped: list[tuple[bytes, int]]) -> None:
        for row, one in rows.items():
            self._shelf.coming.pop(one.key, None)
            self._shelf.put(one.key, one.entry(row))
        self._shelf.drop(dropped)

    def _written(self, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self._asked = False  # a write that never began took nothing: the next answer asks for one again
            self._shelf.coming.clear()  # those of this write will never stand, and the others' next askers ask again
            _log.warning("answers could not be kept: %s", error)


def worth_keeping(answer: Answer) -> bool:
    """Whole, from a model, and called here: no cut answer, no filtered one, no template."""
    if answer.finish not in _WHOLE or answer.hit is not Hit.MISS or answer.level is Level.TEMPLATE:
        return False
    if answer.payload is None:
        return bool(answer.text.strip())
    choices = answer.payload.get("choices")
    return choices is None or all(choice.get("finish_reason") in _ENDED_WELL for choice in choices)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_INSERT = """
INSERT INTO kept_answers (id, key, bucket, words, tenant_id, tool, answer, bytes, cost, kept_at, good_until, kept_until,
                          used_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def _make_room(tx: Tx, most: int) -> list[tuple[bytes, int]]:
    """Drop the longest unused answers until the rest fits; the newest is used just now."""
    dropped: list[tuple[bytes, int]] = []
    while tx.execute("SELECT bytes FROM kept_bytes").fetchone()[0] > most:
        found = _drop(tx, "id = (SELECT id FROM kept_answers ORDER BY used_at, id LIMIT 1)")
        if not found:
            break
        dropped += found
    return dropped


def _drop(tx: Tx, where: str, *values: object) -> list[tuple[bytes, int]]:
    gone = tx.execute(f"DELETE FROM kept_answers WHERE {where} RETURNING key, id", values).fetchall()
    return [(row["key"], row["id"]) for row in gone]


def _packed(answer: Answer) -> bytes:
    usage = answer.usage
    fields = {
        "text": answer.text,
        "provider": answer.target.provider,
        "model": answer.target.model,
        "finish": answer.finish,
        "usage": None if usage is None else _figures(usage),
        "attempt_id": answer.attempt_id,
        "payload": answer.payload,
    }
    return orjson.dumps(fields, default=dict, option=orjson.OPT_NON_STR_KEYS)


def _figures(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in usage.__dataclass_fields__}
