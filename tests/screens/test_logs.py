"""The log in the console: it follows, stops when told or when somebody reads, shows levels, and survives its engine."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from textual.events import MouseScrollUp

from engine.kernel.errors import EngineUnavailable
from engine.surface.queries import ListLogs
from engine.surface.rows import LogRow
from screens.logs import KEPT, LogsScreen
from tests.screens.harness import Console, console
from tests.screens.scripted import NOW, ScriptedSource
from tests.screens.test_hostile_text import ATTACKS

ORDER = ("", "debug", "info", "warning", "error", "critical")


def row(seq: int, message: str = "", level: str = "info", **changes: Any) -> LogRow:
    return LogRow(
        seq=seq,
        at=NOW,
        level=level,
        area=str(changes.pop("area", "engine.queue.worker")),
        message=message or f"number {seq}",
        **{"fields": {}, "error": "", "trace": (), **changes},
    )


class LoggingSource(ScriptedSource):
    """An engine whose log a test writes."""

    def __init__(self, count: int = 3) -> None:
        super().__init__()
        self.book = [row(at + 1) for at in range(count)]
        self.rows[ListLogs] = self._answer
        self.down: EngineUnavailable | None = None

    def _answer(self, query: ListLogs) -> list[LogRow]:
        if self.down is not None:
            raise self.down
        found = [one for one in self.book if ORDER.index(one.level) >= ORDER.index(query.level)]
        if query.after is not None:
            return [one for one in found if one.seq > query.after][: query.limit]
        return found[-query.limit :]

    def say(self, count: int = 1, **changes: Any) -> None:
        start = len(self.book)
        self.book += [row(start + at + 1, **changes) for at in range(count)]


async def look(running: Console) -> None:
    """What its timer does."""
    screen = running.app.screen
    assert isinstance(screen, LogsScreen)
    screen._look()
    await running.settle()


def newest(running: Console) -> str:
    screen = running.app.screen
    assert isinstance(screen, LogsScreen)
    return screen.table.rows[-1].row.message


async def test_the_newest_record_stands_under_the_cursor_and_is_followed() -> None:
    source = LoggingSource(200)
    async with console(source, size=(80, 24)) as running:
        await running.press("9")
        assert _chosen(running).split() == ["▌14:32:05", "○", "info", "queue.worker", "number", "200"]
        source.say(5)
        await look(running)

        assert "number 205" in _chosen(running)
        assert "following" in running.text()
        assert source.asked[-1] == ListLogs(after=200, limit=500)


def _chosen(running: Console) -> str:
    return next(line for line in running.lines() if line.startswith("▌"))


@pytest.mark.parametrize("key", ["k", "up", "pageup", "g"])
async def test_going_up_stops_it_and_says_so(key: str) -> None:
    source = LoggingSource(200)
    async with console(source) as running:
        await running.press("9", key)
        chosen = _chosen(running)
        source.say(7)
        await look(running)

        assert "not following, for you went up, 7 newer records held back" in running.text()
        assert _chosen(running) == chosen
        assert running.keys["f"] == "follow"
        await running.press("f")
        assert "number 207" in _chosen(running)
        assert running.keys["f"] == "stop following"


async def test_the_wheel_stops_it_too() -> None:
    source = LoggingSource(200)
    async with console(source) as running:
        await running.press("9")
        table = running.app.screen.table  # type: ignore[attr-defined]
        table.post_message(MouseScrollUp(table, 5, 5, 0, -1, 0, False, False, False))
        await running.settle()
        await running.settle()

        assert "not following, for you went up" in running.text()


async def test_it_stops_when_told_and_holds_a_bounded_part_back() -> None:
    source = LoggingSource(3)
    async with console(source) as running:
        await running.press("9", "f")
        source.say(KEPT + 700)
        for _ in range(8):
            await look(running)
        screen = running.app.screen
        assert isinstance(screen, LogsScreen)

        assert "not following, for you said so" in running.text()
        assert newest(running) == "number 3"
        assert len(screen._held) == KEPT
        await running.press("f")
        assert newest(running) == f"number {KEPT + 703}"
        assert len(screen._shown) == KEPT


async def test_levels_are_cycled_and_asked_of_the_engine() -> None:
    source = LoggingSource(3)
    source.say(level="warning", message="careful")
    source.say(level="error", message="broken")
    async with console(source) as running:
        seen = []
        await running.press("9")
        for _ in range(4):
            await running.press("l")
            seen.append([one.row.level for one in running.app.screen.table.rows])  # type: ignore[attr-defined]

    assert seen == [
        ["info", "info", "info", "warning", "error"],
        ["warning", "error"],
        ["error"],
        ["info", "info", "info", "warning", "error"],
    ]


async def test_a_level_without_records_says_how_to_see_others() -> None:
    async with console(LoggingSource(3)) as running:
        await running.press("9", "l", "l", "l")

        assert "nothing was logged at error or above; l shows the other levels" in running.text()


async def test_a_filter_narrows_it_and_does_not_stop_it() -> None:
    source = LoggingSource(50)
    async with console(source) as running:
        await running.press("9", "slash")
        await running.type("number 4")
        await running.press("enter")
        source.say(message="number 4 again")
        await look(running)

        assert "number 4 again" in _chosen(running)
        assert "15 of 51" in running.text()


async def test_a_record_is_shown_in_full() -> None:
    source = LoggingSource(1)
    long = " ".join(f"word{at}" for at in range(200))
    source.say(
        level="error",
        message=long,
        fields={"job": "write_1"},
        error="ValueError at a.py:9",
        trace=("b.py:1 in g", "a.py:9 in f", "ValueError"),
    )
    async with console(source) as running:
        await running.press("9", "enter")

        text = running.text()
        for part in (
            "✖ error",
            "engine.queue.worker",
            "word0",
            "word199",
            "write_1",
            "ValueError at a.py:9",
            "b.py:1 in g",
        ):
            assert part in text
        await running.press("escape")
        assert "logs" in running.lines()[0]


async def test_a_log_that_cannot_be_read_says_why_and_is_tried_again() -> None:
    source = LoggingSource(3)
    source.down = EngineUnavailable("no answer within 5 s")
    async with console(source) as running:
        await running.press("9")
        assert "no answer within 5 s" in running.text()
        assert "engine.log" in running.text()
        source.down = None
        await look(running)
        assert newest(running) == "number 3"

        source.down = EngineUnavailable("gone again")
        await look(running)
        assert "gone again" in running.text()
        assert newest(running) == "number 3"


async def test_another_engine_of_the_same_state_goes_on_under_the_old_records() -> None:
    source = LoggingSource(30)
    async with console(source) as running:
        await running.press("9")
        source.book = [row(1, "risen")]
        source.shown = replace(source.shown, engine=replace(source.shown.engine, started_at=NOW))
        await running.settle()
        await look(running)

        screen = running.app.screen
        assert isinstance(screen, LogsScreen)
        assert [one.row.message for one in screen._shown[-2:]] == ["number 30", "risen"]
        assert "risen" in _chosen(running)


async def test_nothing_is_asked_while_it_is_not_looked_at_or_frozen_or_cut_off() -> None:
    source = LoggingSource(3)
    async with console(source) as running:
        await running.press("9")
        screen = running.app.screen
        assert isinstance(screen, LogsScreen)
        await running.press("space")
        before = len(source.asked)
        await look(running)
        assert len(source.asked) == before
        await running.press("space", "1")
        screen._look()
        await running.settle()
        assert not any(isinstance(query, ListLogs) for query in source.asked[before:])
        source.linked = replace(source.linked, attached=True, up=False)
        await running.settle()
        await running.press("9")
        assert not any(isinstance(query, ListLogs) for query in source.asked[before:])
        assert "no link to the engine" in running.text()


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_hostile_record_moves_nothing(attack: str) -> None:
    source = LoggingSource(1)
    words = ATTACKS[attack]
    source.say(message=words, level="error", area=words, error=words, fields={words: words}, trace=(words, words))
    async with console(source, size=(80, 24)) as running:
        await running.press("9")
        shown = [running.text()]
        await running.press("enter")
        shown.append(running.text())

        for text in shown:
            assert not [
                letter for letter in text if letter != "\n" and unicodedata.category(letter) in ("Cc", "Cf", "Zl")
            ]
            assert "HUNTAZE" in text.splitlines()[0]
