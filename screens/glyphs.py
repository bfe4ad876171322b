"""What is drawn on a terminal that shows only ASCII: one table, applied to every line of every widget.

It stands in for our own marks and for the boxes, bars and arrows of Textual. Letters of other scripts lose their
accents where that leaves a letter, and are a question mark otherwise. Every stand-in is as wide as what it stands for,
so that columns stay straight.

Here, too, is what no line of any terminal may carry: whatever a widget was given, a control character, an escape
sequence or a letter that turns or hides the text around it ends here.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SAME_WIDTH = {
    # states and marks; no two states of one kind share a form
    "✔": "+", "✖": "X", "▶": ">", "▷": ")", "◐": "%", "✎": "e", "◷": "@", "‖": "=", "∅": "0", "▲": "!", "●": "*",
    "○": "o", "◌": ":", "◒": "v", "■": "#", "▼": "v", "·": ".", "…": "~", "–": "-", "—": "-", "×": "x", "•": "*",
    "→": ">", "←": "<", "↑": "^", "↓": "v", "›": ">", "‹": "<", "“": '"', "”": '"', "‘": "'", "’": "'", "µ": "u",
    "≥": ">", "≤": "<", "≈": "~", "±": "+", "°": "o", "⏎": "<", "⚠": "!", "✓": "+", "✗": "X", "⏸": "=", "∞": "8",
    # letters that are no letter with an accent
    "ß": "s", "æ": "a", "Æ": "A", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "t",
    "œ": "o", "Œ": "O", "ı": "i", "«": "<", "»": ">", "¡": "!", "€": "E", "£": "L", "¥": "Y", "§": "S",
    "\u00a0": " ", "◆": "*", "◇": "o",
}  # fmt: skip
_BY_HEIGHT = dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))
_BY_WIDTH = dict(zip("▏▎▍▌▋▊▉", ".:|||##", strict=True))
_LINES = {
    **dict.fromkeys("─━┄┅┈┉╌╍═╸╺╴╶▔▀", "-"),
    **dict.fromkeys("│┃┆┇┊┋╎╏║▕▐╵╷", "|"),
    **dict.fromkeys("▖▗▘▙▚▛▜▝▞▟░▒▓", "#"),
}
_TABLE: dict[int, str] = {
    **{ord(letter): form for letter, form in (*_SAME_WIDTH.items(), *_LINES.items())},
    **{ord(letter): form for letter, form in (*_BY_HEIGHT.items(), *_BY_WIDTH.items())},
}


@lru_cache(maxsize=4_096)
def _form(letter: str) -> str:
    """The ASCII form of one letter, in as many cells as it takes."""
    known = _TABLE.get(ord(letter))
    if known is not None:
        return known
    if "\u2500" <= letter <= "\u257f":  # what is left of the boxes are corners and crossings
        return "+"
    if "\u2800" <= letter <= "\u28ff":  # braille: by how many of its dots are set
        return " .::-=+*#"[(ord(letter) - 0x2800).bit_count()]
    width = cell_len(letter)
    bare = unicodedata.normalize("NFKD", letter)[:1]
    if width == 1 and bare.isascii() and bare.isprintable():
        return bare
    return "?" * width


def ascii_form(text: str) -> str:
    """A text without a letter beyond ASCII, in the same number of cells."""
    if text.isascii():
        return text
    formed = "".join(letter if letter < "\x7f" else _form(letter) for letter in text)
    missing = cell_len(text) - len(formed)  # letters that join to one are narrower together
    return formed if not missing else formed[: cell_len(text)].ljust(cell_len(text))


def visible(text: str) -> str:
    """A text of visible letters only; what is dropped takes no room, so columns stay straight."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _unseen(letter) for letter in text)


def _unseen(letter: str) -> str:
    width = cell_len(letter)
    return (" " if unicodedata.category(letter)[0] == "Z" else "?") * width


class Visible(LineFilter):
    """The last gate before the terminal, for every widget there is."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(visible(text), style) for text, style, _ in segments]


class AsciiOnly(LineFilter):
    """Puts the table in the way of every line."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(ascii_form(text), style, control) for text, style, control in segments]
