"""Answers kept for the next one who asks the same: the lookup, before anything is asked. keeping.py does the keeping.

Keys stand in memory, so a question that was never asked costs no query; texts stand in the database.

Who may see an answer is part of its key (see fingerprint.py). Near matching is tried for none that may hold a
person's data, names a fan, carries a client's own body, wants a schema or says it must be fresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from engine.events import AnswerReused
from engine.kernel.clock import Clock
from engine.kernel.usage import Tier, Usage
from engine.kernel.values import NanoUSD
from engine.orchestrator.fingerprint import digest_of_words, fingerprint
from engine.orchestrator.replay import replay
from engine.orchestrator.router import route_of
from engine.orchestrator.savings import Reuse, note
from engine.orchestrator.settings import CacheMode, OrchestratorSettings, ToolRoute
from engine.orchestrator.similarity import bucket, may_name_a_person, near, words_of
from engine.orchestrator.task import Answer, Hit, Level, Stage, Target, Task
from engine.providers import Finish, Operation
from engine.storage import Database, Tx

_CANDIDATES = 8  # of one bucket that are compared; more would be questions that differ in their order alone
_FREE = NanoUSD(0)


@dataclass(frozen=True, slots=True)
class Entry:
    """What memory knows of a kept answer: its row, and until which instants it serves."""

    row: int
    tenant_id: str
    good_until: int
    kept_until: int
    size: int
    bucket: bytes | None


class Shelf:
    """The keys of all kept answers, in step with the table: changed only once a commit stands.

    Between an answer and its commit the answer itself stands in `coming`, so that the next question finds it.
    """

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._buckets: dict[bytes, dict[bytes, None]] = {}  # keys of each, oldest first
        self.coming: dict[bytes, Answer] = {}  # those whose commit is under way while their caller has them already
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    async def load(self, database: Database, now: int) -> None:
        """At start: what an earlier engine kept and is not over."""
        async with database.reader() as reader:
            rows = await reader.rows(
                "SELECT key, id, tenant_id, good_until, kept_until, bytes, bucket FROM kept_answers"
                " WHERE kept_until > ? ORDER BY id",
                (now,),
            )
        for row in rows:
            self.put(row["key"], Entry(*tuple(row)[1:]))

    def row(self, key: bytes) -> int | None:
        """Where an answer stands in the table; None where none is kept under the key."""
        entry = self._entries.get(key)
        return None if entry is None else entry.row

    def has(self, key: bytes, now: int, *, old: bool) -> bool:
        """Whether an answer is kept under the key; `old` takes one that is past its time, too."""
        entry = self._entries.get(key)
        return entry is not None and now < (entry.kept_until if old else entry.good_until)

    def in_bucket(self, key: bytes, now: int, *, old: bool) -> list[bytes]:
        """The keys of a bucket's answers, newest first."""
        return [one for one in reversed(self._buckets.get(key, {})) if self.has(one, now, old=old)][:_CANDIDATES]

    def put(self, key: bytes, entry: Entry) -> None:
        self._drop(key)
        self._entries[key] = entry
        self.bytes += entry.size
        if entry.bucket is not None:
            self._buckets.setdefault(entry.bucket, {})[key] = None

    def drop(self, dropped: Iterable[tuple[bytes, int]]) -> None:
        """These keys' rows are gone; a key that stands at another row by now stays."""
        for key, row in dropped:
            if self.row(key) == row:
                self._drop(key)

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.bytes -= entry.size
        if entry.bucket is not None and (rest := self._buckets.get(entry.bucket)):
            rest.pop(key, None)
            if not rest:
                del self._buckets[entry.bucket]


class Cached:
    """See Stage. Answers from what is kept; what it has not goes on."""

    def __init__(
        self, inner: Stage, shelf: Shelf, database: Database, clock: Clock, settings: OrchestratorSettings
    ) -> None:
        self._inner = inner
        self._shelf = shelf
        self._database = database
        self._clock = clock
        self._settings = settings

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    async def complete(self, task: Task) -> Answer:
        route = route_of(self._settings, task.tool)
        if not consults(task, route):
            return await self._inner.complete(task)
        task = task._replace(fingerprint=fingerprint(task, route))
        found = await self._find(task, route)
        if found is None:
            return await self._inner.complete(task)
        key, answer = found
        if task.emit is not None:
            for piece in replay(task, answer):
                await task.emit(piece)
        await self._serve(task, key, answer)
        return answer

    # ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _find(self, task: Task, route: ToolRoute) -> tuple[bytes, Answer] | None:
        """A kept answer and its key: the exact one, or else one that comes near where that is allowed."""
        now, worse = self._clock.now(), task.level is not Level.FULL
        for wanted in _as_asked_before(task):
            key = wanted.fingerprint or fingerprint(wanted, route)
            if key in self._shelf.coming:
                return key, _again(self._shelf.coming[key])
            if self._shelf.has(key, now, old=worse) and (answer := await self._read(key, Hit.EXACT)):
                return key, answer
        if (route.cache is CacheMode.NEAR or worse) and (words := near_words(task)):
            return await self._find_near(task, route, words, now, old=worse)
        return None

    async def _find_near(
        self, task: Task, route: ToolRoute, words: tuple[str, ...], now: int, *, old: bool
    ) -> tuple[bytes, Answer] | None:
        for wanted in _as_asked_before(task):
            for key in self._shelf.in_bucket(digest_of_words(wanted, route, bucket(words)), now, old=old):
                if answer := await self._read(key, Hit.NEAR, words):
                    return key, answer
        return None

    async def _read(self, key: bytes, hit: Hit, words: tuple[str, ...] = ()) -> Answer | None:
        async with self._database.reader() as reader:
            row = await reader.row(_READ, (self._shelf.row(key), key))
        if row is None:  # gave way to another a moment ago
            return None
        if hit is Hit.NEAR and not near(words, orjson.loads(row["words"])):
            return None
        return _unpacked(row["answer"], hit, row["cost"])

    # ── serving ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, task: Task, key: bytes, answer: Answer) -> None:
        """Write what is to be written with the answer, the saving, and that the entry was used, in one transaction."""
        now = self._clock.now()
        write = task.conclude(answer) if task.conclude is not None else None
        reuse = Reuse(hits=1, near=answer.hit is Hit.NEAR, saved=answer.saved or 0)
        event = AnswerReused(at=now, tenant_id=task.tenant_id, tool=task.tool, kind=str(answer.hit), saved=answer.saved)

        def serve(tx: Tx) -> None:
            if write is not None:
                write(tx, _FREE)
            tx.execute(_USE, (now, self._shelf.row(key), key))
            note(tx, now, task.tenant_id, task.tool, reuse)
            tx.emit(event)

        await self._database.write(serve)


# ── who may be answered so ──────────────────────────────────────────────────────────────────────────────────────────


def consults(task: Task, route: ToolRoute) -> bool:
    """Whether a kept answer may serve the task at all."""
    return route.cache is not CacheMode.OFF and not task.fresh and not task.rehearsal and not wants_variety(task)


def wants_variety(task: Task) -> bool:
    """Whether a client's body asks for several answers, or for more chance than models give by themselves."""
    body = task.body
    if body is None:
        return False
    number, heat = body.get("n"), body.get("temperature")
    return (isinstance(number, int) and number > 1) or (isinstance(heat, int | float) and heat > 1)


def near_words(task: Task) -> tuple[str, ...]:
    """What the task says, word by word; empty where it must not be matched near."""
    if task.fan_id or task.body is not None or task.schema is not None or task.operation is not Operation.CHAT:
        return ()
    if len(task.messages) != 1 or may_name_a_person(task.messages[0].text):
        return ()
    return words_of(task.messages[0].text)


def _as_asked_before(task: Task) -> tuple[Task, ...]:
    """The task, and where it is served cheaper for now also as it would be asked in full."""
    if task.level is Level.FULL or not task.strategy:
        return (task,)
    return task, task._replace(strategy="", fingerprint=b"")


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────

# By its row, and by its key in case the row is another's by now.
_READ = "SELECT answer, words, cost FROM kept_answers WHERE id = ? AND key = ?"
_USE = "UPDATE kept_answers SET used_at = ? WHERE id = ? AND key = ?"


def _again(answer: Answer) -> Answer:
    """An answer whose entry does not stand yet, served once more."""
    return answer._replace(cost=_FREE, hit=Hit.EXACT, saved=answer.cost, duration=0, began=None)


def _unpacked(data: bytes, hit: Hit, cost: int | None) -> Answer:
    fields: Mapping[str, Any] = orjson.loads(data)
    usage = fields["usage"]
    return Answer(
        text=fields["text"],
        target=Target(fields["provider"], fields["model"]),
        finish=Finish(fields["finish"]),
        usage=None if usage is None else Usage(**{**usage, "tier": Tier(usage.get("tier", Tier.STANDARD))}),
        attempt_id=fields["attempt_id"],
        cost=_FREE,
        hit=hit,
        saved=None if cost is None else NanoUSD(cost),
        payload=fields["payload"],
    )
