"""Terminals of two kinds, as grids of cells: one counts code points, the other letters as a reader sees them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from rich.cells import split_graphemes

Count = Callable[[str], list[tuple[str, int]]]  # a text as its letters and the cells of each
_TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[[?<>=0-9;]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|([^\x00-\x1f]+)")


def by_code_point(text: str) -> list[tuple[str, int]]:
    """As wcwidth counts: marks none, spacing marks one, wide and emoji two."""
    found: list[tuple[str, int]] = []
    for letter in text:
        if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
            found.append((letter, 0))
        else:
            found.append((letter, 2 if unicodedata.east_asian_width(letter) in "WF" else 1))
    return found


def by_letter(text: str) -> list[tuple[str, int]]:
    """As rich counts, and a terminal that knows what a reader takes for one letter."""
    spans, _ = split_graphemes(text)
    return [(text[start:end], cells) for start, end, cells in spans]


class Grid:
    """What stands in each cell after what was written: by row and column, both from 1."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self.cells: dict[tuple[int, int], str] = {}

    def write(self, data: str) -> None:
        row = column = 1
        for found in _TOKEN.finditer(data):
            if found[1]:
                row, column = int(found[1]), int(found[2])
            for letter, cells in self._count(found[3] or ""):
                for at in range(cells):
                    self.cells[row, column + at] = "" if at else letter
                column += cells

    def text(self, row: int, start: int, end: int) -> str:
        """The cells of a row from one column to before another; what was never written is a tilde."""
        return "".join(self.cells.get((row, column), "~") for column in range(start, end))
