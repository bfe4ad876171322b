"""What went wrong at a provider: from a status, a body or a word to one of the eight classes. Pure.

What a provider writes in prose may repeat the prompt or the key, so none of it is passed on: a message is made of the
status, the provider's own error code and a sentence of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.usage import Usage
from engine.kernel.values import SECOND, from_datetime
from engine.providers.endpoints import Quirks

_LONGEST_WAIT = 86_400.0  # seconds; a Retry-After beyond a day is taken as a day
_CODE_LETTERS = re.compile(r"[^A-Za-z0-9_.:/-]+")
_CODE_KEYS = ("code", "error_code", "type", "status", "reason", "param")
_NESTED_KEYS = ("error", "innererror", "inner_error", "details")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")

_SENTENCES = {
    ErrorClass.RATE_LIMIT: "the provider asks to slow down",
    ErrorClass.AUTHENTICATION: "the provider refused the key or the account; a person must look",
    ErrorClass.INVALID_REQUEST: "the provider cannot serve this request as it stands",
    ErrorClass.SERVER_ERROR: "the provider failed",
    ErrorClass.NETWORK_ERROR: "the connection to the provider was lost",
    ErrorClass.TIMEOUT: "the provider did not answer in time",
    ErrorClass.CONTENT_FILTER: "the provider's content filter refused the text",
    ErrorClass.UNKNOWN: "the provider answered with something unusable",
}

_WORDS = {
    ErrorClass.CONTENT_FILTER: "content_filter content_policy_violation content_policy responsibleaipolicyviolation "
    "content_filtered safety image_content_policy_violation",
    ErrorClass.AUTHENTICATION: "invalid_api_key authentication_error permission_error permission_denied "
    "unauthenticated unauthorized invalid_authentication api_key_invalid billing_error organization_on_hold "
    "account_deactivated",
    ErrorClass.RATE_LIMIT: "rate_limit_exceeded rate_limit_error insufficient_quota too_many_requests "
    "resource_exhausted quota_exceeded rate_limit",
    ErrorClass.SERVER_ERROR: "server_error api_error overloaded_error overloaded internal_server_error internal_error "
    "service_unavailable engine_overloaded unavailable internal bad_gateway",
    ErrorClass.TIMEOUT: "timeout_error timeout deadline_exceeded request_timeout gateway_timeout",
    ErrorClass.INVALID_REQUEST: "invalid_request_error invalid_argument not_found_error not_found model_not_found "
    "request_too_large context_length_exceeded deploymentnotfound unsupported_parameter unsupported_value",
}
_CLASS_OF_WORD = {word: name for name, words in _WORDS.items() for word in words.split()}
_OVERRIDING = (ErrorClass.CONTENT_FILTER, ErrorClass.AUTHENTICATION)  # said with a 400 or a 403 that means more

# Some say these in prose only. The prose is looked at, never passed on.
_PHRASES = (
    ("credit balance is too low", ErrorClass.AUTHENTICATION),
    ("incorrect api key", ErrorClass.AUTHENTICATION),
    ("api key not valid", ErrorClass.AUTHENTICATION),
    ("violates usage guidelines", ErrorClass.CONTENT_FILTER),
    ("content management policy", ErrorClass.CONTENT_FILTER),
)
_TELLING = frozenset(
    {
        "model_not_found",
        "deploymentnotfound",
        "context_length_exceeded",
        "unsupported_parameter",
        "unsupported_value",
        "insufficient_quota",
    }
)
"""Codes on which more is decided than on their class: another model may serve what this one cannot."""

_TOO_LONG = (
    "maximum context length",
    "maximum prompt length",
    "prompt is too long",
    "exceed context limit",
    "input token count",
)
"""How they say in prose that a request does not fit the model."""

_CLASS_OF_STATUS = {
    401: ErrorClass.AUTHENTICATION,
    402: ErrorClass.AUTHENTICATION,
    403: ErrorClass.AUTHENTICATION,
    408: ErrorClass.TIMEOUT,
    409: ErrorClass.SERVER_ERROR,  # a lock on their side; the same request may pass later
    425: ErrorClass.SERVER_ERROR,
    429: ErrorClass.RATE_LIMIT,
    499: ErrorClass.NETWORK_ERROR,
}
_NOTES = {
    "insufficient_quota": "the account's quota is used up; add credit or raise it",
    "billing_error": "the account cannot be billed",
    "enforced_spend_limit_reached": "the organization's own spending limit is reached",
    "contract_spend_limit_reached": "the contract's spending limit is reached",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failed call, before it is known whose. What its fields mean stands at ProviderError."""

    error_class: ErrorClass
    message: str
    status: int | None = None
    retry_after: float | None = None
    reached: bool = True
    usage: Usage | None = None
    code: str = ""

    def billed(self, usage: Usage | None) -> Fault:
        """The same, of an answer that said what it will cost although it is of no use."""
        return replace(self, usage=usage)

    def error(self, provider: str, model: str) -> ProviderError:
        return ProviderError(
            provider,
            model,
            self.error_class,
            self.message,
            status=self.status,
            retry_after=self.retry_after,
            reached=self.reached,
            usage=self.usage,
            code=self.code,
        )


def fault(error_class: ErrorClass, message: str = "", *, reached: bool = True) -> Fault:
    """A fault without a status, with our sentence for its class unless `message` knows better."""
    return Fault(error_class=error_class, message=message or _SENTENCES[error_class], reached=reached)


def of_status(status: int, body: object, headers: Mapping[str, str], now: int, quirks: Quirks) -> Fault:
    """The fault behind an HTTP status that is not a success. `now` (nanoseconds) reads a Retry-After that is a date."""
    codes = tuple(_codes(body))
    error_class = class_of_status(status)
    said = _class_said(body, codes)
    if status < 500 and status != 429 and said in _OVERRIDING:
        error_class = said
    return Fault(
        error_class=error_class,
        message=_message(f"HTTP {status}", error_class, codes),
        status=status,
        retry_after=retry_after(headers, now),
        reached=status not in quirks.unbilled,
        code=_telling(body, codes),
    )


def of_answer(body: object, status: int | None = 200) -> Fault:
    """The fault behind an error object inside an answer that began as a success. Work may have been done and billed."""
    codes = tuple(_codes(body))
    error_class = _class_said(body, codes) or ErrorClass.UNKNOWN
    return Fault(
        error_class=error_class,
        message=_message("an error in the answer", error_class, codes),
        status=status,
        code=_telling(body, codes),
    )


def class_of_status(status: int) -> ErrorClass:
    """The class of a status nothing more is known about."""
    if status >= 500:
        return ErrorClass.SERVER_ERROR
    # A redirect is a wrong base URL: following it would send the key elsewhere.
    return _CLASS_OF_STATUS.get(status, ErrorClass.INVALID_REQUEST if status >= 300 else ErrorClass.UNKNOWN)


def retry_after(headers: Mapping[str, str], now: int) -> float | None:
    """Seconds to wait, from `retry-after-ms`, `Retry-After` (seconds or a date) or OpenAI's exhausted rate window."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _wait(milliseconds / 1000)
    said = headers.get("retry-after")
    if said is None:
        return _window_reset(headers)
    seconds = _number(said)
    return _wait(seconds if seconds is not None else _until(said, now))


def _wait(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_WAIT)


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"\s*-?\d{1,12}(\.\d+)?\s*", text, re.ASCII) else None


def _until(date: str, now: int) -> float | None:
    try:
        return (from_datetime(parsedate_to_datetime(date)) - now) / SECOND
    except (ValueError, OverflowError):
        return None


def _window_reset(headers: Mapping[str, str]) -> float | None:
    """The longest `x-ratelimit-reset-*` (such as `6m0s`, `120ms`) of a window that has nothing left."""
    resets = [
        _duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
        for kind in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{kind}") == "0"
    ]
    return _wait(max((reset for reset in resets if reset is not None), default=None))


def _duration(text: str) -> float | None:
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _codes(body: object, depth: int = 0) -> Iterator[str]:
    """The error codes in a body of whatever shape, outermost first, as plain words of at most 48 letters."""
    if depth > 4:
        return
    if isinstance(body, list):
        for item in body[:4]:
            yield from _codes(item, depth + 1)
    if not isinstance(body, Mapping):
        return
    for key in _CODE_KEYS:
        value = body.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and (word := _plain(str(value))):
            yield word
    for key in _NESTED_KEYS:
        yield from _codes(body.get(key), depth + 1)


def _plain(text: str) -> str:
    return _CODE_LETTERS.sub(" ", text[:48]).strip()


def _class_said(body: object, codes: tuple[str, ...]) -> ErrorClass | None:
    """The class a body names: by a code, else by a numeric one (as gateways put it), else by a known phrase."""
    for code in codes:
        known = _CLASS_OF_WORD.get(code.lower())
        if known not in (None, ErrorClass.INVALID_REQUEST):  # the latter is an umbrella, often beside a telling code
            return known
    prose = str(body)[:4096].lower()
    for phrase, error_class in _PHRASES:
        if phrase in prose:
            return error_class
    for code in codes:
        if code.isdecimal() and len(code) == 3 and int(code) >= 400:
            return class_of_status(int(code))
    return ErrorClass.INVALID_REQUEST if any(code.lower() in _CLASS_OF_WORD for code in codes) else None


def _telling(body: object, codes: tuple[str, ...]) -> str:
    """The code among a body's on which more is decided than on its class; empty where it has none."""
    for code in codes:
        if code.lower() in _TELLING:
            return code.lower()
    prose = str(body)[:4096].lower()
    return "context_length_exceeded" if any(phrase in prose for phrase in _TOO_LONG) else ""


def _message(lead: str, error_class: ErrorClass, codes: tuple[str, ...]) -> str:
    note = next((_NOTES[code] for code in codes if code in _NOTES), _SENTENCES[error_class])
    shown = " ".join(dict.fromkeys(code for code in codes if not code.isdecimal() and code != "error"))[:80]
    return f"{lead} ({shown}): {note}" if shown else f"{lead}: {note}"
