"""The engine's log over HTTP: the newest records, harmless and without secrets."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from engine.surface.queries import ListLogs
from huntaze_console.api.call import Call, answer
from huntaze_console.api.fields import Cursor, Limit, Time
from huntaze_console.api.shapes import AnswerShape, RequestShape


class LogListing(RequestShape):
    level: Literal["", "debug", "info", "warning", "error", "critical"] = ""
    """The least that is shown."""
    text: str = Field(default="", max_length=200)
    """What stands somewhere in a record, upper or lower case."""
    after: int | None = Field(default=None, ge=0)
    """Only records behind this number, the next ones first: for following."""
    limit: Limit = 100
    cursor: Cursor = ""


class LogLine(AnswerShape):
    seq: int
    """Counts from 1 at each start of the engine."""
    at: Time
    level: str
    area: str
    """The module that spoke."""
    message: str
    fields: dict[str, str]
    error: str
    """An exception's type and place; its text is left out."""
    trace: list[str]


class LogPage(AnswerShape):
    as_of: str
    rows: list[LogLine]
    next: str | None
    """The cursor of the records before these."""


async def listing(call: Call) -> web.Response:
    wanted = call.query(LogListing)
    question = ListLogs(
        level=wanted.level, text=wanted.text, after=wanted.after, limit=wanted.limit, cursor=wanted.cursor
    )
    page = await call.desk.query(question)
    return answer(LogPage(as_of=page.as_of, rows=[LogLine.model_validate(row) for row in page.rows], next=page.next))
