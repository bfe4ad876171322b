"""The providers' own SDKs, over real sockets, against a world."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import openai
import pytest
from pydantic import BaseModel

from engine.simulation import tokens
from engine.simulation.launch import RunningWorld, launched
from engine.simulation.options import WorldOptions

USER: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Write a message.\nFan: Zoë"}]
EXACT: Any = [{"role": "user", "content": "[reply with exactly 40 tokens]"}]
SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["title", "tags"],
    "additionalProperties": False,
}
FOLDERS = {
    "openai": ("/openai/v1", "gpt-4o-mini"),
    "deepseek": ("/deepseek/v1", "deepseek-chat"),
    "xai": ("/xai/v1", "grok-3"),
    "gemini": ("/gemini/v1beta/openai/", "gemini-2.5-flash"),
}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world") / "record.jsonl"


@pytest.fixture(scope="module")
def world(record: Path) -> Iterator[RunningWorld]:
    with launched(WorldOptions(speed=200, record=record)) as running:
        yield running


@pytest.fixture
async def clients(world: RunningWorld) -> AsyncIterator[dict[str, openai.AsyncOpenAI]]:
    made: dict[str, openai.AsyncOpenAI] = {
        provider: openai.AsyncOpenAI(api_key="k", base_url=world.url + folder, max_retries=0)
        for provider, (folder, _) in FOLDERS.items()
    }
    made["azure"] = openai.AsyncAzureOpenAI(
        api_key="k", azure_endpoint=f"{world.url}/azure", api_version="2024-10-21", max_retries=0
    )
    yield made
    for client in made.values():
        await client.close()


@pytest.fixture
async def claude(world: RunningWorld) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key="k", base_url=f"{world.url}/anthropic", max_retries=0) as client:
        yield client


def last_call(record: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record.read_bytes().splitlines()[-1])
    return found


@pytest.mark.parametrize(("provider", "model"), [*((p, m) for p, (_, m) in FOLDERS.items()), ("azure", "huntaze-gpt4")])
async def test_every_chat_provider_answers_whole_and_streamed(
    clients: dict[str, openai.AsyncOpenAI], record: Path, provider: str, model: str
) -> None:
    chat = clients[provider].chat.completions

    whole = await chat.create(model=model, messages=USER, max_tokens=200)
    line = last_call(record)
    stream = await chat.create(model=model, messages=USER, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]

    assert whole.usage is not None
    text = whole.choices[0].message.content or ""
    assert "Zoë" in text
    assert whole.choices[0].finish_reason == "stop"
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (10, tokens.count(text))
    assert (line["provider"], line["input_tokens"], line["output_tokens"]) == (provider, 10, tokens.count(text))
    assert line["complete"]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage
    assert last_call(record)["streamed"]


def test_the_synchronous_client_works_too(world: RunningWorld) -> None:
    with openai.OpenAI(api_key="k", base_url=f"{world.url}/openai/v1", max_retries=0) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=EXACT, max_completion_tokens=10)

    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 10


async def test_an_azure_deployment_is_not_its_model(clients: dict[str, openai.AsyncOpenAI], record: Path) -> None:
    answer = await clients["azure"].chat.completions.create(model="huntaze-gpt4", messages=EXACT)

    assert answer.model == "gpt-4o-2024-08-06"
    assert (last_call(record)["deployment"], last_call(record)["model"]) == ("huntaze-gpt4", "gpt-4o")


async def test_structured_answers_parse(clients: dict[str, openai.AsyncOpenAI]) -> None:
    class Plan(BaseModel):
        title: str
        days: list[str]
        price: float | None

    answer = await clients["openai"].chat.completions.parse(model="gpt-4o", messages=USER, response_format=Plan)

    assert isinstance(answer.choices[0].message.parsed, Plan)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "plan"}}])
async def test_a_tool_that_must_be_called_is_called(clients: dict[str, openai.AsyncOpenAI], choice: Any) -> None:
    tool: Any = {"type": "function", "function": {"name": "plan", "parameters": SCHEMA}}
    asked: Any = {"model": "gpt-4o", "messages": USER, "tools": [tool], "tool_choice": choice}

    whole = await clients["openai"].chat.completions.create(**asked)
    async with clients["openai"].chat.completions.stream(**asked) as stream:
        streamed = await stream.get_final_completion()

    (call,) = whole.choices[0].message.tool_calls or ()
    (again,) = streamed.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert (whole.choices[0].finish_reason, streamed.choices[0].finish_reason) == ("tool_calls", "tool_calls")
    assert set(json.loads(call.function.arguments)) == {"title", "tags"}
    assert again.function.arguments == call.function.arguments


async def test_deepseek_splits_its_prompt_by_cache(clients: dict[str, openai.AsyncOpenAI]) -> None:
    answer = await clients["deepseek"].chat.completions.create(model="deepseek-chat", messages=USER)

    assert answer.usage is not None
    assert answer.usage.model_extra == {"prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 10}


async def test_a_reasoning_model_reports_its_reasoning(clients: dict[str, openai.AsyncOpenAI]) -> None:
    chat = clients["openai"].chat.completions

    answer = await chat.create(model="o4-mini", messages=USER, max_completion_tokens=2_000)

    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert 0 < (answer.usage.completion_tokens_details.reasoning_tokens or 0) < answer.usage.completion_tokens
    with pytest.raises(openai.BadRequestError, match="max_completion_tokens"):
        await chat.create(model="o4-mini", messages=USER, max_tokens=200)


async def test_google_shows_reasoning_only_in_the_total(clients: dict[str, openai.AsyncOpenAI], record: Path) -> None:
    answer = await clients["gemini"].chat.completions.create(model="gemini-2.5-pro", messages=USER)

    line = last_call(record)
    assert answer.usage is not None
    assert line["reasoning_tokens"] > 0
    assert answer.usage.completion_tokens == line["output_tokens"] - line["reasoning_tokens"]
    assert answer.usage.total_tokens == line["input_tokens"] + line["output_tokens"]


async def test_embeddings_and_models_are_listed(clients: dict[str, openai.AsyncOpenAI]) -> None:
    client = clients["openai"]

    vectors = await client.embeddings.create(model="text-embedding-3-small", input=["one two", "three"])
    listed = [model.id async for model in client.models.list()]

    assert vectors.usage.prompt_tokens == 3
    assert math.isclose(sum(value * value for value in vectors.data[0].embedding), 1, rel_tol=1e-4)
    assert "gpt-4o-mini" in listed


@pytest.mark.parametrize("provider", [*FOLDERS, "azure"])
async def test_every_chat_provider_refuses_in_its_own_words(
    clients: dict[str, openai.AsyncOpenAI], provider: str
) -> None:
    client = clients[provider]
    model = FOLDERS.get(provider, ("", "gpt-4o"))[1]

    with pytest.raises(openai.NotFoundError) as unknown:
        await client.chat.completions.create(model="no-such-model", messages=USER)
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model=model, messages=USER, temperature=9)
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model=model, messages=[])

    told = unknown.value.response.json()
    match provider:
        case "xai":
            assert isinstance(told["error"], str)
        case "gemini":
            assert told[0]["error"]["status"] == "NOT_FOUND"
        case "azure":
            assert told["error"]["code"] == "DeploymentNotFound"
        case _:
            assert told["error"]["code"] == "model_not_found"


async def test_claude_answers_whole_and_streamed(claude: anthropic.AsyncAnthropic, record: Path) -> None:
    asked: Any = {"model": "claude-sonnet-5", "max_tokens": 300, "system": "Be kind.", "messages": USER[1:]}

    whole = await claude.messages.create(**asked)
    line = last_call(record)
    async with claude.messages.stream(**asked) as stream:
        text = await stream.get_final_text()
        streamed = await stream.get_final_message()

    block = whole.content[0]
    assert block.type == "text"
    assert text == block.text
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (10, tokens.count(text))
    assert (streamed.usage.input_tokens, streamed.usage.output_tokens) == (10, tokens.count(text))
    assert (whole.stop_reason, streamed.stop_reason) == ("end_turn", "end_turn")
    assert (line["provider"], line["input_tokens"], line["output_tokens"]) == ("anthropic", 10, tokens.count(text))


async def test_claude_keeps_to_limit_schema_and_count(claude: anthropic.AsyncAnthropic) -> None:
    model: Any = "claude-haiku-4-5"
    form: Any = {"format": {"type": "json_schema", "schema": SCHEMA}}

    short = await claude.messages.create(model=model, max_tokens=10, messages=EXACT)
    plan = await claude.messages.create(model=model, max_tokens=900, messages=EXACT[:0] + USER[1:], output_config=form)
    counted = await claude.messages.count_tokens(model=model, messages=EXACT)

    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 10)
    assert plan.content[0].type == "text"
    assert set(json.loads(plan.content[0].text)) == {"title", "tags"}
    assert counted.input_tokens == 7


async def test_claude_refuses_in_its_own_words(claude: anthropic.AsyncAnthropic) -> None:
    asked: Any = {"max_tokens": 10, "messages": EXACT}

    with pytest.raises(anthropic.NotFoundError) as unknown:
        await claude.messages.create(model="claude-99", **asked)
    with pytest.raises(anthropic.BadRequestError):
        await claude.messages.create(model="claude-haiku-4-5", max_tokens=0, messages=EXACT)

    assert unknown.value.response.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    "path",
    [
        *(f"{folder.rstrip('/')}/chat/completions" for folder, _ in FOLDERS.values()),
        "/azure/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        "/anthropic/v1/messages",
    ],
)
async def test_no_provider_answers_without_a_key(world: RunningWorld, path: str) -> None:
    wish = {"model": "gpt-4o", "messages": EXACT}
    async with aiohttp.ClientSession() as session, session.post(world.url + path, json=wish) as refused:
        assert refused.status == 401
        assert "error" in str(await refused.json())


async def test_concurrency_never_changes_an_answer(clients: dict[str, openai.AsyncOpenAI]) -> None:
    chat = clients["openai"].chat.completions

    async def said(number: int) -> str | None:
        wish: Any = [{"role": "user", "content": f"Write message {number}"}]
        return (await chat.create(model="gpt-4o-mini", messages=wish)).choices[0].message.content

    together = await asyncio.gather(*(said(number) for number in range(30)))

    assert together == [await said(number) for number in range(30)]


async def test_a_cut_stream_is_recorded_as_incomplete(world: RunningWorld, record: Path) -> None:
    body = {
        "model": "gpt-4o",
        "stream": True,
        "messages": [{"role": "user", "content": "[reply with exactly 900 tokens] and slowly"}],
    }
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer k"}) as session:
        await session.post(f"{world.url}/world/speed", json={"speed": 4})
        async with session.post(f"{world.url}/openai/v1/chat/completions", json=body) as response:
            for _ in range(4):
                await response.content.readline()
            response.close()
        await session.post(f"{world.url}/world/speed", json={"speed": 200})
        async with asyncio.timeout(5):
            while not record.read_bytes():  # the first call of this world
                await asyncio.sleep(0.01)
            while (line := last_call(record))["prompt_sha256"] is None or not line["streamed"] or line["complete"]:
                await asyncio.sleep(0.02)

    assert line["status"] == 200
    assert 0 < line["output_tokens"] < 900


FAULTS = [
    ("outage", openai.InternalServerError, 503),
    ("server_error", openai.InternalServerError, 500),
    ("rate_limit", openai.RateLimitError, 429),
    ("refuse_auth", openai.AuthenticationError, 401),
    ("reset", openai.APIConnectionError, 0),
    ("timeout", openai.APIConnectionError, 0),
    ("drop_after", openai.APIConnectionError, 200),
]


@pytest.mark.parametrize(("kind", "error", "status"), FAULTS)
async def test_faults_reach_the_client_as_its_own_errors(
    world: RunningWorld,
    clients: dict[str, openai.AsyncOpenAI],
    record: Path,
    kind: str,
    error: type[openai.OpenAIError],
    status: int,
) -> None:
    async with aiohttp.ClientSession() as session:
        fault = {"kind": kind, "target": "deepseek", "for": "PT9H", "retry_after": "PT3S", "hold": "PT9S"}
        async with session.post(f"{world.url}/world/faults", json=fault) as added:
            assert added.status == 201

        with pytest.raises(error) as caught:
            await clients["deepseek"].chat.completions.create(model="deepseek-chat", messages=USER)

        await session.delete(f"{world.url}/world/faults")
    assert last_call(record)["status"] == status
    if isinstance(caught.value, openai.RateLimitError):
        assert caught.value.response.headers["Retry-After"] == "3"


async def test_filters_overload_and_garbage_look_like_each_provider(
    world: RunningWorld, clients: dict[str, openai.AsyncOpenAI], claude: anthropic.AsyncAnthropic
) -> None:
    asked: Any = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": EXACT}
    async with aiohttp.ClientSession() as session:
        for target, kind in (("openai", "content_filter"), ("azure", "content_filter"), ("anthropic", "outage")):
            await session.post(f"{world.url}/world/faults", json={"kind": kind, "target": target, "for": "PT9H"})
        await session.post(f"{world.url}/world/faults", json={"kind": "garbage", "target": "xai", "for": "PT9H"})

        withheld = await clients["openai"].chat.completions.create(model="gpt-4o", messages=USER)
        with pytest.raises(openai.BadRequestError, match="content_filter"):
            await clients["azure"].chat.completions.create(model="gpt-4o", messages=USER)
        with pytest.raises(anthropic.APIStatusError) as overloaded:
            await claude.messages.create(**asked)
        with pytest.raises(json.JSONDecodeError):
            await clients["xai"].chat.completions.create(model="grok-3", messages=USER)

        await session.delete(f"{world.url}/world/faults")
    assert withheld.choices[0].finish_reason == "content_filter"
    assert overloaded.value.status_code == 529
