"""The one door to aioboto3: a client of one service, and its errors translated.

The SDK neither repeats a request nor waits here (one try each): whoever calls knows what a repeat means. Importing this
module costs a quarter of a second, so only what a configuration needs imports it, in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aioboto3  # type: ignore[import-untyped]
import aiohttp
from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    UndefinedModelAttributeError,
)

from engine.kernel.errors import StorageError
from engine.kernel.secret import Secret

_TRANSIENT = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "ItemCollectionSizeLimitExceededException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
_SDK_ERRORS = (BotoCoreError, ClientError, UndefinedModelAttributeError, aiohttp.ClientError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Where AWS is and who we are there."""

    region: str = "us-east-1"
    endpoint_url: str = ""
    # Empty: AWS itself. Another address is for compatible servers, a company's endpoint or a test.
    access_key_id: str = ""
    # Empty: the SDK's own chain (environment, profile, the role of the instance or task).
    secret_access_key: Secret = Secret()
    connections: int = 10


class AwsError(StorageError):
    """A request to AWS failed. `transient`: repeating the same may help. `code` is AWS's own, or the SDK's class."""

    def __init__(self, service: str, code: str, message: str, *, transient: bool) -> None:
        super().__init__(f"{service}: {code}: {message}" if message else f"{service}: {code}")
        self.service = service
        self.code = code
        self.transient = transient


class AwsClient:
    """A client of one service. `call` raises only AwsError (and lets CancelledError through)."""

    def __init__(self, service: str, client: Any) -> None:
        self._service = service
        self._client = client

    async def call(self, operation: str, timeout: float, **parameters: Any) -> dict[str, Any]:
        """One request, by the SDK's name of the operation, such as `batch_write_item`; `timeout` in real seconds."""
        with translated(self._service):
            async with asyncio.timeout(timeout):
                answer: dict[str, Any] = await getattr(self._client, operation)(**parameters)
                return answer


@contextlib.asynccontextmanager
async def open_client(settings: AwsSettings, service: str) -> AsyncIterator[AwsClient]:
    """A client, closed with all its connections on the way out. Raises AwsError."""
    session = aioboto3.Session(
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id or None,
        aws_secret_access_key=settings.secret_access_key.reveal() or None,
    )
    config = AioConfig(retries={"total_max_attempts": 1}, max_pool_connections=settings.connections)
    async with contextlib.AsyncExitStack() as stack:
        with translated(service):
            await asyncio.to_thread(_load, session, service)
            opening = session.client(service, endpoint_url=settings.endpoint_url or None, config=config)
            client = await stack.enter_async_context(opening)
        yield AwsClient(service, client)


@contextlib.contextmanager
def translated(service: str) -> Any:
    """Turn every error of the SDK, and of the connection under it, into an AwsError."""
    try:
        yield
    except _SDK_ERRORS as error:
        raise _translate(service, error) from error


def _translate(service: str, error: Exception) -> AwsError:
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        code, status = told.get("Code", "unknown"), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return AwsError(service, code, told.get("Message", ""), transient=code in _TRANSIENT or status >= 500)
    return AwsError(service, type(error).__name__, str(error), transient=True)


def _load(session: Any, service: str) -> None:
    """Read the service's description, a megabyte of JSON, into the session: making a client is then quick."""
    loader = session._session.get_component("data_loader")
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(service, kind)
    loader.load_data_with_path("endpoints")
