"""Alert silences over HTTP: what is quiet and until when, making one, ending one."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import BeforeValidator, StringConstraints

from engine.surface.commands import EndSilence, SilenceAlerts
from engine.surface.queries import ListSilences
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import Cursor, FutureTime, Limit, Time, TimeOrNull
from huntaze_console.api.problems import invalid
from huntaze_console.api.shapes import AnswerShape, NoQuery, Outcome, RequestShape

_Pattern = Annotated[str, StringConstraints(strict=True, max_length=200)]


def _flag(value: object) -> object:
    """A yes or no in a query string."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


class SilenceListing(RequestShape):
    all: Annotated[bool, BeforeValidator(_flag)] = False
    """With those that have ended, newest first; else the live ones, the one that ends first ahead."""
    limit: Limit = 100
    cursor: Cursor = ""


class SilenceRequest(RequestShape):
    """Which alerts notify nobody, until when and why. At least one of rule, subject and severity says something."""

    rule: _Pattern = ""
    """A rule's name; a * at the end stands for any ending, here and in the next one."""
    subject: _Pattern = ""
    """What the alert is about, such as openai/gpt-4o-mini."""
    severity: Literal["", "info", "warning", "critical"] = ""
    ends_at: FutureTime
    """At most 30 days ahead."""
    reason: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=500)]


class Silence(AnswerShape):
    silence_id: str
    rule: str
    subject: str
    severity: str
    reason: str
    actor: str
    created_at: Time
    ends_at: Time
    ended_at: TimeOrNull
    """When it ended, by its time or by somebody; null while it lasts."""
    matched: int
    """Alerts open in its time that it covers or covered."""


class SilencePage(AnswerShape):
    silences: list[Silence]
    next: str | None
    as_of: str


class Silenced(AnswerShape):
    summary: str
    silence_id: str
    covered: int
    """Open alerts that it covers now."""


async def listing(call: Call) -> web.Response:
    wanted = call.query(SilenceListing)
    page = await call.desk.query(ListSilences(all=wanted.all, limit=wanted.limit, cursor=wanted.cursor))
    rows = [Silence.model_validate(row) for row in page.rows]
    return answer(SilencePage(silences=rows, next=page.next, as_of=page.as_of))


async def create(call: Call) -> web.Response:
    wanted = await call.body(SilenceRequest)
    if wanted.ends_at is None:
        raise invalid("a silence ends at a time, at most 30 days ahead", field="ends_at")
    done = await call.desk.submit(
        SilenceAlerts(
            actor=ACTOR,
            rule=wanted.rule,
            subject=wanted.subject,
            severity=wanted.severity,
            ends_at=wanted.ends_at,
            reason=wanted.reason,
        )
    )
    return answer(Silenced(summary=done.summary, **done.data), 201)


async def end(call: Call) -> web.Response:
    call.query(NoQuery)
    done = await call.desk.submit(EndSilence(actor=ACTOR, silence_id=call.part("silence_id")))
    return answer(Outcome(summary=done.summary))
