"""The audit over HTTP: who asked what of the engine, and putting back what can be put back."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import StringConstraints

from engine.kernel.errors import CommandRefused, Refusal
from engine.surface.commands import UndoAction
from engine.surface.queries import ListAudit
from engine.surface.rows import AuditRow
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import Cursor, FutureTime, Limit, Time
from huntaze_console.api.shapes import AnswerShape, Nothing, RequestShape

_Pattern = Annotated[str, StringConstraints(max_length=200)]


class AuditListing(RequestShape):
    actor: _Pattern = ""
    """Who asked: anna, on whichever host, or anna@desk; a * at the end is any ending, here and in the next two."""
    action: _Pattern = ""
    """What was asked, such as pause-campaign."""
    subject: _Pattern = ""
    """What it was done to, such as a campaign's id."""
    since: FutureTime = None
    """ISO 8601 with an offset; older rows are left out."""
    limit: Limit = 100
    cursor: Cursor = ""


class Action(AnswerShape):
    """One command the engine was given."""

    audit_id: int
    at: Time
    actor: str
    via: str
    """By which door it came: console, cli, api, gateway or engine."""
    action: str
    subject: str
    names: dict[str, str]
    """What the ids in the subject are called: a campaign's name, a delivery's fan."""
    summary: str
    before: dict[str, Any]
    """Facts of what changed, as they were; empty where nothing can be said in short."""
    after: dict[str, Any]
    outcome: str
    """done or refused."""
    undoable: bool
    """It may be put back, unless it changed again since."""
    why_not: str
    """Why it cannot; empty where it can."""
    undone_by: int | None
    """The audit_id of the action that put it back."""


class ActionPage(AnswerShape):
    actions: list[Action]
    next: str | None
    as_of: str


class Undone(AnswerShape):
    summary: str
    audit_id: int
    """Of the undoing, which can be undone itself."""


async def listing(call: Call) -> web.Response:
    wanted = call.query(AuditListing)
    query = ListAudit(
        actor=wanted.actor,
        action=wanted.action,
        subject=wanted.subject,
        since=wanted.since or 0,
        limit=wanted.limit,
        cursor=wanted.cursor,
    )
    page = await call.desk.query(query)
    return answer(ActionPage(actions=[_action(row) for row in page.rows], next=page.next, as_of=page.as_of))


async def undo(call: Call) -> web.Response:
    await call.body(Nothing)
    done = await call.desk.submit(UndoAction(actor=ACTOR, audit_id=_number(call)))
    return answer(Undone(summary=done.summary, audit_id=done.data["audit_id"]))


def _number(call: Call) -> int:
    given = call.part("audit_id")
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise CommandRefused(Refusal.NOT_FOUND, "a row of the audit has a number", field="audit_id")
    return int(given)


def _action(row: AuditRow) -> Action:
    return Action(
        audit_id=row.audit_id,
        at=row.at,
        actor=row.actor,
        via=row.via,
        action=row.action,
        subject=row.subject,
        names=dict(row.names),
        summary=row.summary,
        before=orjson.loads(row.before or "{}"),
        after=orjson.loads(row.after or "{}"),
        outcome=row.outcome,
        undoable=row.undoable,
        why_not=row.why_not,
        undone_by=row.undone_by,
    )
