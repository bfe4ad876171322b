"""Whoever asks for whatever, in whatever order: an answer goes to nobody but those it may go to."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.similarity import judge, ours
from engine.kernel.values import HOUR, SECOND, NanoUSD
from engine.orchestrator import (
    Answer,
    Cached,
    CacheMode,
    CacheSettings,
    Coalescer,
    Hit,
    Keeping,
    Level,
    OrchestratorSettings,
    Shelf,
    Target,
    Task,
    ToolRoute,
)
from engine.orchestrator.similarity import may_name_a_person, near, words_of
from engine.providers import Finish, Message, Role
from engine.storage import Database
from tests.fakes import ManualClock, settle_as_the_meter_does

BILL = NanoUSD(997)
SETTINGS = OrchestratorSettings(
    tools={
        "exact": ToolRoute(chain=("one/m",), cache=CacheMode.EXACT),
        "near": ToolRoute(chain=("one/m",), cache=CacheMode.NEAR),
    },
    cache=CacheSettings(most_bytes=4_000),  # a handful: entries give way all the time
)


class Model:
    """Answers with who asked and what: so whoever reads an answer can tell whether it was meant for them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.bills = 0

    async def complete(self, task: Task) -> Answer:
        await asyncio.sleep(0)
        self.bills += 1
        text = "\x1f".join((task.tenant_id, task.account_id, task.fan_id, task.tool, _asked(task)))
        answer = Answer(
            text=text, target=Target("one", "m"), finish=Finish.STOP, usage=None, attempt_id=f"att_{self.bills}"
        )
        await settle_as_the_meter_does(self.database, task, answer, BILL)
        return answer._replace(cost=BILL)


def _asked(task: Task) -> str:
    return task.messages[0].text if task.body is None else str(task.body["messages"])


TEXTS = st.sampled_from(
    [
        "write a title about summer",
        "Please write a title about Summer!",
        "write a title about winter",
        "write 2 titles about summer",
        "write a title about summer\nFan: zoe",
        "Write a title about summer\nFan: zoe!",
        "",
    ]
)
TASKS = st.builds(
    lambda tenant, account, fan, tool, text, body, fresh, level: Task(
        tool=tool,
        messages=() if body else (Message(Role.USER, text),),
        body={"messages": [{"role": "user", "content": text}]} if body else None,
        trace_id="t",
        tenant_id=tenant,
        account_id=account,
        fan_id=fan,
        fresh=fresh,
        level=level,
    ),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["anna", "bea"]),
    st.sampled_from(["", "f1", "f2"]),
    st.sampled_from(["exact", "near"]),
    TEXTS,
    st.booleans(),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([Level.FULL, Level.FULL, Level.CACHED]),
)
BATCHES = st.lists(
    st.tuples(st.lists(TASKS, min_size=1, max_size=6), st.sampled_from([0, SECOND, 20 * HOUR])), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_an_answer_never_reaches_another_tenant_fan_tool_or_question(batches: list[tuple[list[Task], int]]) -> None:
    asyncio.run(_ask_all(batches))


async def _ask_all(batches: list[tuple[list[Task], int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Database.open(Path(folder) / "huntaze.db", readers=1, synchronous="OFF") as database:
            clock, shelf, model = ManualClock(), Shelf(), Model(database)
            keeping = Keeping(model, shelf, database, clock, SETTINGS)
            coalescer = Coalescer(keeping, database, clock, SETTINGS)
            cached = Cached(coalescer, shelf, database, clock, SETTINGS)
            paid = 0
            for tasks, pause in batches:
                answers = await asyncio.gather(*(cached.complete(task) for task in tasks))
                for task, answer in zip(tasks, answers, strict=True):
                    _is_for(task, answer)
                    paid += answer.cost or 0
                clock.jump(pause)
                database.hurry()
                await database.write(lambda tx: None)  # what trails the answers
                async with database.reader() as reader:
                    kept = await reader.row("SELECT bytes, (SELECT sum(bytes) FROM kept_answers) FROM kept_bytes")
                assert kept is not None
                assert kept[0] == (kept[1] or 0) == shelf.bytes <= SETTINGS.cache.most_bytes
            assert paid == model.bills * BILL  # every bill is paid, by its callers together, and once


def _is_for(task: Task, answer: Answer) -> None:
    tenant, account, fan, tool, asked = answer.text.split("\x1f")
    assert (tenant, fan, tool) == (task.tenant_id, task.fan_id, task.tool)
    assert not fan or account == task.account_id
    if answer.hit is Hit.NEAR:
        assert not task.fan_id
        assert "Fan:" not in asked
        assert near(words_of(asked), words_of(_asked(task)))
    else:
        assert asked == _asked(task)
    if task.fresh:
        assert answer.hit is Hit.MISS


VOCABULARY = ("write", "titles", "about", "cats", "dogs", "3", "4", "not", "for", "from", '"Now"', "summer", "a", "the")
WORDS = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=12)


@given(WORDS, WORDS)
def test_near_is_the_same_both_ways_and_holds_of_oneself(one: list[str], other: list[str]) -> None:
    mine, theirs = words_of(" ".join(one)), words_of(" ".join(other))

    assert near(mine, theirs) == near(theirs, mine)
    assert near(mine, mine) == bool(mine)


@given(WORDS, st.integers(0, 11), st.sampled_from(["cats", "dogs", "5", "never", "without", '"Later"', "emma"]))
def test_one_other_word_is_never_near(words: list[str], at: int, put: str) -> None:
    place = at % len(words)
    changed = [*words[:place], put, *words[place + 1 :]]
    before, after = words_of(" ".join(words)), words_of(" ".join(changed))

    if sorted(before) != sorted(after):
        assert not near(before, after)


def test_on_labelled_pairs_nothing_is_taken_for_near_that_is_not_and_most_is_found() -> None:
    precision, recall = judge(ours, 1.0)

    assert precision == 1.0
    assert recall >= 0.75


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(words_of(text), tuple)
    assert words_of(text) == words_of(f"  {text}\n")


@pytest.mark.parametrize(
    "text", ["a" * 20_000, "1 " * 10_000, "\n" * 20_000, "fan" + " " * 19_000, "A-" * 10_000, "@" * 20_000]
)
def test_no_text_makes_the_look_for_people_slow(text: str) -> None:
    started = time.process_time()
    may_name_a_person(text)

    assert time.process_time() - started < 0.2  # linear ones take a hundredth of that
