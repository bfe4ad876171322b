"""Questions: whose words the shown effect belongs to, what enter confirms, and that the answers stay in sight."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from engine.kernel.errors import CommandRefused, HuntazeError, Refusal
from screens.widgets.asking import Ask, Entry
from screens.widgets.confirm import Confirm
from tests.screens.harness import Console, console

_LONG = 600.0  # seconds: a test says itself when nothing was typed for a while


class Engine:
    """Answers what would be done when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, str | HuntazeError] = {}
        self.held: set[str] = set()

    async def preview(self, values: Mapping[str, str]) -> str:
        words = values["limit"]
        self.asked.append(words)
        while words in self.held:
            await asyncio.sleep(0)
        answer = self.answers.get(words, f"{words} stops 1 campaign")
        if isinstance(answer, HuntazeError):
            raise answer
        return answer


async def asked(running: Console, engine: Engine, answers: list[Mapping[str, str] | None]) -> Ask:
    entries = (Entry(name="limit", label="limit", value="50"), Entry(name="reason", label="why", loose=True))
    form = Ask("Change the limit?", entries, check=wrong, preview=engine.preview)
    form.pause = _LONG
    await running.app.push_screen(form, answers.append)
    await running.settle()
    await running.press("end")
    return form


def wrong(values: Mapping[str, str]) -> Mapping[str, str]:
    return {} if values["limit"].isdigit() else {"limit": "a number"}


async def reckoned(running: Console) -> None:
    """Nothing is typed for a while."""
    running.app.screen._look()  # type: ignore[attr-defined]
    await running.settle()


def is_old(running: Console) -> bool:
    return running.app.screen.query_one("#effect").has_class("old")


async def test_an_effect_of_other_words_is_dim_and_said_to_be_reckoned() -> None:
    engine = Engine()
    async with console() as running:
        await asked(running, engine, [])
        assert "50 stops 1 campaign" in running.text()
        assert "reckoning" not in running.text()
        assert not is_old(running)

        await running.type("0")
        assert "50 stops 1 campaign" in running.text()
        assert "reckoning …" in running.text()
        assert is_old(running)

        await reckoned(running)
        assert "500 stops 1 campaign" in running.text()
        assert "reckoning" not in running.text()
        assert not is_old(running)


async def test_words_typed_back_are_those_the_effect_belongs_to() -> None:
    engine = Engine()
    async with console() as running:
        await asked(running, engine, [])
        await running.type("0")
        await running.press("backspace")

        assert "reckoning" not in running.text()
        assert not is_old(running)


async def test_enter_right_behind_a_key_shows_the_effect_first() -> None:
    engine = Engine()
    answers: list[Mapping[str, str] | None] = []
    async with console() as running:
        await asked(running, engine, answers)
        await running.type("0")
        await running.press("enter")
        assert answers == []
        assert "500 stops 1 campaign" in running.text()

        await running.press("enter")

    assert answers == [{"limit": "500", "reason": ""}]


async def test_what_is_typed_while_enter_waits_for_the_effect_is_not_confirmed() -> None:
    """Though both would do the same."""
    engine = Engine()
    engine.answers = dict.fromkeys(("50", "500", "5000"), "stops 1 campaign")
    engine.held.add("500")
    answers: list[Mapping[str, str] | None] = []
    async with console() as running:
        await asked(running, engine, answers)
        await running.type("0")
        await running.press("enter")
        await running.type("0")
        engine.held.clear()
        await running.settle()
        assert answers == []

        await reckoned(running)
        await running.press("enter")

    assert answers == [{"limit": "5000", "reason": ""}]


async def test_an_answer_that_comes_too_late_is_not_shown_for_the_words_of_now() -> None:
    engine = Engine()
    engine.held.add("500")
    async with console() as running:
        await asked(running, engine, [])
        await running.type("0")
        await reckoned(running)
        await running.type("0")
        engine.held.clear()
        await running.settle()

        assert "500 stops" not in running.text()
        assert is_old(running)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (CommandRefused(Refusal.INVALID, "it is above what the month has left"), "✖ it is above"),
        (HuntazeError("the link is gone"), "Its effect cannot be told: the link is gone"),
    ],
)
async def test_a_refusal_is_not_confirmed_and_what_cannot_be_told_only_once_it_was_read(
    answer: HuntazeError, words: str
) -> None:
    engine = Engine()
    engine.answers["500"] = answer
    answers: list[Mapping[str, str] | None] = []
    async with console() as running:
        await asked(running, engine, answers)
        await running.type("0")
        await running.press("enter")
        assert words in running.text()
        assert "reckoning" not in running.text()
        assert answers == []

        await running.press("enter")

    assert bool(answers) is not isinstance(answer, CommandRefused)


async def test_a_wrong_field_has_no_effect_and_none_is_awaited() -> None:
    engine = Engine()
    async with console() as running:
        await asked(running, engine, [])
        await running.type("x")
        assert "reckoning" not in running.text()

        await reckoned(running)
        assert "stops" not in running.text()
        assert engine.asked == ["50"]


async def test_why_changes_nothing_about_the_effect() -> None:
    engine = Engine()
    async with console() as running:
        await asked(running, engine, [])
        await running.press("down")
        await running.type("because")

        assert not is_old(running)
        assert engine.asked == ["50"]


async def test_the_form_stays_as_high_as_it_was_while_its_effect_is_reckoned() -> None:
    engine = Engine()
    engine.answers["50"] = "It stops these campaigns: " + "spring set of anna, " * 20
    async with console() as running:
        form = await asked(running, engine, [])
        before = form.children[0].region
        await running.type("0")
        await reckoned(running)

        assert "500 stops" in running.text()
        assert form.children[0].region == before


# ── in any terminal ─────────────────────────────────────────────────────────────────────────────────────────────────

_MUCH = "It stops these campaigns: " + "spring set of anna, " * 45


@pytest.mark.parametrize("size", [(80, 16), (60, 16)])
async def test_a_form_higher_than_the_terminal_keeps_its_keys_and_can_be_read_to_the_end(size: tuple[int, int]) -> None:
    engine = Engine()
    engine.answers["50"] = f"{_MUCH} and nothing-else"
    async with console(size=size) as running:
        await asked(running, engine, [])
        assert "enter do it   esc leave it as it is" in running.text()
        assert "page down" in running.text()
        assert running.lines()[0].startswith(" HUNTAZE")

        await running.press("pagedown", "pagedown")
        assert "nothing-else" in running.text()
        assert "enter do it" in running.text()


@pytest.mark.parametrize("typed", ["", "spring-ppv"])
async def test_a_question_higher_than_the_terminal_keeps_its_answers(typed: str) -> None:
    async with console(size=(60, 16)) as running:
        running.app.push_screen(Confirm("Stop all these?", detail=f"{_MUCH} and nothing-else", typed=typed))
        await running.settle()
        assert ("Type spring-ppv" if typed else "y yes   n no") in running.text()
        assert all(len(line) <= 60 for line in running.lines())

        await running.press("pagedown", "pagedown", "pagedown")
        assert "nothing-else" in running.text()


async def test_a_word_to_type_is_seen_as_it_is_typed_and_a_slip_is_told() -> None:
    answers: list[bool | None] = []
    async with console(size=(80, 24)) as running:
        await running.app.push_screen(Confirm("Send to 1,000 fans?", typed="spring-ppv"), answers.append)
        await running.settle()
        await running.type("spring-pvp")
        assert "│  spring-pvp" in running.text()
        await running.press("enter")
        assert "That is not spring-ppv" in running.text()
        assert answers == []

        await running.press("backspace", "backspace")
        await running.type("pv")
        await running.press("enter")

    assert answers == [True]
