"""Keys that arrive together, as over a link that stalled, do what they would do one by one."""

from __future__ import annotations

import asyncio

import pytest
from textual import events
from textual.widgets import Input

from screens.app import ConsoleApp
from screens.listing import FilterInput
from screens.source import ConsoleOptions
from tests.screens.harness import Console, console
from tests.screens.scripted import ScriptedSource


async def burst(running: Console, *keys: str) -> None:
    """All in one read; a word is its letters."""
    named = {" ": "space", "/": "slash", ":": "colon", "-": "minus"}
    for key in keys:
        letters = key if key not in ("enter", "escape", "backspace", "left", "tab") else [key]
        for letter in letters:
            running.app.post_message(events.Key(named.get(letter, letter), letter if len(letter) == 1 else None))
    await running.settle()


async def test_letters_behind_a_slash_go_into_the_filter_and_do_nothing_else() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await burst(running, "6", "/anna")

        assert running.app.screen.query_one(FilterInput).value == "anna"
        assert source.submitted == []


async def test_letters_behind_a_colon_go_into_the_line() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await burst(running, "7", ":budgets", "enter")

        assert "budgets" in running.lines()[0]
        assert source.submitted == []


@pytest.mark.parametrize("first", ["8", "6", "1"])
async def test_a_line_right_behind_another_opens_what_it_says(first: str) -> None:
    async with console() as running:
        await burst(running, first, ":fan nobody", "enter", ":fan zoe", "enter")

        assert "zoe" in running.lines()[0]
        await burst(running, ":queue", "enter", ":costs", "enter", "enter")
        assert "costs" in running.lines()[0]


async def test_a_field_takes_letters_and_other_keys_as_they_were_typed() -> None:
    async with console() as running:
        await burst(running, "6", "/abc", "backspace", "backspace", "de", "backspace", "f", "left", "left", "x")

        assert running.app.screen.query_one(FilterInput).value == "axdf"


async def test_enter_meets_what_was_typed_before_it() -> None:
    async with console() as running:
        await burst(running, ":", "providers", "enter", "/", "azure", "enter")

        assert "providers" in running.lines()[0]
        assert running.app.screen.query_one(FilterInput).value == "azure"
        assert not isinstance(running.app.focused, Input)


async def test_many_letters_are_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with console() as running:
        changes = 0
        keep = FilterInput.insert_text_at_cursor

        def counted(self: FilterInput, text: str) -> None:
            nonlocal changes
            changes += 1
            keep(self, text)

        monkeypatch.setattr(FilterInput, "insert_text_at_cursor", counted)
        await burst(running, "6", "/", "anna-00001" * 600)

        assert running.app.screen.query_one(FilterInput).value == "anna-00001" * 600
        assert changes < 20


async def test_a_key_that_is_never_answered_does_not_let_the_next_do_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = ScriptedSource()
    monkeypatch.setattr("screens.inorder._PATIENCE", 0.05)
    async with console(source) as running:

        async def stuck(_screen: object, _key: events.Key) -> None:
            await asyncio.sleep(0.4)

        monkeypatch.setattr(type(running.app.screen), "_on_key", stuck, raising=False)
        await burst(running, "x", "S", "y")
        await asyncio.sleep(0.5)
        await running.settle()

        assert source.submitted == []
        assert "forgotten" in running.notices[-1]


async def test_a_key_whose_answer_breaks_leaves_the_keyboard_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    app = ConsoleApp(ScriptedSource(), options=ConsoleOptions(log=told.append))
    async with app.run_test(size=(120, 40)) as pilot:
        running = Console(app, pilot)
        await running.settle()
        with monkeypatch.context() as broken:
            broken.setattr(ConsoleApp, "_answered_by", _breaks)
            await burst(running, "3", "4")
        await burst(running, "2")

        assert "costs" in running.lines()[0]
        assert "ValueError" in told[-1]


async def _breaks(_app: object, _target: object) -> None:
    raise ValueError
