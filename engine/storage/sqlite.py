"""The one door to SQLite: one writer with group commit, a few readers, and the event log.

A write is a function of an open transaction. The writer's thread takes up to 256 that wait, runs each in a savepoint of
one transaction, records the events they emitted in that same transaction, and commits once, with `synchronous=FULL`: an
awaited write that returned has survived power loss. A write that raised is rolled back alone. When the commit itself
fails nothing is known: every write of the group gets CommitUnknown, and its events are not published.

The writer is a plain connection on a thread of its own rather than an aiosqlite one, because a group must run in a
single hop to the thread; readers are aiosqlite's, query-only, and never checkpoint (SQLite before 3.51.3 can reset the
WAL under a second connection that does).
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiosqlite
import orjson

from engine.events import Event, Recorded, from_fields, to_fields
from engine.kernel.errors import CommitUnknown, StorageError

T = TypeVar("T")

GROUP = 256  # writes a transaction; more would only lengthen the wait of the first
_WAL_LIMIT = 64 << 20  # bytes; a WAL that a slow reader let grow past this is truncated at the next chance
_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "temp_store=MEMORY",
    "cache_size=-16000",
    f"journal_size_limit={_WAL_LIMIT}",
)
_READER_PRAGMAS = ("query_only=ON", "wal_autocheckpoint=0", "busy_timeout=5000", "cache_size=-4000")


class Tx:
    """An open write transaction: SQL, and the events that will be true once it commits."""

    __slots__ = ("connection", "events", "execute", "executemany")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        """Record an event in this transaction; it is published after the commit."""
        self.events.append(event)


Write = Callable[[Tx], T]


class Reader:
    """A query-only view of the database."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def rows(self, sql: str, parameters: Iterable[Any] = ()) -> list[sqlite3.Row]:
        return list(await self._connection.execute_fetchall(sql, parameters))

    async def row(self, sql: str, parameters: Iterable[Any] = ()) -> sqlite3.Row | None:
        found = await self.rows(sql, parameters)
        return found[0] if found else None

    async def seq(self) -> int:
        """The sequence number of the newest event, 0 before the first."""
        found = await self.row("SELECT seq FROM events ORDER BY seq DESC LIMIT 1")
        return found["seq"] if found else 0


class _Pending(Generic[T]):
    """A write that waits, runs, and is answered on its caller's loop."""

    __slots__ = ("error", "future", "result", "write")

    def __init__(self, write: Write[T], future: asyncio.Future[T]) -> None:
        self.write = write
        self.future = future
        self.result: T | None = None
        self.error: BaseException | None = None

    def answer(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


class Database:
    """One engine's database file. Open it with `async with Database.open(path) as database`."""

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        self.path = path
        self._synchronous = synchronous
        self._inbox: queue.SimpleQueue[_Pending[Any] | None] = queue.SimpleQueue()
        self._readers: asyncio.Queue[Reader] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._publish: Callable[[Sequence[Recorded]], None] = lambda recorded: None
        self.commits = 0  # transactions committed, for the benchmarks and the health page

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, path: Path, *, readers: int = 3, synchronous: str = "FULL") -> AsyncIterator[Database]:
        """Open, migrate and close. `synchronous` is OFF only in benchmarks that state the cost of fsync apart."""
        self = cls(path, synchronous=synchronous)
        self._loop = asyncio.get_running_loop()
        connection = await asyncio.to_thread(self._connect)
        self._thread = threading.Thread(target=self._work, args=(connection,), name="sqlite-writer", daemon=True)
        self._thread.start()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            for _ in range(readers):
                self._readers.put_nowait(await stack.enter_async_context(_reader(path)))
            yield self

    def on_commit(self, publish: Callable[[Sequence[Recorded]], None]) -> None:
        """Call `publish` on the event loop with the events of each commit, in order."""
        self._publish = publish

    async def write(self, write: Write[T]) -> T:
        """Run a write durably and return its result. Cancelling the wait does not undo the write."""
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            raise StorageError(f"{self.path} is not open")
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put(_Pending(write, future))
        return await future

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        """Borrow a reader. Each statement sees its own state; use `view` where several must agree."""
        reader = await self._readers.get()
        try:
            yield reader
        finally:
            self._readers.put_nowait(reader)

    @contextlib.asynccontextmanager
    async def view(self) -> AsyncIterator[Reader]:
        """Borrow a reader whose statements all see one state. Keep it short: it holds the WAL back."""
        async with self.reader() as reader:
            await reader.rows("BEGIN")
            try:
                yield reader
            finally:
                await asyncio.shield(reader.rows("ROLLBACK"))

    async def events_after(self, seq: int, *, limit: int = 1000) -> list[Recorded]:
        """Recorded events past a sequence number, oldest first. Kinds of a newer version are left out."""
        async with self.reader() as reader:
            rows = await reader.rows(
                "SELECT seq, kind, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
            )
        found = ((row["seq"], from_fields(row["kind"], orjson.loads(row["data"]))) for row in rows)
        return [Recorded(number, event) for number, event in found if event is not None]

    async def _close(self) -> None:
        self._inbox.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    # ── the writer's thread ─────────────────────────────────────────────────────────────────────────────────────────

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.path, synchronous=self._synchronous)
        try:
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _work(self, connection: sqlite3.Connection) -> None:
        open_for_work = True
        while open_for_work:
            group = [self._inbox.get()]
            with contextlib.suppress(queue.Empty):
                while len(group) < GROUP and group[-1] is not None:
                    group.append(self._inbox.get_nowait())
            open_for_work = group[-1] is not None
            pending = [item for item in group if item is not None]
            if pending:
                self._answer(pending, self._commit(connection, pending))
        connection.close()

    def _commit(self, connection: sqlite3.Connection, group: list[_Pending[Any]]) -> list[Recorded]:
        try:
            connection.execute("BEGIN IMMEDIATE")
            events = [event for pending in group for event in _run(connection, pending)]
            recorded = _record(connection, events)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            for pending in group:
                pending.error = CommitUnknown(f"{self.path} did not commit: {error}")
            return []
        self.commits += 1
        return recorded

    def _answer(self, group: list[_Pending[Any]], recorded: list[Recorded]) -> None:
        def answer() -> None:
            for pending in group:
                pending.answer()
            if recorded:
                self._publish(recorded)

        assert self._loop is not None  # noqa: S101 - set before the thread starts
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(answer)


def connect(path: Path, *, synchronous: str = "FULL") -> sqlite3.Connection:
    """The writing connection of a database file, created private to its owner."""
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.row_factory = sqlite3.Row
    for pragma in (*_WRITER_PRAGMAS, f"synchronous={synchronous}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


@contextlib.asynccontextmanager
async def _reader(path: Path) -> AsyncIterator[Reader]:
    async with aiosqlite.connect(path, isolation_level=None, cached_statements=256) as connection:
        connection.row_factory = sqlite3.Row
        for pragma in _READER_PRAGMAS:
            await connection.execute_fetchall(f"PRAGMA {pragma}")
        yield Reader(connection)


def _run(connection: sqlite3.Connection, pending: _Pending[Any]) -> list[Event]:
    tx = Tx(connection)
    connection.execute("SAVEPOINT one")
    try:
        pending.result = pending.write(tx)
    except BaseException as error:  # noqa: BLE001 - handed to the caller, whose write it was
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        pending.error = error
        return []
    connection.execute("RELEASE one")
    return tx.events


def _record(connection: sqlite3.Connection, events: list[Event]) -> list[Recorded]:
    """Append the events to the log and return them with their sequence numbers."""
    if not events:
        return []
    rows = [(event.at, type(event).__name__, orjson.dumps(to_fields(event))) for event in events]
    connection.executemany("INSERT INTO events (at, kind, data) VALUES (?, ?, ?)", rows)
    last: int = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()[0]
    return [Recorded(last - len(events) + 1 + index, event) for index, event in enumerate(events)]


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date: numbered files, each in a transaction of its own, forward only.

    Raises StorageError for a database that a newer version made.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
    done = {row["number"] for row in connection.execute("SELECT number FROM migrations")}
    files = sorted(
        (
            item
            for item in resources.files("engine.storage").joinpath("migrations").iterdir()
            if item.name.endswith(".sql")
        ),
        key=lambda item: item.name,
    )
    known = {int(item.name[:4]): item for item in files}
    if newer := done - known.keys():
        raise StorageError(
            f"the database was written by a newer version (migration {max(newer)})", remedy="Upgrade huntaze-console"
        )
    for number, item in known.items():
        if number not in done:
            _apply(connection, number, item.name, item.read_text())


def _apply(connection: sqlite3.Connection, number: int, name: str, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(script):
            connection.execute(statement)
        connection.execute("INSERT INTO migrations (number, name) VALUES (?, ?)", (number, name))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    found, start = [], 0
    for end, character in enumerate(script):
        if character == ";" and sqlite3.complete_statement(script[start : end + 1]):
            found.append(script[start : end + 1])
            start = end + 1
    return found
