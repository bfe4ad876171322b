"""Workflows over HTTP: each campaign's way through its steps."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from engine.surface.queries import GetWorkflow, ListWorkflows, Page
from engine.surface.rows import WorkflowRow
from huntaze_console.api.call import Call, answer
from huntaze_console.api.fields import Cursor, Limit, Time, TimeOrNull
from huntaze_console.api.shapes import AnswerShape, NoQuery, RequestShape


class WorkflowListing(RequestShape):
    state: str = ""
    """waiting, running, paused, done, cancelled or failed; empty: all."""
    limit: Limit = 100
    cursor: Cursor = ""


class WorkflowStep(AnswerShape):
    """A step, and how far its items (a campaign's deliveries) are."""

    step: str
    state: str
    """waiting, running, done, failed (nothing got through) or skipped (nothing came to it)."""
    waits_for: str
    """`engine`, `person`, `time` (the campaign's start), or empty for what is done together with the step before it."""
    entered: int
    open: int
    passed: int
    outcomes: Mapping[str, int]
    """How the items left that are no longer here."""
    tries: int
    """How often an item is tried at most."""
    retries: int
    """Tries that failed and were or will be repeated, of all items."""
    cause: str
    """Of the last failed try."""
    caused_at: TimeOrNull
    started_at: TimeOrNull
    ended_at: TimeOrNull


class WorkflowEdge(AnswerShape):
    step: str
    outcome: str
    to: str
    """Empty: out of the graph."""
    when: str
    """The fact the edge is for; empty: always."""
    taken: bool


class Workflow(AnswerShape):
    workflow_id: str
    campaign_id: str
    name: str
    graph: str
    state: str
    created_at: Time
    ended_at: TimeOrNull
    steps: list[WorkflowStep]
    edges: list[WorkflowEdge]


class WorkflowPage(AnswerShape):
    rows: list[Workflow]
    next: str | None
    as_of: str


async def get(call: Call) -> web.Response:
    call.query(NoQuery)
    page: Page[WorkflowRow] = await call.desk.query(GetWorkflow(workflow_id=call.part("workflow_id")))
    return answer(Workflow.model_validate(page.rows[0]))


async def listing(call: Call) -> web.Response:
    wanted = call.query(WorkflowListing)
    page: Page[WorkflowRow] = await call.desk.query(
        ListWorkflows(state=wanted.state, limit=wanted.limit, cursor=wanted.cursor)
    )
    rows = [Workflow.model_validate(row) for row in page.rows]
    return answer(WorkflowPage(rows=rows, next=page.next, as_of=page.as_of))
