"""Writes whose callers do not wait for them: submitted at once, kept track of until they stand, repeated if they fail.

Only for what a crash may lose without harm: the settlement of an attempt whose row is still open (the ledger's recovery
then charges it), the telling of a fallback.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from engine.kernel.errors import StorageError
from engine.storage import Database, Tx

_log = logging.getLogger(__name__)

ROOM = 1024  # writes under way or to be repeated; whoever comes when they are more waits for its own
_TRIES = 20  # of one write; about so many seconds, while `mend` runs each second


@dataclass(slots=True)
class _Trailing:
    write: Callable[[Tx], object]
    what: str
    tries: int = 0


class Trailing:
    """Bounded: `full` says when to wait for a write oneself. Every write must bear being repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._under_way: set[asyncio.Future[object]] = set()
        self._failed: deque[_Trailing] = deque()

    @property
    def full(self) -> bool:
        return len(self._under_way) + len(self._failed) >= ROOM

    @property
    def outstanding(self) -> int:
        """Writes that do not stand yet."""
        return len(self._under_way) + len(self._failed)

    def put(self, write: Callable[[Tx], object], what: str) -> None:
        """Submit a write; `what` names it should it fail. Raises StorageError when the database is closed."""
        self._submit(_Trailing(write, what))

    async def mend(self) -> None:
        """Repeat what failed, once. The bootstrap has a service call it each second."""
        for _ in range(len(self._failed)):
            self._submit(self._failed.popleft())

    async def drain(self) -> None:
        """Return when every write stands, or failed once more."""
        await self.mend()
        while self._under_way:
            self._database.hurry()
            await asyncio.wait(self._under_way)
            await asyncio.sleep(0)  # for the callbacks that take them off

    def _submit(self, one: _Trailing) -> None:
        one.tries += 1
        future: asyncio.Future[object] = self._database.submit(one.write, lingers=True)
        self._under_way.add(future)
        future.add_done_callback(lambda done: self._done(one, done))

    def _done(self, one: _Trailing, future: asyncio.Future[object]) -> None:
        self._under_way.discard(future)
        error = None if future.cancelled() else future.exception()
        if error is None:
            if one.tries > 1:
                _log.info("%s stands now, at the %d. try", one.what, one.tries)
            return
        if isinstance(error, StorageError) and one.tries < _TRIES:
            _log.warning("%s is not written yet and will be tried again: %s", one.what, error)
            self._failed.append(one)
        else:
            _log.error("%s was given up: %s", one.what, error)
