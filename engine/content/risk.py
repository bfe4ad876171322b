"""How closely a person should read a text before it goes out. Pure.

What the hard blocks find is never drafted, so it needs nobody's eye. Here stands what they let through but a reader
should see first: words that a block knows and something before them spared, the talk of a person in need, what leads
off the platform, and what was left unfinished. Reasons quote nothing of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from engine.content.blocks import BLOCKS
from engine.content.moderation import check, is_crisis
from engine.content.normalise import plain, readings
from engine.content.row import Category


class Level(StrEnum):
    """How much there is to look at, the least first."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Risk:
    """The gravest of what was found, and each thing found as a sentence's end: *the text …*."""

    level: Level = Level.NONE
    reasons: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        return "; ".join(self.reasons)


NO_RISK = Risk()
_RANKS = {level: rank for rank, level in enumerate(Level)}
_GRAVE = frozenset({Category.MINORS, Category.NON_CONSENT, Category.SELF_HARM})
_NAMES = {
    Category.MINORS: "minors",
    Category.NON_CONSENT: "acts without consent",
    Category.SELF_HARM: "self-harm",
    Category.THREATS: "threats",
    Category.DOXXING: "who somebody is or where they live",
    Category.PAYMENT: "payment off the platform",
}


def _sign(level: Level, reason: str, *patterns: str) -> tuple[Level, str, re.Pattern[str]]:
    return level, reason, re.compile("|".join(patterns), re.IGNORECASE)


_SIGNS = (
    _sign(
        Level.MEDIUM,
        "holds a link or an address",
        r"https?://|\bwww\.|(?<!\w)@\w{3,}",
        r"\b[\w-]+\.(?:com|net|org|me|io|ly|tv|gg|link|app)\b",
    ),
    _sign(
        Level.MEDIUM,
        "was left with a gap to fill in",
        r"\{\{?\s*\w+\s*\}?\}|\[[A-Za-z][\w ']{1,30}\]|<[A-Za-z_]{2,20}>",
    ),
    _sign(
        Level.MEDIUM,
        "speaks as a machine",
        r"\bas an? (?:ai|language model|assistant)\b|\bi(?: a|')m an ai\b",
        r"\bi can(?:no|')t (?:help|assist|write|create)\b",
    ),
    _sign(
        Level.MEDIUM,
        "speaks of meeting in person",
        r"\b(?:meet (?:me|you|up)|come over|my (?:place|hotel)|in person|pick (?:you|me) up)\b",
    ),
    _sign(Level.LOW, "names a price", r"[$€£]\s?\d|\b\d+\s?(?:dollars|euros|bucks|usd|eur)\b"),
)


def assess(text: str) -> Risk:
    """What a reader should know of a text that is to be approved."""
    found = [*_blocked(text), *_near(text)]
    found += [(level, reason) for level, reason, sign in _SIGNS if sign.search(text)]
    if not found:
        return NO_RISK
    found.sort(key=lambda one: -_RANKS[one[0]])
    return Risk(found[0][0], tuple(dict.fromkeys(reason for _, reason in found)))


def _blocked(text: str) -> list[tuple[Level, str]]:
    """Only of texts written before a block was there: the send will refuse them."""
    verdict = check(text)
    return [] if verdict.allowed else [(Level.HIGH, f"will not be sent: {verdict.reason}")]


def _near(text: str) -> list[tuple[Level, str]]:
    """A block's words that something before them spared, and the words of a person in need."""
    found: list[tuple[Level, str]] = []
    if is_crisis(text):
        found.append((Level.HIGH, "speaks of wanting to die or to be hurt"))
    for way in readings(plain(text)):
        words = set(way.split())
        for block in BLOCKS:
            if block.nears(way, words):
                level = Level.HIGH if block.category in _GRAVE else Level.MEDIUM
                found.append((level, f"comes near what is never sent: {_NAMES[block.category]}"))
    return found
