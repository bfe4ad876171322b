"""The one door to SQLite: one writer with group commit, a few readers, and the event log.

A write is a function of an open transaction. The writer's thread takes up to 256 that wait, runs each in a savepoint of
one transaction, records the events they emitted in that same transaction, and commits once, with `synchronous=FULL`: an
awaited write that returned has survived power loss. A write that raised is rolled back alone. When the commit itself
fails nothing is known: every write of the group gets CommitUnknown, and its events are not published.

Writes that callers ask for in one pass of the loop cross to the thread together, and their answers come back together:
the two threads share one interpreter lock, so each crossing costs more than the statements of a write.

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
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from importlib import resources
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiosqlite
import orjson

from engine.events import Event, Recorded, from_fields
from engine.kernel.errors import CommitUnknown, StorageError

T = TypeVar("T")

GROUP = 256  # writes a transaction; more would only lengthen the wait of the first
WAL_LIMIT = 64 << 20  # bytes; a WAL that slow readers let grow past this is started over
_LINGER = 0.02  # seconds that a write in no hurry waits for company, so that a lone caller pays for few commits
_CROWD = 4  # writes that somebody waits for, from which those in no hurry go with them
_BUSY_TIMEOUT = 5000  # milliseconds; for a stranger's tool on the file, since the engine itself never contends
_CHECKPOINT_AT = 8_000  # pages of WAL; SQLite's 1,000 is every third or fourth group, each with two more fsyncs
_CHECKPOINT_WAIT = 20  # milliseconds; how long writes may stand still for readers while the WAL is truncated
_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={_BUSY_TIMEOUT}",
    f"wal_autocheckpoint={_CHECKPOINT_AT}",
    "cache_size=-16000",
)
_READER_PRAGMAS = ("query_only=ON", "wal_autocheckpoint=0", f"busy_timeout={_BUSY_TIMEOUT}", "cache_size=-4000")


class Tx:
    """An open write transaction: SQL, the events that will be true once it commits, and what to call then.

    One serves every write of a group in turn; a write must not keep it.
    """

    __slots__ = ("calls", "connection", "events", "execute", "executemany", "rows")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.events: list[Event] = []
        self.rows: list[tuple[int, str, bytes]] = []  # of the event log
        self.calls: list[Callable[[], None]] = []

    def emit(self, event: Event) -> None:
        """Record an event in this transaction; it is published after the commit."""
        self.rows.append((event.at, type(event).__name__, orjson.dumps(event)))
        self.events.append(event)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this on the event loop once the commit stands; once, however many writes of the group ask for it."""
        self.calls.append(call)


Write = Callable[[Tx], T]

Companion = Callable[[Tx, Write[Any]], Any]
"""Runs a write that it is given, and may write beside it: both commit together, or neither."""

_companion: ContextVar[Companion | None] = ContextVar("companion", default=None)


@contextlib.contextmanager
def accompanied(companion: Companion) -> Iterator[None]:
    """Lead the writes asked for in this context, those in no hurry left out, through a companion."""
    token = _companion.set(companion)
    try:
        yield
    finally:
        _companion.reset(token)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let the writes asked for in here go without a companion: they are no part of what it stands beside."""
    token = _companion.set(None)
    try:
        yield
    finally:
        _companion.reset(token)


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


def _recorded(rows: Iterable[sqlite3.Row]) -> list[Recorded]:
    """Kinds of a newer version are left out."""
    found = ((row["seq"], from_fields(row["kind"], orjson.loads(row["data"]))) for row in rows)
    return [Recorded(number, event) for number, event in found if event is not None]


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

    def __init__(self, path: Path, *, synchronous: str = "FULL", wal_limit: int = WAL_LIMIT) -> None:
        self.path = path
        self._wal = path.with_name(path.name + "-wal")
        self._wal_limit = wal_limit
        self._wal_patience = wal_limit  # bytes; a WAL longer than this is worth a try to start it over
        self._synchronous = synchronous
        self._outbox: list[_Pending[Any]] = []  # asked for in this pass of the loop
        self._flushing = False  # whether the end of this pass sends them off
        self._lingering: list[_Pending[Any]] = []  # in no hurry
        self._inbox: queue.SimpleQueue[list[_Pending[Any]] | None] = queue.SimpleQueue()
        self._readers: asyncio.Queue[Reader] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._publish: Callable[[Sequence[Recorded]], None] = lambda recorded: None
        self.commits = 0  # transactions committed, for the benchmarks and the health page
        self.ended = 0  # transactions that ended, also those of an unknown end: while it stands, nothing was changed

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, path: Path, *, readers: int = 3, synchronous: str = "FULL", wal_limit: int = WAL_LIMIT
    ) -> AsyncIterator[Database]:
        """Open, migrate and close. `synchronous` is OFF only in benchmarks that state the cost of fsync apart."""
        self = cls(path, synchronous=synchronous, wal_limit=wal_limit)
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
        return await self.submit(write)

    def submit(self, write: Write[T], *, lingers: bool = False) -> asyncio.Future[T]:
        """As `write`, for callers on the event loop that do not wait at once.

        Writes run in the order submitted, but for those that `lingers`: they are in no hurry, and wait up to 20 ms for
        a crowd to share its commit with, or for company of their own kind. So none of them holds up who waits.
        """
        if self._loop is None or self._closed:
            raise StorageError(f"{self.path} is not open")
        future: asyncio.Future[T] = self._loop.create_future()
        companion = None if lingers else _companion.get()
        pending = _Pending(write if companion is None else _beside(companion, write), future)
        if lingers:
            if not self._lingering:
                self._loop.call_later(_LINGER, self.hurry)
            self._lingering.append(pending)
            if len(self._lingering) >= GROUP:
                self.hurry()
        else:
            if not self._flushing:
                self._flushing = True
                self._loop.call_soon(self._flush)
            self._outbox.append(pending)
        return future

    def hurry(self) -> None:
        """Send off what lingers: somebody waits for it after all."""
        self._outbox += self._lingering
        self._lingering = []
        self._flush()

    def _flush(self) -> None:
        self._flushing = False
        if len(self._outbox) >= _CROWD:
            self._outbox += self._lingering
            self._lingering = []
        if self._outbox:
            self._inbox.put(self._outbox)
            self._outbox = []

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
            try:
                await reader.rows("BEGIN")  # in the try: a cancelled wait does not stop the thread from beginning
                yield reader
            finally:
                await asyncio.shield(reader.rows("ROLLBACK"))

    async def events_after(self, seq: int, *, limit: int = 1000) -> list[Recorded]:
        """Recorded events past a sequence number, oldest first. Kinds of a newer version are left out."""
        async with self.reader() as reader:
            rows = await reader.rows(
                "SELECT seq, kind, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
            )
        return _recorded(rows)

    async def events_about(self, identifier: str, seq: int, *, limit: int = 1000) -> list[Recorded]:
        """The newest recorded events past a sequence number with a field that is this text, oldest first."""
        async with self.reader() as reader:
            rows = await reader.rows(
                "SELECT seq, kind, data FROM events WHERE seq > ? AND instr(data, ?) ORDER BY seq DESC LIMIT ?",
                (seq, orjson.dumps(identifier), limit),
            )
        return _recorded(reversed(rows))

    async def _close(self) -> None:
        self._closed = True
        self.hurry()
        self._inbox.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    # ── the writer's thread ─────────────────────────────────────────────────────────────────────────────────────────

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.path, synchronous=self._synchronous)
        try:
            connection.execute(f"PRAGMA journal_size_limit={self._wal_limit}")
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _work(self, connection: sqlite3.Connection) -> None:
        while (waiting := self._take()) is not None:
            for start in range(0, len(waiting), GROUP):
                group = waiting[start : start + GROUP]
                self._answer(group, *self._commit(connection, group))
            self._bound_wal(connection)
        connection.close()

    def _take(self) -> list[_Pending[Any]] | None:
        """Everything that waits, at least one group's worth if there is as much; None when the database closes."""
        waiting = self._inbox.get()
        with contextlib.suppress(queue.Empty):
            while waiting is not None and len(waiting) < GROUP:
                more = self._inbox.get_nowait()
                if more is None:
                    self._inbox.put(None)
                    return waiting
                waiting += more
        return waiting

    def _commit(
        self, connection: sqlite3.Connection, group: list[_Pending[Any]]
    ) -> tuple[list[Recorded], list[Callable[[], None]]]:
        tx = Tx(connection)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for pending in group:
                _run(tx, pending)
            recorded = _record(tx)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to every caller; the thread must outlive it
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            for pending in group:
                pending.error = CommitUnknown(f"{self.path} did not commit: {error}")
            return [], []
        else:
            self.commits += 1
            return recorded, tx.calls
        finally:
            self.ended += 1

    def _answer(self, group: list[_Pending[Any]], recorded: list[Recorded], calls: list[Callable[[], None]]) -> None:
        def answer() -> None:
            for pending in group:
                pending.answer()
            for call in dict.fromkeys(calls):
                call()
            if recorded:
                self._publish(recorded)

        assert self._loop is not None  # noqa: S101 - set before the thread starts
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(answer)

    def _bound_wal(self, connection: sqlite3.Connection) -> None:
        """Start the WAL over once it is past its limit. SQLite does so by itself, but only at a write that finds no
        reader in it, which may never come where readers overlap."""
        size = _size(self._wal)
        if size <= self._wal_patience:
            return
        connection.execute(f"PRAGMA busy_timeout={_CHECKPOINT_WAIT}")
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT}")
        # While one reader stays, the next try waits for some growth, or every group would stand still for it.
        self._wal_patience = max(self._wal_limit, _size(self._wal) + self._wal_limit // 8)


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


def _beside(companion: Companion, write: Write[T]) -> Write[T]:
    def both(tx: Tx) -> T:
        result: T = companion(tx, write)
        return result

    return both


def _run(tx: Tx, pending: _Pending[Any]) -> None:
    """Run one write in a savepoint; if it fails, undo it alone, with its events."""
    execute, events, calls = tx.connection.execute, len(tx.events), len(tx.calls)
    execute("SAVEPOINT one")
    try:
        pending.result = pending.write(tx)
    except BaseException as error:  # noqa: BLE001 - handed to the caller, whose write it was
        execute("ROLLBACK TO one")
        del tx.events[events:], tx.rows[events:], tx.calls[calls:]
        pending.error = error
    execute("RELEASE one")


def _record(tx: Tx) -> list[Recorded]:
    """Append the transaction's events to the log and return them with their sequence numbers."""
    if not tx.events:
        return []
    tx.executemany("INSERT INTO events (at, kind, data) VALUES (?, ?, ?)", tx.rows)
    last: int = tx.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()[0]
    return [Recorded(last - len(tx.events) + 1 + index, event) for index, event in enumerate(tx.events)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date: numbered files, forward only, in one transaction: all that are missing, or none.

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
    missing = {number: item for number, item in known.items() if number not in done}
    if not missing:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number, item in missing.items():
            _apply(connection, number, item.name, item.read_text())
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _apply(connection: sqlite3.Connection, number: int, name: str, script: str) -> None:
    for statement in _statements(script):
        connection.execute(statement)
    connection.execute("INSERT INTO migrations (number, name) VALUES (?, ?)", (number, name))


def _statements(script: str) -> list[str]:
    found, start = [], 0
    for end, character in enumerate(script):
        if character == ";" and sqlite3.complete_statement(script[start : end + 1]):
            found.append(script[start : end + 1])
            start = end + 1
    return found
