"""Errors as RFC 9457 problem documents: every refusal, in one shape, with nothing of the inside.

A problem says what happened (`detail`), which part of the request is at fault (`field`, where one is), why in one word
(`reason`), and what to do next (`remedy`). An unexpected error shows a trace id only; the log has the rest.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, Field, ValidationError

from engine.kernel.errors import (
    BudgetRefused,
    CommandRefused,
    CommitUnknown,
    EngineUnavailable,
    PlatformError,
    ProviderError,
    Refusal,
    StorageError,
)
from engine.kernel.values import Random

CONTENT_TYPE = "application/problem+json"
_LONGEST_NAME = 100  # characters of a client's own words that a problem repeats
_LOG = logging.getLogger(__name__)
_TITLES = {
    "invalid": "The request is not valid",
    "not_found": "There is no such thing",
    "conflict": "The request conflicts with the present state",
    "unavailable": "The engine cannot answer now",
    "unauthorized": "A token is needed",
    "read_only": "This token may only look",
    "misdirected": "This name is not served here",
    "method_not_allowed": "This path does not take that method",
    "timeout": "The request took too long to arrive",
    "too_large": "The request is too large",
    "unsupported_type": "The request's content type is not understood",
    "upstream": "A service the engine needs failed",
    "internal": "The engine failed on this request",
}
_STATUSES = {
    Refusal.INVALID: 400,
    Refusal.NOT_FOUND: 404,
    Refusal.CONFLICT: 409,
    Refusal.UNAVAILABLE: 503,
}


class ProblemShape(BaseModel):
    """An error, as every endpoint answers it (RFC 9457)."""

    type: str = Field(examples=["urn:huntaze:problem:conflict"])
    title: str
    status: int
    detail: str
    instance: str | None = Field(None, description="urn:huntaze:trace:<id> of an unexpected error; the log has it too")
    field: str = Field("", description="the part of the request at fault; empty when none is")
    reason: str = Field(description="the last part of `type`", examples=sorted(_TITLES))
    remedy: str = Field("", description="what to do next; may be empty")


@dataclasses.dataclass(eq=False)
class Problem(Exception):
    """A refusal of the API's own, and the value every other error is turned into."""

    status: int
    reason: str
    detail: str
    field: str = ""
    remedy: str = ""
    trace_id: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def answer(self) -> web.Response:
        shape = ProblemShape(
            type=f"urn:huntaze:problem:{self.reason}",
            title=_TITLES[self.reason],
            status=self.status,
            detail=self.detail,
            instance=f"urn:huntaze:trace:{self.trace_id}" if self.trace_id else None,
            field=self.field,
            reason=self.reason,
            remedy=self.remedy,
        )
        body = orjson.dumps(shape.model_dump(exclude_none=True))
        return web.Response(status=self.status, body=body, content_type=CONTENT_TYPE, headers=self.headers)


def invalid(detail: str, *, field: str = "", remedy: str = "") -> Problem:
    """A request that means nothing, whatever the state of the engine."""
    return Problem(400, "invalid", detail, field=field, remedy=remedy)


def of_validation(error: ValidationError, model: type[BaseModel], *, of: str) -> Problem:
    """The fault pydantic found in the `of` ("body", "query"): which field, what is wrong, what would be right.

    One is enough to act on. An unknown field goes before the rest: a misspelt one also shows as missing.
    """
    faults = error.errors(include_url=False, include_input=False)
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    place = ".".join(str(part) for part in first["loc"])[:_LONGEST_NAME]
    if first["type"] == "json_invalid":
        return invalid(f"the {of} is not valid JSON: {first['ctx']['error']}")
    if first["type"] == "extra_forbidden":
        remedy = f"Known: {', '.join(_names(model))}" if len(first["loc"]) == 1 else ""
        return invalid(f"{place} is not a field of this {of}", field=place, remedy=remedy)
    return invalid(f"{place or f'the {of}'}: {_said(first['msg'])}", field=place)


def of_error(error: BaseException, trace_id: str) -> Problem:
    """The problem an exception becomes. What is not known becomes a 500 that says nothing but its trace id."""
    match error:
        case Problem():
            return error
        case CommandRefused():
            reason = error.reason.value
            return Problem(_STATUSES[error.reason], reason, error.message, _outside(error.field), error.remedy)
        case CommitUnknown():
            remedy = error.remedy or "Look before you repeat it, or repeat it with the same Idempotency-Key"
            return Problem(503, "unavailable", error.message, remedy=remedy)
        case BudgetRefused():
            return Problem(409, "conflict", error.message, remedy=error.remedy)
        case PlatformError() | ProviderError():
            return Problem(502, "upstream", error.message, remedy=error.remedy)
        case EngineUnavailable() | StorageError():
            return Problem(503, "unavailable", error.message, remedy=error.remedy)
        case web.HTTPException():
            return _of_http(error)
        case _:
            return Problem(
                500,
                "internal",
                "An unexpected error ended this request",
                remedy="Look for the trace id in the engine's log",
                trace_id=trace_id,
            )


def guard(chance: Random) -> Middleware:
    """The outermost middleware: whatever is raised inside leaves as a problem document."""

    @web.middleware
    async def answer_with_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception as error:  # noqa: BLE001 - the service's outermost loop
            problem = of_error(error, f"{chance.getrandbits(128):032x}")
            if problem.status == 500:
                report(request, error, problem.trace_id)
            return problem.answer()

    return answer_with_problems


def report(request: web.Request, error: BaseException, trace_id: str) -> None:
    """Log an unexpected error with its place in the code; never a body, a query or a header."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    resource = request.match_info.route.resource
    path = resource.canonical if resource else "(no route)"
    places = "".join(_frames(error))
    _LOG.error("%s %s failed with %s, trace %s:\n%s", request.method, path, type(error).__name__, trace_id, places)


def _frames(error: BaseException) -> list[str]:
    """Where it was raised, without the exception's own words: they may quote a message's text."""
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"  {code.co_filename}:{traceback.tb_lineno} {code.co_qualname}\n")
        traceback = traceback.tb_next
    return frames


def _of_http(error: web.HTTPException) -> Problem:
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            detail = f"this path takes {allowed}"
            return Problem(405, "method_not_allowed", detail, headers={"Allow": allowed})
        case web.HTTPRequestEntityTooLarge():
            return Problem(413, "too_large", "the body is larger than this server takes")
        case web.HTTPNotFound():
            return Problem(404, "not_found", "no such path", remedy="GET /openapi.json lists what is served")
        case _:
            return Problem(error.status, "invalid", error.reason)


def _names(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


_OUTSIDE = {"budget": "budget_usd", "starts_at": "schedule_at", "from_": "from"}


def _outside(field: str) -> str:
    """The API's word for a field of a command or a query."""
    name = field.removeprefix("draft.")
    return _OUTSIDE.get(name, name)
