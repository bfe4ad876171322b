"""The hop that keeps each model's breaker: it watches every call and refuses those a breaker does not admit.

What a breaker became is written in the transaction of the event that tells of it, and read again at the start. A
rehearsal passes by: it neither asks a breaker nor moves one.

What calls taught a breaker holds at once, written or not: a model that fails does so whatever the disk does. What an
operator says of it holds once it is written, whichever way: a breaker routes, and what a call may cost is the budgets'
matter, so until then and in doubt it moves by itself as before, and whoever asked is told that nothing was changed. On
disk a word of an operator stands against whatever the calls said meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from engine.events import BreakerChanged
from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass, ProviderError, StorageError
from engine.kernel.values import Random, seconds
from engine.orchestrator.breaker import NEVER, Breaker, BreakerState, Change, given_back, held
from engine.orchestrator.retries import LEFT_ALONE
from engine.orchestrator.settings import BreakerSettings, OrchestratorSettings
from engine.orchestrator.task import Answer, Hop, Target, Task
from engine.storage import Database, Reader, Tx

_log = logging.getLogger(__name__)
_KEPT = 512  # breakers; a client of the gateway may name any model


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one breaker stands. The counts are those of its window."""

    target: Target
    state: BreakerState
    reason: str = ""
    since: int = 0
    retry_at: int | None = None
    held_by: str = ""
    calls: int = 0
    failed: int = 0
    slow: int = 0


class Guarded:
    """See Hop. Ask `admits` first; a call whose breaker does not let it through any more is refused unsent."""

    def __init__(self, inner: Hop, database: Database, clock: Clock, chance: Random, settings: BreakerSettings) -> None:
        self._inner = inner
        self._database = database
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._breakers: dict[Target, Breaker] = {}

    async def load(self) -> None:
        """Take over what the last run left. Before the first call."""
        async with self._database.reader() as reader:
            rows = await standings(reader)
            trips = {(row["provider"], row["model"]): row["trips"] for row in await reader.rows(_TRIPS)}
        latest = self._clock.now() + self._settings.open_at_most * 6 // 5  # whatever a clock set back made of it
        for one in rows:
            breaker = self._breakers[one.target] = Breaker(self._settings, self._chance)
            # a probe under way died with its process, so its breaker is open and may try the next at once
            breaker.state = BreakerState.OPEN if one.state is BreakerState.HALF_OPEN else one.state
            breaker.retry_at = min(one.retry_at or 0, latest)
            breaker.trips = trips[one.target.provider, one.target.model]
            breaker.held_by, breaker.reason, breaker.changed_at = one.held_by, one.reason, one.since

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings.breaker
        for breaker in self._breakers.values():
            breaker.settings = settings.breaker

    def admits(self, target: Target) -> bool:
        """Whether the target's breaker lets a call through now."""
        breaker = self._breakers.get(target)
        return breaker is None or breaker.admits(self._clock.now())

    def admits_at(self, target: Target) -> int:
        """When the target's breaker lets the next call through, as far as it can tell now; NEVER for a held one."""
        breaker = self._breakers.get(target)
        return 0 if breaker is None else breaker.admits_at

    async def complete(self, task: Task, target: Target) -> Answer:
        if task.rehearsal:
            return await self._inner.complete(task, target)
        breaker = self._breakers.get(target) or self._breaker(target)
        now = self._clock.now()
        if not breaker.admits(now):  # it waited for its limit while others failed, or while others were probes
            raise _left_alone(target, breaker.admits_at - now)
        change = breaker.enter(now)
        probe = breaker.probing
        try:
            if change is not None:
                await self._note(target, breaker, change)
            answer = await self._inner.complete(task, target)
        except ProviderError as error:
            change = breaker.failed(self._clock.now(), error.error_class, probe=probe)
            if change is not None:
                await self._note(target, breaker, change)
            raise
        except BaseException:  # no room in a budget, cancelled, a database that fails: nothing is known of the model
            breaker.leave(probe=probe)
            raise
        took = answer.duration if answer.began is None else answer.began
        change = breaker.answered(self._clock.now(), probe=probe, took=took)
        if change is not None:
            await self._note(target, breaker, change)
        return answer

    # ── operators ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def hold(self, target: Target, state: BreakerState, actor: str) -> None:
        """Hold a breaker open or closed, across restarts, until `release`."""
        now = self._clock.now()

        def write(tx: Tx) -> None:
            known = self._breakers.get(target)
            _keep(tx, self._event(target, held(state, actor), held_by=actor), known.trips if known else 0)
            tx.after_commit(lambda: self._hold(target, state, actor, now))

        await self._database.write(write)

    def _hold(self, target: Target, state: BreakerState, actor: str, now: int) -> None:
        self._breaker(target, keep=True).hold(state, actor, now)

    async def release(self, target: Target, actor: str) -> bool:
        """Let a breaker move by itself again; False when nobody held it."""
        now = self._clock.now()

        def write(tx: Tx) -> bool:
            if not _is_held(tx, target):
                return False
            _keep(tx, self._event(target, given_back(actor)), trips=0)
            tx.after_commit(lambda: self._release(target, actor, now))
            return True

        return await self._database.write(write)

    def _release(self, target: Target, actor: str, now: int) -> None:
        self._breaker(target).release(actor, now)

    def standings(self, targets: Sequence[Target] = ()) -> tuple[Standing, ...]:
        """Where each breaker stands, those of `targets` that were never called included, by name."""
        now = self._clock.now()
        every = sorted({*targets, *self._breakers}, key=str)
        return tuple(_standing(target, self._breakers.get(target), now) for target in every)

    # ── keeping them ────────────────────────────────────────────────────────────────────────────────────────────────

    def _breaker(self, target: Target, *, keep: bool = False) -> Breaker:
        """The target's breaker. Among too many, one that knows nothing makes room; else the new one is not kept."""
        found = self._breakers.get(target)
        if found is None:
            found = Breaker(self._settings, self._chance)
            if keep or len(self._breakers) < _KEPT or self._make_room():
                self._breakers[target] = found
        return found

    def _make_room(self) -> bool:
        idle = next((target for target, breaker in self._breakers.items() if breaker.idle), None)
        return idle is not None and self._breakers.pop(idle) is not None

    async def _note(self, target: Target, breaker: Breaker, change: Change) -> None:
        """Write down what a call changed. Its answer must not be lost because the breaker's row cannot be written."""
        event, trips = self._event(target, change), breaker.trips

        def write(tx: Tx) -> None:
            if not _is_held(tx, target):  # else an operator spoke meanwhile
                _keep(tx, event, trips)

        try:
            await self._database.write(write)
        except StorageError as error:
            _log.warning("the breaker of %s is %s, which could not be written down: %s", target, change.state, error)

    def _event(self, target: Target, change: Change, *, held_by: str = "") -> BreakerChanged:
        return BreakerChanged(
            at=self._clock.now(),
            provider=target.provider,
            model=target.model,
            state=str(change.state),
            reason=change.reason,
            retry_at=change.retry_at,
            held_by=held_by,
        )


async def standings(reader: Reader) -> list[Standing]:
    """The breakers as they were last written: those that are not simply closed."""
    return [
        Standing(
            target=Target(row["provider"], row["model"]),
            state=BreakerState(row["state"]),
            reason=row["reason"],
            since=row["changed_at"],
            retry_at=row["retry_at"],
            held_by=row["held_by"],
        )
        for row in await reader.rows("SELECT * FROM breakers")
    ]


def _left_alone(target: Target, left: int) -> ProviderError:
    return ProviderError(
        target.provider,
        target.model,
        ErrorClass.SERVER_ERROR,
        "left alone for now, after failures; nothing was sent",
        retry_after=seconds(max(0, left)) if left < NEVER // 2 else None,
        reached=False,
        code=LEFT_ALONE,
    )


_TRIPS = "SELECT provider, model, trips FROM breakers"


def _is_held(tx: Tx, target: Target) -> bool:
    row = tx.execute("SELECT held_by FROM breakers WHERE provider = ? AND model = ?", target).fetchone()
    return row is not None and bool(row["held_by"])


def _keep(tx: Tx, event: BreakerChanged, trips: int) -> None:
    """How a breaker stands from now on, and the event that tells of it."""
    tx.emit(event)
    if event.state == BreakerState.CLOSED and not event.held_by:
        tx.execute("DELETE FROM breakers WHERE provider = ? AND model = ?", (event.provider, event.model))
        return
    tx.execute(
        "INSERT OR REPLACE INTO breakers (provider, model, state, reason, changed_at, retry_at, trips, held_by) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.provider,
            event.model,
            event.state,
            event.reason,
            event.at,
            event.retry_at,
            trips,
            event.held_by,
        ),
    )


def _standing(target: Target, breaker: Breaker | None, now: int) -> Standing:
    if breaker is None:
        return Standing(target=target, state=BreakerState.CLOSED)
    calls, failed, slow = breaker.counts(now)
    waits = breaker.state is BreakerState.OPEN and not breaker.held_by
    return Standing(
        target=target,
        state=breaker.state,
        reason=breaker.reason,
        since=breaker.changed_at,
        retry_at=breaker.retry_at if waits else None,
        held_by=breaker.held_by,
        calls=calls,
        failed=failed,
        slow=slow,
    )
