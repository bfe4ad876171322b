"""From statuses, bodies and exceptions to the eight classes; no exception of either SDK goes unmapped."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import aiohttp
import anthropic
import httpx2
import openai
import pytest
from aiohttp.client_reqrep import ConnectionKey

from engine.kernel.errors import ErrorClass
from engine.kernel.values import SECOND
from engine.providers import ENDPOINTS
from engine.providers import anthropic as claude_adapter
from engine.providers import openai_sdk as openai_adapter
from engine.providers.faults import Fault, class_of_status, of_answer, of_status, retry_after
from engine.providers.transport import of_transport

QUIRKS = ENDPOINTS["openai"].quirks
NOW = 1_795_161_600 * SECOND  # 2026-11-20T08:00:00Z
URL = httpx2.Request("POST", "http://127.0.0.1/v1")

# Where an SDK keeps exceptions that its face does not load.
ELSEWHERE = ("openai.lib.azure", "openai._extras._common", "anthropic.lib.foundry", "anthropic.lib.credentials")


def below(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from below(child)


def exceptions(root: type[Exception]) -> list[type[Exception]]:
    for name in ELSEWHERE:
        importlib.import_module(name)
    return sorted(set(below(root)), key=lambda kind: kind.__qualname__)


def nearest(kind: type[Exception], table: object) -> str:
    assert isinstance(table, dict)
    return next((base.__name__ for base in kind.__mro__ if base.__name__ in table), "")


@pytest.mark.parametrize(
    ("root", "table"),
    [(openai.OpenAIError, openai_adapter.TRANSLATED), (anthropic.AnthropicError, claude_adapter.TRANSLATED)],
)
def test_every_exception_of_the_sdk_is_mapped(root: type[Exception], table: dict[str, ErrorClass]) -> None:
    umbrellas = {"OpenAIError", "AnthropicError", "APIError", "APIStatusError"}

    unmapped = [
        kind.__qualname__
        for kind in exceptions(root)
        if nearest(kind, table) in {"", *umbrellas} and kind.__name__ not in umbrellas
    ]
    vanished = table.keys() - {kind.__name__ for kind in exceptions(root)}

    assert unmapped == []
    assert vanished == set()


@pytest.mark.parametrize(
    ("root", "adapter"), [(openai.APIStatusError, openai_adapter), (anthropic.APIStatusError, claude_adapter)]
)
def test_status_exceptions_mean_what_the_table_says(
    root: type[openai.APIStatusError] | type[anthropic.APIStatusError], adapter: object
) -> None:
    table, translate = adapter.TRANSLATED, adapter.translate  # type: ignore[attr-defined]
    checked = 0
    for kind in exceptions(root):
        status = getattr(kind, "status_code", None)
        if kind.__name__ not in table or not isinstance(status, int) or kind is openai.OAuthError:
            continue  # OAuthError is made in another way, and is a 401 like its parent
        error = kind("said", response=httpx2.Response(status, request=URL), body=None)  # type: ignore[call-arg]

        assert translate(error, NOW, QUIRKS).error_class is table[kind.__name__], kind
        checked += 1
    assert checked >= 7


def key() -> ConnectionKey:
    return ConnectionKey("host", 443, True, True, None, None, None)


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "error_class", "reached"),
    [
        (aiohttp.ClientConnectorDNSError(key(), OSError(-2, "no name")), ErrorClass.NETWORK_ERROR, False),
        (aiohttp.ClientConnectorError(key(), OSError(111, "refused")), ErrorClass.NETWORK_ERROR, False),
        (aiohttp.ClientConnectorCertificateError(key(), ValueError()), ErrorClass.NETWORK_ERROR, False),
        (aiohttp.ConnectionTimeoutError("connect"), ErrorClass.TIMEOUT, False),
        (aiohttp.SocketTimeoutError("read"), ErrorClass.TIMEOUT, True),
        (aiohttp.ServerDisconnectedError(), ErrorClass.NETWORK_ERROR, True),
        (aiohttp.ClientOSError(104, "reset"), ErrorClass.NETWORK_ERROR, True),
        (aiohttp.ClientPayloadError("cut"), ErrorClass.NETWORK_ERROR, True),
        (TimeoutError(), ErrorClass.TIMEOUT, True),
        (ConnectionResetError(), ErrorClass.NETWORK_ERROR, True),
        (httpx2.DecodingError("gzip"), ErrorClass.UNKNOWN, True),
        (ValueError("json"), ErrorClass.UNKNOWN, True),
        (RecursionError(), ErrorClass.UNKNOWN, True),
        (httpx2.UnsupportedProtocol("ftp"), ErrorClass.INVALID_REQUEST, False),
    ],
)
def test_transport_failures_know_whether_anything_was_sent(
    error: Exception, error_class: ErrorClass, reached: bool
) -> None:
    wrapped = caused(openai.APITimeoutError(request=URL), caused(httpx2.ConnectTimeout("as aiohttp is mapped"), error))

    for seen in (
        of_transport(error),
        openai_adapter.translate(caused(openai.APIConnectionError(request=URL), error), NOW, QUIRKS),
    ):
        assert (seen.error_class, seen.reached) == (error_class, reached)
    if isinstance(error, aiohttp.ClientError):
        assert of_transport(wrapped).error_class is error_class


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        (400, {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, "content_filter"),
        (400, {"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "content_filter"),
        (403, {"code": "no permission", "error": "Content violates usage guidelines. Team: x"}, "content_filter"),
        (400, {"code": "invalid argument", "error": "Incorrect API key provided: xa***"}, "authentication"),
        (
            400,
            [{"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}],
            "authentication",
        ),
        (400, {"type": "invalid_request_error", "message": "Your credit balance is too low"}, "authentication"),
        (
            400,
            {"error": {"type": "invalid_request_error", "details": {"error_code": "organization_on_hold"}}},
            "authentication",
        ),
        (400, {"code": "context_length_exceeded", "type": "invalid_request_error"}, "invalid_request"),
        (400, "not even JSON", "invalid_request"),
        (429, {"code": "insufficient_quota"}, "rate_limit"),
        (429, {"type": "authentication_error"}, "rate_limit"),
        (500, {"code": "content_filter"}, "server_error"),
    ],
)
def test_body_says_what_the_status_does_not(status: int, body: object, error_class: str) -> None:
    assert of_status(status, body, {}, NOW, QUIRKS).error_class == error_class


@pytest.mark.parametrize("status", range(300, 600))
def test_every_status_has_a_class_other_than_unknown(status: int) -> None:
    assert class_of_status(status) is not ErrorClass.UNKNOWN


def test_azure_bills_what_its_filter_refused() -> None:
    body = {"code": "content_filter"}

    assert of_status(400, body, {}, NOW, ENDPOINTS["azure"].quirks).reached
    assert not of_status(400, body, {}, NOW, QUIRKS).reached
    assert not of_status(429, body, {}, NOW, ENDPOINTS["azure"].quirks).reached


def test_message_shows_codes_but_no_prose() -> None:
    body = {"code": "model_not_found\x1b]52;c;", "type": "invalid_request_error", "message": "my secret prompt"}

    said = of_status(404, body, {}, NOW, QUIRKS).message

    assert said == (
        "HTTP 404 (model_not_found 52 c invalid_request_error): the provider cannot serve this request as it stands"
    )


@pytest.mark.parametrize("body", [None, [], {}, {"error": {}}, {"code": True}, [[[[[[{"code": "x"}]]]]]], {"code": 7}])
def test_odd_bodies_are_unknown(body: object) -> None:
    seen = of_answer(body)

    assert isinstance(seen, Fault)
    assert seen.error_class is ErrorClass.UNKNOWN


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "Fri, 20 Nov 2026 08:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 07:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 08:00:30"}, None),
        ({"retry-after": "99999999999"}, 86_400.0),
        ({"retry-after": "1e309"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h0m3.5s"}, 3603.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_every_spelling(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == (None if seconds is None else pytest.approx(seconds))
