"""The one door to SQLite: what an awaited write promises, and what happens when it fails."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from engine.events import AccountPaused, Recorded
from engine.kernel.errors import CommitUnknown, StorageError
from engine.kernel.values import Instant
from engine.storage import Database, Tx, Write
from engine.storage.sqlite import connect, migrate


def paused(name: str) -> AccountPaused:
    return AccountPaused(at=Instant(1), account_id=name, reason="test")


class Note:
    """A write: one row of `meta`, and an event that says so."""

    def __init__(self, key: str, *, size: int = 1, fail: Exception | None = None) -> None:
        self.key, self.size, self.fail = key, size, fail

    def __call__(self, tx: Tx) -> str:
        tx.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (self.key, "x" * self.size))
        tx.emit(paused(self.key))
        if self.fail is not None:
            raise self.fail
        return self.key


async def keys(database: Database) -> list[str]:
    async with database.reader() as reader:
        return [row["key"] for row in await reader.rows("SELECT key FROM meta ORDER BY key")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "huntaze.db"


async def test_a_write_returns_its_result_and_is_read_back(path: Path) -> None:
    async with Database.open(path) as database:
        assert await database.write(Note("a")) == "a"
        assert await keys(database) == ["a"]


async def test_the_file_is_its_owners_only(path: Path) -> None:
    async with Database.open(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_writes_asked_for_together_share_a_commit_and_run_in_order(path: Path) -> None:
    async with Database.open(path) as database:
        order: list[int] = []
        await asyncio.gather(*(database.write(_appending(order, number)) for number in range(200)))

        assert database.commits == 1
        assert order == list(range(200))


async def test_a_write_in_no_hurry_holds_up_nobody_and_shares_a_crowds_commit(path: Path) -> None:
    async with Database.open(path) as database:
        lingering = database.submit(lambda tx: tx.execute("INSERT INTO meta VALUES ('mine', 'x')"), lingers=True)
        await database.write(Note("alone"))
        alone, before = lingering.done(), database.commits
        await asyncio.gather(*(database.write(Note(f"{number}")) for number in range(8)))

        assert not alone
        assert lingering.done()
        assert database.commits == before + 1


async def test_a_write_in_no_hurry_goes_at_once_when_somebody_asks_for_it(path: Path) -> None:
    async with Database.open(path) as database:
        lingering = database.submit(lambda tx: tx.execute("INSERT INTO meta VALUES ('mine', 'x')"), lingers=True)
        database.hurry()
        await database.write(Note("next"))

        assert lingering.done()


async def test_closing_sends_off_what_lingers(path: Path) -> None:
    async with Database.open(path) as database:
        lingering = database.submit(lambda tx: tx.execute("INSERT INTO meta VALUES ('mine', 'x')"), lingers=True)

    assert lingering.done()


async def test_a_write_in_no_hurry_does_not_wait_for_company_for_ever(path: Path) -> None:
    async with Database.open(path) as database:
        async with asyncio.timeout(5):
            await database.submit(lambda tx: tx.execute("INSERT INTO meta VALUES ('mine', 'x')"), lingers=True)


async def test_more_writes_than_a_group_take_several_commits(path: Path) -> None:
    async with Database.open(path) as database:
        await asyncio.gather(*(database.write(Note(f"{number:04}")) for number in range(600)))

        assert database.commits == 3
        assert len(await keys(database)) == 600


async def test_a_failing_write_is_undone_alone_with_its_events_and_calls(path: Path) -> None:
    called: list[str] = []

    def failing(tx: Tx) -> None:
        tx.after_commit(lambda: called.append("failing"))
        Note("bad", fail=RuntimeError("no"))(tx)

    async with Database.open(path) as database:
        published: list[Recorded] = []
        database.on_commit(published.extend)
        results = await asyncio.gather(
            database.write(Note("a")),
            database.write(failing),
            database.write(Note("b")),
            database.write(lambda tx: tx.execute("INSERT INTO nowhere VALUES (1)")),
            database.write(Note("c")),
            return_exceptions=True,
        )

        assert [type(result) for result in results] == [str, RuntimeError, str, sqlite3.OperationalError, str]
        assert await keys(database) == ["a", "b", "c"]
        assert [item.event for item in published] == [paused("a"), paused("b"), paused("c")]
        assert called == []


async def test_an_event_that_cannot_be_recorded_fails_its_own_write_only(path: Path) -> None:
    async with Database.open(path) as database:
        results = await asyncio.gather(
            database.write(lambda tx: tx.emit(paused("\ud800"))), database.write(Note("a")), return_exceptions=True
        )

        assert [type(result) for result in results] == [TypeError, str]


async def test_what_asked_to_be_called_is_called_once_after_the_commit(path: Path) -> None:
    async with Database.open(path) as database:
        seen: list[int] = []

        def call() -> None:
            seen.append(database.commits)

        await asyncio.gather(*(database.write(lambda tx: tx.after_commit(call)) for _ in range(5)))

        assert seen == [1]


async def test_a_full_disk_makes_the_commit_unknown_and_the_database_goes_on_when_there_is_room(path: Path) -> None:
    async with Database.open(path) as database:
        published: list[Recorded] = []
        database.on_commit(published.extend)
        pages = await database.write(lambda tx: tx.execute("PRAGMA page_count").fetchone()[0])
        await _limit_pages(database, pages + 2)

        results = await asyncio.gather(
            database.write(Note("small")), database.write(Note("big", size=100_000)), return_exceptions=True
        )

        # SQLite undoes either the one statement that found no room or the whole transaction; both are honest.
        assert isinstance(results[1], CommitUnknown | sqlite3.OperationalError)
        assert await keys(database) == (["small"] if results[0] == "small" else [])
        assert isinstance(results[0], CommitUnknown) or len(published) == 1

        await _limit_pages(database, 1_000_000)
        assert await database.write(Note("big", size=100_000)) == "big"
        assert [item.seq for item in await database.events_after(0)] == [
            number + 1 for number in range(len(await keys(database)))
        ]


async def test_a_failed_commit_is_unknown_to_all_of_its_group_and_publishes_nothing(path: Path) -> None:
    async with Database.open(path) as database:
        published: list[Recorded] = []
        database.on_commit(published.extend)
        # A deferred foreign key is checked by COMMIT itself, which is the only thing that fails here.
        await database.write(
            lambda tx: tx.execute(
                "CREATE TABLE child (parent TEXT REFERENCES meta (key) DEFERRABLE INITIALLY DEFERRED) STRICT"
            )
        )

        results = await asyncio.gather(
            database.write(Note("innocent")),
            database.write(lambda tx: tx.execute("INSERT INTO child VALUES ('nobody')")),
            return_exceptions=True,
        )

        assert [type(result) for result in results] == [CommitUnknown, CommitUnknown]
        assert published == []
        assert await database.write(Note("innocent")) == "innocent"
        assert [item.seq for item in published] == [1]


def _appending(order: list[int], number: int) -> Write[None]:
    return lambda tx: order.append(number)


async def _limit_pages(database: Database, pages: int) -> None:
    await database.write(lambda tx: tx.execute(f"PRAGMA max_page_count={pages}").fetchone())


async def test_cancelling_the_wait_does_not_undo_the_write(path: Path) -> None:
    async with Database.open(path) as database:
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(database.write(Note("a")))
            await asyncio.sleep(0)
            waiting.cancel()
        await database.write(Note("b"))

        assert waiting.cancelled()
        assert await keys(database) == ["a", "b"]


async def test_events_are_published_in_order_without_a_gap_before_the_writer_goes_on(path: Path) -> None:
    async with Database.open(path) as database:
        published: list[int] = []
        database.on_commit(lambda recorded: published.extend(item.seq for item in recorded))

        async def write(number: int) -> None:
            fail = ValueError() if number % 7 == 0 else None
            try:
                await database.write(Note(f"{number}", fail=fail))
            except ValueError:
                return
            assert len(published) > 0

        for start in range(0, 300, 50):
            await asyncio.gather(*(write(number) for number in range(start, start + 50)))

        expected = list(range(1, 300 - 43 + 1))
        assert published == expected
        assert [item.seq for item in await database.events_after(0)] == expected
        async with database.reader() as reader:
            assert await reader.seq() == expected[-1]


async def test_the_sequence_goes_on_after_a_restart_also_when_the_log_was_pruned(path: Path) -> None:
    async with Database.open(path) as database:
        await database.write(Note("a"))
        await database.write(lambda tx: tx.execute("DELETE FROM events"))

    async with Database.open(path) as database:
        await database.write(Note("b"))
        assert [item.seq for item in await database.events_after(0)] == [2]


async def test_readers_cannot_write(path: Path) -> None:
    async with Database.open(path, readers=1) as database:
        async with database.reader() as reader:
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await reader.rows("INSERT INTO meta (key, value) VALUES ('a', 'b')")

        assert await keys(database) == []


async def test_a_view_sees_one_state_while_others_write(path: Path) -> None:
    async with Database.open(path) as database, database.view() as view:
        before = await view.rows("SELECT count(*) FROM meta")
        await database.write(Note("a"))

        assert [tuple(row) for row in await view.rows("SELECT count(*) FROM meta")] == [tuple(row) for row in before]
        assert await keys(database) == ["a"]


async def test_a_reader_is_given_back_when_its_view_is_cancelled(path: Path) -> None:
    async with Database.open(path, readers=1) as database:

        async def hold() -> None:
            async with database.view():
                await asyncio.Event().wait()

        for passes in range(20):
            async with asyncio.TaskGroup() as tasks:
                holder = tasks.create_task(hold())
                for _ in range(passes):
                    await asyncio.sleep(0)
                holder.cancel()
            async with asyncio.timeout(5):
                await database.write(Note(f"{passes}"))
                assert len(await keys(database)) == passes + 1


async def test_the_wal_is_small_again_after_a_long_reader(path: Path) -> None:
    limit, wal = 1 << 20, path.with_name(path.name + "-wal")
    async with Database.open(path, wal_limit=limit, synchronous="OFF") as database:
        async with database.view() as view:
            await view.rows("SELECT count(*) FROM meta")
            for number in range(60):
                await database.write(Note(f"{number}", size=100_000))
            grown = wal.stat().st_size
        for number in range(3):
            await database.write(Note(f"after {number}"))

        assert grown > 5 * limit
        assert wal.stat().st_size <= limit


async def test_the_wal_stays_bounded_while_short_reads_overlap_for_ever(path: Path) -> None:
    limit, wal, largest = 1 << 20, path.with_name(path.name + "-wal"), 0
    opened = Database.open(path, wal_limit=limit, synchronous="OFF", readers=3)
    async with opened as database, asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(_read_for_ever(database)) for _ in range(3)]
        for number in range(100):
            await database.write(Note(f"{number}", size=100_000))
            largest = max(largest, wal.stat().st_size)
        for reader in readers:
            reader.cancel()

    assert largest < 5 * limit


async def _read_for_ever(database: Database) -> None:
    """Reads of about a millisecond, one after the other."""
    count = "WITH RECURSIVE n (i) AS (SELECT count(*) FROM meta UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
    while True:
        async with database.reader() as reader:
            await reader.rows(f"{count} SELECT max(i) FROM n")


async def test_closing_carries_out_what_was_asked_and_ends_every_thread(path: Path) -> None:
    before = set(threading.enumerate())
    async with Database.open(path) as database:
        asked = [database.submit(Note(f"{number}")) for number in range(300)]

    assert all(future.result() for future in asked)
    left = [thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("asyncio_")]
    assert left == []
    gc.collect()  # an unclosed connection would warn here, and warnings are errors


async def test_a_closed_database_refuses_writes(path: Path) -> None:
    async with Database.open(path) as database:
        pass

    with pytest.raises(StorageError, match="not open"):
        await database.write(Note("a"))


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    async with Database.open(path) as database:
        await database.write(lambda tx: tx.execute("INSERT INTO migrations (number, name) VALUES (9999, 'future')"))
    before = path.read_bytes()

    with pytest.raises(StorageError, match="newer version"):
        async with Database.open(path):
            pass

    assert path.read_bytes() == before


async def test_opening_again_migrates_nothing_and_keeps_everything(path: Path) -> None:
    found = []
    for _ in range(2):
        async with Database.open(path) as database, database.reader() as reader:
            rows = await reader.rows("SELECT number, name FROM migrations ORDER BY number")
            found.append([tuple(row) for row in rows])
            if len(found) == 1:
                await database.write(Note("a"))
            assert await reader.rows("SELECT 1 FROM meta WHERE key = 'a'")

    assert found[0] == found[1]


def test_every_migration_is_applied_in_order_once(path: Path) -> None:
    connection = connect(path)
    try:
        migrate(connection)
        migrate(connection)
        names = [row["name"] for row in connection.execute("SELECT name FROM migrations ORDER BY number")]
    finally:
        connection.close()

    assert names == sorted(names)
    assert names[:2] == ["0001_base.sql", "0002_queue.sql"]


def test_migrations_are_all_applied_or_none(path: Path) -> None:
    connection = connect(path)
    try:
        connection.execute("CREATE TABLE keyframes (in_the_way TEXT)")
        with pytest.raises(sqlite3.OperationalError, match="keyframes"):
            migrate(connection)
        tables = [row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        applied = connection.execute("SELECT count(*) FROM migrations").fetchone()[0]
    finally:
        connection.close()

    assert (sorted(tables), applied) == (["keyframes", "migrations"], 0)
