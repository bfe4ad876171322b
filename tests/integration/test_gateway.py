"""The gateway as clients meet it: the real openai SDK and curl, real sockets, a daemon, a provider that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from pydantic import BaseModel

from engine.kernel.values import usd
from engine.surface.commands import RevokeKey
from tests.integration.gateway_stage import COST, TEXT, USAGE, GatewayStage, gateway_stage

MODEL = "gpt-4o-mini"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayStage]:
    with gateway_stage(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def key(stage: GatewayStage) -> str:
    return stage.key(tenant_id="acme", name="tests")


@pytest.fixture
def client(stage: GatewayStage, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=key, base_url=stage.base, max_retries=0, default_headers=FRESH) as made:
        yield made


@pytest.fixture
async def later(stage: GatewayStage, key: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=key, base_url=stage.base, max_retries=0, default_headers=FRESH) as made:
        yield made


FRESH = {"x-huntaze-cache": "no-store"}


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_answer_comes_as_the_provider_wrote_it_and_tells_its_cost(
    stage: GatewayStage, client: openai.OpenAI
) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=said("hello"))
    answer = raw.parse()

    assert answer.choices[0].message.content == TEXT
    assert answer.model == "gpt-4o-mini-2024-07-18"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_none=True) == USAGE
    told = {name: raw.headers[f"x-huntaze-{name}"] for name in ("cost-usd", "provider", "model", "cache", "level")}
    assert told == {"cost-usd": COST, "provider": "openai", "model": MODEL, "cache": "miss", "level": "full"}
    booked = stage.booked(raw.headers["x-huntaze-trace-id"])
    assert (booked.cost, booked.basis, booked.tenant_id) == (usd(COST), "measured", "acme")
    assert booked.user_id.startswith("key_")


async def test_a_streamed_answer_costs_the_same_and_says_so_at_its_end(
    stage: GatewayStage, later: openai.AsyncOpenAI
) -> None:
    options: Any = {"include_usage": True}
    stream = await later.chat.completions.create(
        model=MODEL, messages=said("hello"), stream=True, stream_options=options
    )
    chunks = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.model_dump(exclude_none=True) == USAGE
    told: Any = chunks[-1].model_extra
    assert told["huntaze"]["cost_usd"] == COST
    assert stream.response.headers["x-huntaze-trace-id"] == told["huntaze"]["trace_id"]
    assert stream.response.headers["x-huntaze-provider"] == "openai"
    assert stage.booked(told["huntaze"]["trace_id"]).cost == usd(COST)


def test_a_client_that_asked_for_no_usage_gets_no_chunk_without_choices(
    stage: GatewayStage, client: openai.OpenAI
) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=said("hello"), stream=True))

    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    told: Any = chunks[-1].model_extra
    assert told["huntaze"]["cost_usd"] == COST
    assert stage.provider.last().body["stream_options"] == {"include_usage": True}


def test_what_the_gateway_does_not_know_reaches_the_provider_as_it_was(
    stage: GatewayStage, client: openai.OpenAI
) -> None:
    extra = {"new_knob": {"deep": [1, 2.5, None, "ü\u2028"], "big": 9_007_199_254_740_993}, "seed": 7}
    client.chat.completions.create(
        model=MODEL, messages=said("hello"), user="their-user", temperature=0.25, max_tokens=77, extra_body=extra
    )

    body = stage.provider.last().body
    sent = {"model": MODEL, "messages": said("hello"), "user": "their-user", "temperature": 0.25, **extra}
    assert body == sent | {"max_completion_tokens": 77}
    assert stage.provider.last().headers["Authorization"] == "Bearer upstream-key-openai"


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called(client: openai.OpenAI, streamed: bool) -> None:
    asked: Any = {"model": MODEL, "messages": said("call the tool"), "tools": [WEATHER], "tool_choice": "required"}
    if streamed:
        with client.chat.completions.stream(**asked) as stream:
            answer: Any = stream.get_final_completion()
    else:
        answer = client.chat.completions.create(**asked)

    (call,) = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == (
        "call_1",
        "weather",
        {"city": "Zürich"},
    )


async def test_structured_answers_parse(later: openai.AsyncOpenAI) -> None:
    class Post(BaseModel):
        title: str
        tags: list[str]

    whole = await later.chat.completions.parse(model=MODEL, messages=said("plan"), response_format=Post)
    async with later.chat.completions.stream(model=MODEL, messages=said("plan"), response_format=Post) as stream:
        streamed = await stream.get_final_completion()

    expected = Post(title="Spring", tags=["a", "b"])
    assert whole.choices[0].message.parsed == streamed.choices[0].message.parsed == expected


async def test_embeddings(stage: GatewayStage, later: openai.AsyncOpenAI) -> None:
    raw = await later.embeddings.with_raw_response.create(
        model="text-embedding-3-small", input=["one", "two"], encoding_format="float"
    )

    assert [one.embedding for one in raw.parse().data] == [[0.5, -0.5], [0.5, -0.5]]
    booked = stage.booked(raw.headers["x-huntaze-trace-id"])
    assert (booked.cost, booked.input_tokens, booked.output_tokens) == (usd("0.00000016"), 8, 0)


def test_an_answer_cut_at_the_clients_own_limit_is_an_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=said("long"), max_tokens=5)

    assert answer.choices[0].finish_reason == "length"


def test_the_same_question_is_answered_from_what_is_kept_whole_and_streamed(
    stage: GatewayStage, client: openai.OpenAI
) -> None:
    asked: Any = {"model": MODEL, "messages": said("asked again and again"), "extra_headers": {"x-huntaze-cache": ""}}
    chat = client.chat.completions
    first = chat.with_raw_response.create(**asked)
    seen = len(stage.provider.seen)
    again = chat.with_raw_response.create(**asked)
    stream = chat.create(**asked, stream=True)
    chunks = list(stream)
    fresh = chat.with_raw_response.create(**{**asked, "extra_headers": FRESH})

    assert (first.headers["x-huntaze-cache"], again.headers["x-huntaze-cache"]) == ("miss", "hit")
    assert again.headers["x-huntaze-cost-usd"] == "0.00"
    assert again.parse() == first.parse()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert stream.response.headers["x-huntaze-cache"] == "hit"
    told: Any = chunks[-1].model_extra
    assert (told["huntaze"]["cache"], told["huntaze"]["cost_usd"]) == ("hit", "0.00")
    assert fresh.headers["x-huntaze-cache"] == "miss"
    assert len(stage.provider.seen) == seen + 1


async def test_fifty_who_ask_the_same_at_once_make_one_call(stage: GatewayStage, later: openai.AsyncOpenAI) -> None:
    seen = len(stage.provider.seen)
    asked: Any = {"model": MODEL, "messages": said("slow and the same"), "extra_headers": {"x-huntaze-cache": ""}}
    answers = await asyncio.gather(
        *(later.chat.completions.with_raw_response.create(**asked) for _ in range(50)),
    )

    assert len(stage.provider.seen) == seen + 1
    assert {answer.parse().choices[0].message.content for answer in answers} == {TEXT}
    assert sum(usd(answer.headers["x-huntaze-cost-usd"]) for answer in answers) == usd(COST)


def test_a_cap_beyond_what_the_model_can_write_is_lowered(stage: GatewayStage, client: openai.OpenAI) -> None:
    client.chat.completions.create(model=MODEL, messages=said("hello"), max_tokens=1_000_000)

    assert stage.provider.last().body["max_completion_tokens"] == 16_384


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tools_name_takes_its_route_and_its_cap(stage: GatewayStage, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="huntaze/message", messages=said("hello"), max_tokens=9_000
    )

    assert stage.provider.last().body["max_completion_tokens"] == 50
    assert stage.provider.last().body["messages"] == said("hello")
    assert stage.booked(raw.headers["x-huntaze-trace-id"]).tool == "message"


def test_the_cheapest_model_is_found_among_all(client: openai.OpenAI) -> None:
    for name in ("cheapest", "fastest", "best"):
        raw = client.chat.completions.with_raw_response.create(model=f"huntaze/{name}", messages=said("hello"))
        if name == "cheapest":
            assert raw.headers["x-huntaze-model"] == MODEL


def test_claude_answers_in_the_same_shape(stage: GatewayStage, client: openai.OpenAI) -> None:
    messages: Any = [{"role": "system", "content": "Be kind."}, *said("hello")]
    whole = client.chat.completions.create(model="anthropic/claude-sonnet-4-5", messages=messages, stop="END")
    sent = stage.provider.last().body
    streamed = list(client.chat.completions.create(model="claude-sonnet-4-5", messages=messages, stream=True))

    assert (sent["system"], sent["stop_sequences"], sent["max_tokens"]) == ("Be kind.", ["END"], 4096)
    assert whole.choices[0].message.content == TEXT
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (20, 10)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == TEXT


@pytest.mark.parametrize("wish", ["fail", "html", "empty"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_falls_back_to_claude_unseen(client: openai.OpenAI, wish: str, streamed: bool) -> None:
    asked: Any = {"model": "huntaze/message", "messages": said(wish)}
    if streamed and wish == "empty":
        asked["messages"] = said("fail")  # an empty stream has begun when it turns out empty
    if streamed:
        text = "".join(
            chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**asked, stream=True)
        )
    else:
        text = client.chat.completions.create(**asked).choices[0].message.content or ""

    assert text == TEXT


def test_models_are_listed_as_far_as_the_key_goes(stage: GatewayStage, client: openai.OpenAI) -> None:
    narrow = stage.key(models=("huntaze/*", "gpt-4o-mini"))
    with openai.OpenAI(api_key=narrow, base_url=stage.base, max_retries=0) as limited:
        seen = {model.id for model in limited.models.list()}
        answer = limited.chat.completions.create(model=f"openai/{MODEL}", messages=said("hello"), extra_headers=FRESH)
        with pytest.raises(openai.PermissionDeniedError) as refused:
            limited.chat.completions.create(model="gpt-4o", messages=said("hello"))

    every = {model.id for model in client.models.list()}
    assert {"huntaze/message", "huntaze/cheapest", "openai/gpt-4o-mini"} <= seen
    assert "anthropic/claude-sonnet-4-5" in every - seen
    assert client.models.retrieve("huntaze/message").owned_by == "huntaze"
    assert answer.choices[0].message.content == TEXT
    assert refused.value.code == "model_not_allowed"


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "no-such-model-at-all"}, 404, "model_not_found", "model"),
        ({"model": "huntaze/nothing"}, 404, "model_not_found", "model"),
        ({"model": ""}, 400, None, "model"),
        ({"model": "x" * 201}, 400, None, "model"),
        ({"model": "own/\x1b[2J"}, 400, None, "model"),
        ({"messages": []}, 400, None, "messages"),
        ({"messages": ["hello"]}, 400, None, "messages"),
        ({"n": 0}, 400, None, "n"),
        ({"max_tokens": -1}, 400, None, "max_tokens"),
        ({"stream": "yes"}, 400, None, "stream"),
        ({"service_tier": "priority"}, 400, "unsupported", "service_tier"),
        ({"web_search_options": {}}, 400, "unsupported", "web_search_options"),
        ({"search_parameters": {"mode": "on"}}, 400, "unsupported", "search_parameters"),
        ({"tools": [{"type": "web_search"}]}, 400, "unsupported", "tools"),
        ({"modalities": ["text", "audio"]}, 400, "unsupported", "modalities"),
        ({"modalities": 5}, 400, "unsupported", "modalities"),
        ({"messages": said("filter")}, 400, "content_filter", None),
        ({"messages": said("no-such")}, 404, "model_not_found", None),
        ({"model": "busy/throttled", "messages": said("throttle")}, 429, "rate_limit_exceeded", None),
        ({"messages": said("fail")}, 502, "upstream_failed", None),
        ({"messages": said("html")}, 502, "upstream_unusable", None),
        ({"messages": said("empty")}, 502, "upstream_unusable", None),
        ({"messages": said("refuse-key")}, 502, "upstream_refused", None),
    ],
)
def test_refusals_are_in_openais_words_and_tell_nothing_of_the_inside(
    stage: GatewayStage, key: str, fields: dict[str, Any], status: int, code: str | None, param: str | None
) -> None:
    answer = curl(stage, {"model": MODEL, "messages": said("hello"), **fields}, key)

    assert answer.status == status
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert "secret words" not in answer.text
    assert "upstream-key" not in answer.text
    if status == 429:
        assert answer.headers["retry-after"] == "1"


async def test_one_throttle_among_slow_calls_holds_nobody_up_longer_than_it_asked(
    stage: GatewayStage, later: openai.AsyncOpenAI
) -> None:
    at_once = asyncio.Semaphore(4)

    async def ask(number: int) -> float:
        """Seconds until its answer; the fifth is told to come back 40 ms later."""
        text = "slow and throttled" if number == 4 else f"slow {number}"
        async with at_once:
            began = time.monotonic()
            with contextlib.suppress(openai.RateLimitError):
                await later.chat.completions.create(model="busy/quiet", messages=said(text))
            return time.monotonic() - began

    took = await asyncio.gather(*(ask(number) for number in range(20)))

    assert max(took) < 3  # 0.34 s, and what a busy machine adds


DEEP = (
    b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "x": ' + b"[" * 300 + b"]" * 300 + b"}"
)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b'{"model": "gpt-4o-mini", "messages": [NaN]}', DEEP])
def test_what_is_no_json_object_is_refused(stage: GatewayStage, key: str, data: bytes) -> None:
    answer = curl(stage, data, key)

    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


def test_pictures_pass_and_more_than_the_gateway_takes_does_not(stage: GatewayStage, key: str) -> None:
    """curl asks with `Expect: 100-continue` before it sends as much."""

    def looked_at(size: int) -> Curled:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * size}}
        content = [{"type": "text", "text": "What is this?"}, picture]
        body = {"model": MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": 50}
        return curl(stage, body, key, flags=["-H", "Expect: 100-continue"])

    assert looked_at(4 << 20).json["choices"][0]["message"]["content"] == TEXT
    assert len(stage.provider.last().body["messages"][0]["content"][1]["image_url"]["url"]) > 4 << 20
    refused = looked_at(33 << 20)
    assert (refused.status, refused.json["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("given", ["", "hz-wrong", "Bearer"])
def test_without_a_key_nothing_is_answered(stage: GatewayStage, given: str) -> None:
    answer = curl(stage, {"model": MODEL, "messages": said("hello")}, given)

    assert (answer.status, answer.json["error"]["code"]) == (401, "invalid_api_key")


def test_the_engines_own_token_opens_everything(stage: GatewayStage) -> None:
    answer = curl(stage, {"model": MODEL, "messages": said("hello")}, stage.token)

    assert answer.json["choices"][0]["message"]["content"] == TEXT


def test_curl_over_the_unix_socket_and_paths_that_are_none(stage: GatewayStage, key: str) -> None:
    socket_path = ["--unix-socket", str(stage.state / "huntaze.sock")]
    listed = curl(stage, None, key, path="/models", flags=socket_path)
    nowhere = curl(stage, None, key, path="/nowhere")
    wrong = curl(stage, None, key, path="/chat/completions")

    assert listed.json["object"] == "list"
    assert (nowhere.status, nowhere.json["error"]["code"]) == (404, "unknown_url")
    assert (wrong.status, wrong.json["error"]["code"]) == (405, "method_not_allowed")


def test_a_revoked_key_opens_nothing_from_then_on(stage: GatewayStage) -> None:
    secret = stage.key()
    before = curl(stage, None, secret, path="/models")
    stage.submit(RevokeKey(key=secret))
    after = curl(stage, None, secret, path="/models")

    assert (before.status, after.status) == (200, 401)


def test_a_key_without_money_is_told_so_and_not_to_try_again(stage: GatewayStage) -> None:
    poor = stage.key(limit=usd("0.000001"), window="month")
    seen = len(stage.provider.seen)
    with (
        openai.OpenAI(api_key=poor, base_url=stage.base, max_retries=2) as client,
        pytest.raises(openai.RateLimitError) as refused,
    ):
        client.chat.completions.create(model=MODEL, messages=said("never heard of"))

    assert (refused.value.type, refused.value.code) == ("insufficient_quota", "insufficient_quota")
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert len(stage.provider.seen) == seen


def test_the_sdks_own_retries_meet_an_upstream_that_recovers(stage: GatewayStage, key: str) -> None:
    seen = len(stage.provider.seen)
    with (
        openai.OpenAI(api_key=key, base_url=stage.base, max_retries=1) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(model=MODEL, messages=said("fail"))

    assert len(stage.provider.seen) == seen + 2


# ── streams that end badly ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wish", ["cut", "broken"])
def test_a_stream_that_breaks_says_so_and_is_billed_by_what_came(stage: GatewayStage, key: str, wish: str) -> None:
    answer = curl(stage, {"model": MODEL, "messages": said(wish), "stream": True}, key)

    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert answer.status == 200
    assert "[DONE]" not in events
    assert json.loads(events[-1])["error"]["type"] == "upstream_error"
    assert "secret words" not in answer.text
    booked = stage.booked(answer.headers["x-huntaze-trace-id"])
    assert (booked.basis, booked.output_tokens) == ("estimated", len("Grüße".encode()))


def test_the_sdk_sees_a_broken_stream_as_an_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=MODEL, messages=said("broken"), stream=True))


@pytest.mark.parametrize("wish", ["stall", "hang"])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_leaves_stops_the_call_and_is_billed_once(
    stage: GatewayStage, key: str, wish: str, streamed: bool
) -> None:
    if wish == "stall" and not streamed:
        wish = "hang"
    stage.wait(lambda: stage.open_attempts() == 0)  # what the test before this one asked may not be settled yet
    before = {call.attempt_id for call in stage.calls()}
    seen = len(stage.provider.seen)
    body = json.dumps({"model": MODEL, "messages": said(wish), "stream": streamed, "max_tokens": 600}).encode()
    host, port = stage.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as opened:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        opened.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        if wish == "stall":
            received = b""
            while "Grüße".encode() not in received:
                received += opened.recv(65_536)
        stage.wait(lambda: len(stage.provider.seen) > seen)
        assert stage.open_attempts() == 1

    assert stage.provider.last().left.wait(5)
    stage.wait(lambda: stage.open_attempts() == 0)
    stage.wait(lambda: len(stage.calls()) > len(before))
    (call,) = [call for call in stage.calls() if call.attempt_id not in before]
    assert len(stage.provider.seen) == seen + 1
    assert (call.outcome, call.basis) == ("cancelled", "estimated")
    assert call.output_tokens == (len("Grüße".encode()) if wish == "stall" else 600)


# ── curl ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Curled:
    """What curl saw."""

    def __init__(self, told: bytes) -> None:
        told = told.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        head, _, body = told.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        self.text = body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def curl(
    stage: GatewayStage,
    body: dict[str, Any] | bytes | None,
    key: str,
    *,
    path: str = "/chat/completions",
    flags: list[str] | None = None,
) -> Curled:
    command = ["curl", "-sS", "-i", "-N", "-m", "10", f"{stage.base}{path}", *(flags or [])]
    command += ["-H", f"Authorization: Bearer {key}", "-H", "x-huntaze-cache: no-store"] if key else []
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    if data is not None:
        command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        command += [] if flags else ["-H", "Expect:"]
    done = subprocess.run(command, input=data, capture_output=True, timeout=20, check=False)
    return Curled(done.stdout)


# ── keys on the command line ────────────────────────────────────────────────────────────────────────────────────────


def huntaze(stage: GatewayStage, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "huntaze_console", *arguments, "--state-dir", str(stage.state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_key_made_on_the_command_line_works_until_it_is_revoked_there(stage: GatewayStage) -> None:
    flags = ["--tenant", "cli", "--budget", "25/month", "--models", "huntaze/*, gpt-4o-mini", "--expires", "90d"]
    secret = huntaze(stage, "key", "create", *flags).stdout.strip()
    worked = curl(stage, {"model": MODEL, "messages": said("hello")}, secret)
    listed = huntaze(stage, "key", "list", "--tenant", "cli", "--json").stdout
    revoked = huntaze(stage, "key", "revoke", secret[:9])
    refused = curl(stage, {"model": MODEL, "messages": said("hello")}, secret)

    assert (worked.status, revoked.returncode, refused.status) == (200, 0, 401)
    (row,) = json.loads(listed)["rows"]
    assert secret not in listed
    assert (row["prefix"], row["tenant"], row["budget_usd"], row["window"]) == (secret[:9], "cli", "25.00", "month")
    assert row["models"] == ["huntaze/*", "gpt-4o-mini"]
    assert row["used_at"] is not None
    assert row["expires_at"] is not None
    (budget,) = [
        row
        for row in json.loads(huntaze(stage, "budget", "list", "--json").stdout)["rows"]
        if row["key"] == json.loads(listed)["rows"][0]["key_id"]
    ]
    assert budget["window"] == "month"


@pytest.mark.parametrize("budget", ["lots", "25/fortnight", "-1"])
def test_a_budget_that_makes_no_sense_makes_no_key(stage: GatewayStage, budget: str) -> None:
    done = huntaze(stage, "key", "create", "--budget", budget)

    assert done.returncode == 2
    assert "hz-" not in done.stdout


def test_a_daemon_that_ends_settles_what_its_clients_wait_for(tmp_path: Path) -> None:
    with gateway_stage(tmp_path) as stage:
        asked: Any = {"model": MODEL, "messages": said("stall"), "stream": True, "max_tokens": 600}
        with openai.OpenAI(api_key=stage.token, base_url=stage.base, max_retries=0) as client:
            stream = client.chat.completions.create(**asked)
            assert next(iter(stream)).choices[0].delta.role == "assistant"
            stage.process.send_signal(signal.SIGTERM)
            with pytest.raises((openai.APIError, httpx2.TransportError)):
                list(stream)
        assert stage.process.wait(20) == 0

        assert stage.open_attempts() == 0
        with sqlite3.connect(stage.state / "huntaze.db") as database:
            found = database.execute("SELECT outcome, basis FROM entries").fetchall()
        database.close()

    assert found == [("cancelled", "estimated")]
