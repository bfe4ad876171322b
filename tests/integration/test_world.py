"""The world as a process: its clock, its platform, its end."""

import asyncio
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.kernel.clock import ClockPage, VirtualClock
from engine.kernel.errors import EngineUnavailable
from engine.kernel.values import MINUTE, SECOND, iso
from engine.simulation.launch import RunningWorld, launch, launched
from engine.simulation.options import START, WorldOptions

ANNA = "/platform/accounts/anna"


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world") / "record.jsonl"


@pytest.fixture(scope="module")
def world(record: Path) -> Iterator[RunningWorld]:
    with launched(WorldOptions(speed=400, record=record)) as running:
        yield running


@pytest.fixture
async def http(world: RunningWorld) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(world.url, headers={"Authorization": "Bearer t"}) as session:
        yield session


async def send(
    http: aiohttp.ClientSession, account: str, number: int, key: str, text: str = "Hi"
) -> tuple[int, Any, str | None]:
    path = f"/platform/accounts/{account}/chats/{account}-{number:05d}/messages"
    async with http.post(path, json={"text": text}, headers={"Idempotency-Key": key}) as answer:
        return answer.status, await answer.json(), answer.headers.get("Retry-After")


def messages(record: Path, account: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in record.read_bytes().splitlines()]
    return [line for line in lines if line["kind"] == "message" and line["account_id"] == account]


async def test_the_clock_is_the_page_everybody_maps(world: RunningWorld, http: aiohttp.ClientSession) -> None:
    page = ClockPage(world.page)
    before = page.read()[0]

    async with http.get("/clock") as answer:
        facts = await answer.json()
    after = page.read()[0]
    page.close()

    assert before <= facts["now"] <= after
    assert facts["epoch"] == iso(START)
    assert (facts["seed"], facts["scenario"], facts["page"]) == (7, "quiet-day", str(world.page))


async def test_the_audience_is_paged_to_its_end(http: aiohttp.ClientSession) -> None:
    fans: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        async with http.get(f"{ANNA}/fans", params={"cursor": cursor}) as answer:
            page = await answer.json()
        assert len(page["fans"]) <= 100
        fans += page["fans"]
        cursor = page["next"]

    assert len(fans) >= 1_000
    assert len({fan["id"] for fan in fans}) == len(fans)
    assert any(fan.get("opted_out") for fan in fans)


async def test_a_message_is_recorded_before_its_answer_arrives(http: aiohttp.ClientSession, record: Path) -> None:
    status, body, _ = await send(http, "rita", 1, "k-1", "Hello Zoë")

    [line] = messages(record, "rita")
    assert status == 200
    assert line["message_id"] == body["id"]
    assert line["idempotency_key"] == "k-1"
    assert line["text_sha256"] == hashlib.sha256("Hello Zoë".encode()).hexdigest()
    assert line["completed_at"] - line["at"] >= SECOND // 10


async def test_the_same_key_is_the_same_message_and_another_body_is_refused(
    http: aiohttp.ClientSession, record: Path
) -> None:
    first, again = await send(http, "sue", 1, "k"), await send(http, "sue", 1, "k")
    other = await send(http, "sue", 1, "k", "Something else")

    assert first == again
    assert other[0] == 409
    assert [line["repeat"] for line in messages(record, "sue")] == [False, True, False]


async def test_the_eleventh_arrival_in_a_minute_is_refused(http: aiohttp.ClientSession, record: Path) -> None:
    answers = await asyncio.gather(*(send(http, "tina", number, f"k-{number}") for number in range(13)))

    assert sorted(status for status, _, _ in answers) == [200] * 10 + [429] * 3
    assert all(0 < int(after or 0) <= 60 for status, _, after in answers if status == 429)
    assert len(messages(record, "tina")) == 13
    accepted = sorted(line["at"] for line in messages(record, "tina") if line["status"] == 200)
    assert accepted[-1] - accepted[0] < MINUTE


async def test_refusals_are_problem_documents(http: aiohttp.ClientSession, world: RunningWorld) -> None:
    wish = {"account_id": "uma", "fan_id": "uma-00002", "opted_out": True}
    async with http.post("/world/fans", json=wish) as done:
        assert done.status == 200

    opted_out, unknown = await send(http, "uma", 2, "a"), await send(http, "uma", 999, "b")
    empty = await send(http, "uma", 1, "c", "")
    async with aiohttp.ClientSession(world.url) as stranger:
        bare = await send(stranger, "uma", 1, "d")

    assert [answer[0] for answer in (opted_out, unknown, empty, bare)] == [422, 404, 400, 401]
    assert opted_out[1]["status"] == 422
    assert "opted out" in opted_out[1]["detail"]


async def test_a_dropped_answer_leaves_an_accepted_message(http: aiohttp.ClientSession, record: Path) -> None:
    fault = {"kind": "drop_after", "target": "platform/vera", "for": "PT9H"}
    await http.post("/world/faults", json=fault)

    with pytest.raises(aiohttp.ClientConnectionError):
        await send(http, "vera", 1, "k")
    await http.delete("/world/faults")
    status, body, _ = await send(http, "vera", 1, "k")

    dropped, repeated = messages(record, "vera")
    assert (dropped["status"], dropped["complete"]) == (200, False)
    assert (status, body["id"], repeated["repeat"]) == (200, dropped["message_id"], True)


async def test_fans_answer_in_their_threads_after_a_while(http: aiohttp.ClientSession, world: RunningWorld) -> None:
    for number in range(8):
        await send(http, "wanda", number, f"k-{number}", f"Hello {number}")
    await http.post("/world/speed", json={"speed": 8_000})
    page = ClockPage(world.page)
    async with asyncio.timeout(5):
        await VirtualClock(page).sleep_until(page.read()[0] + 26 * MINUTE)
    page.close()
    await http.post("/world/speed", json={"speed": 400})

    threads = []
    for number in range(8):
        async with http.get(f"/platform/accounts/wanda/chats/wanda-{number:05d}/messages") as answer:
            threads.append((await answer.json())["messages"])

    for number, thread in enumerate(threads):
        sent = next(said for said in thread if said["from"] == "creator")
        assert sent["text"] == f"Hello {number}"
        assert [said["sent_at"] for said in thread] == sorted(said["sent_at"] for said in thread)
    assert any(thread[-1]["from"] == "fan" for thread in threads)


async def test_a_bad_fault_is_refused_with_its_key(http: aiohttp.ClientSession) -> None:
    async with http.post("/world/faults", json={"kind": "flood", "target": "azure", "for": "PT1M"}) as answer:
        assert answer.status == 400
        assert "kind" in (await answer.json())["error"]


def test_a_world_started_in_the_same_place_goes_on(tmp_path: Path) -> None:
    options = WorldOptions(speed=50, state=tmp_path)
    with launched(options) as first:
        page = ClockPage(first.page)
    last, _ = page.read()
    page.close()

    with launched(options) as second:
        page = ClockPage(second.page)
        resumed, speed = page.read()
        page.close()

    assert START < last < resumed < last + 10 * MINUTE
    assert speed == 50


def test_a_world_ends_on_sigterm_with_success() -> None:
    world = launch(WorldOptions())
    folder = world.page.parent

    world.process.terminate()

    assert world.process.wait(5) == 0
    assert not folder.exists()


async def test_a_world_that_ends_notes_every_call_it_left_unanswered_and_says_nothing(tmp_path: Path) -> None:
    """Half of the callers have hung up by then: the server knows of their requests no more, but they run on."""
    record = tmp_path / "record.jsonl"
    options = WorldOptions(record=record, state=tmp_path)
    process = subprocess.Popen(options.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    async with aiohttp.ClientSession(url, headers={"Authorization": "Bearer t"}) as http:
        await http.post("/world/speed", json={"speed": 0})
        calls = [asyncio.create_task(ask(http, number, stream=number % 2 == 0)) for number in range(8)]
        await http.get("/clock")  # behind them
        await asyncio.sleep(0.2)
        for call in calls[:4]:
            call.cancel()
        await asyncio.wait(calls[:4])

        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.to_thread(process.communicate)
        await asyncio.wait(calls)

    assert (process.returncode, said.decode()) == (0, "")
    noted = [json.loads(line) for line in record.read_bytes().splitlines()]
    assert [(line["kind"], line["complete"]) for line in noted] == [("call", False)] * 8


async def ask(http: aiohttp.ClientSession, number: int, *, stream: bool) -> None:
    body = {"model": "gpt-4o-mini", "stream": stream, "messages": [{"role": "user", "content": f"Hi {number}"}]}
    async with http.post("/openai/v1/chat/completions", json=body) as answer:
        await answer.read()


def test_a_world_ends_when_its_parent_is_killed() -> None:
    program = (
        "import os, time\n"
        "from engine.simulation.launch import launch\n"
        "from engine.simulation.options import WorldOptions\n"
        "world = launch(WorldOptions(parent_pid=os.getpid()))\n"
        "print(world.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        world = int(parent.stdout.readline())
        watch = os.pidfd_open(world)

        parent.send_signal(signal.SIGKILL)
        parent.wait()

        assert ends_soon(watch)


def ends_soon(pidfd: int) -> bool:
    """Whether the process ends within five seconds."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    ended = bool(poller.poll(5_000))
    os.close(pidfd)
    return ended


def test_the_server_knows_nothing_of_the_engine_but_its_kernel() -> None:
    program = "import sys, engine.simulation.__main__; print(*(name for name in sys.modules if name[:7] == 'engine.'))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout.split()

    assert {name.split(".")[1] for name in loaded} == {"kernel", "simulation"}


def test_a_wrong_scenario_is_told_and_nothing_starts(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EngineUnavailable):
        launch(WorldOptions(scenario="stormy-day"))

    assert "quiet-day" in capfd.readouterr().err
