"""A file of fans on the machine the console runs on: its path completed as it is typed, its ids read."""

from __future__ import annotations

import asyncio
import os
from itertools import islice
from pathlib import Path

from textual.suggester import Suggester

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.fanlist import read_fan_file
from screens.drafting import Listed, file_named
from screens.formatting import clean

_BEGINNINGS = ("all", "tag ", "fans ", "file ")
_LOOKED_AT = 2_000  # entries of a directory


class AudienceSuggester(Suggester):
    """The likeliest way to go on with an audience: its first word, or behind `file` a directory or a CSV file."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        if named := file_named(value):
            rest = await asyncio.to_thread(_rest_of, named)
            return value + rest if rest and value.endswith(named) else None
        return next((word for word in _BEGINNINGS if value and word.startswith(value)), None)


async def read(typed: str) -> Listed:
    """What the file of this name holds, or why it is not taken."""
    try:
        return Listed(file=typed, fan_ids=await asyncio.to_thread(_ids, typed))
    except CommandRefused as error:
        return Listed(file=typed, problem=str(error))


def _ids(typed: str) -> tuple[str, ...]:
    file = _home(typed)
    if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113 - Path's own raise
        refused = f"{typed} was not taken: it is no ordinary file, and what is none might never end"
        raise CommandRefused(Refusal.INVALID, refused)
    return read_fan_file(Path(file))


def _home(typed: str) -> str:
    """The path with what `~` stands for."""
    return os.path.expanduser(typed)  # noqa: PTH111 - Path's own raises where there is no home


def _rest_of(typed: str) -> str:
    """What the first entry whose path begins as typed has behind that."""
    directory, slash, begun = typed.rpartition("/")
    try:
        with os.scandir(_home(directory + slash) or ".") as entries:
            names = [
                entry.name + "/" * entry.is_dir()
                for entry in islice(entries, _LOOKED_AT)
                if entry.name.startswith(begun or "\0") and (entry.is_dir() or entry.name.endswith(".csv"))
            ]
    except (OSError, ValueError):
        return ""
    return min((name[len(begun) :] for name in names if clean(name) == name), default="")
