"""The keys of the gateway's clients: made, shown once, looked up, taken back.

A secret is 256 bits of the system's own chance behind `hz-`. Only its SHA-256 is stored: with so much chance in it a
digest cannot be turned back, and needs no salt. Every key is held in memory, so a look-up touches no disk.

A key that is made opens only once it is written. One that is taken back is shut before that, and in doubt stays so: who
revokes a key fears somebody else who has it, and a key shut without need is made again. Where its commit fails, whoever
revoked it is told so and asks again; until that is written, or the engine starts anew, the key is listed as it is on
disk and opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import orjson

from engine.events import KeyCreated, KeyRevoked
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.text import clean
from engine.kernel.values import MINUTE, Instant, NanoUSD, Random, new_id
from engine.storage import Database, Tx
from engine.surface import commands, queries
from engine.surface.commands import Done
from engine.surface.queries import Page
from engine.surface.rows import KeyRow

PREFIX = "hz-"
_SECRET_BYTES = 32
_SHOWN = len(PREFIX) + 6  # letters of a secret that its owner may know it by
_LONGEST_NAME = 100
_MOST_MODELS = 100
_WINDOWS = ("hour", "day", "month", "total")

SetBudget = Callable[[Tx, str, NanoUSD | None, str], None]
"""Give a key's calls a budget a window, or take it away with None: (tx, key id, limit, window)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A client's key. `models` are patterns such as `huntaze/*`; none means every model."""

    key_id: str
    name: str
    prefix: str
    digest: bytes
    tenant_id: str
    models: tuple[str, ...]
    limit: NanoUSD | None
    window: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    used_at: Instant | None

    def may_use(self, *names: str) -> bool:
        """Whether a model is allowed, under any of the names it goes by."""
        return not self.models or any(fnmatchcase(name, pattern) for pattern in self.models for name in names)

    def lives(self, now: int) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Keyring:
    """All keys. `load` it before its first use."""

    def __init__(self, database: Database, clock: Clock, chance: Random, set_budget: SetBudget) -> None:
        self._database = database
        self._clock = clock
        self._chance = chance
        self._set_budget = set_budget
        self._by_digest: dict[bytes, Key] = {}
        self._shut: set[bytes] = set()  # digests of keys whose revocation is not written, or not known to be

    async def load(self) -> None:
        async with self._database.reader() as reader:
            rows = await reader.rows("SELECT * FROM gateway_keys")
        self._by_digest = {key.digest: key for key in map(_key, rows)}

    def find(self, secret: str) -> Key | None:
        """The living key of a secret. Takes as long for a near miss as for a far one: only digests are compared."""
        digest = digest_of(secret)
        key = self._by_digest.get(digest)
        now = self._clock.now()
        if key is None or not hmac.compare_digest(key.digest, digest) or not key.lives(now):
            return None
        if digest in self._shut:
            return None
        if key.used_at is None or now - key.used_at >= MINUTE:
            self._note_use(key, now)
        return key

    # ── commands and queries ────────────────────────────────────────────────────────────────────────────────────────

    async def create(self, command: commands.CreateKey) -> Done:
        """Make a key. Its secret is in the answer and nowhere else."""
        now = self._clock.now()
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        key = Key(
            key_id=new_id("key", now, self._chance),
            name=_named(command.name),
            prefix=secret[:_SHOWN],
            digest=digest_of(secret),
            tenant_id=_tenant(command.tenant_id),
            models=_patterns(command.models),
            limit=_limit(command.limit),
            window=_window(command.window),
            created_at=now,
            expires_at=_expiry(command.expires_at, now),
            revoked_at=None,
            used_at=None,
        )
        done = await self._database.write(lambda tx: self._insert(tx, key, command.actor))
        return replace(done, data={**done.data, "secret": secret})

    async def revoke(self, command: commands.RevokeKey) -> Done:
        """Take a key back, by its id or the beginning of its secret. From now on it opens nothing, in doubt either."""
        key = self._named(command.key)
        if key.revoked_at is None:
            self._shut.add(key.digest)
        return await self._database.write(lambda tx: self._revoke(tx, key, self._clock.now(), command.actor))

    async def listing(self, query: queries.ListKeys) -> Page[KeyRow]:
        """The keys, newest first; those revoked or expired only when asked for."""
        now = self._clock.now()
        found = [
            key
            for key in self._by_digest.values()
            if (query.all or key.lives(now)) and (not query.tenant_id or key.tenant_id == query.tenant_id)
        ]
        found.sort(key=lambda key: key.key_id, reverse=True)
        after = [key for key in found if not query.cursor or key.key_id < query.cursor]
        limit = max(1, min(query.limit, 1000))
        rows = tuple(_row(key, now) for key in after[:limit])
        return Page(rows, after[limit - 1].key_id if len(after) > limit else None)

    def _named(self, name: str) -> Key:
        found = [
            key
            for key in self._by_digest.values()
            if name == key.key_id or (len(name) >= _SHOWN and key.prefix == name[:_SHOWN])
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise CommandRefused(Refusal.INVALID, "several keys begin so", field="key", remedy="Name one by its id")
        raise CommandRefused(Refusal.NOT_FOUND, "there is no such key", field="key", remedy="See: huntaze key list")

    # ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _insert(self, tx: Tx, key: Key, actor: str) -> Done:
        tx.execute(
            "INSERT INTO gateway_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key.key_id,
                key.name,
                key.prefix,
                key.digest,
                key.tenant_id,
                orjson.dumps(key.models).decode(),
                key.limit,
                key.window,
                key.created_at,
                key.expires_at,
                None,
                None,
            ),
        )
        if key.limit is not None:
            self._set_budget(tx, key.key_id, key.limit, key.window)
        tx.emit(
            KeyCreated(
                at=key.created_at,
                key_id=key.key_id,
                name=key.name,
                prefix=key.prefix,
                tenant_id=key.tenant_id,
                actor=actor,
            )
        )
        tx.after_commit(lambda: self._keep(key))
        summary = f"Key {key.prefix}… for {key.tenant_id or 'no tenant'} is made; it is shown this once"
        return Done(summary, {"key_id": key.key_id, "prefix": key.prefix})

    def _revoke(self, tx: Tx, key: Key, now: Instant, actor: str) -> Done:
        told = {"key_id": key.key_id}
        sql = "UPDATE gateway_keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL"
        if not tx.execute(sql, (now, key.key_id)).rowcount:
            return Done(f"Key {key.prefix}… was revoked already", told)
        tx.emit(KeyRevoked(at=now, key_id=key.key_id, name=key.name, prefix=key.prefix, actor=actor))
        tx.after_commit(lambda: self._take_back(key.digest, now))
        return Done(f"Key {key.prefix}… opens nothing any more", told)

    def _take_back(self, digest: bytes, now: Instant) -> None:
        self._keep(replace(self._by_digest[digest], revoked_at=now))
        self._shut.discard(digest)

    def _keep(self, key: Key) -> None:
        self._by_digest[key.digest] = key

    def _note_use(self, key: Key, now: Instant) -> None:
        """To the minute, and nobody waits for it: a loss costs nothing."""
        self._keep(replace(key, used_at=now))
        noted = self._database.submit(
            lambda tx: tx.execute("UPDATE gateway_keys SET used_at = ? WHERE key_id = ?", (now, key.key_id)).rowcount
        )
        noted.add_done_callback(lambda future: future.cancelled() or future.exception())


def digest_of(secret: str) -> bytes:
    """The SHA-256 that a secret is known by."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def _key(row: sqlite3.Row) -> Key:
    fields: dict[str, Any] = dict(row)
    return Key(**{**fields, "models": tuple(orjson.loads(fields["models"]))})


def _row(key: Key, now: int) -> KeyRow:
    state = "revoked" if key.revoked_at is not None else "active" if key.lives(now) else "expired"
    return KeyRow(
        key_id=key.key_id,
        name=key.name,
        prefix=key.prefix,
        tenant_id=key.tenant_id,
        models=key.models,
        limit=key.limit,
        window=key.window,
        state=state,
        created_at=key.created_at,
        expires_at=key.expires_at,
        used_at=key.used_at,
    )


def secretless(name: str) -> str:
    """What somebody called a key by, unless it is an id cut to how a secret begins: a whole one is not written down."""
    return name if name.startswith("key_") else name[:_SHOWN]


def _named(name: str) -> str:
    if len(name) > _LONGEST_NAME or clean(name) != name:
        raise _invalid(f"a name is one line of at most {_LONGEST_NAME} letters", "name")
    return name.strip()


def _tenant(tenant_id: str) -> str:
    if len(tenant_id) > _LONGEST_NAME or clean(tenant_id) != tenant_id or tenant_id.strip() != tenant_id:
        raise _invalid(f"a tenant's id is one word of at most {_LONGEST_NAME} letters", "tenant_id")
    return tenant_id


def _patterns(models: Sequence[str]) -> tuple[str, ...]:
    if len(models) > _MOST_MODELS or any(not model.strip() or clean(model) != model for model in models):
        raise _invalid(f"models are at most {_MOST_MODELS} names or patterns such as huntaze/*", "models")
    return tuple(dict.fromkeys(model.strip() for model in models))


def _limit(limit: int | None) -> NanoUSD | None:
    if limit is not None and limit <= 0:
        raise _invalid("a budget is more than nothing", "limit")
    return None if limit is None else NanoUSD(limit)


def _window(window: str) -> str:
    if window not in _WINDOWS:
        raise _invalid(f"a budget's window is one of {', '.join(_WINDOWS)}", "window")
    return window


def _expiry(at: int | None, now: int) -> Instant | None:
    if at is not None and at <= now:
        raise _invalid("the key would have expired already", "expires_at")
    return None if at is None else Instant(at)


def _invalid(message: str, field: str) -> CommandRefused:
    return CommandRefused(Refusal.INVALID, message, field=field)
