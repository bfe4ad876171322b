"""The small regular work: queue depths, the turn of the day, leases and holds that ran out, old rows."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from engine.accounts import audit
from engine.costs import Ledger
from engine.events import Event, PeriodTurned, QueueSampled
from engine.kernel.clock import Clock
from engine.kernel.periods import day_of
from engine.kernel.values import DAY
from engine.queue import JobStore
from engine.runtime.past import forget_keyframes
from engine.runtime.projector import Projector
from engine.storage import Database, Tx

MEND_EVERY = 1.0  # real seconds; how often writes that failed are repeated
SAMPLE_EVERY = 1.0  # real seconds; depths move in bulk, and a look costs two queries where something moved
HOUSEKEEP_EVERY = 20.0  # real seconds

_EVENTS_KEPT = 90 * DAY  # nanoseconds; as long as the alerts' history
_KEYS_KEPT = 7 * DAY  # nanoseconds that an idempotency key is remembered
_AT_ONCE = 5_000  # old events deleted in one transaction


class Sampler:
    """Publishes what changes without an event of its own."""

    def __init__(
        self, database: Database, jobs: JobStore, projector: Projector, clock: Clock, queues: tuple[str, ...]
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._projector = projector
        self._clock = clock
        self._queues = queues
        self._seen = -1  # what had ended in the database at the last look at the queues, which it alone changes

    async def sample(self) -> None:
        """One look: an event for each queue whose figures changed, and for a new day."""
        ended = self._database.ended
        events: list[Event] = []
        if ended != self._seen:
            events = [event for queue in self._queues if (event := await self._queue(queue))]
            self._seen = ended
        events += self._turned()
        if events:
            await self._database.write(lambda tx: _emit(tx, events))

    async def _queue(self, queue: str) -> Event | None:
        depth = await self._jobs.depth(queue)
        known = self._projector.snapshot.queues.get(queue)
        figures = (depth.ready, depth.delayed, depth.leased, depth.parked, depth.dead, depth.oldest_at)
        if known and figures == (known.ready, known.delayed, known.leased, known.parked, known.dead, known.oldest_at):
            return None
        return QueueSampled(
            at=self._clock.now(),
            queue=queue,
            ready=depth.ready,
            delayed=depth.delayed,
            leased=depth.leased,
            parked=depth.parked,
            dead=depth.dead,
            oldest_at=depth.oldest_at,
        )

    def _turned(self) -> list[Event]:
        now, snapshot = self._clock.now(), self._projector.snapshot
        if now < snapshot.money.day_ends:
            return []
        return [PeriodTurned(at=now, day=day_of(now, ZoneInfo(snapshot.engine.time_zone)))]


class Housekeeper:
    """Gives back what was lost, and forgets what is old."""

    def __init__(self, database: Database, jobs: JobStore, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._jobs = jobs
        self._ledger = ledger
        self._clock = clock

    async def tidy(self) -> None:
        now = self._clock.now()
        await self._ledger.sweep(now)
        await self._database.write(lambda tx: self._jobs.expire(tx, now))
        await self._database.write(lambda tx: _forget(tx, now))
        await self._database.write(lambda tx: audit.prune(tx, now))


def _forget(tx: Tx, now: int) -> None:
    tx.execute(
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? ORDER BY seq LIMIT ?)",
        (now - _EVENTS_KEPT, _AT_ONCE),
    )
    forget_keyframes(tx)
    tx.execute("DELETE FROM idempotency WHERE made_at < ?", (now - _KEYS_KEPT,))


def _emit(tx: Tx, events: list[Event]) -> None:
    for event in events:
        tx.emit(event)
