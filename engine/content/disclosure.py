"""Saying that a message was written by a model, once, within the platform's length."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from engine.kernel.text import clean

_BREAK = "\n\n"
_SENTENCE_END = re.compile(r"[.!?…](?=\s|$)")
_LEAST_KEPT = 0.6  # of the room: rather half a sentence than to lose more than this
_JOINERS = "\u200d\ufe0f"
_SIDES = r"[ \t*_~()\[\]{}«»\"'“”„—–-]{0,8}"  # what a model sets such a line in


def disclose(text: str, line: str, limit: int) -> str:
    """The text with the line under it, at most `limit` characters in all: the text gives way, the line never.

    Wherever the line stands already it is taken out first, so disclosing twice changes nothing.
    """
    return bound(withdraw(text, line), max(1, limit - len(_BREAK) - len(line))) + _BREAK + line


def withdraw(text: str, line: str) -> str:
    """The text without the line: as a sentence of its own in any case, inside another one to the letter."""
    alone = _alone(line)
    while (less := alone.sub("", text).replace(line, "").strip()) != text:
        text = less
    return text


def line_of(disclosure: str, default: str, limit: int) -> str:
    """The disclosure as one clean line, the default for a blank one; never more than half a message."""
    return bound(" ".join(clean(disclosure).split()) or default, max(1, limit // 2))


def bound(text: str, limit: int) -> str:
    """The beginning that fits: to the end of a sentence where one is near, else of a word, with an ellipsis."""
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


@lru_cache(maxsize=8)
def _alone(line: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in line.split())
    return re.compile(rf"(?:^|(?<=[.!?…\n])){_SIDES}{words}[.!]?{_SIDES}$", re.IGNORECASE | re.MULTILINE)
