"""The engine's past over HTTP: its snapshot at a moment, and what happened between two."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field

from engine.kernel.values import Instant
from engine.surface import wire
from engine.surface.queries import EventHistory, SnapshotAt
from engine.surface.wire import NOW_HEADER
from huntaze_console.api.call import Call, answer, answer_bytes
from huntaze_console.api.fields import Cursor, Limit, Time, moment_or_day
from huntaze_console.api.problems import invalid
from huntaze_console.api.shapes import AnswerShape, RequestShape


class SnapshotRequest(RequestShape):
    at: str | None = Field(default=None, max_length=64)
    """ISO 8601 with an offset, or a day in the costs' time zone. Default: now."""
    seq: Annotated[int, Field(ge=0, lt=1 << 63)] | None = None
    """Instead of `at`: right after the event of this number."""


class HistoryRequest(RequestShape):
    from_: str | None = Field(default=None, alias="from", max_length=64)
    """Exclusive: ISO 8601 with an offset, or a day in the costs' time zone. The first page needs it."""
    to: str | None = Field(default=None, max_length=64)
    """Inclusive. Default: now."""
    limit: Limit = 1_000
    cursor: Cursor = ""


class PastEvent(AnswerShape):
    event_id: str
    at: Time
    kind: str
    fields: dict[str, Any]


class PastEvents(AnswerShape):
    events: list[PastEvent]
    next: str | None
    as_of: str


async def snapshot(call: Call) -> web.Response:
    wanted = call.query(SnapshotRequest)
    if wanted.at is not None and wanted.seq is not None:
        raise invalid("at and seq say it twice", field="seq")
    if wanted.at is None and wanted.seq is None:
        found = call.desk.snapshot()
    else:
        page = await call.desk.query(SnapshotAt(at=_instant(call, "at", wanted.at), seq=wanted.seq))
        found = page.rows[0]
    return answer_bytes(wire.dump(found), headers={NOW_HEADER: str(call.office.clock.now())})


async def history(call: Call) -> web.Response:
    wanted = call.query(HistoryRequest)
    page = await call.desk.query(
        EventHistory(
            from_=_instant(call, "from", wanted.from_),
            to=_instant(call, "to", wanted.to),
            limit=wanted.limit,
            cursor=wanted.cursor,
        )
    )
    events = [PastEvent.model_validate(row) for row in page.rows]
    shape = PastEvents(events=events, next=page.next, as_of=page.as_of)
    return answer(shape)


def _instant(call: Call, field: str, text: str | None) -> Instant | None:
    if text is None:
        return None
    try:
        return moment_or_day(text, ZoneInfo(call.desk.snapshot().engine.time_zone))
    except ValueError as error:
        raise invalid(f"{field} {error}", field=field) from error
