"""Every error that the AWS SDK can raise becomes one of ours."""

from __future__ import annotations

import inspect

import aiohttp
import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from engine.storage.aws import AwsError, translated

SDK_ERRORS = [
    kind
    for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass)
    if issubclass(kind, Exception) and not issubclass(kind, Warning | ClientError)  # an answer of AWS: see below
]


def _raise(error: BaseException) -> AwsError:
    with pytest.raises(AwsError) as caught, translated("dynamodb"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize("kind", SDK_ERRORS, ids=lambda kind: kind.__name__)
def test_no_sdk_error_passes_untranslated(kind: type[Exception]) -> None:
    assert _raise(kind.__new__(kind)).service == "dynamodb"


def test_there_are_sdk_errors_to_enumerate() -> None:
    assert len(SDK_ERRORS) > 50
    assert BotoCoreError in SDK_ERRORS


@pytest.mark.parametrize(
    ("code", "status", "transient"),
    [
        ("ProvisionedThroughputExceededException", 400, True),
        ("InternalServerError", 500, True),
        ("SomethingNew", 503, True),
        ("ResourceNotFoundException", 400, False),
        ("AccessDeniedException", 400, False),
    ],
)
def test_an_answer_of_aws_says_whether_repeating_helps(code: str, status: int, transient: bool) -> None:
    answer = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}

    error = _raise(ClientError(answer, "BatchWriteItem"))

    assert (error.code, error.transient, str(error)) == (code, transient, f"dynamodb: {code}: why")


@pytest.mark.parametrize(
    "error", [ReadTimeoutError(endpoint_url="x"), TimeoutError(), ConnectionResetError(), aiohttp.ClientPayloadError()]
)
def test_a_broken_connection_is_worth_repeating(error: Exception) -> None:
    assert _raise(error).transient
