"""The engine's desk: every command and query of the surface, and who carries it out."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import orjson

from engine.alerts import acknowledge, list_alerts
from engine.bus import Bus
from engine.campaigns import CampaignState, Dispatch
from engine.campaigns import store as campaigns
from engine.costs.breakdown import Breakdown, Call, CallFilter, Dimension, Row, breakdown, calls
from engine.events import Recorded, to_fields
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, CommitUnknown, Refusal, StorageError
from engine.kernel.periods import month_bounds
from engine.kernel.text import clean
from engine.kernel.values import Instant, JobId
from engine.messaging import DeliveryState, Holds, consent, deliveries, switch
from engine.queue import JobPage, JobState, JobStore, JobView
from engine.runtime.auditing import Auditor
from engine.runtime.health import Health
from engine.runtime.projector import Projector
from engine.storage import Database, Tx
from engine.surface import commands, queries
from engine.surface.commands import Command, Done
from engine.surface.desk import Listener
from engine.surface.queries import Page, Query
from engine.surface.rows import (
    AlertRow,
    BreakdownRow,
    CallRow,
    DeliveryRow,
    DependencyRow,
    EstimateRow,
    EventRow,
    JobRow,
    SuppressionRow,
)
from engine.surface.snapshot import Snapshot
from engine.surface.wire import load_draft

S = TypeVar("S", bound=StrEnum)

_LONGEST_NAME = 200  # characters of who asks, which stand in events, in reasons and on screens
_BETWEEN = "\x1f"  # a queue and the cursor within it
_LOOKED_THROUGH = 500_000  # events, for those that tell of one thing


class EngineDesk:
    """See Desk."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        projector: Projector,
        jobs: JobStore,
        dispatch: Dispatch,
        holds: Holds,
        health: Health,
        clock: Clock,
        tool: Callable[[str], str] = str,
    ) -> None:
        """`tool` gives a tool's own name, also where an alias is given."""
        self._database = database
        self._bus = bus
        self._projector = projector
        self._jobs = jobs
        self._dispatch = dispatch
        self._holds = holds
        self._health = health
        self._clock = clock
        self._auditor = Auditor(database, clock, tool)
        self._commands: dict[type[Command], Callable[[Any], Awaitable[Done]]] = {
            commands.CreateCampaign: dispatch.create,
            commands.StartCampaign: dispatch.start,
            commands.ScheduleCampaign: dispatch.schedule,
            commands.PauseCampaign: dispatch.pause,
            commands.ResumeCampaign: dispatch.resume,
            commands.CancelCampaign: dispatch.cancel,
            commands.ApproveDeliveries: dispatch.decisions.approve,
            commands.RejectDeliveries: dispatch.decisions.reject,
            commands.SettleDelivery: dispatch.decisions.settle,
            commands.SettleDeliveries: dispatch.decisions.settle_many,
            commands.HaltSending: self._halt,
            commands.ResumeSending: self._resume,
            commands.ResumeAccount: self._resume_account,
            commands.SuppressFan: self._suppress,
            commands.UnsuppressFan: self._unsuppress,
            commands.RedriveJobs: self._redrive,
            commands.PurgeJobs: self._purge,
            commands.AcknowledgeAlert: self._acknowledge,
        }
        self._queries: dict[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.CostBreakdown: self._breakdown,
            queries.ListCalls: self._calls,
            queries.ListJobs: self._list_jobs,
            queries.GetJob: self._get_job,
            queries.ListCampaigns: self._list_campaigns,
            queries.GetCampaign: self._get_campaign,
            queries.GetDraft: self._get_draft,
            queries.ListDeliveries: self._list_deliveries,
            queries.ListAlerts: self._list_alerts,
            queries.ListAudit: self._auditor.listing,
            queries.ListSuppressed: self._list_suppressed,
            queries.ListEvents: self._list_events,
            queries.EstimateCampaign: self._estimate,
            queries.PreviewMessages: dispatch.messages,
            queries.CheckHealth: self._check_health,
        }

    def extend(
        self,
        commands: Mapping[type[Command], Callable[[Any], Awaitable[Done]]],
        queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]],
    ) -> None:
        """Take on what another part of the engine carries out."""
        self._commands.update(commands)
        self._queries.update(queries)

    def snapshot(self) -> Snapshot:
        return self._projector.snapshot

    async def submit(self, command: Command) -> Done:
        command = replace(command, actor=clean(command.actor, limit=_LONGEST_NAME).strip() or "operator")
        if isinstance(command, commands.UndoAction):
            return await self._auditor.undo(command, self._carry_out)
        return await self._auditor.carry_out(command, self._carry_out)

    async def _carry_out(self, command: Command) -> Done:
        with _figures_that_fit():
            return await self._commands[type(command)](command)

    async def query(self, query: Query) -> Page[Any]:
        as_of = self._projector.snapshot.event_id
        with _figures_that_fit():
            page = await self._queries[type(query)](query)
        return Page(page.rows, page.next, as_of, page.total)

    async def events_after(self, seq: int, *, limit: int = 1000) -> list[Recorded]:
        return await self._database.events_after(seq, limit=limit)

    def subscribe(self) -> AbstractContextManager[Listener]:
        return self._bus.subscribe()

    # ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _halt(self, command: commands.HaltSending) -> Done:
        """Nothing is sent from now on, in doubt either: see Holds."""
        mark = self._holds.brake()
        try:
            changed = await self._database.write(lambda tx: switch.halt(tx, command.actor, self._clock.now()))
        except CommandRefused:
            self._holds.loosen(mark)
            raise
        except (StorageError, sqlite3.Error) as error:
            message = f"nothing is sent any more, but the halt is not known to be written: {error}"
            raise CommitUnknown(message, remedy="Halt again, so that it outlasts a restart") from error
        self._holds.loosen(mark)
        return Done("All sending is stopped" if changed else "All sending was stopped already")

    async def _resume(self, command: commands.ResumeSending) -> Done:
        mark = self._holds.mark
        changed = await self._database.write(lambda tx: switch.resume(tx, command.actor, self._clock.now()))
        self._holds.loosen(mark)
        return Done("Messages go out again" if changed else "Sending was not stopped")

    async def _resume_account(self, command: commands.ResumeAccount) -> Done:
        now = self._clock.now()
        await self._database.write(lambda tx: switch.resume_account(tx, command.account_id, command.actor, now))
        return Done(f"Account {command.account_id} sends again")

    async def _suppress(self, command: commands.SuppressFan) -> Done:
        now = self._clock.now()
        await self._database.write(
            lambda tx: consent.suppress(tx, command.account_id, command.fan_id, command.reason, now)
        )
        return Done(f"Fan {command.fan_id} of {command.account_id} gets no more messages")

    async def _unsuppress(self, command: commands.UnsuppressFan) -> Done:
        await self._database.write(lambda tx: consent.unsuppress(tx, command.account_id, command.fan_id))
        return Done(f"Fan {command.fan_id} of {command.account_id} may be messaged again")

    async def _redrive(self, command: commands.RedriveJobs) -> Done:
        ids = [JobId(job_id) for job_id in command.job_ids] or None
        count = await self._database.write(lambda tx: self._jobs.redrive(tx, command.queue, ids, self._clock.now()))
        return Done(f"{count:,} dead jobs of {command.queue} try again", {"count": count})

    async def _purge(self, command: commands.PurgeJobs) -> Done:
        """Delete dead jobs; the deliveries they were for have failed."""
        wanted = [JobId(job_id) for job_id in command.job_ids] or None
        dead = await self._dead(command.queue, wanted)

        def purge(tx: Tx) -> int:
            now, count = self._clock.now(), 0
            for job in dead:
                if self._jobs.purge(tx, command.queue, [job.id]):  # redriven meanwhile, it lives
                    self._fail_delivery(tx, job, command.actor, now)
                    count += 1
            return count

        count = await self._database.write(purge)
        return Done(f"{count:,} dead jobs of {command.queue} are deleted", {"count": count})

    async def _dead(self, queue: str, wanted: list[JobId] | None) -> list[JobView]:
        found: list[JobView] = []
        cursor: str | None = None
        while True:
            page = await self._jobs.list(queue, state=JobState.DEAD, cursor=cursor, limit=1000)
            found += [job for job in page.rows if wanted is None or job.id in wanted]
            cursor = page.next
            if cursor is None:
                return found

    def _fail_delivery(self, tx: Tx, job: JobView, actor: str, now: int) -> None:
        delivery_id = orjson.loads(job.payload).get("delivery_id", "")
        row = tx.execute("SELECT * FROM deliveries WHERE delivery_id = ?", (delivery_id,)).fetchone()
        if row is None:
            return
        delivery = deliveries.of_row(row)
        if delivery.state in (DeliveryState.PENDING, DeliveryState.QUEUED):
            reason = f"its job was deleted by {actor}: {job.cause}"
            deliveries.move(tx, delivery, DeliveryState.FAILED, now=now, reason=reason)
        self._dispatch.progressed(tx, delivery.campaign_id, now)

    async def _acknowledge(self, command: commands.AcknowledgeAlert) -> Done:
        now = self._clock.now()
        await self._database.write(lambda tx: acknowledge(tx, command.alert_id, command.actor, now))
        return Done("The alert is acknowledged: it notifies nobody again")

    # ── queries ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _breakdown(self, query: queries.CostBreakdown) -> Page[BreakdownRow]:
        now = self._clock.now()
        zone = ZoneInfo(self._projector.snapshot.engine.time_zone)
        from_ = query.from_ if query.from_ is not None else month_bounds(now, zone)[0]
        to = query.to if query.to is not None else now
        if from_ >= to:
            raise CommandRefused(Refusal.INVALID, "the period ends before it begins", field="from")
        async with self._database.view() as reader:
            found: Breakdown = await breakdown(reader, query.by, Instant(from_), Instant(to), zone)
        return Page(tuple(_breakdown_row(row) for row in found.rows))

    async def _calls(self, query: queries.ListCalls) -> Page[CallRow]:
        async with self._database.view() as reader:
            page = await calls(reader, _filter(query.where), query.cursor, query.limit)
        return Page(tuple(_call_row(call) for call in page.rows), page.next)

    async def _list_jobs(self, query: queries.ListJobs) -> Page[JobRow]:
        """Of one queue, or of all in the order of their names: the cursor then begins with the queue it stands in."""
        state, limit = _known(JobState, query.state, "a job"), max(1, min(query.limit, 1000))
        if query.queue:
            page = await self._jobs_after(query.queue, state, query.cursor or None, limit)
            return Page(tuple(map(_job_row, page.rows)), page.next)
        first, _, cursor = query.cursor.partition(_BETWEEN)
        rows: list[JobView] = []
        for queue in [name for name in await self._jobs.queues() if name >= first]:
            after = cursor if queue == first and cursor else None
            page = await self._jobs_after(queue, state, after, limit - len(rows))
            rows += page.rows
            if page.next is not None:
                return Page(tuple(map(_job_row, rows)), f"{queue}{_BETWEEN}{page.next}")
        return Page(tuple(map(_job_row, rows)))

    async def _jobs_after(self, queue: str, state: JobState | None, cursor: str | None, limit: int) -> JobPage:
        if limit == 0:  # full already; the cursor of the next page begins at this queue
            return JobPage((), "")
        try:
            return await self._jobs.list(queue, state=state, cursor=cursor, limit=limit)
        except ValueError as error:
            raise CommandRefused(Refusal.INVALID, "this cursor does not come from a page", field="cursor") from error

    async def _get_job(self, query: queries.GetJob) -> Page[JobRow]:
        job = await self._jobs.get(JobId(query.job_id))
        if job is None:
            raise CommandRefused(Refusal.NOT_FOUND, f"there is no job {query.job_id!r}", field="job_id")
        return Page((_job_row(job),))

    async def _list_campaigns(self, query: queries.ListCampaigns) -> Page[Any]:
        _known(CampaignState, query.state, "a campaign")
        async with self._database.view() as reader:
            return await campaigns.listing(reader, query)

    async def _get_campaign(self, query: queries.GetCampaign) -> Page[Any]:
        async with self._database.view() as reader:
            return Page((await campaigns.view(reader, query.campaign_id),))

    async def _get_draft(self, query: queries.GetDraft) -> Page[Any]:
        async with self._database.reader() as reader:
            row = await reader.row("SELECT draft FROM campaigns WHERE campaign_id = ?", (query.campaign_id,))
        if row is None:
            raise CommandRefused(Refusal.NOT_FOUND, f"there is no campaign {query.campaign_id!r}", field="campaign_id")
        return Page((load_draft(row["draft"]),))

    async def _list_deliveries(self, query: queries.ListDeliveries) -> Page[DeliveryRow]:
        _known(DeliveryState, query.state, "a delivery")
        async with self._database.reader() as reader:
            return await deliveries.listing(reader, query)

    async def _list_alerts(self, query: queries.ListAlerts) -> Page[AlertRow]:
        async with self._database.reader() as reader:
            return await list_alerts(reader, query, self._clock.now())

    async def _list_suppressed(self, query: queries.ListSuppressed) -> Page[SuppressionRow]:
        async with self._database.reader() as reader:
            return await consent.listing(reader, query)

    async def _list_events(self, query: queries.ListEvents) -> Page[EventRow]:
        limit = max(1, min(query.limit, 1000))
        snapshot = self._projector.snapshot
        if query.about:
            oldest = max(query.after or 0, snapshot.seq - _LOOKED_THROUGH)
            found = await self._database.events_about(query.about, oldest, limit=limit)
        else:
            after = query.after if query.after is not None else max(0, snapshot.seq - limit)
            found = await self._database.events_after(after, limit=limit)
        return Page(tuple(_event_row(snapshot.epoch, recorded) for recorded in found))

    async def _estimate(self, query: queries.EstimateCampaign) -> Page[EstimateRow]:
        return Page((await self._dispatch.estimate(query.draft),))

    async def _check_health(self, _: queries.CheckHealth) -> Page[DependencyRow]:
        return Page(await self._health.check())


def _breakdown_row(row: Row) -> BreakdownRow:
    figures = row.figures
    return BreakdownRow(
        dimensions=row.dimensions,
        calls=figures.calls,
        input_tokens=figures.input_tokens,
        cached_tokens=figures.cached_tokens,
        output_tokens=figures.output_tokens,
        reasoning_tokens=figures.reasoning_tokens,
        cost=figures.cost,
        measured=figures.measured,
        estimated=figures.estimated,
        measured_input_tokens=figures.measured_input_tokens,
        measured_output_tokens=figures.measured_output_tokens,
        unpriced_calls=figures.unpriced_calls,
        failed_calls=figures.failed_calls,
    )


def _filter(where: Mapping[str, str]) -> CallFilter:
    """Dimensions by their names, and outcome, basis and trace_id beside them."""
    rest = dict(where)
    named = {name: rest.pop(name) for name in ("outcome", "basis", "trace_id") if name in rest}
    try:
        dimensions = {Dimension(name): value for name, value in rest.items()}
    except ValueError as error:
        raise CommandRefused(Refusal.INVALID, f"calls cannot be filtered so: {error}", field="where") from error
    return CallFilter(
        dimensions=dimensions,
        outcome=named.get("outcome", ""),
        basis=named.get("basis", ""),
        trace_id=named.get("trace_id", ""),
    )


def _known(states: type[S], name: str, whose: str) -> S | None:
    """The state of that name; None for no name, which matches all."""
    try:
        return states(name) if name else None
    except ValueError as error:
        known = ", ".join(states)
        raise CommandRefused(Refusal.INVALID, f"{whose}'s state is one of {known}", field="state") from error


@contextmanager
def _figures_that_fit() -> Iterator[None]:
    """No number that the database could hold, no text it could: the asker's mistake, not the engine's."""
    try:
        yield
    except OverflowError as error:
        raise CommandRefused(Refusal.INVALID, "a number is too large") from error
    except UnicodeEncodeError as error:
        raise CommandRefused(Refusal.INVALID, "a text holds half a character") from error


def _call_row(call: Call) -> CallRow:
    return CallRow(
        attempt_id=call.id,
        at=call.at,
        provider=call.provider,
        model=call.model,
        tool=call.tool,
        campaign_id=call.campaign_id,
        account_id=call.account_id,
        tenant_id=call.tenant_id,
        user_id=call.user_id,
        trace_id=call.trace_id,
        job_id=call.job_id,
        outcome=call.outcome,
        basis=call.basis,
        cost=call.cost,
        input_tokens=call.input_tokens,
        cached_tokens=call.cached_tokens,
        output_tokens=call.output_tokens,
        reasoning_tokens=call.reasoning_tokens,
        price_source=call.price_source,
        price_date=call.price_date,
        duration=call.duration,
    )


def _job_row(job: JobView) -> JobRow:
    return JobRow(
        job_id=job.id,
        queue=job.queue,
        lane=job.lane,
        batch=job.batch,
        state=job.state,
        priority=job.priority,
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        put_at=job.put_at,
        ready_at=job.ready_at,
        leased_until=job.leased_until,
        cause=job.cause,
        payload=job.payload.decode(errors="replace"),
    )


def _event_row(epoch: str, recorded: Recorded) -> EventRow:
    return EventRow(
        event_id=f"{epoch}:{recorded.seq}",
        at=recorded.event.at,
        kind=recorded.kind,
        fields=to_fields(recorded.event),
    )
