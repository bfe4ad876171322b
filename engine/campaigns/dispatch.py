"""Carries out what an operator says of campaigns. Each command is one transaction: whole, or not at all.

What is said of single messages is `decisions.py`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace

import orjson

from engine.campaigns import store
from engine.campaigns.audience import Member, members
from engine.campaigns.campaign import (
    Campaign,
    CampaignState,
    cancelled,
    paused,
    reschedulable,
    resumed,
    started,
)
from engine.campaigns.decisions import Decisions
from engine.campaigns.draft import check, check_start
from engine.campaigns.estimate import Estimator
from engine.campaigns.path import GENERATE
from engine.campaigns.progress import Progress
from engine.campaigns.repeats import digest_of, repeated
from engine.campaigns.workflow_store import workflow_id_of
from engine.campaigns.writing import write_batch, write_job
from engine.content import has_variables, preview, screen, validate
from engine.costs import Ledger
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, PlatformError, Refusal
from engine.kernel.values import MINUTE, NanoUSD, Random, new_id
from engine.messaging import BEFORE_SENDING, DeliveryState, FanBook, SendingSettings, consent, deliveries
from engine.orchestrator import Orchestrator
from engine.queue import JobStore
from engine.storage import Database, Tx, alone
from engine.surface.commands import (
    CampaignDraft,
    CancelCampaign,
    CreateCampaign,
    Done,
    PauseCampaign,
    ResumeCampaign,
    ScheduleCampaign,
    StartCampaign,
)
from engine.surface.effects import MessageRow
from engine.surface.queries import Page, PreviewMessages
from engine.surface.rows import EstimateRow
from engine.surface.wire import load_draft

_AUDIENCE_AGE = MINUTE  # nanoseconds that a reading of the audience serves for estimates and creations
_SCOPE = "campaign"


class Dispatch:
    """The campaigns' commands; those about their messages are its `decisions`."""

    def __init__(
        self,
        database: Database,
        jobs: JobStore,
        ledger: Ledger,
        orchestrator: Orchestrator,
        fans: FanBook,
        see: Callable[[str], Awaitable[None]],
        estimator: Estimator,
        progress: Progress,
        clock: Clock,
        chance: Random,
        sending: SendingSettings,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._ledger = ledger
        self._orchestrator = orchestrator
        self._fans = fans
        self._see = see
        self._estimator = estimator
        self._progress = progress
        self._clock = clock
        self._chance = chance
        self.decisions = Decisions(database, jobs, progress, clock, sending)

    # ── making one ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def estimate(self, draft: CampaignDraft) -> EstimateRow:
        """What the draft would do. Raises CommandRefused for a bad one, or UNAVAILABLE without the platform."""
        draft = self._named(draft)
        self._check(draft)
        return self._estimator.estimate(draft, await self._members(draft))

    async def messages(self, query: PreviewMessages) -> Page[MessageRow]:
        """What the draft gives its fans, one by one. Refuses as `estimate` does."""
        draft = self._named(query.draft)
        self._check(draft)
        return Page(self._estimator.messages(draft, await self._members(draft), query.skip, query.limit))

    async def create(self, command: CreateCampaign) -> Done:
        """One delivery row a fan, and the campaign, in one transaction."""
        digest = digest_of(command)
        with alone():
            if command.key and (answer := await self._database.write(lambda tx: repeated(tx, command.key, digest))):
                return answer
        command = replace(command, draft=self._named(command.draft))
        self._check(command.draft)
        if command.start:
            self._check_writable(command.draft.tool, command.draft.template)
        chosen = await self._members(command.draft)
        estimate = self._estimator.estimate(command.draft, chosen)
        campaign_id = new_id("cmp", self._clock.now(), self._chance)
        with alone():
            await self._see(command.draft.account_id)
        return await self._database.write(lambda tx: self._create(tx, command, campaign_id, digest, chosen, estimate))

    def _named(self, draft: CampaignDraft) -> CampaignDraft:
        """The draft with its tool's own name in place of an alias."""
        return replace(draft, tool=self._orchestrator.settings.aliases.get(draft.tool, draft.tool))

    def _check_writable(self, tool: str, template: str) -> None:
        """A campaign that nobody can write would look as if it ran."""
        if not template and not self._orchestrator.targets(tool):
            chain = ", ".join(self._orchestrator.settings.tools[tool].chain)
            raise CommandRefused(
                Refusal.UNAVAILABLE,
                f"no model can write for the tool {tool}: none of {chain} has a key",
                field="tool",
                remedy="Set the key of one of them (huntaze doctor names what is missing), or name another tool",
            )

    def _check(self, draft: CampaignDraft) -> None:
        check(draft, tools=self._orchestrator.settings.tools, now=self._clock.now())
        if draft.template:
            validate(draft.template)
            if reason := screen(preview(draft.template)):
                raise CommandRefused(Refusal.INVALID, f"no fan may get this text: {reason}", field="template")
        elif has_variables(draft.prompt):
            validate(draft.prompt, field="prompt")

    async def _members(self, draft: CampaignDraft) -> tuple[Member, ...]:
        try:
            fans = await self._fans.fans(draft.account_id, max_age=_AUDIENCE_AGE)
        except PlatformError as error:
            raise CommandRefused(
                Refusal.UNAVAILABLE, f"the audience cannot be read: {error.message}", remedy=error.remedy
            ) from error
        async with self._database.reader() as reader:
            suppressed = await consent.suppressed(reader, draft.account_id)
        return members(draft.audience, fans, suppressed)

    def _create(
        self,
        tx: Tx,
        command: CreateCampaign,
        campaign_id: str,
        digest: str,
        chosen: Sequence[Member],
        estimate: EstimateRow,
    ) -> Done:
        if command.key and (answer := repeated(tx, command.key, digest)):
            return answer
        now = self._clock.now()
        store.insert(tx, campaign_id, command.draft, chosen, now)
        self._progress.moved(tx, campaign_id, now)
        if command.draft.budget is not None:
            self._ledger.set_limit(tx, _SCOPE, campaign_id, NanoUSD(command.draft.budget))
        if command.start:
            self._start(tx, store.get(tx, campaign_id), command.actor, now)
        state = store.get(tx, campaign_id).state
        data = {
            "campaign_id": campaign_id,
            "workflow_id": workflow_id_of(campaign_id),
            "status": state,
            "estimate": asdict(estimate),
        }
        if command.key:
            tx.execute(
                "INSERT INTO idempotency VALUES ('campaign', ?, ?, ?, ?)",
                (command.key, digest, orjson.dumps(data), now),
            )
        return Done(f"Campaign {command.draft.name} is {_words(state)}, for {estimate.fans:,} fans", data)

    # ── moving one ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, command: StartCampaign) -> Done:
        def start(tx: Tx) -> Done:
            campaign = store.get(tx, command.campaign_id)
            self._check_writable(campaign.tool, _template(tx, campaign.campaign_id))
            self._start(tx, campaign, command.actor, self._clock.now())
            return _told(tx, command.campaign_id)

        return await self._database.write(start)

    async def schedule(self, command: ScheduleCampaign) -> Done:
        """Start a draft at a time, or move the start of what has sent nothing yet."""

        def schedule(tx: Tx) -> Done:
            now = self._clock.now()
            campaign = store.get(tx, command.campaign_id)
            reschedulable(campaign)
            check_start(command.starts_at, now)
            self._check_writable(campaign.tool, _template(tx, campaign.campaign_id))
            store.schedule(tx, campaign, command.starts_at or now, now=now, actor=command.actor)
            campaign = store.get(tx, campaign.campaign_id)
            if campaign.state is CampaignState.DRAFT:
                self._start(tx, campaign, command.actor, now)
            else:  # where its time has come, the schedule finds it
                self._progress.progressed(tx, campaign.campaign_id, now)
            return _told(tx, command.campaign_id)

        return await self._database.write(schedule)

    async def pause(self, command: PauseCampaign) -> Done:
        def pause(tx: Tx) -> Done:
            campaign = store.get(tx, command.campaign_id)
            after = paused(campaign)
            self._move(
                tx, campaign, after, command.actor, reason=f"paused by {command.actor}", resume_to=campaign.state
            )
            store.feed(tx, campaign.campaign_id)  # what a person paused, a person resumes
            self._jobs.park(tx, campaign.campaign_id)
            self._jobs.park(tx, write_batch(campaign.campaign_id))
            self._progress.moved(tx, campaign.campaign_id, self._clock.now())
            return _told(tx, command.campaign_id)

        return await self._database.write(pause)

    async def resume(self, command: ResumeCampaign) -> Done:
        def resume(tx: Tx) -> Done:
            now = self._clock.now()
            campaign = store.get(tx, command.campaign_id)
            self._move(tx, campaign, resumed(campaign), command.actor)
            self.go_on(tx, campaign, now)
            return _told(tx, command.campaign_id)

        return await self._database.write(resume)

    async def cancel(self, command: CancelCampaign) -> Done:
        def cancel(tx: Tx) -> Done:
            now = self._clock.now()
            campaign = store.get(tx, command.campaign_id)
            after = cancelled(campaign)
            self._jobs.cancel(tx, campaign.campaign_id)
            self._jobs.cancel(tx, write_batch(campaign.campaign_id))
            reason = f"cancelled by {command.actor}"
            stopped = deliveries.move_all(
                tx, campaign.campaign_id, BEFORE_SENDING, DeliveryState.CANCELLED, now=now, reason=reason
            )
            self._move(tx, campaign, after, command.actor, reason=reason)
            self._progress.moved(tx, campaign.campaign_id, now)
            return Done(
                f"Campaign {campaign.name} is cancelled; {stopped:,} messages will not go out", {"stopped": stopped}
            )

        return await self._database.write(cancel)

    def go_on(self, tx: Tx, campaign: Campaign, now: int) -> None:
        """Set going what was paused, or what waited for a budget."""
        store.feed(tx, campaign.campaign_id)
        self._jobs.unpark(tx, campaign.campaign_id, now)
        self._jobs.unpark(tx, write_batch(campaign.campaign_id), now)
        if campaign.due(now):  # texts approved while it was paused
            self.decisions.queue_approved(tx, campaign, now)
        self._progress.progressed(tx, campaign.campaign_id, now)

    async def start_due(self) -> int:
        """Start the scheduled campaigns whose time has come, and say how many."""

        def start_due(tx: Tx) -> int:
            now = self._clock.now()
            rows = tx.execute("SELECT * FROM campaigns WHERE state = 'scheduled' AND starts_at <= ?", (now,)).fetchall()
            for row in rows:
                campaign = store.of_row(row)
                self._move(tx, campaign, CampaignState.RUNNING, "engine")
                if not campaign.needs_approval:
                    self._put_writing(tx, campaign, now)
                self.decisions.queue_approved(tx, campaign, now)
                self._progress.progressed(tx, campaign.campaign_id, now)
            return len(rows)

        return await self._database.write(start_due)

    async def next_start(self) -> int | None:
        """When the next scheduled campaign is due, or None."""
        async with self._database.reader() as reader:
            row = await reader.row("SELECT min(starts_at) AS due FROM campaigns WHERE state = 'scheduled'")
        return row["due"] if row else None

    def progressed(self, tx: Tx, campaign_id: str, now: int) -> None:
        """A delivery of the campaign took a final state outside of sending."""
        self._progress.progressed(tx, campaign_id, now)

    def _start(self, tx: Tx, campaign: Campaign, actor: str, now: int) -> None:
        after = started(campaign, now)
        self._move(tx, campaign, after, actor)
        if after is not CampaignState.SCHEDULED:
            self._put_writing(tx, campaign, now)
        self._progress.progressed(tx, campaign.campaign_id, now)

    def _put_writing(self, tx: Tx, campaign: Campaign, now: int) -> None:
        campaign_id, step = campaign.campaign_id, self._progress.workflow(tx, campaign, now).step(GENERATE)
        pending = tx.execute(
            "SELECT delivery_id FROM deliveries WHERE campaign_id = ? AND state = 'pending' ORDER BY delivery_id",
            (campaign_id,),
        ).fetchall()
        for row in pending:
            self._jobs.put(tx, write_job(row["delivery_id"], campaign_id, now, tries=step.tries), now)

    def _move(
        self, tx: Tx, campaign: Campaign, after: CampaignState, actor: str, *, reason: str = "", resume_to: str = ""
    ) -> None:
        store.move(tx, campaign, after, now=self._clock.now(), actor=actor, reason=reason, resume_to=resume_to)


def _template(tx: Tx, campaign_id: str) -> str:
    row = tx.execute("SELECT draft FROM campaigns WHERE campaign_id = ?", (campaign_id,)).fetchone()
    return load_draft(row["draft"]).template


def _told(tx: Tx, campaign_id: str) -> Done:
    campaign = store.get(tx, campaign_id)
    return Done(f"Campaign {campaign.name} is {_words(campaign.state)}", {"status": campaign.state})


def _words(state: str) -> str:
    return state.replace("_", " ")
