"""What lasts: the database and the books in it, the limits on what goes out, and the platform messages go to."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.bus import Bus
from engine.costs import Ledger, Pricer
from engine.kernel.clock import Clock, StoppedClock, SystemClock
from engine.kernel.values import new_id
from engine.limiter import Quotas
from engine.limiter.local import LocalLimiter
from engine.messaging import recover
from engine.messaging.platforms.onlyfans import OnlyFans
from engine.queue.sqlite import SqliteJobStore
from engine.storage import Database, StateDirectory, Tx, connect, migrate
from huntaze_console.bootstrap.limits import open_limits
from huntaze_console.bootstrap.start import Start
from huntaze_console.joints import note

if TYPE_CHECKING:
    from engine.limiter.redis_slots import RedisLimiter


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Open, and closed with the stack they were opened on."""

    database: Database
    bus: Bus
    epoch: str
    jobs: SqliteJobStore
    pricer: Pricer
    ledger: Ledger
    ladder: Mapping[str, str]  # a model -> the cheaper one a budget steps down to
    limiter: LocalLimiter | RedisLimiter
    quotas: Quotas
    platform: OnlyFans


async def open_stores(start: Start, stack: AsyncExitStack, *, durable: bool) -> Stores:
    """Open everything that lasts. Nothing is recovered yet."""
    settings, clock, secret = start.settings, start.clock, random.SystemRandom()
    database = await stack.enter_async_context(
        Database.open(start.directory.database_path, synchronous="FULL" if durable else "OFF")
    )
    bus = Bus()
    database.on_commit(bus.publish)
    epoch = await database.write(lambda tx: _epoch(tx, new_id("ep", clock.now(), secret)))
    pricer = await asyncio.to_thread(Pricer, settings.costs)
    ready = settings.ready_providers()
    ladder = {rung: below for rung, below in settings.costs.ladder.items() if below.partition("/")[0] in ready}
    limiter, counters = await open_limits(start, database, stack)
    own = new_id("lim", clock.now(), secret)
    platform = OnlyFans(settings.platform, clock)
    stack.push_async_callback(platform.close)
    return Stores(
        database=database,
        bus=bus,
        epoch=epoch,
        jobs=SqliteJobStore(database, clock),
        pricer=pricer,
        ledger=_ledger(start, database, pricer, ladder),
        ladder=ladder,
        limiter=limiter,
        quotas=Quotas(counters, clock, settings.quotas, lambda event: note(database, event), own),
        platform=platform,
    )


async def recover_stores(start: Start, stores: Stores) -> None:
    """Take up what a killed process left behind: leases, open attempts, messages between intent and answer."""
    now, costs = start.clock.now, start.settings.costs
    await stores.jobs.recover(now())
    await stores.ledger.recover(now())
    await stores.ledger.adopt(costs.budgets)
    await stores.database.write(lambda tx: recover(tx, now(), idempotent=stores.platform.idempotent))


def last_moment(directory: StateDirectory) -> Clock:
    """Where the time of a simulated directory stopped: at its newest event."""
    if not directory.database_path.exists():
        return SystemClock()
    with contextlib.closing(connect(directory.database_path)) as connection:
        migrate(connection)
        newest = connection.execute("SELECT max(at) FROM events").fetchone()[0]
    return SystemClock() if newest is None else StoppedClock(newest)


def _ledger(start: Start, database: Database, pricer: Pricer, ladder: Mapping[str, str]) -> Ledger:
    costs = start.settings.costs
    return Ledger(
        database,
        pricer,
        start.clock,
        outbox=start.settings.backends.ledger_sync == "dynamodb",
        lease=costs.hold_lease,
        zone=costs.time_zone,
        ladder=ladder,
        least_output=costs.least_output_tokens,
    )


def _epoch(tx: Tx, fresh: str) -> str:
    """The database's epoch: made once, so that an event id of another database is known to be another's."""
    tx.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (fresh,))
    found: str = tx.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
    return found
