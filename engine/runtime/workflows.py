"""The desk's part that shows workflows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.campaigns import workflow_store
from engine.kernel.errors import CommandRefused, Refusal
from engine.storage import Database
from engine.surface import queries
from engine.surface.queries import Page, Query
from engine.surface.rows import WorkflowRow

STATES = ("waiting", "running", "paused", "done", "cancelled", "failed")


class WorkflowShelf:
    """Queries for `EngineDesk.extend`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.GetWorkflow: self._get,
            queries.ListWorkflows: self._list,
        }

    async def _get(self, query: queries.GetWorkflow) -> Page[WorkflowRow]:
        async with self._database.view() as reader:
            return Page((await workflow_store.view(reader, query.workflow_id),))

    async def _list(self, query: queries.ListWorkflows) -> Page[WorkflowRow]:
        if query.state and query.state not in STATES:
            raise CommandRefused(Refusal.INVALID, f"a workflow's state is one of {', '.join(STATES)}", field="state")
        async with self._database.view() as reader:
            return await workflow_store.listing(reader, query)
