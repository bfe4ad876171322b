"""Those who ask for the same at the same time share one call, and its bill.

The first to ask takes off; whoever asks for the same until the answer is complete takes a seat. The call belongs to
none of them: one who leaves does not end it, and when the last has left it is cancelled and settled. A call never
outlives its callers by more than its own settlement, for which `drain` waits at the end.

The bill is split in the transaction that settles it: equal shares, what does not divide goes to the first. Each
caller's own conclusion is written there with its share, and one that fails fails alone. A failure reaches every caller
once, each as an error of its own; the next one to ask starts afresh. Two refusals are the first caller's alone: its
budget, and its deadline. Those who have another go on without it.

Pieces of a stream are kept while the call lasts: who joins late gets them from the beginning, and a slow reader reads
on from where it stands while the others have long gone ahead. What is kept is one answer, so its cap bounds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.events import AnswerReused, CallsShared
from engine.kernel.clock import Clock
from engine.kernel.errors import BudgetRefused, ErrorClass, ProviderError
from engine.kernel.values import NanoUSD
from engine.orchestrator.cache import consults
from engine.orchestrator.fingerprint import fingerprint
from engine.orchestrator.replay import replay
from engine.orchestrator.router import route_of
from engine.orchestrator.savings import Reuse, note
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.task import Answer, Conclusion, Hit, Stage, Task
from engine.providers import Chunk
from engine.storage import Database, Tx


@dataclass(slots=True, eq=False)
class _Seat:
    """One caller aboard."""

    task: Task
    deadline: int
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # there is more to read, or it is over
    taken: int = 0  # pieces handed to its reader
    answer: Answer | None = None  # once its part in the settlement is fixed
    write: Conclusion | None = None
    failure: Exception | None = None  # of its own conclusion


@dataclass(slots=True, eq=False)
class _Flight:
    """One call under way. `deadline` and `payer` are the first caller's."""

    key: bytes
    deadline: int
    payer: tuple[str, ...]
    streams: bool
    seats: list[_Seat] = field(default_factory=list)
    pieces: list[Chunk] = field(default_factory=list)
    answered: bool = False  # from here on seats are late: their part is not in the settlement
    running: asyncio.Task[Answer] | None = None

    @property
    def landed(self) -> bool:
        return self.running is not None and self.running.done()

    async def emit(self, piece: Chunk) -> None:
        self.pieces.append(piece)
        self.stir()

    def stir(self) -> None:
        for seat in self.seats:
            seat.stirred.set()


class _StartAfreshError(Exception):
    """What ended the flight does not concern this seat."""


class Coalescer:
    """See Stage. `inner` must conclude each answer exactly once."""

    def __init__(self, inner: Stage, database: Database, clock: Clock, settings: OrchestratorSettings) -> None:
        self._inner = inner
        self._database = database
        self._clock = clock
        self._settings = settings
        self._flights: dict[bytes, _Flight] = {}
        self._running: set[asyncio.Task[Answer]] = set()

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    @property
    def in_flight(self) -> int:
        return len(self._running)

    async def drain(self) -> None:
        """Return when no call is under way any more; the callers have all gone."""
        while self._running:
            await asyncio.wait(self._running)

    async def complete(self, task: Task) -> Answer:
        route = route_of(self._settings, task.tool)
        if not consults(task, route):
            return await self._inner.complete(task)
        key = task.fingerprint or fingerprint(task, route)
        now = self._clock.now()
        deadline = task.deadline if task.deadline is not None else now + self._settings.total
        while True:
            flight = self._flights.get(key) or self._take_off(key, task, deadline)
            seat = _Seat(task, deadline)
            flight.seats.append(seat)
            late = flight.answered
            try:
                return await self._ride(flight, seat, late=late)
            except _StartAfreshError:
                continue

    # ── taking off and landing ──────────────────────────────────────────────────────────────────────────────────────

    def _take_off(self, key: bytes, task: Task, deadline: int) -> _Flight:
        flight = _Flight(key, deadline, _payer(task), streams=task.emit is not None)
        own = task._replace(
            deadline=deadline,
            conclude=lambda answer: self._conclude(flight, answer),
            emit=flight.emit if flight.streams else None,
        )
        flight.running = asyncio.get_running_loop().create_task(self._inner.complete(own), name="flight")
        flight.running.add_done_callback(lambda running: self._land(flight, running))
        self._running.add(flight.running)
        self._flights[key] = flight
        return flight

    def _land(self, flight: _Flight, running: asyncio.Task[Answer]) -> None:
        self._running.discard(running)
        self._close(flight)
        flight.stir()
        if not running.cancelled():
            running.exception()  # its callers have it, or have gone

    def _close(self, flight: _Flight) -> None:
        """Let nobody else aboard."""
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    # ── aboard ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ride(self, flight: _Flight, seat: _Seat, *, late: bool) -> Answer:
        try:
            if not await self._arrives(flight, seat):
                raise _too_late(seat.task)
            self._check(flight, seat)
        except BaseException:
            await self._leave(flight, seat)
            raise
        assert flight.running is not None  # noqa: S101 - it has landed
        answer = flight.running.result()
        if seat.task.emit is not None and not flight.streams:
            for piece in replay(seat.task, answer):
                await seat.task.emit(piece)
        if late:
            return await self._serve(seat.task, answer)
        if seat.failure is not None:
            raise seat.failure
        if seat.answer is None:  # alone, with nothing to write
            return answer
        return seat.answer._replace(duration=answer.duration, failed=answer.failed)

    async def _arrives(self, flight: _Flight, seat: _Seat) -> bool:
        """Whether the flight lands, and its stream is read to the end, before the seat's own deadline."""
        if seat.deadline >= flight.deadline:  # the flight's own deadline comes first
            await self._follow(flight, seat)
            return True
        try:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow(flight, seat))
                asleep = group.create_task(self._clock.sleep_until(seat.deadline))
                await asyncio.wait((following, asleep), return_when=asyncio.FIRST_COMPLETED)
                arrived = following.done()
                following.cancel()
                asleep.cancel()
        except ExceptionGroup as failed:  # its reader's own
            raise failed.exceptions[0] from None
        return arrived

    async def _follow(self, flight: _Flight, seat: _Seat) -> None:
        emit = seat.task.emit if flight.streams else None
        while True:
            seat.stirred.clear()
            while emit is not None and seat.taken < len(flight.pieces):
                piece = flight.pieces[seat.taken]
                seat.taken += 1
                await emit(piece)
            if flight.landed:
                return
            await seat.stirred.wait()

    def _check(self, flight: _Flight, seat: _Seat) -> None:
        """Raise what ended the flight, as the seat's own; or _StartAfreshError where it is not the seat's concern."""
        running = flight.running
        assert running is not None  # noqa: S101 - it has landed
        if running.cancelled():
            raise asyncio.CancelledError
        error = running.exception()
        if error is None:
            return
        others = isinstance(error, BudgetRefused) and flight.payer != _payer(seat.task)
        if isinstance(error, ProviderError) and error.error_class is ErrorClass.TIMEOUT:
            now = self._clock.now()
            others = flight.deadline <= now < seat.deadline
        if others and not seat.taken:
            raise _StartAfreshError
        raise _own(error, begun=bool(seat.taken)) from error

    async def _leave(self, flight: _Flight, seat: _Seat) -> None:
        """Get off. The last one off ends the call and waits until it is settled."""
        if seat in flight.seats:
            flight.seats.remove(seat)
        running = flight.running
        if flight.seats or running is None or running.done():
            return
        self._close(flight)
        if not flight.answered:  # an answer that is paid for is kept all the same
            running.cancel()
        await asyncio.wait((running,))

    # ── the bill ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _conclude(self, flight: _Flight, answer: Answer) -> Conclusion | None:
        """Fix who is aboard, and make of their conclusions the one that settles the call; None of nothing to write."""
        flight.answered = True
        aboard = list(flight.seats)
        if len(aboard) < 2 and all(seat.task.conclude is None for seat in aboard):
            return None
        for position, seat in enumerate(aboard):
            seat.answer = answer._replace(hit=Hit.SHARED if position else answer.hit)
            try:
                seat.write = seat.task.conclude(seat.answer) if seat.task.conclude is not None else None
            except Exception as error:  # noqa: BLE001 - one caller's defect is not the others'
                seat.failure = error
        now = self._clock.now()

        def conclude(tx: Tx, cost: NanoUSD | None) -> None:
            for seat, share in zip(aboard, split(cost, len(aboard)), strict=True):
                _write_alone(tx, seat, share)
                _bill(seat, share, cost)
            if len(aboard) > 1:
                self._tell(tx, answer, [seat.task for seat in aboard], cost, now)

        return conclude

    def _tell(self, tx: Tx, answer: Answer, tasks: Sequence[Task], cost: NanoUSD | None, now: int) -> None:
        first, callers = tasks[0], len(tasks)
        saved = None if cost is None else cost * (callers - 1)
        shares = split(cost, callers)
        rows = [_row(answer, at, task, shares[at], now) for at, task in enumerate(tasks)]
        tx.executemany("INSERT OR REPLACE INTO call_shares VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        note(tx, now, first.tenant_id, first.tool, Reuse(shared=callers - 1, saved=saved or 0))
        tx.emit(
            CallsShared(
                at=now,
                attempt_id=answer.attempt_id,
                tenant_id=first.tenant_id,
                tool=first.tool,
                callers=callers,
                cost=cost,
                saved=saved,
            )
        )

    async def _serve(self, task: Task, answer: Answer) -> Answer:
        """Who came between the answer and its settlement gets it for nothing, in a write of its own."""
        served = answer._replace(hit=Hit.SHARED, cost=NanoUSD(0), saved=answer.cost)
        now, write = self._clock.now(), task.conclude(served) if task.conclude is not None else None
        event = AnswerReused(at=now, tenant_id=task.tenant_id, tool=task.tool, kind=str(Hit.SHARED), saved=answer.cost)

        def serve(tx: Tx) -> None:
            if write is not None:
                write(tx, NanoUSD(0))
            note(tx, now, task.tenant_id, task.tool, Reuse(shared=1, saved=answer.cost or 0))
            tx.emit(event)

        await self._database.write(serve)
        return served


def split(cost: NanoUSD | None, callers: int) -> list[NanoUSD | None]:
    """A bill in equal shares that sum to it exactly; what does not divide is the first one's."""
    if cost is None:
        return [None] * callers
    share, rest = divmod(cost, callers)
    return [NanoUSD(share + rest), *[NanoUSD(share)] * (callers - 1)]


def _payer(task: Task) -> tuple[str, ...]:
    """On whose budgets a task's call stands."""
    return (task.tenant_id, task.campaign_id, task.account_id, task.user_id)


def _write_alone(tx: Tx, seat: _Seat, share: NanoUSD | None) -> None:
    """Write a seat's conclusion; if it fails, undo it alone, with its events."""
    if seat.write is None or seat.failure is not None:
        return
    events, calls = len(tx.events), len(tx.calls)
    tx.execute("SAVEPOINT seat")
    try:
        seat.write(tx, share)
    except Exception as error:  # noqa: BLE001 - handed to the caller, whose conclusion it was
        tx.execute("ROLLBACK TO seat")
        del tx.events[events:], tx.rows[events:], tx.calls[calls:]
        seat.failure = error
    tx.execute("RELEASE seat")


def _bill(seat: _Seat, share: NanoUSD | None, cost: NanoUSD | None) -> None:
    saved = NanoUSD(cost - share) if cost is not None and share is not None and cost != share else None
    assert seat.answer is not None  # noqa: S101 - given by the caller's caller
    seat.answer = seat.answer._replace(cost=share, saved=saved)


def _row(answer: Answer, position: int, task: Task, share: NanoUSD | None, now: int) -> tuple[object, ...]:
    who = (task.tenant_id, task.campaign_id, task.account_id, task.user_id, task.job_id, task.trace_id)
    return (answer.attempt_id, position, *who, share, now)


def _own(error: BaseException, *, begun: bool) -> BaseException:
    """The same error as an instance of its own: a shared one would gather every caller's traceback."""
    make: Callable[..., BaseException] = type(error).__new__
    fresh = make(type(error), *error.args)
    fresh.args = error.args
    for slot in error.__dict__:
        setattr(fresh, slot, error.__dict__[slot])
    if isinstance(fresh, ProviderError):
        fresh.begun = begun
    return fresh


def _too_late(task: Task) -> ProviderError:
    message = "its time was over while it waited for a call that others had asked for"
    return ProviderError("none", task.tool, ErrorClass.TIMEOUT, message, reached=False)
