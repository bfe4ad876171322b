"""Answers kept for the next one who asks the same: a lookup before anything is asked, and a keeper behind it.

The lookup (`Cached`) stands before the coalescer, the keeper (`Keeping`) behind it, where each call is seen once with
its whole bill. An answer is kept in the very transaction that settles its call, so it is kept if and only if it was
paid for. Keys stand in memory, so a question that was never asked costs no query; texts stand in the database.

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
from engine.kernel.values import DAY, NanoUSD
from engine.orchestrator.fingerprint import digest_of_words, fingerprint
from engine.orchestrator.replay import replay
from engine.orchestrator.router import route_of
from engine.orchestrator.savings import Reuse, forget, note
from engine.orchestrator.settings import CacheMode, OrchestratorSettings, ToolRoute
from engine.orchestrator.similarity import bucket, may_name_a_person, near, words_of
from engine.orchestrator.task import Answer, Conclusion, Hit, Level, Stage, Target, Task
from engine.providers import Finish, Operation
from engine.storage import Database, Tx

UPKEEP = 400  # bytes that an entry takes beside its answer, in the database and in memory
_CANDIDATES = 8  # of one bucket that are compared; more would be questions that differ in their order alone
_SUMS_KEPT = 400 * DAY  # nanoseconds that sums and splits of bills are kept: a year and some to compare with
_AT_ONCE = 5_000  # splits deleted in one transaction
_WHOLE = frozenset({Finish.STOP, Finish.TOOL})
_ENDED_WELL = ("stop", "tool_calls", "function_call")  # a tuple: what a provider writes there need not be hashable
_FREE = NanoUSD(0)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What memory knows of a kept answer. `good_until` and `kept_until` are instants."""

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
        self._entries: dict[bytes, _Entry] = {}
        self._buckets: dict[bytes, dict[bytes, None]] = {}  # keys of each, oldest first
        self.coming: dict[bytes, Answer] = {}  # those whose commit is under way while their caller has them already
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    async def load(self, database: Database, now: int) -> None:
        """At start: what an earlier engine kept and is not over."""
        async with database.reader() as reader:
            rows = await reader.rows(
                "SELECT key, tenant_id, good_until, kept_until, bytes, bucket FROM kept_answers WHERE kept_until > ?",
                (now,),
            )
        for row in rows:
            self.put(row["key"], _Entry(*tuple(row)[1:]))

    def has(self, key: bytes, now: int, *, old: bool) -> bool:
        """Whether an answer is kept under the key; `old` takes one that is past its time, too."""
        entry = self._entries.get(key)
        return entry is not None and now < (entry.kept_until if old else entry.good_until)

    def in_bucket(self, key: bytes, now: int, *, old: bool) -> list[bytes]:
        """The keys of a bucket's answers, newest first."""
        return [one for one in reversed(self._buckets.get(key, {})) if self.has(one, now, old=old)][:_CANDIDATES]

    def put(self, key: bytes, entry: _Entry) -> None:
        self.drop((key,))
        self._entries[key] = entry
        self.bytes += entry.size
        if entry.bucket is not None:
            self._buckets.setdefault(entry.bucket, {})[key] = None

    def drop(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            entry = self._entries.pop(key, None)
            if entry is None:
                continue
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
            row = await reader.row("SELECT answer, words, cost FROM kept_answers WHERE key = ?", (key,))
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
            tx.execute("UPDATE kept_answers SET used_at = ? WHERE key = ?", (now, key))
            note(tx, now, task.tenant_id, task.tool, reuse)
            tx.emit(event)

        await self._database.write(serve)


class Keeping:
    """See Stage. Keeps each answer worth keeping, in the transaction that settles its call."""

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
        if route.cache is CacheMode.OFF or task.rehearsal or wants_variety(task):
            return await self._inner.complete(task)
        keeping: list[bytes] = []  # the key, from the answer to its commit

        def trail(answer: Answer) -> Conclusion | None:
            return self._keep(task, route, answer, keeping) if worth_keeping(answer) else None

        answer = await self._inner.complete(task._replace(trail=trail))
        for key in keeping:
            self._shelf.coming[key] = answer._replace(failed=())
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

    def _keep(self, task: Task, route: ToolRoute, answer: Answer, keeping: list[bytes]) -> Conclusion | None:
        settings, now, packed = self._settings.cache, self._clock.now(), _packed(answer)
        words = near_words(task) if route.cache is CacheMode.NEAR else ()
        said = orjson.dumps(words).decode() if words else ""
        size = len(packed) + len(said.encode()) + UPKEEP
        if size > min(settings.most_bytes_each, settings.most_bytes):
            return None
        good_until = now + settings.keep
        entry = _Entry(
            tenant_id=task.tenant_id,
            good_until=good_until,
            kept_until=good_until + (0 if task.fan_id else settings.keep_old),
            size=size,
            bucket=digest_of_words(task, route, bucket(words)) if words else None,
        )
        key = task.fingerprint or fingerprint(task, route)
        keeping.append(key)

        def keep(tx: Tx, cost: NanoUSD | None) -> None:
            tx.execute("DELETE FROM kept_answers WHERE key = ?", (key,))
            values = (entry.bucket, said, task.tenant_id, task.tool, packed, size, cost)
            tx.execute(_INSERT, (key, *values, now, good_until, entry.kept_until, now))
            dropped = _make_room(tx, settings.most_bytes)
            note(tx, now, task.tenant_id, task.tool, Reuse(kept=1))
            tx.after_commit(lambda: shelve(dropped))

        def shelve(dropped: list[bytes]) -> None:
            keeping.clear()
            self._shelf.coming.pop(key, None)
            self._shelf.put(key, entry)
            self._shelf.drop(dropped)

        return keep


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


def worth_keeping(answer: Answer) -> bool:
    """Whole, from a model, and called here: no cut answer, no filtered one, no template."""
    if answer.finish not in _WHOLE or answer.hit is not Hit.MISS or answer.level is Level.TEMPLATE:
        return False
    if answer.payload is None:
        return bool(answer.text.strip())
    choices = answer.payload.get("choices")
    return choices is None or all(choice.get("finish_reason") in _ENDED_WELL for choice in choices)


def _as_asked_before(task: Task) -> tuple[Task, ...]:
    """The task, and where it is served cheaper for now also as it would be asked in full."""
    return (task, task._replace(strategy="", fingerprint=b"")) if task.level is not Level.FULL and task.strategy else (task,)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_INSERT = """
INSERT INTO kept_answers (key, bucket, words, tenant_id, tool, answer, bytes, cost, kept_at, good_until, kept_until,
                          used_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def _make_room(tx: Tx, most: int) -> list[bytes]:
    """Drop the longest unused answers until the rest fits; the newest is used just now."""
    dropped: list[bytes] = []
    while tx.execute("SELECT bytes FROM kept_bytes").fetchone()[0] > most:
        found = _drop(tx, "key IN (SELECT key FROM kept_answers ORDER BY used_at, key LIMIT 1)")
        if not found:
            break
        dropped += found
    return dropped


def _drop(tx: Tx, where: str, *values: object) -> list[bytes]:
    return [row[0] for row in tx.execute(f"DELETE FROM kept_answers WHERE {where} RETURNING key", values).fetchall()]


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


def _again(answer: Answer) -> Answer:
    """An answer whose entry does not stand yet, served once more."""
    return answer._replace(cost=_FREE, hit=Hit.EXACT, saved=answer.cost, duration=0, began=None)


def _figures(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in usage.__dataclass_fields__}


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
