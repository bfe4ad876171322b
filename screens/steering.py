"""Start, pause, resume and cancel of a campaign, wherever one is shown: what is allowed, what is asked first."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.kernel.errors import HuntazeError
from engine.surface.commands import CancelCampaign, PauseCampaign, ResumeCampaign, StartCampaign
from engine.surface.queries import EstimateCampaign, GetDraft
from engine.surface.rows import EstimateRow
from engine.surface.snapshot import FINAL_CAMPAIGN_STATES, CampaignView
from screens.facts import account_name, finishes_at
from screens.formatting import clean, moment, money, plural
from screens.place import Place
from screens.view import View
from screens.widgets.confirm import Confirm

VERBS: tuple[BindingType, ...] = (
    Binding("s", "start", "start"),
    Binding("p", "pause", "pause"),
    Binding("r", "resume", "resume"),
    Binding("x", "cancel", "cancel"),
)
_MOVING = frozenset({"awaiting_approval", "scheduled", "running"})


def allowed(verb: str, campaign: CampaignView | None) -> bool:
    """Does a verb mean something in the campaign's state?"""
    if campaign is None:
        return False
    match verb:
        case "start":
            return campaign.state == "draft"
        case "pause":
            return campaign.state in _MOVING
        case "resume":
            return campaign.state == "paused"
        case _:
            return campaign.state not in FINAL_CAMPAIGN_STATES


def start_question(fans: int, account: str, estimate: EstimateRow | None, finish: int, view: View) -> str:
    """Send to 1,000 fans of anna for $1.90-$3.40, until 16:12 tomorrow?"""
    until = moment(estimate.finish_at if estimate else finish, view.now, view.zone)
    cost = f" for {cost_range(estimate)}" if estimate else ""
    return f"Send to {plural(fans, 'fan')} of {account}{cost}, until {until}?"


def cost_range(estimate: EstimateRow) -> str:
    if estimate.cost_low is None or estimate.cost_high is None:
        return "an unknown cost (unpriced)"
    return f"{money(estimate.cost_low)}–{money(estimate.cost_high)}"


class Steering(Place):
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
        try:
            drafts = (await self.console.source.query(GetDraft(campaign_id=campaign.campaign_id))).rows
            if drafts:
                estimate = (await self.console.source.query(EstimateCampaign(draft=drafts[0]))).rows[0]
        except HuntazeError as error:
            self.console.tell(f"No estimate: {error}", severity="warning")
        view = self.view
        fans = campaign.open
        question = start_question(
            fans, account_name(view, campaign.account_id), estimate, finishes_at(campaign, view), view
        )
        command = StartCampaign(campaign_id=campaign.campaign_id, actor=self.console.options.actor)
        typed = clean(campaign.name) if fans > self.console.options.typed_above else ""

        def answered(yes: bool | None) -> None:
            if yes:
                self.send(command)

        self.app.push_screen(Confirm(question, typed=typed), answered)

    def action_pause(self) -> None:
        campaign = self.target()
        if campaign is not None:
            self.send(PauseCampaign(campaign_id=campaign.campaign_id, actor=self.console.options.actor))

    def action_resume(self) -> None:
        campaign = self.target()
        if campaign is None:
            return
        command = ResumeCampaign(campaign_id=campaign.campaign_id, actor=self.console.options.actor)
        until = moment(finishes_at(campaign, self.view), self.view.now, self.view.zone)
        question = f"Resume {clean(campaign.name)}? {plural(campaign.open, 'message')} wait, until {until}."

        def answered(yes: bool | None) -> None:
            if yes:
                self.send(command)

        self.app.push_screen(Confirm(question), answered)

    def action_cancel(self) -> None:
        campaign = self.target()
        if campaign is None:
            return
        command = CancelCampaign(campaign_id=campaign.campaign_id, actor=self.console.options.actor)
        name = clean(campaign.name)
        question = f"Cancel {name}? {plural(campaign.open, 'message')} will not be sent. It cannot be undone."
        typed = name if campaign.open > self.console.options.typed_above else ""

        def answered(yes: bool | None) -> None:
            if yes:
                self.send(command)

        self.app.push_screen(Confirm(question, typed=typed), answered)
