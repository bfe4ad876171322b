"""Every screen in every state at three sizes, compared with what is stored: `SNAPSHOTS=update pytest …` stores anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from screens.registry import REGISTRY, Entry
from tests.screens.harness import Console, console
from tests.screens.scripted import STATES

_STORED = Path(__file__).parent / "snapshots"
_SIZES = ((80, 24), (120, 40), (200, 60))


@pytest.mark.parametrize("size", _SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", STATES)
async def test_screens_look_as_stored(state: str, size: tuple[int, int]) -> None:
    async with console(state, size=size) as running:
        shots = [await _place(running, entry) for entry in REGISTRY]
        if state == "normal":
            shots += await _details(running)

    _compare(_STORED / f"{state}-{size[0]}x{size[1]}.txt", "".join(shots))


@pytest.mark.parametrize("size", [(56, 14), (40, 10), (20, 5)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_small_terminal_shows_one_panel(size: tuple[int, int]) -> None:
    async with console(size=size) as running:
        first = await _shot(running, "overview", "1")
        second = await _shot(running, "next panel", "tab")

    assert first.splitlines()[1:] != second.splitlines()[1:]
    assert all(len(line) <= size[0] for line in first.splitlines()[1:])


async def _details(running: Console) -> list[str]:
    return [
        await _shot(running, "calls of a model", "2", "enter"),
        await _shot(running, "one call", "enter"),
        await _shot(running, "budgets", "2", "u"),
        await _shot(running, "routes", "3", "r"),
        await _shot(running, "one decision", "enter"),
        await _shot(running, "another strategy", "s", "s"),
        await _shot(running, "times and errors", "3", "t"),
        await _shot(running, "jobs", "4", "down", "enter"),
        await _shot(running, "one job", "down", "down", "enter"),
        await _shot(running, "limits on calls", "5", "v"),
        await _shot(running, "deliveries", "6", "down", "enter"),
        await _shot(running, "workflow", "w", "down"),
        await _shot(running, "one delivery", "escape", "down", "enter"),
        await _shot(running, "alert history", "7", "v"),
        await _shot(running, "help", "question_mark"),
        await _shot(running, "campaign form", "escape", "c"),
    ]


async def _place(running: Console, entry: Entry) -> str:
    await running.app.action_place(entry.name)
    return await _shot(running, entry.name)


async def _shot(running: Console, name: str, *keys: str) -> str:
    for key in keys:
        await running.press(key)
    await running.settle()
    width = running.app.size.width
    assert all(len(line) <= width for line in running.lines())
    return f"═══ {name}\n{running.text()}\n"


def _compare(path: Path, found: str) -> None:
    if os.environ.get("SNAPSHOTS") == "update":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)
    assert path.read_text().splitlines() == found.splitlines()
