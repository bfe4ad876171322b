"""Refusals as OpenAI's clients read them, with nothing of the inside.

    {"error": {"message": …, "type": …, "param": …, "code": …}}

The SDKs repeat a 408, 409, 429 and everything from 500 on by themselves, unless `x-should-retry` says it is no use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from engine.kernel.errors import (
    BudgetRefused,
    CommandRefused,
    EngineUnavailable,
    ErrorClass,
    ProviderError,
    Refusal,
    StorageError,
)

if TYPE_CHECKING:  # an engine builds its gateway before it serves it
    from aiohttp import web

TRACE = "x-huntaze-trace-id"
_INVALID = "invalid_request_error"
_PASSED_ON = frozenset((400, 404, 409, 413, 415, 422))  # statuses of a provider that speak of the client's request
_GATEWAYS = {
    ErrorClass.SERVER_ERROR: (502, "upstream_error", "upstream_failed"),
    ErrorClass.NETWORK_ERROR: (502, "upstream_error", "upstream_unreachable"),
    ErrorClass.TIMEOUT: (504, "upstream_error", "upstream_timeout"),
    ErrorClass.UNKNOWN: (502, "upstream_error", "upstream_unusable"),
}


@dataclass(eq=False)
class GatewayError(Exception):
    """A refusal, as it leaves. `retry` None leaves it to the client whether to try again."""

    status: int
    message: str
    type: str = _INVALID
    code: str | None = None
    param: str | None = None
    retry: bool | None = None
    retry_after: float | None = None  # seconds
    headers: Mapping[str, str] = field(default_factory=dict)

    def shape(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def answer(self, trace_id: str) -> web.Response:
        from aiohttp import web

        headers = {TRACE: trace_id, **self.headers}
        if self.retry is not None:
            headers["x-should-retry"] = "true" if self.retry else "false"
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        return web.Response(
            status=self.status, body=orjson.dumps(self.shape()), content_type="application/json", headers=headers
        )


def invalid(message: str, param: str | None = None, code: str | None = None) -> GatewayError:
    """A request that means nothing, whatever the state of the engine."""
    return GatewayError(400, message, param=param, code=code)


def unauthorized(message: str) -> GatewayError:
    headers = {"WWW-Authenticate": 'Bearer realm="huntaze"'}
    return GatewayError(401, message, code="invalid_api_key", headers=headers)


def unknown_model(name: str) -> GatewayError:
    message = f"The model '{name[:100]}' does not exist here. GET /v1/models lists those that do."
    return GatewayError(404, message, param="model", code="model_not_found")


def forbidden_model(name: str) -> GatewayError:
    message = f"This key may not use the model '{name[:100]}'."
    return GatewayError(403, message, param="model", code="model_not_allowed")


def of_error(error: BaseException) -> GatewayError | None:
    """The refusal that an error becomes; None for one that nobody expected."""
    from aiohttp import web

    match error:
        case GatewayError():
            return error
        case ProviderError():
            return _of_provider(error)
        case BudgetRefused():
            return _of_budget(error)
        case CommandRefused():
            if error.reason in (Refusal.INVALID, Refusal.NOT_FOUND):
                return invalid(error.message)
            return GatewayError(503, error.message, "server_error", "unavailable")
        case EngineUnavailable() | StorageError():
            return GatewayError(503, "The engine cannot answer now.", "server_error", "unavailable")
        case web.HTTPException():
            return _of_http(error)
    return None


def unexpected(trace_id: str) -> GatewayError:
    """What nobody expected: it says nothing but where to look."""
    return GatewayError(
        500, f"The engine failed on this request; its log has trace {trace_id}.", "server_error", "internal"
    )


def stopping() -> GatewayError:
    return GatewayError(503, "The engine is stopping.", "server_error", "unavailable", retry=True, retry_after=2)


def _of_provider(error: ProviderError) -> GatewayError:
    told = error.message
    match error.error_class:
        case ErrorClass.RATE_LIMIT:
            kind = "rate_limit_exceeded"
            return GatewayError(429, told, kind, kind, retry_after=error.retry_after or 1)
        case ErrorClass.CONTENT_FILTER:
            return GatewayError(400, told, code="content_filter")
        case ErrorClass.INVALID_REQUEST:
            status = error.status if error.status in _PASSED_ON else 400
            return GatewayError(status or 400, told, code="model_not_found" if status == 404 else None)
        case ErrorClass.AUTHENTICATION:
            message = "The engine's own access to this model was refused; its operator must look."
            return GatewayError(502, message, "upstream_error", "upstream_refused", retry=False)
    status, kind, code = _GATEWAYS[error.error_class]
    if not error.reached and error.error_class is ErrorClass.SERVER_ERROR:  # nobody may be asked for now
        status, code = 503, "unavailable"
    return GatewayError(status, told, kind, code, retry_after=error.retry_after)


def _of_budget(error: BudgetRefused) -> GatewayError:
    kind = error.scope.partition(":")[0]
    whose = {"user": "this key", "global": "the engine"}.get(kind, f"its {kind}" if kind else "it")
    if error.waitable:
        message = f"Calls under way hold what is left of the budget of {whose}."
        return GatewayError(429, message, "rate_limit_exceeded", "rate_limit_exceeded", retry_after=1)
    message = f"The budget of {whose} leaves no room for what this call may cost at most."
    return GatewayError(429, message, "insufficient_quota", "insufficient_quota", retry=False)


def _of_http(error: web.HTTPException) -> GatewayError:
    from aiohttp import web

    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return GatewayError(
                405, f"This path takes {allowed}.", code="method_not_allowed", headers={"Allow": allowed}
            )
        case web.HTTPNotFound():
            return GatewayError(404, "There is no such path.", code="unknown_url")
        case web.HTTPRequestEntityTooLarge():
            return GatewayError(413, "The body is larger than this gateway takes.", code="request_too_large")
    return GatewayError(error.status, error.reason)
