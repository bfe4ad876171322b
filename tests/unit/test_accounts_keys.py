"""Keys: shown once, stored as a digest, looked up in memory, shut the moment they are revoked."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.accounts import Keyring, digest_of
from engine.kernel.errors import CommandRefused
from engine.kernel.values import DAY, MINUTE, NanoUSD, usd
from engine.storage import Database, Tx
from engine.surface.commands import CreateKey, RevokeKey
from engine.surface.queries import ListKeys
from tests.fakes import ManualClock


class Shelf:
    """A keyring over a real database, and the budgets it asked for."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.budgets: list[tuple[str, int | None, str]] = []
        self.ring = self.another()

    def another(self) -> Keyring:
        """As after a restart."""
        return Keyring(self.database, self.clock, random.Random(7), self._budget)

    def _budget(self, tx: Tx, key_id: str, limit: NanoUSD | None, window: str) -> None:
        self.budgets.append((key_id, limit, window))

    async def make(self, **fields: object) -> tuple[str, str]:
        done = await self.ring.create(CreateKey(**fields))  # type: ignore[arg-type]
        return done.data["key_id"], done.data["secret"]


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        yield Shelf(database, ManualClock())


async def test_a_secret_opens_its_key_and_survives_a_restart(shelf: Shelf) -> None:
    key_id, secret = await shelf.make(tenant_id="acme", models=("huntaze/*", "gpt-4o-mini"))
    after = shelf.another()
    await after.load()

    for ring in (shelf.ring, after):
        key = ring.find(secret)
        assert key is not None
        assert (key.key_id, key.tenant_id) == (key_id, "acme")
        assert ring.find(secret + "x") is None
        assert ring.find(secret[:-1]) is None
        assert ring.find("") is None


async def test_the_secret_is_nowhere_but_in_the_answer(shelf: Shelf, tmp_path: Path) -> None:
    _, secret = await shelf.make(name="web")
    shelf.ring.find(secret)

    async with shelf.database.reader() as reader:
        rows = await reader.rows("SELECT * FROM gateway_keys")
        events = await reader.rows("SELECT kind, data FROM events")
    page = await shelf.ring.listing(ListKeys())

    assert rows[0]["digest"] == digest_of(secret)
    assert [event["kind"] for event in events] == ["KeyCreated"]
    told = f"{[dict(row) for row in rows]}{[dict(event) for event in events]}{page}{shelf.ring.find(secret)}"
    assert secret not in told
    assert secret[3:] not in told
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())


async def test_a_revoked_key_opens_nothing_at_once_and_after_a_restart(shelf: Shelf) -> None:
    key_id, secret = await shelf.make()
    _, other = await shelf.make()

    done = await shelf.ring.revoke(RevokeKey(key=secret[:9]))
    again = await shelf.ring.revoke(RevokeKey(key=key_id))
    after = shelf.another()
    await after.load()

    assert done.data["key_id"] == again.data["key_id"] == key_id
    assert shelf.ring.find(secret) is None
    assert after.find(secret) is None
    assert after.find(other) is not None


async def test_a_key_expires_by_the_engines_clock(shelf: Shelf) -> None:
    _, secret = await shelf.make(expires_at=shelf.clock.now() + DAY)

    await shelf.clock.advance(DAY - 1)
    before = shelf.ring.find(secret)
    await shelf.clock.advance(1)

    assert before is not None
    assert shelf.ring.find(secret) is None
    assert [row.state for row in (await shelf.ring.listing(ListKeys(all=True))).rows] == ["expired"]
    assert (await shelf.ring.listing(ListKeys())).rows == ()


async def test_a_budget_is_asked_for_with_the_key(shelf: Shelf) -> None:
    key_id, _ = await shelf.make(limit=usd(25), window="month")
    await shelf.make()

    assert shelf.budgets == [(key_id, usd(25), "month")]


async def test_patterns_say_which_models_are_allowed(shelf: Shelf) -> None:
    _, narrow = await shelf.make(models=("huntaze/*", "gpt-4o-mini"))
    _, wide = await shelf.make()
    key, free = shelf.ring.find(narrow), shelf.ring.find(wide)
    assert key is not None
    assert free is not None

    assert key.may_use("huntaze/message")
    assert key.may_use("openai/gpt-4o-mini", "gpt-4o-mini")
    assert not key.may_use("openai/gpt-4o", "gpt-4o")
    assert free.may_use("anything/at-all")


async def test_last_used_is_kept_to_the_minute(shelf: Shelf) -> None:
    _, secret = await shelf.make()
    first = shelf.clock.now()
    shelf.ring.find(secret)
    await shelf.clock.advance(MINUTE - 1)
    shelf.ring.find(secret)

    (row,) = (await shelf.ring.listing(ListKeys())).rows
    await shelf.database.write(lambda tx: None)  # what was submitted before is committed now
    after = shelf.another()
    await after.load()
    (kept,) = (await after.listing(ListKeys())).rows

    assert row.used_at == kept.used_at == first


async def test_pages_of_keys_follow_one_another(shelf: Shelf) -> None:
    for number in range(3):
        await shelf.make(name=str(number))
        await shelf.clock.advance(MINUTE)

    first = await shelf.ring.listing(ListKeys(limit=2))
    second = await shelf.ring.listing(ListKeys(limit=2, cursor=first.next or ""))

    assert [row.name for row in (*first.rows, *second.rows)] == ["2", "1", "0"]
    assert second.next is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", 0),
        ("limit", -1),
        ("window", "fortnight"),
        ("expires_at", 1),
        ("name", "a\x1b[2Jb"),
        ("tenant_id", " acme"),
        ("models", ("",)),
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(shelf: Shelf, field: str, value: object) -> None:
    with pytest.raises(CommandRefused) as refused:
        await shelf.make(**{field: value})

    assert refused.value.field == field
    assert (await shelf.ring.listing(ListKeys(all=True))).rows == ()


async def test_an_unknown_key_cannot_be_revoked(shelf: Shelf) -> None:
    await shelf.make()

    for name in ("", "hz-", "key_nobody"):
        with pytest.raises(CommandRefused):
            await shelf.ring.revoke(RevokeKey(key=name))
