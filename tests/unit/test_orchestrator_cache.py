"""Kept answers: who gets them, for how long, how many there are, what they save, and that they were paid for."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.events import AnswerReused, AnswersKept
from engine.kernel.errors import ErrorClass, ProviderError, StorageError
from engine.kernel.values import HOUR, NanoUSD
from engine.orchestrator import (
    Answer,
    Cached,
    CacheMode,
    CacheSettings,
    Conclusion,
    Hit,
    Keeping,
    Level,
    OrchestratorSettings,
    Shelf,
    Target,
    Task,
    ToolRoute,
)
from engine.orchestrator.keeping import UPKEEP
from engine.providers import Chunk, Finish, Message, Operation, Role, Usage
from engine.storage import Database, Tx
from engine.surface.commands import ClearCache
from tests.failing import begins, refusing
from tests.fakes import ManualClock, settle_as_the_meter_does
from tests.rig import SETTINGS as RIG_SETTINGS
from tests.rig import rig

COST = NanoUSD(1_000)
SETTINGS = OrchestratorSettings(
    tools={
        "message": ToolRoute(chain=("one/m",), cache=CacheMode.EXACT),
        "titles": ToolRoute(chain=("one/m",), cache=CacheMode.NEAR),
        "off": ToolRoute(chain=("one/m",)),
    }
)
TOOLS_KEPT = ("message", "titles")
TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "book", "arguments": '{"day": 3}'}}


class Model:
    """What stands behind the keeper: answers at once, settling as the meter does."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.asked: list[Task] = []
        self.failure: BaseException | None = None
        self.answer: dict[str, Any] = {}
        self.numbers = itertools.count(1)

    async def complete(self, task: Task) -> Answer:
        self.asked.append(task)
        if self.failure is not None:
            raise self.failure
        number = next(self.numbers)
        fields: dict[str, Any] = {
            "text": f"Answer {number}",
            "target": Target("one", "m"),
            "finish": Finish.STOP,
            "usage": Usage(input_tokens=3, output_tokens=5),
            "attempt_id": f"att_{number}",
        }
        answer = Answer(**{**fields, **self.answer})
        await settle_as_the_meter_does(self.database, task, answer, COST)
        return answer._replace(cost=COST)


class Stage:
    """The lookup over the keeper over a model, on a database that may have been another engine's."""

    def __init__(self, database: Database, clock: ManualClock, settings: OrchestratorSettings = SETTINGS) -> None:
        self.database = database
        self.clock = clock
        self.shelf = Shelf()
        self.model = Model(database)
        self.keeping = Keeping(self.model, self.shelf, database, clock, settings)
        self.cached = Cached(self.keeping, self.shelf, database, clock, settings)

    def configure(self, settings: OrchestratorSettings) -> None:
        self.keeping.configure(settings)
        self.cached.configure(settings)

    async def ask(self, text: str = "hi", **changes: Any) -> Answer:
        answer = await self.say(text, **changes)
        await self.settled()
        return answer

    async def say(self, text: str = "hi", **changes: Any) -> Answer:
        """As `ask`, without waiting for a settlement that trails its answer."""
        fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, text),), "trace_id": "t"}
        return await self.cached.complete(Task(**{**fields, **changes}))

    async def settled(self) -> None:
        """Wait for what trails the answers."""
        self.database.hurry()
        await self.database.write(lambda tx: None)

    async def post(self, body: dict[str, Any], **changes: Any) -> Answer:
        return await self.ask(messages=(), body=body, **changes)

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        await self.settled()
        async with self.database.reader() as reader:
            return [tuple(row) for row in await reader.rows(sql)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        yield Stage(database, ManualClock())


def chat(*choices: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = [{"index": number, "finish_reason": "stop", **choice} for number, choice in enumerate(choices)]
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "m", "choices": made, **changes}


# ── hits and what they save ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_question_is_answered_from_what_is_kept_for_nothing(stage: Stage) -> None:
    first = await stage.ask()
    second = await stage.ask(user_id="other", campaign_id="other", job_id="job_2")

    assert (first.hit, first.cost, first.saved) == (Hit.MISS, COST, None)
    assert (second.hit, second.cost, second.saved) == (Hit.EXACT, 0, COST)
    assert (second.text, second.target, second.usage, second.finish) == (
        first.text,
        first.target,
        first.usage,
        first.finish,
    )
    assert len(stage.model.asked) == 1
    kept, reused = [one.event for one in await stage.database.events_after(0)]
    assert isinstance(kept, AnswersKept)
    assert kept.answers == 1
    assert isinstance(reused, AnswerReused)
    assert (reused.kind, reused.saved) == ("hit", COST)
    assert await stage.rows("SELECT hits, near, shared, kept, saved FROM reuse_quarters") == [(1, 0, 0, 1, COST)]


async def test_a_hit_is_concluded_in_a_write_of_its_own_at_no_cost(stage: Stage) -> None:
    await stage.ask()
    costs: list[NanoUSD | None] = []

    def conclude(answer: Answer) -> Conclusion:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            costs.append(cost)
            tx.execute("INSERT INTO meta VALUES ('mine', ?)", (answer.text,))

        return write

    await stage.ask(conclude=conclude)

    assert costs == [0]
    assert await stage.rows("SELECT value FROM meta WHERE key = 'mine'") == [("Answer 1",)]


async def test_a_hit_whose_conclusion_fails_saved_nothing(stage: Stage) -> None:
    await stage.ask()

    def conclude(answer: Answer) -> Conclusion:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            raise KeyError("a defect")

        return write

    with pytest.raises(KeyError):
        await stage.ask(conclude=conclude)

    assert await stage.rows("SELECT hits FROM reuse_quarters") == [(0,)]


async def test_an_answer_that_never_reached_its_caller_is_not_kept(stage: Stage) -> None:
    def conclude(answer: Answer) -> Conclusion:
        def write(tx: Tx, cost: NanoUSD | None) -> None:
            raise KeyError("a defect")

        return write

    with pytest.raises(KeyError):
        await stage.ask(conclude=conclude)

    assert (await stage.ask()).hit is Hit.MISS


async def test_answers_that_come_together_are_kept_together(stage: Stage) -> None:
    await asyncio.gather(*(stage.say(f"question {number}", tool=tool) for number in range(9) for tool in TOOLS_KEPT))
    before = stage.database.commits
    await stage.settled()

    told = [one.event for one in await stage.database.events_after(0)]
    assert stage.database.commits <= before + 2  # all of them, and the write that waited for them
    assert sorted((event.tool, event.answers) for event in told if isinstance(event, AnswersKept)) == [
        (tool, 9) for tool in sorted(TOOLS_KEPT)
    ]
    assert (len(stage.shelf), stage.shelf.coming) == (9 * len(TOOLS_KEPT), {})
    assert (await stage.ask("question 3", tool=TOOLS_KEPT[0])).hit is Hit.EXACT


async def test_what_could_not_be_kept_is_asked_again(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    await stage.database.write(lambda tx: tx.execute("ALTER TABLE kept_answers RENAME TO gone"))
    await stage.ask()
    await stage.database.write(lambda tx: tx.execute("ALTER TABLE gone RENAME TO kept_answers"))

    assert stage.shelf.coming == {}
    assert "answers could not be kept" in caplog.text
    assert (await stage.ask()).hit is Hit.MISS
    assert (await stage.ask()).hit is Hit.EXACT


async def test_the_next_question_finds_an_answer_whose_settlement_is_under_way(stage: Stage) -> None:
    await stage.say()
    assert len(stage.shelf) == 0  # not committed yet

    found = await stage.say()

    assert (found.text, found.hit, found.cost, found.saved) == ("Answer 1", Hit.EXACT, 0, COST)
    await stage.settled()
    assert len(stage.shelf) == 1
    assert stage.shelf.coming == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant_id": "t2"},
        {"fan_id": "f1"},
        {"text": "hi!"},
        {"text": "Hi"},
        {"tool": "titles"},
        {"max_output_tokens": 9},
        {"pinned": Target("one", "m")},
        {"strategy": "cheapest"},
        {"schema": {"type": "object"}},
        {"messages": (Message(Role.SYSTEM, "hi"),)},
        {"operation": Operation.EMBEDDINGS},
        {"body": {"messages": []}, "messages": ()},
        {"fresh": True},
        {"rehearsal": True},
    ],
)
async def test_another_question_asker_or_manner_is_not_answered_from_it(stage: Stage, changes: dict[str, Any]) -> None:
    await stage.ask()

    assert (await stage.ask(**changes)).hit is Hit.MISS
    assert len(stage.model.asked) == 2


@pytest.mark.parametrize(
    "changes",
    [{"temperature": 0.5}, {"system": "Be brief"}, {"chain": ("two/m",)}, {"max_output_tokens": 7}],
)
async def test_a_changed_route_has_no_part_in_what_was_kept_before(stage: Stage, changes: dict[str, Any]) -> None:
    await stage.ask()
    tools = {**SETTINGS.tools, "message": replace(SETTINGS.tools["message"], **changes)}
    stage.configure(replace(SETTINGS, tools=tools))

    assert (await stage.ask()).hit is Hit.MISS


async def test_a_fresh_answer_takes_the_place_of_the_kept_one(stage: Stage) -> None:
    await stage.ask()
    await stage.ask(fresh=True)

    assert (await stage.ask()).text == "Answer 2"
    assert len(stage.shelf) == 1


async def test_a_tool_that_is_off_keeps_nothing(stage: Stage) -> None:
    await stage.ask(tool="off")

    assert (await stage.ask(tool="off")).hit is Hit.MISS
    assert len(stage.shelf) == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"finish": Finish.LENGTH},
        {"text": " "},
        {"level": Level.TEMPLATE},
        {"payload": chat({"message": {"content": "x"}, "finish_reason": "content_filter"})},
        {"payload": chat({"message": {"content": "x"}}, {"message": {"content": "y"}, "finish_reason": "length"})},
        {"payload": chat({"message": {"content": "x"}, "finish_reason": None})},
    ],
)
async def test_cut_filtered_and_empty_answers_are_not_kept(stage: Stage, answer: dict[str, Any]) -> None:
    stage.model.answer = answer

    await stage.ask()

    assert len(stage.shelf) == 0


async def test_failures_are_not_kept(stage: Stage) -> None:
    stage.model.failure = ProviderError("one", "m", ErrorClass.SERVER_ERROR, "down")
    with pytest.raises(ProviderError):
        await stage.ask()
    stage.model.failure = None

    assert (await stage.ask()).hit is Hit.MISS


# ── time, room, restarts ────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_serves_for_its_time_and_not_a_moment_longer(stage: Stage) -> None:
    await stage.ask()
    stage.clock.jump(24 * HOUR - 1)
    assert (await stage.ask()).hit is Hit.EXACT
    stage.clock.jump(1)

    assert (await stage.ask()).hit is Hit.MISS


async def test_an_old_answer_serves_while_the_service_is_degraded_unless_it_is_one_fans(stage: Stage) -> None:
    await stage.ask()
    await stage.ask(fan_id="f1")
    stage.clock.jump(25 * HOUR)

    assert (await stage.ask(level=Level.CACHED)).hit is Hit.EXACT
    assert (await stage.ask(level=Level.CACHED, fan_id="f1")).hit is Hit.MISS


async def test_while_the_service_is_cheaper_what_was_kept_in_full_serves_too(stage: Stage) -> None:
    await stage.ask()

    assert (await stage.ask(level=Level.CHEAPER, strategy="cheapest")).hit is Hit.EXACT


async def test_the_whole_stays_within_its_bytes_and_the_longest_unused_give_way(stage: Stage) -> None:
    one = (await _size_of_one(stage)) * 3 + 10
    stage.configure(replace(SETTINGS, cache=CacheSettings(most_bytes=one)))
    for text in ("a", "b", "c"):
        await stage.ask(text)
        stage.clock.jump(1)
    await stage.ask("a")  # used again, so that b is the longest unused
    stage.clock.jump(1)
    await stage.ask("d")

    assert (await stage.rows("SELECT sum(bytes) FROM kept_answers"))[0][0] <= one
    assert await stage.rows("SELECT bytes FROM kept_bytes") == await stage.rows("SELECT sum(bytes) FROM kept_answers")
    assert stage.shelf.bytes == (await stage.rows("SELECT bytes FROM kept_bytes"))[0][0]
    assert [(await stage.ask(text)).hit for text in ("a", "c", "d")] == [Hit.EXACT] * 3
    assert (await stage.ask("b")).hit is Hit.MISS


async def test_many_at_once_stay_within_the_bytes_too(stage: Stage) -> None:
    most = (await _size_of_one(stage)) * 5
    stage.configure(replace(SETTINGS, cache=CacheSettings(most_bytes=most)))

    await asyncio.gather(*(stage.ask(f"question {number}") for number in range(40)))

    assert (await stage.rows("SELECT bytes FROM kept_bytes"))[0][0] <= most
    assert stage.shelf.bytes == (await stage.rows("SELECT sum(bytes) FROM kept_answers"))[0][0]


async def test_an_answer_too_large_is_not_kept(stage: Stage) -> None:
    stage.model.answer = {"text": "x" * 3_000}
    stage.configure(replace(SETTINGS, cache=CacheSettings(most_bytes_each=3_000 + UPKEEP)))

    await stage.ask()

    assert len(stage.shelf) == 0


async def test_another_engine_on_the_same_files_serves_what_was_kept(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        stage = Stage(database, clock)
        await stage.ask()
        await stage.ask("Write a title about summer", tool="titles")
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        again = Stage(database, clock)
        await again.shelf.load(database, clock.now())

        assert (await again.ask()).hit is Hit.EXACT
        assert (await again.ask("write a title about Summer!", tool="titles")).hit is Hit.NEAR
        assert again.shelf.bytes == (await again.rows("SELECT bytes FROM kept_bytes"))[0][0]


async def test_what_is_over_is_forgotten_and_a_tenant_can_be(stage: Stage) -> None:
    await stage.ask(fan_id="f1")
    await stage.ask(tenant_id="a")
    await stage.ask(tenant_id="b")
    assert await stage.keeping.clear("a") == 1
    stage.clock.jump(24 * HOUR)
    await stage.keeping.tidy()

    assert await stage.rows("SELECT tenant_id FROM kept_answers") == [("b",)]
    assert len(stage.shelf) == 1
    assert await stage.keeping.clear(None) == 1
    assert await stage.rows("SELECT bytes FROM kept_bytes") == [(0,)]
    assert stage.shelf.bytes == 0


async def test_a_miss_costs_no_query_and_little_time(stage: Stage) -> None:
    route = SETTINGS.tools["message"]
    text = "Write a short and friendly message about the new set that comes out on Friday evening. " * 3
    task = Task(tool="message", messages=(Message(Role.USER, text),), trace_id="t")
    for _ in range(200):
        assert await stage.cached._find(task, route) is None
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(50):
            await stage.cached._find(task, route)
        best = min(best, (time.perf_counter() - started) / 50)

    assert best < 60e-6  # 6 us where nothing else runs; a query would take ten times that


# ── near ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_says_the_same_in_other_clothes_is_answered_too(stage: Stage) -> None:
    await stage.ask("Write three titles about a summer sale", tool="titles")

    found = await stage.ask("Please write 3 titles about the Summer sale!", tool="titles")

    assert (found.hit, found.cost, found.saved) == (Hit.NEAR, 0, COST)
    assert await stage.rows("SELECT hits, near FROM reuse_quarters") == [(1, 1)]


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("Write 3 titles", "Write 4 titles", {}),
        ("Write a title about cats", "Write a title about dogs", {}),
        ("Use emojis in the title", "Do not use emojis in the title", {}),
        ('Put "Soon" into the title', 'Put "Now" into the title', {}),
        ("A title from cats for dogs", "A title from dogs for cats", {}),
        ("Write a title for Anna", "Write a title for Anna!", {}),
        ("Write a title\nFan: zoe", "write a title\nFan: zoe", {}),
        ("A title for a@b.example", "a title for a@b.example", {}),
        ("Call +33 6 12 34 56 78 in a title", "call +33 6 12 34 56 78 in a title", {}),
        ("Write a title", "write a title", {"fan_id": "f1"}),
        ("Write a title", "write a title", {"fresh": True}),
        ("Write a title", "write a title", {"schema": {"type": "object"}}),
        ("Write a title", "write a title", {"tenant_id": "t2"}),
    ],
)
async def test_near_is_off_for_another_meaning_a_person_and_all_that_must_be_exact(
    stage: Stage, before: str, after: str, changes: dict[str, Any]
) -> None:
    same = {name: value for name, value in changes.items() if name in ("fan_id", "schema")}
    await stage.ask(before, tool="titles", **same)

    assert (await stage.ask(after, tool="titles", **changes)).hit is Hit.MISS


async def test_a_tool_that_is_exact_is_matched_near_only_while_the_service_is_degraded(stage: Stage) -> None:
    tools = {**SETTINGS.tools, "message": replace(SETTINGS.tools["message"], cache=CacheMode.NEAR)}
    stage.configure(replace(SETTINGS, tools=tools))
    await stage.ask("Write a title")
    stage.configure(SETTINGS)

    assert (await stage.ask("write a title!")).hit is Hit.MISS
    assert (await stage.ask("write a title!!", level=Level.CACHED)).hit is Hit.NEAR


# ── bodies and streams ──────────────────────────────────────────────────────────────────────────────────────────────

BODY = {"model": "huntaze/message", "messages": [{"role": "user", "content": "hi"}]}


async def test_a_kept_answer_is_replayed_as_a_stream(stage: Stage) -> None:
    stage.model.answer = {"text": "One two three four five six seven eight,\n\nnine "}
    await stage.ask()
    pieces: list[Chunk] = []

    found = await stage.ask(emit=_into(pieces))

    assert found.hit is Hit.EXACT
    assert len(pieces) > 2
    assert "".join(piece.text for piece in pieces) == found.text
    assert [piece.finish for piece in pieces] == [None] * (len(pieces) - 1) + [Finish.STOP]
    assert pieces[-1].usage == found.usage


async def test_a_stream_and_a_whole_answer_of_one_body_are_one(stage: Stage) -> None:
    message = {"role": "assistant", "content": "Hello there you\nall", "refusal": None}
    stage.model.answer = {
        "text": message["content"],
        "payload": chat({"message": message, "logprobs": None}, usage={"prompt_tokens": 3}, system_fingerprint="fp"),
    }
    pieces: list[Chunk] = []

    await stage.post({**BODY, "stream": True, "stream_options": {"include_usage": True}, "user": "u1"})
    whole = await stage.post(BODY)
    streamed = await stage.post({**BODY, "stream": True, "user": "u2", "metadata": {"a": "b"}}, emit=_into(pieces))

    assert whole.hit is streamed.hit is Hit.EXACT
    assert whole.payload == streamed.payload == stage.model.answer["payload"] == pieces[-1].payload
    events = [piece.event for piece in pieces if piece.event]
    assert all(event["object"] == "chat.completion.chunk" and "usage" not in event for event in events)
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == message["content"]
    assert [event["choices"][0]["finish_reason"] for event in events] == [None] * (len(events) - 1) + ["stop"]
    assert {event["system_fingerprint"] for event in events} == {"fp"}


async def test_calls_of_tools_are_kept_and_replayed(stage: Stage) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
    stage.model.answer = {
        "text": "",
        "finish": Finish.TOOL,
        "payload": chat({"message": message, "finish_reason": "tool_calls"}),
    }
    pieces: list[Chunk] = []

    await stage.post({**BODY, "tools": [{"type": "function"}]})
    await stage.post({**BODY, "tools": [{"type": "function"}], "stream": True}, emit=_into(pieces))

    deltas = [piece.event["choices"][0]["delta"] for piece in pieces if piece.event]
    assert deltas == [{"role": "assistant", "content": None}, {"tool_calls": [{"index": 0, **TOOL_CALL}]}, {}]


@pytest.mark.parametrize("odd", [5, "x", [None], [[0]]])
async def test_what_a_provider_writes_oddly_breaks_neither_the_keeping_nor_the_replay(stage: Stage, odd: Any) -> None:
    message = {"role": "assistant", "content": "hello", "tool_calls": odd}
    stage.model.answer = {"payload": chat({"message": message, "finish_reason": "stop"})}
    pieces: list[Chunk] = []

    await stage.post(BODY)
    await stage.post({**BODY, "stream": True}, emit=_into(pieces))

    assert "".join(piece.text for piece in pieces) == "hello"
    stage.model.answer = {"payload": chat({"message": {"content": "x"}, "finish_reason": odd})}
    await stage.post({**BODY, "seed": 1})
    assert len(stage.shelf) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.1},
        {"seed": 4},
        {"tools": []},
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "user", "content": "hi "}]},
        {"unknown": 1},
        {"max_tokens": 5},
        {"model": "huntaze/cheapest"},
    ],
)
async def test_another_body_is_another_question(stage: Stage, other: dict[str, Any]) -> None:
    stage.model.answer = {"payload": chat({"message": {"content": "x"}})}
    await stage.post(BODY)

    assert (await stage.post({**BODY, **other})).hit is Hit.MISS


@pytest.mark.parametrize("field", ["user", "safety_identifier"])
async def test_an_answer_about_a_person_goes_to_nobody_else_that_the_client_asks_for(stage: Stage, field: str) -> None:
    stage.model.answer = {"payload": chat({"message": {"content": "x"}})}
    private = {**BODY, "messages": [{"role": "user", "content": "Say good night to my fan Anna"}]}
    await stage.post({**private, field: "fan-1"})
    await stage.post({**BODY, field: "fan-1"})

    assert (await stage.post({**private, field: "fan-2"})).hit is Hit.MISS
    assert (await stage.post({**private, field: "fan-1"})).hit is Hit.EXACT
    assert (await stage.post({**BODY, field: "fan-2"})).hit is Hit.EXACT  # nobody's data: asked for all


@pytest.mark.parametrize("variety", [{"n": 2}, {"temperature": 1.5}])
async def test_a_body_that_asks_for_variety_gets_it(stage: Stage, variety: dict[str, Any]) -> None:
    stage.model.answer = {"payload": chat({"message": {"content": "x"}})}
    await stage.post({**BODY, **variety})

    assert (await stage.post({**BODY, **variety})).hit is Hit.MISS
    assert len(stage.shelf) == 0


async def test_embeddings_are_kept_exactly(stage: Stage) -> None:
    vectors = [{"object": "embedding", "index": 0, "embedding": [0.25, -1.5e-7]}]
    stage.model.answer = {"text": "", "payload": {"object": "list", "data": vectors, "model": "m"}}
    body = {"model": "text-embedding-3-small", "input": ["hi"]}
    await stage.post(body, operation=Operation.EMBEDDINGS)

    found = await stage.post(body, operation=Operation.EMBEDDINGS)

    assert found.hit is Hit.EXACT
    assert found.payload == stage.model.answer["payload"]


async def test_a_body_no_fast_writer_can_write_is_a_question_like_any_other(stage: Stage) -> None:
    stage.model.answer = {"payload": chat({"message": {"content": "x"}})}
    odd = {"messages": [{"role": "user", "content": "half \ud83d"}], "seed": 1 << 80}
    await stage.post(odd)

    assert (await stage.post(odd)).hit is Hit.EXACT


def _into(pieces: list[Chunk]) -> Any:
    async def emit(piece: Chunk) -> None:
        pieces.append(piece)

    return emit


async def _size_of_one(stage: Stage) -> int:
    await stage.ask("z")
    (size,) = (await stage.rows("SELECT bytes FROM kept_answers"))[0]
    await stage.keeping.clear(None)
    return int(size)


# ── in the engine ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_engine_keeps_what_it_settles_and_nobody_waits_for_that(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        kept = replace(RIG_SETTINGS.tools["message"], cache=CacheMode.EXACT)
        play.orchestrator.configure(replace(RIG_SETTINGS, tools={"message": kept}))
        task = Task(tool="message", messages=(Message(Role.USER, "hi"),), trace_id="t")
        first = await play.orchestrator.complete(task)
        trailing = play.metered.trailing.outstanding  # its answer did not wait
        second = await play.orchestrator.complete(task)
        await play.metered.drain()

        rows = await play.rows("SELECT k.cost, e.cost AS booked FROM kept_answers k, entries e")
        assert (trailing, first.hit, second.hit) == (1, Hit.MISS, Hit.EXACT)
        assert (second.cost, second.saved) == (0, first.cost)
        assert rows == [{"cost": first.cost, "booked": first.cost}]
        assert len(play.providers["one"].requests) == 1


async def test_forgetting_forgets_what_was_answered_before_and_is_not_kept_yet(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        kept = replace(RIG_SETTINGS.tools["message"], cache=CacheMode.EXACT)
        play.orchestrator.configure(replace(RIG_SETTINGS, tools={"message": kept}))
        task = Task(tool="message", messages=(Message(Role.USER, "hi"),), trace_id="t")
        await play.orchestrator.complete(task)

        outstanding, forgotten = play.metered.trailing.outstanding, await play.desk.submit(ClearCache(actor="op"))
        await play.metered.drain()

        assert (outstanding, forgotten.data) == (1, {"count": 1})
        assert (await play.rows("SELECT * FROM kept_answers"), len(play.shelf), play.shelf.bytes) == ([], 0, 0)
        assert (await play.orchestrator.complete(task)).hit is Hit.MISS


async def test_fifty_at_once_in_the_engine_are_one_call_one_entry_and_one_kept_answer(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        kept = replace(RIG_SETTINGS.tools["message"], cache=CacheMode.EXACT)
        play.orchestrator.configure(replace(RIG_SETTINGS, tools={"message": kept}))
        task = Task(tool="message", messages=(Message(Role.USER, "hi"),), trace_id="t")

        answers = await asyncio.gather(*(play.orchestrator.complete(task) for _ in range(50)))
        play.database.hurry()
        await play.database.write(lambda tx: None)

        (entry,) = await play.rows("SELECT cost FROM entries")
        assert sum(answer.cost or 0 for answer in answers) == entry["cost"]
        assert await play.rows("SELECT count(*) AS n, sum(cost) AS cost FROM call_shares") == [
            {"n": 50, "cost": entry["cost"]}
        ]
        assert await play.rows("SELECT cost FROM kept_answers") == [entry]
        money = play.projector.snapshot.money
        assert (money.today, money.today_shared, money.today_saved) == (entry["cost"], 49, 49 * entry["cost"])


async def test_what_was_saved_is_the_same_folded_from_events_and_read_from_the_tables(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        kept = replace(RIG_SETTINGS.tools["message"], cache=CacheMode.EXACT)
        play.orchestrator.configure(replace(RIG_SETTINGS, tools={"message": kept}))
        for text in ("a", "b", "a", "a"):
            task = Task(tool="message", messages=(Message(Role.USER, text),), trace_id="t")
            await asyncio.gather(*(play.orchestrator.complete(task) for _ in range(3)))
            await play.metered.drain()
            await play.orchestrator.complete(task)
            play.database.hurry()
            await play.database.write(lambda tx: None)
            assert play.projector.snapshot.money == (await play.first()).money
        today = play.projector.snapshot.money
        assert (today.today_kept, today.today_shared, today.today_hits) == (2, 4, 4 + 6)

        play.clock.jump(17 * HOUR)  # another day, and the answers still serve
        await play.orchestrator.complete(task)
        after = play.projector.snapshot.money
        assert replace(after, minutes=()) == (await play.first()).money
        assert (after.today_hits, after.today_kept) == (1, 0)


async def test_sums_and_splits_of_long_ago_are_forgotten(stage: Stage) -> None:
    await stage.ask()
    await stage.database.write(
        lambda tx: tx.execute(
            "INSERT INTO call_shares VALUES ('att_1', 0, '', '', '', '', '', '', 1, ?)", (stage.clock.now(),)
        )
    )
    stage.clock.jump(399 * 24 * HOUR)
    await stage.keeping.tidy()
    assert len(await stage.rows("SELECT * FROM reuse_quarters")) == 1
    assert len(await stage.rows("SELECT * FROM call_shares")) == 1
    stage.clock.jump(2 * 24 * HOUR)
    await stage.keeping.tidy()

    assert await stage.rows("SELECT * FROM reuse_quarters") == []
    assert await stage.rows("SELECT * FROM call_shares") == []


async def test_answers_are_kept_again_once_the_disk_writes_again(stage: Stage) -> None:
    await stage.say("first")
    async with refusing(stage.database, begins):  # the write of what is to be kept never begins
        stage.database.hurry()
        with pytest.raises(StorageError):
            await stage.database.write(lambda tx: None)

    await stage.ask("second")

    async with stage.database.reader() as reader:
        (row,) = await reader.rows("SELECT count(*) AS answers FROM kept_answers")
    assert row["answers"] == 2
