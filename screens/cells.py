"""How many cells a text takes where terminals disagree, and the cursor put back where it is certain. Pure.

Some terminals count the cells of each code point, others those of each letter as a reader sees it: the vowel signs of
Indic scripts take a cell of their own on one and none on the other, and an old terminal does not know a new emoji.
Such text is laid out by the most cells that anyone gives it, blank ones behind it; before it is written its room is
blanked, and after it the cursor is put where the layout has it. So a terminal that counts less leaves a gap, and none
moves what stands behind. Text that every terminal counts alike, which is nearly all, passes untouched.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rich.cells import cell_len

# Letters, marks and signs that take as many cells on every terminal. What is not among them is only written with care.
_SURE = (
    "\x00-\xac\xae-\u02ff\u0370-\u0482\u048a-\u0556\u0561-\u0587\u05d0-\u05ea\u0620-\u064a\u0660-\u066f"  # alphabets
    "\u0671-\u06d5\u0e01-\u0e30\u10a0-\u10ff\u1e00-\u1fff"
    "\u2010-\u2027\u2030-\u205e\u2070-\u20c0\u2100-\u218b"  # punctuation, currencies
    "\u2190-\u2319\u231c-\u2328\u232b-\u23e8\u23f8\u2400-\u2426\u2440-\u244a\u2460-\u25fc\u2605\u2606"  # symbols
    "\u26a0\u270e\u2713-\u2718\u27c0-\u2aff"
    "\u3000-\u3029\u3041-\u3096\u309b-\u30ff\u3131-\u3163\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c"  # twice as wide
    "\uac00-\ud7a3\uf900-\ufa2d\uff01-\uff60"
)
_EMOJI_FORM = "\ufe0f"
_UNSURE = re.compile(f"[^{_SURE}]")
_PARTS = re.compile(r"^ +| +$| {2,}|(?:(?! {2}| $).)+", re.DOTALL)  # phrases, and the blanks that part them
_MOVE = re.compile(r"(\x1b\[\d+;\d+H)")
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")


def most_cells(text: str) -> int:
    """The most cells that any terminal gives a text."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(map(_most, text)) if is_unsure(text) else cell_len(text)


def is_unsure(text: str) -> bool:
    """Whether terminals may disagree about how many cells a text takes."""
    return not text.isascii() and _UNSURE.search(text) is not None


@lru_cache(maxsize=4_096)
def _most(letter: str) -> int:
    """By how letters are counted as a reader sees them, and by how code points are."""
    if letter == _EMOJI_FORM:  # makes the sign before it an emoji, twice as wide
        return 1
    if unicodedata.category(letter) in ("Mn", "Me", "Cf", "Cc"):
        return cell_len(letter)
    return max(cell_len(letter), 2 if unicodedata.east_asian_width(letter) in "WF" else 1)


def beginning(text: str, width: int) -> str:
    """The first letters of a text, whole ones, that take at most `width` cells on every terminal."""
    if text.isascii():
        return text[: max(width, 0)]
    left, end = width, 0
    for at, letter in enumerate(text):
        left -= _most(letter)
        if unicodedata.category(letter)[0] != "M":
            end = at  # marks belong to the letter before them
        if left < 0:
            return text[:end]
    return text


def roomy(text: str) -> str:
    """A text with blanks behind each phrase whose width is not sure, so that its room is the most it can take."""
    if not is_unsure(text):
        return text
    return _PARTS.sub(lambda found: found[0] + " " * (most_cells(found[0]) - cell_len(found[0])), text)


# ── on the way to the terminal ──────────────────────────────────────────────────────────────────────────────────────


def placed(data: str) -> str:
    """What is to be written to a terminal, with every text of unsure width held in its place."""
    if not is_unsure(data):
        return data
    return "\n".join(map(_placed_row, data.split("\n")))


def _placed_row(data: str) -> str:
    if not is_unsure(data):
        return data
    before, *parts = _MOVE.split(data)
    written = [before]
    for move, text in zip(parts[::2], parts[1::2], strict=True):
        row, column = map(int, move[2:-1].split(";"))
        written += (move, _Stretch(text, row, column).written() if is_unsure(text) else text)
    return "".join(written)


class _Stretch:
    """Cells of one row, from a column on, as they are written without a move in between.

    What follows a phrase of unsure width may stand further right than the layout has it, until blanks take that up.
    """

    def __init__(self, text: str, row: int, column: int) -> None:
        self._pieces = _STYLE.split(text)  # texts, and the styles between them
        self._row, self._column = row, column
        self._end = column + sum(map(cell_len, self._pieces[::2]))
        self._ahead = 0  # cells
        self._written: list[str] = []

    def written(self) -> str:
        for at, piece in enumerate(self._pieces):
            if at % 2:
                self._written.append(piece)
                continue
            for found in _PARTS.finditer(piece):
                if found[0].isspace():
                    self._blanks(found[0], piece)
                elif is_unsure(found[0]):
                    self._phrase(found[0], self._blanks_after(at, found.end()))
                else:
                    self._written.append(found[0])
                    self._column += cell_len(found[0])
        return "".join(self._written)

    def _blanks(self, blanks: str, piece: str) -> None:
        taken = 0 if _is_cursor(piece) else min(self._ahead, len(blanks))
        self._written.append(blanks[taken:])
        self._column += len(blanks)
        self._ahead -= taken

    def _phrase(self, phrase: str, blanks: int) -> None:
        """Within what is known to be ours; where no blanks follow, the next text is written over its end."""
        start = self._column + self._ahead
        shown = beginning(phrase, self._end - start)
        self._column += cell_len(phrase)
        room = max(most_cells(shown), self._column - start)
        self._ahead = start + room - self._column
        if not 0 <= self._ahead <= blanks:
            self._ahead = 0
        self._written += (" " * room, self._to(start), shown, self._to(self._column + self._ahead))

    def _blanks_after(self, at: int, end: int) -> int:
        """Blanks right behind a phrase that can be done without: of its own text all, of the next one all but one."""
        own = self._pieces[at][end:]
        if own:
            return len(own) - len(own.lstrip(" "))
        following = (piece for piece in self._pieces[at + 2 :: 2] if piece)
        text = next(following, "")
        if _is_cursor(text):
            text = next(following, "")
        return max(0, len(text) - len(text.lstrip(" ")) - 1)

    def _to(self, column: int) -> str:
        return f"\x1b[{self._row};{column}H"


def _is_cursor(piece: str) -> bool:
    """A single blank in a style of its own: where one types, the cursor behind the text."""
    return piece == " "
