"""Workflow instances in SQLite: one a campaign, moved on in the transactions that move its deliveries."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from engine.campaigns.campaign import ENDED, Campaign, CampaignState
from engine.campaigns.path import AUTOMATIC, SEND, Move, passages, sent_back
from engine.campaigns.workflow import END, Graph, Place, Step, StepState, Waits, dump, load, replay, states
from engine.events import WorkflowStepMoved
from engine.kernel.errors import CommandRefused, Refusal
from engine.storage import Reader, Tx
from engine.surface.queries import ListWorkflows, Page
from engine.surface.rows import WorkflowEdge, WorkflowRow, WorkflowStep

_MOVES = "SELECT * FROM delivery_moves WHERE campaign_id = ?"
_STEPS = "SELECT * FROM workflow_steps WHERE workflow_id = ?"
_TIME = "time"
_PARKED = {
    CampaignState.PAUSED: "paused",
    CampaignState.FINISHED: "done",
    CampaignState.CANCELLED: "cancelled",
    CampaignState.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Workflow:
    """The instance a campaign follows."""

    workflow_id: str
    graph: Graph
    facts: frozenset[str]

    def after(self, step: str, outcome: str) -> str:
        """Where an item goes that leaves a step; empty when that is the end."""
        return self.graph.after(step, outcome, self.facts)

    def step(self, name: str) -> Step:
        return self.graph.step(name)


def workflow_id_of(campaign_id: str) -> str:
    return f"wf_{campaign_id.removeprefix('cmp_')}"


def of_campaign(tx: Tx, campaign: Campaign, graph: Graph, now: int) -> Workflow:
    """The campaign's instance. One that has none yet, because it is older than workflows, begins it with `graph`."""
    row = tx.execute(
        "SELECT workflow_id, graph, facts FROM workflows WHERE campaign_id = ?", (campaign.campaign_id,)
    ).fetchone()
    if row is not None:
        return _workflow(row["workflow_id"], row["graph"], row["facts"])
    facts = AUTOMATIC if not campaign.needs_approval else ""
    workflow_id = workflow_id_of(campaign.campaign_id)
    tx.execute(
        "INSERT INTO workflows VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (workflow_id, campaign.campaign_id, dump(graph), facts, "waiting", now),
    )
    return _workflow(workflow_id, dump(graph), facts)


def sync(tx: Tx, campaign: Campaign, graph: Graph, now: int) -> None:
    """Bring the instance to where the campaign's deliveries are, in the transaction that moved them."""
    workflow = of_campaign(tx, campaign, graph, now)
    moves = [_move(row) for row in tx.execute(_MOVES, (campaign.campaign_id,))]
    known = {row["step"]: row for row in tx.execute(_STEPS, (workflow.workflow_id,))}
    instance = replay(workflow.graph, workflow.facts, passages(moves, workflow.facts))
    found = _held(campaign, workflow, states(workflow.graph, instance))
    back = sent_back(moves)
    for name, state in found.items():
        row, place = known.get(name), instance.places[name]
        retried = (back.count, back.reason, back.last_at) if back and name == SEND else _tries(row)
        figures = (state, place.entered, place.open, place.passed, *retried)
        if row is None or figures != _figures(row):
            _keep(tx, workflow.workflow_id, name, figures, _times(workflow.step(name), state, place))
        if row is not None and row["state"] != state:
            tx.emit(
                WorkflowStepMoved(
                    at=now,
                    workflow_id=workflow.workflow_id,
                    campaign_id=campaign.campaign_id,
                    step=name,
                    before=row["state"],
                    after=str(state),
                )
            )
    ended = now if campaign.state in ENDED else None
    tx.execute(
        "UPDATE workflows SET state = ?1, ended_at = ?2 WHERE workflow_id = ?3 AND state <> ?1",
        (_state(campaign, found.values()), ended, workflow.workflow_id),
    )


def tried(tx: Tx, campaign: Campaign, graph: Graph, step: str, cause: str, now: int) -> None:
    """An item's try at a step failed and will be repeated."""
    workflow = of_campaign(tx, campaign, graph, now)
    tx.execute(
        "UPDATE workflow_steps SET retries = retries + 1, cause = ?, caused_at = ? WHERE workflow_id = ? AND step = ?",
        (cause, now, workflow.workflow_id, step),
    )


async def view(reader: Reader, name: str) -> WorkflowRow:
    """One instance by its own id or its campaign's. Raises CommandRefused(NOT_FOUND)."""
    row = await reader.row(
        "SELECT w.*, c.name, c.state AS stage FROM workflows w JOIN campaigns c USING (campaign_id)"
        " WHERE workflow_id = ? OR campaign_id = ?",
        (name, name),
    )
    if row is None:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no workflow {name!r}", field="workflow_id")
    return await _shown(reader, row)


async def listing(reader: Reader, query: ListWorkflows) -> Page[WorkflowRow]:
    """Newest first."""
    limit = max(1, min(query.limit, 1000))
    wanted = (("w.state = ?", query.state), ("w.workflow_id < ?", query.cursor))
    used = [(clause, value) for clause, value in wanted if value]
    where = " AND ".join(clause for clause, _ in used) or "1"
    rows = await reader.rows(
        "SELECT w.*, c.name, c.state AS stage FROM workflows w JOIN campaigns c USING (campaign_id)"
        f" WHERE {where} ORDER BY w.workflow_id DESC LIMIT ?",
        (*(value for _, value in used), limit + 1),
    )
    shown = tuple([await _shown(reader, row) for row in rows[:limit]])
    return Page(shown, shown[-1].workflow_id if len(rows) > limit else None)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=64)
def _graph(data: bytes) -> Graph:
    return load(data)


def _workflow(workflow_id: str, graph: bytes, facts: str) -> Workflow:
    return Workflow(workflow_id, _graph(graph), frozenset(facts.split(",")) if facts else frozenset())


def _move(row: sqlite3.Row) -> Move:
    return Move(
        before=row["before"],
        after=row["after"],
        blocked=bool(row["blocked"]),
        count=row["count"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        reason=row["reason"],
    )


_Tries = tuple[int, str, int | None]
_Figures = tuple[str, int, int, int, int, str, int | None]


def _tries(row: sqlite3.Row | None) -> _Tries:
    return (0, "", None) if row is None else (row["retries"], row["cause"], row["caused_at"])


def _figures(row: sqlite3.Row) -> _Figures:
    return (row["state"], row["entered"], row["open"], row["passed"], *_tries(row))


def _times(step: Step, state: StepState, place: Place) -> tuple[int | None, int | None]:
    """When the step began and when it was over. What waits for its turn has not begun; what goes on again is open."""
    if state is StepState.WAITING and step.waits is not Waits.PERSON:
        return None, None
    over = state is not StepState.RUNNING and state is not StepState.WAITING
    return place.began_at, place.moved_at if over else None


def _held(campaign: Campaign, workflow: Workflow, found: dict[str, StepState]) -> dict[str, StepState]:
    """A draft, and what its schedule holds back, is not under way although everything for it is there."""
    held: set[str] = set()
    if campaign.state is CampaignState.DRAFT:
        held = set(found)
    elif campaign.state is CampaignState.SCHEDULED:
        held = set(found) if AUTOMATIC in workflow.facts else {SEND}
    return {
        name: StepState.WAITING if name in held and state is StepState.RUNNING else state
        for name, state in found.items()
    }


def _keep(tx: Tx, workflow_id: str, step: str, figures: _Figures, times: tuple[int | None, int | None]) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO workflow_steps (workflow_id, step, state, entered, open, passed, retries, cause,"
        " caused_at, started_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (workflow_id, step, *figures, *times),
    )


def _state(campaign: Campaign, steps: Iterable[StepState]) -> str:
    if campaign.state in _PARKED:
        return _PARKED[campaign.state]
    if campaign.state is CampaignState.DRAFT:
        return "waiting"
    moving = campaign.state is CampaignState.RUNNING or StepState.RUNNING in steps
    return "running" if moving else "waiting"


async def _shown(reader: Reader, row: sqlite3.Row) -> WorkflowRow:
    workflow = _workflow(row["workflow_id"], row["graph"], row["facts"])
    moves = [_move(one) for one in await reader.rows(_MOVES, (row["campaign_id"],))]
    kept = {one["step"]: one for one in await reader.rows(_STEPS, (row["workflow_id"],))}
    left = replay(workflow.graph, workflow.facts, passages(moves, workflow.facts)).places
    back = sent_back(moves)  # what came back for another try moves no step, so its row may not have it yet
    sends = (back.count, back.reason, back.last_at) if back else (0, "", None)
    return WorkflowRow(
        workflow_id=row["workflow_id"],
        campaign_id=row["campaign_id"],
        name=row["name"],
        graph=workflow.graph.name,
        state=row["state"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        steps=tuple(
            _step(
                step,
                kept[step.name],
                left[step.name],
                sends if step.name == SEND else _tries(kept[step.name]),
                scheduled=row["stage"] == CampaignState.SCHEDULED,
            )
            for step in workflow.graph.steps
        ),
        edges=_edges(workflow),
    )


def _step(step: Step, row: sqlite3.Row, place: Place, tries: _Tries, *, scheduled: bool) -> WorkflowStep:
    retries, cause, caused_at = tries
    held = scheduled and step.waits is Waits.ENGINE and place.open > 0 and row["state"] == StepState.WAITING
    return WorkflowStep(
        step=step.name,
        state=row["state"],
        waits_for=_TIME if held else step.waits,
        entered=row["entered"],
        open=row["open"],
        passed=row["passed"],
        outcomes={name: count for name, count in place.left.items() if count},
        tries=step.tries,
        retries=retries,
        cause=cause,
        caused_at=caused_at,
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )


def _edges(workflow: Workflow) -> tuple[WorkflowEdge, ...]:
    taken = workflow.graph.ways(workflow.facts).edges.values()
    return tuple(
        WorkflowEdge(step=edge.step, outcome=edge.outcome, to=edge.to, when=edge.when, taken=edge in taken)
        for edge in workflow.graph.edges
        if edge.to != END or edge.passes
    )
