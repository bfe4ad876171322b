"""A campaign's way in one line and in full: each step, how far it is, since when, and what failed last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from engine.surface.queries import GetWorkflow
from engine.surface.rows import WorkflowRow, WorkflowStep
from engine.surface.snapshot import CampaignView
from screens.drawing import BLANK, Line, Span
from screens.formatting import NONE, clean, count, moment, plural, wrap
from screens.listing import Listing, plain
from screens.view import View
from screens.widgets.table import Column

_OVER = {"done": ("✔", "ok"), "failed": ("✖", "bad"), "skipped": ("–", "dim")}


def workflow_line(row: WorkflowRow) -> Line:
    """`plan ✔ → generate 412/1,000 → moderate 410/412 → approve: waits for you, 410 → send …`"""
    spans: list[Span] = [("  ", "dim")]
    for number, step in enumerate(row.steps):
        spans += [(" → ", "dim")] if number else []
        spans.append(_short(step))
    return tuple(spans)


def trouble_line(row: WorkflowRow, view: View) -> Line | None:
    """What failed last at a step that is not over, if anything did."""
    for step in row.steps:
        if step.retries and step.state not in _OVER:
            since = moment(step.caused_at, view.now, view.zone)
            said = f"  {_name(step)}: {plural(step.retries, 'try', 'tries')} failed, last {since}: "
            return ((said, "dim"), (clean(step.cause, longest=200), "warn"))
    return None


def _short(step: WorkflowStep) -> Span:
    if step.state in _OVER:
        mark, tone = _OVER[step.state]
        return f"{_name(step)} {mark}", tone
    if _for_person(step):
        return f"{_name(step)}: waits for you, {count(step.open)}", "warn"
    if step.waits_for == "time":
        return f"{_name(step)}: waits for its time, {count(step.open)}", "accent"
    if step.state == "running":
        return f"{_name(step)} {count(step.entered - step.open)}/{count(step.entered)}", "strong"
    return f"{_name(step)} …", "dim"


def _name(step: WorkflowStep) -> str:
    """Of the engine's own making, but it may come from another engine."""
    return clean(step.step, longest=20)


def _for_person(step: WorkflowStep) -> bool:
    return step.waits_for == "person" and step.open > 0


class WorkflowScreen(Listing[WorkflowStep]):
    """One row a step, in the graph's order; below, how the items left it and what failed last."""

    title_text = place = "campaigns"
    empty = "this campaign has no workflow yet: it gets one when the engine starts"

    def __init__(self, campaign: CampaignView) -> None:
        super().__init__()
        self._campaign = campaign

    @property
    def heading(self) -> str:
        return f"campaigns › {clean(self._campaign.name, longest=50)} › workflow"

    def question(self) -> GetWorkflow:
        return GetWorkflow(workflow_id=self._campaign.campaign_id)

    def rows_of(self, view: View) -> Sequence[WorkflowStep]:
        workflow = self._workflow
        return workflow.steps if workflow is not None else ()

    @property
    def _workflow(self) -> WorkflowRow | None:
        read = cast("tuple[WorkflowRow, ...]", self.read)
        return read[0] if read else None

    def columns(self) -> Sequence[Column[WorkflowStep]]:
        return (
            Column(title="step", width=10, paint=plain(lambda row: row.step)),
            Column(title="state", width=15, paint=_state),
            Column(title="came", width=8, right=True, paint=lambda row, _: (count(row.entered), "plain")),
            Column(title="here", width=8, right=True, paint=lambda row, _: (count(row.open), "strong")),
            Column(title="passed", width=8, right=True, paint=lambda row, _: (count(row.passed), "plain")),
            Column(title="tries", width=5, right=True, paint=lambda row, _: (count(row.tries), "dim")),
            Column(title="retries", width=7, right=True, paint=_retries),
            Column(title="since", width=17, right=True, need=90, paint=_since),
            Column(title="until", width=17, right=True, need=110, paint=_until),
            Column(title="last failure", width=12, weight=2, need=90, paint=plain(lambda row: row.cause, "warn")),
        )

    def key_of(self, row: WorkflowStep) -> str:
        return row.step

    def words_of(self, row: WorkflowStep) -> str:
        return f"{row.step} {row.state} {row.cause}"

    def head(self, view: View, width: int) -> Sequence[Line]:
        workflow = self._workflow
        return (workflow_line(workflow),) if workflow is not None else ()

    def foot(self, row: WorkflowStep, view: View, width: int) -> Sequence[Line]:
        left = (
            ", ".join(f"{count(number)} {clean(name, longest=20)}" for name, number in row.outcomes.items())
            or "nothing has left it"
        )
        lines: list[Line] = [BLANK, ((f"  {_name(row)}  ", "head"), (left, "plain"))]
        if row.cause:
            when = moment(row.caused_at, view.now, view.zone)
            lines += [((f"  {part}", "warn"),) for part in wrap(f"{when}: {clean(row.cause, longest=300)}", width - 4)]
        return tuple(lines)


def _state(row: WorkflowStep, view: View) -> Span:
    if _for_person(row):
        return "✎ waits for you", "warn"
    mark, tone = _OVER.get(row.state, ("▶", "ok") if row.state == "running" else ("◷", "dim"))
    return f"{mark} {clean(row.state, longest=12)}", tone


def _retries(row: WorkflowStep, view: View) -> Span:
    return count(row.retries), "warn" if row.retries else "dim"


def _since(row: WorkflowStep, view: View) -> Span:
    return (moment(row.started_at, view.now, view.zone) if row.started_at else NONE), "dim"


def _until(row: WorkflowStep, view: View) -> Span:
    return (moment(row.ended_at, view.now, view.zone) if row.ended_at else NONE), "dim"
