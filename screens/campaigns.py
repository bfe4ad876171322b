"""The campaigns: every one, and one of them with its deliveries and the texts that wait for a yes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.kernel.errors import HuntazeError
from engine.surface.commands import ApproveDeliveries, CampaignDraft, RejectDeliveries
from engine.surface.queries import GetDraft, GetWorkflow, ListCampaigns, ListDeliveries
from engine.surface.rows import DeliveryRow, WorkflowRow
from engine.surface.snapshot import CampaignView
from screens.delivery import DeliveryScreen
from screens.drawing import BLANK, Line, Span, cut, gauge, state, width_of
from screens.facts import (
    account_name,
    begins_at,
    budget_word,
    campaign_progress,
    campaign_rank,
    campaign_state,
    campaign_word,
)
from screens.formatting import NONE, clean, clean_lines, clock_exact, count, moment, money, percent, plural, price
from screens.listing import Listing, plain
from screens.logs import LogsScreen
from screens.review import ReviewScreen, approve, risk_span
from screens.settling import settle, settle_all
from screens.steering import VERB_ACTIONS, VERBS, Steering
from screens.stream import StreamScreen
from screens.view import View
from screens.widgets.asking import Entry
from screens.widgets.table import Column
from screens.workflow import WorkflowScreen, trouble_line, workflow_line

_DELIVERY_STATES = (  # in the order that `v` steps through them: what waits for a person first
    "drafted",
    "uncertain",
    "failed",
    "pending",
    "approved",
    "queued",
    "sending",
    "sent",
    "rejected",
    "expired",
    "cancelled",
    "skipped",
)


class CampaignsScreen(Listing[CampaignView], Steering):
    """One row a campaign: what runs first, then the newest."""

    title_text = place = "campaigns"
    empty = "no campaign yet: c makes the first"
    first_keys = ("review texts",)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("m", "review", "review texts"), *VERBS]

    def question(self) -> ListCampaigns:
        return ListCampaigns()

    def rows_of(self, view: View) -> Sequence[CampaignView]:
        """What was read, and over it what the snapshot knows better."""
        known = {row.campaign_id: row for row in self.read} | dict(view.snapshot.campaigns)
        return sorted(known.values(), key=campaign_rank)

    def columns(self) -> Sequence[Column[CampaignView]]:
        return (
            Column(title="state", width=11, paint=_state, sort=lambda row: row.state),
            Column(
                title="campaign",
                width=12,
                weight=3,
                paint=plain(lambda row: row.name),
                sort=lambda row: row.name.casefold(),
            ),
            Column(
                title="account",
                width=8,
                weight=1,
                paint=lambda row, view: (account_name(view, row.account_id), "dim"),
                sort=lambda row: row.account_id,
            ),
            Column(title="", width=12, need=120, adorns=True, paint=lambda row, _: gauge(*campaign_progress(row), 12)),
            Column(title="done", width=15, right=True, paint=_done, sort=lambda row: campaign_progress(row)[0]),
            Column(title="", width=5, right=True, paint=lambda row, _: (percent(*campaign_progress(row)), "dim")),
            Column(
                title="cost",
                width=8,
                right=True,
                need=78,
                paint=lambda row, _: (money(row.cost), "plain"),
                sort=lambda row: row.cost,
            ),
            Column(
                title="made",
                width=17,
                right=True,
                need=150,
                paint=lambda row, view: (moment(row.created_at, view.now, view.zone), "dim"),
                sort=lambda row: row.created_at,
            ),
            Column(title="now", width=12, weight=3, paint=lambda row, view: campaign_word(row, view)),
        )

    def key_of(self, row: CampaignView) -> str:
        return row.campaign_id

    def words_of(self, row: CampaignView) -> str:
        account = f"{row.account_id} {account_name(self.view, row.account_id)}"
        return f"{row.name} {account} {row.state} {row.reason} {row.campaign_id}"

    def open(self, row: CampaignView) -> None:
        self.app.push_screen(CampaignScreen(row))

    def target(self) -> CampaignView | None:
        return self.row

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in VERB_ACTIONS:
            return self.may(action)
        if action == "review":
            row = self.row if self.is_mounted else None
            return row is not None and bool(row.counts.get("drafted"))
        return super().check_action(action, parameters)

    def action_review(self) -> None:
        if self.row is not None:
            self.app.push_screen(ReviewScreen(self.row))


class CampaignScreen(Listing[DeliveryRow], Steering):
    """One campaign: how far it is, and each fan's delivery with its reason and text."""

    place = "campaigns"
    title_text = "deliveries"
    first_keys = ("review texts", "approve", "approve all", "reject", "settle", "settle all", "view")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "review", "review texts"),
        Binding("a", "approve", "approve"),
        Binding("A", "approve_all", "approve all"),
        Binding("d", "reject", "reject"),
        Binding("e", "settle", "settle"),
        Binding("E", "settle_all", "settle all"),
        Binding("v", "view", "view"),
        Binding("w", "workflow", "workflow"),
        Binding("i", "events", "its events"),
        Binding("l", "logs", "its log lines"),
        *VERBS,
    ]

    def __init__(self, campaign: CampaignView) -> None:
        super().__init__()
        self._campaign = campaign
        self._state = "drafted" if campaign.counts.get("drafted") else ""
        self._draft: CampaignDraft | None = None
        self._workflow: WorkflowRow | None = None

    @property
    def heading(self) -> str:
        return (
            f"campaigns › {clean(self._campaign.name, longest=50)} › {state(self._state)[2] if self._state else 'all'}"
        )

    @property
    def empty(self) -> str:  # type: ignore[override]
        if self._state:
            return f"no delivery is {state(self._state)[2]}; v shows the others"
        return "no delivery rows: no fan was reached when it was made"

    def question(self) -> ListDeliveries:
        return ListDeliveries(campaign_id=self._campaign.campaign_id, state=self._state)

    def on_mount(self) -> None:
        self.run_worker(self._read_draft(), exit_on_error=False)

    async def _read_draft(self) -> None:
        page = await self.console.source.query(GetDraft(campaign_id=self._campaign.campaign_id))
        self._draft = page.rows[0] if page.rows else None

    def action_reload(self) -> None:
        super().action_reload()
        self.run_worker(self._read_workflow(), group="workflow", exclusive=True, exit_on_error=False)

    async def _read_workflow(self) -> None:
        """A campaign older than workflows has none until the engine starts again; its deliveries show all the same."""
        with suppress(HuntazeError):
            page = await self.console.source.query(GetWorkflow(workflow_id=self._campaign.campaign_id))
            self._workflow = page.rows[0] if page.rows else None
        if self.is_current:
            self.show(self.view)

    def target(self) -> CampaignView:
        """As the snapshot has it; an old one as it was read."""
        return self.view.snapshot.campaigns.get(self._campaign.campaign_id, self._campaign)

    def head(self, view: View, width: int) -> Sequence[Line]:
        campaign = self.target()
        done, fans = campaign_progress(campaign)
        glyph, tone, word = campaign_state(campaign)
        now, colour = campaign_word(campaign, view)
        budget = f" of {money(campaign.budget)}" if campaign.budget is not None else ""
        unpriced = f", {plural(campaign.unpriced, 'call')} unpriced" if campaign.unpriced else ""
        said = begins_at(campaign, view) or (now if now != word else "")
        first: Line = (
            (f"  {glyph} {word} ", tone),
            *gauge(done, fans, 20),
            (f" {count(done)} of {plural(fans, 'fan')} done", "strong"),
            (f" {percent(done, fans)}  ", "dim"),
            (said, colour),
        )
        whose = f"  {account_name(view, campaign.account_id)} · {clean(campaign.tool, longest=40)}"
        facts = f"{whose} · {money(campaign.cost)}{budget}{unpriced}"
        warned = budget_word(campaign, view)
        second: Line = (
            (facts, "dim"),
            *([(" · ", "dim"), warned] if warned else []),
            (f" · made {moment(campaign.created_at, view.now, view.zone)}{self._asks()}", "dim"),
        )
        return (cut(first, width), cut(second, width), *self._way(view, width), *self._choice(width))

    def _choice(self, width: int) -> list[Line]:
        """The states that `v` steps through, each with its deliveries; as many lines as they need."""
        lines: list[Line] = [BLANK]
        for name in self._states:
            word, tone = self._counted(name)
            part: Line = (("  ", "plain"), (word, "chosen" if name == self._state else tone))
            if lines[-1] and width_of(lines[-1]) + width_of(part) > width:
                lines.append(BLANK)
            lines[-1] = (*lines[-1], *part)
        return lines

    @property
    def _states(self) -> tuple[str, ...]:
        """Nothing for all of them, then each state that has a delivery; the chosen one also when it has none left."""
        counts = self.target().counts
        return ("", *(name for name in _DELIVERY_STATES if counts.get(name) or name == self._state))

    def _counted(self, name: str) -> Span:
        counts = self.target().counts
        if not name:
            return f"all {count(sum(counts.values()))}", "dim"
        mark, tone, word = state(name)
        return f"{mark} {count(counts.get(name, 0))} {word}", tone

    def _way(self, view: View, width: int) -> Sequence[Line]:
        """The workflow in a line, and what failed last in another."""
        if self._workflow is None:
            return ()
        trouble = trouble_line(self._workflow, view)
        lines = [workflow_line(self._workflow), *([trouble] if trouble else [])]
        return [cut(line, width) for line in lines]

    def _asks(self) -> str:
        if self._draft is None:
            return ""
        kind, text = ("template", self._draft.template) if self._draft.template else ("prompt", self._draft.prompt)
        return f" · {kind} “{clean(text, longest=200)}”"

    def columns(self) -> Sequence[Column[DeliveryRow]]:
        return (
            Column(title="state", width=12, paint=_delivery_state, sort=lambda row: row.state, field="state"),
            Column(
                title="fan",
                width=12,
                weight=1,
                paint=plain(lambda row: row.fan_name or row.fan_id),
                sort=lambda row: (row.fan_name or row.fan_id).casefold(),
                field="fan",
            ),
            Column(
                title="text",
                width=10,
                weight=4,
                need=90,
                paint=plain(lambda row: row.text),
                sort=lambda row: row.text,
                field="text",
            ),
            Column(
                title="risk",
                width=15,
                need=130,
                paint=lambda row, _: risk_span(row.risk) if row.text else ("", "plain"),
                sort=lambda row: row.risk,
                field="risk",
            ),
            Column(
                title="reason",
                width=14,
                weight=2,
                paint=plain(lambda row: row.reason, "warn"),
                sort=lambda row: row.reason,
                field="reason",
            ),
            Column(
                title="tries",
                width=5,
                right=True,
                paint=lambda row, _: (count(row.attempts), "dim"),
                sort=lambda row: row.attempts,
                field="attempts",
            ),
            Column(
                title="cost",
                width=13,
                right=True,
                need=70,
                paint=lambda row, _: ("–" if row.cost is None else price(row.cost), "dim"),
                sort=lambda row: row.cost or 0,
                field="cost",
            ),
            Column(
                title="changed",
                width=8,
                right=True,
                paint=lambda row, view: (clock_exact(row.changed_at, view.zone), "dim"),
                sort=lambda row: row.changed_at,
                field="changed_at",
            ),
        )

    def key_of(self, row: DeliveryRow) -> str:
        return row.delivery_id

    def words_of(self, row: DeliveryRow) -> str:
        return f"{row.fan_name} {row.fan_id} {row.state} {row.reason} {row.text}"

    def foot(self, row: DeliveryRow, view: View, width: int) -> Sequence[Line]:
        room = 6 if self.app.size.height >= 34 else 4 if self.app.size.height >= 24 else 2
        glyph, tone, word = state(row.state)
        why = f": {clean(row.reason, longest=200)}" if row.reason else ""
        title: Line = (
            (f"  to {clean(row.fan_name or row.fan_id, longest=60)}  ", "head"),
            (f"{glyph} {word}{why}", tone),
            (f"  since {moment(row.changed_at, view.now, view.zone)}", "dim"),
        )
        texts = clean_lines(row.text, width - 4)[:room] if row.text else ["no text yet"]
        shown: list[Line] = [((f"  {text}", "plain" if row.text else "dim"),) for text in texts]
        return (BLANK, cut(title, width), *shown)

    def open(self, row: DeliveryRow) -> None:
        self.app.push_screen(DeliveryScreen(row))

    # ── acting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in VERB_ACTIONS:
            return self.may(action)
        if action in ("approve", "reject", "settle"):
            row = self.row if self.is_mounted else None
            wanted = "uncertain" if action == "settle" else "drafted"
            return row is not None and row.state == wanted and self.may_act
        if action == "review":
            return bool(self.target().counts.get("drafted"))
        if action == "view":
            return len(self._states) > 1
        if action in ("approve_all", "settle_all"):
            wanted = "uncertain" if action == "settle_all" else "drafted"
            return bool(self.target().counts.get(wanted)) and self.may_act
        return super().check_action(action, parameters)

    def action_workflow(self) -> None:
        self.app.push_screen(WorkflowScreen(self._campaign))

    def action_events(self) -> None:
        self.app.push_screen(StreamScreen(self._campaign.campaign_id))

    def action_logs(self) -> None:
        self.app.push_screen(LogsScreen(self._campaign.campaign_id))

    def action_view(self) -> None:
        states = self._states
        self._state = states[(states.index(self._state) + 1) % len(states)]
        self.start_over()

    def action_review(self) -> None:
        self.app.push_screen(ReviewScreen(self.target()))

    def action_approve(self) -> None:
        if self.row is not None:
            approve(self, self._campaign.name, (self.row,))

    def action_approve_all(self) -> None:
        campaign = self.target()
        number = campaign.counts.get("drafted", 0)
        command = ApproveDeliveries(campaign_id=campaign.campaign_id, actor=self.actor)
        typed = clean(campaign.name) if number > self.console.options.typed_above else ""
        question = f"Approve all {plural(number, 'drafted text')} of {clean(campaign.name)}?"
        detail = "They go out as they are, the unread too, and cannot be called back. m reads them by their risk first."
        self.confirm(question, command, detail=detail, typed=typed)

    def action_reject(self) -> None:
        row = self.row
        if row is None:
            return
        name = clean(row.fan_name or row.fan_id, longest=60)
        self.ask(
            f"Reject the text for {name}? This fan gets nothing from this campaign.",
            (Entry(name="reason", label="reason", hint="off tone, wrong facts, …"),),
            lambda values: RejectDeliveries(
                campaign_id=self._campaign.campaign_id,
                delivery_ids=(row.delivery_id,),
                reason=values["reason"] or "rejected by the operator",
                actor=self.actor,
            ),
            go="reject it",
        )

    def action_settle(self) -> None:
        if self.row is not None:
            settle(self, self.row)

    def action_settle_all(self) -> None:
        settle_all(self, self.target())


def _state(row: CampaignView, _view: View) -> Span:
    glyph, tone, word = campaign_state(row)
    return f"{glyph} {clean(word, longest=30)}", tone


def _done(row: CampaignView, _view: View) -> Span:
    done, fans = campaign_progress(row)
    return f"{count(done)}/{count(fans)}" if fans else NONE, "plain"


def _delivery_state(row: DeliveryRow, _view: View) -> Span:
    glyph, tone, word = state(row.state)
    return f"{glyph} {clean(word, longest=30)}", tone
