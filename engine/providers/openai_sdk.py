"""The one door to the `openai` SDK: its client as a wire, and what each of its exceptions means.

Calls go through the client's `post`, not through `chat.completions.create`: the SDK does not validate what it builds
its models from, so plain JSON read with care is safer, and it is less to load and faster.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
import openai

from engine.kernel.errors import ErrorClass
from engine.providers import chat
from engine.providers.endpoints import Quirks
from engine.providers.faults import Fault, fault, of_answer, of_status
from engine.providers.port import Completion, ModelRequest
from engine.providers.transport import of_transport

TRANSLATED: Mapping[str, ErrorClass] = {
    "OpenAIError": ErrorClass.UNKNOWN,
    "APIError": ErrorClass.UNKNOWN,
    "APIResponseValidationError": ErrorClass.UNKNOWN,
    "APIStatusError": ErrorClass.INVALID_REQUEST,
    "APIConnectionError": ErrorClass.NETWORK_ERROR,
    "APITimeoutError": ErrorClass.TIMEOUT,
    "BadRequestError": ErrorClass.INVALID_REQUEST,
    "AuthenticationError": ErrorClass.AUTHENTICATION,
    "OAuthError": ErrorClass.AUTHENTICATION,
    "PermissionDeniedError": ErrorClass.AUTHENTICATION,
    "NotFoundError": ErrorClass.INVALID_REQUEST,
    "ConflictError": ErrorClass.SERVER_ERROR,
    "UnprocessableEntityError": ErrorClass.INVALID_REQUEST,
    "RateLimitError": ErrorClass.RATE_LIMIT,
    "InternalServerError": ErrorClass.SERVER_ERROR,
    "LengthFinishReasonError": ErrorClass.UNKNOWN,
    "ContentFilterFinishReasonError": ErrorClass.CONTENT_FILTER,
    "SubjectTokenProviderError": ErrorClass.AUTHENTICATION,
    "MutuallyExclusiveAuthError": ErrorClass.AUTHENTICATION,
    "WebSocketConnectionClosedError": ErrorClass.NETWORK_ERROR,
    "WebSocketQueueFullError": ErrorClass.NETWORK_ERROR,
    "StreamAlreadyConsumed": ErrorClass.UNKNOWN,
    "APIRemovedInV1": ErrorClass.UNKNOWN,
    "MissingDependencyError": ErrorClass.UNKNOWN,
    "_AmbiguousModuleClientUsageError": ErrorClass.UNKNOWN,
}
"""Every exception of the SDK by name, for those that carry neither a status nor a body that says more."""


def translate(error: Exception, now: int, quirks: Quirks) -> Fault:
    """What an exception of the SDK or of the client under it means. `now` is in nanoseconds since the epoch."""
    if isinstance(error, openai.APIStatusError):
        return of_status(error.status_code, error.body, error.response.headers, now, quirks)
    if isinstance(error, openai.APIConnectionError) or not isinstance(error, openai.OpenAIError):
        return of_transport(error)
    if isinstance(error, openai.APIError):
        return of_answer(error.body)
    named = (TRANSLATED[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in TRANSLATED)
    return fault(next(named, ErrorClass.UNKNOWN))


class OpenAIWire:
    """An `AsyncOpenAI` (or Azure's) as a wire."""

    errors: tuple[type[Exception], ...] = (openai.OpenAIError,)

    def __init__(self, client: openai.AsyncOpenAI, quirks: Quirks) -> None:
        self._client = client
        self._quirks = quirks

    async def post(
        self, body: Mapping[str, object], headers: Mapping[str, str], timeout: httpx2.Timeout
    ) -> httpx2.Response:
        return await self._client.post(
            chat.PATH, cast_to=httpx2.Response, body=body, options={"headers": headers, "timeout": timeout}
        )

    async def open(
        self, body: Mapping[str, object], headers: Mapping[str, str], timeout: httpx2.Timeout
    ) -> openai.AsyncStream[object]:
        return await self._client.post(
            chat.PATH,
            cast_to=object,
            body=body,
            options={"headers": headers, "timeout": timeout},
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )

    def fault(self, error: Exception, now: int) -> Fault:
        return translate(error, now, self._quirks)

    async def close(self) -> None:
        await self._client.close()


class ChatFormat:
    """The chat format with an endpoint's quirks, and those of single models where they differ."""

    def __init__(self, quirks: Quirks, of_models: Mapping[str, Quirks] | None = None) -> None:
        self._quirks = quirks
        self._of_models = of_models or {}

    def body(self, model: str, request: ModelRequest, *, stream: bool) -> Mapping[str, object]:
        return chat.request_body(model, request, self._of_models.get(model, self._quirks), stream=stream)

    def read(self, payload: Mapping[str, object], model: str, request: ModelRequest) -> Completion | Fault:
        return chat.read_completion(payload, model, request, self._quirks)

    def reader(self, request: ModelRequest) -> chat.ChatStream:
        return chat.ChatStream(request, self._quirks)
