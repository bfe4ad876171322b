"""Saying that a message was written by a model, once, within the platform's length."""

from __future__ import annotations

import re
import unicodedata

from engine.kernel.text import clean

_BREAK = "\n\n"
_SENTENCE_END = re.compile(r"[.!?…](?=\s|$)")
_LEAST_KEPT = 0.6  # of the room: rather half a sentence than to lose more than this
_JOINERS = "\u200d\ufe0f"


def disclose(text: str, sentence: str, limit: int) -> str:
    """The text with the sentence as its last line, at most `limit` characters; unchanged if it stands there already."""
    if len(text) <= limit and is_disclosed(text, sentence):
        return text
    room = limit - len(_BREAK) - len(sentence)
    return bound(withdraw(text, sentence), room) + _BREAK + sentence


def is_disclosed(text: str, sentence: str) -> bool:
    """Whether the last line is the sentence, whatever its case and closing stop."""
    return _bare(text.rstrip().rpartition("\n")[2]) == _bare(sentence)


def line_of(sentence: str, default: str) -> str:
    """The sentence as one clean line; a blank one is the default."""
    return clean(sentence).strip() or default


def withdraw(text: str, sentence: str) -> str:
    """The text without the disclosure, where it ends in it."""
    return text.rpartition("\n")[0].rstrip() if is_disclosed(text, sentence) else text


def bound(text: str, limit: int) -> str:
    """The beginning of a text that fits: to the end of a sentence where one is near, else of a word, with an ellipsis."""
    if len(text) <= limit:
        return text
    sentences = [match.end() for match in _SENTENCE_END.finditer(text[:limit])]
    if sentences and sentences[-1] >= limit * _LEAST_KEPT:
        return text[: sentences[-1]]
    cut = _whole(text, limit - 1)
    blank = max(text.rfind(" ", 0, cut), text.rfind("\n", 0, cut))
    return text[: blank if blank >= limit * _LEAST_KEPT else cut].rstrip() + "…"


def _whole(text: str, end: int) -> int:
    """The last place at or before `end` that does not tear a letter from its marks."""
    while end > 0 and _clings(text, end):
        end -= 1
    return end


def _clings(text: str, end: int) -> bool:
    return text[end] in _JOINERS or text[end - 1] == _JOINERS[0] or unicodedata.combining(text[end]) != 0


def _bare(line: str) -> str:
    return line.strip().rstrip(".!").casefold()
