"""Requests nobody should send: each gets a problem document, none a traceback, and the server goes on."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from huntaze_console.api import ApiSettings
from huntaze_console.api.shapes import CampaignRequest
from tests.integration.test_api_desk import Served, serving
from tests.integration.test_api_endpoints import HYBRID, STATUS, WANTED

JSON = {"Content-Type": "application/json"}


async def _raw(served: Served, request: bytes) -> bytes:
    """Send bytes as they are and read until the server closes or answers."""
    host, port = served.endpoint.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(65_536), 5)
    finally:
        writer.close()
        await asyncio.wait_for(asyncio.gather(writer.wait_closed(), return_exceptions=True), 5)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\\ud800"}',
        b'{"name": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"name": 1' + b"0" * 10_000 + b"}",
        b'{"' + b"x" * 100_000 + b'": 1}',
    ],
)
@pytest.mark.parametrize("path", [HYBRID, "/api/v2/query", "/api/v2/command"])
async def test_a_body_that_is_no_request_is_a_bad_one(tmp_path: Path, path: str, body: bytes) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.post(path, data=body, headers=JSON)

        assert reply.status == 400
        assert len(reply.body) < 2_000
        assert (served.desk.asked, served.desk.submitted) == ([], [])


async def test_an_unknown_field_is_named_before_a_missing_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.post(HYBRID, json={"naem": "Friday"})

    assert reply.json()["field"] == "naem"
    assert "account_id" in reply.json()["remedy"]


@pytest.mark.parametrize("stated", [True, False])
async def test_a_body_over_the_limit_is_too_large(tmp_path: Path, stated: bool) -> None:
    async def chunks() -> Any:
        for _ in range(8):
            yield b" " * 1_000

    async with serving(tmp_path, settings=ApiSettings(port=0, body_limit=4_000)) as served:
        reply = await served.client.post(HYBRID, data=b" " * 5_000 if stated else chunks(), headers=JSON)

    assert (reply.status, reply.json()["reason"]) == (413, "too_large")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json5"},
        {"Content-Type": ""},
    ],
)
async def test_another_content_type_is_not_guessed(tmp_path: Path, headers: dict[str, str]) -> None:
    async with serving(tmp_path) as served:
        for path in (HYBRID, "/api/v2/stop", "/api/v2/command"):
            reply = await served.client.post(path, data=orjson.dumps(WANTED), headers=headers)

            assert (reply.status, reply.json()["reason"]) == (415, "unsupported_type")
        assert served.desk.submitted == []


async def test_a_compressed_body_is_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 10_000_000)

    async with serving(tmp_path) as served:
        reply = await served.client.post(HYBRID, data=bomb, headers={**JSON, "Content-Encoding": "gzip"})

    assert reply.status == 415


async def test_a_body_that_never_ends_arriving_times_out(tmp_path: Path) -> None:
    async with serving(tmp_path, settings=ApiSettings(port=0, body_timeout=0.05)) as served:
        token = served.client.token.encode()
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n" % (HYBRID.encode(), token)
        answer = await _raw(served, head + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer


async def test_headers_that_never_end_are_not_waited_for(tmp_path: Path) -> None:
    async with serving(tmp_path, settings=ApiSettings(port=0, header_timeout=0.05)) as served:
        assert await _raw(served, b"GET / HTTP/1.1\r\nHost: local") == b""


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_and_nothing_of_it_is_logged(
    tmp_path: Path, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as served:
        answer = await _raw(served, request_)

        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert b"Traceback" not in answer
        assert (await served.client.get("/api/v2/limits")).status == 200
    assert caplog.text == ""


@pytest.mark.parametrize(
    "part",
    ["%00", "%0d%0aSet-Cookie:%20a=b", "..%2f..%2fetc%2fpasswd", "%f0%9f%92%a9", "%1b%5b31m", "x" * 4_000, "%ff"],
)
async def test_a_hostile_part_of_a_path_reaches_no_header(tmp_path: Path, part: str) -> None:
    async with serving(tmp_path) as served:
        answer = await _raw(
            served,
            f"GET /api/v2/campaigns/{part}/deliveries HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: Bearer {served.client.token}\r\n\r\n".encode(),
        )
        shown = await served.client.get(STATUS, params={"campaign_id": part[:200]})

    head = answer.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"Set-Cookie" not in head
    assert shown.status == 404


async def test_unknown_paths_and_methods_are_problems(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        unknown = await served.client.get("/api/v2/nothing")
        method = await served.client.request("DELETE", "/api/v2/stop", route="/api/v2/stop", token=True)

    assert (unknown.status, unknown.json()["reason"]) == (404, "not_found")
    assert (method.status, method.headers["Allow"]) == (405, "POST")


async def test_a_pile_of_requests_on_one_connection_is_answered_in_order(tmp_path: Path) -> None:
    one = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async with serving(tmp_path) as served:
        answer = await _raw(served, one * 20 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    assert b"HTTP/1.1 200 OK" in answer


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


# A busy machine makes text slowly; that is no fault of what is tested.
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(WANTED, _JSON)))
def test_a_campaign_of_anything_is_taken_whole_or_refused(change: dict[str, Any]) -> None:
    try:
        wanted = CampaignRequest.model_validate(WANTED | change)
    except ValidationError:
        return
    draft = wanted.draft()
    assert draft.budget is None or draft.budget > 0
    assert bool(draft.prompt.strip()) != bool(draft.template.strip())
