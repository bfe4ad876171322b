"""Text from outside can never style, move or escape the terminal, whatever field it comes in."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.surface.queries import Query
from screens.cells import roomy
from screens.formatting import clean, clean_lines, fit
from tests.screens.harness import console
from tests.screens.scripted import ScriptedSource

ATTACKS = {
    "markup": "[/x][bold red]boom[/] [@click=app.quit()]here[/]",
    "escapes": "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31mred\x9b31m\x90q\x9c",
    "controls": "a\rb\nc\td\x08e\x0cf\x0bg\x00h\x7fi\x85j\u2028k\u2029l",
    "bidi": "\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c",
    "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\U000e0041h",
    "emoji": "👩‍👩‍👧‍👦 👍🏽 🇫🇷 ❤️ ⓿",
    "piled": "Z" + "\u0310\u0311\u0312" * 60 + "algo",
    "signs": "कि" * 20 + "ا" + "\u064b" * 60,
    "long": "x" * 10_000,
    "wide": "漢字" * 200,
}
_KEPT = frozenset({"epoch", "node", "time_zone", "state", "breaker", "severity", "outcome", "mode", "kind", "basis"})


def poison(value: Any, attack: str, name: str = "") -> Any:
    """The same value with the attack in every text that comes from outside."""
    if isinstance(value, str):
        return f"{value}{attack}" if name not in _KEPT else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: poison(getattr(value, f.name), attack, f.name) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    if isinstance(value, Mapping):
        return {key: poison(each, attack, name) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(poison(each, attack, name) for each in value)
    return value


class HostileSource(ScriptedSource):
    """A scripted source behind a hostile world."""

    def __init__(self, attack: str) -> None:
        super().__init__()
        self._attack = attack
        self.shown = poison(self.shown, attack)
        self.events = poison(self.events, attack)

    async def query(self, query: Query) -> Any:
        page = await super().query(query)
        return dataclasses.replace(page, rows=poison(page.rows, self._attack))


_SHORT = " ".join(attack for name, attack in ATTACKS.items() if name not in ("long", "wide"))


@pytest.mark.parametrize("attack", [_SHORT, ATTACKS["long"], ATTACKS["wide"]], ids=["all short ones", "long", "wide"])
async def test_no_screen_shows_it(attack: str) -> None:
    async with console(HostileSource(attack), size=(120, 34)) as running:
        for keys in (
            "1",
            "2",
            "enter",
            "enter",
            "3",
            "v",
            "enter",
            "3 3",
            "t",
            "v",
            "4 enter enter",
            "5",
            "6",
            "enter",
            "w",
            "escape",
            "enter",
            "7",
            "v",
            "8 v v v",
            "enter",
            "escape",
            "c",
        ):
            await running.press(*keys.split())
            harmless(running.lines(), 120)
            assert running.app.is_running


def harmless(lines: list[str], width: int) -> None:
    for line in lines:
        assert cell_len(line) <= width
        for letter in line:
            assert unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"), repr(letter)


async def test_a_notice_carries_none_of_it() -> None:
    async with console(size=(120, 34)) as running:
        running.app.tell("".join(ATTACKS.values()), severity="error")
        await running.settle()

        harmless(running.lines(), 120)
        assert "[/x][bold red]boom[/]" in running.text()


_letters = st.characters() | st.sampled_from([letter for attack in ATTACKS.values() for letter in attack])


@given(st.text(_letters, max_size=300))
@settings(max_examples=300, deadline=None)
def test_cleaned_text_is_one_line_of_visible_letters(text: str) -> None:
    for letter in clean(text):
        assert unicodedata.category(letter)[0] != "C"
        assert unicodedata.category(letter) not in ("Zl", "Zp")


@given(st.text(_letters, max_size=200), st.integers(0, 40), st.booleans())
@settings(max_examples=300, deadline=None)
def test_fitted_text_takes_exactly_its_room(text: str, width: int, right: bool) -> None:
    assert cell_len(roomy(fit(clean(text), width, right=right))) == width


@given(st.text(_letters, max_size=400), st.integers(2, 60))
@settings(max_examples=200, deadline=None)
def test_folded_lines_never_exceed_their_width(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in clean_lines(text, width))
