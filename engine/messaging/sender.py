"""Sends what is queued, each account at its own pace.

    lease ▸ consent ▸ limiter.reserve ▸ recheck and intent, committed ▸ platform.send ▸ settle

Jobs are taken from the accounts that have free slots, so a full account never holds another up. A send is begun only
after its intent is durable. A process that dies before the outcome is leaves the delivery in *sending*, which `recover`
turns into *uncertain*.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Sequence

import orjson

from engine.events import AccountPaused, AccountResumed, Recorded, SendingHalted, SendingResumed
from engine.kernel.clock import Clock, sleep
from engine.kernel.errors import CommandRefused, CommitUnknown, PlatformError
from engine.kernel.values import SECOND, JobId, Random, new_id
from engine.limiter import LimitStore, Refusal
from engine.messaging import consent, deliveries, switch
from engine.messaging.deliveries import Delivery
from engine.messaging.delivery import DeliveryState
from engine.messaging.platform import (
    NotSent,
    Outcome,
    Outgoing,
    Platform,
    Refused,
    Sent,
    Throttled,
    Unauthorised,
    Uncertain,
)
from engine.messaging.recheck import Campaigns, Ruling, Screen, Verdict, recheck
from engine.messaging.settings import SendingSettings
from engine.queue import JobConflict, JobStore, Lease, LeaseLost, NewJob, Priority
from engine.queue.worker import Defer, Settled
from engine.queue.worker import Outcome as JobOutcome
from engine.storage import Database, Tx

_log = logging.getLogger(__name__)

QUEUE = "huntaze-rate-limiter-queue"

_UNAUTHORISED = (401, 403)
_INTERRUPTED = "the engine stopped in the middle of the send"
_WAIT_AGAIN = 5 * SECOND  # nanoseconds until a job that has to wait for a person is looked at again


def send_job(delivery_id: str, account_id: str, campaign_id: str, now: int, settings: SendingSettings) -> NewJob:
    """The job that sends a delivery. Its id follows from the delivery's: it can be put twice and is there once."""
    return NewJob(
        id=JobId(f"send_{delivery_id}"),
        queue=QUEUE,
        payload=orjson.dumps({"delivery_id": delivery_id}),
        lane=account_id,
        batch=campaign_id,
        priority=Priority.NORMAL,
        ready_at=now,
        max_attempts=settings.max_attempts,
    )


def recover(tx: Tx, now: int, *, idempotent: bool) -> int:
    """What was left in the middle of a send is uncertain now, or queued again where that is safe. Returns how many."""
    rows = tx.execute("SELECT * FROM deliveries WHERE state = 'sending'").fetchall()
    after = DeliveryState.QUEUED if idempotent else DeliveryState.UNCERTAIN
    for row in rows:
        deliveries.move(tx, deliveries.of_row(row), after, now=now, reason=_INTERRUPTED)
    return len(rows)


class Holds:
    """What must not send now, kept up to date from the events. The recheck in each send's intent has the last word.

    A halt holds here from the moment somebody asks for it, before it is written, and in doubt it stays: a message that
    waits a while longer can still go out, one that went out cannot be called back. It is over when sending is resumed,
    or when a halt is written, which then stands on disk; a process that ends before forgets it, so whoever asked is
    told to ask again.
    """

    def __init__(self) -> None:
        self.halted = False
        self.braked = False  # a halt is asked for, and is not known to be written
        self._brakes = 0
        self.accounts: set[str] = set()

    async def load(self, database: Database) -> None:
        async with database.reader() as reader:
            self.halted = bool((await switch.read_halt(reader))[0])
            rows = await reader.rows("SELECT account_id FROM accounts WHERE paused != ''")
        self.accounts = {row["account_id"] for row in rows}

    @property
    def stopped(self) -> bool:
        return self.halted or self.braked

    @property
    def mark(self) -> int:
        """Which brake was the last: see `loosen`."""
        return self._brakes

    def brake(self) -> int:
        """Send nothing from now on; its mark."""
        self.braked = True
        self._brakes += 1
        return self._brakes

    def loosen(self, mark: int) -> None:
        """Let the database decide again, unless somebody braked since."""
        if mark == self._brakes:
            self.braked = False

    def observe(self, recorded: Sequence[Recorded]) -> None:
        for one in recorded:
            match one.event:
                case SendingHalted():
                    self.halted = True
                case SendingResumed():
                    self.halted = False
                case AccountPaused(account_id=account_id):
                    self.accounts.add(account_id)
                case AccountResumed(account_id=account_id):
                    self.accounts.discard(account_id)


class SlotSource:
    """Gives the sending worker only jobs of accounts that have a free slot now."""

    def __init__(self, jobs: JobStore, limiter: LimitStore, holds: Holds) -> None:
        self._jobs = jobs
        self._limiter = limiter
        self.holds = holds
        self._taken: dict[str, dict[tuple[str, int], int]] = {}  # account to leases without a slot yet, with their ends
        self._quiet_until: dict[str, int] = {}  # account to the end of its Retry-After

    async def take(self, limit: int, *, now: int, until: int) -> tuple[Sequence[Lease], int | None]:
        leases: list[Lease] = []
        again: list[int] = []
        for lane in [] if self.holds.stopped else await self._jobs.lanes(QUEUE):
            if lane.lane in self.holds.accounts:
                continue
            quiet_until = self._quiet_until.get(lane.lane, 0)
            room = min(limit - len(leases), self._room(lane.lane, now)) if quiet_until <= now else 0
            if room > 0:
                found = await self._jobs.lease(QUEUE, now=now, until=until, limit=room, lane=lane.lane)
                self._taken.setdefault(lane.lane, {}).update({(one.job_id, one.fence): one.until for one in found})
                leases += found
            opens = self._limiter.opens_at(lane.lane) or 0
            again += [at for at in (max(opens, quiet_until), lane.next_ready_at) if at is not None and at > now]
        return leases, min(again, default=None)

    def placed(self, lease: Lease) -> None:
        """The lease has its slot, or needs none any more."""
        self._taken.get(lease.lane, {}).pop((lease.job_id, lease.fence), None)

    def quieten(self, account_id: str, until: int) -> None:
        """Take nothing of an account before an instant."""
        self._quiet_until[account_id] = until

    def _room(self, account_id: str, now: int) -> int:
        taken = self._taken.get(account_id, {})
        for key in [key for key, end in taken.items() if end <= now]:
            del taken[key]
        return self._limiter.free(account_id) - len(taken)


class Sender:
    """Carries out the jobs of the sending queue."""

    def __init__(
        self,
        database: Database,
        jobs: JobStore,
        limiter: LimitStore,
        source: SlotSource,
        platform: Platform,
        fans: consent.FanBook,
        campaigns: Campaigns,
        screen: Screen,
        clock: Clock,
        chance: Random,
        settings: SendingSettings,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._limiter = limiter
        self._source = source
        self._platform = platform
        self._fans = fans
        self._campaigns = campaigns
        self._screen = screen
        self._clock = clock
        self._chance = chance
        self.settings = settings

    async def handle(self, lease: Lease) -> JobOutcome:
        """The worker's handler. Cancelled in the middle of a send, it settles it as uncertain first."""
        delivery_id: str = orjson.loads(lease.payload)["delivery_id"]
        slot_id = new_id("slot", self._clock.now(), self._chance)
        try:
            objection = await self._fans.objection(
                lease.lane, await self._fan_of(delivery_id), max_age=self.settings.consent_max_age
            )
            admission = await self._limiter.reserve(lease.lane, slot_id)
        except PlatformError as error:
            return await self._unsure(lease, error)
        finally:
            self._source.placed(lease)
        if isinstance(admission, Refusal):
            return Defer(admission.retry_at or self._clock.now() + SECOND)
        ruling, delivery = await self._intend(lease, delivery_id, objection, slot_id)
        if ruling.verdict is Verdict.GO:
            await self._send(lease, delivery, slot_id)
        else:
            await self._limiter.release(lease.lane, slot_id)
        self._jobs.bell(QUEUE).ring()
        return Settled()

    async def _unsure(self, lease: Lease, error: PlatformError) -> JobOutcome:
        """The platform does not say who opted out: nothing of the account goes out for now, and no try is used up."""
        again = self._clock.now() + _WAIT_AGAIN
        self._source.quieten(lease.lane, again)
        if error.status in _UNAUTHORISED:
            reason = f"the platform answered {error.status}: check the account's token"
            await self._database.write(lambda tx: switch.pause_account(tx, lease.lane, reason, self._clock.now()))
        about = {"campaign": lease.batch, "account": lease.lane}
        _log.warning("%s waits: cannot ask the platform who opted out: %s", lease.lane, error.message, extra=about)
        return Defer(again)

    async def _fan_of(self, delivery_id: str) -> str:
        async with self._database.reader() as reader:
            row = await reader.row("SELECT fan_id FROM deliveries WHERE delivery_id = ?", (delivery_id,))
        return row["fan_id"] if row else ""

    async def _intend(self, lease: Lease, delivery_id: str, objection: str, slot_id: str) -> tuple[Ruling, Delivery]:
        """One transaction: look once more at everything, and if nothing speaks against it, the intent is on disk.

        Whatever keeps it from being told so, nothing has left: the slot is given back, and so is a committed intent.
        """

        def intend(tx: Tx) -> tuple[Ruling, Delivery]:
            now = self._clock.now()
            delivery = deliveries.get(tx, delivery_id)
            ruling = recheck(tx, delivery, self._campaigns, self._screen)
            if ruling.verdict is Verdict.GO and self._source.holds.stopped:
                ruling = Ruling(Verdict.WAIT, "all sending is halted")
            if ruling.verdict is Verdict.GO and objection:
                ruling = Ruling(Verdict.SKIP, objection)
            if ruling.verdict is Verdict.GO:
                deliveries.move(tx, delivery, DeliveryState.SENDING, now=now, attempts=delivery.attempts + 1)
            elif ruling.verdict is Verdict.WAIT:
                self._jobs.defer(tx, lease, now + _WAIT_AGAIN)
            else:
                self._jobs.complete(tx, lease)
            if ruling.verdict is Verdict.SKIP:
                deliveries.move(tx, delivery, DeliveryState.SKIPPED, now=now, reason=ruling.reason)
            if ruling.verdict in (Verdict.SKIP, Verdict.DROP):
                self._campaigns.progressed(tx, delivery.campaign_id, now)
            return ruling, deliveries.get(tx, delivery_id)

        intent = self._database.submit(intend)
        try:
            return await asyncio.shield(intent)
        except BaseException:
            await asyncio.shield(self._take_back(lease, intent, slot_id))
            raise

    async def _take_back(self, lease: Lease, intent: asyncio.Future[tuple[Ruling, Delivery]], slot_id: str) -> None:
        await asyncio.wait((intent,))
        ruling, delivery = (Ruling(Verdict.DROP), None) if intent.exception() else intent.result()
        if ruling.verdict is Verdict.GO and delivery is not None:
            await self._settle(lease, delivery, slot_id, NotSent(_INTERRUPTED))
        else:
            await self._limiter.release(lease.lane, slot_id)

    async def _send(self, lease: Lease, delivery: Delivery, slot_id: str) -> None:
        message = Outgoing(
            account_id=delivery.account_id, fan_id=delivery.fan_id, text=delivery.text, key=delivery.delivery_id
        )
        try:
            outcome = await self._platform.send(message)
        except asyncio.CancelledError:
            await asyncio.shield(self._settle(lease, delivery, slot_id, Uncertain(_INTERRUPTED)))
            raise
        except Exception as error:  # an adapter's defect: it may have left all the same
            broke = Uncertain(f"the send broke: {type(error).__name__}", timed_out=True)
            await asyncio.shield(self._settle(lease, delivery, slot_id, broke))
            raise
        await asyncio.shield(self._settle(lease, delivery, slot_id, outcome))

    async def _settle(self, lease: Lease, delivery: Delivery, slot_id: str, outcome: Outcome) -> None:
        if isinstance(outcome, Throttled):
            self._source.quieten(delivery.account_id, self._clock.now() + outcome.retry_after)
        try:
            if isinstance(outcome, NotSent):
                await self._limiter.release(delivery.account_id, slot_id)
            else:
                timed_out = isinstance(outcome, Uncertain) and outcome.timed_out
                await self._limiter.complete(delivery.account_id, slot_id, timed_out=timed_out)
            if isinstance(outcome, Throttled):
                await self._limiter.throttled(delivery.account_id)
        finally:  # the limiter that cannot write holds the slot longer; the outcome must be written all the same
            await self._record(lease, delivery, outcome)

    async def _record(self, lease: Lease, delivery: Delivery, outcome: Outcome) -> None:
        """Write what became of the send, however often the commit fails: nobody could find it out again."""
        for attempt in itertools.count(1):
            try:
                await self._database.write(lambda tx: self._write_outcome(tx, lease, delivery, outcome))
            except CommitUnknown as error:
                about = {"campaign": delivery.campaign_id}
                _log.warning("the outcome of %s is written again: %s", delivery.delivery_id, error, extra=about)
                await sleep(self._clock, self.settings.backoff.wait(attempt, self._chance))
            except CommandRefused:
                if attempt == 1:
                    raise
                return  # the commit that seemed to fail stood
            else:
                return

    def _write_outcome(self, tx: Tx, lease: Lease, delivery: Delivery, outcome: Outcome) -> None:
        now = self._clock.now()
        match outcome:
            case Sent(platform_id):
                self._close(tx, lease, delivery, DeliveryState.SENT, now, platform_id=platform_id)
            case Refused(reason, opted_out):
                if opted_out:
                    consent.suppress(tx, delivery.account_id, delivery.fan_id, consent.OPTED_OUT, now)
                why = f"the platform refused it: {reason}"
                self._close(tx, lease, delivery, DeliveryState.FAILED, now, reason=why)
            case Uncertain(reason) if not self._platform.idempotent:
                self._close(tx, lease, delivery, DeliveryState.UNCERTAIN, now, reason=reason)
            case Unauthorised(reason):
                switch.pause_account(tx, delivery.account_id, reason, now)
                deliveries.move(tx, delivery, DeliveryState.QUEUED, now=now, reason=reason)
                self._hand_back(tx, lease, delivery, now, lambda: self._jobs.defer(tx, lease, now))
            case NotSent(reason) | Uncertain(reason):
                self._try_again(tx, lease, delivery, now, reason)
            case Throttled(retry_after):
                deliveries.move(tx, delivery, DeliveryState.QUEUED, now=now, reason="the platform answered 429")
                wait = self.settings.backoff.wait(delivery.attempts, self._chance, at_least=retry_after)
                self._hand_back(tx, lease, delivery, now, lambda: self._jobs.defer(tx, lease, now + wait))

    def _close(
        self,
        tx: Tx,
        lease: Lease,
        delivery: Delivery,
        state: DeliveryState,
        now: int,
        *,
        reason: str = "",
        platform_id: str = "",
    ) -> None:
        """Enter the outcome, whoever holds the job by now: a lost lease must not lose what the platform said."""
        deliveries.move(tx, delivery, state, now=now, reason=reason, platform_id=platform_id)
        with contextlib.suppress(LeaseLost):
            self._jobs.complete(tx, lease)
        self._campaigns.progressed(tx, delivery.campaign_id, now)

    def _try_again(self, tx: Tx, lease: Lease, delivery: Delivery, now: int, reason: str) -> None:
        deliveries.move(tx, delivery, DeliveryState.QUEUED, now=now, reason=reason)
        again = now + self.settings.backoff.wait(lease.attempt, self._chance)
        self._hand_back(tx, lease, delivery, now, lambda: self._jobs.retry(tx, lease, again, reason))

    def _hand_back(self, tx: Tx, lease: Lease, delivery: Delivery, now: int, hand_back: Callable[[], None]) -> None:
        """Give the job back; if the lease was lost, whoever had it since may have dropped it: put it once more."""
        try:
            hand_back()
        except LeaseLost:
            with contextlib.suppress(JobConflict):  # it is there, under figures from before a reload
                job = send_job(delivery.delivery_id, delivery.account_id, delivery.campaign_id, now, self.settings)
                self._jobs.put(tx, job, now)
