"""Streamed answers: what reaches the caller, when another model can still take over, and what is billed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from engine.costs import Pricer
from engine.events import FallbackTaken
from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import SECOND
from engine.orchestrator import BreakerSettings, Metered, Target, Task
from engine.providers import Chunk, Correction, Finish, Message, ModelRequest, Models, Operation, Role
from huntaze_console.joints import LedgerMeter
from tests.rig import COST, PRICES, SETTINGS, USAGE, FakeProvider, Rig, join_orchestrator, rig

ONE, TWO = Target("one", "m"), Target("two", "m")
INPUT = (2 + 16) * 1_000  # nano-dollars of "hi" and what goes around it, at one token a byte
WORST = INPUT + 100 * 2_000
END = Chunk(finish=Finish.STOP, usage=USAGE)

Step = Chunk | BaseException | Callable[[], None]


class Streaming(FakeProvider):
    """Streams what `flow` holds: chunks, things to do between them, and at last perhaps an error."""

    def __init__(self, name: str, *flow: Step) -> None:
        super().__init__(name)
        self.flow = flow

    async def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        for step in self.flow:
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, Chunk):
                yield step
            else:
                step()


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


class Reader:
    """Whoever gets the pieces."""

    def __init__(self) -> None:
        self.pieces: list[Chunk] = []

    async def __call__(self, chunk: Chunk) -> None:
        self.pieces.append(chunk)

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def serve(play: Rig, one: Streaming, two: Streaming | None = None) -> None:
    """Put the providers in the place of the rig's."""
    providers = {"one": one, "two": two or Streaming("two", Chunk(text="from two"), END)}
    meter = LedgerMeter(play.ledger, Pricer(PRICES))
    play.metered = Metered(providers, meter, play.database, play.clock, play.chance, SETTINGS)
    play.guarded, play.orchestrator = join_orchestrator(play.metered, play.database, play.clock, play.chance)


def task(reader: Reader, **changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, "emit": reader, **changes})


def error(error_class: ErrorClass = ErrorClass.NETWORK_ERROR, **changes: Any) -> ProviderError:
    return ProviderError("one", "m", error_class, "no", **changes)


def event(**delta: Any) -> Chunk:
    return Chunk(text=delta.get("content") or "", event={"choices": [{"index": 0, "delta": delta}]})


async def ledger(play: Rig) -> list[tuple[Any, ...]]:
    rows = await play.rows("SELECT provider, outcome, basis, cost FROM ledger ORDER BY number")
    return [tuple(row.values()) for row in rows]


# ── what the caller gets ────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_pieces_come_as_they_are_and_the_whole_at_the_end(play: Rig) -> None:
    reader = Reader()
    serve(play, Streaming("one", Chunk(text="Hel"), Chunk(text="lo"), END))

    found = await play.orchestrator.complete(task(reader))

    assert [piece.text for piece in reader.pieces] == ["Hel", "lo", ""]
    assert (found.text, found.finish, found.cost) == ("Hello", Finish.STOP, COST)
    assert await ledger(play) == [("one", "ok", "measured", COST)]


async def test_a_stream_that_fails_before_its_first_piece_falls_back_unseen(play: Rig) -> None:
    reader = Reader()
    serve(play, Streaming("one", error(ErrorClass.AUTHENTICATION, reached=False)))

    found = await play.orchestrator.complete(task(reader))

    assert found.target == TWO
    assert reader.text == "from two"
    assert await ledger(play) == [("one", "authentication", "measured", 0), ("two", "ok", "measured", COST)]


async def test_pieces_without_content_do_not_count_as_a_beginning(play: Rig) -> None:
    """A role and an empty delta came, then nothing: the caller sees only the other model's pieces."""
    reader = Reader()
    opening = (event(role="assistant", content=""), event(content=""), Chunk())
    serve(play, Streaming("one", *opening, error(ErrorClass.CONTENT_FILTER)))

    found = await play.orchestrator.complete(task(reader, body={"messages": []}, messages=()))

    assert found.target == TWO
    assert [piece.text for piece in reader.pieces] == ["from two", ""]


async def test_held_back_pieces_are_handed_on_before_the_first_with_content(play: Rig) -> None:
    reader = Reader()
    opening = event(role="assistant", content="")
    serve(play, Streaming("one", opening, event(content="Hi"), END))

    await play.orchestrator.complete(task(reader))

    assert reader.pieces == [opening, event(content="Hi"), END]


@pytest.mark.parametrize(
    "delta",
    [
        {"tool_calls": [{"index": 0, "function": {"name": "look", "arguments": ""}}]},
        {"reasoning_content": "let me see"},
        {"refusal": "I cannot"},
    ],
)
async def test_a_call_of_a_tool_is_a_beginning_too(play: Rig, delta: dict[str, Any]) -> None:
    reader = Reader()
    serve(play, Streaming("one", event(role="assistant"), event(**delta), error()))

    with pytest.raises(ProviderError) as caught:
        await play.orchestrator.complete(task(reader))

    assert caught.value.begun
    assert len(reader.pieces) == 2


async def test_once_begun_nobody_takes_over_and_the_error_says_so(play: Rig) -> None:
    reader = Reader()
    two = Streaming("two", END)
    serve(play, Streaming("one", Chunk(text="Hel"), error()), two)

    with pytest.raises(ProviderError) as caught:
        await play.orchestrator.complete(task(reader))

    assert caught.value.begun
    assert reader.text == "Hel"
    assert not two.requests


async def test_a_stream_that_just_ends_is_a_failure(play: Rig) -> None:
    reader = Reader()
    serve(play, Streaming("one", Chunk(text="Hel")))

    with pytest.raises(ProviderError, match="without saying why"):
        await play.orchestrator.complete(task(reader))

    assert (await ledger(play))[0][:3] == ("one", "network_error", "estimated")


async def test_a_stream_of_nothing_at_all_falls_back(play: Rig) -> None:
    reader = Reader()
    serve(play, Streaming("one"))

    async with asyncio.TaskGroup() as group:
        asked = group.create_task(play.orchestrator.complete(task(reader)))
        while not asked.done():
            await asyncio.sleep(0.0005)
            if play.clock.sleepers:  # the second try on the same model
                await play.clock.advance(SECOND)
    assert (await asked).target == TWO


async def test_a_length_stop_fails_a_tools_task_and_passes_through_for_a_body(play: Rig) -> None:
    cut = (Chunk(text="Hel"), Chunk(finish=Finish.LENGTH, usage=USAGE))
    serve(play, Streaming("one", *cut))

    with pytest.raises(ProviderError, match="cut at 100 tokens") as caught:
        await play.orchestrator.complete(task(Reader()))
    found = await play.orchestrator.complete(task(Reader(), body={"messages": []}, messages=()))

    assert caught.value.begun
    assert found.finish is Finish.LENGTH
    assert [row[3] for row in await ledger(play)] == [COST, COST]


async def test_pieces_held_back_are_bounded(play: Rig) -> None:
    """A stream of nothing but empty pieces is handed on at last, so that it cannot fill the memory."""
    reader = Reader()
    serve(play, Streaming("one", *(Chunk() for _ in range(300)), error()))

    with pytest.raises(ProviderError) as caught:
        await play.orchestrator.complete(task(reader))

    assert caught.value.begun
    assert len(reader.pieces) == 300


# ── what is billed ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_broken_stream_is_billed_by_what_the_provider_said(play: Rig) -> None:
    serve(play, Streaming("one", Chunk(text="Hel"), error(usage=USAGE)))

    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task(Reader()))

    assert await ledger(play) == [("one", "network_error", "measured", COST)]


async def test_a_broken_stream_without_usage_is_billed_by_what_came(play: Rig) -> None:
    serve(play, Streaming("one", Chunk(text="Hé"), error()))

    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task(Reader()))

    assert await ledger(play) == [("one", "network_error", "estimated", INPUT + 3 * 2_000)]


async def test_calls_of_tools_count_as_what_came(play: Rig) -> None:
    calls = [{"index": 0, "function": {"name": "f", "arguments": "x" * 30}}]
    serve(play, Streaming("one", event(content="Hi"), event(tool_calls=calls), error()))

    with pytest.raises(ProviderError):
        await play.orchestrator.complete(task(Reader()))

    ((_, _, _, cost),) = await ledger(play)
    assert cost >= INPUT + 32 * 2_000


async def test_a_stream_broken_before_anything_came_is_billed_at_its_worst(play: Rig) -> None:
    serve(play, Streaming("one", error(ErrorClass.CONTENT_FILTER)))

    await play.orchestrator.complete(task(Reader()))

    assert (await ledger(play))[0] == ("one", "content_filter", "estimated", WORST)


async def test_a_reader_that_leaves_stops_the_call_and_pays_for_what_came(play: Rig) -> None:
    closed: list[bool] = []

    class Closing(Streaming):
        async def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
            try:
                yield Chunk(text="Hel")
                await asyncio.Event().wait()
            finally:
                closed.append(True)

    serve(play, Closing("one"))
    reader = Reader()
    async with asyncio.TaskGroup() as group:
        call = group.create_task(play.orchestrator.complete(task(reader)))
        while not reader.pieces:
            await asyncio.sleep(0)
        call.cancel()

    assert closed == [True]
    assert await ledger(play) == [("one", "cancelled", "estimated", INPUT + 3 * 2_000)]


async def test_a_reader_that_fails_at_the_last_piece_pays_the_measured_cost(play: Rig) -> None:
    async def gone(chunk: Chunk) -> None:
        if chunk.finish is not None:
            raise ConnectionResetError

    serve(play, Streaming("one", Chunk(text="Hello"), END))

    with pytest.raises(ConnectionResetError):
        await play.orchestrator.complete(task(gone))  # type: ignore[arg-type]

    assert await ledger(play) == [("one", "unknown", "measured", COST)]


@pytest.mark.parametrize(
    ("target", "booked"),
    [
        (Target("openai", "o3-mini"), 100),
        (Target("openai", "gpt-5.1"), 100),
        (Target("openai", "gpt-4o-mini"), 2),
        (Target("azure", "our-thinker"), 100),
        (Target("azure-eu", "our-thinker"), 100),
        (Target("azure", "gpt-5-by-name-only"), 2),
        (Target("openrouter", "openai/o4-mini"), 100),
        (Target("ollama", "llama3"), 2),
        (Target("ollama", "ponders"), 100),
    ],
)
async def test_what_came_bounds_nothing_where_a_model_thinks_unseen(play: Rig, target: Target, booked: int) -> None:
    """By the model behind a deployment's name, by its family's name anywhere else, or as an operator says."""
    deployments = {"our-thinker": "o3-mini", "gpt-5-by-name-only": "gpt-4o"}
    models = Models({"ollama/ponders": Correction(thinks_unseen=True)}, deployments)
    metered = Metered(
        {target.provider: Streaming(target.provider, Chunk(text="Hi"), error())},
        LedgerMeter(play.ledger, Pricer(PRICES)),
        play.database,
        play.clock,
        play.chance,
        SETTINGS,
        models,
    )

    with pytest.raises(ProviderError):
        await metered.complete(task(Reader()), target)
    await metered.drain()

    assert await play.rows("SELECT output_tokens FROM ledger") == [{"output_tokens": booked}]


# ── what is measured ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_time_to_the_first_piece_is_told(play: Rig) -> None:
    wait = lambda: play.clock.jump(3 * SECOND)  # noqa: E731
    serve(play, Streaming("one", Chunk(), wait, Chunk(text="Hi"), wait, END))

    found = await play.orchestrator.complete(task(Reader()))

    assert (found.began, found.duration) == (3 * SECOND, 6 * SECOND)


async def test_a_long_stream_is_not_a_slow_call(play: Rig) -> None:
    least = BreakerSettings().least_calls
    serve(play, Streaming("one", Chunk(text="Hi"), lambda: play.clock.jump(60 * SECOND), END))

    for _ in range(2 * least):
        await play.guarded.complete(task(Reader(), deadline=None), ONE)

    (standing,) = play.guarded.standings([ONE])
    assert standing.slow == 0


async def test_an_embedding_asks_for_no_output(play: Rig) -> None:
    body = {"input": "hi"}
    found = await play.metered.complete(
        Task(tool="message", messages=(), trace_id="t", operation=Operation.EMBEDDINGS, body=body), ONE
    )

    assert found.target == ONE
    assert play.providers["one"].requests[0].max_output_tokens == 0


async def test_a_fallback_within_a_stream_is_told_with_its_recovery(play: Rig) -> None:
    serve(play, Streaming("one", lambda: play.clock.jump(SECOND), error(ErrorClass.CONTENT_FILTER)))

    await play.orchestrator.complete(task(Reader()))

    await play.metered.drain()
    told = [one.event for one in await play.database.events_after(0) if isinstance(one.event, FallbackTaken)]
    assert [(one.reason, one.provider) for one in told] == [("content_filter", "two")]
