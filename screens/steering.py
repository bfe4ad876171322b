"""Start, schedule, pause, resume and cancel of a campaign, wherever one is shown: what may be done, what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType

from engine.kernel.errors import HuntazeError
from engine.surface.commands import (
    CampaignDraft,
    CancelCampaign,
    PauseCampaign,
    ResumeCampaign,
    ScheduleCampaign,
    StartCampaign,
)
from engine.surface.queries import EstimateCampaign, GetDraft
from engine.surface.rows import EstimateRow
from engine.surface.snapshot import FINAL_CAMPAIGN_STATES, CampaignView
from screens.acting import Acting
from screens.drafting import starts_at
from screens.facts import account_name, finishes_at
from screens.formatting import clean, moment_there, money, plural
from screens.questions import resume_question
from screens.view import View
from screens.widgets.asking import Entry, Values

Outcome = Literal["sent", "failed", "again"]
"""What a person says of an uncertain send."""

VERBS: tuple[BindingType, ...] = (
    Binding("s", "start", "start"),
    Binding("t", "schedule", "schedule"),
    Binding("p", "pause", "pause"),
    Binding("r", "resume", "resume"),
    Binding("x", "cancel", "cancel"),
)
VERB_ACTIONS = frozenset({"start", "schedule", "pause", "resume", "cancel"})
_UNSENT = frozenset({"draft", "awaiting_approval", "scheduled"})
_MOVING = frozenset({"awaiting_approval", "scheduled", "running"})


def allowed(verb: str, campaign: CampaignView | None) -> bool:
    """Does a verb mean something in the campaign's state?"""
    if campaign is None:
        return False
    match verb:
        case "start":
            return campaign.state == "draft"
        case "schedule":
            return campaign.state in _UNSENT
        case "pause":
            return campaign.state in _MOVING
        case "resume":
            return campaign.state == "paused"
        case _:
            return campaign.state not in FINAL_CAMPAIGN_STATES


def start_question(fans: int, account: str, estimate: EstimateRow | None, finish: int, view: View) -> str:
    """Send to 1,000 fans of anna for $1.90-$3.40, until 16:12 tomorrow?"""
    until = moment_there(estimate.finish_at if estimate else finish, view.now, view.zone)
    cost = f" for {cost_range(estimate)}" if estimate else ""
    return f"Send to {plural(fans, 'fan')} of {account}{cost}, until {until}?"


def cost_range(estimate: EstimateRow) -> str:
    if estimate.cost_low is None or estimate.cost_high is None:
        return "an unknown cost (unpriced)"
    return f"{money(estimate.cost_low)}–{money(estimate.cost_high)}"


class Steering(Acting):
    """A screen whose chosen campaign can be steered."""

    BINDINGS: ClassVar[list[BindingType]] = [*VERBS]

    def target(self) -> CampaignView | None:
        """The campaign the keys mean."""
        raise NotImplementedError

    def may(self, action: str) -> bool:
        return self.is_mounted and self.may_act and allowed(action, self.target())

    def action_start(self) -> None:
        campaign = self.target()
        if campaign is not None:
            self.run_worker(self._start(campaign), group="commands", exit_on_error=False)

    async def _start(self, campaign: CampaignView) -> None:
        """Reckon again what it will cost by now, then ask."""
        estimate: EstimateRow | None = None
        drafts: tuple[CampaignDraft, ...] = ()
        try:
            drafts = await self.rows(GetDraft(campaign_id=campaign.campaign_id))
            if drafts:
                estimate = (await self.rows(EstimateCampaign(draft=drafts[0])))[0]
        except HuntazeError as error:
            self.console.tell(f"No estimate: {error}", severity="warning")
        view, starts = self.view, campaign.starts_at
        fans = campaign.open
        question = start_question(
            fans, account_name(view, campaign.account_id), estimate, finishes_at(campaign, view), view
        )
        command = StartCampaign(campaign_id=campaign.campaign_id, actor=self.actor)
        begins = f"It starts {moment_there(starts, view.now, view.zone)}. " if starts and starts > view.now else ""
        self.confirm(question, command, detail=begins + _reads(drafts), typed=self._typed(campaign, fans))

    def _typed(self, campaign: CampaignView, messages: int) -> str:
        """What has to be typed before so many messages are moved; nothing for few."""
        return clean(campaign.name) if messages > self.console.options.typed_above else ""

    def action_schedule(self) -> None:
        campaign = self.target()
        if campaign is None:
            return
        typed = self._typed(campaign, campaign.open)
        entries = [
            Entry(
                name="starts",
                label="start",
                hint=f"18:30, tomorrow 09:00, now ({self.view.zone.key})",
                known=("now", "tomorrow "),
            )
        ]
        if typed:
            entries.append(Entry(name="name", label="its name", hint=f"type {typed}: it is a large one", loose=True))

        def check(values: Values) -> Mapping[str, str]:
            starts = starts_at(values["starts"], self.view.now, self.view.zone) if values["starts"] else "when?"
            wrong = {"starts": starts} if isinstance(starts, str) else {}
            if typed and values["name"] != typed:
                wrong["name"] = f"type {typed}"
            return wrong

        async def preview(values: Values) -> str:
            draft = (await self.rows(GetDraft(campaign_id=campaign.campaign_id)))[0]
            estimate = (await self.rows(EstimateCampaign(draft=replace(draft, starts_at=self._when(values)))))[0]
            view = self.view
            begins = f"Starts {moment_there(estimate.starts_at, view.now, view.zone)}. "
            fans, account = campaign.open, account_name(view, campaign.account_id)
            return begins + start_question(fans, account, estimate, estimate.finish_at, view)

        self.ask(
            f"When is {clean(campaign.name)} to start?",
            entries,
            lambda values: ScheduleCampaign(
                campaign_id=campaign.campaign_id, starts_at=self._when(values), actor=self.actor
            ),
            check=check,
            preview=preview,
            go="schedule it",
        )

    def _when(self, values: Values) -> int | None:
        found = starts_at(values["starts"], self.view.now, self.view.zone)
        return None if isinstance(found, str) else found

    def action_pause(self) -> None:
        campaign = self.target()
        if campaign is not None:
            self.act(PauseCampaign(campaign_id=campaign.campaign_id, actor=self.actor))

    def action_resume(self) -> None:
        campaign = self.target()
        if campaign is None:
            return
        command = ResumeCampaign(campaign_id=campaign.campaign_id, actor=self.actor)
        self.confirm(resume_question(campaign, self.view), command)

    def action_cancel(self) -> None:
        campaign = self.target()
        if campaign is None:
            return
        messages = plural(campaign.open, "message")
        question = f"Cancel {clean(campaign.name)}? {messages} will not be sent. It cannot be undone."
        command = CancelCampaign(campaign_id=campaign.campaign_id, actor=self.actor)
        self.confirm(question, command, typed=self._typed(campaign, campaign.open))


def _reads(drafts: tuple[CampaignDraft, ...]) -> str:
    """Whether a person reads the texts first, which a start should not hide."""
    if not drafts:
        return ""
    if drafts[0].approval == "required":
        return "Each text waits for your yes before it goes out."
    return "Texts go out unread."
