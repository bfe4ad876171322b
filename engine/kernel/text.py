"""Text from outside made harmless: what a fan, a model, a provider or a log wrote can be shown, and only shown.

Control characters could move the cursor, escape sequences style or drive a terminal, bidirectional and invisible marks
make a line read as what it is not. Only those characters go: what follows an escape stays readable, so that nothing can
be hidden from the person who approves a text.
"""

from __future__ import annotations

import re
import unicodedata

_MARKS_KEPT = 4  # on one letter: pointed Hebrew and Burmese come to as many
_EMOJI = "\U0001f000-\U0001faff\u2600-\u27bf\ufe0f"

_HARMFUL = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"  # C0 but the breaks, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # invisible
    "\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # zero width, bidirectional
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"  # annotations, non-characters, halves of characters
    "\U000e0000-\U000e0fff"  # tags and further selectors
    "]"
    f"|(?<![{_EMOJI}])\u200d"  # the joiner holds emoji together and has no business elsewhere
)
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_BLANKS = re.compile("[ \t]*(?:\r\n|[\r\n\x85\u2028\u2029])[ \t]*|\t")
_PILE = re.compile(rf"[^\w\x00-\u02ff]{{{_MARKS_KEPT + 1},}}")  # what may be one; a mark is none of \w
_PLAIN = re.compile(r"[ -~]*\Z")


def clean(text: str, *, limit: int | None = None, newlines: bool = False) -> str:
    """The text without anything that could style, move, hide or reorder: one line, or several with `newlines`.

    A line break or a tab becomes a blank where one line is wanted. A pile of combining marks is cut; see `unpiled`.
    With `limit`, at most so many characters, the last an ellipsis where something was cut. Emoji and their joiners
    stay.
    """
    if not _PLAIN.match(text):
        text = _BREAK.sub("\n", text).replace("\t", "    ") if newlines else _BLANKS.sub(" ", text)
        text = unpiled(_HARMFUL.sub("", text))
    if limit is not None and len(text) > limit:
        return text[: limit - 1] + "…" if limit > 0 else ""
    return text


def unpiled(text: str) -> str:
    """The text with at most four combining marks on one letter, in any script: more paint over the lines around."""
    return _PILE.sub(_without_pile, text)


def _without_pile(found: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for letter in found[0]:
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if marks <= _MARKS_KEPT:
            kept.append(letter)
    return "".join(kept)
