"""Claude, and the one door to the `anthropic` SDK: its client as a wire, and what each of its exceptions means."""

from __future__ import annotations

from collections.abc import Mapping

import anthropic
import httpx2

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass
from engine.providers import claude
from engine.providers.calling import SdkProvider
from engine.providers.endpoints import Quirks
from engine.providers.faults import Fault, fault, of_answer, of_status
from engine.providers.port import Completion, ModelRequest
from engine.providers.settings import ProviderSettings
from engine.providers.transport import client_options, of_transport

TRANSLATED: Mapping[str, ErrorClass] = {
    "AnthropicError": ErrorClass.UNKNOWN,
    "APIError": ErrorClass.UNKNOWN,
    "APIStatusError": ErrorClass.INVALID_REQUEST,
    "BadRequestError": ErrorClass.INVALID_REQUEST,
    "AuthenticationError": ErrorClass.AUTHENTICATION,
    "PaymentRequiredError": ErrorClass.AUTHENTICATION,
    "PermissionDeniedError": ErrorClass.AUTHENTICATION,
    "NotFoundError": ErrorClass.INVALID_REQUEST,
    "RequestTimeoutError": ErrorClass.TIMEOUT,
    "ConflictError": ErrorClass.SERVER_ERROR,
    "PreconditionFailedError": ErrorClass.INVALID_REQUEST,
    "ContentTooLargeError": ErrorClass.INVALID_REQUEST,
    "UnprocessableEntityError": ErrorClass.INVALID_REQUEST,
    "RateLimitError": ErrorClass.RATE_LIMIT,
    "RequestHeaderFieldsTooLargeError": ErrorClass.INVALID_REQUEST,
    "ClientClosedRequestError": ErrorClass.NETWORK_ERROR,
    "InternalServerError": ErrorClass.SERVER_ERROR,
    "APIConnectionError": ErrorClass.NETWORK_ERROR,
    "APITimeoutError": ErrorClass.TIMEOUT,
    "APIResponseValidationError": ErrorClass.UNKNOWN,
    "APIWebhookValidationError": ErrorClass.UNKNOWN,
    "RetryableError": ErrorClass.UNKNOWN,
    "StreamAlreadyConsumed": ErrorClass.UNKNOWN,
    "ToolsetUsageError": ErrorClass.UNKNOWN,
    "CredentialsError": ErrorClass.AUTHENTICATION,
    "WorkloadIdentityError": ErrorClass.AUTHENTICATION,
    "MutuallyExclusiveAuthError": ErrorClass.AUTHENTICATION,
    "MissingDependencyError": ErrorClass.UNKNOWN,
}
"""Every exception of the SDK by name, for those that carry neither a status nor a body that says more."""


def translate(error: Exception, now: int, quirks: Quirks) -> Fault:
    """What an exception of the SDK or of the client under it means. `now` is in nanoseconds since the epoch."""
    if isinstance(error, anthropic.APIStatusError):
        if error.response.is_success:  # an error event inside a stream
            return of_answer(error.body)
        return of_status(error.status_code, error.body, error.response.headers, now, quirks)
    if isinstance(error, anthropic.APIConnectionError) or not isinstance(error, anthropic.AnthropicError):
        return of_transport(error)
    named = (TRANSLATED[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in TRANSLATED)
    return fault(next(named, ErrorClass.UNKNOWN))


def open_anthropic(settings: ProviderSettings, clock: Clock) -> SdkProvider:
    """A provider of Claude. Nothing is taken from the SDK's own environment variables or profiles."""
    key = settings.api_key.reveal()
    client = anthropic.AsyncAnthropic(
        api_key=key,
        base_url=settings.base_url,
        default_headers={"Authorization": f"Bearer {key}"},
        max_retries=0,
        open_telemetry={"traces": False, "propagation": False},
        http_client=anthropic.DefaultAioHttpClient(**client_options(settings)),
    )
    return SdkProvider(settings, clock, AnthropicWire(client, settings.quirks), ClaudeFormat(settings.quirks))


class AnthropicWire:
    """An `AsyncAnthropic` as a wire. As with OpenAI's, calls go through `post` and come back as plain JSON."""

    errors: tuple[type[Exception], ...] = (anthropic.AnthropicError,)

    def __init__(self, client: anthropic.AsyncAnthropic, quirks: Quirks) -> None:
        self._client = client
        self._quirks = quirks

    async def post(
        self, body: Mapping[str, object], headers: Mapping[str, str], timeout: httpx2.Timeout
    ) -> httpx2.Response:
        return await self._client.post(
            claude.PATH, cast_to=httpx2.Response, body=body, options={"headers": headers, "timeout": timeout}
        )

    async def open(
        self, body: Mapping[str, object], headers: Mapping[str, str], timeout: httpx2.Timeout
    ) -> anthropic.AsyncStream[object]:
        return await self._client.post(
            claude.PATH,
            cast_to=object,
            body=body,
            options={"headers": headers, "timeout": timeout},
            stream=True,
            stream_cls=anthropic.AsyncStream[object],
        )

    def fault(self, error: Exception, now: int) -> Fault:
        return translate(error, now, self._quirks)

    async def close(self) -> None:
        await self._client.close()


class ClaudeFormat:
    """The messages format with an endpoint's quirks."""

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks

    def body(self, model: str, request: ModelRequest, *, stream: bool) -> Mapping[str, object]:
        return claude.request_body(model, request, self._quirks, stream=stream)

    def read(self, payload: Mapping[str, object], model: str, request: ModelRequest) -> Completion | Fault:
        return claude.read_completion(payload, model, request)

    def reader(self, request: ModelRequest) -> claude.ClaudeStream:
        return claude.ClaudeStream(request)
